"""What happens when figures are rolled up, frozen and published, and when bulletins are issued and withdrawn.

Each function is called alike by page, admin action, command and task. ``by`` is the person who asks; None is
the operator at the machine's shell, who may do everything.
"""

import hashlib
import logging
import os
import time
import uuid
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from django.core.exceptions import PermissionDenied, ValidationError
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import Exists, Max, OuterRef, Q
from django.db.models.functions import Coalesce
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from accounts.models import Role, User
from bulletins import (
    cases,
    circular,
    figures,
    identities,
    ladder,
    live,
    notices,
    paper,
    periods,
    refresh,
    rollup,
    tasks,
)
from bulletins.indicators import DEFINITION_VERSION
from bulletins.models import Bulletin, CountedRow, Edition, Period, Snapshot, StatValue, Wording
from common import formats
from common.jobs import Job, ring, run_claimed
from common.scope import system_job
from common.verification import BULLETINS
from enterprises.models import Bureau, NumberSeries
from record.acting import by_whom, on_behalf
from record.models import DayRoot, Event
from record.recording import write

logger = logging.getLogger(__name__)
JobRow = TypeVar("JobRow", bound=Job)

UNDER_WAY = (Job.State.QUEUED, Job.State.RUNNING)
ISSUERS = notices.ISSUERS
# Readers who have just looked up a working roll-up still find its values for this long.
SUPERSEDED_FOR = timedelta(minutes=10)


# --- Periods ----------------------------------------------------------------------------------------------


def get_period(code: str, *, follows: bool = True) -> Period:
    """The period with this code, made on first use; raises ValidationError for what is no period code.

    Figures of a new one follow the ledger, unless it is made only for a paper to be compared with it.
    """
    spec = periods.parse(code)
    period, _created = Period.objects.get_or_create(
        code=spec.code,
        defaults={
            "kind": spec.kind,
            "start_on": spec.start_on,
            "end_on": spec.end_on,
            "follows": follows,
        },
    )
    return period


def get_bureau(code: str) -> Bureau:
    """The bureau with this code; raises ValidationError with what would be accepted."""
    bureau = Bureau.objects.filter(code=code.strip()).first()
    if bureau is None:
        raise ValidationError(
            _("没有代码为“%(code)s”的单位；全国为 000000，省级如 320000，兵团为 660000。"),
            params={"code": code},
        )
    return bureau


def may_freeze(user: User) -> bool:
    """Periods are national: so is the right to freeze and publish them."""
    units = [grant.bureau for grant in user.grants_of(*ISSUERS)]
    return any(unit is not None and unit.level == Bureau.Level.NATIONAL for unit in units)


def refuse_others_to_freeze(by: User | None) -> None:
    if by is not None and not may_freeze(by):
        raise PermissionDenied(_("冻结和发布统计期间由总局的管理员或统计员办理。"))


def request_rollup(period: Period, by: User | None = None, *, in_background: bool = True) -> Snapshot:
    """Queue a working roll-up of an open period; one that is already under way is returned.

    Where a live one stands by it is brought up to date, else everything is counted.
    """
    with transaction.atomic():
        period = Period.objects.select_for_update().get(pk=period.pk)
        refuse_frozen(period)
        if by is not None and not period.follows:
            period.follows = True
            period.save(update_fields=["follows"])
        snapshot = period.snapshots.filter(version=0, job_state__in=UNDER_WAY).first()
        if snapshot is None:
            snapshot = live.take_standby(period, by) or Snapshot.objects.create(
                period=period,
                definition_version=DEFINITION_VERSION,
                created_by=by,
                is_live=live.has_room(period),
            )
        if in_background:
            ring(tasks.roll_up, snapshot.pk)
    return snapshot


def refuse_frozen(period: Period) -> None:
    if period.is_frozen:
        raise ValidationError(
            _("%(period)s已于 %(when)s 冻结，数据不再变动；需要更正时，请写明原因重新冻结为新版本。"),
            params={"period": period.name, "when": formats.moment(period.frozen_at)},
        )


