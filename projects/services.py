"""What happens when somebody files, attaches or moves; called alike by page, API, admin and task."""

from collections.abc import Collection, Mapping
from contextlib import suppress
from datetime import date, datetime
from functools import partial
from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied, ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.joining import applications_to_file
from accounts.models import FILING_ROLES, Role, User
from accounts.notices import members
from common.inserting import insert
from common.saving import check, save_checked
from common.scope import note_miss
from enterprises.models import Bureau, Organization
from projects import effects, files, notices, opinions, reports
from projects.models import (
    Attachment,
    Bottleneck,
    BottleneckContact,
    ChainProject,
    Consortium,
    KeyProject,
    Measure,
    Transition,
)
from projects.models.base import at_field
from projects.querysets import BottleneckQuerySet
from projects.workflow import (
    JUDGED,
    MOVES,
    STATES,
    Clock,
    Move,
    Party,
    amber_day,
    clock_of_state,
    grant_for,
    judge,
)
from record.acting import by_whom, on_behalf
from record.recording import add, one_change, read_under_lock

S = Bottleneck.Status
REFILED = (S.WITHDRAWN, S.LAPSED)
# What a filing says, and what it says of each metric.
FILED_FIELDS = (
    "chain",
    "segment",
    "product",
    "title",
    "symptom",
    "choke",
    "effect",
    "loss_estimate",
    "loss_basis",
    "urgency",
    "expected_by",
    "cause",
    "cause_analysis",
    "nqi_elements",
    "nqi_gap",
    "tried_already",
    "help_wanted",
    "help_text",
    "visibility",
    "consent_publish",
)
FILED_MEASURE = ("metric", "unit", "value_now", "method", "measured_on", "comparison", "target")


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
    origin = _origin(user, organization, application.desk if application else organization.bureau)
    with on_behalf(user):
        draft, _created = Bottleneck.objects.judged("by the organisation, below").get_or_create(
            public_id=public_id, defaults=origin | {"is_provisional": application is not None}
        )
    if draft.organization_id != organization.pk or not files_for(draft, user):
        raise PermissionDenied(_("您没有为该企业填报的权限。"))
    return draft


def _origin(user: User, organization: Organization, bureau: Bureau) -> dict[str, Any]:
    return {
        "organization": organization,
        "bureau": bureau,
        "handler": bureau,
        "filer": user,
        "created_by": user,
    }


@by_whom
def file(
    organization: Organization,
    public_id: UUID,
    *,
    by: User,
    values: Mapping[str, Any],
    measures: Collection[Mapping[str, Any]],
    contact: Mapping[str, Any],
) -> tuple[Bottleneck, bool]:
    """Store and submit a whole filing at once, as a program of the firm sends it.

    Answers the problem, and whether it was filed just now: sent again under the same address it is the same
    filing (`filed_as`), whatever else it says. Raises PermissionDenied when the user does not file for the
    organisation, ValidationError when something is missing or cannot stand.
    """
    grants = [it for it in by.grants_of(*FILING_ROLES) if it.organization_id == organization.pk]
    if not grants:
        raise PermissionDenied(_("您没有为该企业填报的权限。"))
    row = Bottleneck(public_id=public_id, **_origin(by, organization, organization.bureau), **values)
    parts = [Measure(bottleneck=row, **measure) for measure in measures]
    person = BottleneckContact(bottleneck=row, **contact)
    check(row, values)
    with at_field("measures"):
        for part in parts:
            check(part)
    check(person)
    filing, submit = {"measures": parts, "contact": person}, MOVES["submit"]
    # SQLite has one writer at a time: what is looked up before does not keep the others waiting.
    parties = notices.Parties([row], after=submit)
    try:
        with one_change(blindly=[Bottleneck, Transition, *map(type, parts)]), on_behalf(by, grants[0]):
            _carry_out(row, submit, by, filing, now=timezone.now(), stored=[], parties=parties)
            add([person])
            add(parts)
    except IntegrityError:
        # Sent again, or a rule of the database is broken, which says so in its own words.
        if known := filed_as(public_id, organization):
            return known, False
        row.pk = None
        if Bottleneck.objects.judged("nothing of it is told").filter(public_id=public_id).exists():
            note_miss(Bottleneck, public_id=public_id)
            sentence = _("这个标识已经用于另一个问题，请换一个。")
            raise ValidationError({"public_id": sentence}) from None
        row.validate_constraints()
        raise
    return row, True


