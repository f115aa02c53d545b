"""Periods, figures and bulletins to read."""

from decimal import Decimal
from typing import Any

import django_filters as df
from django.core.exceptions import ValidationError as RefusedValue
from django.db.models import Q, QuerySet
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound, PermissionDenied, Throttled, ValidationError
from rest_framework.pagination import PageNumberPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param
from rest_framework.viewsets import GenericViewSet

import bulletins.converters  # noqa: F401 (registers what the paths name)
from accounts.models import User
from bulletins import access, behind, comparison, dashboard, figures, live, passports, trees
from bulletins.behind import Place, Side
from bulletins.comparison import Comparison, Line
from bulletins.disclosure import Reader
from bulletins.filters import BulletinFilter
from bulletins.filters import PeriodFilter as ByPeriod
from bulletins.forms import CompareForm
from bulletins.indicators import CATALOGUE, Indicator
from bulletins.models import Bulletin, Excuse, Period, Snapshot, StatValue, Submission
from bulletins.passports import Changes
from common.api import CountedCursorPagination, DetailView, MomentField, RowSerializer, RowsView
from common.filters import CodeFilter, RowField
from common.throttle import too_often
from enterprises.filters import BureauFilter, ChainField, ChainFilter
from enterprises.models import Bureau

# Recounts and comparisons, each; the same as of their pages.
ASKED_PER_MINUTE = 30
# As the terms of open data say it.
WITHHELD = (
    "a small figure, one from which a small one could be worked out, or, of periods shorter than a year, "
    "a cumulative one or one of a region by chain."
)


class PeriodSerializer(RowSerializer):
    code = serializers.CharField()
    kind = serializers.CharField()
    start_on = serializers.DateField()
    end_on = serializers.DateField()
    status = serializers.CharField()
    stage = serializers.CharField(
        help_text="Where an open period stands, too: open, collecting or reviewing; else as `status`."
    )
    is_collected = serializers.BooleanField(help_text="Its figures are confirmed bureau by bureau.")
    freeze_due = serializers.DateField(help_text="The day on which it is frozen, whoever is missing.")
    frozen_at = MomentField(allow_null=True)


class PeriodFilter(df.FilterSet):
    kind = CodeFilter("kind", choices=Period.Kind.choices, label=_("类型"))
    status = CodeFilter("status", choices=Period.Status.choices, label=_("状态"))
    stage = CodeFilter("stage", choices=Period.Stage.choices, label=_("阶段"))

    class Meta:
        model = Period
        fields: list[str] = []


class PeriodViewSet(DetailView):
    """Reporting periods, open to every user."""

    model = Period
    serializer_class = PeriodSerializer
    filterset_class = PeriodFilter
    lookup_field = "code"
    sorts = {"code": "code", "end": "end_on"}

    def visible(self, rows):
        return rows.staged()

    def rows(self, queryset, serializer):
        """The stage and the day of the freeze are no columns."""
        keys = self.keys(queryset)
        known = Period.objects.staged().in_bulk(keys)
        return serializer([known[key] for key in keys if key in known], many=True).data


class SubmissionSerializer(RowSerializer):
    period = serializers.CharField(source="period.code")
    bureau = serializers.CharField(source="bureau.code")
    bureau_name = serializers.CharField(source="bureau.short_name")
    status = serializers.CharField()
    round = serializers.IntegerField(help_text="How often the unit has handed in.")
    counted_at = MomentField(help_text="When the figures that it confirmed were counted.")
    note = serializers.CharField()
    submitted_at = MomentField()
    decided_at = MomentField(allow_null=True)
    reason = serializers.CharField(help_text="Why it was sent back.")


class OfUnitFilter(df.FilterSet):
    period = ByPeriod("period", label=_("期间"))
    bureau = BureauFilter("bureau", label=_("单位（含下级）"))


class SubmissionFilter(OfUnitFilter):
    status = CodeFilter("status", choices=Submission.Status.choices, label=_("状态"))

    class Meta:
        model = Submission
        fields: list[str] = []


