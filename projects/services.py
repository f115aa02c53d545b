"""What happens when somebody files, attaches or moves; called alike by page, API, admin and task."""

import hashlib
from collections.abc import Collection, Mapping
from contextlib import ExitStack
from datetime import date, datetime
from functools import partial
from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied, ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.joining import applications_to_file
from accounts.models import FILING_ROLES, Role, User
from common import formats
from common.saving import save_checked
from enterprises.models import Bureau, NumberSeries, Organization
from projects import files, notices
from projects.models import (
    Attachment,
    Bottleneck,
    BottleneckContact,
    ChainProject,
    Consortium,
    Evidence,
    KeyProject,
    Measure,
    Transition,
)
from projects.models.base import at_field
from projects.workflow import MOVES, STATES, Move, Party, clock_after, grant_for, judge
from record.acting import by_whom, on_behalf

S = Bottleneck.Status
AFTER = ("value_after", "method_after", "measured_after_on")
MAX_ATTACHMENTS = 10

# What a filing must say before it leaves the firm, by the step of the form that asks it.
REQUIRED_TO_FILE = {
    "happening": ("chain", "segment", "product", "title", "choke", "symptom"),
    "extent": ("effect", "urgency"),
    "help": ("cause", "help_wanted"),
}


class StaleRow(Exception):
    """Somebody else changed the row since the user read it; the message says what happened."""


def draft_for(user: User, organization: Organization, public_id: UUID) -> Bottleneck:
    """The draft with this address, made on first call, so that a doubled request makes one draft.

    Whoever has asked to file for the organisation prepares drafts of its own until a bureau has verified it.
    Raises PermissionDenied when the user may not file for the organisation.
    """
    application = None
    if not user.acts_for(organization.pk, *FILING_ROLES):
        application = applications_to_file(user).filter(organization=organization).first()
        if application is None:
            raise PermissionDenied(_("您没有为该企业填报的权限。"))
    bureau = application.desk if application else organization.bureau
    with on_behalf(user):
        draft, _created = Bottleneck.objects.judged("by the organisation, below").get_or_create(
            public_id=public_id,
            defaults={
                "organization": organization,
                "is_provisional": application is not None,
                "bureau": bureau,
                "handler": bureau,
                "filer": user,
                "created_by": user,
            },
        )
    if draft.organization_id != organization.pk or not files_for(draft, user):
        raise PermissionDenied(_("您没有为该企业填报的权限。"))
    return draft


def _locked(pk: int) -> Bottleneck:
    """The problem, locked for a change; who may make it is judged on what is read now."""
    return Bottleneck.objects.judged("under the lock").select_for_update().get(pk=pk)


@by_whom
def revise(
    bottleneck: Bottleneck,
    *,
    by: User,
    version: int,
    values: Mapping[str, Any],
    measures: list[Mapping[str, Any]] | None = None,
    contact: Mapping[str, Any] | None = None,
) -> Bottleneck:
    """Save what the filer typed; None leaves metrics or contact as they are.

    Raises StaleRow when the text was changed elsewhere since ``version``, PermissionDenied when the row may
    not be edited, ValidationError when a value cannot stand.
    """
    with transaction.atomic():
        locked = _locked(bottleneck.pk)
        if not row_is_editable_by(locked, by):
            raise PermissionDenied(_("问题已提交，现在不能修改内容。"))
        if locked.version != version:
            raise StaleRow(_("这份草稿已在另一个窗口或由同事修改。"))
        for name, value in values.items():
            setattr(locked, name, value)
        locked.version += 1
        save_checked(locked, values)
        if measures is not None:
            locked.measures.all().delete()
            for row in measures:
                save_checked(Measure(bottleneck=locked, **row))
        if contact is not None:
            BottleneckContact.objects.update_or_create(bottleneck=locked, defaults=dict(contact))
    return locked


