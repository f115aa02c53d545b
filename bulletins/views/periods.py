"""Reporting periods: open, roll up, freeze, publish, correct."""

import re
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from bulletins import dashboard, figures, services
from bulletins.forms import PeriodForm, ReasonForm, posted
from bulletins.models import Period, Snapshot
from bulletins.views.figures import home_unit
from bulletins.views.jobs import progress_of, progress_response
from common import formats
from common.workdays import add_workdays
from enterprises.models import Bureau

# Working days between the cut-off and the freeze (`domain.md` 5.4 rule 6).
FREEZE_AFTER = 10
NOT_ALLOWED = gettext_lazy("建立、冻结和发布统计期间由总局的管理员或统计员办理。")
MAY_NOT_ROLL_UP = gettext_lazy("汇总由各级的管理员或统计员办理。")
# Where each kind of business code is looked up; a problem's page has another key, so its list is.
CODES = {
    "DK": lambda code: reverse("projects:bottleneck_list", query={"q": code}),
    "ZLQL": lambda code: reverse("projects:project_detail", args=[code]),
    "LHT": lambda code: reverse("projects:consortium_detail", args=[code]),
    "GG": lambda code: reverse("projects:key_project_detail", args=[code]),
}
CODE = re.compile(rf"\b({'|'.join(CODES)})-\d{{4}}-\d{{6}}-\d+\b")

SENTENCE_END = re.compile(r"(?<=[。.])\s+")

View = Callable[..., HttpResponse]


def for_bureaus(view: View) -> View:
    """For users with a grant at a bureau."""

    @login_required
    @wraps(view)
    def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not request.user.scope.bureau_paths:
            raise PermissionDenied(_("统计期供市场监管部门使用；已发布的数据和通报向所有人公开。"))
        return view(request, *args, **kwargs)

    return checked


def may_roll_up(user: Any) -> bool:
    return bool(user.grants_of(*services.ISSUERS))


def _address(period: Period) -> str:
    return reverse("bulletins:period_detail", args=[period.code])


@for_bureaus
@require_http_methods(["GET", "POST"])
def period_list(request: HttpRequest) -> HttpResponse:
    """All periods and what is next for each; whoever freezes may open another."""
    may = services.may_freeze(request.user)
    form = PeriodForm(posted(request))
    if request.method == "POST":
        if not may:
            raise PermissionDenied(NOT_ALLOWED)
        if form.is_valid():
            period = services.get_period(form.cleaned_data["code"])
            link = format_html('<a href="{}">{}</a>', _address(period), period.name)
            messages.success(request, format_html(_("已建立统计期 {}。"), link))
            return redirect(_address(period))
    jobs: dict[int, Snapshot] = {}
    for snapshot in Snapshot.objects.order_by("-pk"):
        jobs.setdefault(snapshot.period_id, snapshot)
    context = {
        "form": form,
        "may_open": may,
        "why_not": NOT_ALLOWED,
        "rows": [(period, next_step(period, jobs.get(period.pk))) for period in Period.objects.all()],
    }
    return render(request, "bulletins/period_list.html", context, status=400 if form.errors else 200)


def next_step(period: Period, job: Snapshot | None) -> str:
    """What happens next with a period, in words."""
    if job and job.is_under_way:
        return _("正在冻结") if job.version else _("正在汇总")
    if job and job.job_state == Snapshot.State.FAILED:
        return _("上次冻结没有成功，待处理") if job.version else _("上次汇总失败，待重试")
    if period.status == Period.Status.PUBLISHED:
        return ""
    if period.status == Period.Status.FROZEN:
        return _("核对后发布，印发通报")
    if timezone.now() < period.cut_off:
        return _("填报到 %(day)s") % {"day": formats.day_weekday(period.end_on)}
    due = add_workdays(period.end_on, FREEZE_AFTER)
    return _("冻结，应在 %(day)s 前") % {"day": formats.day_weekday(due)}


