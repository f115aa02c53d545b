"""Which figures follow the ledger: those of every open period that has begun.

A period has two live roll-ups that take turns. One is read while the other is brought up to date; finished,
it is the newer one and is read from then on. So figures change all at once, and whoever has begun to read the
former goes on reading it as it was, until its turn comes.
"""

from datetime import timedelta

from django.db.models import Q
from django.utils import timezone

from accounts.models import User
from bulletins import figures, refresh, services
from bulletins.indicators import DEFINITION_VERSION
from bulletins.models import Period, Snapshot
from common.jobs import Job
from common.scope import system_job

# Readers of the one that was replaced are through by then; `follow` comes a little less often.
STILL_READ = timedelta(seconds=20)
# Nothing has changed for so long: the roll-up that stands by follows as well.
AT_REST = timedelta(minutes=5)
# What failed is tried again, and not at every turn.
AFTER_A_FAILURE = timedelta(minutes=10)


@system_job("follow the ledger")
def follow() -> None:
    """Ask for a roll-up of each period of which rows have changed."""
    begun = Period.objects.filter(
        Q(follows=True) | Q(is_collected=True), status=Period.Status.OPEN, start_on__lte=timezone.localdate()
    )
    for period in begun:
        mine = period.snapshots.filter(version=0)
        recent = Q(job_state=Job.State.FAILED, created_at__gt=timezone.now() - AFTER_A_FAILURE)
        under_way = period.snapshots.filter(job_state__in=services.UNDER_WAY)
        if under_way.exists() or mine.filter(recent).exists():
            continue
        turns = list(mine.filter(is_live=True).readable())
        if not turns or (_is_read_alone(period) and _has_to_follow(*turns)):
            services.request_rollup(period)


def _has_to_follow(newest: Snapshot, *others: Snapshot) -> bool:
    """Whether the roll-up that is read is behind; or, long after the last change, the one that stands by.

    What that one keeps of rows that have moved on would else protect a chain or bureau from being deleted.
    """
    if refresh.is_behind(newest):
        return True
    at_rest = newest.finished_at is None or newest.finished_at < timezone.now() - AT_REST
    return at_rest and any(map(refresh.is_behind, others))


def has_room(period: Period) -> bool:
    follows = period.follows or period.is_collected
    return follows and period.snapshots.filter(version=0, is_live=True).count() < 2


def take_standby(period: Period, by: User | None) -> Snapshot | None:
    """Queue the live roll-up of a period whose turn it is, if nobody reads it any more.

    Call with the period locked. One that has failed is counted anew.
    """
    read = figures.current(period)
    if read is None or not _is_read_alone(period):
        return None
    turns = period.snapshots.filter(
        version=0, is_live=True, job_state__in=[Job.State.DONE, Job.State.FAILED]
    ).exclude(pk=read.pk)
    standby = turns.order_by("finished_at").first()
    if standby is None or (has_room(period) and read.is_live):
        return None
    if standby.job_state == Job.State.FAILED:
        standby.basis = {}
    standby.queue_anew()
    standby.created_at, standby.created_by = timezone.now(), by
    standby.definition_version = DEFINITION_VERSION
    standby.save()
    return standby


def mark(snapshot: Snapshot) -> str:
    """What tells a roll-up as it was last counted in full: until then its rows keep their keys."""
    return f"{snapshot.pk}-{snapshot.basis.get('counted', 0)}"


def marked(period: Period, text: str) -> Snapshot | None:
    """The roll-up with this mark, read on while the other one has its turn; None once it is over."""
    read, (pk, _dash, _counted) = figures.current(period), text.partition("-")
    if read is None or not pk.isdecimal() or len(pk) > 18:
        return None
    known = period.snapshots.filter(pk=int(pk), version=read.version, finished_at__isnull=False).first()
    return known if known and mark(known) == text else None


def forget(period: Period) -> None:
    """Have everything counted when the turns of its live roll-ups come. Call with the period locked."""
    turns = period.snapshots.filter(version=0, is_live=True)
    turns.exclude(job_state=Job.State.RUNNING).update(basis={})


def _is_read_alone(period: Period) -> bool:
    """Whether the newest roll-up has been there long enough for all to read it."""
    read = figures.current(period)
    return read is None or read.finished_at is None or read.finished_at < timezone.now() - STILL_READ
