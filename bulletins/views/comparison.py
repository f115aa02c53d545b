"""Two snapshots beside each other, and a figure counted anew: what differs, and by which rows."""

from collections.abc import Iterable
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from bulletins import access, behind, comparison, dashboard, figures, passports, trees
from bulletins.behind import Place, Side
from bulletins.comparison import Comparison, Line
from bulletins.disclosure import Reader
from bulletins.forms import CompareForm
from bulletins.indicators import CATALOGUE, Kind
from bulletins.models import Period
from bulletins.passports import CHANGES_LISTED, Changes
from bulletins.views.figures import chain_of, heading_of, home_unit, snapshot_of, versions_of
from common import listing
from common.listing import XLSX_ROWS, Column, Number, Row
from common.throttle import too_often
from common.workbooks import XLSX
from enterprises.models import Bureau

RECOUNTS_PER_MINUTE = COMPARISONS_PER_MINUTE = 30
PER_PAGE = 50
CSV_ROWS = 50_000


def sent(kind: str, name: str, columns: list[Column], rows: Iterable[Row]) -> HttpResponse:
    """What is seen, as a file."""
    if kind == "xlsx":
        response = HttpResponse(listing.xlsx_file(name, columns, rows), content_type=XLSX)
    else:
        kind, lines = "csv", "".join(listing.csv_lines(columns, rows))
        response = HttpResponse(lines, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = content_disposition_header(True, f"{name}.{kind}")
    return response


def _later(request: HttpRequest, back: str) -> HttpResponse:
    response = render(request, "bulletins/recount_later.html", {"back": back}, status=429)
    response["Retry-After"] = "60"
    return response


# --- Lines ------------------------------------------------------------------------------------------------

LINE_COLUMNS = [
    Column("unit_code", gettext_lazy("单位代码"), "unit_code"),
    Column("unit", gettext_lazy("单位"), "unit"),
    Column("code", gettext_lazy("指标代码"), "code"),
    Column("indicator", gettext_lazy("指标"), "indicator"),
    Column("chain", gettext_lazy("产业链"), "chain"),
    Column("counted_in", gettext_lazy("计量单位"), "counted_in"),
    Number("before", gettext_lazy("基准版"), "before"),
    Number("after", gettext_lazy("比较版"), "after"),
    Number("difference", gettext_lazy("差异"), "difference"),
    Number("before_numerator", gettext_lazy("基准版：分子"), "before_numerator"),
    Number("before_denominator", gettext_lazy("基准版：分母"), "before_denominator"),
    Number("after_numerator", gettext_lazy("比较版：分子"), "after_numerator"),
    Number("after_denominator", gettext_lazy("比较版：分母"), "after_denominator"),
    Column("remark", gettext_lazy("说明"), "remark"),
]


def _cells(line: Line) -> Row:
    was, now = (
        figures.HIDDEN if side.withheld else figures.rounded(line.indicator, side)
        for side in (line.before, line.after)
    )
    return {
        "unit_code": line.unit_code,
        "unit": line.unit,
        "code": line.indicator.code,
        "indicator": str(line.indicator.name),
        "chain": line.chain,
        "counted_in": str(line.indicator.unit),
        "before": was,
        "after": now,
        "difference": None if line.difference is None else figures.printed(line.indicator, line.difference),
        **{
            f"{side}_{part}": getattr(figure, part)
            for side, figure in (("before", line.before), ("after", line.after))
            for part in ("numerator", "denominator")
        },
        "remark": line.remark,
    }


@login_required
@require_safe
def compare(request: HttpRequest) -> HttpResponseBase:
    """Two snapshots line by line; to who covers the unit, what differs most first."""
    if too_often(request, "compare", COMPARISONS_PER_MINUTE):
        return _later(request, reverse("bulletins:compare"))
    home = home_unit(request)
    if home is None:
        raise Http404
    form = CompareForm(request.GET, user=request.user, home=home, request=request)
    valid = form.is_valid()
    form.settle()
    context: dict[str, Any] = {"form": form, "heading": _("比较两版数据")}
    before, after = (form.cleaned_data.get(name) for name in ("before", "after"))
    if not valid or before is None or after is None:
        return render(request, "bulletins/compare.html", context, status=200 if valid else 400)
    bureau = form.cleaned_data["bureau"]
    for snapshot in (before, after):
        if refused := access.refusal(request, snapshot.period, bureau):
            return refused
    found = Comparison(
        before,
        after,
        bureau,
        request.user,
        codes=[form.cleaned_data["indicator"]] if form.cleaned_data["indicator"] else (),
        chain=form.cleaned_data["chain"],
        by_chain=form.cleaned_data["by_chain"],
        differing=not form.cleaned_data["same"],
    )
    rows = found.lines()
    if kind := request.GET.get("export"):
        name = _("%(unit)s%(before)s与%(after)s比较") % {
            "unit": bureau.short_name,
            "before": before.code,
            "after": after.code,
        }
        lines = found.told(rows[: XLSX_ROWS if kind == "xlsx" else CSV_ROWS])
        return sent(kind, name, LINE_COLUMNS, [_cells(line) for line in lines])
    page = Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))
    context |= {
        "page": page,
        "lines": [
            (line, dashboard.compare_address(before, after, line.unit_code, line.code, line.chain_code))
            for line in found.told(page.object_list)
        ],
        "sides": (before, after),
        "labels": [comparison.label(one) for one in (before, after)],
        "definitions": [
            (
                CATALOGUE[code].name,
                before.definitions.get(code),
                after.definitions.get(code),
            )
            for code in found.incomparable
        ],
        "bureau": bureau,
        "is_covered": found.is_covered,
        "is_told_only": found.is_told_only,
        "by_chain": found.by_chain,
        "xlsx_allowed": page.paginator.count <= XLSX_ROWS,
        "csv_rows": page.paginator.count > CSV_ROWS and CSV_ROWS,
    }
    return render(request, "bulletins/compare.html", context)