def refuse_freezing(period: Period) -> None:
    """Nothing of a period changes once it is frozen, nor while it is being frozen."""
    refuse_frozen(period)
    if period.snapshots.filter(version__gt=0, job_state__in=UNDER_WAY).exists():
        raise ValidationError(_("%(period)s正在冻结，请稍候。"), params={"period": period.name})


def rollup_now(period: Period, by: User | None = None) -> Snapshot:
    """Count everything in this process and return the finished snapshot.

    Whatever was put right past the record the live roll-ups see as well: their next turn counts everything.
    """
    with transaction.atomic():
        period = Period.objects.select_for_update().get(pk=period.pk)
        refuse_frozen(period)
        live.forget(period)
    snapshot = Snapshot.objects.create(period=period, definition_version=DEFINITION_VERSION, created_by=by)
    return _see_through(snapshot, run_snapshot)


@by_whom
def request_freeze(
    period: Period, by: User | None, reason: str = "", *, in_background: bool = True
) -> Snapshot:
    """Queue the freeze of a period; of a frozen one a corrected version, for which a reason is needed.

    The period counts as frozen when the job is done; one under way is returned. Raises PermissionDenied or
    ValidationError.
    """
    refuse_others_to_freeze(by)
    with transaction.atomic():
        period = Period.objects.select_for_update().get(pk=period.pk)
        if timezone.now() < period.cut_off:
            raise ValidationError(
                _("%(period)s到 %(day)s 24:00 才截止，截止后才能冻结。"),
                params={"period": period.name, "day": formats.day(period.end_on)},
            )
        if not reason.strip():
            refuse_frozen(period)
        if not period.is_frozen and (why := ladder.why_not_freeze(period)):
            raise ValidationError(why)
        versions = period.snapshots.filter(version__gt=0)
        if under_way := versions.filter(job_state__in=UNDER_WAY).first():
            return under_way
        versions.filter(job_state=Job.State.FAILED).delete()
        last = versions.aggregate(last=Max("version"))["last"] or 0
        snapshot = Snapshot.objects.create(
            period=period,
            version=last + 1,
            reason=reason.strip(),
            definition_version=DEFINITION_VERSION,
            created_by=by,
        )
        if in_background:
            ring(tasks.roll_up, snapshot.pk)
    return snapshot


def freeze_now(period: Period, by: User | None, reason: str = "") -> Snapshot:
    """Freeze in this process and return the finished snapshot."""
    snapshot = request_freeze(period, by, reason, in_background=False)
    return _see_through(snapshot, run_snapshot)


@system_job("roll up")
def run_snapshot(pk: int) -> bool:
    """Do the work of a queued roll-up or freeze; False when another worker does it or has done it."""
    return run_claimed(Snapshot.objects.select_related("period", "created_by"), pk, _roll_up)


def _roll_up(snapshot: Snapshot) -> None:
    snapshot.report_progress(10)
    with rollup.consistent_moment():
        period = Period.objects.get(pk=snapshot.period_id)
        if not snapshot.version:
            refuse_frozen(period)
        elif not period.is_frozen and (why := ladder.why_not_freeze(period)):
            # What was complete when it was queued need not be when its turn comes.
            raise ValidationError(why)
        if not (snapshot.is_live and refresh.catch_up(snapshot)):
            rollup.store(snapshot)
            counted = {"counted": time.time_ns()}
            snapshot.basis = refresh.basis(period) | counted if snapshot.is_live else {}
        results: dict[str, Any] = {
            "finished_at": timezone.now(),
            "definitions": snapshot.definitions,
            "basis": snapshot.basis,
        }
        if snapshot.version:
            if faults := identities.breaches(snapshot):
                raise ValidationError(faults)
            results["row_hash"] = rollup.digest(snapshot)
            results["counted_hash"] = rollup.digest_of_rows(snapshot)
            results["warnings"] = identities.warnings(snapshot)
            results["coverage"] = _coverage(period, snapshot)
            results["frame_hash"] = rollup.digest_of_frame(snapshot, results["coverage"])
            if period.is_public:
                period.status = Period.Status.REVISED
                period.save(update_fields=["status"])
            elif not period.is_frozen:
                period.status = Period.Status.FROZEN
                period.frozen_at, period.frozen_by = timezone.now(), snapshot.created_by
                period.save(update_fields=["status", "frozen_at", "frozen_by"])
        snapshot.finish(**results)
        if snapshot.version:
            digests = {name: results[name] for name in ("row_hash", "counted_hash", "frame_hash")}
            write(Event.Kind.CHANGED, snapshot, after=digests)
            if period.is_public:
                ring(tasks.start_editions)


