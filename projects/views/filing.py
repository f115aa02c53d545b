"""The workspace of a firm or institution, and the journey by which a firm files a problem."""

import copy
import uuid
from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import F, Q
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.joining import applications_to_file, registrations_of, why_not_yet
from accounts.models import FILING_ROLES, Registration, Role, User
from accounts.notices import members
from common import formats
from common.forms import readable
from common.scope import Noting, note_miss
from enterprises.models import Organization
from projects import services
from projects.clock import clock_of, task_of, turn_of
from projects.completeness import gaps_before_filing
from projects.completion import FACT_OF, as_filed, last_return
from projects.facts import Fact, facts_of
from projects.forms.filing import (
    STEP_FORMS,
    FilingForm,
    HandOverForm,
    HappeningForm,
    HelpForm,
    MeasureForms,
    step_of_field,
)
from projects.models import Bottleneck, BottleneckContact, Measure, Transition
from projects.similar import Said
from projects.timeline import file_entry
from projects.twins import related_to
from projects.views.problem import posted_version
from projects.workflow import STATES, Party

S = Bottleneck.Status
# Rows of a group on the workspace; the list page has them all.
SHOWN = 30
# Two neighbouring characters each: less says nothing yet.
ENOUGH_GRAMS = 4
CHECK_DAYS = settings.WORKING_DAY_LIMITS["submitted"]


# --- Workspace ---------------------------------------------------------------------------------------------


@login_required
@require_GET
def workspace(request: HttpRequest) -> HttpResponse:
    """The problems of the user's organisations by whose turn it is."""
    user = request.user
    registrations = registrations_of(user)
    if not user.scope.organization_ids and not registrations:
        return redirect("projects:desk")
    filing = [grant.organization_id for grant in user.grants_of(*FILING_ROLES)]
    institutions = [grant.organization for grant in user.grants_of(Role.INSTITUTION)]
    solving = [institution.pk for institution in institutions]
    own = Bottleneck.objects.visible_to(user).filter(
        Q(organization__in=user.scope.organization_ids)
        | Q(assigned_to__in=user.scope.organization_ids)
        | Q(is_provisional=True),
        voided_at__isnull=True,
    )
    turns = {party: [code for code, state in STATES.items() if state.turn == party] for party in Party}
    mine = Q(status__in=turns[Party.FILER], organization__in=filing) | Q(
        status__in=turns[Party.INSTITUTION], assigned_to__in=solving
    )
    drafts = own.filter(Q(organization__in=filing) | Q(is_provisional=True), status=S.DRAFT)
    filed = own.exclude(status=S.DRAFT)
    groups = [
        _group("mine", _("需要您办理"), filed.filter(mine).by_clock()),
        _group(
            "others", _("等待他人办理"), filed.exclude(status__in=Bottleneck.ENDED).exclude(mine).by_clock()
        ),
        _group(
            "ended",
            _("已办结"),
            filed.filter(status__in=Bottleneck.ENDED).order_by(
                F("status_changed_at").desc(nulls_last=True), "-pk"
            ),
        ),
    ]
    context = {
        "groups": groups,
        "drafts": drafts.select_related("organization").order_by("-updated_at"),
        "files_here": bool(filing) or any(row.prepares for row in registrations),
        "registrations": registrations,
        "institutions": institutions,
        "several": len(user.scope.organization_ids) > 1,
        "rail_counts": {"problems": groups[0]["total"]},
    }
    return render(request, "projects/workspace.html", context)


def _group(name: str, heading: str, rows: Any) -> dict[str, Any]:
    total = rows.count()
    shown = list(rows.for_lists().select_related("bureau")[:SHOWN]) if total else []
    for row in shown:
        row.clock, row.turn, row.task = clock_of(row), turn_of(row), task_of(row)
    return {"name": name, "heading": heading, "rows": shown, "total": total, "more": total - len(shown)}


# --- Beginning ---------------------------------------------------------------------------------------------


def _filing_organizations(user: User) -> list[Organization]:
    seen = {row.organization_id: _as_claimed(row) for row in applications_to_file(user)}
    seen |= {grant.organization_id: grant.organization for grant in user.grants_of(*FILING_ROLES)}
    return list(seen.values())


