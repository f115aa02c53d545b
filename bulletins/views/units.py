"""One unit and one period: its figures beside earlier ones, what it does with them, who is missing below."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from bulletins import collecting, figures, identities, periods, stock
from bulletins.forms import ExcuseForm, NoteForm, ReturnForm, posted
from bulletins.indicators import CATALOGUE
from bulletins.ladder import CONFIRMING, Ladder, Rung, Standing
from bulletins.models import Period, Snapshot, Submission
from bulletins.views.periods import faults_of, for_bureaus
from common import formats, printing
from common.steps import refusals_told
from enterprises.models import Bureau

Status = Submission.Status


@dataclass(frozen=True)
class Line:
    """A figure of the unit now, in the period before and in the year before; ``confirmed`` is what was handed
    in, where it is another one now."""

    indicator: Any
    value: str
    parts: str
    before: str
    year_before: str
    change: printing.Change
    confirmed: str
    href: str


def address(period: Period, bureau: Bureau) -> str:
    return reverse("bulletins:period_unit", args=[period.code, bureau.code])


def _asked(request: HttpRequest, code: str, unit: str) -> tuple[Period, Bureau]:
    """The period and a unit of the reader's line; other units are none of its business."""
    period = get_object_or_404(Period.objects.staged(), code=code)
    bureau = get_object_or_404(Bureau.objects.select_related("parent"), code=unit)
    if not request.user.scope.covers(bureau) or bureau.level > Bureau.Level.COUNTY:
        raise Http404
    return period, bureau


@for_bureaus
@require_safe
def period_unit(request: HttpRequest, code: str, unit: str) -> HttpResponse:
    period, bureau = _asked(request, code, unit)
    return _page(request, period, bureau, NoteForm())


def _page(
    request: HttpRequest, period: Period, bureau: Bureau, form: NoteForm, status: int = 200
) -> HttpResponse:
    ladder = Ladder(period, bureau)
    rung = ladder.rung(bureau) if bureau.level in CONFIRMING else None
    row = Submission.objects.visible_to(request.user).filter(period=period, bureau=bureau).first()
    snapshot = figures.current(period)
    faults = (
        identities.breaches(snapshot, bureau)
        if snapshot and not period.is_frozen and period.is_collected and rung and not rung.is_settled
        else []
    )
    context = {
        "period": period,
        "bureau": bureau,
        "rung": rung,
        "row": row,
        "form": form,
        "heading": _("%(unit)s%(period)s数字") % {"unit": bureau.short_name, "period": period.name},
        "line": [
            (above.short_name, address(period, above) if request.user.scope.covers(above) else "")
            for above in Bureau.objects.above(bureau)
        ],
        "snapshot": snapshot,
        "lines": _lines(period, bureau, snapshot, row) if snapshot else [],
        "names": {
            "before": periods.name(periods.before(period.code)),
            "year_before": periods.name(periods.year_before(period.code)),
        },
        "is_year": period.kind == Period.Kind.YEAR,
        # By the ledger of today, so beside frozen figures it would tell another number.
        "stock": stock.balance(period, bureau) if snapshot and not period.is_frozen else None,
        "seal": collecting.seal(snapshot, bureau) if snapshot else "",
        "faults": faults_of(faults),
        "next": _next(request.user, period, rung),
        "may_submit": rung is not None and _may_submit(request.user, rung),
        "why_not_submit": _why_not_submit(period, ladder, rung, snapshot),
        "may_judge": rung is not None and collecting.may_judge(request.user, bureau),
        "why_not_judge": collecting.why_not_judge(request.user, row) if row else "",
        "excuse": rung.excuse if rung else None,
        "below": ladder.below(bureau),
        "counts": _counts(ladder.below(bureau)),
        "judges_below": request.user.holds_over(bureau, *collecting.CONFIRMERS),
        "is_collecting": period.is_collected and not period.is_frozen,
    }
    return render(request, "bulletins/period_unit.html", context, status=status)


def _may_submit(user: Any, rung: Rung) -> bool:
    return (
        rung.standing in (Standing.WAITING, Standing.READY, Standing.RETURNED)
        and collecting.grant_to_submit(user, rung.bureau) is not None
    )


