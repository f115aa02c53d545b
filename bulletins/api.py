"""Periods, figures and bulletins to read."""

from decimal import Decimal

import django_filters as df
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from accounts.models import User
from bulletins import figures
from bulletins.filters import BulletinFilter
from bulletins.filters import PeriodFilter as ByPeriod
from bulletins.indicators import CATALOGUE, Indicator
from bulletins.models import Bulletin, Excuse, Period, StatValue, Submission
from common.api import DetailView, MomentField, RowSerializer, RowsView
from common.filters import CodeFilter, RowField
from enterprises.filters import BureauFilter, ChainFilter


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
    numerator = serializers.IntegerField(allow_null=True, help_text="Of a ratio.")
    denominator = serializers.IntegerField(
        allow_null=True, help_text="Of a ratio; of a median, how many rows it is the middle of."
    )
    definition = serializers.SerializerMethodField(help_text="Version of the definition it was counted by.")
    late = serializers.IntegerField(help_text="Of these, reported late for an earlier period.")

    def _indicator(self, row: StatValue) -> Indicator:
        return figures.definitions(row.snapshot)[row.indicator]

    def get_unit(self, row: StatValue) -> str:
        return str(self._indicator(row).unit)

    def get_value(self, row: StatValue) -> float | None:
        figure = figures.Value(row.value, row.late, row.numerator, row.denominator)
        shown = figures.rounded(self._indicator(row), figure)
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

    Before publication a unit's figures are for itself and the units above it.
    """

    field_class = PeriodField

    def filter(self, qs: QuerySet, value: Period | None) -> QuerySet:
        snapshot = value and figures.current(value)
        if snapshot is None:
            return qs.none()
        rows = qs.filter(snapshot=snapshot)
        user: User = self.parent.request.user
        if value.is_public or user.scope.everything:
            return rows
        return rows.filter(user.scope.within("bureau__path"))


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
    replaced_by = serializers.UUIDField(source="replaced_by.public_id", allow_null=True, default=None)


class BulletinViewSet(DetailView):
    """Bulletins: issued ones for everybody, drafts for those who prepare them."""

    model = Bulletin
    serializer_class = BulletinSerializer
    filterset_class = BulletinFilter
    lookup_field = "public_id"
    lookup_value_converter = "uuid"

    def detailed(self, queryset):
        return queryset.select_related("bureau", "period", "snapshot", "replaced_by")
