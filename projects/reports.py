"""What happens to an inspection report on the portal: an institution lodges, replaces or withdraws it.

The file itself stays with the institution; its SHA-256 is kept, so that anybody's copy can be compared. What
problems give as evidence is looked up among the reports (`domain.md` 3.13, V9).
"""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from functools import reduce
from operator import or_
from typing import IO, Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import Role, User
from common.jobs import ring
from common.saving import save_checked
from common.scope import system_job
from enterprises.models import Organization
from projects import notices, registries, tasks
from projects.models import Bottleneck, Evidence, EvidenceAlarm, InspectionReport
from projects.querysets import InspectionReportQuerySet
from record.acting import by_whom

Status, State = InspectionReport.Status, Evidence.VerifyState
# What a look-up writes, and what stands for a verifier who has looked.
VERDICT = ["verify_state", "verified_at", "verified_via", "verify_detail"]
OFFICER = "officer"
WAIT = timedelta(days=1)


def lodging_for(user: User) -> list[Organization]:
    """The institutions for which the user lodges reports."""
    grants = user.grants_of(Role.INSTITUTION)
    return [grant.organization for grant in grants if grant.organization is not None]


def lodges_for(user: User, institution_id: int) -> bool:
    return user.acts_for(institution_id, Role.INSTITUTION)


def digest_of(file: IO[bytes]) -> str:
    """The SHA-256 of a file in hexadecimal digits."""
    file.seek(0)
    digest = hashlib.sha256()
    while chunk := file.read(65_536):
        digest.update(chunk)
    return digest.hexdigest()


@by_whom
def lodge(institution: Organization, values: Mapping[str, Any], *, by: User) -> InspectionReport:
    """Lodge a report under a new code.

    ``values`` are its columns by name, the digest or under ``file`` the file itself. Raises PermissionDenied
    for whoever does not act for the institution, ValidationError by field.
    """
    _refuse_others(institution.pk, by)
    columns = dict(values)
    if file := columns.pop("file", None):
        columns["sha256"] = digest_of(file)
    report = InspectionReport(institution=institution, lodged_by=by, **columns)
    report.sha256 = report.sha256.lower()
    with transaction.atomic():
        save_checked(report)
        if rivals := rivals_of(report):
            notices.tell_of_rivals([report, *rivals])
        _compare_again(report)
    return report


@by_whom
def replace(report: InspectionReport, *, by: User, number: str, reason: str) -> InspectionReport:
    """Say that another valid report of the institution, known by its number, stands in place of this one.

    Raises PermissionDenied for whoever does not act for the institution or when the report is no longer
    valid, ValidationError when there is no such other report.
    """
    with transaction.atomic():
        of_institution = InspectionReport.objects.judged("under the lock").filter(
            institution=report.institution_id
        )
        numbered = of_institution.filter(report_no__iexact=number.strip()).values_list("pk", flat=True)
        # Both are locked in one order: else two could become each other's successor.
        locked = _locked([report.pk, *numbered])
        replaced = locked.pop(report.pk)
        refuse_to_end(replaced, by)
        successor = next((row for row in locked.values() if row.status == Status.VALID), None)
        if successor is None:
            sentence = _("本机构没有编号为“%(number)s”的另一份有效报告。请先登记新报告，再来替换。")
            raise ValidationError({"number": sentence % {"number": number.strip()}})
        replaced.replaced_by = successor
        _end(replaced, Status.REPLACED, reason)
    report.refresh_from_db()
    return report


@by_whom
def withdraw(report: InspectionReport, *, by: User, reason: str) -> InspectionReport:
    """Take a report back for a stated reason; whoever checks the paper is told so.

    Raises PermissionDenied for whoever does not act for the institution or when the report is not valid now.
    """
    with transaction.atomic():
        locked = _locked([report.pk])[report.pk]
        refuse_to_end(locked, by)
        _end(locked, Status.WITHDRAWN, reason)
    report.refresh_from_db()
    return report


def _locked(keys: Iterable[int]) -> dict[int, InspectionReport]:
    rows = InspectionReport.objects.judged("under the lock").select_for_update()
    return {row.pk: row for row in rows.filter(pk__in=keys).order_by("pk")}


def _refuse_others(institution_id: int, by: User) -> None:
    if not lodges_for(by, institution_id):
        raise PermissionDenied(_("报告由出具机构的经办人登记、替换和撤回。"))


def refuse_to_end(report: InspectionReport, by: User) -> None:
    """Raise PermissionDenied unless the user may replace or withdraw the report."""
    _refuse_others(report.institution_id, by)
    if report.status != Status.VALID:
        sentence = _("报告 %(number)s 的状态已经是“%(status)s”，不能再次替换或撤回。")
        values = {"number": report.report_no, "status": report.get_status_display()}
        raise PermissionDenied(sentence % values)


def _end(report: InspectionReport, status: str, reason: str) -> None:
    report.status, report.ended_at, report.end_reason = status, timezone.now(), reason.strip()
    save_checked(report, ("status", "replaced_by", "ended_at", "end_reason"))
    _compare_again(report)


# --- Checking the paper -------------------------------------------------------------------------------------


def of_code(code: str) -> InspectionReport | None:
    """The report with a code as it is printed."""
    return _told().filter(verification_code=code).first()


def of_digest(digest: str) -> InspectionReport | None:
    """The report whose file has this digest; when it was lodged twice, the one that is still valid."""
    found = _told().filter(sha256=digest)
    return found.filter(status=Status.VALID).first() or found.first()


