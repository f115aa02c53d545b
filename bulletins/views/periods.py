"""Reporting periods: open, roll up, freeze, publish, correct."""

import re
from collections.abc import Callable, Iterable
from datetime import timedelta
from functools import wraps
from typing import Any, NamedTuple

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from bulletins import collecting, dashboard, figures, services
from bulletins.disclosure import Reader
from bulletins.forms import CollectForm, PeriodForm, ReasonForm, posted
from bulletins.ladder import CONFIRMING, Ladder, Rung, why_not_freeze
from bulletins.models import Period, Snapshot
from bulletins.views.figures import home_unit
from bulletins.views.jobs import progress_of, progress_response
from common import formats
from common.scope import Scope
from common.steps import refusals_told
from enterprises.models import Bureau

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
            if form.cleaned_data["is_collected"]:
                collecting.collect(period, request.user)
            link = format_html('<a href="{}">{}</a>', _address(period), period.name)
            messages.success(request, format_html(_("已建立统计期 {}。"), link))
            return redirect(_address(period))
    jobs: dict[int, Snapshot] = {}
    for snapshot in Snapshot.objects.jobs():
        jobs.setdefault(snapshot.period_id, snapshot)
    standings = _standings(request)
    context = {
        "form": form,
        "may_open": may,
        "why_not": NOT_ALLOWED,
        "rows": [
            (period, next_step(period, jobs.get(period.pk)), standings.get(period.pk))
            for period in Period.objects.staged()
        ],
        "has_standings": bool(standings),
    }
    return render(request, "bulletins/period_list.html", context, status=400 if form.errors else 200)


def _standings(request: HttpRequest) -> dict[int, Rung]:
    """How the unit at whose desk one sits stands to each period that is being confirmed."""
    unit = request.grant and request.grant.bureau
    if unit is None or unit.level not in CONFIRMING:
        return {}
    return {period.pk: Ladder(period, unit).rung(unit) for period in Period.objects.collecting()}


class Next(NamedTuple):
    """What happens next with a period, and who does it."""

    words: str
    by: str = ""


def next_step(period: Any, job: Snapshot | None) -> Next:
    """What happens next with a period that knows its stage, when, and by whom."""
    nation = _("总局统计员")
    due = formats.day_weekday(period.freeze_due)
    if job and job.is_under_way:
        return Next(_("正在冻结") if job.version else _("正在汇总"), _("系统"))
    if job and job.job_state == Snapshot.State.FAILED:
        return Next(_("上次冻结没有成功，待处理") if job.version else _("上次汇总失败，待重试"), nation)
    stage = Period.Stage
    steps = {
        stage.OPEN: Next(
            _("填报到 %(day)s") % {"day": formats.day_weekday(period.end_on)}, _("企业和各级单位")
        ),
        stage.COLLECTING: Next(_("逐级提交和审核，%(day)s 冻结") % {"day": due}, _("县、市、省局")),
        stage.REVIEWING: Next(_("审核后冻结，应在 %(day)s 前") % {"day": due}, nation),
        stage.FROZEN: Next(_("核对后发布，印发通报"), nation),
    }
    return steps.get(period.stage, Next(""))