def gaps_before_filing(bottleneck: Bottleneck) -> dict[str, list[tuple[str, str]]]:
    """What is still missing, as (field, sentence) by step; empty when the problem may be filed."""
    gaps: dict[str, list[tuple[str, str]]] = {}
    for step, fields in REQUIRED_TO_FILE.items():
        for name in fields:
            if not getattr(bottleneck, name):
                label = getattr(Bottleneck, name).field.verbose_name
                gaps.setdefault(step, []).append((name, _("请填写“%(field)s”。") % {"field": label}))
    chain, segment = bottleneck.chain, bottleneck.segment
    today = timezone.localdate()
    if chain and (chain.valid_from > today or (chain.valid_to and chain.valid_to <= today)):
        gaps.setdefault("happening", []).append(("chain", _("所选产业链已停用，请重新选择。")))
    if segment and segment.chain_id != bottleneck.chain_id:
        gaps.setdefault("happening", []).append(("segment", _("所选环节不属于这条产业链，请重新选择。")))
    if bottleneck.expected_by and bottleneck.expected_by < today:
        gaps.setdefault("extent", []).append(("expected_by", _("希望解决日期已过，请改为今天或以后。")))
    if not bottleneck.measures.exists():
        gaps.setdefault("extent", []).append(("measures", _("请至少填写一项指标的现值和目标值。")))
    if bottleneck.cause == Bottleneck.Cause.INFRASTRUCTURE and not bottleneck.nqi_elements:
        gaps.setdefault("help", []).append(
            ("nqi_elements", _("类别为“质量基础设施”时，至少选择一项所缺要素。"))
        )
    contact = getattr(bottleneck, "contact", None)
    if not (contact and contact.name and contact.phone):
        gaps.setdefault("help", []).append(("contact_name", _("请填写联系人和联系电话。")))
    return gaps


def move(
    bottleneck: Bottleneck,
    name: str,
    *,
    by: User,
    data: Mapping[str, Any] | None = None,
    version: int | None = None,
    at: datetime | None = None,
) -> Transition:
    """Carry out one move of the transition table and append its event.

    The row is locked first, so of two people who click at once one wins. ``version`` is the revision the
    user looked at; None asks for no comparison. Raises StaleRow when the row has moved on since,
    PermissionDenied when the user may not make the move, ValidationError (by key of ``data``) when something
    it needs is missing.
    """
    row = MOVES[name]
    data = dict(data or {})
    at = at or timezone.now()
    with files.removed_on_failure() as stored, transaction.atomic(), ExitStack() as recorded:
        # Without joins: after waiting for the lock PostgreSQL would find no row whose handler has changed.
        # A master is locked with its child, always in one order: else two could become each other's child.
        master = data.get("master") if "master" in row.needs else None
        keys = [bottleneck.pk, *([master.pk] if master else [])]
        to_judge = Bottleneck.objects.judged("under the lock")
        list(to_judge.select_for_update().only("pk").filter(pk__in=keys).order_by("pk"))
        if master:
            data["master"] = to_judge.get(pk=master.pk)
        locked = to_judge.select_related("handler__parent", "bureau", "organization").get(pk=bottleneck.pk)
        _refuse_stale(locked, row, version)
        choice = judge(locked, row, by, at)
        if not choice.allowed or choice.grant is None:
            raise PermissionDenied(choice.refusal)
        _refuse_incomplete(locked, row, data, at)
        recorded.enter_context(on_behalf(by, choice.grant, data.get("reason", "")))
        details = _apply(locked, row, data, by=by, acting_bureau=choice.grant.bureau, at=at, stored=stored)
        source, locked.status = locked.status, row.target
        day = timezone.localdate(at)
        locked.status_changed_at = at
        locked.clock_due_on = clock_after(row.target, day, locked.due_on)
        locked.clock_started_on = day if locked.clock_due_on else None
        locked.version += 1
        locked.save()
        event = Transition.objects.create(
            bottleneck=locked,
            sequence=locked.transitions.count() + 1,
            at=at,
            move=row.name,
            source=source,
            target=row.target,
            actor=by,
            principal=choice.grant.principal,
            bureau=choice.grant.bureau,
            organization=choice.grant.organization,
            handler=locked.handler,
            clock_due_on=locked.clock_due_on,
            reason=data.get("reason", ""),
            details=details,
        )
        notices.tell_of_move(locked, event)
    bottleneck.refresh_from_db()
    return event