class SubmissionViewSet(RowsView):
    """Which units have confirmed their figures of a period, in the reader's subtree."""

    model = Submission
    serializer_class = SubmissionSerializer
    filterset_class = SubmissionFilter
    sorts = {"submitted": "submitted_at", "bureau": "bureau__code"}


class ExcuseSerializer(RowSerializer):
    bureau = serializers.CharField(source="bureau.code")
    bureau_name = serializers.CharField(source="bureau.short_name")
    period = serializers.CharField(
        source="period.code", allow_null=True, default=None, help_text="Null: all periods until the day."
    )
    until = serializers.DateField(allow_null=True)
    reason = serializers.CharField()
    given_at = MomentField()
    lifted_at = MomentField(allow_null=True)


class ExcuseFilter(OfUnitFilter):
    class Meta:
        model = Excuse
        fields: list[str] = []


class ExcuseViewSet(RowsView):
    """Units that need not confirm figures, in the reader's subtree."""

    model = Excuse
    serializer_class = ExcuseSerializer
    filterset_class = ExcuseFilter
    sorts = {"given": "given_at", "bureau": "bureau__code"}


class FigureSerializer(RowSerializer):
    period = serializers.CharField(source="snapshot.period.code")
    version = serializers.IntegerField(
        source="snapshot.version", help_text="0: not frozen yet; frozen figures count from 1."
    )
    indicator = serializers.CharField()
    bureau = serializers.CharField(source="bureau.code")
    bureau_name = serializers.CharField(source="bureau.short_name")
    chain = serializers.CharField(
        source="chain.code", allow_null=True, default=None, help_text="Null: all chains together."
    )
    unit = serializers.SerializerMethodField(help_text="What `value` is counted in.")
    value = serializers.SerializerMethodField(
        help_text="Rounded as printed. Null: not reported, which is not zero, or a ratio to zero."
    )
    numerator = serializers.IntegerField(source="figure.numerator", allow_null=True, help_text="Of a ratio.")
    denominator = serializers.IntegerField(
        source="figure.denominator",
        allow_null=True,
        help_text="Of a ratio; of a median, how many rows it is the middle of.",
    )
    definition = serializers.SerializerMethodField(help_text="Version of the definition it was counted by.")
    late = serializers.IntegerField(
        source="figure.late", help_text="Of these, reported late for an earlier period."
    )
    withheld = serializers.BooleanField(
        source="figure.withheld",
        help_text=f"Outside the scope: {WITHHELD} All its numbers are null then.",
    )

    def _indicator(self, row: StatValue) -> Indicator:
        return figures.definitions(row.snapshot)[row.indicator]

    def get_unit(self, row: StatValue) -> str:
        return str(self._indicator(row).unit)

    def get_value(self, row: StatValue) -> float | None:
        shown = figures.rounded(self._indicator(row), row.figure)
        return float(shown) if isinstance(shown, Decimal) else shown

    def get_definition(self, row: StatValue) -> str:
        return row.snapshot.definitions.get(row.indicator, "")


class PeriodField(RowField):
    default_error_messages = {
        "unknown": _("没有期间“%(value)s”的数据。期间写作 2024、2024H1、2024Q3 或 2024-11。"),
        "required": _("请指明期间，例如 period=2024。"),
    }

    def __init__(self, **kwargs):
        super().__init__(queryset=Period.objects.all(), **kwargs)


class PeriodChoice(df.Filter):
    """The figures of the period's newest finished roll-up, a frozen one before the working one.

    Before publication a unit's figures are for itself and the units above it. Figures for chains are told of
    the nation and the provinces; of other units to those whose scope covers them.
    """

    field_class = PeriodField

    def filter(self, qs: QuerySet, value: Period | None) -> QuerySet:
        mark = self.parent.form.cleaned_data.get("snapshot")
        snapshot = value and (live.marked(value, mark) if mark else figures.current(value))
        if snapshot is None and mark:
            raise NotFound(CountedCursorPagination.invalid_cursor_message)
        if snapshot is None:
            return qs.none()
        rows = qs.filter(snapshot=snapshot)
        user: User = self.parent.request.user
        if user.scope.everything:
            return rows
        if not value.is_public:
            return rows.filter(user.scope.within("bureau__path"))
        code = self.parent.form.cleaned_data.get("indicator")
        withheld = Reader(user).withheld_for_chains(snapshot, [code] if code else ())
        told = Q(bureau__level__lte=Bureau.Level.PROVINCE) & ~withheld
        return rows.filter(Q(chain=None) | user.scope.within("bureau__path", "chain_id") | told)


