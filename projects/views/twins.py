"""The merge desk: problems that may be the same, two by two, and what was decided of them."""

import uuid
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.models import Grant, User
from common.steps import refusals_told
from projects import services
from projects.facts import Fact, facts_of
from projects.forms.twins import TwinForm
from projects.models import Bottleneck, TwinJudgement
from projects.twins import (
    Pair,
    grant_to_judge,
    in_review,
    judge,
    masters_for,
    officer_of_city,
    pairs_among,
    pairs_of,
    undo,
)
from projects.views.desk import desk_grant
from record.services import looked_at

# Pairs on a page, problems looked through for them, and decisions listed below.
PAIRS, LOOKED_AT, DECIDED = 10, 30, 10
COMPARED = ("chain", "segment", "product", "title", "choke", "symptom", "effect", "cause", "nqi_gap")


def _city_grant(request: HttpRequest) -> Grant:
    grant = desk_grant(request)
    if not officer_of_city(grant):
        raise PermissionDenied(_("归并台供市级及以上单位的经办人使用。"))
    return grant


@login_required
@require_GET
def twins(request: HttpRequest) -> HttpResponse:
    """The pairs among the problems in review, the newest first."""
    grant, user = _city_grant(request), request.user
    start = request.GET.get("from", "")
    first = int(start) if start.isascii() and start.isdecimal() and len(start) < 7 else 0
    rows = in_review(user, grant)
    pairs: list[Pair] = []
    reached = 0
    for found in pairs_among(rows[first : first + LOOKED_AT], user, grant):
        reached += 1
        pairs += found
        if len(pairs) >= PAIRS:
            break
    total = rows.count()
    context = {
        "cards": [_card(pair, user) for pair in pairs],
        "total": total,
        "first": first,
        "reached": first + reached,
        "more": f"{reverse('projects:twins')}?from={first + reached}" if first + reached < total else "",
        "decided": _decided(user, grant),
    }
    return render(request, "projects/twins/desk.html", context)


def _decided(user: User, grant: Grant) -> list[TwinJudgement]:
    """What this bureau decided last."""
    rows = TwinJudgement.objects.visible_to(user).filter(bureau=grant.bureau)
    return list(rows.select_related("first", "second", "by", "undone_by", "master")[:DECIDED])


def _card(pair: Pair, user: User, form: TwinForm | None = None) -> dict[str, Any]:
    """A pair with what both say, line by line, and the form of the decision."""
    form = form or TwinForm(masters=masters_for((pair.row, pair.other), user), other=pair.other)
    return {"pair": pair, "lines": _lines(pair), "form": form}


def _lines(pair: Pair) -> list[dict[str, Any]]:
    """The facts of both, marked where they differ; what neither says is left out."""
    sides = [_said(row) for row in (pair.earlier, pair.later)]
    return [
        {"label": one.label, "first": one.text, "second": two.text, "differs": one.text != two.text}
        for one, two in zip(*sides, strict=True)
        if one.text or two.text
    ]


def _said(row: Bottleneck) -> list[Fact]:
    steps = ("happening", "extent", "help")
    facts = {fact.name: fact for step in steps for fact in facts_of(row, step, (), None)}
    return [facts[name] for name in COMPARED]


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def twins_of(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """The pairs of one problem; posting decides one of them."""
    _city_grant(request)
    user = request.user
    rows = Bottleneck.objects.visible_to(user).for_lists().select_related("bureau", "segment")
    row = get_object_or_404(rows.exclude(status=Bottleneck.Status.DRAFT), public_id=public_id)
    if grant_to_judge([row], user) is None:
        raise PermissionDenied(_("相似问题由办理这些问题的市级及以上单位的经办人判断。"))
    looked_at(row, row.organization_id, user)
    if request.method == "POST":
        return _decide(request, row)
    return _pairs_page(request, row, pairs_of(row, user))


def _pairs_page(
    request: HttpRequest,
    row: Bottleneck,
    pairs: list[Pair],
    forms: dict[int, TwinForm] | None = None,
    status: int = 200,
    **more: Any,
) -> HttpResponse:
    context = {
        "bottleneck": row,
        "cards": [_card(pair, request.user, (forms or {}).get(pair.other.pk)) for pair in pairs],
        "forms": list((forms or {}).values()),
    }
    return render(request, "projects/twins/of_problem.html", context | more, status=status)


def _decide(request: HttpRequest, row: Bottleneck) -> HttpResponse:
    user = request.user
    pairs = pairs_of(row, user)
    try:
        wanted = uuid.UUID(request.POST.get("other", ""))
    except ValueError:
        return _pairs_page(request, row, pairs, status=422)
    rows = Bottleneck.objects.visible_to(user).exclude(pk=row.pk).exclude(status=Bottleneck.Status.DRAFT)
    other = get_object_or_404(rows.select_related("handler", "bureau"), public_id=wanted)
    form = TwinForm(request.POST, masters=masters_for((row, other), user), other=other)
    if form.is_valid():
        try:
            done = judge(
                row,
                other,
                form.cleaned_data["verdict"],
                by=user,
                reason=form.cleaned_data["reason"],
                master=form.chosen_master(),
            )
        except services.StaleRow as stale:
            return _pairs_page(request, row, pairs_of(row, user), status=409, stale=str(stale))
        except ValidationError as fault:
            form.add_error(None, fault.messages)
        else:
            _report(request, done)
            return redirect("projects:twins")
    return _pairs_page(request, row, pairs, {other.pk: form}, status=422)


def _report(request: HttpRequest, done: TwinJudgement) -> None:
    messages.success(
        request,
        format_html(
            _('已判断 {} 和 {}：{}。可以在下面的<a href="{}#decided">最近的结论</a>里撤销。'),
            done.first.code,
            done.second.code,
            done.get_verdict_display(),
            reverse("projects:twins"),
        ),
    )


@login_required
@require_POST
def twin_undo(request: HttpRequest, pk: int) -> HttpResponse:
    """Take a decision back."""
    _city_grant(request)
    judgement = get_object_or_404(
        TwinJudgement.objects.visible_to(request.user).select_related("first", "second"), pk=pk
    )
    with refusals_told(request, services.StaleRow):
        undo(judgement, by=request.user)
        messages.success(
            request,
            _("已撤销 %(first)s 和 %(second)s 的结论，这两个问题恢复原状。")
            % {"first": judgement.first.code, "second": judgement.second.code},
        )
    return redirect(f"{reverse('projects:twins')}#decided")