def filed_as(public_id: UUID, organization: Organization) -> Bottleneck | None:
    """What the organisation has filed under this address.

    Whoever is told of it has filed: on SQLite a transaction is not over before what it read is on the disk.
    """
    stored = Bottleneck.objects.judged("by the organisation, here").filter(organization=organization)
    with transaction.atomic():
        return stored.exclude(status=S.DRAFT).filter(public_id=public_id).first()


@by_whom
def hand_over(draft: Bottleneck, *, to: User, by: User) -> None:
    """A colleague goes on with a draft or a returned filing, and is told so.

    Raises PermissionDenied when the row may not be edited by the user, ValidationError when the other does
    not file for the organisation.
    """
    with transaction.atomic():
        locked = _locked(draft.pk)
        if locked.is_provisional or not row_is_editable_by(locked, by):
            raise PermissionDenied(_("只能转交本企业尚未提交或退回补正的问题。"))
        if to.pk not in members(locked.organization_id, *FILING_ROLES):
            raise ValidationError(_("只能转交给为本企业填报的同事。"))
        if locked.filer_id == to.pk:
            return
        locked.filer = to
        locked.version += 1
        locked.save()
        notices.tell_of_hand_over(locked, to, by)


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
    with one_change():
        locked = _locked(bottleneck.pk)
        if not row_is_editable_by(locked, by):
            raise PermissionDenied(_("问题已提交，现在不能修改内容。"))
        if locked.version != version:
            raise StaleRow(_("这份草稿已在另一个窗口或由同事修改。"))
        # Read before, by whoever may revise it.
        for name in ("organization", "bureau"):
            if getattr(locked, f"{name}_id") == getattr(bottleneck, f"{name}_id"):
                setattr(locked, name, getattr(bottleneck, name))
        read_under_lock(locked)
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


def move(
    bottleneck: Bottleneck,
    name: str,
    *,
    by: User | None,
    data: Mapping[str, Any] | None = None,
    version: int | None = None,
    at: datetime | None = None,
) -> Transition:
    """Carry out one move of the transition table and append its event; ``by`` nobody, it is the system's.

    The row is locked first, so of two people who click at once one wins. ``version`` is the revision the
    user looked at; None asks for no comparison. ``at`` is now unless it is said. Raises StaleRow when the row
    has moved on since, PermissionDenied when the user may not make the move, ValidationError (by key of
    ``data``) when something it needs is missing.
    """
    row = MOVES[name]
    data = dict(data or {})
    now = at or timezone.now()
    if name == "verify":
        reports.verify_again(bottleneck)
    with files.removed_on_failure() as stored, one_change():
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
        read_under_lock(locked)
        event = _carry_out(locked, row, by, data, now=now, stored=stored)
        if row.name in ("verify", "reopen"):
            _lead_children(locked, now)
    for field in Bottleneck._meta.concrete_fields:
        setattr(bottleneck, field.attname, getattr(locked, field.attname))
    return event


def _carry_out(
    locked: Bottleneck,
    row: Move,
    by: User | None,
    data: Mapping[str, Any],
    *,
    now: datetime,
    stored: list[Attachment],
    parties: notices.Parties | None = None,
) -> Transition:
    """Judge the move, write what it brings, its event and its notices."""
    choice = judge(locked, row, by, now)
    if not choice.allowed:
        raise PermissionDenied(choice.refusal)
    grant, today = choice.grant, timezone.localdate(now)
    # A server's time may be set back: no step is dated before the one it follows. Limits run by the day.
    at = max(now, locked.status_changed_at or now)
    doing = effects.Doing(locked, data, by, grant.bureau if grant else None, at, today, stored)
    effects.check(row, doing)
    with on_behalf(by, grant, data.get("reason", "")):
        details = effects.apply(row, doing)
        source, locked.status = locked.status, row.leads_to(locked.status)
        _set_clock(locked, row, data, today)
        locked.status_changed_at = at
        locked.version += 1
        steps = locked.transitions.count() if locked.pk else 0
        locked.save()
        if source in JUDGED and locked.status not in JUDGED:
            opinions.close(locked, at)
        event = Transition(
            bottleneck=locked,
            sequence=steps + 1,
            at=at,
            move=row.name,
            source=source,
            target=locked.status,
            actor=by,
            principal=grant.principal if grant else None,
            bureau=grant.bureau if grant else None,
            organization=grant.organization if grant else None,
            handler=locked.handler,
            clock_due_on=locked.clock_due_on,
            reason=data.get("reason", ""),
            details=details,
        )
        insert([event], told=True)
        notices.tell_of_move(locked, event, parties)
    return event


