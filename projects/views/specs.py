"""Demands for standards and metrology specifications: the list, one demand, its steps, and who waits."""

import uuid
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.models import User
from common import formats
from common.listing import Column, Day, ListPage, Row, State, Title, Words, Write
from common.steps import refusals_told
from projects import specs
from projects.filters import DemandFilter, WaitFilter
from projects.forms.specs import DemandForm, StepForm, first_values
from projects.models import Bottleneck, SpecDemand, SpecKind, SpecStep, SpecWait
from projects.proof import offers_of
from projects.services import StaleRow
from projects.specs import KINDS, STEPS
from projects.timeline import Event
from record.services import looked_at

# Problems that are shown on the page of a demand; the list of those that wait holds all.
SHOWN = 20


def _refuse_firms(user: User) -> None:
    if not user.scope.is_of_bureau:
        raise PermissionDenied(_("规范需求单供市场监管部门使用，企业在自己的问题页面看进展。"))


# --- Lists --------------------------------------------------------------------------------------------------

TABS = (
    ("spec_demand_list", gettext_lazy("需求单")),
    ("spec_waiting", gettext_lazy("哪些问题在等")),
)


class _List(ListPage):
    def get_queryset(self) -> QuerySet:
        _refuse_firms(self.request.user)
        return super().get_queryset()

    def tabs(self) -> list[dict[str, Any]]:
        return [
            {
                "label": label,
                "href": reverse(f"projects:{name}"),
                "current": self.list_name == f"projects:{name}",
            }
            for name, label in TABS
        ]


class DemandList(_List):
    """The demands of the subtree and of the bureaus above it."""

    model = SpecDemand
    filterset_class = DemandFilter
    heading = gettext_lazy("规范需求单")
    default_sort = "-changed"
    filter_lead = "q,kind,chain"
    columns = (
        Title(
            "title",
            gettext_lazy("需求单"),
            "title",
            url="projects:spec_demand",
            key="code",
            sub=Column("code", gettext_lazy("需求单编号"), "code", css="code"),
        ),
        Words("kind", pgettext_lazy("demand", "类别"), "kind", choices=SpecKind.choices, css="tight"),
        State("status", gettext_lazy("状态"), "status", model=SpecDemand),
        Column("plan", gettext_lazy("计划号"), "plan_no"),
        Column("committee", gettext_lazy("技术委员会"), "committee__name"),
        Column("bureau", gettext_lazy("提出单位"), "bureau__short_name", order=("bureau__code",)),
        Day("changed", gettext_lazy("最近进展"), "status_changed_at"),
        Column("number", gettext_lazy("发布编号"), "published_no", shown=False),
        Day("published", gettext_lazy("发布日期"), "published_on", shown=False),
        Column("chain", gettext_lazy("产业链"), "chain__name", shown=False),
        Words(
            "urgency", gettext_lazy("紧急程度"), "urgency", choices=Bottleneck.Urgency.choices, shown=False
        ),
        Day("created", gettext_lazy("提出"), "created_at", shown=False),
    )
    empty_title = gettext_lazy("这里将列出规范需求单")
    empty_text = gettext_lazy(
        "缺口是计量空白、校准规范缺失、标准缺失或标准不统一的问题，可以在问题页面提出规范需求。"
    )
    empty_symbol = "file"