class FigureFilter(df.FilterSet):
    """Which figures; the period is always named."""

    period = PeriodChoice(label=_("期间"), required=True)
    bureau = BureauFilter("bureau", label=_("单位（含下级）"))
    level = CodeFilter(
        "bureau__level", choices=[(str(level), str(level)) for level in range(5)], label=_("层级")
    )
    indicator = CodeFilter(
        "indicator",
        choices=[(code, indicator.name) for code, indicator in CATALOGUE.items()],
        label=_("指标"),
    )
    chain = ChainFilter("chain", label=_("产业链"))
    # All pages are of one roll-up, though the figures of an open period turn to another meanwhile.
    snapshot = df.CharFilter(label=_("汇总（后续各页沿用首页的）"), max_length=40, method="leave")

    def leave(self, rows: QuerySet, _name: str, _mark: str) -> QuerySet:
        return rows

    class Meta:
        model = StatValue
        fields: list[str] = []


class FigureViewSet(RowsView):
    """Figures of a period by unit and, where something was counted, by chain."""

    model = StatValue
    serializer_class = FigureSerializer
    filterset_class = FigureFilter

    def visible(self, rows):
        return rows

    def rows(self, queryset, serializer):
        """What a figure is worth follows from its definition, so no column tells it alone."""
        keys = self.keys(queryset)
        known = StatValue.objects.select_related("snapshot__period", "bureau", "chain").in_bulk(keys)
        for row in list(known.values())[:1]:
            pages: Any = self.paginator
            pages.base_url = replace_query_param(pages.base_url, "snapshot", live.mark(row.snapshot))
        reader = Reader(self.request.user)
        for snapshot in {row.snapshot for row in known.values()}:
            reader.look_up(snapshot, [row.bureau for row in known.values()])
            names = trees.names(snapshot, [row.bureau for row in known.values()])
        for row in known.values():
            row.bureau.short_name = names[row.bureau_id]
            stored = figures.Value(row.value, row.late, row.numerator, row.denominator)
            row.figure = reader.told(row.snapshot, row.indicator, row.bureau, row.chain, stored)
        return serializer([known[key] for key in keys if key in known], many=True).data


class BulletinSerializer(RowSerializer):
    public_id = serializers.UUIDField()
    kind = serializers.CharField()
    title = serializers.CharField()
    bureau = serializers.CharField(source="bureau.code")
    period = serializers.CharField(source="period.code")
    snapshot_version = serializers.IntegerField(source="snapshot.version")
    doc_year = serializers.IntegerField(allow_null=True)
    doc_seq = serializers.IntegerField(allow_null=True)
    status = serializers.CharField()
    issued_on = serializers.DateField(allow_null=True)
    verification_code = serializers.CharField()
    sha256 = serializers.CharField()
    replaced_by = serializers.UUIDField(
        source="replaced_by.public_id", allow_null=True, default=None, help_text="Once that was issued."
    )

    def to_representation(self, instance: Any) -> dict[str, Any]:
        return without_drafts(super().to_representation(instance))


def without_drafts(row: dict[str, Any]) -> dict[str, Any]:
    """A successor that is not issued yet is nobody's business."""
    return row if row["status"] == Bulletin.Status.REPLACED else row | {"replaced_by": None}


class BulletinViewSet(DetailView):
    """Bulletins: issued ones for everybody, drafts for those who prepare them."""

    model = Bulletin
    serializer_class = BulletinSerializer
    filterset_class = BulletinFilter
    lookup_field = "public_id"
    lookup_value_converter = "uuid"

    def detailed(self, queryset):
        return queryset.select_related("bureau", "period", "snapshot", "replaced_by")

    def rows(self, queryset, serializer):
        return [without_drafts(row) for row in super().rows(queryset, serializer)]


