"""Pieces of filter sets: what stands in the address of a list, the same for its page and for the API."""

from collections.abc import Iterable, Mapping
from copy import copy, deepcopy
from datetime import date, datetime, time, timedelta
from functools import cache, lru_cache
from html import escape
from typing import Any

import django_filters as df
from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from django.forms.utils import flatatt
from django.utils import timezone
from django.utils.functional import SimpleLazyObject
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext_lazy as _

from common import formats


class QuickInput(forms.TextInput):
    """An input drawn without the two templates that Django spends on it."""

    def render(
        self, name: str, value: Any, attrs: Mapping[str, Any] | None = None, renderer: Any = None
    ) -> SafeString:
        shown = self.format_value(value)
        base = {**self.attrs, "type": self.input_type, "name": name}
        if shown is not None:
            base["value"] = shown
        return format_html("<input{}>", flatatt(self.build_attrs(base, dict(attrs or {}))))


class QuickSelect(forms.Widget):
    """A select drawn in one go: a template per option, as Django does it, costs milliseconds for sixty."""

    # What the field offers: pairs of value and word, or of a group's word and such pairs.
    choices: Iterable[Any] = ()

    def id_for_label(self, id_: str | None) -> str:
        return id_ or ""

    def render(
        self, name: str, value: Any, attrs: Mapping[str, Any] | None = None, renderer: Any = None
    ) -> SafeString:
        attributes = flatatt(self.build_attrs({**self.attrs, "name": name}, dict(attrs or {})))
        return mark_safe(f"<select{attributes}>{_options(self.choices, str(value or ''))}</select>")


def _options(choices: Iterable[Any], chosen: str) -> str:
    parts = []
    for value, word in choices:
        if isinstance(word, list | tuple):
            parts.append(f'<optgroup label="{escape(str(value))}">{_options(word, chosen)}</optgroup>')
        else:
            parts.append(_option(value, str(word), value == chosen))
    return "".join(parts)


@lru_cache(maxsize=4096)
def _option(value: str, word: str, chosen: bool) -> str:
    mark = " selected" if chosen else ""
    return f'<option value="{escape(value)}"{mark}>{escape(word)}</option>'


class QuickChecks(forms.CheckboxSelectMultiple):
    """Boxes to tick, drawn in one go."""

    def render(
        self, name: str, value: Any, attrs: Mapping[str, Any] | None = None, renderer: Any = None
    ) -> SafeString:
        chosen = set(self.format_value(value))
        id_ = (attrs or {}).get("id") or f"id_{name}"
        boxes = [
            _box(f"{id_}_{place}", name, str(code), str(word), str(code) in chosen)
            for place, (code, word) in enumerate(self.choices)
        ]
        return mark_safe(f'<div id="{escape(id_)}">{"".join(boxes)}</div>')


@lru_cache(maxsize=4096)
def _box(id_: str, name: str, value: str, word: str, chosen: bool) -> str:
    mark = " checked" if chosen else ""
    return (
        f'<div><label for="{escape(id_)}"><input type="checkbox" name="{escape(name)}" '
        f'value="{escape(value)}" id="{escape(id_)}"{mark}> {escape(word)}</label></div>'
    )


class SearchInput(QuickInput):
    input_type = "search"

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        super().__init__({"placeholder": _("名称、编号、信用代码"), **(attrs or {})})


class DayInput(QuickInput):
    """The browser's own calendar; values as 2026-11-21 in every language."""

    input_type = "date"


class QuickField(forms.BoundField):
    """A field of the filter panel, marked up as `templates/django/forms/field.html` does for plain fields."""

    def as_field_group(self) -> SafeString:
        if isinstance(self.field.widget, forms.CheckboxInput):
            return super().as_field_group()
        if self.use_fieldset:
            return format_html(
                '<div class="field field-choices{}"><fieldset><legend class="field-label">{}</legend>{}{}'
                "</fieldset></div>",
                " field-fault" if self.errors else "",
                self.label,
                self.errors or "",
                self.as_widget(),
            )
        kind = "select" if isinstance(self.field.widget, QuickSelect) else "input"
        return format_html(
            '<div class="field field-{}{}"><label class="field-label" for="{}">{}</label>{}{}</div>',
            kind,
            " field-fault" if self.errors else "",
            self.id_for_label,
            self.label,
            self.errors or "",
            self.as_widget(),
        )


class QuickFieldMixin:
    def get_bound_field(self, form: forms.BaseForm, field_name: str) -> forms.BoundField:
        return QuickField(form, self, field_name)  # type: ignore[arg-type]


class Filter(df.Filter):
    """A filter that a filter set copies lightly: its options are shared, only its parent is its own.

    The package copies every choice of every filter for every request.
    """

    def __deepcopy__(self, memo: dict[int, Any]) -> "Filter":
        copied = copy(self)
        if self.method is not None:
            copied.method = self.method
        return copied


class TextField(QuickFieldMixin, forms.CharField):
    widget = QuickInput


