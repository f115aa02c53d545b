"""The dashboard of a unit, the rows behind a figure, and how each figure is counted."""

from functools import cached_property, partial, reduce
from operator import attrgetter, or_
from typing import Any

from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.http import content_disposition_header, urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from bulletins import access, behind, dashboard, figures, rebased, services, trees
from bulletins.behind import Place, Side, same
from bulletins.dashboard import Beside, Board
from bulletins.disclosure import Reader
from bulletins.filters import CountedFilter
from bulletins.forms import SwitchForm
from bulletins.indicators import BASES, CATALOGUE, DECLARED, HEADLINES, Base, Indicator, Kind, Span
from bulletins.models import Period, Snapshot
from bulletins.row_lists import ROW_LISTS
from common import listing
from common.listing import PLAIN, Column, ListPage
from common.scope import system_job
from common.workbooks import XLSX
from enterprises.models import BoundaryChange, Bureau, IndustryChain
from projects import boundaries, goals
from projects.goals import Goals
from projects.now import Now

# --- Dashboard --------------------------------------------------------------------------------------------


def home_unit(request: HttpRequest) -> Bureau | None:
    """The unit whose figures one sees first: of the desk that stands open, else the nation."""
    grant = getattr(request, "grant", None)
    if grant and grant.bureau:
        return grant.bureau
    return Bureau.objects.filter(level=Bureau.Level.NATIONAL).first()


@require_safe
def figures_page(request: HttpRequest) -> HttpResponseBase:
    """Verdict, seven figures, regions, ranking, chains and all indicators of one unit and period."""
    home = home_unit(request)
    if home is None:
        raise Http404
    known = list(Period.objects.all())
    form = SwitchForm(request.GET, user=request.user, home=home, known=known, request=request)
    valid = form.is_valid()
    form.settle()
    bureau, period = form.fields["bureau"].chosen, form.cleaned_data.get("period")
    context: dict[str, Any] = {"form": form, "period": period}
    refused = valid and period and access.refusal(request, period, bureau)
    if refused:
        return refused
    snapshot = figures.current(period) if valid and period else None
    if period is None or snapshot is None:
        above = list(Bureau.objects.above(bureau))
        context |= _titles(bureau, above, period, form.cleaned_data.get("chain"))
        return render(request, "bulletins/figures.html", context, status=200 if valid else 400)
    *above, bureau = trees.line(snapshot, bureau)
    context |= _titles(bureau, above, period, form.cleaned_data["chain"])
    board = Board(
        snapshot,
        bureau,
        Reader(request.user),
        by=form.cleaned_data["by"],
        shown=partial(access.may_read, request.user, period),
        series=dashboard.snapshots_before(period, form.readable),
        chain=form.cleaned_data["chain"],
        boundaries=form.cleaned_data["boundaries"],
    )
    against, then = form.cleaned_data["against"] or bureau, form.cleaned_data["then"] or period
    if refused := access.refusal(request, then, against):
        return refused
    other = figures.current(then) if (against, then) != (bureau, period) else None
    beside = Beside(board, other, against) if other else None
    in_charge = board.reader.covers(bureau, board.chain)
    aims = goals.of_units(bureau, board.units, board.chain) if in_charge else []
    if kind := request.GET.get("export"):
        return _export(board, beside, aims, kind)
    context |= {
        "board": board,
        "beside": beside,
        "chain": board.chain,
        "now": Now.of_unit(bureau, board.chain) if in_charge else None,
        "goals": aims,
        "boundaries": _boundaries(board, rebased.changes_of(bureau)),
        "snapshot": snapshot,
        "by": board.definitions[board.by],
        "headlines": board.columns,
        "is_nation": bureau.level == Bureau.Level.NATIONAL,
        "hides_regions": not board.units and not request.user.is_authenticated,
        "new_href": reverse("bulletins:bulletin_new", query={"period": period.code, "bureau": bureau.code})
        if period.is_frozen and request.user.is_authenticated and services.may_issue(request.user, bureau)
        else "",
    }
    return render(request, "bulletins/figures.html", context)


def _boundaries(board: Board, changes: list[BoundaryChange]) -> dict[str, Any] | None:
    """What changed of the boundaries, and in which the earlier figures are told; None where nothing did."""
    if not changes:
        return None
    since = [one for one in board.snapshots if one != board.snapshot]
    return {
        "changes": [(one, boundaries.in_words(one)) for one in changes],
        "is_rebased": board.is_rebased,
        "may_choose": board.reader.covers(board.bureau, board.chain),
        "untold": [
            one.period.name
            for one in since
            if board.is_rebased and not rebased.can_be_told(one, board.bureau)
        ],
    }