def _coverage(period: Period, snapshot: Snapshot) -> dict[str, Any]:
    """Who confirmed the figures is judged once, by the first freeze; corrections repeat what it said."""
    if not period.is_collected:
        return {}
    if period.is_frozen:
        return frozen_snapshot(period).coverage
    return ladder.Ladder(period).coverage(snapshot)


@by_whom
def publish(period: Period, by: User | None) -> Period:
    """Open the figures of a frozen period to the public."""
    refuse_others_to_freeze(by)
    with transaction.atomic():
        period = Period.objects.select_for_update().get(pk=period.pk)
        if not period.is_frozen:
            raise ValidationError(_("%(period)s还没有冻结，不能发布。"), params={"period": period.name})
        if not period.is_public:
            period.status = Period.Status.PUBLISHED
            period.save(update_fields=["status"])
            ring(tasks.start_editions)
    return period


# --- Bulletins --------------------------------------------------------------------------------------------


def may_issue(user: User, bureau: Bureau) -> bool:
    return user.holds_over(bureau, *ISSUERS)


def may_sign(user: User, bureau: Bureau) -> bool:
    """Who answers for a unit signs its bulletins, replaces them and takes them back."""
    return user.holds_over(bureau, Role.ADMINISTRATOR)


def refuse_ended(bureau: Bureau) -> None:
    """A bureau that was merged or split up issues and confirms nothing any more; what it issued stays."""
    if bureau.valid_to:
        raise ValidationError(
            _("%(unit)s已于 %(day)s 撤销，现由%(heir)s办理。"),
            params={
                "unit": bureau.short_name,
                "day": formats.day(bureau.valid_to),
                "heir": bureau.heir.short_name,
            },
        )


def refuse_others_to_issue(by: User | None, bureau: Bureau) -> None:
    if by is not None and not may_issue(by, bureau):
        raise PermissionDenied(
            _("%(bureau)s的通报由本单位或上级单位的管理员或统计员办理。") % {"bureau": bureau}
        )


def refuse_others_to_sign(by: User | None, bureau: Bureau) -> None:
    if by is not None and not may_sign(by, bureau):
        raise PermissionDenied(_("%(bureau)s的通报由本单位或上级单位的管理员签发。") % {"bureau": bureau})


def frozen_snapshot(period: Period) -> Snapshot:
    """The version of a period that bulletins print; raises ValidationError when it is not frozen."""
    snapshot = period.snapshots.readable().filter(version__gt=0).first()
    if snapshot is None:
        raise ValidationError(_("%(period)s还没有冻结，请先冻结再印发通报。"), params={"period": period.name})
    return snapshot


@by_whom
def draft_bulletin(
    period: Period,
    bureau: Bureau,
    by: User | None,
    *,
    kind: str = Bulletin.Kind.CIRCULAR,
    again: bool = False,
    in_background: bool = True,
) -> Bulletin:
    """A draft, printed with a watermark in the background; one that is being prepared is returned instead.

    One already issued is not issued twice by accident: ``again`` says that it is meant.
    """
    refuse_others_to_issue(by, bureau)
    refuse_ended(bureau)
    with transaction.atomic():
        Period.objects.select_for_update().get(pk=period.pk)
        snapshot = frozen_snapshot(period)
        known = Bulletin.objects.judged("the issuer").filter(period=period, bureau=bureau, kind=kind)
        if prepared := known.filter(status__in=Bulletin.PREPARING).first():
            return prepared
        issued = known.filter(status=Bulletin.Status.ISSUED).first()
        if issued and not again:
            raise ValidationError(
                _("%(bureau)s已就%(period)s印发%(number)s；内容有误时请用“替换”。"),
                params={"bureau": bureau, "period": period.name, "number": issued.number},
            )
        bulletin = Bulletin(
            kind=kind,
            period=period,
            bureau=bureau,
            snapshot=snapshot,
            title=circular.title(period, bureau, kind),
            verification_code=BULLETINS.new_code(),
            compared_with=year_before_of(snapshot),
            created_by=by,
            edited_by=by,
        )
        bulletin.add_hand(by)
        bulletin.cases = cases.choose(bulletin)
        bulletin.save()
        if in_background:
            ring(tasks.print_bulletin, bulletin.pk)
    return bulletin