# --- Passports and comparisons ----------------------------------------------------------------------------


class PartsSerializer(serializers.Serializer):
    """A figure as it is printed, with what it is made of."""

    value = serializers.FloatField(allow_null=True, help_text="Null: not reported, or a ratio to zero.")
    numerator = serializers.IntegerField(allow_null=True)
    denominator = serializers.IntegerField(allow_null=True)


class PassportSerializer(serializers.Serializer):
    period = serializers.CharField()
    version = serializers.IntegerField()
    newest_version = serializers.IntegerField(help_text="Another one: this figure was corrected.")
    bureau = serializers.CharField()
    chain = serializers.CharField(allow_null=True)
    indicator = serializers.CharField()
    name = serializers.CharField()
    unit = serializers.CharField()
    counted = serializers.CharField()
    key = serializers.CharField()
    time_rule = serializers.CharField()
    place_rule = serializers.CharField()
    definition = serializers.CharField(help_text="Version of the definition it was counted by.")
    figure = PartsSerializer(allow_null=True, help_text=f"Null: withheld. Outside the scope: {WITHHELD}")
    frozen_at = MomentField(allow_null=True)
    reason = serializers.CharField(help_text="Of a correction.")
    sha256 = serializers.CharField(help_text="Digest of all figures of the version.")
    rows_sha256 = serializers.CharField(help_text="Digest of all rows that it counted.")
    page = serializers.CharField(help_text="Its page, for people.")


class ChangeSerializer(serializers.Serializer):
    kind = serializers.CharField(source="kind_code", help_text="came, went or changed")
    part = serializers.CharField(help_text="Numerator or denominator of a ratio.")
    name = serializers.CharField()
    code = serializers.CharField()
    unit = serializers.CharField()
    why = serializers.CharField()


class ChangesSerializer(serializers.Serializer):
    came = serializers.IntegerField(allow_null=True, help_text="Null: the scope does not cover the unit.")
    went = serializers.IntegerField(allow_null=True)
    changed = serializers.IntegerField(allow_null=True)
    hidden = serializers.IntegerField(
        allow_null=True, help_text="Not in `rows`: outside the scope, or gone from the ledger."
    )
    cut = serializers.BooleanField(help_text="There are more rows than the first 2,000.")
    rows = ChangeSerializer(many=True, help_text="The first 2,000.")


class RecountSerializer(serializers.Serializer):
    verdict = serializers.ChoiceField(["same", "differs", "former definition"])
    kept_rows_agree = serializers.BooleanField(
        allow_null=True, help_text="Whether the rows kept at the freeze still make the figure."
    )
    tree_changed = serializers.BooleanField(
        allow_null=True,
        help_text="The boundaries of the unit have changed since the freeze; `now` is by those of now.",
    )
    figure = PartsSerializer(allow_null=True, help_text="Null: withheld, as in the passport.")
    now = PartsSerializer(allow_null=True, help_text="Null: the scope does not cover the unit.")
    changes = ChangesSerializer(allow_null=True)


class LineSerializer(serializers.Serializer):
    bureau = serializers.CharField(source="unit_code")
    bureau_name = serializers.CharField(source="unit")
    indicator = serializers.CharField(source="code")
    chain = serializers.CharField(source="chain_code", help_text="Empty: all chains together.")
    before = PartsSerializer()
    after = PartsSerializer()
    difference = serializers.FloatField(allow_null=True, help_text="Null: blank on a side, or incomparable.")
    is_comparable = serializers.BooleanField(help_text="Counted by one definition.")
    rows_differ = serializers.BooleanField(source="has_rows", help_text="Told of versions of one period.")
    withheld = serializers.BooleanField(
        source="is_withheld",
        help_text=f"Would tell of a single firm, or is outside the scope, on a side: {WITHHELD}",
    )


class LinePages(PageNumberPagination):
    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 200


def _parts(indicator: Indicator, figure: figures.Value) -> dict[str, Any]:
    shown = figures.rounded(indicator, figure)
    return {
        "value": None if shown is None else float(shown),
        "numerator": figure.numerator,
        "denominator": figure.denominator,
    }


