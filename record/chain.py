"""Sealing events into one chain, closing days, and proving that nothing was rewritten.

The hash of a seal covers its place, its time, every column of its event and the hash before: whoever changes,
removes or slips in an event must make all later seals anew, and the roots of the days printed since say so.
Two who seal at once want the same position; the primary key lets one of them have it, the other waits for the
next sweep.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Exists, Max, OuterRef
from django.db.models.functions import TruncDate
from django.utils import timezone
from django.utils.translation import gettext as _

from common import formats
from record.models import DayRoot, Event, Seal
from record.querysets import EventQuerySet

COLUMNS = (
    "pk", "at", "kind", "entity", "row", "label", "topic_entity", "topic_row", "path", "firm", "actor_id",
    "principal_id", "office", "job", "address", "before", "after", "reason", "once",
)  # fmt: skip
# Before the first seal.
BEGINNING = "0" * 64
BATCH = 500
# Numbers are given out before transactions end: below the last sealed one some may still come.
STRAGGLERS = 10_000
# No sealing that began on a day goes on for so long after its end.
CLOSING = timedelta(minutes=10)


def digest(before: str, position: int, at: datetime, event: Sequence[Any]) -> str:
    """SHA-256 over the hash before, place and time of the seal, and the event's `COLUMNS`."""
    return hashlib.sha256(
        json.dumps(
            [before, position, at, *event],
            default=_in_utc,
            ensure_ascii=False,
            sort_keys=True,
            separators=(",", ":"),
        ).encode(errors="surrogatepass")
    ).hexdigest()


def _in_utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


# --- Sealing -----------------------------------------------------------------------------------------------


def seal_pending(*, everything: bool = False) -> int:
    """Chain the events that have no seal yet; returns how many.

    ``everything`` looks for them from the first event on and not only where they are to be expected.
    """
    sealed = 0
    while count := _seal_batch(everything):
        sealed += count
    return sealed


def _seal_batch(everything: bool) -> int:
    if not _pending(Seal.objects.last(), everything).exists():
        return 0
    try:
        with transaction.atomic():
            last = Seal.objects.last()
            events = list(_pending(last, everything).values_list(*COLUMNS)[:BATCH])
            position, before = (last.position, last.hash) if last else (0, BEGINNING)
            # A clock that was put back turns no day of the chain back.
            at = max(timezone.now(), last.at) if last else timezone.now()
            seals = []
            for event in events:
                position += 1
                before = digest(before, position, at, event)
                seals.append(Seal(position=position, event_id=event[0], at=at, hash=before))
            Seal.objects.bulk_create(seals)
    except IntegrityError:
        return 0
    return len(seals)


def _pending(last: Seal | None, everything: bool) -> EventQuerySet:
    events = (
        Event.objects.judged("sealing")
        .filter(~Exists(Seal.objects.filter(event=OuterRef("pk"))))
        .order_by("pk")
    )
    return events if everything or last is None else events.filter(pk__gt=last.event_id - STRAGGLERS)


def changes_since(position: int) -> list[EventQuerySet]:
    """What was created, changed or deleted by events after a place in the chain: sealed ones, and those that
    no seal has reached yet.

    A seal is made of what was committed. So whoever saw a place in the chain saw every change up to it,
    however late its transaction had ended.
    """
    changes = Event.objects.judged("changes").filter(
        kind__in=[Event.Kind.CREATED, Event.Kind.CHANGED, Event.Kind.DELETED]
    )
    sealed = changes.filter(seal__position__gt=position).order_by()
    pending = changes & _pending(Seal.objects.last(), everything=False)
    return [sealed, pending.order_by()]


def head() -> int:
    """The last place in the chain; nought before the first."""
    last = Seal.objects.last()
    return last.position if last else 0


def close_days(now: datetime | None = None) -> None:
    """Note the root of every day that is over."""
    today = timezone.localdate((now or timezone.now()) - CLOSING)
    known = DayRoot.objects.first()
    over = Seal.objects.filter(at__lt=_beginning(today), position__gt=known.position if known else 0)
    days = over.order_by().values_list(TruncDate("at")).annotate(Max("position"))
    places = {position: day for day, position in days}
    DayRoot.objects.bulk_create(
        [
            DayRoot(day=places[seal.position], position=seal.position, hash=seal.hash)
            for seal in Seal.objects.filter(position__in=places)
        ],
        ignore_conflicts=True,
    )