def year_before_of(snapshot: Snapshot) -> Snapshot | None:
    """The snapshot of the year before with which papers over a frozen version compare: the frozen one, or
    else what the first of these papers has compared with. A live roll-up, which changes, is none."""
    earlier = figures.year_before(snapshot)
    if earlier is None or earlier.version:
        return earlier
    known = Snapshot.objects.filter(period=earlier.period, compared_by__snapshot=snapshot)
    return known.readable().first() or (None if earlier.is_live else earlier)


def _year_before(bulletin: Bulletin) -> Snapshot | None:
    """That with which it is printed; counted now where nobody has looked at that year yet."""
    code = periods.year_before(bulletin.period.code)
    if bulletin.compared_with or not periods.exists(code):
        return bulletin.compared_with
    return year_before_of(bulletin.snapshot) or rollup_now(get_period(code, follows=False))


@by_whom
def issue(bulletin: Bulletin, by: User | None, *, in_background: bool = True) -> Bulletin:
    """Sign it: number and date are given, and the final print is queued.

    What waits for a signature is signed by an administrator who had no hand in it, and with the figures that
    were reviewed. The operator and a series issue a draft as it stands, with the newest frozen figures.
    """
    refuse_others_to_sign(by, bulletin.bureau)
    with transaction.atomic():
        locked = locked_bulletin(bulletin)
        if not locked.is_prepared:
            raise ValidationError(
                _("这份通报已办理为“%(status)s”，不能再印发。"),
                params={"status": locked.get_status_display()},
            )
        newest = frozen_snapshot(locked.period)
        if by is not None:
            if locked.status != Bulletin.Status.SIGNING:
                raise ValidationError(
                    _("这份通报还是“%(status)s”，送审并审核通过后才能签发。"),
                    params={"status": locked.get_status_display()},
                )
            _refuse_hands(locked, by)
            refuse_old_figures(locked)
        if by is None:
            locked.snapshot, locked.compared_with = newest, year_before_of(newest)
        locked.cases = cases.still_agreed(locked.cases)
        refuse_outdated_wording(locked)
        _number(locked)
        locked.issued_by, locked.status = by or locked.issued_by, Bulletin.Status.ISSUED
        if root := DayRoot.objects.first():
            locked.record_day, locked.record_root = root.day, root.hash
        locked.full_clean(exclude=["pdf", "sha256"], validate_unique=False)
        _print_anew(locked, in_background=in_background)
        replaced = locked.replaces.judged("the signer").filter(status=Bulletin.Status.ISSUED)
        for old in replaced.select_for_update(of=("self",)):
            old.status = Bulletin.Status.REPLACED
            old.save(update_fields=["status"])
        notices.tell_of_issue(locked)
    return locked


def _number(bulletin: Bulletin) -> None:
    """The next numbers of the unit; a brief has one of the year and one of all years."""
    today, unit = timezone.localdate(), bulletin.bureau.code
    prefix = "JB" if bulletin.kind == Bulletin.Kind.BRIEF else "TB"
    bulletin.issued_on, bulletin.doc_year = today, today.year
    bulletin.doc_seq = NumberSeries.next(f"{prefix}-{unit}-{today.year}")
    if bulletin.kind == Bulletin.Kind.BRIEF:
        bulletin.total_seq = NumberSeries.next(f"{prefix}-{unit}")


def why_not_judge(bulletin: Bulletin, by: User) -> str:
    """Nobody reviews or signs what it had a hand in; empty for others."""
    if by.pk in bulletin.had_a_hand:
        return _("您起草、修改或送审过这份通报，请由另一名人员审核和签发。")
    return ""


