"""Changes of boundaries: the list, planning one, what it would do, and its history."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.models import User
from common import formats
from common.listing import Column, Day, ListPage, Title, Words
from common.steps import refusals_told
from enterprises.models import BoundaryChange
from projects import boundaries
from projects.boundaries import Preview
from projects.filters import BoundaryFilter
from projects.forms.boundaries import BoundaryForm

State = BoundaryChange.State


class BoundaryList(ListPage):
    """Changes that were carried out, and those planned for units of the own scope."""

    model = BoundaryChange
    filterset_class = BoundaryFilter
    template_name = "projects/boundaries/list.html"
    heading = pgettext_lazy("several", "区划变更")
    default_sort = "-effective"
    filter_lead = "kind,state,bureau"
    columns = (
        Title(
            "units",
            gettext_lazy("单位"),
            "summary",
            url="projects:boundary_detail",
            key="pk",
            sub=Column("document", gettext_lazy("依据"), "document"),
        ),
        Words("kind", gettext_lazy("类型"), "kind", choices=BoundaryChange.Kind.choices, css="tight"),
        Words("state", gettext_lazy("状态"), "state", choices=State.choices, css="tight"),
        Day("effective", gettext_lazy("生效日期"), "effective_on"),
    )
    empty_title = gettext_lazy("这里将列出区划变更")
    empty_text = gettext_lazy(
        "单位合并、拆分、改变隶属或更名时，由上级单位的管理员在这里登记，到生效日期自动办理。"
    )
    empty_symbol = "merge"

    def more_context(self, context: dict[str, Any]) -> dict[str, Any]:
        user: User = self.request.user  # type: ignore[assignment]
        return {"kinds": BoundaryChange.Kind.choices if boundaries.may_plan(user) else []}


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest, kind: str) -> HttpResponse:
    """Ask for it; show what it would do; plan it when that is confirmed."""
    user: User = request.user  # type: ignore[assignment]
    if kind not in BoundaryChange.Kind:
        raise Http404
    if not boundaries.may_plan(user):
        raise PermissionDenied(_("区划变更由上级单位的管理员办理。"))
    form = BoundaryForm(kind, request.POST or None)
    context: dict[str, Any] = {"form": form, "heading": BoundaryChange.Kind(kind).label}
    if request.method != "POST" or "change" in request.POST:
        return render(request, "projects/boundaries/new.html", context)
    if form.is_valid():
        try:
            if "confirm" in request.POST:
                change = boundaries.plan(user, form.change(), form.parts())
                messages.success(request, _("区划变更已登记，到生效日期自动办理。"))
                return redirect("projects:boundary_detail", change.pk)
            context |= _rehearsed(user, form)
        except (PermissionDenied, ValidationError) as fault:
            form.add_error(None, getattr(fault, "messages", [str(fault)]))
        else:
            return render(request, "projects/boundaries/check.html", context)
    return render(request, "projects/boundaries/new.html", context, status=400)


def _rehearsed(user: User, form: BoundaryForm) -> dict[str, Any]:
    """What the change would do: planned in a transaction that is undone."""
    with transaction.atomic():
        change = boundaries.plan(user, form.change(), form.parts())
        found = _looked_at(user, change)
        transaction.set_rollback(True)
    return found


def _looked_at(user: User, change: BoundaryChange) -> dict[str, Any]:
    preview = Preview(change, user)
    return {
        "sentence": boundaries.in_words(change),
        "facts": _facts(change),
        "lines": preview.lines,
        "left": [line for line in preview.lines if line.left],
        "staying": preview.staying,
        "below": preview.below,
        "held": preview.grants,
        "is_split": preview.route is not None and preview.route.is_split,
    }


def _facts(change: BoundaryChange) -> list[tuple[str, Any]]:
    facts = [
        (_("类型"), change.get_kind_display()),
        (_("生效日期"), formats.day_weekday(change.effective_on)),
        (_("依据"), change.document),
        *(
            (_("原单位"), f"{part.bureau.code} {part.was.get('name') or part.bureau.name}")
            for part in change.sources
            if part.bureau
        ),
        *((_("新单位"), _called(part)) for part in change.targets),
    ]
    if change.kind == BoundaryChange.Kind.RENAME:
        facts += [(_("新的名称"), part.name) for part in change.sources]
    return facts


def _called(part: Any) -> str:
    code = part.code or part.bureau.code
    return f"{code} {part.name or part.bureau.name}"


@login_required
@require_safe
def detail(request: HttpRequest, pk: int) -> HttpResponse:
    """A change: what it would do while it is planned; what followed when it was carried out, in numbers, to
    whoever covers its units, for these may be small."""
    user: User = request.user  # type: ignore[assignment]
    change = _change(request, pk)
    context: dict[str, Any] = {
        "change": change,
        "sentence": boundaries.in_words(change),
        "facts": _facts(change),
        "may_act": change.state == State.PLANNED and _refusal(request, change) == "",
        "is_due": change.effective_on <= timezone.localdate(),
        "moved": boundaries.moved(change) if boundaries.covers(user, change) else [],
    }
    if context["may_act"]:
        context |= _looked_at(user, change)
    return render(request, "projects/boundaries/detail.html", context)


def _change(request: HttpRequest, pk: int) -> BoundaryChange:
    rows: QuerySet[BoundaryChange] = BoundaryChange.objects.visible_to(request.user)  # type: ignore[arg-type]
    return get_object_or_404(rows.prefetch_related("parts__bureau__parent"), pk=pk)


def _refusal(request: HttpRequest, change: BoundaryChange) -> str:
    user: User = request.user  # type: ignore[assignment]
    try:
        boundaries.refuse_others(user, change.parts.all())
    except PermissionDenied as refused:
        return str(refused)
    return ""


@login_required
@require_POST
def cancel(request: HttpRequest, pk: int) -> HttpResponse:
    change = _change(request, pk)
    with refusals_told(request):
        boundaries.cancel(request.user, change)  # type: ignore[arg-type]
        messages.success(request, _("区划变更已取消。"))
    return redirect("projects:boundary_detail", pk)


@login_required
@require_POST
def carry_out(request: HttpRequest, pk: int) -> HttpResponse:
    """At once, where its day has come; else the job does it."""
    change = _change(request, pk)
    if refusal := _refusal(request, change):
        raise PermissionDenied(refusal)
    with refusals_told(request):
        done = boundaries.carry_out(change, confirmed_by=request.user)  # type: ignore[arg-type]
        if done.state == State.DONE:
            messages.success(request, _("区划变更已生效，单位、记录和授权已经随之变动。"))
        else:
            messages.error(request, _("这项区划变更已经生效或取消。"))
    return redirect("projects:boundary_detail", pk)
