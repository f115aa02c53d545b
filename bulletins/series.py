"""Bulletins that are issued by themselves: one template for all units of a subtree, once a period is frozen.

A `Series` is drawn up by one person and signed by another; that signature stands under each of its bulletins.
For every frozen version it has an `Edition`, the job that issues unit by unit; each paper is a job of its
own. A unit that fails stops no other, and what was done is not done again: neither by another worker, nor
when the edition is asked for anew.
"""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Count, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from bulletins import services, tasks, trees, wording
from bulletins.models import Bulletin, Edition, Period, Series, Snapshot, StatValue, Wording
from common.jobs import Job, ring, run_claimed
from common.scope import system_job
from enterprises.models import Bureau
from record.acting import by_whom

logger = logging.getLogger(__name__)
# A figure of a unit; what else stands in a snapshot is not printed.
PRINTED = ("bureau__path", "indicator", "chain", "value", "numerator", "denominator", "late")


class Stopped(ValidationError):
    """Nothing more of the series is issued, to whatever unit."""


# --- Drawing up and signing -------------------------------------------------------------------------------


@by_whom
def draw_up(
    bureau: Bureau, by: User, *, kind: str, period_kind: str, down_to: int, words: Mapping[str, str]
) -> Series:
    """A series that issues nothing until somebody else has signed it."""
    services.refuse_others_to_issue(by, bureau)
    kept = {key: text.strip() for key, text in words.items() if text.strip()}
    faults = {key: found for key, text in kept.items() if (found := wording.drafted("").faults(text))}
    if faults:
        raise ValidationError(faults)
    series = Series(
        bureau=bureau, kind=kind, period_kind=period_kind, down_to=down_to, words=kept, created_by=by
    )
    series.full_clean()
    series.save()
    return series


@by_whom
def sign(series: Series, by: User) -> Series:
    """What is frozen of its kind from now on is issued under this signature, once it is published."""
    services.refuse_others_to_sign(by, series.bureau)
    with transaction.atomic():
        locked = _locked(series)
        if locked.approved_at:
            raise ValidationError(_("这项定期印发已经签发。"))
        locked.approved_by, locked.approved_at = by, timezone.now()
        locked.full_clean()
        locked.save()
    return locked


@by_whom
def end(series: Series, by: User) -> Series:
    """Nothing more is issued; what was issued stays."""
    services.refuse_others_to_issue(by, series.bureau)
    with transaction.atomic():
        locked = _locked(series)
        locked.ended_at = timezone.now()
        locked.save()
    return locked


def _locked(series: Series) -> Series:
    locked = Series.objects.judged("under the lock").select_for_update(of=("self",)).get(pk=series.pk)
    if locked.ended_at:
        raise ValidationError(_("这项定期印发已经停止。"))
    return locked


# --- Editions ---------------------------------------------------------------------------------------------


@by_whom
def run(series: Series, period: Period, by: User | None, *, in_background: bool = True) -> Edition:
    """The edition of a published period, made or made complete; where nothing is missing, nothing is done.

    What was frozen before the signature was not signed for, so only who may sign lets it be issued.
    """
    services.refuse_others_to_issue(by, series.bureau)
    with transaction.atomic():
        locked = _locked(series)
        if not locked.approved_at:
            raise ValidationError(_("这项定期印发还没有签发。"))
        if period.kind != locked.period_kind:
            raise ValidationError(
                _("这项定期印发只办%(kind)s的数据。"), params={"kind": locked.get_period_kind_display()}
            )
        snapshot = services.frozen_snapshot(period)
        if not period.is_public:
            raise ValidationError(
                _("%(period)s还没有发布，发布后才能定期印发。"), params={"period": period.name}
            )
        if not _is_signed_for(locked, period):
            services.refuse_others_to_sign(by, locked.bureau)
        edition, is_new = Edition.objects.judged("of the series").get_or_create(
            series=locked, snapshot=snapshot
        )
        if not is_new and (edition.faults or edition.job_state == Job.State.FAILED):
            edition.queue_anew()
            edition.faults = {}
            edition.save()
        if in_background and edition.is_under_way:
            ring(tasks.run_edition, edition.pk)
    return edition


def _is_signed_for(series: Series, period: Period) -> bool:
    """Whether the period was frozen first after the signature."""
    return bool(series.approved_at and period.frozen_at and period.frozen_at >= series.approved_at)


@system_job("start editions")
def start_due() -> None:
    """An edition for each newest version that was frozen since its series was signed: of periods signed for,
    and of those for which it has issued already."""
    signed = Series.objects.filter(approved_at__isnull=False, ended_at__isnull=True)
    for series in signed.filter(bureau__valid_to__isnull=True):
        frozen = Snapshot.objects.frozen().filter(
            period__kind=series.period_kind,
            period__status__in=Period.PUBLIC,
            finished_at__gte=series.approved_at,
        )
        begun = set(series.editions.judged("of the series").values_list("snapshot__period", flat=True))
        done = Edition.objects.filter(series=series).values("snapshot")
        for snapshot in frozen.exclude(pk__in=done).select_related("period"):
            meant = snapshot.period_id in begun or _is_signed_for(series, snapshot.period)
            if meant and snapshot == services.frozen_snapshot(snapshot.period):
                try:
                    run(series, snapshot.period, None)
                except ValidationError:
                    logger.exception("series %s was not run for %s", series.pk, snapshot.code)