def _refuse_hands(bulletin: Bulletin, by: User) -> None:
    if why := why_not_judge(bulletin, by):
        raise ValidationError(why)


def refuse_old_figures(bulletin: Bulletin) -> None:
    newest = frozen_snapshot(bulletin.period)
    if newest != bulletin.snapshot:
        raise ValidationError(
            _("%(period)s的数据已更正为第 %(version)d 版，请退回修改，换用新数据后再送审。"),
            params={"period": bulletin.period.name, "version": newest.version},
        )
    earlier = year_before_of(newest)
    if earlier and bulletin.compared_with and earlier != bulletin.compared_with:
        raise ValidationError(
            _("用来比较的%(period)s数据已更正，请退回修改，换用新数据后再送审。"),
            params={"period": earlier.period.name},
        )


def refuse_outdated_wording(bulletin: Bulletin) -> None:
    """An edited block whose draft reads otherwise by now is looked at again before anybody else sees it."""
    if bulletin.wordings.exists() and (outdated := [b for b in circular.blocks(bulletin) if b.is_outdated]):
        raise ValidationError(
            _("有 %(count)d 段的原稿随数据变了，请核对您的改稿：%(blocks)s。"),
            params={"count": len(outdated), "blocks": _("；").join(block.heading for block in outdated)},
        )


def issue_bulletin(
    period: Period,
    bureau: Bureau,
    *,
    kind: str = Bulletin.Kind.CIRCULAR,
    again: bool = False,
    in_background: bool = True,
) -> Bulletin:
    """Draft and issue in one, so that it is printed once: for the operator, whom nobody reviews."""
    with transaction.atomic():
        draft = draft_unattended(period, bureau, kind=kind, again=again)
        return issue(draft, None, in_background=in_background)


def draft_unattended(period: Period, bureau: Bureau, *, kind: str, again: bool) -> Bulletin:
    """A draft to be issued as it stands, not printed before; refused while people are preparing one."""
    draft = draft_bulletin(period, bureau, None, kind=kind, again=again, in_background=False)
    if draft.created_by_id:
        raise ValidationError(
            _("%(bureau)s正在办理《%(title)s》，请由办理人送审和签发。"),
            params={"bureau": bureau, "title": draft.title},
        )
    return draft


# --- From draft to signature ------------------------------------------------------------------------------


@by_whom
def submit(bulletin: Bulletin, by: User | None) -> Bulletin:
    """Send a draft for review; from now on nobody changes it."""
    refuse_others_to_issue(by, bulletin.bureau)
    with transaction.atomic():
        locked = _locked_in(bulletin, Bulletin.Status.DRAFT)
        refuse_old_figures(locked)
        refuse_outdated_wording(locked)
        if locked.job_state == Job.State.FAILED:
            raise ValidationError(_("草稿没有生成成功，请先重新生成并核对。"))
        locked.status, locked.submitted_by = Bulletin.Status.REVIEW, by or locked.edited_by
        locked.returned_for, locked.reviewed_by = "", None
        locked.add_hand(by)
        locked.save(update_fields=["status", "submitted_by", "returned_for", "reviewed_by", "hands"])
        notices.tell_of_step(locked, "bulletin_review", ISSUERS)
    return locked


@by_whom
def approve(bulletin: Bulletin, by: User) -> Bulletin:
    """The review found nothing: it goes to the signer."""
    refuse_others_to_issue(by, bulletin.bureau)
    with transaction.atomic():
        locked = _locked_in(bulletin, Bulletin.Status.REVIEW)
        _refuse_hands(locked, by)
        refuse_old_figures(locked)
        locked.status, locked.reviewed_by = Bulletin.Status.SIGNING, by
        locked.save(update_fields=["status", "reviewed_by"])
        notices.tell_of_step(locked, "bulletin_signing", (Role.ADMINISTRATOR,))
    return locked


