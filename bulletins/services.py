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
from django.db.models import Max, Q
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from accounts.models import User
from bulletins import circular, figures, identities, ladder, notices, paper, periods, rollup, tasks
from bulletins.indicators import DEFINITION_VERSION
from bulletins.models import Bulletin, Period, Snapshot, StatValue
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


def get_period(code: str) -> Period:
    """The period with this code, made on first use; raises ValidationError for what is no period code."""
    spec = periods.parse(code)
    period, _created = Period.objects.get_or_create(
        code=spec.code,
        defaults={"kind": spec.kind, "start_on": spec.start_on, "end_on": spec.end_on},
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
    """Queue a working roll-up of an open period; one that is already under way is returned."""
    with transaction.atomic():
        period = Period.objects.select_for_update().get(pk=period.pk)
        refuse_frozen(period)
        snapshot = period.snapshots.filter(version=0, job_state__in=UNDER_WAY).first()
        if snapshot is None:
            snapshot = Snapshot.objects.create(
                period=period, definition_version=DEFINITION_VERSION, created_by=by
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
    """Roll up in this process and return the finished snapshot."""
    snapshot = request_rollup(period, by, in_background=False)
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
        rollup.store(snapshot)
        results: dict[str, Any] = {"finished_at": timezone.now(), "definitions": snapshot.definitions}
        if snapshot.version:
            if faults := identities.breaches(snapshot):
                raise ValidationError(faults)
            results["row_hash"] = rollup.digest(snapshot)
            results["counted_hash"] = rollup.digest_of_rows(snapshot)
            results["warnings"] = identities.warnings(snapshot)
            results["coverage"] = _coverage(period, snapshot)
            if period.is_public:
                period.status = Period.Status.REVISED
                period.save(update_fields=["status"])
            elif not period.is_frozen:
                period.status = Period.Status.FROZEN
                period.frozen_at, period.frozen_by = timezone.now(), snapshot.created_by
                period.save(update_fields=["status", "frozen_at", "frozen_by"])
        snapshot.finish(**results)
        if snapshot.version:
            digests = {name: results[name] for name in ("row_hash", "counted_hash")}
            write(Event.Kind.CHANGED, snapshot, after=digests)


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
    return period


# --- Bulletins --------------------------------------------------------------------------------------------


def may_issue(user: User, bureau: Bureau) -> bool:
    return user.holds_over(bureau, *ISSUERS)


def _refuse_others_to_issue(by: User | None, bureau: Bureau) -> None:
    if by is not None and not may_issue(by, bureau):
        raise PermissionDenied(
            _("%(bureau)s的通报由本单位或上级单位的管理员或统计员办理。") % {"bureau": bureau}
        )


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
    again: bool = False,
    in_background: bool = True,
) -> Bulletin:
    """A draft, printed with a watermark in the background; an open draft of the unit is returned instead.

    One already issued is not issued twice by accident: ``again`` says that it is meant.
    """
    _refuse_others_to_issue(by, bureau)
    with transaction.atomic():
        Period.objects.select_for_update().get(pk=period.pk)
        snapshot = frozen_snapshot(period)
        known = Bulletin.objects.judged("the issuer").filter(period=period, bureau=bureau)
        if draft := known.filter(status=Bulletin.Status.DRAFT).first():
            return draft
        issued = known.filter(status=Bulletin.Status.ISSUED).first()
        if issued and not again:
            raise ValidationError(
                _("%(bureau)s已就%(period)s印发%(number)s；内容有误时请用“替换”。"),
                params={"bureau": bureau, "period": period.name, "number": issued.number},
            )
        bulletin = Bulletin.objects.create(
            period=period,
            bureau=bureau,
            snapshot=snapshot,
            title=circular.title(period, bureau),
            verification_code=BULLETINS.new_code(),
            created_by=by,
        )
        if in_background:
            ring(tasks.print_bulletin, bulletin.pk)
    return bulletin


@by_whom
def issue(bulletin: Bulletin, by: User | None, *, in_background: bool = True) -> Bulletin:
    """Give the draft its number and date, take the newest frozen figures, and queue the final print."""
    _refuse_others_to_issue(by, bulletin.bureau)
    with transaction.atomic():
        locked = _locked(bulletin)
        if locked.status != Bulletin.Status.DRAFT:
            raise ValidationError(
                _("这份通报已办理为“%(status)s”，不能再印发。"),
                params={"status": locked.get_status_display()},
            )
        today = timezone.localdate()
        locked.snapshot = frozen_snapshot(locked.period)
        locked.doc_year = today.year
        locked.doc_seq = NumberSeries.next(f"TB-{locked.bureau.code}-{today.year}")
        locked.issued_on, locked.issued_by = today, by
        locked.status = Bulletin.Status.ISSUED
        if root := DayRoot.objects.first():
            locked.record_day, locked.record_root = root.day, root.hash
        _print_anew(locked, in_background=in_background)
        notices.tell_of_issue(locked)
    return locked


def issue_bulletin(
    period: Period, bureau: Bureau, by: User | None, *, again: bool = False, in_background: bool = True
) -> Bulletin:
    """Draft and issue in one, so that it is printed once."""
    with transaction.atomic():
        draft = draft_bulletin(period, bureau, by, again=again, in_background=False)
        return issue(draft, by, in_background=in_background)


def replace(bulletin: Bulletin, by: User | None, reason: str, *, in_background: bool = True) -> Bulletin:
    """Issue a successor with the newest frozen figures; the old one stays readable and says so."""
    _refuse_others_to_issue(by, bulletin.bureau)
    _need_reason(reason)
    with transaction.atomic(), on_behalf(by, reason=reason.strip()):
        locked = _locked_in_force(bulletin)
        successor = issue_bulletin(locked.period, locked.bureau, by, again=True, in_background=in_background)
        locked.status, locked.replaced_by = Bulletin.Status.REPLACED, successor
        locked.withdraw_reason = reason.strip()
        locked.save(update_fields=["status", "replaced_by", "withdraw_reason"])
    return successor


def withdraw(bulletin: Bulletin, by: User | None, reason: str) -> Bulletin:
    """Take an issued bulletin back; its number is not given out again."""
    _refuse_others_to_issue(by, bulletin.bureau)
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
    _refuse_others_to_issue(by, bulletin.bureau)
    with transaction.atomic():
        locked = _locked(bulletin)
        if locked.job_state != Job.State.FAILED:
            raise ValidationError(_("只有生成失败的通报需要重新生成。"))
        _print_anew(locked)
    return locked


def _locked(bulletin: Bulletin) -> Bulletin:
    rows = Bulletin.objects.judged("under the lock").select_for_update(of=("self",))
    return rows.select_related("bureau", "period").get(pk=bulletin.pk)


def _locked_in_force(bulletin: Bulletin) -> Bulletin:
    locked = _locked(bulletin)
    if locked.status != Bulletin.Status.ISSUED:
        raise ValidationError(
            _("这份通报的状态是“%(status)s”，只有已印发的通报可以替换或撤回。"),
            params={"status": locked.get_status_display()},
        )
    return locked


def _need_reason(reason: str) -> None:
    if not reason.strip():
        raise ValidationError({"reason": _("请写明原因，会印在核验页上。")})


def _print_anew(bulletin: Bulletin, *, in_background: bool = True) -> None:
    """Queue the job of the row from the start; a worker still busy with the old state stores nothing."""
    stale, bulletin.pdf = bulletin.pdf.name, ""
    bulletin.sha256 = ""
    bulletin.job_state, bulletin.attempts, bulletin.progress = Job.State.QUEUED, 0, 0
    bulletin.held_by, bulletin.lease_until, bulletin.error = None, None, ""
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
    before = get_period(periods.year_before(bulletin.period.code))
    if figures.current(before) is None:
        # Nobody has looked at that year yet; the paper compares with it.
        rollup_now(before)
    bulletin.report_progress(20)
    # Whoever asks and in whatever language: an official document is Chinese.
    with translation.override("zh-hans"):
        content = circular.compose(bulletin)
    bulletin.report_progress(30)
    document = paper.render_pdf(content)
    bulletin.report_progress(80)
    name = _keep(bulletin, document)
    with transaction.atomic():
        bulletin.finish(pdf=name, sha256=hashlib.sha256(document).hexdigest())
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
    """Delete working roll-ups that a newer one or a frozen version has replaced for a while."""
    done = Snapshot.objects.filter(job_state=Job.State.DONE)
    newest = done.filter(version=0).values("period").annotate(last=Max("pk")).values("last")
    superseded = Q(version=0) & (
        ~Q(pk__in=newest) | Q(period__in=done.filter(version__gt=0).values("period"))
    )
    stale = list(
        done.filter(superseded, finished_at__lt=timezone.now() - SUPERSEDED_FOR).values_list("pk", flat=True)
    )
    StatValue.objects.filter(snapshot__in=stale).delete()
    Snapshot.objects.filter(pk__in=stale).delete()
    return len(stale)
