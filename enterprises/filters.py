"""Filters of organisations and institutions, and those that every app uses: bureau and chain."""

import re

import django_filters as df
from django import forms
from django.db.models import Q, QuerySet
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from common.filters import (
    CodeFilter,
    DayFilter,
    Filter,
    HasCodeFilter,
    ListFilterSet,
    RowField,
    YesFilter,
)
from enterprises.models import (
    Bureau,
    ChainSegment,
    IndustryChain,
    InstitutionProfile,
    NqiElement,
    Organization,
)


class BureauField(RowField):
    """Any unit by its code; offered are the line above the chosen one and the units next below it.

    So 3,343 units are never more than a short list, and one steps down the tree level by level.
    """

    default_error_messages = {
        "unknown": _("没有代码为“%(value)s”的单位。单位代码为 6 至 12 位数字，例如江苏为 320000。")
    }

    def __init__(self, **kwargs):
        super().__init__(
            queryset=Bureau.objects.only("code", "short_name", "level", "path", "parent", "valid_to"),
            **kwargs,
        )
        self.chosen = None
        self.root = None

    def get_bound_field(self, form, field_name):
        grant = getattr(getattr(form, "request", None), "grant", None)
        self.root = grant.bureau if grant else None
        return super().get_bound_field(form, field_name)

    @cached_property
    def choices(self):
        start = self.chosen or self.root
        line = start.path.split("/")[:-1] if start else []
        below = Q(parent=start) if start else Q(parent__level=Bureau.Level.NATIONAL)
        if start and start.parent_id and start.level >= Bureau.Level.COUNTY:
            below |= Q(parent=start.parent_id)
        units = list(self.queryset.in_force().filter(below | Q(code__in=line)).order_by("level", "code"))
        above = self.root.path if self.root else ""
        groups = (
            (_("上级与本级"), [unit for unit in units if unit.code in line and unit.path.startswith(above)]),
            (_("下级"), [unit for unit in units if unit.code not in line]),
        )
        return [
            ("", _("全部")),
            *((word, [(u.code, u.short_name) for u in members]) for word, members in groups if members),
        ]

    def to_python(self, value):
        if not value:
            return None
        self.chosen = self.queryset.filter(code=value).first() if value.isdigit() else None
        if self.chosen is None:
            raise self.unknown(value)
        return self.chosen


class OneBureauField(BureauField):
    """One of the units of now, drawn like any field of a form."""

    @property
    def choices(self):
        return super().choices[1:]

    def to_python(self, value):
        unit = super().to_python(value)
        if unit is not None and unit.valid_to:
            raise forms.ValidationError(
                _("%(unit)s已撤销，现由%(heir)s（%(code)s）办理。"),
                params={"unit": unit.short_name, "heir": unit.heir.short_name, "code": unit.heir.code},
            )
        return unit

    def get_bound_field(self, form, field_name):
        super().get_bound_field(form, field_name)
        return forms.BoundField(form, self, field_name)


class BureauFilter(Filter):
    """Rows whose bureau, reached by the field, is the chosen one or lies below it."""

    field_class = BureauField

    def filter(self, qs: QuerySet, value: Bureau | None) -> QuerySet:
        return qs.filter(**{f"{self.field_name}__path__startswith": value.path}) if value else qs


class ChainField(RowField):
    default_error_messages = {"unknown": _("没有代码为“%(value)s”的产业链，请从列表中选择。")}

    def __init__(self, **kwargs):
        super().__init__(queryset=IndustryChain.objects.only("code", "name"), **kwargs)


class ChainFilter(Filter):
    """Rows of the chain with this code."""

    field_class = ChainField


class SegmentField(RowField):
    """A segment by its key; offered are those of the chain that is chosen beside it."""

    default_error_messages = {"unknown": _("没有编号为“%(value)s”的产业链环节，请从列表中选择。")}

    def __init__(self, **kwargs):
        super().__init__(queryset=ChainSegment.objects.only("name", "stream"), **kwargs)
        self.chain_code = ""

    def get_bound_field(self, form, field_name):
        self.chain_code = form.data.get("chain", "")
        return super().get_bound_field(form, field_name)

    @property
    def choices(self):
        rows = self.queryset.filter(chain__code=self.chain_code) if self.chain_code else ()
        return [("", _("全部")), *((str(row.pk), str(row)) for row in rows)]

    def to_python(self, value):
        if not value:
            return None
        row = self.queryset.filter(pk=value).first() if re.fullmatch(r"[0-9]{1,18}", value) else None
        if row is None:
            raise self.unknown(value)
        return row


