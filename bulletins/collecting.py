"""Figures of a period go up the bureau line (`domain.md` 2.2, 5.4): each bureau confirms its own, and its
superior approves them or sends them back.

Called alike by page, command and demo. Whatever writes locks the period first, so one thing happens to its
submissions at a time and each is judged by what stands then. ``by`` is the person who asks.
"""

import hashlib
import json
from datetime import date

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import Grant, Role, User
from bulletins import figures, identities, notices, periods, services
from bulletins.behind import Place, Side, same
from bulletins.ladder import CONFIRMING, Ladder, Standing, named, turns
from bulletins.models import Excuse, Period, Snapshot, Submission
from common import formats
from common.saving import save_checked
from common.scope import system_job
from common.workdays import workdays_between
from enterprises.models import Bureau
from record.acting import by_whom, on_behalf

CONFIRMERS = (Role.STATISTICIAN, Role.OFFICER)
# Working days before the freeze on which those who are late are reminded.
REMIND_BEFORE = 3
Status = Submission.Status


# --- Who may ----------------------------------------------------------------------------------------------


def grant_to_submit(user: User, bureau: Bureau) -> Grant | None:
    """People of the bureau itself confirm its figures, all chains of it; an own grant before a lent one."""
    grants = [one for one in user.grants_of(*CONFIRMERS) if one.bureau_id == bureau.pk and not one.chain_id]
    return min(grants, key=lambda one: one.principal is not None, default=None)


def _grants_over(user: User, bureau: Bureau) -> list[Grant]:
    """The grants by which somebody stands above a bureau."""
    return [one for one in user.grants_of(*CONFIRMERS) if bureau.parent and one.covers(bureau.parent)]


def may_judge(user: User, bureau: Bureau) -> bool:
    """Superiors approve, send back and excuse."""
    return bool(_grants_over(user, bureau))


def _judging(user: User, row: Submission) -> Grant | None:
    """By which grant somebody judges what others confirmed; a substitute counts as whom it stands for."""
    writers = {row.submitted_by_id, row.submitted_for_id} - {None}
    if user.pk in writers:
        return None
    grants = _grants_over(user, row.bureau)
    return next((one for one in grants if not one.principal or one.principal.pk not in writers), None)


def why_not_judge(user: User, row: Submission) -> str:
    """Why somebody may not approve or send back now; empty for those who may."""
    if not may_judge(user, row.bureau):
        return _("数字由上级单位的经办人员或统计员审核。")
    if _judging(user, row) is None:
        return _("审核人不能是提交的人，请由另一名人员审核。")
    return ""


# --- Collecting -------------------------------------------------------------------------------------------


@by_whom
def collect(period: Period, by: User | None, freeze_on: date | None = None) -> Period:
    """Let every bureau confirm the figures of a period, and set the day of its freeze."""
    services.refuse_others_to_freeze(by)
    with transaction.atomic():
        locked = _locked(period)
        services.refuse_freezing(locked)
        periods.refuse_hasty(locked.end_on, freeze_on)
        locked.is_collected, locked.freeze_on = True, freeze_on
        save_checked(locked, ["is_collected", "freeze_on"])
    return locked


def _locked(period: Period) -> Period:
    return Period.objects.select_for_update().get(pk=period.pk)


def _refuse_uncollected(period: Period) -> None:
    values = {"period": period.name}
    services.refuse_freezing(period)
    if not period.is_collected:
        raise ValidationError(_("%(period)s由总局直接核对，不需要逐级确认。"), params=values)
    if timezone.now() < period.cut_off:
        raise ValidationError(
            _("%(period)s到 %(day)s 24:00 才截止，截止后才能确认数字。"),
            params=values | {"day": formats.day(period.end_on)},
        )


def current_count(period: Period) -> Snapshot | None:
    """The working roll-up that is confirmed: one made after the cut-off."""
    snapshot = figures.current(period)
    return snapshot if snapshot and snapshot.finished_at and snapshot.finished_at >= period.cut_off else None


def seal(snapshot: Snapshot, bureau: Bureau) -> str:
    """Tells the figures of a bureau from any others, so that what is handed in is what was looked at."""
    return hashlib.sha256(json.dumps(confirmed(snapshot, bureau), sort_keys=True).encode()).hexdigest()