def _refuse_stale(locked: Bottleneck, row: Move, version: int | None) -> None:
    if (version is not None and version != locked.version) or locked.status not in row.sources:
        raise StaleRow(why_stale(locked, row))


def why_stale(bottleneck: Bottleneck, row: Move) -> str:
    """What happened to the problem since the user read it, in a sentence: who did what, when."""
    last = bottleneck.transitions.select_related("actor", "bureau", "organization").last()
    edited = bottleneck.status in row.sources and bottleneck.status in Bottleneck.EDITABLE
    if last is None or edited:
        return _("内容已在别处修改，您的操作没有执行，请核对后再试。")
    return _("%(who)s已于 %(when)s 办理：%(what)s。问题现在的状态是“%(state)s”，您的操作没有执行。") % {
        "who": last.bureau or last.organization or "",
        "when": timezone.localtime(last.at).strftime("%Y-%m-%d %H:%M"),
        "what": MOVES[last.move].done,
        "state": bottleneck.get_status_display(),
    }


def _refuse_incomplete(locked: Bottleneck, row: Move, data: Mapping[str, Any], at: datetime) -> None:
    missing = {key: _("这一项必须填写。") for key in row.needs if not data.get(key)}
    if missing:
        raise ValidationError(missing)
    if row.name == "submit" and (gaps := gaps_before_filing(locked)):
        raise ValidationError([sentence for step in gaps.values() for _name, sentence in step])
    if data.get("due_on") and data["due_on"] < timezone.localdate(at):
        raise ValidationError({"due_on": _("期限不能早于今天。")})
    if row.name == "merge":
        master = data["master"]
        if master.pk == locked.pk or master.merged_into_id or master.status in (S.DRAFT, *Bottleneck.ENDED):
            raise ValidationError({"master": _("只能归并到另一个仍在办理、自身未被归并的问题。")})
    if row.name == "verify":
        _refuse_unchecked(locked, data["checked"])
        if data["result"] == Bottleneck.Result.SOLVED:
            _refuse_unmet(locked)
    if row.name == "dispatch" and not hasattr(data["assigned_to"], "institution_profile"):
        raise ValidationError({"assigned_to": _("承担机构须是登记过能力的赋能机构。")})
    if row.name == "file_solution":
        _refuse_future(data, timezone.localdate(at))


def _refuse_future(data: Mapping[str, Any], today: date) -> None:
    """Nothing was measured or issued later than today."""
    for key, day in (("after", "measured_after_on"), ("evidence", "issued_on")):
        if any(item[day] and item[day] > today for item in data[key]):
            raise ValidationError({key: _("日期不能晚于今天。")})


def _refuse_unchecked(row: Bottleneck, checked: Collection[int]) -> None:
    """The second lock: the verifier has looked at every piece of evidence, and it matched."""
    if not set(row.evidence.values_list("pk", flat=True)) <= set(checked):
        raise ValidationError({"checked": _("还有证据没有核对。全部相符才能核验通过。")})


def _refuse_unmet(row: Bottleneck) -> None:
    """The first lock of "solved": each target met (`domain.md` 4.3)."""
    unmet = [measure.metric for measure in row.measures.all() if measure.is_met is False]
    if unmet:
        sentence = _("“%(metrics)s”没有达到目标，不能认定为已解决；可以办理“阶段性解决”。")
        raise ValidationError({"result": sentence % {"metrics": formats.listed(unmet)}})