@for_bureaus
@require_safe
def period_detail(request: HttpRequest, code: str) -> HttpResponse:
    """How a period stands, what is next, its versions."""
    period = get_object_or_404(Period.objects.staged().select_related("frozen_by"), code=code)
    unit = request.grant.bureau if request.grant and request.grant.bureau_id else home_unit(request)
    snapshots = list(period.snapshots.select_related("created_by").order_by("-created_at", "-pk"))
    last = period.snapshots.jobs().first()
    done = [snapshot for snapshot in snapshots if snapshot.job_state == Snapshot.State.DONE]
    newest = next(iter(_frozen(done)), None)
    context = {
        "period": period,
        "next_step": next_step(period, last),
        "progress": _progress(period, last),
        "failed": last if last and last.job_state == Snapshot.State.FAILED else None,
        # Faults of a freeze name problems and units anywhere.
        "faults": _faults(last)
        if last
        and last.job_state == Snapshot.State.FAILED
        and (request.user.scope.everything or not last.version)
        else [],
        "steps": _steps(period),
        "versions": _frozen(done),
        "working": next((s for s in done if not s.version), None) if not period.is_frozen else None,
        "calendar": _calendar(period),
        "ladder": _ladder(request, period, unit),
        "coverage": coverage(newest, None if period.is_public else request.user.scope) if newest else None,
        # Warnings name problems of any unit.
        "warnings": [_linked(sentence) for sentence in newest.warnings]
        if newest and request.user.scope.everything
        else [],
        "actions": _actions(request.user, period, last),
        "figures_href": dashboard.address(period, unit) if done else "",
        "compare_href": reverse("bulletins:compare", query={"after": done[0].code, "bureau": unit.code})
        if done and unit
        else "",
        "bulletins": period.bulletins.visible_to(request.user).select_related("bureau")[:10],
        "bulletins_href": reverse("bulletins:bulletin_list", query={"period": period.code}),
        "new_href": reverse("bulletins:bulletin_new", query={"period": period.code})
        if period.is_frozen and may_roll_up(request.user)
        else "",
    }
    return render(request, "bulletins/period_detail.html", context)


def _frozen(snapshots: list[Snapshot]) -> list[Snapshot]:
    return sorted((snapshot for snapshot in snapshots if snapshot.version), key=lambda s: -s.version)


def _steps(period: Any) -> list[dict[str, str]]:
    """The way of a period, and where it stands; one that is not collected skips that step."""
    stage = Period.Stage
    way = [stage.OPEN, stage.COLLECTING, stage.REVIEWING, stage.FROZEN, stage.PUBLISHED]
    if not period.is_collected:
        way.remove(stage.COLLECTING)
    if period.stage == stage.REVISED:
        way.append(stage.REVISED)
    at = way.index(period.stage)
    # What is frozen or published is so: nothing of that step is left to do.
    done = at + (at >= way.index(stage.FROZEN))
    words = {stage.FROZEN: _("冻结"), stage.PUBLISHED: _("发布"), stage.REVISED: _("更正")}
    return [
        {
            "label": words.get(one, one.label),
            "state": "done" if n < done else "current" if n == done else "todo",
        }
        for n, one in enumerate(way)
    ]


def _calendar(period: Period) -> list[tuple[str, str]]:
    """The days of a period."""
    first, last = formats.day(period.start_on), formats.day(period.end_on)
    after = period.end_on + timedelta(days=1)
    lines = [
        (_("填报"), _("%(first)s 至 %(last)s") % {"first": first, "last": last}),
        (_("截止"), _("%(day)s 24:00（北京时间）") % {"day": formats.day_weekday(period.end_on)}),
    ]
    if period.is_collected:
        days = {"first": formats.day(after), "last": formats.day(period.freeze_due)}
        lines.append((_("逐级确认"), _("%(first)s 至 %(last)s") % days))
    return [*lines, (_("冻结"), formats.day_weekday(period.freeze_due))]


def _ladder(request: HttpRequest, period: Period, unit: Bureau | None) -> dict[str, Any] | None:
    """How far the confirming has come at the unit at whose desk one sits."""
    if unit is None or not period.is_collected or period.is_frozen or timezone.now() < period.cut_off:
        return None
    if not request.user.scope.covers(unit) or unit.level > Bureau.Level.COUNTY:
        return None
    ladder = Ladder(period, unit)
    missing = ladder.missing
    return {
        "unit": unit,
        "rung": ladder.rung(unit) if unit.level in CONFIRMING else None,
        "below": ladder.below(unit),
        "all": len(ladder.bureaus),
        "settled": len(ladder.bureaus) - len(missing),
    }