def send_back(bulletin: Bulletin, by: User | None, reason: str) -> Bulletin:
    """From review or signature back to its editors, who are told why."""
    refuse_others_to_issue(by, bulletin.bureau)
    _need_reason(reason, _("请写明退回原因，改稿人据此修改。"))
    with transaction.atomic(), on_behalf(by, reason=reason.strip()):
        locked = _locked_in(bulletin, Bulletin.Status.REVIEW, Bulletin.Status.SIGNING)
        locked.status, locked.returned_for = Bulletin.Status.DRAFT, reason.strip()
        locked.reviewed_by = None
        locked.save(update_fields=["status", "returned_for", "reviewed_by"])
        notices.tell_of_return_to_editors(locked, by)
    return locked


@by_whom
def renew(bulletin: Bulletin, by: User | None) -> Bulletin:
    """Draft anew with the newest frozen figures; edited blocks stay where the draft reads as before."""
    refuse_others_to_issue(by, bulletin.bureau)
    with transaction.atomic():
        locked = _locked_in(bulletin, Bulletin.Status.DRAFT)
        locked.snapshot, locked.edited_by = frozen_snapshot(locked.period), by or locked.edited_by
        locked.compared_with = year_before_of(locked.snapshot)
        locked.add_hand(by)
        locked.cases = cases.choose(locked)
        _print_anew(locked)
    return locked


@by_whom
def discard(bulletin: Bulletin, by: User | None) -> None:
    """Delete a draft; it never had a number."""
    refuse_others_to_issue(by, bulletin.bureau)
    with transaction.atomic():
        locked = _locked_in(bulletin, Bulletin.Status.DRAFT)
        for old in locked.replaces.judged("the issuer").select_for_update(of=("self",)):
            old.replaced_by = None
            if old.status == Bulletin.Status.ISSUED:
                # One that was withdrawn meanwhile says why.
                old.withdraw_reason = ""
            old.save(update_fields=["replaced_by", "withdraw_reason"])
        for words in locked.wordings.all():
            words.delete()
        if stale := locked.pdf.name:
            transaction.on_commit(lambda: default_storage.delete(stale))
        locked.delete()


@by_whom
def reword(bulletin: Bulletin, key: str, typed: str | None, seen: str, by: User | None) -> Bulletin:
    """Store what an editor made of a block; None or the drafted text takes its wording back.

    ``seen`` is the digest of the block with which the editor began: another editor may have been quicker.
    Raises ValidationError with the faults of the text, under ``text``.
    """
    refuse_others_to_issue(by, bulletin.bureau)
    with transaction.atomic():
        locked = _locked_in(bulletin, Bulletin.Status.DRAFT)
        block = circular.block(locked, key)
        if block is None:
            raise ValidationError({"text": _("新数据的原稿里没有这一段了。")})
        if block.digest != seen:
            raise ValidationError({"text": _("别人刚改过这一段。您的文字没有丢，请对照后再保存。")}, "moved")
        if typed is None:
            typed = block.drafted.shown
        if block.must_stand and not typed.strip():
            raise ValidationError({"text": _("这一段不能空着；不要自己的改动时，请恢复原稿。")})
        if faults := block.drafted.faults(typed):
            raise ValidationError({"text": faults})
        text = block.drafted.read(typed)
        kept = locked.wordings.filter(key=key).first()
        if text == block.drafted.template:
            if kept is None:
                return locked
            kept.delete()
        else:
            kept = kept or Wording(bulletin=locked, key=key)
            kept.base, kept.text = block.drafted.base, text
            kept.edited_by, kept.edited_at = by, timezone.now()
            kept.save()
        locked.edited_by = by or locked.edited_by
        locked.add_hand(by)
        _print_anew(locked)
    return locked


# --- After the issue --------------------------------------------------------------------------------------