def _apply(
    row: Bottleneck,
    by_move: Move,
    data: Mapping[str, Any],
    *,
    by: User,
    acting_bureau: Bureau | None,
    at: datetime,
    stored: list[Attachment],
) -> dict[str, Any]:
    """Write what the move brings onto the row; returns what the event keeps of it."""
    details: dict[str, Any] = {}
    match by_move.name:
        case "submit":
            row.submitted_at = row.submitted_at or at
            row.code = row.code or _next_code(row, at)
            row.handler = row.bureau
        case "accept":
            row.accepted_at = row.accepted_at or at
            # The second check stands one level up; municipalities skip the city (`domain.md` 4.1).
            if row.handler.level >= Bureau.Level.COUNTY and row.handler.parent:
                row.handler = row.handler.parent
        case "return":
            details = {"gaps": data["gaps"]}
        case "reject":
            details = {"reason_code": data["reason_code"], "turn_to": data["turn_to"]}
        case "merge":
            row.merged_into = data["master"]
            details = {"master": data["master"].code}
        case "list":
            row.grade, row.route, row.due_on = data["grade"], data["route"], data["due_on"]
            row.is_common = bool(data.get("is_common"))
            row.listed_at = row.listed_at or at
            row.list_owner = acting_bureau
            details = {"grade": row.grade, "route": row.route, "due_on": row.due_on.isoformat()}
        case "dispatch":
            row.assigned_to = data["assigned_to"]
            details = {"assigned_to": row.assigned_to.uscc}
        case "decline":
            details = {"declined_by": row.assigned_to.uscc if row.assigned_to else ""}
            row.assigned_to = None
        case "file_solution":
            details = _keep_solution(row, data, by=by, stored=stored)
        case "verify":
            row.result = data["result"]
            row.resolved_at = at
            _mark_matched(row)
            details = {"result": row.result}
        case "continue" | "resume" | "restart":
            row.due_on = data["due_on"]
            details = {"due_on": row.due_on.isoformat()}
    return details


def _mark_matched(row: Bottleneck) -> None:
    for evidence in row.evidence.all():
        evidence.verify_state = Evidence.VerifyState.MATCHED
        evidence.save(update_fields=["verify_state"])


def _next_code(row: Bottleneck, at: datetime) -> str:
    prefix = f"DK-{timezone.localdate(at).year}-{row.bureau.code}"
    return f"{prefix}-{NumberSeries.next(prefix):05d}"


def _keep_solution(
    row: Bottleneck, data: Mapping[str, Any], *, by: User, stored: list[Attachment]
) -> dict[str, Any]:
    """Store solution, measured after-values, evidence and files; every metric must be measured again."""
    row.solution = data["solution"]
    after = {item["measure"]: item for item in data["after"]}
    kept = []
    for measure in row.measures.all():
        item = after.get(measure.pk)
        if item is None:
            raise ValidationError({"after": _("请填写“%s”解决后的值。") % measure.metric})
        measure.value_after = item["value_after"]
        measure.method_after = item.get("method_after", "")
        measure.measured_after_on = item["measured_after_on"]
        with at_field("after"):
            save_checked(measure, AFTER)
        kept.append({"metric": measure.metric, "value": str(measure.value_after)})
    scans = []
    for item in data["evidence"]:
        values = dict(item)
        scan = values.pop("file", None)
        evidence = row.evidence.filter(issuer=item["issuer"], number=item["number"]).first() or Evidence(
            bottleneck=row
        )
        for name, value in values.items():
            setattr(evidence, name, value)
        with at_field("evidence"):
            save_checked(evidence)
        scans.append((evidence, scan))
    # Words before files: what is refused for its words stores nothing.
    for evidence, scan in scans:
        if scan:
            evidence.attachment = _store(row, scan, by=by, stored=stored)
            evidence.save(update_fields=["attachment"])
    for upload in data.get("files", ()):
        _store(row, upload, by=by, stored=stored)
    return {"after": kept, "evidence": [evidence.number for evidence, _scan in scans]}


@by_whom
def attach(bottleneck: Bottleneck, upload: UploadedFile, *, by: User) -> Attachment:
    """Keep an uploaded file with the problem; the same content twice is one attachment.

    Raises PermissionDenied when the user is not the party whose turn it is, ValidationError when the file is
    too large, one too many, or not what its name says.
    """
    with files.removed_on_failure() as stored, transaction.atomic():
        locked = _locked(bottleneck.pk)
        if not may_attach(locked, by):
            raise PermissionDenied(_("现在不轮到您补充材料。"))
        return _store(locked, upload, by=by, stored=stored)