def _why_not_submit(period: Period, ladder: Ladder, rung: Rung | None, snapshot: Snapshot | None) -> str:
    """Why the unit cannot hand in yet; empty when it can, or when trying has its figures counted anew."""
    if rung is None:
        return ""
    if waiting := ladder.waiting_for(rung.bureau):
        return _("下级还有 %(n)d 个单位没有通过审核。") % {"n": len(waiting)}
    if snapshot is None or collecting.current_count(period) is None:
        return _("截止后的数字还没有汇总，请稍候。")
    return ""


def _next(user: Any, period: Period, rung: Rung | None) -> str:
    """What happens next with the unit's figures, and whose turn it is."""
    if rung is None or not period.is_collected or period.is_frozen:
        return ""
    unit = rung.bureau
    superior = unit.parent.short_name if unit.parent else ""
    due = formats.day_weekday(period.freeze_due)
    return {
        Standing.NOT_YET: _("%(day)s 24:00 截止后开始确认。") % {"day": formats.day_weekday(period.end_on)},
        Standing.WAITING: _("等下级通过：%(settled)d / %(all)d。")
        % {"settled": rung.below[0], "all": rung.below[1]},
        Standing.READY: _("轮到%(unit)s核对并提交，%(day)s 冻结。") % {"unit": unit.short_name, "day": due},
        Standing.SUBMITTED: _("等%(superior)s审核，%(day)s 冻结。") % {"superior": superior, "day": due},
        Standing.RETURNED: _("请%(unit)s改正后重新提交，%(day)s 冻结。")
        % {"unit": unit.short_name, "day": due},
        Standing.APPROVED: _("%(superior)s已通过。") % {"superior": superior},
        Standing.EXCUSED: _("经批准免报，不需要提交。"),
    }[rung.standing]


def _counts(rungs: list[Rung]) -> list[tuple[str, str, int]]:
    """How many of the units below stand how; what none does is left out."""
    found = [(one.value, one.label, sum(rung.standing == one for rung in rungs)) for one in Standing]
    return [line for line in found if line[2]]


def _lines(period: Period, bureau: Bureau, snapshot: Snapshot, row: Submission | None) -> list[Line]:
    former = Period.objects.filter(code=periods.before(period.code)).first()
    earlier = figures.current(former) if former else None
    before = figures.of_unit(earlier, bureau)
    known = figures.definitions(snapshot)
    rows_of = reverse("bulletins:figure_rows", args=[period.code, bureau.code, "I01"]).removesuffix("I01/")
    lines = []
    for one in figures.headline(snapshot, bureau, tuple(CATALOGUE)):
        code, indicator = one.indicator.code, known[one.indicator.code]
        last = figures.text(indicator, figures.number(indicator, before.get(code, figures.NOT_REPORTED)))
        lines.append(
            Line(
                indicator,
                one.text,
                one.parts,
                last if figures.comparable(code, snapshot, earlier) else "—",
                one.previous_text,
                one.change,
                _otherwise(indicator, one.figure, row),
                f"{rows_of}{code}/",
            )
        )
    return lines


def _otherwise(indicator: Any, figure: figures.Value, row: Submission | None) -> str:
    """The figure that was handed in, if it has changed since."""
    stated = row.figures.get(indicator.code) if row else None
    if stated is None or stated == list(figure.stated):
        return ""
    value, above, below = stated
    return figures.text(indicator, figures.number(indicator, figures.Value(value, 0, above, below)))


# --- Steps ------------------------------------------------------------------------------------------------


def _done(
    request: HttpRequest, period: Period, bureau: Bureau, step: Callable[[], Any], said: str
) -> HttpResponse:
    """Take the step and say what was done, or why it could not be; back to the page of the unit."""
    with refusals_told(request):
        step()
        messages.success(request, said)
    return redirect(address(period, bureau))


def _submission(request: HttpRequest, period: Period, bureau: Bureau) -> Submission:
    rows = Submission.objects.visible_to(request.user).select_related("bureau__parent", "period")
    return get_object_or_404(rows, period=period, bureau=bureau)


