"""The three lists: all of them, one version, drafting, steps, differences, paper and workbook; policies."""

import uuid
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy
from django.views import View
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.models import Role
from common import downloads
from common.listing import Column, Day, ListPage, Number, State, Title, Words
from common.steps import refusals_told
from common.workbooks import XLSX
from projects import instruments, list_files, listed, quality_lists
from projects.field_classes import FieldClass
from projects.filters import InstrumentFilter, QualityListFilter
from projects.forms.lists import HeadForm, InstrumentForm, ListForm, ReasonForm, WithdrawForm, rows_of
from projects.models import PolicyInstrument, QualityList
from projects.quality_lists import STEPS
from projects.services import StaleRow
from projects.timeline import Event

# Live rows offered to be added, at most.
OFFERED = 20
# Lines of a draft on one page, of three fields each: Django takes a thousand fields of one form at most.
EDITED = 100
Status = QualityList.Status


def _keeps_any(user: Any) -> bool:
    return user.is_authenticated and bool(user.grants_of(Role.OFFICER))


class QualityListList(ListPage):
    """Published lists for everybody; drafts besides for the bureau line."""

    model = QualityList
    filterset_class = QualityListFilter
    heading = gettext_lazy("三张清单")
    default_sort = "-effective"
    filter_lead = "q,chain,kind,bureau,status"
    template_name = "projects/lists/list.html"
    columns = (
        Title(
            "chain",
            gettext_lazy("产业链"),
            "chain__name",
            url="projects:quality_list",
            key="public_id",
            order=("chain__code", "kind", "bureau__code", "-version"),
        ),
        Words("kind", gettext_lazy("清单"), "kind", choices=QualityList.Kind.choices),
        Column("bureau", gettext_lazy("清单单位"), "bureau__short_name", order=("bureau__code",)),
        Number("version", gettext_lazy("版本"), "version"),
        State("status", gettext_lazy("状态"), "status", model=QualityList),
        Day("effective", gettext_lazy("实施日期"), "effective_on", order=("effective_on", "pk")),
        Day("published", gettext_lazy("发布日期"), "published_at"),
    )
    empty_title = gettext_lazy("还没有发布清单")
    empty_text = gettext_lazy("各级单位按产业链列出质量问题、重点攻关项目和质量政策工具，批准后在这里发布。")
    empty_symbol = "list"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        # What is published is for everybody.
        return View.dispatch(self, request, *args, **kwargs)

    def more_context(self, context: dict[str, Any]) -> dict[str, Any]:
        return {"may_draft": _keeps_any(self.request.user)}


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """Draft the next version of a list from live rows."""
    if not _keeps_any(request.user):
        raise PermissionDenied(_("清单由清单单位或上级单位的经办人员办理。"))
    initial = {name: request.GET[name] for name in ("chain", "kind", "bureau") if name in request.GET}
    form = ListForm(request.POST if request.method == "POST" else None, user=request.user, initial=initial)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            row = quality_lists.draft(
                data["chain"],
                data["bureau"],
                data["kind"],
                by=request.user,
                effective_on=data["effective_on"],
                notes=data["notes"],
            )
        except ValidationError as fault:
            form.take_faults(fault)
        else:
            messages.success(request, _("已按现在的情况起草，请核对、增删、备注后提交批准。"))
            return redirect("projects:quality_list_edit", row.public_id)
    return render(request, "projects/lists/new.html", {"form": form}, status=400 if form.errors else 200)


def _readable(request: HttpRequest, public_id: uuid.UUID) -> QualityList:
    """The list as far as it exists for the reader; 404 otherwise."""
    rows = QualityList.objects.visible_to(request.user).select_related(
        "chain", "bureau", "supersedes", "drafted_by", "submitted_by", "returned_by", "approved_by",
        "published_by",
    )  # fmt: skip
    return get_object_or_404(rows, public_id=public_id)