def replace(bulletin: Bulletin, by: User | None, reason: str, *, in_background: bool = True) -> Bulletin:
    """Draft a successor with the newest frozen figures; the old one is replaced when that is signed."""
    refuse_others_to_issue(by, bulletin.bureau)
    _need_reason(reason)
    with transaction.atomic(), on_behalf(by, reason=reason.strip()):
        locked = _locked_in_force(bulletin)
        Period.objects.select_for_update().get(pk=locked.period_id)
        known = Bulletin.objects.judged("the issuer").filter(
            period=locked.period, bureau=locked.bureau, kind=locked.kind
        )
        if under_way := known.filter(status__in=Bulletin.PREPARING).first():
            # It may be reviewed already, as something else than a successor.
            raise ValidationError(
                _("《%(title)s》正在办理，请先办完或删除，再起草替换件。"), params={"title": under_way.title}
            )
        successor = draft_bulletin(
            locked.period, locked.bureau, by, kind=locked.kind, again=True, in_background=in_background
        )
        locked.replaced_by, locked.withdraw_reason = successor, reason.strip()
        locked.save(update_fields=["replaced_by", "withdraw_reason"])
    return successor


def withdraw(bulletin: Bulletin, by: User | None, reason: str) -> Bulletin:
    """Take an issued bulletin back; its number is not given out again."""
    refuse_others_to_sign(by, bulletin.bureau)
    _need_reason(reason)
    with transaction.atomic(), on_behalf(by, reason=reason.strip()):
        locked = _locked_in_force(bulletin)
        locked.status, locked.withdrawn_at = Bulletin.Status.WITHDRAWN, timezone.now()
        locked.withdraw_reason = reason.strip()
        locked.save(update_fields=["status", "withdrawn_at", "withdraw_reason"])
    return locked


@by_whom
def retry(bulletin: Bulletin, by: User | None) -> Bulletin:
    """Print again after a failure that was put right."""
    refuse_others_to_issue(by, bulletin.bureau)
    with transaction.atomic():
        locked = locked_bulletin(bulletin)
        if locked.job_state != Job.State.FAILED:
            raise ValidationError(_("只有生成失败的通报需要重新生成。"))
        _print_anew(locked)
    return locked


def locked_bulletin(bulletin: Bulletin) -> Bulletin:
    rows = Bulletin.objects.judged("under the lock").select_for_update(of=("self",))
    return rows.select_related("bureau", "period", "snapshot__period").get(pk=bulletin.pk)


def _locked_in(bulletin: Bulletin, *statuses: Bulletin.Status) -> Bulletin:
    locked = locked_bulletin(bulletin)
    if locked.status not in statuses:
        raise ValidationError(
            _("这份通报现在是“%(status)s”，别人可能刚刚办理过，请刷新后再看。"),
            params={"status": locked.get_status_display()},
        )
    return locked


def _locked_in_force(bulletin: Bulletin) -> Bulletin:
    locked = locked_bulletin(bulletin)
    if locked.status != Bulletin.Status.ISSUED:
        raise ValidationError(
            _("这份通报的状态是“%(status)s”，只有已印发的通报可以替换或撤回。"),
            params={"status": locked.get_status_display()},
        )
    return locked


def _need_reason(reason: str, words: str = "") -> None:
    if not reason.strip():
        raise ValidationError({"reason": words or _("请写明原因，会印在核验页上。")})


def _print_anew(bulletin: Bulletin, *, in_background: bool = True) -> None:
    """Queue the job of the row from the start."""
    stale: str | None = ""
    if not bulletin.is_prepared:
        # A draft stays readable until the next one is there; what is issued has no other paper.
        stale, bulletin.pdf, bulletin.sha256 = bulletin.pdf.name, "", ""
    bulletin.queue_anew()
    bulletin.save()
    if stale:
        transaction.on_commit(lambda: default_storage.delete(stale))
    if in_background:
        ring(tasks.print_bulletin, bulletin.pk)


def print_now(bulletin: Bulletin) -> Bulletin:
    """Print in this process and return the finished row."""
    return _see_through(bulletin, run_bulletin)


@system_job("print bulletin")
def run_bulletin(pk: int) -> bool:
    """Do the work of a queued bulletin; False when another worker does it or has done it."""
    rows = Bulletin.objects.select_related("bureau", "period", "snapshot__period")
    return run_claimed(rows, pk, _print)