def _changes(changes: Changes) -> dict[str, Any]:
    numbers: dict[str, int | None] = dict.fromkeys(("came", "went", "changed", "hidden"))
    if changes.is_counted:
        numbers |= {kind: n for kind, _label, n in changes.counts} | {"hidden": changes.hidden}
    return {**numbers, "cut": changes.is_cut, "rows": changes.described}


class _OfSnapshots(GenericViewSet):
    """What a user may ask of figures of a unit, as often as of their pages."""

    filter_backends: list[Any] = []
    throttled_as = ""

    def _refuse_too_often(self) -> None:
        if too_often(self.request._request, self.throttled_as, ASKED_PER_MINUTE):
            raise Throttled(wait=60)

    def _snapshot(self, code: str, unit: Bureau) -> Snapshot:
        try:
            snapshot = comparison.find(code)
        except RefusedValue as fault:
            raise NotFound(fault.messages[0]) from fault
        if not access.may_read(self.request.user, snapshot.period, unit):
            raise PermissionDenied(access.why_not(snapshot.period, unit))
        return snapshot

    def _place(self, bureau: str) -> Place:
        try:
            chain = ChainField(required=False).clean(self.request.query_params.get("chain", ""))
        except RefusedValue as fault:
            raise ValidationError({"chain": fault.messages}) from fault
        return Place(get_object_or_404(Bureau, code=bureau), chain)


CHAIN = OpenApiParameter("chain", str, description="The figure of one chain.")


class PassportViewSet(_OfSnapshots):
    """What stands behind a frozen figure, and whether it still holds; addressed as 2024.1/320000/I15."""

    serializer_class = PassportSerializer
    throttled_as = "recount"

    @extend_schema(responses=PassportSerializer, parameters=[CHAIN])
    @action(detail=False, url_path="<snapshot:snapshot>/<unit:bureau>/<indicator:code>", url_name="detail")
    def passport(self, request: Request, snapshot: str, bureau: str, code: str) -> Response:
        """Definition, period, version and parts of a figure."""
        place = self._place(bureau)
        found = self._snapshot(snapshot, place.bureau)
        if code not in CATALOGUE:
            raise NotFound
        (line,) = figures.headline(
            found, place.bureau, [code], place.chain, read=Reader(request.user).of_unit
        )
        one = line.indicator
        newest = figures.current(found.period)
        told = {
            "period": found.period.code,
            "version": found.version,
            "newest_version": newest.version if newest else found.version,
            "bureau": bureau,
            "chain": place.chain.code if place.chain else None,
            "indicator": code,
            "name": str(one.name),
            "unit": str(one.unit),
            "counted": str(one.counted),
            "key": str(one.key),
            "time_rule": str(one.time_rule),
            "place_rule": str(one.place_rule),
            "definition": one.version,
            "figure": None if line.figure.withheld else _parts(one, line.figure),
            "frozen_at": found.finished_at if found.version else None,
            "reason": found.reason,
            "sha256": found.row_hash,
            "rows_sha256": found.counted_hash,
            "page": request.build_absolute_uri(
                dashboard.figure_address(found, place.bureau, code, place.chain)
            ),
        }
        return Response(PassportSerializer(told).data)

    @extend_schema(responses=RecountSerializer, parameters=[CHAIN])
    @action(
        detail=False,
        url_path="<snapshot:snapshot>/<unit:bureau>/<indicator:code>/recount",
        url_name="recount",
    )
    def recount(self, request: Request, snapshot: str, bureau: str, code: str) -> Response:
        """Counts the figure anew from the ledger of now, and names the rows by which it differs."""
        place = self._place(bureau)
        found = self._snapshot(snapshot, place.bureau)
        if code not in CATALOGUE:
            raise NotFound
        self._refuse_too_often()
        indicator = figures.definitions(found)[code]
        told: dict[str, Any] = dict.fromkeys(RecountSerializer().fields)
        if not passports.can_recount(found, indicator):
            return Response(RecountSerializer({**told, "verdict": "former definition"}).data)
        if behind.covers(request.user, place):
            changes = Changes(request.user, indicator, place, Side(found), Side(found, now=True))
            result = passports.recount(found, indicator, place, changes)
            verdict = passports.verdict(found, result, place)
            told |= {
                "figure": _parts(indicator, result.stored),
                "now": _parts(indicator, result.now),
                "changes": _changes(changes) if found.version else None,
            }
        else:
            verdict = passports.told_verdict(request.user, found, indicator, place)
            read = Reader(request.user).of_unit
            (line,) = figures.headline(found, place.bureau, [code], place.chain, read=read)
            if not line.figure.withheld:
                told["figure"] = _parts(indicator, line.figure)
        told |= {
            "verdict": "same" if verdict.agrees else "differs",
            "kept_rows_agree": verdict.is_whole,
            "tree_changed": verdict.tree_changed,
        }
        return Response(RecountSerializer(told).data)