@by_whom
def submit(
    period: Period, bureau: Bureau, by: User, note: str = "", *, seen: str | None = None
) -> Submission:
    """Confirm the figures of a bureau; ``seen`` is the `seal` of those that were looked at. Done twice it is
    done once.

    What was sent back is counted anew before it is handed in again. Raises PermissionDenied for people of
    other bureaus; ValidationError while bureaus below are missing, or rows of its own fail the identities
    that a freeze would fail by.
    """
    grant = grant_to_submit(by, bureau)
    if grant is None or bureau.level not in CONFIRMING:
        raise PermissionDenied(_("数字由本单位的经办人员或统计员确认。"))
    services.refuse_ended(bureau)
    _refuse_uncollected(period)
    rows = Submission.objects.judged("its own bureau").filter(period=period, bureau=bureau)
    known = rows.first()
    if known and known.status in Submission.STANDING:
        return known
    snapshot = current_count(period)
    if snapshot is None or (known and _was_counted_before(snapshot, known)):
        services.request_rollup(period)
        raise ValidationError(_("正在汇总%(period)s的数字，请稍候再确认。"), params={"period": period.name})
    if faults := identities.breaches(snapshot, bureau):
        if _is_outdated(snapshot, bureau):
            services.request_rollup(period)
        raise ValidationError(faults)
    if seen is not None and seen != seal(snapshot, bureau):
        raise ValidationError(_("数字刚刚重新汇总过，与您看到的不同，请看过新的数字再提交。"))
    with transaction.atomic():
        period = _locked(period)
        _refuse_uncollected(period)
        row = rows.first()
        if row and row.status in Submission.STANDING:
            return row
        if row and _was_counted_before(snapshot, row):
            raise ValidationError(_("数字刚被退回，请看过退回的原因再提交。"))
        if waiting := Ladder(period, bureau).waiting_for(bureau):
            raise ValidationError(
                _("下级还有 %(n)d 个单位没有通过审核：%(units)s。全部通过或免报之后，才能提交。"),
                params={"n": len(waiting), "units": named(waiting)},
            )
        row = row or Submission(period=period, bureau=bureau, round=0)
        row.status, row.round, row.reason = Status.SUBMITTED, row.round + 1, ""
        row.figures = confirmed(snapshot, bureau)
        row.counted_at = snapshot.finished_at or row.submitted_at
        row.note = note.strip()
        row.submitted_at, row.submitted_by = timezone.now(), by
        row.submitted_for = grant.principal
        row.decided_at = row.decided_by = row.decided_for = None
        save_checked(row)
        notices.tell_of_submission(row)
    return row


@system_job("whether figures are still those of the rows")
def _is_outdated(snapshot: Snapshot, bureau: Bureau) -> bool:
    """Whether the rows of a bureau make other figures by now: some faults are told by the stored ones."""
    stored, place, rows = figures.of_unit(snapshot, bureau), Place(bureau), Side(snapshot, now=True)
    return any(
        not same(stored.get(code, figures.NOT_REPORTED), rows.figure(indicator, place))
        for code, indicator in figures.definitions(snapshot).items()
    )


def _was_counted_before(snapshot: Snapshot, row: Submission) -> bool:
    """Whether a roll-up is older than the decision by which figures were sent back."""
    return bool(row.decided_at and snapshot.finished_at and snapshot.finished_at <= row.decided_at)


def confirmed(snapshot: Snapshot, bureau: Bureau) -> dict[str, list[int | None]]:
    """The figures of a bureau as a submission keeps them."""
    return {code: list(value.stated) for code, value in figures.of_unit(snapshot, bureau).items()}


@by_whom
def approve(row: Submission, by: User, seen: int) -> Submission:
    """Accept what a bureau confirmed; ``seen`` is the round that was looked at. Twice is once."""
    with transaction.atomic():
        locked = _judged(row, by, seen)
        if locked.status == Status.APPROVED:
            return locked
        if locked.status != Status.SUBMITTED:
            raise ValidationError(
                _("%(unit)s的数字已退回，等待重新提交。"), params={"unit": locked.bureau.short_name}
            )
        _decide(locked, by, Status.APPROVED)
        _tell_if_turn(locked.period, locked.bureau.parent)
    return locked


def _tell_if_turn(period: Period, superior: Bureau | None) -> None:
    """Tell a bureau whose turn has come because nothing more is expected of those below it."""
    if superior is None:
        return
    ladder = Ladder(period, superior)
    rung = ladder.rung(superior)
    if rung.standing in (Standing.READY, Standing.RETURNED) and not ladder.waiting_for(superior):
        notices.tell_of_turn(period, rung)


@by_whom
def send_back(row: Submission, by: User, seen: int, reason: str) -> Submission:
    """Give figures back with a reason; approved ones too, until the superior hands in its own."""
    if not reason.strip():
        raise ValidationError({"reason": _("请写明退回的原因。")})
    with transaction.atomic(), on_behalf(by, reason=reason.strip()):
        locked = _judged(row, by, seen)
        if locked.status == Status.RETURNED:
            return locked
        _refuse_handed_in_above(locked.period, locked.bureau)
        locked.reason = reason.strip()
        _decide(locked, by, Status.RETURNED)
        notices.tell_of_return(locked)
    return locked