def _kept(request: HttpRequest, public_id: uuid.UUID) -> QualityList:
    row = _readable(request, public_id)
    if not quality_lists.keeps(row, request.user):
        raise PermissionDenied(_("清单由清单单位或上级单位的经办人员办理。"))
    return row


@require_safe
def detail(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """One version: its lines, its other versions, what became of it, and what may be done now."""
    row = _readable(request, public_id)
    reading = listed.read(row, request.user)
    full = reading.reader == FieldClass.PARTIES
    versions = QualityList.objects.visible_to(request.user).of(row.chain, row.bureau, row.kind)
    context = {
        "list": row,
        "reading": reading,
        "versions": list(versions),
        "events": _events(row) if full else [],
        "actions": _actions(row, request) if quality_lists.keeps(row, request.user) else [],
        "full": full,
    }
    return render(request, "projects/lists/detail.html", context)


def _actions(row: QualityList, request: HttpRequest) -> list[dict[str, Any]]:
    """The steps of this state, for `partials/_actions.html`: those refused say why."""
    if row.is_frozen:
        return []
    actions: list[dict[str, Any]] = []
    if row.status == Status.DRAFT:
        edit = reverse("projects:quality_list_edit", args=[row.public_id])
        actions.append({"label": _("编辑草案"), "href": edit, "why": ""})
    for name, step in STEPS.items():
        if row.status in step.sources:
            href = reverse("projects:quality_list_step", args=[row.public_id, name])
            actions.append(
                {
                    "label": step.label,
                    "href": f"{href}?seen={quality_lists.mark_of(row)}" if name == "approve" else href,
                    "why": quality_lists.refusal(row, name, request.user),
                    "primary": name in ("submit", "approve", "publish"),
                    "danger": name == "discard",
                }
            )
    return actions


def _events(row: QualityList) -> list[Event]:
    """What happened to the list, newest first."""
    told = [
        (row.drafted_at, "draft", _("起草第 %(n)d 版") % {"n": row.version}, row.drafted_by, ""),
        (row.submitted_at, "submitted", _("提交批准"), row.submitted_by, ""),
        (row.returned_at, "returned", _("退回修改"), row.returned_by, row.return_reason),
        (row.approved_at, "approved", _("批准清单"), row.approved_by, ""),
        (row.published_at, "published", _("发布清单"), row.published_by, ""),
    ]
    events = [
        Event(at=at, code=code, sentence=sentence, actor=str(who), note=note)
        for at, code, sentence, who, note in told
        if at
    ]
    successor = getattr(row, "superseded_by", None)
    if successor and successor.published_at:
        sentence = _("被第 %(n)d 版取代") % {"n": successor.version}
        events.append(Event(at=successor.published_at, code="superseded", sentence=sentence))
    # Of steps in one moment the later one stands first.
    return sorted(events, key=lambda event: event.at)[::-1]


# --- Drafting ---------------------------------------------------------------------------------------------


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """The drafting page: order, remarks and what is left out, all saved by one button."""
    row = _kept(request, public_id)
    if row.status != Status.DRAFT:
        raise PermissionDenied(quality_lists.refusal(row, "submit", request.user))
    if request.method != "POST":
        return _edit_page(request, row)
    form, faults = HeadForm(request.POST), []
    try:
        rows = rows_of(request.POST, list(row.entries.judged("of a list that the reader may see")))
        if form.is_valid():
            quality_lists.edit(
                row, by=request.user, revision=_revision(request), rows=rows, **form.cleaned_data
            )
            messages.success(request, _("已保存，序号已重新编排。"))
            return redirect(request.get_full_path())
    except StaleRow as stale:
        return _edit_page(request, row, status=409, stale=str(stale))
    except ValidationError as fault:
        if hasattr(fault, "error_dict"):
            form.take_faults(fault)
        else:
            faults = fault.messages
    return _edit_page(request, row, form=form, status=422, faults=faults)


def _edit_page(
    request: HttpRequest, row: QualityList, form: HeadForm | None = None, status: int = 200, **more: Any
) -> HttpResponse:
    words = request.GET.get("q", "").strip()[:100]
    page = Paginator(listed.lines_of(row), EDITED).get_page(request.GET.get("page"))
    context = {
        "list": row,
        "form": form or HeadForm(initial={"effective_on": row.effective_on, "notes": row.notes}),
        "lines": [
            (line, listed.name_of(row.kind, line.facts), _brief(row, line)) for line in page.object_list
        ],
        "page": page,
        "words": words,
        "offers": _offers(row, words),
        "offered": OFFERED,
    }
    template = (
        "projects/lists/_offers.html" if getattr(request, "htmx", False) else "projects/lists/edit.html"
    )
    return render(request, template, context | more, status=status)


def _brief(row: QualityList, line: listed.Line) -> str:
    """State and mark of a line: what an editor decides by."""
    names = {"status", "due_on", "end_on", "valid_to", "mark"}
    facts = [fact for fact in listed.FACTS[row.kind] if fact.name in names]
    return " · ".join(text for _fact, text in line.said(facts) if text)


def _offers(row: QualityList, words: str) -> list[tuple[int, str]]:
    """Live rows that may be put on the list and are not on it."""
    name = listed.THING[QualityList.Kind(row.kind)]
    known = row.entries.judged("of a list that the reader may see").values(f"{name}_id")
    free = listed.eligible(row).exclude(pk__in=known).search(words)
    keys = list(free.values_list("pk", flat=True)[:OFFERED])
    found = {one.pk: one for one in listed.things(row.kind).filter(pk__in=keys)}
    return [(key, listed.name_of(row.kind, listed.facts_of(row.kind, found[key]))) for key in keys]


def _revision(request: HttpRequest) -> int:
    """The revision that the page was made from; 0 fits none."""
    text = request.POST.get("revision", "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0


def _changed(
    request: HttpRequest, public_id: uuid.UUID, change: Callable[[QualityList], None]
) -> HttpResponse:
    """Change a draft and go back to its page, with what was refused."""
    row = _kept(request, public_id)
    with refusals_told(request, StaleRow):
        change(row)
    page = "quality_list_edit" if row.status == Status.DRAFT else "quality_list"
    return redirect(f"projects:{page}", row.public_id)


@login_required
@require_POST
def refresh(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """Bring the draft up to date with the live rows."""

    def change(row: QualityList) -> None:
        told = quality_lists.refresh(row, by=request.user, revision=_revision(request))
        messages.success(request, " ".join(told) or _("已是最新，没有增减。"))

    return _changed(request, public_id, change)


@login_required
@require_POST
def add(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """Put a live row on the draft."""
    text = request.POST.get("key", "")
    key = int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else 0

    def change(row: QualityList) -> None:
        quality_lists.add(row, key, by=request.user, revision=_revision(request))
        messages.success(request, _("已加到清单末尾，可以改序号调整位置。"))

    return _changed(request, public_id, change)


# --- Steps ------------------------------------------------------------------------------------------------


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def step(request: HttpRequest, public_id: uuid.UUID, name: str) -> HttpResponse:
    """Asks before a step, and makes it."""
    if name not in STEPS:
        raise Http404
    row = _kept(request, public_id)
    if request.method != "POST":
        if why := quality_lists.refusal(row, name, request.user):
            raise PermissionDenied(why)
        return _step_page(request, row, name)
    form = ReasonForm(request.POST) if name == "send_back" else None
    if form and not form.is_valid():
        return _step_page(request, row, name, form=form, status=422)
    try:
        done = _make(row, name, request, form)
    except StaleRow as stale:
        return _step_page(request, row, name, form=form, status=409, stale=str(stale))
    except ValidationError as fault:
        return _step_page(request, row, name, form=form, status=422, faults=fault.messages)
    for sentence in done:
        messages.success(request, sentence)
    if name == "discard":
        return redirect("projects:quality_lists")
    return redirect("projects:quality_list", row.public_id)


def _make(row: QualityList, name: str, request: HttpRequest, form: ReasonForm | None) -> list[str]:
    given: dict[str, Any] = {"by": request.user, "revision": _revision(request)}
    match name:
        case "submit":
            quality_lists.submit(row, **given)
            return [_("已提交，请另一名经办人批准。")]
        case "approve":
            quality_lists.approve(row, seen=request.POST.get("seen", ""), **given)
            return [_("已批准，现在可以发布。")]
        case "publish":
            dropped = quality_lists.publish(row, **given)
            return [*dropped, _("已发布，内容不再变动。")]
        case "send_back":
            quality_lists.send_back(row, reason=form.cleaned_data["reason"] if form else "", **given)
            return [_("已退回修改。")]
    quality_lists.discard(row, **given)
    return [_("草案已放弃，版本号留给下一份草案。")]


def _step_page(
    request: HttpRequest,
    row: QualityList,
    name: str,
    form: ReasonForm | None = None,
    status: int = 200,
    **more: Any,
) -> HttpResponse:
    lines = [line for line in listed.lines_of(row) if not line.row.is_excluded]
    # What was read on the page of the list; after a refusal, what stands there now.
    seen = request.GET.get("seen", "") if request.method != "POST" else ""
    if name == "approve" and not seen:
        seen = quality_lists.mark_of(row)
    context = {
        "list": row,
        "step": name,
        "label": STEPS[name].label,
        "form": form or (ReasonForm() if name == "send_back" else None),
        "total": len(lines),
        "seen": seen,
        "danger": name == "discard",
        "cancel_url": reverse("projects:quality_list", args=[row.public_id]),
    }
    return render(request, "projects/lists/step.html", context | more, status=status)


# --- Two versions, paper, workbook ------------------------------------------------------------------------


@require_safe
def changes(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """What came, went and changed since another version, the one before unless asked otherwise."""
    row = _readable(request, public_id)
    versions = QualityList.objects.visible_to(request.user).of(row.chain, row.bureau, row.kind)
    others = [one for one in versions.select_related("chain", "bureau", "supersedes") if one.pk != row.pk]
    wanted = request.GET.get("from", "")
    older = next((one for one in others if str(one.version) == wanted), None)
    if wanted and older is None:
        raise Http404
    older = older or next((one for one in others if one.version < row.version), None)
    context: dict[str, Any] = {"list": row, "older": older, "others": others}
    if older:
        old, new_ = listed.read(older, request.user), listed.read(row, request.user)
        context |= {
            "differences": listed.differences(old, new_),
            "is_partial": bool(old.hidden or new_.hidden),
        }
    return render(request, "projects/lists/changes.html", context)


@require_safe
def pdf(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    row = _readable(request, public_id)
    content = list_files.as_pdf(listed.read(row, request.user))
    return downloads.made(content, "application/pdf", list_files.file_name(row, "pdf"))


@require_safe
def xlsx(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    row = _readable(request, public_id)
    content = list_files.as_workbook(listed.read(row, request.user))
    return downloads.made(content, XLSX, list_files.file_name(row, "xlsx"))


# --- Policy instruments -----------------------------------------------------------------------------------


class InstrumentList(ListPage):
    model = PolicyInstrument
    filterset_class = InstrumentFilter
    heading = gettext_lazy("质量政策工具")
    default_sort = "-from"
    filter_lead = "q,chain,kind,in_force"
    template_name = "projects/lists/instruments.html"
    columns = (
        Title(
            "title",
            gettext_lazy("政策名称"),
            "title",
            url="projects:instrument_detail",
            key="public_id",
            sub=Column("document", gettext_lazy("文号"), "doc_no"),
        ),
        Words(
            "kind",
            pgettext_lazy("policy instrument", "类型"),
            "kind",
            choices=PolicyInstrument.Kind.choices,
            css="tight",
        ),
        Column("department", gettext_lazy("主管部门"), "department"),
        Column("bureau", gettext_lazy("维护单位"), "bureau__short_name", order=("bureau__code",)),
        Day("from", gettext_lazy("起始"), "valid_from", order=("valid_from", "pk")),
        Day("to", gettext_lazy("截止"), "valid_to"),
    )
    empty_title = gettext_lazy("还没有登记政策")
    empty_text = gettext_lazy("资金、奖励、贷款、标准补助等可供产业链企业申请的政策，由各级经办人员登记。")
    empty_symbol = "list"

    def get_queryset(self) -> Any:
        return super().get_queryset().counted()

    def more_context(self, context: dict[str, Any]) -> dict[str, Any]:
        return {"may_add": _keeps_any(self.request.user)}


@login_required
@require_safe
def instrument_detail(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    row = _policy(request, public_id)
    chains = list(row.chains.all())
    context = {
        "instrument": row,
        "chains": chains,
        "may_keep": not row.voided_at
        and instruments.may_keep(request.user, row.bureau, [chain.pk for chain in chains]),
    }
    return render(request, "projects/lists/instrument.html", context)


def _policy(request: HttpRequest, public_id: uuid.UUID) -> PolicyInstrument:
    rows = PolicyInstrument.objects.visible_to(request.user).select_related("bureau")
    return get_object_or_404(rows, public_id=public_id)


def _policy_kept(request: HttpRequest, public_id: uuid.UUID) -> PolicyInstrument:
    row = _policy(request, public_id)
    if not instruments.may_keep(request.user, row.bureau, instruments.chains_of(row)):
        raise PermissionDenied(_("政策由维护单位或上级单位的经办人员登记和修改。"))
    if row.voided_at:
        raise PermissionDenied(_("这条记录已经作废。"))
    return row


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def instrument_new(request: HttpRequest) -> HttpResponse:
    if not _keeps_any(request.user):
        raise PermissionDenied(_("政策由维护单位或上级单位的经办人员登记和修改。"))
    return _policy_form(request, PolicyInstrument())


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def instrument_edit(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    row = _policy_kept(request, public_id)
    if request.method == "POST":
        row.version = _version(request)
    return _policy_form(request, row)


def _version(request: HttpRequest) -> int:
    text = request.POST.get("version", "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 9 else 0


def _policy_form(request: HttpRequest, row: PolicyInstrument) -> HttpResponse:
    form = InstrumentForm(request.POST if request.method == "POST" else None, instance=row, user=request.user)
    status, stale = 200, ""
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                kept = instruments.keep(form.instance, list(form.cleaned_data["chains"]), by=request.user)
            except StaleRow as fault:
                status, stale = 409, str(fault)
            except ValidationError as fault:
                form.take_faults(fault)
            else:
                messages.success(request, _("已保存政策“%(title)s”。") % {"title": kept.title})
                return redirect("projects:instrument_detail", kept.public_id)
    context = {"form": form, "instrument": row if row.pk else None, "stale": stale}
    return render(request, "projects/lists/instrument_form.html", context, status=status)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def instrument_withdraw(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    row = _policy_kept(request, public_id)
    form = WithdrawForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            instruments.withdraw(row, by=request.user, reason=form.cleaned_data["reason"])
        except StaleRow as stale:
            form.add_error(None, str(stale))
        else:
            messages.success(request, _("政策“%(title)s”已作废。") % {"title": row.title})
            return redirect("projects:instrument_list")
    context = {
        "form": form,
        "instrument": row,
        "danger": True,
        "cancel_url": reverse("projects:instrument_detail", args=[row.public_id]),
    }
    status = 422 if form.errors else 200
    return render(request, "projects/lists/instrument_withdraw.html", context, status=status)
