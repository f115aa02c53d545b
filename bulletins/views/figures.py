"""The dashboard of a unit, the rows behind a figure, and how each figure is counted."""

from collections.abc import Iterable
from functools import cached_property, partial, reduce
from operator import or_
from typing import Any, NamedTuple

from django.db.models import Count, Q, QuerySet, Sum
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from bulletins import access, dashboard, figures, services
from bulletins.dashboard import Board
from bulletins.filters import CountedFilter
from bulletins.forms import SwitchForm
from bulletins.indicators import BASES, CATALOGUE, DECLARED, HEADLINES, Base, Indicator, Kind, Span
from bulletins.models import CountedRow, Period
from common import listing
from common.listing import Column, Day, ListPage, Title, Wan, Words
from common.scope import system_job
from common.workbooks import XLSX
from enterprises.models import Bureau, IndustryChain
from projects.models import (
    Bottleneck,
    ChainProject,
    Consortium,
    Investment,
    KeyProject,
    Participation,
    ProjectRegion,
    ProjectResult,
    QualityMap,
)

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
    context: dict[str, Any] = {
        "form": form,
        "bureau": bureau,
        "line": [
            (unit.short_name, dashboard.address(period, unit) if period else "")
            for unit in Bureau.objects.above(bureau)
        ],
        "period": period,
        "heading": _("%(unit)s%(period)s数据")
        % {"unit": bureau.short_name, "period": period.name if period else ""},
    }
    if not valid:
        return render(request, "bulletins/figures.html", context, status=400)
    if period is None:
        return render(request, "bulletins/figures.html", context)
    if refused := access.refusal(request, period, bureau):
        return refused
    snapshot = figures.current(period)
    if snapshot is None:
        return render(request, "bulletins/figures.html", context)
    board = Board(
        snapshot,
        bureau,
        form.cleaned_data["by"],
        shown=partial(access.may_read, request.user, period),
        series=dashboard.snapshots_before(period, form.readable),
    )
    if kind := request.GET.get("export"):
        return _export(board, kind)
    context |= {
        "board": board,
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


def _export(board: Board, kind: str) -> HttpResponse:
    """The unit and its regions, one line each, with every figure that the page shows."""
    values = figures.values(board.snapshot, [board.bureau, *board.units])
    ranks = {region.code: region.rank for region in board.regions}
    columns = [
        Column("code", _("单位代码"), "code"),
        Column("unit", _("单位"), "unit"),
        Column("rank", _("位次（按%(name)s）") % {"name": CATALOGUE[board.by].name}, "rank"),
        *(column for line in board.definitions.values() for column in _columns(line)),
    ]
    rows = [
        {
            "code": unit.code,
            "unit": unit.short_name,
            "rank": ranks.get(unit.code, ""),
            **{
                name: cell
                for line in board.definitions.values()
                for name, cell in _cells(line, values[unit.pk].get(line.code, figures.NOT_REPORTED)).items()
            },
        }
        for unit in (board.bureau, *board.units)
    ]
    name = _("%(unit)s%(period)s数据") % {"unit": board.bureau.short_name, "period": board.period.name}
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


def _columns(line: Indicator) -> list[Column]:
    """A column for the figure as it is printed, and for a ratio its two parts."""
    names = [(line.code, _("%(name)s（%(unit)s）"))]
    if line.kind == Kind.RATIO:
        names += [(f"{line.code}n", _("%(name)s：分子")), (f"{line.code}d", _("%(name)s：分母"))]
    return [listing.Number(key, words % {"name": line.name, "unit": line.unit}, key) for key, words in names]


def _cells(line: Indicator, figure: figures.Value) -> dict[str, Any]:
    return {
        line.code: figures.rounded(line, figure),
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


def _unit(label: Any, path: str = "bureau") -> Column:
    return Column("unit", label, f"{path}__short_name", order=(f"{path}__code",), css="tight")


BY_PROJECT = Column("unit", gettext_lazy("受理单位"), "project__bureau__short_name")

ROW_LISTS: dict[type, tuple[Column, ...]] = {
    ChainProject: (
        Title(
            "name",
            gettext_lazy("项目"),
            "name",
            url="projects:project_detail",
            key="code",
            sub=Column("code", gettext_lazy("项目编号"), "code", css="code"),
        ),
        Column("chain", gettext_lazy("产业链"), "chain__name"),
        _unit(gettext_lazy("受理单位")),
        Day("start", gettext_lazy("开始日期"), "start_on"),
        Day("closed", gettext_lazy("结项日期"), "closed_on"),
    ),
    ProjectRegion: (
        Title(
            "name",
            gettext_lazy("项目"),
            "project__name",
            url="projects:project_detail",
            key="project__code",
            sub=Column("code", gettext_lazy("项目编号"), "project__code", css="code"),
        ),
        Column("led_by", gettext_lazy("牵头单位"), "project__bureau__short_name", css="tight"),
        _unit(gettext_lazy("参与单位")),
        Day("start", gettext_lazy("开始日期"), "project__start_on"),
    ),
    Consortium: (
        Title(
            "name",
            gettext_lazy("联合体"),
            "name",
            url="projects:consortium_detail",
            key="code",
            sub=Column("code", gettext_lazy("联合体编号"), "code", css="code"),
        ),
        Column("chain", gettext_lazy("产业链"), "chain__name"),
        _unit(gettext_lazy("受理单位")),
        Day("founded", gettext_lazy("组建日期"), "founded_on"),
        Day("dissolved", gettext_lazy("解散日期"), "dissolved_on"),
    ),
    Participation: (
        Title(
            "name",
            gettext_lazy("组织"),
            "organization__name",
            url="enterprises:organization_detail",
            key="organization__uscc",
            sub=Column("uscc", gettext_lazy("统一社会信用代码"), "organization__uscc", css="code"),
        ),
        Column("project", gettext_lazy("项目"), "project__name"),
        _unit(gettext_lazy("接纳单位")),
        Day("joined", gettext_lazy("加入日期"), "joined_on"),
        Day("left", gettext_lazy("退出日期"), "left_on"),
    ),
    KeyProject: (
        Title(
            "name",
            gettext_lazy("攻关项目"),
            "name",
            url="projects:key_project_detail",
            key="code",
            sub=Column("code", gettext_lazy("攻关编号"), "code", css="code"),
        ),
        Column("project", gettext_lazy("所属项目"), "project__name"),
        _unit(gettext_lazy("受理单位"), "project__bureau"),
        Day("contract", gettext_lazy("签约日期"), "contract_on"),
        Day("accepted", gettext_lazy("验收日期"), "accepted_on"),
    ),
    ProjectResult: (
        Column("name", gettext_lazy("成果名称"), "title"),
        Words("kind", gettext_lazy("成果类型"), "kind", choices=ProjectResult.Kind.choices),
        Column("number", gettext_lazy("发布编号"), "number", css="code"),
        Title(
            "project",
            gettext_lazy("所属项目"),
            "project__name",
            url="projects:project_detail",
            key="project__code",
        ),
        _unit(gettext_lazy("受理单位"), "project__bureau"),
        Day("published", gettext_lazy("发布日期"), "published_on"),
    ),
    Investment: (
        Title(
            "key_project",
            gettext_lazy("攻关项目"),
            "key_project__name",
            url="projects:key_project_detail",
            key="key_project__code",
            sub=Column("voucher", gettext_lazy("入账凭证号"), "voucher", css="code"),
        ),
        Column("firm", gettext_lazy("投入企业"), "organization__name"),
        _unit(gettext_lazy("受理单位"), "key_project__project__bureau"),
        Wan("amount", gettext_lazy("金额（万元）"), "amount"),
        Day("booked", gettext_lazy("入账日期"), "booked_on"),
    ),
    QualityMap: (
        Column("chain", gettext_lazy("产业链"), "chain__name"),
        listing.Number("version", gettext_lazy("版本"), "version"),
        _unit(gettext_lazy("编制单位")),
        listing.Number("sheets", gettext_lazy("张数"), "sheet_count"),
        Day("drawn", gettext_lazy("绘制日期"), "drawn_on"),
    ),
    Bottleneck: (
        Title(
            "title",
            gettext_lazy("问题"),
            "title",
            url="projects:bottleneck_detail",
            key="public_id",
            sub=Column("code", gettext_lazy("问题编号"), "code", css="code"),
        ),
        Column("firm", gettext_lazy("企业"), "organization__name"),
        _unit(gettext_lazy("受理单位")),
        listing.State("status", gettext_lazy("现在的状态"), "status", model=Bottleneck),
        Day("submitted", gettext_lazy("提交日期"), "submitted_at"),
        Day("resolved", gettext_lazy("解决日期"), "resolved_at"),
    ),
}


class Counted(NamedTuple):
    """What of a figure its rows tell without being put in order."""

    value: int | None = None
    numerator: int | None = None
    denominator: int | None = None


def _or_none(parts: Iterable[int | None]) -> list[int]:
    """No rows are no rows, whether none was to be reported or not."""
    return [part or 0 for part in parts]


class FigureRows(ListPage):
    """The rows behind one figure, as far as the reader may see them.

    A frozen figure shows the rows that were counted then, an open one those that count now. The head, which
    says what was counted, is for all who may read the figure; the rows are for users.
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
        self.snapshot = figures.current(self.period)
        known = figures.definitions(self.snapshot) if self.snapshot else CATALOGUE
        self.indicator = known[kwargs["code"]]
        self.bases = [BASES[name] for name in self.indicator.all_bases]
        self.days = Span(self.period.start_on, self.period.end_on)
        self.model = self.bases[0].rows(self.days).model
        self.columns = ROW_LISTS[self.model]
        self.filterset_class = partial(CountedFilter, of_chain=self.keys)
        self.heading = _("%(unit)s%(period)s%(indicator)s") % {
            "unit": self.bureau.short_name,
            "period": self.period.name,
            "indicator": self.indicator.name,
        }

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if self.snapshot is None:
            raise Http404
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

    # --- what was counted ---

    @cached_property
    def span(self) -> Span:
        """The days, and what other periods have counted; asked for while this one is open."""
        return Span.of(self.period)

    def counted(self) -> QuerySet:
        """The counted rows of a frozen snapshot, of this unit and below."""
        rows = CountedRow.objects.filter(snapshot=self.snapshot, base__in=[base.name for base in self.bases])
        if self.bureau.level != Bureau.Level.NATIONAL:
            rows = rows.filter(bureau__in=Bureau.objects.within(self.bureau).values("pk"))
        return rows

    def counting(self, base: Base) -> QuerySet:
        """The rows of a base that count now for this unit and below."""
        rows = base.matching(self.span)
        if self.bureau.level != Bureau.Level.NATIONAL:
            rows = rows.filter(unit__in=Bureau.objects.within(self.bureau).values("pk"))
        return rows

    def keys(self, chain: IndustryChain | None = None) -> QuerySet:
        """The primary keys of the rows that the list shows, all of them or those of a chain."""
        if self.snapshot.version:
            parts = [(base, self.counted().filter(base=base.name).values("row_id")) for base in self.bases]
            if chain:
                parts = [(base, rows.filter(chain=chain)) for base, rows in parts]
        else:
            parts = [(base, self.counting(base)) for base in self.bases]
            if chain:
                parts = [(base, rows.filter(of_chain=chain)) for base, rows in parts]
            parts = [(base, rows.values("pk")) for base, rows in parts]
        condition = reduce(or_, (Q(pk__in=self._shown(base, rows)) for base, rows in parts))
        return self.model._base_manager.filter(condition).values("pk")

    def _shown(self, base: Base, keys: QuerySet) -> QuerySet:
        """A row that is part of another stands in the list as the other."""
        if base.shown == "pk":
            return keys
        return base.rows(self.days).model._base_manager.filter(pk__in=keys).values(base.shown)

    def totals(self) -> dict[str, Any]:
        """How many rows the figure rests on, and whether what counts now says the same."""
        shown = self.model._base_manager.filter(pk__in=self.keys()).count()
        if self.snapshot.version:
            return {"rows": shown, "things": self.headline.value, "drifted": False}
        # Whoever may read the figure may read how many rows it has.
        with system_job("count the rows of a figure"):
            now = self._now()
        return {
            "rows": shown,
            "things": now.value,
            "drifted": _or_none(now) != _or_none(self.headline.stated),
        }

    def _now(self) -> Counted:
        """What the rows that count now make of the figure; of a median, of how many rows it is the middle."""
        parts = {base.name: self.counting(base) for base in self.bases}
        if self.indicator.distinct:
            first, *more = (rows.order_by().values("item") for rows in parts.values())
            return Counted((first.union(*more) if more else first.distinct()).count())
        sums = {name: rows.aggregate(rows=Count("pk"), amount=Sum("adding")) for name, rows in parts.items()}
        amount = sum(sums[name]["amount"] or 0 for name in self.indicator.bases)
        if self.indicator.kind == Kind.RATIO:
            return Counted(None, amount, sums[self.indicator.over]["rows"])
        if self.indicator.kind == Kind.MEDIAN:
            return Counted(None, None, sum(part["rows"] for part in sums.values()))
        return Counted(amount)

    def more_context(self, context: dict[str, Any]) -> dict[str, Any]:
        totals = self.totals()
        visible = context["page"].paginator.count if not context["filtered"] else self.get_queryset().count()
        return self.head() | {
            "totals": totals,
            "visible": visible,
            "hidden": totals["rows"] - visible,
            "drifted": totals["drifted"],
        }

    @cached_property
    def headline(self) -> figures.Headline:
        return figures.headline(self.snapshot, self.bureau, [self.indicator.code])[0]

    def head(self) -> dict[str, Any]:
        """What was counted, and by whom it was frozen; names of officers are for officers."""
        grant = self.request.grant
        return {
            "heading": self.heading,
            "period": self.period,
            "bureau": self.bureau,
            "snapshot": self.snapshot,
            "indicator": self.indicator,
            "headline": self.headline,
            "board_href": dashboard.address(self.period, self.bureau),
            "definition_href": dashboard.definition_address(self.indicator.code),
            "frozen_by": grant and grant.bureau_id and self.snapshot.created_by,
            "login_href": f"{reverse('login')}?next={self.request.get_full_path()}",
        }