def _judged(row: Submission, by: User, seen: int) -> Submission:
    """The row under the lock, if this person may judge it and has looked at it as it stands."""
    period = _locked(row.period)
    locked = (
        Submission.objects.judged("under the lock").select_related("bureau__parent", "period").get(pk=row.pk)
    )
    if why := why_not_judge(by, locked):
        raise PermissionDenied(why)
    _refuse_uncollected(period)
    if locked.round != seen:
        raise ValidationError(
            _("%(unit)s已重新提交，请看过新的数字再审核。"), params={"unit": locked.bureau.short_name}
        )
    return locked


def _decide(row: Submission, by: User, status: str) -> None:
    grant = _judging(by, row)
    row.status, row.decided_at, row.decided_by = status, timezone.now(), by
    row.decided_for = grant.principal if grant else None
    save_checked(row, ["status", "reason", "decided_at", "decided_by", "decided_for"])


# --- Excuses ----------------------------------------------------------------------------------------------


@by_whom
def excuse(
    bureau: Bureau, by: User, reason: str, *, period: Period | None = None, until: date | None = None
) -> Excuse:
    """Excuse a bureau, and all below it, for one period or until a day. Done twice it is done once."""
    grants = _grants_over(by, bureau)
    if not grants or bureau.level not in CONFIRMING:
        raise PermissionDenied(_("免报由上级单位的经办人员或统计员批准。"))
    if until is not None and until < timezone.localdate():
        raise ValidationError({"until": _("免报的最后一天不能早于今天。")})
    if not reason.strip():
        raise ValidationError({"reason": _("请写明免报的原因，会印在统计说明里。")})
    with transaction.atomic(), on_behalf(by, reason=reason.strip()):
        if period is not None:
            services.refuse_freezing(_locked(period))
        # Of two who excuse it at once, the second finds what the first has written.
        Bureau.objects.select_for_update().get(pk=bureau.pk)
        known = Excuse.objects.judged("the superior").filter(
            bureau=bureau, period=period, until=until, lifted_at__isnull=True
        )
        if row := known.first():
            return row
        row = Excuse(
            bureau=bureau,
            period=period,
            until=until,
            reason=reason.strip(),
            given_at=timezone.now(),
            given_by=by,
            given_for=grants[0].principal,
        )
        save_checked(row)
        notices.tell_of_excuse(row)
        concerned = Period.objects.collecting()
        for one in concerned.filter(pk=period.pk) if period else concerned:
            _tell_if_turn(one, bureau.parent)
    return row


@by_whom
def lift(bureau: Bureau, period: Period, by: User) -> int:
    """End early whatever excuses a bureau itself from a period; returns how many excuses. Twice is once.

    What ends for several periods ends for all of them, so none of them may have been handed in above.
    """
    if not may_judge(by, bureau):
        raise PermissionDenied(_("免报由上级单位的经办人员或统计员批准。"))
    with transaction.atomic():
        rows = Excuse.objects.judged("the superior").filter(bureau=bureau)
        rows = rows.in_force(period, timezone.localdate())
        concerned = Period.objects.filter(pk=period.pk)
        if rows.filter(until__isnull=False).exists():
            collecting = Period.objects.collecting().values("pk")
            concerned = Period.objects.filter(Q(pk=period.pk) | Q(pk__in=collecting))
        for one in concerned.select_for_update().order_by("pk"):
            services.refuse_freezing(one)
            _refuse_handed_in_above(one, bureau)
        found = list(rows.select_for_update(of=("self",)))
        for row in found:
            row.lifted_at, row.lifted_by = timezone.now(), by
            save_checked(row, ["lifted_at", "lifted_by"])
    return len(found)


def _refuse_handed_in_above(period: Period, bureau: Bureau) -> None:
    """What the superior has handed in holds the figures of those below it."""
    above = (
        Submission.objects.judged("the superior")
        .select_related("bureau")
        .filter(period=period, bureau=bureau.parent_id, status__in=Submission.STANDING)
    )
    if period.is_collected and (handed_in := above.first()):
        raise ValidationError(
            _("%(superior)s已经提交了包含这些数字的汇总，请先由它的上级退回。"),
            params={"superior": handed_in.bureau.short_name},
        )


# --- Reminders --------------------------------------------------------------------------------------------


@system_job("remind of figures")
def remind(today: date | None = None) -> int:
    """Tell those whose turn it is when the cut-off is passed, when the freeze comes near, and on its day.

    Returns how many turns were told of; whoever was told of one at this stage is told nothing more.
    """
    today, number = today or timezone.localdate(), 0
    for period in Period.objects.collecting():
        if current_count(period) is None:
            services.request_rollup(period)
        left = workdays_between(today, period.freeze_due)
        stage = "due" if left <= 0 else "soon" if left <= REMIND_BEFORE else "begun"
        # What was handed in or came back was told of when it did.
        found = [
            rung
            for rung in turns(Ladder(period, day=today))
            if stage != "begun" or rung.standing == Standing.READY
        ]
        notices.remind(period, stage, found)
        number += len(found)
    return number