def _print(bulletin: Bulletin) -> None:
    bulletin.report_progress(10)
    bulletin.compared_with = _year_before(bulletin)
    bulletin.report_progress(20)
    # Whoever asks and in whatever language: an official document is Chinese.
    with translation.override("zh-hans"):
        content = circular.compose(bulletin)
    bulletin.report_progress(30)
    document = paper.render_pdf(content)
    bulletin.report_progress(80)
    former, name = bulletin.pdf.name, _keep(bulletin, document)
    with transaction.atomic():
        if former and former != name:
            transaction.on_commit(lambda: default_storage.delete(former))
        # Kept with the paper, so that every later print of it compares with the same.
        bulletin.finish(
            pdf=name,
            sha256=hashlib.sha256(document).hexdigest(),
            compared_with=bulletin.compared_with,
        )
        write(Event.Kind.CHANGED, bulletin, after={"sha256": bulletin.sha256})


def _keep(bulletin: Bulletin, document: bytes) -> str:
    """Store the document under its name at once and whole: written aside first, then renamed.

    The name says the content, so a second worker writes the same file again and not another one.
    """
    digest = hashlib.sha256(document).hexdigest()
    name = f"bulletins/{bulletin.public_id.hex[:2]}/{bulletin.public_id.hex}-{digest[:16]}.pdf"
    place = Path(default_storage.path(name))
    place.parent.mkdir(parents=True, exist_ok=True)
    for left_over in place.parent.glob(f"{bulletin.public_id.hex}-*.part"):
        left_over.unlink(missing_ok=True)
    aside = place.with_name(f"{bulletin.public_id.hex}-{uuid.uuid4().hex}.part")
    with aside.open("xb") as file:
        file.write(document)
        file.flush()
        os.fsync(file.fileno())
    aside.chmod(0o600)
    aside.replace(place)
    return name


def _see_through(job: JobRow, run: Callable[[int], bool]) -> JobRow:
    """Do a job here, or wait for the worker that took it first; raises ValidationError when it failed."""
    while True:
        run(job.pk)
        job.refresh_from_db()
        if job.job_state == Job.State.FAILED:
            raise ValidationError(job.error)
        if job.job_state == Job.State.DONE:
            return job
        time.sleep(0.5)


# --- Sweep ------------------------------------------------------------------------------------------------


@system_job("sweep")
def sweep() -> None:
    """Ring again for jobs nobody works on, give up hopeless ones, discard superseded working roll-ups."""
    for rows, task in (
        (Snapshot.objects.all(), tasks.roll_up),
        (Bulletin.objects.all(), tasks.print_bulletin),
        (Edition.objects.all(), tasks.run_edition),
    ):
        if lost := rows.give_up_exhausted():
            logger.error("%s jobs of %s failed with their workers", lost, rows.model.__name__)
        for pk in rows.lying().values_list("pk", flat=True):
            ring(task, pk)
    discard_superseded()


def check_frozen() -> list[Snapshot]:
    """The frozen versions whose figures or kept rows are not those of their freeze; told to the log."""
    altered = [one for one in Snapshot.objects.frozen().order_by("pk") if not rollup.is_untouched(one)]
    for snapshot in altered:
        logger.error("snapshot %s is not what was frozen: its digests do not hold", snapshot.code)
    return altered


def discard_superseded() -> int:
    """Delete working roll-ups that a newer one or a frozen version has replaced for a while; live ones, which
    take turns, with the period."""
    done = Snapshot.objects.filter(job_state=Job.State.DONE)
    ended = Snapshot.objects.exclude(job_state__in=UNDER_WAY)
    later = Q(finished_at__gt=OuterRef("finished_at"))
    later |= Q(finished_at=OuterRef("finished_at"), pk__gt=OuterRef("pk"))
    newer = done.filter(later, version=0, period=OuterRef("period"))
    superseded = Q(version=0) & (
        Q(Exists(newer), is_live=False) | Q(period__in=done.filter(version__gt=0).values("period"))
    )
    stale = list(
        ended.annotate(since=Coalesce("finished_at", "created_at"))
        .filter(superseded, since__lt=timezone.now() - SUPERSEDED_FOR, compared_by=None)
        .values_list("pk", flat=True)
    )
    StatValue.objects.filter(snapshot__in=stale).delete()
    CountedRow.objects.filter(snapshot__in=stale).delete()
    Snapshot.objects.filter(pk__in=stale).delete()
    return len(stale)