class TextFilter(Filter):
    field_class = TextField


# --- Code lists -------------------------------------------------------------------------------------------


def _unknown_code(value: str, choices: Any) -> ValidationError:
    return ValidationError(
        _("“%(value)s”不在可选项中，可选：%(accepted)s。"),
        code="invalid_choice",
        params={
            "value": formats.excerpt(value),
            "accepted": formats.listed(code for code, _label in choices if code),
        },
    )


class CodeField(QuickFieldMixin, forms.Field):
    """One value of a code list; the refusal names the codes that would do."""

    widget = QuickSelect

    def __init__(self, *, choices: Iterable[tuple[str, Any]], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.choices = [("", _("全部")), *choices]
        self.widget.choices = self.choices

    def to_python(self, value: str | None) -> str:
        if value and all(value != code for code, _word in self.choices):
            raise _unknown_code(value, self.choices)
        return value or ""


class CodesField(QuickFieldMixin, forms.MultipleChoiceField):
    """Several values of a code list."""

    widget = QuickChecks

    def validate(self, value: list[str]) -> None:
        for code in value:
            if not self.valid_value(code):
                raise _unknown_code(code, self.choices)


class CodeFilter(Filter):
    """Rows with one value of a code list."""

    field_class = CodeField


class AnyCodeFilter(Filter):
    """Rows with one of several values of a code list; the parameter is repeated in the address."""

    field_class = CodesField

    def filter(self, qs: QuerySet, value: list[str]) -> QuerySet:
        return qs.filter(**{f"{self.field_name}__in": value}) if value else qs


class HasCodeFilter(CodeFilter):
    """Rows whose `CodeSetField` holds a code."""

    def filter(self, qs: QuerySet, value: str) -> QuerySet:
        return qs.filter(**{f"{self.field_name}__contains": value}) if value else qs


class YesFilter(Filter):
    """A box to tick: only the rows that are so, or all of them."""

    field_class = forms.BooleanField

    def filter(self, qs: QuerySet, value: bool | None) -> QuerySet:
        return super().filter(qs, True) if value else qs


# --- Days -------------------------------------------------------------------------------------------------


class DayField(QuickFieldMixin, forms.DateField):
    widget = DayInput
    input_formats = ["%Y-%m-%d"]
    default_error_messages = {"invalid": _("日期应写作 2026-11-21 的样子。")}

    def validate(self, value: date | None) -> None:
        """Days at the ends of the calendar have no moment in every time zone."""
        super().validate(value)
        if value and not 1900 <= value.year < 2200:
            raise ValidationError(_("日期应在 1900 年到 2199 年之间。"))


class DayFilter(Filter):
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


# --- Rows of short tables ---------------------------------------------------------------------------------


class RowField(QuickFieldMixin, forms.Field):
    """A row of a short table, chosen by its code; the table is read once, and only when it is needed."""

    widget = QuickSelect
    default_error_messages = {"unknown": _("没有代码为“%(value)s”的记录，请从列表中选择。")}

    def __init__(self, *, queryset: QuerySet, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.queryset = queryset

    def __deepcopy__(self, memo: dict[int, Any]) -> "RowField":
        copied = super().__deepcopy__(memo)
        copied.queryset = self.queryset.all()
        return copied

    def get_bound_field(self, form: forms.BaseForm, field_name: str) -> forms.BoundField:
        self.widget.choices = SimpleLazyObject(lambda: self.choices)
        return super().get_bound_field(form, field_name)

    @property
    def choices(self) -> list[tuple[Any, Any]]:
        return [("", _("全部")), *((row.code, str(row)) for row in self.queryset)]

    def to_python(self, value: Any) -> Model | None:
        if not value:
            return None
        for row in self.queryset:
            if row.code == value:
                return row
        raise self.unknown(value)

    def unknown(self, code: str) -> ValidationError:
        return ValidationError(
            self.error_messages["unknown"], code="unknown", params={"value": formats.excerpt(code)}
        )


# --- Filter sets ------------------------------------------------------------------------------------------


class ListFilterSet(df.FilterSet):
    """Filters of a list, the search box first. A fault in the address leaves no row, never all of them."""

    q = TextFilter(method="search", label=_("搜索"), max_length=100, widget=SearchInput)

    def search(self, queryset: Any, _name: str, text: str) -> QuerySet:
        return queryset.search(text)

    @classmethod
    @cache
    def _form_class(cls) -> type[forms.Form]:
        fields = {name: deepcopy(one).field for name, one in cls.base_filters.items()}
        return type(f"{cls.__name__}Form", (cls._meta.form,), fields)

    def get_form_class(self) -> type[forms.Form]:
        """Made once: its fields depend on the class alone."""
        return self._form_class()

    @property
    def form(self) -> forms.Form:
        form = super().form
        form.request = self.request
        return form

    def filter_queryset(self, queryset: QuerySet) -> QuerySet:
        return super().filter_queryset(queryset) if self.form.is_valid() else queryset.none()