# --- Rows -------------------------------------------------------------------------------------------------


ROW_COLUMNS = [
    Column("kind", gettext_lazy("变动"), "kind"),
    Column("part", gettext_lazy("计入"), "part"),
    Column("name", gettext_lazy("记录"), "name"),
    Column("code", gettext_lazy("编号"), "code"),
    Column("unit", gettext_lazy("计入单位"), "unit"),
    Column("why", gettext_lazy("怎么变的"), "why"),
]


@login_required
@require_safe
def compare_rows(request: HttpRequest, before: str, after: str, bureau: str, code: str) -> HttpResponseBase:
    """The rows by which one line differs."""
    unit = get_object_or_404(Bureau, code=bureau)
    try:
        one, other = comparison.find(before), comparison.find(after)
    except ValidationError as fault:
        raise Http404 from fault
    if code not in CATALOGUE or one == other:
        raise Http404
    for snapshot in (one, other):
        if refused := access.refusal(request, snapshot.period, unit):
            return refused
    unit = trees.as_of(other, unit)
    query = {"before": one.code, "after": other.code, "bureau": unit.code}
    back = reverse("bulletins:compare", query=query)
    if too_often(request, "compare", COMPARISONS_PER_MINUTE):
        return _later(request, back)
    place = Place(unit, chain_of(request))
    found = Comparison(one, other, unit, request.user, chain=place.chain)
    (line,) = found.told([found.line_of(code)])
    indicator = figures.definitions(other)[code]
    is_comparable = figures.comparable(code, one, other)
    context: dict[str, Any] = {
        "line": line,
        "labels": [comparison.label(side) for side in (one, other)],
        "sides": (one, other),
        "hrefs": [dashboard.figure_address(side, unit, code, place.chain) for side in (one, other)],
        "back": back,
        "has_working": not (one.version and other.version),
    }
    changes = Changes(request.user, indicator, place, Side(one), Side(other)) if is_comparable else None
    return _changes_page(
        request, "bulletins/compare_rows.html", heading_of(other, indicator, place), changes, context
    )


def _changes_page(
    request: HttpRequest, template: str, heading: str, changes: Changes | None, context: dict[str, Any]
) -> HttpResponse:
    """The rows in pages of fifty, or all of them as a file."""
    if changes and (kind := request.GET.get("export")):
        columns = [column for column in ROW_COLUMNS if column.name != "part" or _has_parts(changes)]
        rows = [{one.path: getattr(row, one.path) for one in columns} for row in changes.described]
        return sent(kind, _("%(heading)s记录变动") % {"heading": heading}, columns, rows)
    context |= {"heading": heading, "changes": changes}
    if changes:
        context |= {
            "page": Paginator(changes.described, PER_PAGE).get_page(request.GET.get("page")),
            "has_parts": _has_parts(changes),
            "indicator": changes.indicator,
            "listed": CHANGES_LISTED,
        }
    return render(request, template, context)


def _has_parts(changes: Changes) -> bool:
    return changes.indicator.kind == Kind.RATIO


# --- Counted anew -----------------------------------------------------------------------------------------


@require_safe
def recount(
    request: HttpRequest, period: str, bureau: str, code: str, version: int | None = None
) -> HttpResponseBase:
    """A figure counted anew while its reader waits: the same, or not, and by which rows.

    What stands in the ledger since the freeze is for those whose scope covers the unit; all others read the
    verdict alone.
    """
    snapshot = snapshot_of(versions_of(get_object_or_404(Period, code=period)), version)
    unit = get_object_or_404(Bureau, code=bureau)
    if code not in CATALOGUE:
        raise Http404
    if refused := access.refusal(request, snapshot.period, unit):
        return refused
    unit = trees.as_of(snapshot, unit)
    place = Place(unit, chain_of(request))
    back = dashboard.figure_address(snapshot, unit, code, place.chain)
    if too_often(request, "recount", RECOUNTS_PER_MINUTE):
        return _later(request, back)
    indicator = figures.definitions(snapshot)[code]
    context: dict[str, Any] = {"snapshot": snapshot, "period": snapshot.period, "back": back}
    heading = heading_of(snapshot, indicator, place)
    if not passports.can_recount(snapshot, indicator):
        return _changes_page(request, "bulletins/recount.html", heading, None, context)
    if not behind.covers(request.user, place):
        context |= {
            "verdict": passports.told_verdict(request.user, snapshot, indicator, place),
            "headline": figures.headline(
                snapshot, unit, [code], place.chain, read=Reader(request.user).of_unit
            )[0],
        }
        return render(request, "bulletins/recount.html", context | {"heading": heading})
    changes = Changes(request.user, indicator, place, Side(snapshot), Side(snapshot, now=True))
    found = passports.recount(snapshot, indicator, place, changes)
    context |= {
        "headline": found.headline,
        "recounted": found,
        "verdict": passports.verdict(snapshot, found, place),
    }
    # Before the freeze no rows are kept that could be named.
    rows = changes if snapshot.version else None
    return _changes_page(request, "bulletins/recount.html", heading, rows, context)