AIMS = (
    ("total", gettext_lazy("项目目标，现在（项）")),
    ("reached", gettext_lazy("其中已完成（项）")),
    ("late", gettext_lazy("其中逾期未完成（项）")),
)


def _titles(
    bureau: Bureau, above: list[Bureau], period: Period | None, chain: IndustryChain | None
) -> dict[str, Any]:
    """The unit, what leads to it from the top, and the heading."""
    return {
        "bureau": bureau,
        "line": [
            (unit.short_name, dashboard.address(period, unit, chain) if period else "") for unit in above
        ],
        "heading": _heading(bureau, period, chain),
    }


def _heading(bureau: Bureau, period: Period | None, chain: IndustryChain | None) -> str:
    """江苏省2024年数据（集成电路）"""
    told = {"unit": bureau.short_name, "period": period.name if period else ""}
    if chain is None:
        return _("%(unit)s%(period)s数据") % told
    return _("%(unit)s%(period)s数据（%(chain)s）") % {**told, "chain": chain.name}


def _export(board: Board, beside: Beside | None, aims: list[Goals], kind: str) -> HttpResponse:
    """The unit and its regions, one line each, with every figure that the page shows, and the other side."""
    ranks = {region.code: region.rank for region in board.regions}
    columns = [
        Column("code", _("单位代码"), "code"),
        Column("unit", _("单位"), "unit"),
        Column("period", _("期间"), "period"),
        Column("chain", _("产业链"), "chain"),
        Column("rank", _("位次（按%(name)s）") % {"name": CATALOGUE[board.by].name}, "rank"),
        *(column for line in board.definitions.values() for column in _columns(line)),
        *(listing.Number(key, label, key) for key, label in (AIMS if aims else ())),
    ]
    rows = _rows(board, board.snapshot, [board.bureau, *board.units])
    known = {one.unit.code: {name: getattr(one, name) for name, _label in AIMS} for one in aims}
    rows = [row | {"rank": ranks.get(row["code"], "")} | known.get(row["code"], {}) for row in rows]
    if beside:
        blank = dict.fromkeys(name for name, _label in AIMS)
        rows += [row | {"rank": ""} | blank for row in _rows(board, beside.snapshot, [beside.bureau])]
    name = _heading(board.bureau, board.period, board.chain)
    if kind == "xlsx":
        response = HttpResponse(
            listing.xlsx_file(name, columns, rows),
            content_type=XLSX,
        )
    else:
        kind = "csv"
        lines = "".join(listing.csv_lines(columns, rows))
        response = HttpResponse(lines, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = content_disposition_header(True, f"{name}.{kind}")
    return response


def _rows(board: Board, snapshot: Snapshot, units: list[Bureau]) -> list[dict[str, Any]]:
    values = board.reader.values(snapshot, units, chain=board.chain)

    def figure(unit: Bureau, line: Indicator) -> figures.Value:
        return figures.of_chain(line, board.chain, values[unit.pk].get(line.code, figures.NOT_REPORTED))

    return [
        {
            "code": unit.code,
            "unit": unit.short_name,
            "period": snapshot.period.code,
            "chain": board.chain.name if board.chain else "",
            **{
                name: cell
                for line in board.definitions.values()
                for name, cell in _cells(line, figure(unit, line)).items()
            },
        }
        for unit in units
    ]


def _columns(line: Indicator) -> list[Column]:
    """A column for the figure as it is printed, and for a ratio its two parts."""
    names = [(line.code, _("%(name)s（%(unit)s）"))]
    if line.kind == Kind.RATIO:
        names += [(f"{line.code}n", _("%(name)s：分子")), (f"{line.code}d", _("%(name)s：分母"))]
    return [listing.Number(key, words % {"name": line.name, "unit": line.unit}, key) for key, words in names]


def _cells(line: Indicator, figure: figures.Value) -> dict[str, Any]:
    return {
        line.code: figures.HIDDEN if figure.withheld else figures.rounded(line, figure),
        f"{line.code}n": figure.numerator,
        f"{line.code}d": figure.denominator,
    }


@require_safe
def definitions(request: HttpRequest) -> HttpResponse:
    """How each figure is counted."""
    former: dict[str, list[Indicator]] = {}
    for one in DECLARED:
        if one is not CATALOGUE.get(one.code):
            former.setdefault(one.code, []).append(one)
    context = {
        "indicators": [(one, former.get(code, ())) for code, one in CATALOGUE.items()],
        "headlines": HEADLINES,
    }
    return render(request, "bulletins/definitions.html", context)


# --- Rows -------------------------------------------------------------------------------------------------


def snapshot_of(versions: list[Snapshot], version: int | None) -> Snapshot:
    """The frozen version with this number, without one the newest; raises Http404 when there is none."""
    asked = [one for one in versions if one.version == version > 0] if version is not None else versions
    if not asked:
        raise Http404
    return asked[0]


def versions_of(period: Period) -> list[Snapshot]:
    """All readable snapshots of a period, the newest first."""
    return list(period.snapshots.readable())


def newer_than(snapshot: Snapshot, versions: list[Snapshot]) -> Snapshot | None:
    """The newest version, if that is not this one."""
    return versions[0] if versions[0].pk != snapshot.pk else None


def chain_of(request: HttpRequest) -> IndustryChain | None:
    """The chain that the address names."""
    code = request.GET.get("chain", "")
    return IndustryChain.objects.filter(code=code).first() if PLAIN.fullmatch(code) else None


def heading_of(snapshot: Snapshot, indicator: Indicator, place: Place) -> str:
    """江苏省2024年解决质量堵点卡点问题（集成电路）"""
    heading = _("%(unit)s%(period)s%(indicator)s") % {
        "unit": place.bureau.short_name,
        "period": snapshot.period.name,
        "indicator": indicator.name,
    }
    if place.chain is None:
        return heading
    return _("%(heading)s（%(chain)s）") % {"heading": heading, "chain": place.chain.name}


@require_safe
def unit_figures(request: HttpRequest, period: str, version: int, bureau: str) -> HttpResponseBase:
    """All figures of a unit in one frozen version, each opening its passport; printed tables lead here."""
    versions = versions_of(get_object_or_404(Period, code=period))
    snapshot = snapshot_of(versions, version)
    unit = get_object_or_404(Bureau, code=bureau)
    if refused := access.refusal(request, snapshot.period, unit):
        return refused
    unit = trees.as_of(snapshot, unit)
    board = Board(
        snapshot, unit, Reader(request.user), shown=partial(access.may_read, request.user, snapshot.period)
    )
    newest = newer_than(snapshot, versions)
    context = {
        "board": board,
        "snapshot": snapshot,
        "period": snapshot.period,
        "bureau": unit,
        "below": [(one.short_name, dashboard.unit_address(snapshot, one)) for one in board.units],
        "newest": newest,
        "newest_href": newest and dashboard.unit_address(newest, unit),
        "board_href": dashboard.address(snapshot.period, unit),
        "frozen_by": named_to(request, snapshot),
        "heading": _("%(unit)s%(period)s数据（第%(version)d版）")
        % {"unit": unit.short_name, "period": snapshot.period.name, "version": version},
    }
    return render(request, "bulletins/unit_figures.html", context)


def named_to(request: HttpRequest, snapshot: Snapshot) -> Any:
    """Who froze it; names of officers are for officers."""
    grant = getattr(request, "grant", None)
    return grant and grant.bureau_id and snapshot.created_by


class FigureRows(ListPage):
    """The passport of a figure: what was counted and how, by whom it was frozen, and the rows behind it.

    A frozen figure shows the rows that were counted then, an open one those that count now. The head, which
    says what was counted, is for all who may read the figure; the rows are for users, as far as they may see
    them. With a version in its address it is about that one for good, else about the newest.
    """

    template_name = "bulletins/figure_rows.html"
    default_sort = "unit"
    filter_lead = "q,chain"
    empty_title = gettext_lazy("您的范围内没有计入这个数的记录")
    empty_text = gettext_lazy("数字按全部记录计算，明细只列您有权查看的记录。")
    empty_symbol = "figures"

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().setup(request, *args, **kwargs)
        self.period = get_object_or_404(Period, code=kwargs["period"])
        self.bureau = get_object_or_404(Bureau, code=kwargs["bureau"])
        if kwargs["code"] not in CATALOGUE:
            raise Http404
        self.versions = versions_of(self.period)
        self.snapshot = snapshot_of(self.versions, kwargs.get("version"))
        self.bureau = trees.as_of(self.snapshot, self.bureau)
        self.indicator = figures.definitions(self.snapshot)[kwargs["code"]]
        self.bases = [BASES[name] for name in self.indicator.all_bases]
        self.days = Span(self.period.start_on, self.period.end_on)
        # A figure may rest on rows of several kinds; one list shows those of one.
        self.lists = list(dict.fromkeys(base.listed for base in self.bases))
        asked = request.GET.get("rows", "")
        self.model = next((one for one in self.lists if one._meta.model_name == asked), self.lists[0])
        self.columns = ROW_LISTS[self.model]
        self.filterset_class = partial(CountedFilter, of_chain=self.keys)
        self.place = Place(self.bureau, chain_of(request))
        self.side = Side(self.snapshot)
        self.heading = heading_of(self.snapshot, self.indicator, self.place)

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if refused := access.refusal(request, self.period, self.bureau):
            return refused
        if not request.user.is_authenticated:
            return render(request, self.template_name, self.head())
        # What stood in the address is known since `setup`.
        return super().dispatch(request)

    @property
    def list_name(self) -> str:
        return f"figure_rows:{self.model._meta.model_name}"

    def get_queryset(self) -> QuerySet:
        rows: Any = self.model._default_manager
        return rows.visible_to(self.request.user).filter(pk__in=self.keys())

    def keys(self, chain: IndustryChain | None = None, model: Any = None) -> QuerySet:
        """The primary keys of the rows that a list shows, this one unless named; of a chain or of all."""
        model = model or self.model
        place = Place(self.bureau, chain or self.place.chain)
        parts = [
            (base, self.side.rows(base, place).values("counted"))
            for base in self.bases
            if base.listed is model
        ]
        condition = reduce(or_, (Q(pk__in=self._shown(base, rows)) for base, rows in parts))
        return model._base_manager.filter(condition).values("pk")

    def _shown(self, base: Base, keys: QuerySet) -> QuerySet:
        """A row that is part of another stands in the list as the other."""
        if base.shown == "pk":
            return keys
        return base.rows(self.days).model._base_manager.filter(pk__in=keys).values(base.shown)

    def totals(self) -> dict[str, Any]:
        """How many rows the figure rests on, and whether what counts now says the same."""
        shown = sum(one._base_manager.filter(pk__in=self.keys(model=one)).count() for one in self.lists)
        if self.side.is_kept:
            return {"rows": shown, "things": self.headline.value, "drifted": False}
        # Whoever may read the figure may read how many rows it has.
        with system_job("count the rows of a figure"):
            now = self.side.figure(self.indicator, self.place)
        return {"rows": shown, "things": now.value, "drifted": not same(now, self.headline.figure)}

    def more_context(self, context: dict[str, Any]) -> dict[str, Any]:
        totals = self.totals()
        visible = context["page"].paginator.count if not context["filtered"] else self.get_queryset().count()
        visible += sum(
            one._default_manager.visible_to(self.request.user).filter(pk__in=self.keys(model=one)).count()
            for one in self.lists
            if one is not self.model
        )
        # How many rows money, days and distinct things rest on is another figure, and may be a small one.
        is_counted = behind.covers(self.request.user, self.place) or (
            totals["rows"] == totals["things"] == self.headline.figure.value
        )
        return self.head() | {
            "totals": totals,
            "is_counted": is_counted,
            "visible": visible,
            "hidden": totals["rows"] - visible if is_counted else 0,
            "drifted": totals["drifted"],
        }

    @cached_property
    def headline(self) -> figures.Headline:
        read = Reader(self.request.user).of_unit
        return figures.headline(
            self.snapshot, self.bureau, [self.indicator.code], self.place.chain, read=read
        )[0]

    def head(self) -> dict[str, Any]:
        """What was counted, by which rules, who froze it when and why."""
        chain = self.place.chain
        line = (self.bureau, self.indicator.code, chain)
        newest = newer_than(self.snapshot, self.versions)
        older = [one for one in self.versions if 0 < one.version < self.snapshot.version]
        compared = newest or next(iter(older), None)
        return {
            "heading": self.heading,
            "period": self.period,
            "bureau": self.bureau,
            "chain": chain,
            "snapshot": self.snapshot,
            "indicator": self.indicator,
            "headline": self.headline,
            "board_href": dashboard.address(self.period, self.bureau),
            "definition_href": dashboard.definition_address(self.indicator.code),
            "frozen_by": named_to(self.request, self.snapshot),
            "address": self.request.build_absolute_uri(dashboard.figure_address(self.snapshot, *line)),
            "recount_href": dashboard.recount_address(self.snapshot, *line),
            "newest": newest,
            "newest_href": newest and dashboard.figure_address(newest, *line),
            "compared": compared,
            "others_href": reverse(
                "bulletins:compare",
                query={
                    "after": self.snapshot.code,
                    "bureau": self.bureau.code,
                    "indicator": self.indicator.code,
                },
            ),
            "compare_href": compared
            and dashboard.compare_address(
                *sorted([compared, self.snapshot], key=attrgetter("version")),
                self.bureau.code,
                self.indicator.code,
                chain.code if chain else "",
            ),
            "lists": [
                {
                    "label": one._meta.verbose_name,
                    "href": self._list_href(one),
                    "current": one is self.model,
                }
                for one in self.lists
            ],
            "login_href": reverse("login", query={"next": self.request.get_full_path()}),
        }

    def _list_href(self, model: Any) -> str:
        """Another list of the same figure, of the same chain."""
        chain = self.place.chain
        query = {"rows": model._meta.model_name} | ({"chain": chain.code} if chain else {})
        return f"{self.request.path}?{urlencode(query)}"