def _beginning(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


# --- Proving -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Proof:
    """``broken`` is the first fault in a sentence, empty when there is none; ``sealed`` events were proved up
    to the seal ``head``, ``pending`` ones are not sealed yet."""

    sealed: int
    head: str
    pending: int
    broken: str = ""


def prove(printed: dict[date, str] | None = None, report: Callable[[int], object] = bool) -> Proof:
    """Walk the chain from its first seal; ``printed`` are roots read off paper, by day.

    ``report`` is told of every stretch how many seals were walked over.
    """
    position, head, broken = 0, BEGINNING, ""
    ends: dict[date, Seal] = {}
    for seal, event in _walk(report):
        broken = _fault(seal, event, position, head)
        if broken:
            break
        position, head = seal.position, seal.hash
        ends[timezone.localdate(seal.at)] = seal
    return Proof(
        sealed=position,
        head=head,
        pending=Event.objects.judged("sealing").filter(seal=None).count(),
        broken=broken or _fault_of_roots(ends, position) or _fault_of_paper(ends, printed or {}),
    )


def _walk(report: Callable[[int], object]) -> Iterator[tuple[Seal, Sequence[Any] | None]]:
    position = -1
    while seals := list(Seal.objects.filter(position__gt=position).order_by("position")[:BATCH]):
        rows = Event.objects.judged("proving").filter(pk__in=[seal.event_id for seal in seals])
        events = {row[0]: row for row in rows.values_list(*COLUMNS)}
        for seal in seals:
            yield seal, events.get(seal.event_id)
        position = seals[-1].position
        report(len(seals))


def _fault(seal: Seal, event: Sequence[Any] | None, position: int, head: str) -> str:
    if seal.position != position + 1:
        return _("第 %(position)d 号链节缺失。") % {"position": position + 1}
    if event is None:
        return _("第 %(position)d 号链节所封的记录 %(event)d 缺失。") % {
            "position": seal.position,
            "event": seal.event_id,
        }
    right = digest(head, seal.position, seal.at, event)
    if right == seal.hash:
        return ""
    # The next seal covers the true hash of this one: it tells which of the two was changed.
    following = Seal.objects.filter(position=seal.position + 1).first()
    if following:
        events = Event.objects.judged("proving").filter(pk=following.event_id)
        after = events.values_list(*COLUMNS).first()
        if after and digest(right, following.position, following.at, after) == following.hash:
            return _("第 %(position)d 号链节的摘要被改动。") % {"position": seal.position}
    return _("第 %(position)d 号链节所封的记录 %(event)d（%(at)s）与摘要不符，内容被改动。") % {
        "position": seal.position,
        "event": seal.event_id,
        "at": formats.moment(event[1]),
    }


def _fault_of_roots(ends: dict[date, Seal], head: int) -> str:
    """``ends`` are the last seals of the days as they were walked over, up to the position ``head``."""
    for root in DayRoot.objects.order_by("day"):
        if root.position > head:
            return _("第 %(position)d 号及以后的链节缺失（%(day)s 的根值指向它）。") % {
                "position": root.position,
                "day": formats.day(root.day),
            }
        end = ends.get(root.day)
        if end is None or (end.position, end.hash) != (root.position, root.hash):
            return _("%(day)s 的根值与第 %(position)d 号链节不符。") % {
                "day": formats.day(root.day),
                "position": root.position,
            }
    return ""


def _fault_of_paper(ends: dict[date, Seal], printed: dict[date, str]) -> str:
    """Paper is held against the chain itself: the stored roots can be rewritten like all else."""
    for day, root in printed.items():
        if day not in ends or ends[day].hash != root.strip().lower():
            return _("%(day)s 的根值与纸面所印不符：记录链在那天以后被重写。") % {"day": formats.day(day)}
    return ""
