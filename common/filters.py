"""Pieces of filter sets: what stands in the address of a list, the same for its page and for the API."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

import django_filters as df
from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from django.forms.utils import flatatt
from django.utils import timezone
from django.utils.functional import SimpleLazyObject
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext_lazy as _


class QuickSelect(forms.Select):
    """A select drawn in one go: Django renders a template per option, which for sixty of them costs milliseconds."""

    def render(
        self, name: str, value: Any, attrs: Mapping[str, Any] | None = None, renderer: Any = None
    ) -> SafeString:
        chosen = {str(part) for part in self.format_value(value)}
        attributes = flatatt(self.build_attrs({**self.attrs, "name": name}, dict(attrs or {})))
        return format_html("<select{}>{}</select>", attributes, _options(self.choices, chosen))


def _options(choices: Iterable[Any], chosen: set[str]) -> SafeString:
    parts = []
    for value, label in choices:
        if isinstance(label, list | tuple):
            parts.append(
                format_html('<optgroup label="{}">{}</optgroup>', value, _options(label, chosen))
            )
        else:
            mark = mark_safe(" selected") if str(value) in chosen else ""
            parts.append(format_html('<option value="{}"{}>{}</option>', value, mark, label))
    return format_html_join("", "{}", ((part,) for part in parts))


class DayInput(forms.DateInput):
    """The browser's own calendar; values as 2026-11-21 in every language."""

    input_type = "date"

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        super().__init__(attrs, format="%Y-%m-%d")


# --- Code lists ------------------------------------------------------------------------------------------------


def _unknown_code(value: str, choices: Iterable[tuple[Any, Any]]) -> ValidationError:
    return ValidationError(
        _("“%(value)s”不在可选项中，可选：%(accepted)s。"),
        code="invalid_choice",
        params={"value": value, "accepted": "、".join(str(code) for code, _label in choices if code)},
    )


class CodeField(forms.ChoiceField):
    """One value of a code list; the refusal names the codes that would do."""

    widget = QuickSelect

    def __init__(self, *, choices: Iterable[tuple[Any, Any]], **kwargs: Any) -> None:
        super().__init__(choices=[("", _("不限")), *choices], **kwargs)

    def validate(self, value: str) -> None:
        if value and not self.valid_value(value):
            raise _unknown_code(value, self.choices)


class CodesField(forms.MultipleChoiceField):
    """Several values of a code list."""

    widget = forms.CheckboxSelectMultiple

    def validate(self, value: list[str]) -> None:
        for code in value:
            if not self.valid_value(code):
                raise _unknown_code(code, self.choices)


class CodeFilter(df.Filter):
    """Rows with one value of a code list."""

    field_class = CodeField


class AnyCodeFilter(df.Filter):
    """Rows with one of several values of a code list; the parameter is repeated in the address."""

    field_class = CodesField

    def filter(self, qs: QuerySet, value: list[str]) -> QuerySet:
        return qs.filter(**{f"{self.field_name}__in": value}) if value else qs


class HasCodeFilter(CodeFilter):
    """Rows whose `CodeSetField` holds a code."""

    def filter(self, qs: QuerySet, value: str) -> QuerySet:
        return qs.filter(**{f"{self.field_name}__contains": value}) if value else qs


class YesFilter(df.BooleanFilter):
    """A box to tick: only the rows that are so, or all of them."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, widget=forms.CheckboxInput, **kwargs)

    def filter(self, qs: QuerySet, value: bool | None) -> QuerySet:
        return super().filter(qs, True) if value else qs


# --- Days --------------------------------------------------------------------------------------------------------


class DayField(forms.DateField):
    widget = DayInput
    input_formats = ["%Y-%m-%d"]
    default_error_messages = {"invalid": _("日期应写作 2026-11-21 的样子。")}


class DayFilter(df.Filter):
    """A day, compared with a date column by ``lookup_expr``."""

    field_class = DayField


class MomentFilter(DayFilter):
    """A day, compared with a time column: ``gte`` from its first moment, ``lt`` up to its last."""

    def filter(self, qs: QuerySet, value: date | None) -> QuerySet:
        if value is None:
            return qs
        if self.lookup_expr == "lt":
            value += timedelta(days=1)
        edge = timezone.make_aware(datetime.combine(value, time.min))
        return qs.filter(**{f"{self.field_name}__{self.lookup_expr}": edge})


# --- Rows of short tables --------------------------------------------------------------------------------------------


class RowField(forms.Field):
    """A row of a short table, chosen by its code; the table is read once, and only when it is needed."""

    widget = QuickSelect
    default_error_messages = {"unknown": _("没有代码为“%(value)s”的记录，请从列表中选择。")}

    def __init__(self, *, queryset: QuerySet, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.queryset = queryset.all()

    def get_bound_field(self, form: forms.BaseForm, field_name: str) -> forms.BoundField:
        self.widget.choices = SimpleLazyObject(lambda: self.choices)
        return super().get_bound_field(form, field_name)

    @property
    def choices(self) -> list[tuple[Any, Any]]:
        return [("", _("不限")), *((row.code, str(row)) for row in self.queryset)]

    def to_python(self, value: Any) -> Model | None:
        if not value:
            return None
        for row in self.queryset:
            if row.code == value:
                return row
        raise ValidationError(self.error_messages["unknown"], code="unknown", params={"value": value})


# --- Filter sets -----------------------------------------------------------------------------------------------------


class ListFilterSet(df.FilterSet):
    """Filters of a list, the search box first. A fault in the address leaves no row, never all of them."""

    q = df.CharFilter(method="search", label=_("搜索"), max_length=100)

    def search(self, queryset: QuerySet, _name: str, text: str) -> QuerySet:
        return queryset.search(text)

    @property
    def form(self) -> forms.Form:
        form = super().form
        form.request = self.request
        return form

    def filter_queryset(self, queryset: QuerySet) -> QuerySet:
        return super().filter_queryset(queryset) if self.form.is_valid() else queryset.none()