def _as_claimed(application: Registration) -> Organization:
    """The organisation as its applicant knows it: by the name that it gave."""
    application.organization.name = application.name
    application.organization.bureau = application.desk
    return application.organization


def _name_as_claimed(row: Bottleneck, user: User) -> None:
    for application in registrations_of(user):
        if application.organization_id == row.organization_id:
            row.organization = _as_claimed(application)


@login_required
@require_GET
def new(request: HttpRequest) -> HttpResponse:
    """The secrecy notice, what to have at hand, and for which organisation one files."""
    organizations = _filing_organizations(request.user)
    if not organizations:
        raise PermissionDenied(_("只有企业的填报人和链主联络人可以填报问题。"))
    # The row is made by the first save under the address made here, so a doubled click makes one draft.
    address = reverse("projects:bottleneck_edit", args=[uuid.uuid4(), "happening"])
    starts = [(organization, f"{address}?for={organization.uscc}") for organization in organizations]
    return render(request, "projects/filing/start.html", {"starts": starts, "days": CHECK_DAYS})


def _is_taken(public_id: uuid.UUID) -> bool:
    """Whether any row has this address, which only its own people know."""
    return Bottleneck.objects.judged("nothing of it is told").filter(public_id=public_id).exists()


def _row(request: HttpRequest, public_id: uuid.UUID) -> Bottleneck:
    """The problem of this address, or an unsaved one when the address was just given out."""
    rows = Bottleneck.objects.visible_to(request.user).filter(public_id=public_id)
    if request.method == "GET":
        rows = rows.select_related(
            "organization__bureau", "organization__contact", "bureau", "handler", "filer", "contact"
        ).select_related("chain", "segment")
    else:
        rows = rows.select_related("organization", "bureau")
    if row := rows.first():
        if row.is_provisional:
            _name_as_claimed(row, request.user)
        return row
    wanted = request.GET.get("for")
    for organization in _filing_organizations(request.user):
        if organization.uscc == wanted and not _is_taken(public_id):
            return Bottleneck(
                public_id=public_id,
                organization=organization,
                is_provisional=not request.user.acts_for(organization.pk, *FILING_ROLES),
                bureau=organization.bureau,
                handler=organization.bureau,
                filer=request.user,
            )
    # Asked again: the first of two clicks may have made it just now.
    return get_object_or_404(rows, public_id=public_id)


def _refuse_others(row: Bottleneck, user: User) -> None:
    if not services.files_for(row, user):
        raise PermissionDenied(_("只有提出企业的填报人可以修改问题内容。"))


def _refuse_unless_editable(row: Bottleneck, user: User) -> None:
    _refuse_others(row, user)
    if not services.row_is_editable_by(row, user):
        raise PermissionDenied(
            _("问题 %(code)s 已提交，现在不能修改内容。办理单位退回补正后可以修改，也可以先撤回再重新填报。")
            % {"code": row.code}
        )


# --- Steps -------------------------------------------------------------------------------------------------


class StepLink(NamedTuple):
    """A step of `partials/_steps.html`."""

    label: str
    state: str
    href: str


STEPS = ("happening", "extent", "help", "check")


def _step_labels() -> dict[str, str]:
    return {
        "happening": _("发生了什么"),
        "extent": _("影响有多大"),
        "help": _("需要什么帮助"),
        "check": _("核对并提交"),
    }


def _address(row: Bottleneck, step: str) -> str:
    return reverse("projects:bottleneck_edit", args=[row.public_id, step])


def _gaps_of_bureau(row: Bottleneck) -> list[dict[str, str]]:
    """What the bureau asked to complete at the last return."""
    if row.status != S.RETURNED:
        return []
    last = last_return(row)
    return [
        gap | {"href": f"{_address(row, step_of_field(gap['field']))}#id_{gap['field']}"}
        for gap in (last.details.get("gaps", []) if last else [])
    ]