class Linked(Title):
    """A second link in the row, which is not what the row is called."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.css = ""


class Waited(Column):
    """Days since the problem began to wait."""

    numeric = True

    def writer(self) -> Write:
        path, today = self.path, timezone.localdate()
        return lambda row: str((today - row[path]).days)


class Plan(Column):
    """The plan for which a problem waits; of a demand without one, that it has none yet."""

    def writer(self) -> Write:
        path, none_yet = self.path, _("尚未立项")

        def write(row: Row) -> str:
            return row[path] or none_yet

        return write


class WaitingList(_List):
    """Which problems wait for which plan, each as far as the reader sees it."""

    model = SpecWait
    filterset_class = WaitFilter
    heading = gettext_lazy("等待标准和规范的问题")
    default_sort = "plan"
    grouped_by = "plan"
    filter_lead = "q,kind,chain"
    columns = (
        Title(
            "title",
            gettext_lazy("问题"),
            "bottleneck__title",
            url="projects:bottleneck_detail",
            key="bottleneck__public_id",
            sub=Column("code", gettext_lazy("问题编号"), "bottleneck__code", css="code"),
        ),
        Column("firm", gettext_lazy("提出企业"), "bottleneck__organization__name"),
        Plan(
            "plan",
            gettext_lazy("计划号"),
            "demand__plan_no",
            order=("demand__plan_no", "demand__code", "since"),
        ),
        Linked(
            "demand",
            gettext_lazy("需求单"),
            "demand__title",
            url="projects:spec_demand",
            key="demand__code",
        ),
        State("status", gettext_lazy("状态"), "demand__status", model=SpecDemand),
        Day("since", gettext_lazy("开始等待"), "since"),
        Waited("days", gettext_lazy("已等天数"), "since", order=("-since",)),
        Column("number", gettext_lazy("需求单编号"), "demand__code", shown=False),
        Column("committee", gettext_lazy("技术委员会"), "demand__committee__name", shown=False),
        Column("chain", gettext_lazy("产业链"), "bottleneck__chain__name", shown=False),
    )
    empty_title = gettext_lazy("没有在等标准或规范的问题")
    empty_text = gettext_lazy("问题提出规范需求后，到标准或规范发布为止列在这里。")
    empty_symbol = "clock"

    def get_queryset(self) -> QuerySet:
        return super().get_queryset().waiting()


# --- One demand ---------------------------------------------------------------------------------------------


def _readable(request: HttpRequest, code: str) -> SpecDemand:
    """The demand as the user may see it; 404 otherwise."""
    rows = SpecDemand.objects.visible_to(request.user).select_related("committee", "bureau", "chain")
    return get_object_or_404(rows, code=code)


@login_required
@require_safe
def detail(request: HttpRequest, code: str) -> HttpResponse:
    demand, user = _readable(request, code), request.user
    seen = SpecWait.objects.visible_to(user).on(demand)
    waits = list(seen.select_related("bottleneck__organization")[:SHOWN])
    total = SpecWait.objects.judged("a number of problems").on(demand).count()
    is_open = demand.status in SpecDemand.OPEN
    shown = seen.count()
    may_edit = is_open and specs.grant_over(demand, user) is not None
    made = demand.steps.select_related("actor", "principal", "bureau")
    context = {
        "demand": demand,
        "facts": _facts(demand, user),
        "is_open": is_open,
        "waits": [(wait, (timezone.localdate() - wait.since).days) for wait in waits],
        "shown": shown,
        "hidden": total - shown,
        "may_edit": may_edit,
        "steps": specs.steps_for(demand, user),
        "next": NEXT[demand.status],
        "events": [_event(demand, step) for step in reversed(made)],
    }
    return render(request, "projects/specs/detail.html", context)


NEXT = {
    SpecDemand.Status.PROPOSED: gettext_lazy("等委员会答复是否立项；立项后登记计划号。"),
    SpecDemand.Status.APPROVED: gettext_lazy("等委员会开始起草。"),
    SpecDemand.Status.DRAFTING: gettext_lazy("委员会正在起草，草案公开后登记征求意见。"),
    SpecDemand.Status.CONSULTING: gettext_lazy("正在征求意见，请转告等待的企业。"),
    SpecDemand.Status.EXAMINED: gettext_lazy("已审定，等报批。"),
    SpecDemand.Status.REPORTED: gettext_lazy("已报批，发布后登记编号和日期。"),
    SpecDemand.Status.PUBLISHED: gettext_lazy("已发布，编号可以作为等待的问题解决的证据。"),
    SpecDemand.Status.REVIEWING: gettext_lazy("正在复审，结论登记为继续有效或废止。"),
    SpecDemand.Status.DECLINED: gettext_lazy("委员会没有采纳，等待的问题请另找办法。"),
    SpecDemand.Status.TERMINATED: gettext_lazy("已终止或废止。"),
}


def _facts(demand: SpecDemand, user: User) -> list[tuple[str, Any]]:
    names = ("quantity", "range", "uncertainty", "object", "users")
    said = [(str(SpecDemand._meta.get_field(name).verbose_name), getattr(demand, name)) for name in names]
    committee = demand.committee
    return [
        (_("类别"), demand.get_kind_display()),
        *said,
        (_("紧急程度"), demand.get_urgency_display()),
        (_("技术委员会"), f"{committee.code} {committee.name}"),
        (_("联系邮箱"), committee.email_for(user)),
        (_("产业链"), demand.chain.name),
        (_("提出单位"), demand.bureau.name),
        (_("计划号"), demand.plan_no),
        (_("发布编号"), demand.published_no),
        (_("发布日期"), formats.day(demand.published_on) if demand.published_on else ""),
    ]


def _event(demand: SpecDemand, step: SpecStep) -> Event:
    done = STEPS[step.move].done if step.move in STEPS else _("提出规范需求")
    number = {"approve": demand.plan_no, "publish": demand.published_no}.get(step.move, "")
    sentence = _("%(who)s登记：%(done)s") % {"who": step.bureau, "done": done}
    actor = str(step.actor)
    if step.principal:
        actor = _("%(actor)s（代%(principal)s）") % {"actor": actor, "principal": step.principal}
    return Event(
        at=step.at,
        code=step.target,
        sentence=f"{sentence} {number}".strip(),
        actor=actor,
        note=step.reason,
    )


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest, code: str) -> HttpResponse:
    demand = _readable(request, code)
    if specs.grant_over(demand, request.user) is None or demand.status not in SpecDemand.OPEN:
        raise PermissionDenied(_("需求单在发布或终止之前，由提出单位或其上级的经办人修改。"))
    first = {name: getattr(demand, name) for name in (*specs.FIELDS, "version")}
    first["committee"] = demand.committee.code
    form = DemandForm(request.POST or None, kind=demand.kind, demand=demand, initial=first)
    if request.method == "POST" and form.is_valid():
        try:
            version = form.cleaned_data["version"] or 0
            specs.revise(demand, form.values(), by=request.user, version=version)
        except StaleRow as stale:
            form.add_error(None, str(stale))
        except ValidationError as fault:
            form.take_faults(fault)
        else:
            messages.success(request, _("需求单已修改。"))
            return redirect("projects:spec_demand", demand.code)
    context = {"form": form, "demand": demand}
    return render(request, "projects/specs/edit.html", context, status=400 if form.errors else 200)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def move(request: HttpRequest, code: str, name: str) -> HttpResponse:
    """The form of one step, and the step itself."""
    demand, step = _readable(request, code), STEPS.get(name)
    if step is None:
        raise Http404
    if refusal := specs.why_not(demand, step, request.user):
        raise PermissionDenied(refusal)
    form = StepForm(request.POST or None, step=step, demand=demand, initial={"version": demand.version})
    if request.method == "POST" and form.is_valid():
        data = dict(form.cleaned_data)
        version = data.pop("version") or 0
        try:
            specs.move(demand, name, data, by=request.user, version=version)
        except StaleRow as stale:
            form.add_error(None, str(stale))
        except ValidationError as fault:
            form.take_faults(fault)
        else:
            messages.success(request, _report(demand, step))
            return redirect("projects:spec_demand", demand.code)
    context = {
        "form": form,
        "demand": demand,
        "step": step,
        "danger": step.ends,
        "cancel_url": reverse("projects:spec_demand", args=[demand.code]),
        "told": step.name in specs.TOLD,
    }
    return render(request, "projects/specs/move.html", context, status=400 if form.errors else 200)


def _report(demand: SpecDemand, step: specs.Step) -> str:
    href = reverse("projects:spec_demand", args=[demand.code])
    return format_html(_('{} <a href="{}">{}</a>。'), step.done, href, demand.code)


# --- From a problem -----------------------------------------------------------------------------------------


def _problem(request: HttpRequest, public_id: uuid.UUID) -> Bottleneck:
    """A problem of which the user may make a demand; 404 outside the scope, 403 with the reason."""
    rows = Bottleneck.objects.visible_to(request.user).select_related("bureau", "handler", "chain")
    row = get_object_or_404(rows, public_id=public_id)
    if refusal := specs.why_not_wait(row, request.user):
        raise PermissionDenied(refusal)
    return row


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """A demand filled from what the problem says; above it the open demands that look alike."""
    row = _problem(request, public_id)
    looked_at(row, row.organization_id, request.user)
    kind = KINDS[Bottleneck.Gap(row.nqi_gap)]
    form = DemandForm(request.POST or None, kind=kind, initial=first_values(row, kind))
    if request.method == "POST" and form.is_valid():
        try:
            demand = specs.propose(row, form.values(), by=request.user)
        except ValidationError as fault:
            form.take_faults(fault)
        else:
            messages.success(request, _("已提出规范需求，请送交委员会；有答复后在这里登记。"))
            return redirect("projects:spec_demand", demand.code)
    context = {
        "form": form,
        "bottleneck": row,
        "kind": kind,
        "alike": specs.alike(row, request.user),
    }
    return render(request, "projects/specs/new.html", context, status=400 if form.errors else 200)


@login_required
@require_POST
def join(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """Let the problem wait for a demand that there is already."""
    row = _problem(request, public_id)
    demands = SpecDemand.objects.visible_to(request.user)
    demand = demands.filter(code=request.POST.get("demand", "")).first()
    with refusals_told(request):
        if demand is None:
            raise ValidationError(_("请选择一张需求单。"))
        specs.join(demand, row, by=request.user)
        messages.success(request, _("问题 %(code)s 现在等这张需求单。") % {"code": row.code})
        return redirect("projects:spec_demand", demand.code)
    return redirect("projects:spec_demand_new", row.public_id)


@login_required
@require_POST
def leave(request: HttpRequest, pk: int) -> HttpResponse:
    rows = SpecWait.objects.visible_to(request.user)
    wait = get_object_or_404(
        rows.select_related("bottleneck__handler", "bottleneck__bureau", "demand"), pk=pk
    )
    specs.leave(wait, by=request.user)
    messages.success(request, _("问题 %(code)s 不再等这张需求单。") % {"code": wait.bottleneck.code})
    return redirect("projects:spec_demand", wait.demand.code)


def waits_of(row: Bottleneck, user: User) -> list[dict[str, Any]]:
    """For the page of a problem: the demands for which it waits, and what each gives as evidence."""
    waits = specs.awaited_by(row)
    if not waits:
        return []
    keys = [wait.demand_id for wait in waits]
    seen = set(SpecDemand.objects.visible_to(user).filter(pk__in=keys).values_list("pk", flat=True))
    today = timezone.localdate()
    return [
        {
            "demand": wait.demand,
            "is_linked": wait.demand_id in seen,
            "since": wait.since,
            "days": (today - wait.since).days if wait.demand.status in SpecDemand.OPEN else None,
            "offer": next(iter(offers_of(row, [wait.demand])), None),
            "committee": wait.demand.committee,
        }
        for wait in waits
    ]