def _store(locked: Bottleneck, upload: UploadedFile, *, by: User, stored: list[Attachment]) -> Attachment:
    """Keep a file with a locked problem; what reaches the disk is put on the list first."""
    mime = files.check(upload)
    digest = hashlib.sha256()
    for chunk in upload.chunks():
        digest.update(chunk)
    if known := locked.attachments.filter(sha256=digest.hexdigest()).first():
        return known
    if locked.attachments.count() >= MAX_ATTACHMENTS:
        raise ValidationError(_("每个问题最多 %d 个附件，请先删除不需要的。") % MAX_ATTACHMENTS)
    attachment = Attachment(
        bottleneck=locked,
        file=upload,
        name=files.clean_name(upload.name or ""),
        size=upload.size or 0,
        mime=mime,
        sha256=digest.hexdigest(),
        uploaded_by=by,
    )
    stored.append(attachment)
    attachment.save()
    return attachment


@by_whom
def detach(attachment: Attachment, *, by: User) -> None:
    """Remove a file from a draft or returned problem; raises PermissionDenied otherwise."""
    with transaction.atomic():
        row = _locked(attachment.bottleneck_id)
        if not row_is_editable_by(row, by):
            raise PermissionDenied(_("已提交的材料不能删除。"))
        storage, name = attachment.file.storage, str(attachment.file.name)
        attachment.delete()
        transaction.on_commit(partial(storage.delete, name))


@by_whom
def discard(draft: Bottleneck, *, by: User) -> None:
    """Delete a draft with its files; raises PermissionDenied once it has been filed."""
    with transaction.atomic():
        locked = _locked(draft.pk)
        if locked.status != S.DRAFT or not row_is_editable_by(locked, by):
            raise PermissionDenied(_("问题已提交，不能删除；需要停办的，请办理撤回。"))
        for attachment in locked.attachments.all():
            storage, name = attachment.file.storage, str(attachment.file.name)
            transaction.on_commit(partial(storage.delete, name))
        locked.delete()


def row_is_editable_by(bottleneck: Bottleneck, user: User) -> bool:
    """The filing organisation may change the text as a draft and after a return (`domain.md` 2.2)."""
    return bottleneck.status in Bottleneck.EDITABLE and files_for(bottleneck, user)


def files_for(bottleneck: Bottleneck, user: User) -> bool:
    """Whether the user files for the organisation, or has prepared this draft before it may."""
    if bottleneck.is_provisional:
        return bottleneck.filer_id == user.pk
    return user.acts_for(bottleneck.organization_id, *FILING_ROLES)


def may_attach(bottleneck: Bottleneck, user: User) -> bool:
    """The party whose turn it is may add files."""
    if bottleneck.is_provisional:
        return row_is_editable_by(bottleneck, user)
    turn = STATES[bottleneck.status].turn
    return turn != Party.NOBODY and grant_for(bottleneck, turn, user) is not None


def void(row: Bottleneck | ChainProject | Consortium | KeyProject, *, by: User, reason: str) -> None:
    """Take a row out of every count for a stated reason; it stays readable (`domain.md` 5.4 rule 9).

    Raises PermissionDenied for anybody but an administrator of its bureau, ValidationError without a reason,
    StaleRow when somebody else did it first.
    """
    bureau = row.project.bureau if isinstance(row, KeyProject) else row.bureau
    if not (by.is_superuser or by.holds_over(bureau, Role.ADMINISTRATOR)):
        raise PermissionDenied(_("作废由该单位或上级单位的管理员办理。"))
    if not reason.strip():
        raise ValidationError({"reason": _("作废要写明原因。")})
    with transaction.atomic(), on_behalf(by, reason=reason.strip()):
        rows: Any = type(row)._default_manager
        locked = rows.judged("under the lock").select_for_update(of=("self",)).get(pk=row.pk)
        if locked.voided_at:
            raise StaleRow(_("这条记录已经作废。"))
        locked.voided_at, locked.void_reason = timezone.now(), reason.strip()
        locked.version += 1
        save_checked(locked, ("void_reason",))
    row.refresh_from_db()