def _seen(request: HttpRequest) -> int:
    """The round that the page showed; none at all is none of them."""
    text = request.POST.get("round", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0


@for_bureaus
@require_POST
def unit_submit(request: HttpRequest, code: str, unit: str) -> HttpResponse:
    period, bureau = _asked(request, code, unit)
    form = NoteForm(request.POST)
    if not form.is_valid():
        return _page(request, period, bureau, form, status=400)
    return _done(
        request,
        period,
        bureau,
        lambda: collecting.submit(
            period, bureau, request.user, form.cleaned_data["note"], seen=request.POST.get("seal", "")
        ),
        _("已提交，上级审核后会通知您。"),
    )


@for_bureaus
@require_POST
def unit_approve(request: HttpRequest, code: str, unit: str) -> HttpResponse:
    period, bureau = _asked(request, code, unit)
    _refuse_others(request, bureau)
    row = _submission(request, period, bureau)
    return _done(
        request,
        period,
        bureau,
        lambda: collecting.approve(row, request.user, _seen(request)),
        _("已通过%(unit)s的数字。") % {"unit": bureau.short_name},
    )


def _refuse_others(request: HttpRequest, bureau: Bureau) -> None:
    if not collecting.may_judge(request.user, bureau):
        raise PermissionDenied(_("审核和免报由上级单位的经办人员或统计员办理。"))


@for_bureaus
@require_http_methods(["GET", "POST"])
def unit_return(request: HttpRequest, code: str, unit: str) -> HttpResponse:
    """Asks for the reason before figures go back."""
    period, bureau = _asked(request, code, unit)
    _refuse_others(request, bureau)
    row = _submission(request, period, bureau)
    form = ReturnForm(posted(request))
    if request.method == "POST" and form.is_valid():
        reason = form.cleaned_data["reason"]
        return _done(
            request,
            period,
            bureau,
            lambda: collecting.send_back(row, request.user, _seen(request), reason),
            _("已退回%(unit)s，对方会看到原因。") % {"unit": bureau.short_name},
        )
    seen = _seen(request) if request.method == "POST" else row.round
    context = {"period": period, "bureau": bureau, "round": seen, "form": form, "danger": True}
    context["cancel_url"] = address(period, bureau)
    return render(request, "bulletins/unit_return.html", context, status=400 if form.errors else 200)


@for_bureaus
@require_http_methods(["GET", "POST"])
def unit_excuse(request: HttpRequest, code: str, unit: str) -> HttpResponse:
    """Asks for which time and why a unit is excused."""
    period, bureau = _asked(request, code, unit)
    _refuse_others(request, bureau)
    form = ExcuseForm(posted(request))
    if request.method == "POST" and form.is_valid():
        until, reason = form.cleaned_data["until"], form.cleaned_data["reason"]
        try:
            collecting.excuse(bureau, request.user, reason, period=None if until else period, until=until)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            messages.success(request, _said_of_excuse(period, bureau))
            return redirect(address(period, bureau.parent or bureau))
    context = {"period": period, "bureau": bureau, "form": form}
    context["cancel_url"] = address(period, bureau)
    return render(request, "bulletins/unit_excuse.html", context, status=400 if form.errors else 200)


def _said_of_excuse(period: Period, bureau: Bureau) -> SafeString:
    link = format_html('<a href="{}">{}</a>', address(period, bureau), bureau.short_name)
    return format_html(_("已批准 {} 免报。"), link)


@for_bureaus
@require_POST
def unit_lift(request: HttpRequest, code: str, unit: str) -> HttpResponse:
    """Ends the excuse of the unit itself; what a unit above was excused for is lifted there."""
    period, bureau = _asked(request, code, unit)
    _refuse_others(request, bureau)
    if bureau.path not in Ladder(period, bureau).excuses:
        messages.error(request, _("%(unit)s现在没有免报。") % {"unit": bureau.short_name})
        return redirect(address(period, bureau))
    return _done(
        request,
        period,
        bureau,
        lambda: collecting.lift(bureau, period, request.user),
        _("已撤销%(unit)s的免报。") % {"unit": bureau.short_name},
    )