def _journey(row: Bottleneck, step: str) -> dict[str, Any]:
    """What every step of the journey shows beside its fields."""
    missing = gaps_before_filing(row) if row.pk else {name: [] for name in STEP_FORMS}
    gaps = _gaps_of_bureau(row)
    faulty = {step_of_field(gap["field"]) for gap in gaps}
    links = []
    for name, label in _step_labels().items():
        if name == step:
            state = "current"
        elif name in faulty or (step == "check" and name in missing):
            state = "fault"
        else:
            state = "todo" if name == "check" or name in missing or not row.pk else "done"
        links.append(StepLink(label, state, _address(row, name) if row.pk else ""))
    return {
        "bottleneck": row,
        "step": step,
        "step_label": _step_labels()[step],
        "steps": links,
        "gaps": gaps,
        "missing": missing,
    }


class StepInput:
    """What was typed on one step: the form, and on the second step the metrics beside it."""

    def __init__(self, row: Bottleneck, step: str, data: Any = None, files: Any = None) -> None:
        gaps: dict[str, list[str]] = {}
        for gap in _gaps_of_bureau(row) if row.pk else ():
            gaps.setdefault(gap["field"], []).append(gap["text"])
        self.row, self.step = row, step
        self.form: FilingForm = STEP_FORMS[step](data, files, instance=row, gaps=gaps)
        self.measures = MeasureForms(row, data) if step == "extent" else None
        self.measure_gaps = gaps.get("measures", [])

    @property
    def all_forms(self) -> list[Any]:
        return [*(self.measures or ()), self.form]

    def is_valid(self) -> bool:
        # Both are asked, so that all faults stand on the page at once.
        return all([self.measures is None or self.measures.is_valid(), self.form.is_valid()])

    def measure_rows(self) -> list[dict[str, Any]] | None:
        return self.measures.rows() if self.measures and self.measures.is_valid() else None

    def contact(self) -> dict[str, str] | None:
        return self.form.contact_values() if isinstance(self.form, HelpForm) else None

    def save(self, user: User, version: int) -> Bottleneck:
        """Store everything that can stand; see `services.revise` for what is raised."""
        return services.revise(
            self.row if self.row.pk else services.draft_for(user, self.row.organization, self.row.public_id),
            by=user,
            version=version,
            values=self.form.values(),
            measures=self.measure_rows(),
            contact=self.contact(),
        )

    def differences(self) -> list[tuple[str, str, str]]:
        """Where the stored row says something else than what was typed: label, stored, typed."""
        stored = Bottleneck.objects.judged("read before").get(public_id=self.row.public_id)
        typed = copy.copy(stored)
        for name, value in self.form.values().items():
            field = Bottleneck._meta.get_field(name)
            setattr(typed, name, value if field.is_relation else field.to_python(value))
        kept, kept_contact = list(stored.measures.all()), getattr(stored, "contact", None)
        rows, contact = self.measure_rows(), self.contact()
        before = facts_of(stored, self.step, kept, kept_contact)
        after = facts_of(
            typed,
            self.step,
            kept if rows is None else [Measure(**row) for row in rows],
            kept_contact if contact is None else BottleneckContact(**contact),
        )
        return [
            (old.label, old.text, new.text)
            for old, new in zip(before, after, strict=True)
            if old.text != new.text
        ]


@login_required
@require_http_methods(["GET", "POST"])
def edit(request: HttpRequest, public_id: uuid.UUID, step: str) -> HttpResponse:
    """One step of the journey; each has its own address."""
    if step not in STEPS:
        raise Http404
    row = _row(request, public_id)
    if step == "check":
        return _check(request, row)
    if request.method == "POST":
        return (
            _save_step(request, row, step)
            if services.row_is_editable_by(row, request.user)
            else _closed(request, row, step)
        )
    _refuse_unless_editable(row, request.user)
    return _step_page(request, row, StepInput(row, step))


def _step_page(
    request: HttpRequest, row: Bottleneck, typed: StepInput, status: int = 200, **more: Any
) -> HttpResponse:
    if isinstance(typed.form, HappeningForm):
        address = reverse("projects:bottleneck_segments", args=[row.public_id])
        typed.form.fields["chain"].widget.attrs |= {
            "hx-get": f"{address}{_kept_query(request)}",
            "hx-target": "#segment-field",
        }
        more |= _related(Said.by(row), row, request.user)
    context = _journey(row, typed.step) | {
        "form": typed.form,
        "forms": typed.all_forms,
        "measures": typed.measures,
        "measure_gaps": typed.measure_gaps,
        "files": _removable_files(row) if typed.step == "help" else [],
        "version": row.version,
        "query": _kept_query(request),
    }
    return render(request, f"projects/filing/{typed.step}.html", context | more, status=status)