@system_job("issue edition")
def run_edition(pk: int) -> bool:
    """Do the work of a queued edition; False when another worker does it or has done it."""
    return run_claimed(Edition.objects.select_related("series__bureau", "snapshot__period"), pk, _issue_all)


def _issue_all(edition: Edition) -> None:
    # What stood at the freeze and stands now: who came later has no figures, who ended issues nothing.
    units = list(
        Bureau.objects.in_force()
        .within(edition.series.bureau)
        .filter(level__lte=edition.series.down_to, pk__in=trees.kept(edition.snapshot))
    )
    made = set(Bulletin.objects.filter(edition=edition).values_list("bureau", flat=True))
    faults: dict[str, str] = {}
    work = _Edition(edition)
    for number, unit in enumerate(units):
        if number % 10 == 0:
            edition.report_progress(100 * number // len(units))
        if unit.pk in made:
            continue
        try:
            with transaction.atomic():
                work.issue(unit)
        except Stopped as fault:
            faults[unit.code] = " ".join(fault.messages)
            break
        except ValidationError as fault:
            faults[unit.code] = " ".join(fault.messages)
        except Exception as fault:
            logger.exception("edition %s: nothing was issued for %s", edition.pk, unit.code)
            faults[unit.code] = str(fault)[:500]
    edition.finish(faults=faults)


def _refuse_when_over(series: Series) -> None:
    """Asked for each unit anew: it was stopped, or its signer may sign no more."""
    rows = Series.objects.judged("under the lock").select_for_update(of=("self",))
    locked = rows.select_related("bureau", "approved_by").get(pk=series.pk)
    if locked.ended_at:
        raise Stopped(_("这项定期印发已经停止。"))
    signer = locked.approved_by
    if signer is None or not signer.is_active or not services.may_sign(signer, locked.bureau):
        raise Stopped(_("签发人已不能签发该单位的通报，请停止这项定期印发，重新拟定和签发。"))


class _Edition:
    """One run over the units; what is the same for all of them is asked once."""

    def __init__(self, edition: Edition) -> None:
        self.edition, self.series, self.snapshot = edition, edition.series, edition.snapshot
        self._changed: dict[int, set[str]] = {}

    @cached_property
    def is_superseded(self) -> bool:
        return services.frozen_snapshot(self.snapshot.period) != self.snapshot

    def issue(self, unit: Bureau) -> None:
        """The bulletin of a unit, unless one with these figures is in force."""
        if self.is_superseded:
            return
        _refuse_when_over(self.series)
        period, kind = self.snapshot.period, self.series.kind
        rows = Bulletin.objects.select_for_update(of=("self",)).select_related("snapshot")
        known = rows.filter(period=period, bureau=unit, kind=kind)
        in_force = known.filter(status=Bulletin.Status.ISSUED).first()
        if in_force and not self.has_changed(in_force.snapshot, unit):
            return
        if not in_force and known.filter(status=Bulletin.Status.WITHDRAWN).exists():
            # Somebody took it back; what is issued in its place, people decide.
            return
        draft = services.draft_unattended(period, unit, kind=kind, again=True)
        draft.edition, draft.issued_by = self.edition, self.series.approved_by
        draft.save(update_fields=["edition", "issued_by"])
        for key, text in self.series.words.items():
            Wording.objects.get_or_create(
                bulletin=draft,
                key=key,
                defaults={
                    "text": text, "edited_by": self.series.created_by, "edited_at": self.series.created_at
                },
            )  # fmt: skip
        if in_force:
            in_force.replaced_by, in_force.withdraw_reason = draft, self.snapshot.reason
            in_force.save(update_fields=["replaced_by", "withdraw_reason"])
        services.issue(draft, None)

    def has_changed(self, before: Snapshot, unit: Bureau) -> bool:
        """Whether a figure of the unit or of one below it is another than it was printed."""
        if before.pk not in self._changed:
            old, new = (
                set(StatValue.objects.filter(snapshot=one).values_list(*PRINTED))
                for one in (before, self.snapshot)
            )
            self._changed[before.pk] = {row[0] for row in old ^ new}
        return any(path.startswith(unit.path) for path in self._changed[before.pk])


@dataclass(frozen=True)
class Standing:
    """How many papers of an edition are made, how many wait, how many failed."""

    done: int
    waiting: int
    failed: int


def standings(editions: Iterable[Edition]) -> dict[int, Standing]:
    """How far the papers of these editions are, by edition."""
    rows = Bulletin.objects.judged("of the series").filter(edition__in=editions)
    states = Job.State

    def how_many(*wanted: str) -> Count:
        return Count("pk", filter=Q(job_state__in=wanted))

    found = (
        rows.order_by()
        .values_list("edition")
        .annotate(
            done=how_many(states.DONE),
            waiting=how_many(states.QUEUED, states.RUNNING),
            failed=how_many(states.FAILED),
        )
    )
    counted = {edition: Standing(*numbers) for edition, *numbers in found}
    return {edition.pk: counted.get(edition.pk, Standing(0, 0, 0)) for edition in editions}