class ComparisonViewSet(_OfSnapshots):
    """Two snapshots line by line, the largest difference first, with the filters of the page.

    For who covers the unit. Others read unit by unit what differs and is told: of the unit, of those right
    below it and of their own.
    """

    serializer_class = LineSerializer
    pagination_class = LinePages
    throttled_as = "compare"

    @extend_schema(
        responses=LineSerializer(many=True),
        parameters=[
            OpenApiParameter(name, str, description=words)
            for name, words in (
                ("before", "Period and version, 2024.1."),
                ("after", "Period and version, 2024.2."),
                ("bureau", "A unit and all below it."),
                ("indicator", "One indicator."),
                ("chain", "One chain."),
                ("by_chain", "Not empty: a line for each chain."),
                ("same", "Not empty: also lines that do not differ."),
            )
        ],
    )
    def list(self, request: Request) -> Response:
        home = Bureau.objects.filter(level=Bureau.Level.NATIONAL).first()
        form = CompareForm(request.query_params, user=request.user, home=home, request=request)
        if not form.is_valid():
            raise ValidationError(form.errors)
        asked = form.cleaned_data
        if asked["before"] is None or asked["after"] is None:
            return self.get_paginated_response(self.paginate_queryset([]))
        for side in (asked["before"], asked["after"]):
            if not access.may_read(request.user, side.period, asked["bureau"]):
                raise PermissionDenied(access.why_not(side.period, asked["bureau"]))
        self._refuse_too_often()
        found = Comparison(
            asked["before"],
            asked["after"],
            asked["bureau"],
            request.user,
            codes=[asked["indicator"]] if asked["indicator"] else (),
            chain=asked["chain"],
            by_chain=asked["by_chain"],
            differing=not asked["same"],
        )
        lines = found.told(self.paginate_queryset(found.lines()) or [])
        return self.get_paginated_response([_line(line) for line in lines])

    @extend_schema(responses=ChangesSerializer, parameters=[CHAIN])
    @action(
        detail=False,
        url_path="<snapshot:before>/<snapshot:after>/<unit:bureau>/<indicator:code>",
        url_name="rows",
        pagination_class=None,
    )
    def changed(self, request: Request, before: str, after: str, bureau: str, code: str) -> Response:
        """The rows by which one line differs."""
        place = self._place(bureau)
        one, other = (self._snapshot(side, place.bureau) for side in (before, after))
        if code not in CATALOGUE:
            raise NotFound
        if not figures.comparable(code, one, other):
            raise ValidationError({"indicator": [_("两版按不同的口径统计，不作比较。")]})
        self._refuse_too_often()
        indicator = figures.definitions(other)[code]
        changes = Changes(request.user, indicator, place, Side(one), Side(other))
        return Response(ChangesSerializer(_changes(changes)).data)


def _line(line: Line) -> dict[str, Any]:
    difference = line.difference
    told = {
        "unit_code": line.unit_code,
        "unit": line.unit,
        "code": line.code,
        "chain_code": line.chain_code,
        "before": _parts(line.indicator, line.before),
        "after": _parts(line.indicator, line.after),
        "difference": None if difference is None else float(figures.printed(line.indicator, difference)),
        "is_comparable": line.is_comparable,
        "has_rows": line.has_rows,
        "is_withheld": line.is_withheld,
    }
    return dict(LineSerializer(told).data)
