"""Bulletins that are issued by themselves: what is set up for which subtree, and how each run went."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from bulletins import circular, series, services
from bulletins.forms import SeriesForm, posted
from bulletins.models import Edition, Period, Series
from bulletins.views.papers import NOT_ALLOWED, NOT_SIGNING
from common.steps import refusals_told
from enterprises.models import Bureau

EDITIONS_SHOWN = 12


def _may_draw_up(user: Any) -> bool:
    return bool(user.grants_of(*services.ISSUERS))


@login_required
@require_safe
def series_list(request: HttpRequest) -> HttpResponse:
    rows = Series.objects.visible_to(request.user).select_related("bureau", "approved_by")
    context = {"rows": rows.order_by("ended_at", "bureau__code"), "may_draw_up": _may_draw_up(request.user)}
    return render(request, "bulletins/series_list.html", context)


@login_required
@require_http_methods(["GET", "POST"])
def series_new(request: HttpRequest) -> HttpResponse:
    if not _may_draw_up(request.user):
        raise PermissionDenied(NOT_ALLOWED)
    grant: Any = request.grant  # type: ignore[attr-defined]
    initial = {"bureau": grant.bureau.code} if grant and grant.bureau_id else {}
    form = SeriesForm(posted(request), initial=initial, request=request)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            made = series.draw_up(
                data["bureau"],
                request.user,  # type: ignore[arg-type]
                kind=data["kind"],
                period_kind=data["period_kind"],
                down_to=data["down_to"],
                words=form.words(),
            )
        except ValidationError as error:
            form.refuse(error)
        else:
            messages.success(request, _("已拟定，由另一名管理员签发后生效。"))
            return redirect("bulletins:series_detail", made.pk)
    return render(request, "bulletins/series_new.html", {"form": form}, status=400 if form.errors else 200)


def _series(request: HttpRequest, pk: int) -> Series:
    rows = Series.objects.visible_to(request.user).select_related("bureau", "created_by", "approved_by")
    return get_object_or_404(rows, pk=pk)


@login_required
@require_safe
def series_detail(request: HttpRequest, pk: int) -> HttpResponse:
    row = _series(request, pk)
    newest = row.editions.judged("of the series").select_related("snapshot__period")
    context = {
        "row": row,
        "words": [(circular.FREE[key], text) for key, text in row.words.items() if key in circular.FREE],
        "editions": _shown(list(newest[:EDITIONS_SHOWN])),
        "actions": _actions(request.user, row),
        "periods": _periods(request.user, row),
        "may_run": bool(row.approved_at and not row.ended_at)
        and services.may_issue(request.user, row.bureau),  # type: ignore[arg-type]
    }
    return render(request, "bulletins/series_detail.html", context)


def _periods(user: Any, row: Series) -> list[Period]:
    """For which it may be run: published ones; those frozen before the signature, by who may sign."""
    published = Period.objects.filter(kind=row.period_kind, status__in=Period.PUBLIC)
    if not services.may_sign(user, row.bureau):
        published = published.filter(frozen_at__gte=row.approved_at) if row.approved_at else published.none()
    return list(published[:8])


def _shown(editions: list[Edition]) -> list[dict[str, Any]]:
    """Each with how far its papers are, and why units have none."""
    standings = series.standings(editions)
    failing = {code for edition in editions for code in edition.faults}
    names = dict(Bureau.objects.filter(code__in=failing).values_list("code", "short_name")) if failing else {}
    return [
        {
            "row": edition,
            "standing": standings[edition.pk],
            "faults": [(names.get(code, code), why) for code, why in edition.faults.items()],
        }
        for edition in editions
    ]


def _actions(user: Any, row: Series) -> list[dict[str, Any]]:
    if row.ended_at:
        return []
    may_issue, may_sign = services.may_issue(user, row.bureau), services.may_sign(user, row.bureau)
    own = _("您拟定了这项定期印发，请由另一名管理员签发。") if row.created_by_id == user.pk else ""
    sign = {
        "label": pgettext("bulletin", "签发"),
        "post": True,
        "primary": True,
        "why": own if may_sign else NOT_SIGNING,
        "href": reverse("bulletins:series_sign", args=[row.pk]),
    }
    end = {
        "label": _("停止"),
        "post": True,
        "why": "" if may_issue else NOT_ALLOWED,
        "href": reverse("bulletins:series_end", args=[row.pk]),
    }
    return [end] if row.approved_at else [sign, end]


def _step(request: HttpRequest, pk: int, do: Callable[[Series], object], said: str) -> HttpResponse:
    row = _series(request, pk)
    with refusals_told(request):
        do(row)
        messages.success(request, said)
    return redirect("bulletins:series_detail", row.pk)


@login_required
@require_POST
def series_sign(request: HttpRequest, pk: int) -> HttpResponse:
    user: Any = request.user
    said = _("已签发。以后冻结的期间，发布时自动按此印发。")
    return _step(request, pk, lambda row: series.sign(row, user), said)


@login_required
@require_POST
def series_end(request: HttpRequest, pk: int) -> HttpResponse:
    user: Any = request.user
    return _step(request, pk, lambda row: series.end(row, user), _("已停止，已印发的通报不变。"))


@login_required
@require_POST
def series_run(request: HttpRequest, pk: int) -> HttpResponse:
    """Issue for a period that was frozen before the series was signed, or make its edition complete."""
    user: Any = request.user
    period = Period.objects.filter(code=request.POST.get("period", "")).first()

    def run(row: Series) -> object:
        services.refuse_others_to_issue(user, row.bureau)
        if period is None:
            raise ValidationError(_("请选择一个已发布的期间。"))
        return series.run(row, period, user)

    return _step(request, pk, run, _("已开始印发，没有变化的单位不重复印发。"))