@for_bureaus
@require_safe
def period_detail(request: HttpRequest, code: str) -> HttpResponse:
    """How a period stands, what is next, its versions."""
    period = get_object_or_404(Period.objects.select_related("frozen_by"), code=code)
    unit = request.grant.bureau if request.grant and request.grant.bureau_id else home_unit(request)
    snapshots = list(period.snapshots.select_related("created_by").order_by("-pk"))
    last = snapshots[0] if snapshots else None
    done = [snapshot for snapshot in snapshots if snapshot.job_state == Snapshot.State.DONE]
    context = {
        "period": period,
        "next_step": next_step(period, last),
        "progress": _progress(period, last),
        "failed": last if last and last.job_state == Snapshot.State.FAILED else None,
        "faults": _faults(last) if last and last.job_state == Snapshot.State.FAILED else [],
        "steps": _steps(period, bool(done)),
        "versions": sorted((s for s in done if s.version), key=lambda s: -s.version),
        "working": next((s for s in done if not s.version), None) if not period.is_frozen else None,
        "freeze_due": add_workdays(period.end_on, FREEZE_AFTER),
        "actions": _actions(request.user, period, last),
        "figures_href": dashboard.address(period, unit) if done else "",
        "bulletins": period.bulletins.visible_to(request.user).select_related("bureau")[:10],
        "bulletins_href": reverse("bulletins:bulletin_list", query={"period": period.code}),
        "new_href": reverse("bulletins:bulletin_new", query={"period": period.code})
        if period.is_frozen and may_roll_up(request.user)
        else "",
    }
    return render(request, "bulletins/period_detail.html", context)


def _steps(period: Period, rolled_up: bool) -> list[dict[str, str]]:
    """The way of a period, and where it stands."""
    labels = (_("填报"), _("汇总"), _("冻结"), _("发布"))
    reached = {Period.Status.OPEN: 1, Period.Status.FROZEN: 3, Period.Status.PUBLISHED: 4}[period.status]
    if period.status == Period.Status.OPEN:
        reached = (timezone.now() >= period.cut_off) + (rolled_up if timezone.now() >= period.cut_off else 0)
    return [
        {"label": label, "state": "done" if at < reached else "current" if at == reached else "todo"}
        for at, label in enumerate(labels)
    ]


def _faults(snapshot: Snapshot) -> list[SafeString]:
    """The sentences of a failed job, each code a link to its row."""
    return [_linked(sentence) for sentence in SENTENCE_END.split(snapshot.error) if sentence]


def _linked(text: str) -> SafeString:
    parts: list[tuple[SafeString | str]] = []
    end = 0
    for match in CODE.finditer(text):
        parts.append((text[end : match.start()],))
        parts.append((format_html('<a href="{}">{}</a>', CODES[match[1]](match[0]), match[0]),))
        end = match.end()
    return format_html_join("", "{}", [*parts, (text[end:],)])


def _progress(period: Period, job: Snapshot | None) -> dict[str, Any] | None:
    href = reverse("bulletins:period_progress", args=[period.code])
    return progress_of(job, href, _("正在冻结") if job and job.version else _("正在汇总"))


@for_bureaus
@require_safe
def period_progress(request: HttpRequest, code: str) -> HttpResponse:
    period = get_object_or_404(Period, code=code)
    job = period.snapshots.order_by("-pk").first()
    return progress_response(request, _progress(period, job), _address(period))