def _set_clock(locked: Bottleneck, row: Move, data: Mapping[str, Any], day: date) -> None:
    """Start the clock of the state that was reached; a move that stays lets it run, or puts it off."""
    if row.name == "report_up":
        locked.escalated_to = locked.handler.parent
    elif row.name == "extend":
        start = locked.clock_started_on or day
        state = STATES[locked.status]
        amber = amber_day(start, data["extended_to"], in_workdays=bool(state.limit))
        _run(locked, Clock(start, amber, data["extended_to"]))
        locked.extended_count += 1
        locked.escalated_to = None
    elif row.target or row.restarts_clock:
        _run(locked, clock_of_state(locked, locked.status, day, data.get("closes_on")))
        locked.extended_count, locked.escalated_to = 0, None


def _run(locked: Bottleneck, clock: Clock | None) -> None:
    locked.clock_started_on, locked.clock_amber_on, locked.clock_due_on = clock or (None, None, None)


def _lead_children(master: Bottleneck, at: datetime) -> None:
    """What was merged into a master is solved, and open again, with it (`domain.md` 4.4)."""
    children = Bottleneck.objects.judged("the children of a master").filter(merged_into=master)
    for child in children.order_by("pk"):
        # One whose merger was undone at this very moment goes its own way.
        with suppress(StaleRow):
            move(child, "follow", by=None, data={"leader": master}, at=at)


def refile(ended: Bottleneck, *, by: User, public_id: UUID) -> Bottleneck:
    """A new draft with everything that a withdrawn or lapsed problem said; its number will be another.

    Asked twice it is the same draft. Raises PermissionDenied when the user does not file for the firm,
    ValidationError when the problem is not at such an end.
    """
    with transaction.atomic(), on_behalf(by):
        locked = _locked(ended.pk)
        if locked.status not in REFILED:
            raise ValidationError(_("只有已撤回或逾期失效的问题可以重新填报。"))
        known = Bottleneck.objects.judged("by the organisation, below").filter(refiled_from=locked).first()
        draft = known or draft_for(by, locked.organization, public_id)
        if not files_for(draft, by):
            raise PermissionDenied(_("您没有为该企业填报的权限。"))
        if known:
            return known
        for name in FILED_FIELDS:
            setattr(draft, name, getattr(locked, name))
        draft.refiled_from = locked
        draft.save()
        for measure in locked.measures.all():
            Measure.objects.create(
                bottleneck=draft, **{name: getattr(measure, name) for name in FILED_MEASURE}
            )
        if contact := getattr(locked, "contact", None):
            BottleneckContact.objects.create(bottleneck=draft, name=contact.name, phone=contact.phone)
    return draft


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
        "who": last.bureau or last.organization or _("系统"),
        "when": timezone.localtime(last.at).strftime("%Y-%m-%d %H:%M"),
        "what": MOVES[last.move].done,
        "state": bottleneck.get_status_display(),
    }


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
        return files.keep(locked, upload, by=by, stored=stored)


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


def shared_for(user: User) -> BottleneckQuerySet:
    """Problems that firms opened to bureaus everywhere; raises PermissionDenied for anybody else."""
    if not user.scope.is_of_bureau:
        raise PermissionDenied(_("系统内共享的问题供市场监管部门查阅。"))
    return Bottleneck.objects.shared()


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