def coverage(snapshot: Snapshot, scope: Scope | None) -> dict[str, list[Any]] | None:
    """Who was excused when the figures were frozen, who was missing, and whose figures had changed since they
    were approved, of the units of a scope; None if nobody was asked."""
    kept = snapshot.coverage
    if not kept:
        return None
    changed = kept.get("changed", [])
    codes = [*kept["missing"], *changed, *(line["bureau"] for line in kept["excused"])]
    units = Bureau.objects.in_bulk(codes, field_name="code")
    if scope is not None:
        units = {code: unit for code, unit in units.items() if scope.covers(unit)}
    return {
        "changed": [units[code] for code in changed if code in units],
        "missing": [units[code] for code in kept["missing"] if code in units],
        "excused": [(units[line["bureau"]], line) for line in kept["excused"] if line["bureau"] in units],
    }


def _faults(snapshot: Snapshot) -> list[SafeString]:
    """The sentences of a failed job, each code a link to its row."""
    return faults_of(sentence for sentence in SENTENCE_END.split(snapshot.error) if sentence)


def faults_of(sentences: Iterable[str]) -> list[SafeString]:
    """Sentences with their codes as links."""
    return [_linked(sentence) for sentence in sentences]


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
    job = period.snapshots.jobs().first()
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
    freeze = {
        "name": "freeze",
        "label": _("冻结"),
        # A freeze need not wait for a working roll-up.
        "why": nation or (busy if job and job.version else "") or early or why_not_freeze(period),
    }
    collect = {"name": "collect", "label": _("逐级确认"), "why": nation}
    publish = {"name": "publish", "label": _("发布"), "why": nation or busy}
    correct = {"name": "freeze", "label": _("更正"), "why": nation or busy}
    offered = {
        Period.Status.OPEN: [roll_up, freeze] if period.is_collected else [roll_up, collect, freeze],
        Period.Status.FROZEN: [publish, correct],
        Period.Status.PUBLISHED: [correct],
        Period.Status.REVISED: [correct],
    }[period.status]
    for action in offered:
        action["href"] = reverse(f"bulletins:period_{action['name']}", args=[period.code])
    return offered


@for_bureaus
@require_POST
def period_rollup(request: HttpRequest, code: str) -> HttpResponse:
    period = get_object_or_404(Period, code=code)
    if not may_roll_up(request.user):
        raise PermissionDenied(MAY_NOT_ROLL_UP)
    with refusals_told(request):
        services.request_rollup(period, request.user)
        messages.success(request, _("已开始汇总%(period)s，可以离开本页。") % {"period": period.name})
    return redirect(_address(period))


@for_bureaus
@require_http_methods(["GET", "POST"])
def period_collect(request: HttpRequest, code: str) -> HttpResponse:
    """Asks for the day of the freeze before all bureaus are to confirm their figures."""
    period = get_object_or_404(Period, code=code)
    if not services.may_freeze(request.user):
        raise PermissionDenied(NOT_ALLOWED)
    form = CollectForm(posted(request), period=period)
    if request.method == "POST" and form.is_valid():
        with refusals_told(request):
            collecting.collect(period, request.user, form.cleaned_data["freeze_on"])
            said = _("%(period)s截止后由县、市、省逐级确认。")
            messages.success(request, said % {"period": period.name})
        return redirect(_address(period))
    context = {"period": period, "form": form, "cancel_url": _address(period)}
    return render(request, "bulletins/period_collect.html", context, status=400 if form.errors else 200)


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
        with refusals_told(request):
            job = services.request_freeze(period, request.user, reason)
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
        "ladder": Ladder(period) if period.is_collected and not correcting else None,
        "why_not": "" if correcting else why_not_freeze(period),
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
        with refusals_told(request):
            services.publish(period, request.user)
            messages.success(request, _("%(period)s的数据已发布，首页已经更新。") % {"period": period.name})
        return redirect(_address(period))
    snapshot = figures.current(period)
    context = {
        "period": period,
        "cancel_url": _address(period),
        "board": dashboard.Board(
            snapshot, Bureau.objects.get(level=Bureau.Level.NATIONAL), Reader(request.user)
        )
        if snapshot and period.is_frozen
        else None,
    }
    return render(request, "bulletins/period_publish.html", context)