def _kept_query(request: HttpRequest) -> str:
    """The part of the address that the next request needs again."""
    kept = {name: request.GET[name] for name in ("for", "back") if name in request.GET}
    return f"?{urlencode(kept)}" if kept else ""


def _removable_files(row: Bottleneck) -> list[dict[str, Any]]:
    """Files with a button that saves the step and removes the file."""
    if not row.pk:
        return []
    return [
        file_entry(attachment) | {"remove_url": f"{_address(row, 'help')}?remove={attachment.public_id}"}
        for attachment in row.attachments.all()
    ]


def _save_step(request: HttpRequest, row: Bottleneck, step: str) -> HttpResponse:
    user = request.user
    typed = StepInput(row, step, request.POST, request.FILES)
    version = posted_version(request)
    valid = typed.is_valid()
    if valid:
        try:
            row = typed.save(user, version)
            version = row.version
        except services.StaleRow as stale:
            row = Bottleneck.objects.visible_to(user).get(public_id=row.public_id)
            version = row.version
            if differences := typed.differences():
                return _step_page(request, row, typed, 409, stale=str(stale), differences=differences)
        except PermissionDenied:
            # Filed by somebody else between the question and the lock.
            return _closed(request, Bottleneck.objects.visible_to(user).get(public_id=row.public_id), step)
        except ValidationError as fault:
            typed.form.add_error(None, fault.messages)
            valid = False
    if row.pk and step == "help":
        # A browser cannot show chosen files again, so they are kept whatever else is wrong.
        valid = _keep_files(row, typed.form, request) and valid
    if not valid:
        # What was not saved still stands on the revision from which it was typed.
        return _step_page(request, row, typed, 422, version=version)
    return _onward(request, row, step)


def _keep_files(row: Bottleneck, form: FilingForm, request: HttpRequest) -> bool:
    """Add the files that were chosen and remove the one that was asked to go; false when one was refused."""
    kept = True
    for upload in request.FILES.getlist("files"):
        try:
            services.attach(row, upload, by=request.user)
        except ValidationError as fault:
            form.add_error("files", fault.messages)
            kept = False
    if removed := request.GET.get("remove"):
        try:
            attachment = row.attachments.find(public_id=uuid.UUID(removed))
        except ValueError:
            raise Http404 from None
        # Gone already after a doubled click.
        if attachment:
            services.detach(attachment, by=request.user)
    return kept


def _onward(request: HttpRequest, row: Bottleneck, step: str) -> HttpResponse:
    """Where the button leads after the step was saved."""
    if "remove" in request.GET or "add_files" in request.POST:
        return redirect(f"{_address(row, step)}{_kept_query(request)}#id_files")
    if "list_segments" in request.POST:
        return redirect(f"{_address(row, step)}{_kept_query(request)}#id_segment")
    if "leave" in request.POST:
        messages.success(request, _saved_words(row))
        return redirect("projects:workspace")
    following = "check" if request.GET.get("back") == "check" else STEPS[STEPS.index(step) + 1]
    return redirect(_address(row, following))


def _saved_words(row: Bottleneck) -> str:
    return format_html(
        _('“{}”已保存，可以随时在任何电脑上<a href="{}">继续填报</a>。'), row, _address(row, "check")
    )


def _closed(request: HttpRequest, row: Bottleneck, step: str) -> HttpResponse:
    """The row was filed meanwhile: what was typed is shown, and why it was not stored."""
    _refuse_others(row, request.user)
    return _step_page(request, row, StepInput(row, step, request.POST), 409, closed=_closed_words(row))


def _closed_words(row: Bottleneck) -> str:
    last = row.transitions.select_related("actor").last()
    return _(
        "%(who)s已于 %(when)s 提交这个问题，您在本页填写的内容没有保存。如需补充，可以复制下来告诉办理单位。"
    ) % {
        "who": (last and last.actor) or row.organization,
        "when": formats.moment(last.at if last else row.submitted_at),
    }