def _told() -> InspectionReportQuerySet:
    return InspectionReport.objects.told_to_anybody().select_related("institution__bureau", "replaced_by")


def rivals_of(report: InspectionReport) -> list[InspectionReport]:
    """Other valid reports with the same file: as long as there are any, none of them is beyond doubt."""
    return list(_told().rivals_of(report))


def in_force(report: InspectionReport) -> InspectionReport:
    """The last of the chain of successors: the report itself when it was not replaced."""
    while report.replaced_by:
        report = report.replaced_by
    return report


# --- Checking evidence --------------------------------------------------------------------------------------


def ask_for(bottleneck: Bottleneck) -> None:
    """Have the test reports among the evidence looked up once the transaction is committed.

    The row is the job: one that waits for its answer is pending and was never answered, and a periodic sweep
    asks again.
    """
    for evidence in bottleneck.evidence.filter(kind=Evidence.Kind.TEST_REPORT):
        evidence.verify_state, evidence.verified_at = State.PENDING, None
        evidence.verified_via, evidence.verify_detail = "", None
        evidence.save(update_fields=VERDICT)
        ring(tasks.verify_evidence, evidence.pk)


def verify_evidence(evidence: Evidence) -> str:
    """Look the number up, keep what was answered, and raise the alarm when it is not so; returns the state.

    Late or twice makes no difference; what a verifier has seen is contradicted or matched, and no less.
    """
    with transaction.atomic():
        # The problem before its evidence, as in `services.move`: else the two could wait for each other.
        _lock_problems([evidence.bottleneck_id])
        rows = Evidence.objects.judged("under the lock").select_for_update(of=("self",))
        locked = rows.select_related("attachment", "bottleneck").get(pk=evidence.pk)
        via, answer = registries.look_up(locked)
        if locked.verified_via == OFFICER and answer.state not in (State.MATCHED, *Evidence.CONTRADICTED):
            return locked.verify_state
        before, locked.verify_state, locked.verified_via = locked.verify_state, answer.state, via
        locked.verified_at, locked.verify_detail = timezone.now(), answer.detail
        locked.save(update_fields=VERDICT)
        if answer.state in Evidence.CONTRADICTED and answer.state != before:
            alarm = EvidenceAlarm.objects.create(
                bottleneck=locked.bottleneck,
                at=locked.verified_at,
                number=locked.number,
                state=answer.state,
                detail=answer.detail,
            )
            notices.tell_of_contradiction(alarm)
    evidence.refresh_from_db()
    return evidence.verify_state


def _lock_problems(keys: Iterable[int]) -> None:
    rows = Bottleneck.objects.judged("under the lock").select_for_update().only("pk")
    list(rows.filter(pk__in=keys).order_by("pk"))


def verify_again(bottleneck: Bottleneck) -> None:
    """Look all test reports of a problem up once more, before somebody judges whether it is solved.

    Outside the transaction of the move: what is found to be wrong stays, with its alarm, when the move is
    refused for it. Nothing else is written, for a refused move leaves nothing behind.
    """
    for evidence in bottleneck.evidence.filter(kind=Evidence.Kind.TEST_REPORT).select_related("attachment"):
        _via, answer = registries.look_up(evidence)
        if answer.state in Evidence.CONTRADICTED and answer.state != evidence.verify_state:
            verify_evidence(evidence)


def looked_at_by_officer(bottleneck: Bottleneck, at: datetime) -> None:
    """The verifier has compared every piece of evidence: what no place knew counts as matched now.

    A report that its institution may still lodge stays pending and is asked for again: an officer who has
    seen the paper does not know whether the institution stands by it.
    """
    for evidence in bottleneck.evidence.exclude(verify_state__in=[State.MATCHED, *Evidence.CONTRADICTED]):
        via, answer = registries.look_up(evidence)
        if answer.state != State.PENDING:
            via, answer = OFFICER, registries.Answer(State.MATCHED, "officer")
        evidence.verify_state, evidence.verified_via = answer.state, via
        evidence.verified_at, evidence.verify_detail = at, answer.detail
        evidence.save(update_fields=VERDICT)


@system_job("evidence")
def ask_again(now: datetime | None = None) -> int:
    """Ring for the evidence that waits for an answer: never answered, or told a day ago to wait."""
    waiting = Evidence.objects.filter(verify_state=State.PENDING)
    due = waiting.filter(Q(verified_at=None) | Q(verified_at__lt=(now or timezone.now()) - WAIT))
    keys = list(due.values_list("pk", flat=True))
    for pk in keys:
        ring(tasks.verify_evidence, pk)
    return len(keys)


def _compare_again(report: InspectionReport) -> None:
    """What a report says has changed: so may the verdict on evidence with its number, or with that of another
    report that claims the same file."""
    judged = "evidence that cites the report"
    claiming = InspectionReport.objects.judged(judged).filter(sha256=report.sha256)
    numbers = claiming.values_list("report_no", flat=True)
    numbered = reduce(or_, (Q(number__iexact=number) for number in numbers))
    cited = Evidence.objects.judged(judged).filter(numbered, kind=Evidence.Kind.TEST_REPORT)
    # All of them first, in one order: else two who each change a report could wait for each other.
    _lock_problems(list(cited.values_list("bottleneck", flat=True)))
    for evidence in cited:
        verify_evidence(evidence)