class SegmentFilter(Filter):
    """Rows of the segment with this key."""

    field_class = SegmentField


class OrganizationFilter(ListFilterSet):
    """Organisations by what they are and by their part in projects.

    ``role``, ``chain``, ``in_bureau`` and the days speak of one and the same participation.
    """

    bureau = BureauFilter("bureau", label=_("地区（含下级）"))
    size = CodeFilter("size", choices=Organization.Size.choices, label=_("企业规模"))
    status = CodeFilter("status", choices=Organization.Status.of_ledger(), label=_("登记状态"))
    legal_form = CodeFilter("legal_form", choices=Organization.LegalForm.choices, label=_("组织形式"))
    tag = HasCodeFilter("tags", choices=Organization.Tag.choices, label=_("企业称号"))
    role = CodeFilter(
        choices=[("leader", _("链主企业")), ("member", _("链员企业")), ("enabler", _("赋能机构"))],
        label=_("项目中的角色"),
        method="keep",
    )
    chain = ChainFilter(label=_("所在项目的产业链"), method="keep")
    in_bureau = BureauFilter(label=_("接纳单位（含下级）"), method="keep")
    active_from = DayFilter(label=_("参与日期从"), method="keep")
    active_to = DayFilter(label=_("参与日期到"), method="keep")

    class Meta:
        model = Organization
        fields: list[str] = []

    def keep(self, queryset, _name, _value):
        """Applied together by `filter_queryset`."""
        return queryset

    def filter_queryset(self, queryset):
        queryset = super().filter_queryset(queryset)
        asked = {
            name: self.form.cleaned_data.get(name)
            for name in ("role", "chain", "in_bureau", "active_from", "active_to")
        }
        return queryset.taking_part(**asked) if any(asked.values()) else queryset


class InstitutionFilter(ListFilterSet):
    """Enabling institutions by what they can do."""

    bureau = BureauFilter("bureau", label=_("地区（含下级）"))
    element = HasCodeFilter(
        "institution_profile__nqi_elements", choices=NqiElement.choices, label=_("质量基础设施要素")
    )
    kind = HasCodeFilter(
        "institution_profile__kinds", choices=InstitutionProfile.Kind.choices, label=_("机构类型")
    )
    status = CodeFilter("status", choices=Organization.Status.of_ledger(), label=_("登记状态"))
    lighthouse = YesFilter("institution_profile__is_lighthouse_lab", label=_("灯塔实验室"))

    class Meta:
        model = Organization
        fields: list[str] = []


class BureauRowFilter(df.FilterSet):
    """Which units: those of a level, those below one."""

    level = CodeFilter(
        "level", choices=[(str(level), word) for level, word in Bureau.Level.choices], label=_("层级")
    )
    within = BureauFilter(label=_("所属单位（含下级）"), method="below")

    class Meta:
        model = Bureau
        fields: list[str] = []

    def below(self, queryset, _name, unit):
        return queryset.within(unit)


class ChainListFilter(ListFilterSet):
    """Which chains, on the page of all of them."""

    klass = CodeFilter("klass", choices=IndustryChain.Klass.choices, label=_("产业类别"))

    class Meta:
        model = IndustryChain
        fields: list[str] = []


class ChainRowFilter(df.FilterSet):
    """Which chains: those of a class, those in force on a day."""

    klass = CodeFilter("klass", choices=IndustryChain.Klass.choices, label=_("产业类别"))
    valid_on = DayFilter(label=_("在该日有效"), method="in_force")

    class Meta:
        model = IndustryChain
        fields: list[str] = []

    def in_force(self, queryset, _name, day):
        return queryset.valid_on(day)