@login_required
@require_POST
def autosave(request: HttpRequest, public_id: uuid.UUID, step: str) -> JsonResponse:
    """Store what was typed so far; 409 says what happened elsewhere and how to go on."""
    if step not in STEP_FORMS:
        raise Http404
    row = _row(request, public_id)
    if not services.row_is_editable_by(row, request.user):
        _refuse_others(row, request.user)
        return JsonResponse({"message": _closed_words(row)}, status=409)
    typed = StepInput(row, step, request.POST)
    complete = typed.is_valid()
    try:
        row = typed.save(request.user, posted_version(request))
    except services.StaleRow as stale:
        row = Bottleneck.objects.visible_to(request.user).get(public_id=public_id)
        if not services.row_is_editable_by(row, request.user):
            return JsonResponse({"message": _closed_words(row)}, status=409)
        if typed.differences():
            how_on = _("您填写的内容仍在本页，点“保存并继续”可以对照两份内容，再决定保留哪一份。")
            return JsonResponse({"message": f"{stale}{how_on}"}, status=409)
    except ValidationError:
        complete = False
    return JsonResponse(
        {
            "saved_at": timezone.localtime(row.updated_at).strftime("%H:%M") if row.pk else "",
            "version": row.version,
            "note": "" if complete else _("（有未填全或需要修改的项，这几项暂未保存）"),
        }
    )