def _actions(user: Any, period: Period, job: Snapshot | None) -> list[dict[str, Any]]:
    """The buttons of a period in the order of its way; what cannot be done now says why."""
    busy = _("任务正在进行，请稍候。") if job and job.is_under_way else ""
    nation = "" if services.may_freeze(user) else NOT_ALLOWED
    early = (
        _("%(day)s 24:00 截止之后才能冻结。") % {"day": formats.day(period.end_on)}
        if timezone.now() < period.cut_off
        else ""
    )
    roll_up = {
        "name": "rollup",
        "label": _("汇总"),
        "post": True,
        "why": ("" if may_roll_up(user) else MAY_NOT_ROLL_UP) or busy,
    }
    freeze = {"name": "freeze", "label": _("冻结"), "why": nation or busy or early}
    publish = {"name": "publish", "label": _("发布"), "why": nation or busy}
    correct = {"name": "freeze", "label": _("更正"), "why": nation or busy}
    offered = {
        Period.Status.OPEN: [roll_up, freeze],
        Period.Status.FROZEN: [publish, correct],
        Period.Status.PUBLISHED: [correct],
    }[period.status]
    for action in offered:
        action["href"] = reverse(f"bulletins:period_{action['name']}", args=[period.code])
    return offered


def _said(request: HttpRequest, error: ValidationError) -> None:
    for sentence in error.messages:
        messages.error(request, sentence)


@for_bureaus
@require_POST
def period_rollup(request: HttpRequest, code: str) -> HttpResponse:
    period = get_object_or_404(Period, code=code)
    if not may_roll_up(request.user):
        raise PermissionDenied(MAY_NOT_ROLL_UP)
    try:
        services.request_rollup(period, request.user)
    except ValidationError as error:
        _said(request, error)
    else:
        messages.success(request, _("已开始汇总%(period)s，可以离开本页。") % {"period": period.name})
    return redirect(_address(period))


@for_bureaus
@require_http_methods(["GET", "POST"])
def period_freeze(request: HttpRequest, code: str) -> HttpResponse:
    """Asks before a freeze, and for the reason before a correction."""
    period = get_object_or_404(Period, code=code)
    if not services.may_freeze(request.user):
        raise PermissionDenied(NOT_ALLOWED)
    correcting = period.is_frozen
    form = ReasonForm(posted(request)) if correcting else None
    # A freeze confirmed on a page that is older than somebody else's freeze is no correction.
    meant = request.POST.get("correcting") == "1"
    if request.method == "POST" and (not correcting or not meant or form.is_valid()):
        asked_at = timezone.now()
        reason = form.cleaned_data["reason"] if correcting and meant else ""
        try:
            job = services.request_freeze(period, request.user, reason)
        except ValidationError as error:
            _said(request, error)
        else:
            said = (
                _("%(period)s正在冻结，请稍候。")
                if job.created_at < asked_at
                else _("已开始更正%(period)s，可以离开本页。")
                if correcting
                else _("已开始冻结%(period)s，可以离开本页。")
            )
            messages.success(request, said % {"period": period.name})
        return redirect(_address(period))
    newest = figures.current(period)
    context = {
        "period": period,
        "form": form,
        "correcting": correcting,
        "danger": True,
        "cancel_url": _address(period),
        "version": (newest.version if newest else 0) + 1,
        "issued": period.bulletins.public().count() if correcting else 0,
        "early": timezone.now() < period.cut_off,
    }
    return render(
        request, "bulletins/period_freeze.html", context, status=400 if form and form.errors else 200
    )


@for_bureaus
@require_http_methods(["GET", "POST"])
def period_publish(request: HttpRequest, code: str) -> HttpResponse:
    period = get_object_or_404(Period, code=code)
    if not services.may_freeze(request.user):
        raise PermissionDenied(NOT_ALLOWED)
    if request.method == "POST":
        try:
            services.publish(period, request.user)
        except ValidationError as error:
            _said(request, error)
        else:
            messages.success(request, _("%(period)s的数据已发布，首页已经更新。") % {"period": period.name})
        return redirect(_address(period))
    snapshot = figures.current(period)
    context = {
        "period": period,
        "cancel_url": _address(period),
        "board": dashboard.Board(snapshot, Bureau.objects.get(level=Bureau.Level.NATIONAL))
        if snapshot and period.is_frozen
        else None,
    }
    return render(request, "bulletins/period_publish.html", context)
