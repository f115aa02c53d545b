"""Two snapshots beside each other, and a figure counted anew: what differs, and by which rows."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from bulletins import access, behind, comparison, dashboard, figures
from bulletins.behind import Change, Place, Side, Told
from bulletins.comparison import Comparison, Line
from bulletins.forms import CompareForm
from bulletins.indicators import BASES, CATALOGUE, Indicator, Kind, Span
from bulletins.models import Period
from bulletins.views.figures import ROW_LISTS, chain_of, heading_of, home_unit, snapshot_of, versions_of
from common import formats, listing
from common.listing import XLSX_ROWS, Column, Number, Row
from common.scope import system_job
from common.throttle import too_often
from common.workbooks import XLSX
from enterprises.models import Bureau, IndustryChain

RECOUNTS_PER_MINUTE = COMPARISONS_PER_MINUTE = 30
PER_PAGE = 50
# More rows than these nobody reads; whoever wants them goes to the units below.
CHANGES_LISTED = 2_000


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
    was, now = (figures.rounded(line.indicator, side) for side in (line.before, line.after))
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
    """Two snapshots line by line, what differs most first."""
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
        lines = found.told(rows[: XLSX_ROWS if kind == "xlsx" else None])
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
        "by_chain": found.by_chain,
        "xlsx_allowed": page.paginator.count <= XLSX_ROWS,
    }
    return render(request, "bulletins/compare.html", context)


# --- Rows -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Described:
    """A row that came, went or changed, as its reader is told of it."""

    kind: str
    kind_code: str
    part: str
    cell: SafeString
    name: str
    code: str
    unit: str
    why: str


ROW_COLUMNS = [
    Column("kind", gettext_lazy("变动"), "kind"),
    Column("part", gettext_lazy("计入"), "part"),
    Column("name", gettext_lazy("记录"), "name"),
    Column("code", gettext_lazy("编号"), "code"),
    Column("unit", gettext_lazy("计入单位"), "unit"),
    Column("why", gettext_lazy("怎么变的"), "why"),
]


class Changes:
    """The rows by which a figure differs between two sides, put into words for a reader."""

    def __init__(self, user: Any, indicator: Indicator, place: Place, before: Side, after: Side) -> None:
        self.user, self.indicator, self.place = user, indicator, place
        self.before, self.after = before, after

    @cached_property
    def all(self) -> list[Change]:
        with system_job("compare the rows of a figure"):
            return behind.changes(self.indicator, self.place, self.before, self.after)

    @property
    def counts(self) -> list[tuple[str, str, int]]:
        """How many came, went and changed."""
        kinds = [change.kind for change in self.all]
        return [(kind.value, str(kind.label), kinds.count(kind)) for kind in behind.Kinds]

    @property
    def is_cut(self) -> bool:
        return len(self.all) > CHANGES_LISTED

    @cached_property
    def described(self) -> list[Described]:
        """Those of the first rows that the reader may see."""
        listed = self.all[:CHANGES_LISTED]
        self._names: dict[int, str] = dict(Bureau.objects.values_list("pk", "short_name"))
        self._chains: dict[int, str] = dict(IndustryChain.objects.values_list("pk", "name"))
        by_base = sorted(listed, key=lambda change: change.base)
        found: dict[Change, Described] = {}
        for base, changes in groupby(by_base, key=lambda change: change.base):
            found |= dict(self._of_base(base, list(changes)))
        return [found[change] for change in listed if change in found]

    @property
    def hidden(self) -> int:
        """Rows among the first that the reader may not see, or that are not there any more."""
        return min(len(self.all), CHANGES_LISTED) - len(self.described)

    def _of_base(self, name: str, changes: list[Change]) -> Iterator[tuple[Change, Described]]:
        base = BASES[name]
        days = Span(self.before.snapshot.period.start_on, self.before.snapshot.period.end_on)
        shown = {change.row: change.row for change in changes}
        if base.shown != "pk":
            parts: Any = base.rows(days).model._base_manager
            shown = dict(parts.filter(pk__in=shown).values_list("pk", base.shown))
        model: Any = BASES[self.indicator.bases[0]].rows(days).model
        title = ROW_LISTS[model][0]
        paths = dict.fromkeys((*title.paths, *(title.sub.paths if title.sub else ())))
        fates = [field.name for field in model._meta.fields if field.name in ("voided_at", "is_test")]
        rows = model._default_manager.visible_to(self.user).filter(pk__in=set(shown.values()))
        visible = {row["pk"]: row for row in rows.values("pk", *paths, *fates)}
        with system_job("where a row counts on the other side"):
            away = behind.elsewhere((c.row for c in changes if c.now is None), base, self.after)
            hence = behind.elsewhere((c.row for c in changes if c.was is None), base, self.before)
        draw, write = title.drawer(), title.writer()
        code = title.sub.writer() if title.sub else None
        for change in changes:
            row = visible.get(shown.get(change.row, 0))
            told = change.now or change.was
            if row is None or told is None:
                continue
            yield (
                change,
                Described(
                    str(change.kind.label),
                    change.kind.value,
                    self._part(name),
                    mark_safe(draw(row)),
                    write(row),
                    code(row) if code else "",
                    self._names[told.unit],
                    self._why(change, row, away.get(change.row), hence.get(change.row)),
                ),
            )

    def _part(self, base: str) -> str:
        if self.indicator.kind != Kind.RATIO:
            return ""
        return _("分母") if base == self.indicator.over else _("分子")

    def _why(self, change: Change, row: Row, away: Told | None, hence: Told | None) -> str:
        if change.was and change.now:
            return formats.listed(self._otherwise(change.was, change.now))
        if change.now:
            return _("原计入 %(place)s") % {"place": self._where(hence)} if hence else _("新计入")
        if away:
            return _("改计入 %(place)s") % {"place": self._where(away)}
        if row.get("voided_at"):
            return _("已作废")
        return _("已标为测试") if row.get("is_test") else _("不再符合口径")

    def _where(self, told: Told) -> str:
        return f"{self._names[told.unit]} · {self._chains[told.chain]}"

    def _otherwise(self, was: Told, now: Told) -> Iterator[str]:
        """What is told of the row otherwise than before."""
        for label, one, other, names in (
            (_("单位"), was.unit, now.unit, self._names),
            (_("产业链"), was.chain, now.chain, self._chains),
        ):
            if one != other:
                yield _("%(what)s：%(was)s → %(now)s") % {
                    "what": label,
                    "was": names[one],
                    "now": names[other],
                }
        if was.amount != now.amount:
            yield _("%(what)s：%(was)s → %(now)s") % {
                "what": _("数量"),
                "was": figures.text(self.indicator, self._amount(was)),
                "now": figures.text(self.indicator, self._amount(now)),
            }
        if was.key != now.key:
            yield _("去重标识不同")

    def _amount(self, told: Told) -> Any:
        """What one row adds, as an exact number."""
        if self.indicator.kind == Kind.MEDIAN:
            return told.amount
        return figures.number(self.indicator, figures.Value(told.amount))


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
    query = {"before": one.code, "after": other.code, "bureau": unit.code}
    back = reverse("bulletins:compare", query=query)
    if too_often(request, "compare", COMPARISONS_PER_MINUTE):
        return _later(request, back)
    place = Place(unit, chain_of(request))
    found = Comparison(one, other, unit, chain=place.chain)
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


@dataclass(frozen=True)
class Recounted:
    """A stored figure, what the rows make now, and what those make that were kept at the freeze."""

    indicator: Indicator
    stored: figures.Value
    now: figures.Value
    kept: figures.Value
    has_changes: bool

    @property
    def agrees(self) -> bool:
        return not self.has_changes and behind.same(self.stored, self.now)

    @property
    def is_whole(self) -> bool:
        """Whether the kept rows still make the stored figure; if not, the snapshot was tampered with."""
        return behind.same(self.stored, self.kept)

    @property
    def now_text(self) -> str:
        # Rows do not tell who reports nothing from who has nothing.
        blank = behind.same(self.stored, self.now) and self.stored.value is None
        now = self.stored if blank else self.now
        return figures.text(self.indicator, figures.number(self.indicator, now))

    @property
    def now_parts(self) -> str:
        return figures.parts(self.indicator, self.now)


@require_safe
def recount(
    request: HttpRequest, period: str, bureau: str, code: str, version: int | None = None
) -> HttpResponseBase:
    """A figure counted anew while its reader waits: the same, or not, and by which rows.

    The public reads the verdict alone: what stands in the ledger since the freeze is not published.
    """
    snapshot = snapshot_of(versions_of(get_object_or_404(Period, code=period)), version)
    unit = get_object_or_404(Bureau, code=bureau)
    if code not in CATALOGUE:
        raise Http404
    if refused := access.refusal(request, snapshot.period, unit):
        return refused
    place = Place(unit, chain_of(request))
    back = dashboard.figure_address(snapshot, unit, code, place.chain)
    if too_often(request, "recount", RECOUNTS_PER_MINUTE):
        return _later(request, back)
    indicator = figures.definitions(snapshot)[code]
    context: dict[str, Any] = {"snapshot": snapshot, "period": snapshot.period, "back": back}
    heading = heading_of(snapshot, indicator, place)
    if snapshot.definitions.get(code, indicator.version) != indicator.version:
        return _changes_page(request, "bulletins/recount.html", heading, None, context)
    kept, now = Side(snapshot), Side(snapshot, now=True)
    changes = Changes(request.user, indicator, place, kept, now)
    headline = figures.headline(snapshot, unit, [code], place.chain)[0]
    with system_job("count a figure anew"):
        found = Recounted(
            indicator,
            headline.figure,
            now.figure(indicator, place),
            kept.figure(indicator, place) if kept.is_kept else headline.figure,
            bool(changes.all) if kept.is_kept else False,
        )
    context |= {"headline": headline, "recounted": found, "at": timezone.now()}
    if not request.user.is_authenticated:
        return render(request, "bulletins/recount.html", context | {"heading": heading})
    return _changes_page(request, "bulletins/recount.html", heading, changes, context)