@login_required
@require_GET
def segments(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """The segment field for the chain chosen on the first step."""
    row = _row(request, public_id)
    _refuse_unless_editable(row, request.user)
    chosen = request.GET.get("chain", "")
    form = HappeningForm(instance=row, initial={"chain": chosen})
    return HttpResponse(form["segment"].as_field_group())


@login_required
@require_POST
def similar(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """The problems that say nearly what has been typed so far."""
    row = _row(request, public_id)
    _refuse_unless_editable(row, request.user)
    typed = {name: readable(request.POST.get(name, ""))[:1000] for name in ("title", "product", "symptom")}
    chain = request.POST.get("chain", "")
    chosen = int(chain) if chain.isascii() and chain.isdecimal() and len(chain) < 10 else None
    said = Said(**typed, chain_id=chosen, nqi_gap=row.nqi_gap)
    return render(request, "projects/filing/_similar.html", _related(said, row, request.user))


def _related(said: Said, row: Bottleneck, user: User) -> dict[str, Any]:
    enough = len(said.grams) >= ENOUGH_GRAMS
    return {"related": related_to(said, user, but=row.pk) if enough else [], "enough": enough}


# --- Checking and submitting -------------------------------------------------------------------------------


def _check(request: HttpRequest, row: Bottleneck) -> HttpResponse:
    if not row.pk:
        raise Http404
    if request.method == "POST":
        return _submit(request, row)
    _refuse_unless_editable(row, request.user)
    return _check_page(request, row)


def _check_page(
    request: HttpRequest, row: Bottleneck, status: int = 200, *, answers: Sequence[str] = (), **more: Any
) -> HttpResponse:
    measures, contact = list(row.measures.all()), getattr(row, "contact", None)
    files = [file_entry(attachment) for attachment in row.attachments.all()]
    journey = _journey(row, "check")
    labels = _step_labels()
    sections = []
    for name in STEP_FORMS:
        wanting = dict(journey["missing"].get(name, ()))
        facts: list[Fact] = facts_of(row, name, measures, contact)
        sections.append(
            {
                "name": name,
                "label": labels[name],
                "href": f"{_address(row, name)}?back=check",
                "facts": [(fact, wanting.get(_gap_name(fact.name), "")) for fact in facts],
            }
        )
    faults = [
        {"text": sentence, "href": f"{_address(row, name)}?back=check#{_anchor(field)}"}
        for name, missing in journey["missing"].items()
        for field, sentence in missing
    ]
    returned = last_return(row) if row.status == S.RETURNED else None
    was, now = (returned.details.get("filed", {}) if returned else {}), as_filed(row)
    for number, gap in enumerate(journey["gaps"]):
        name = FACT_OF.get(gap["field"], gap["field"])
        gap["answer"] = answers[number] if number < len(answers) else ""
        gap["now"] = now.get(name, "")
        gap["was"] = was.get(name, gap["now"])
    context = journey | {
        "sections": sections,
        "faults": faults,
        "files": files,
        "version": row.version,
        "days": CHECK_DAYS,
        "not_yet": why_not_yet(row.filer_id, row.organization_id) if row.is_provisional else "",
    }
    return render(request, "projects/filing/check.html", context | more, status=status)


def _gap_name(fact: str) -> str:
    return "contact_name" if fact == "contact" else fact


def _anchor(field: str) -> str:
    return "id_measure-0-metric" if field == "measures" else f"id_{field}"


def _submit(request: HttpRequest, row: Bottleneck) -> HttpResponse:
    user = request.user
    _refuse_others(row, user)
    if _was_filed(row):
        # The second of two clicks: it has been done.
        return redirect("projects:bottleneck_submitted", row.public_id)
    _refuse_unless_editable(row, user)
    typed = {
        "reason": _typed(request.POST.get("reason", "")),
        "answers": [_typed(text) for text in request.POST.getlist("answer")],
    }
    try:
        services.move(
            row,
            "submit",
            by=user,
            data={"reason": typed["reason"], "answers": dict(enumerate(typed["answers"]))},
            version=posted_version(request),
        )
    except services.StaleRow as stale:
        row = _row(request, row.public_id)
        if _was_filed(row):
            return redirect("projects:bottleneck_submitted", row.public_id)
        return _check_page(request, row, 409, stale=str(stale), **typed)
    except ValidationError:
        return _check_page(request, row, 422, **typed)
    return redirect("projects:bottleneck_submitted", row.public_id)


def _typed(text: str) -> str:
    return readable(text).strip()[:500]


def _was_filed(row: Bottleneck) -> bool:
    return row.status == S.SUBMITTED


@login_required
@require_GET
def submitted(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """The receipt: the number, who looks at it until when, and what to do meanwhile."""
    row = _row(request, public_id)
    filing: Transition | None = row.transitions.filter(move="submit").last() if row.pk else None
    if filing is None or not request.user.acts_for(row.organization_id, *FILING_ROLES):
        raise Http404
    return render(request, "projects/filing/submitted.html", {"bottleneck": row, "filing": filing})


@login_required
@require_http_methods(["GET", "POST"])
def hand_over(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """Choose the colleague who goes on with a draft or a returned filing."""
    row = get_object_or_404(Bottleneck.objects.visible_to(request.user), public_id=public_id)
    if row.is_provisional or not services.row_is_editable_by(row, request.user):
        raise PermissionDenied(_("只能转交本企业尚未提交或退回补正的问题。"))
    people = members(row.organization_id, *FILING_ROLES)
    colleagues = Noting(User).filter(pk__in=people - {row.filer_id}).order_by("name", "pk")
    form = HandOverForm(request.POST or None, colleagues=colleagues)
    if request.method == "POST" and form.is_valid():
        to = form.cleaned_data["to"]
        services.hand_over(row, to=to, by=request.user)
        words = {"title": row, "name": to}
        messages.success(request, _("“%(title)s”已转交%(name)s填报。") % words)
        return redirect("projects:workspace")
    context = {
        "bottleneck": row,
        "form": form,
        "colleagues": colleagues,
        "cancel_url": _address(row, "check"),
    }
    return render(request, "projects/filing/hand_over.html", context)


@login_required
@require_http_methods(["GET", "POST"])
def delete(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """Ask, then delete a draft."""
    row = Bottleneck.objects.visible_to(request.user).filter(public_id=public_id).first()
    if row is None:
        if request.method == "POST" and not _is_taken(public_id):
            # The second of two clicks: it is gone already.
            return redirect("projects:workspace")
        note_miss(Bottleneck, public_id=public_id)
        raise Http404
    if row.status != S.DRAFT or not services.row_is_editable_by(row, request.user):
        raise PermissionDenied(_("只能删除本企业尚未提交的草稿。"))
    if request.method == "POST":
        title = str(row)
        services.discard(row, by=request.user)
        messages.success(request, _("草稿“%(title)s”已删除。") % {"title": title})
        return redirect("projects:workspace")
    files = row.attachments.count()
    context = {
        "bottleneck": row,
        "files_words": ngettext("%(n)s 个附件", "%(n)s 个附件", files) % {"n": files} if files else "",
        "cancel_url": _address(row, "check"),
        "danger": True,
    }
    return render(request, "projects/filing/delete.html", context)
