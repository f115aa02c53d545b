"""Organisations as a spreadsheet: natural keys, and faults in sentences, cell by cell.

A file speaks the language of whoever exports it; headings and words in any of our languages are read.
"""

from collections.abc import Callable, Iterable
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils import timezone, translation
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from import_export import fields, resources, widgets

from common import formats, uscc
from enterprises.models import Bureau, Division, Organization
from record.recording import one_change

DAY_FORMATS = ("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y年%m月%d日", "%Y%m%d")


class CodeWidget(widgets.Widget):
    """A row of a reference table by its code; the table is read once per file."""

    def __init__(self, known: Callable[[], Iterable[Any]], sentence: Any) -> None:
        super().__init__()
        self.known, self.sentence = known, sentence
        self.rows: dict[str, Any] = {}

    def read(self) -> None:
        self.rows = {row.code: row for row in self.known()}

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> Any:
        code = _text(value)
        if not code:
            return None
        if code not in self.rows:
            raise ValueError(self.sentence() % {"value": code})
        return self.rows[code]

    def render(self, value: Any, obj: Any = None, **kwargs: Any) -> str:
        return value.code if value else ""


class WordWidget(widgets.Widget):
    """A value of a code list, by its word or by its code."""

    def __init__(self, choices: Iterable[tuple[Any, Any]]) -> None:
        super().__init__()
        self.choices = list(choices)

    @cached_property
    def codes(self) -> dict[str, str]:
        return {text: code for code, word in self.choices for text in (code, *spellings(word))}

    def code_of(self, text: str) -> str:
        if text in self.codes:
            return self.codes[text]
        accepted = formats.listed(word for _code, word in self.choices)
        raise ValueError(
            _("“%(value)s”不在可选项中，可填：%(accepted)s。") % {"value": text, "accepted": accepted}
        )

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> str:
        text = _text(value)
        return self.code_of(text) if text else ""

    def render(self, value: Any, obj: Any = None, **kwargs: Any) -> str:
        return str(dict(self.choices).get(value, ""))


class WordsWidget(WordWidget):
    """Several values of a code list, separated by 、 or commas."""

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> Any:
        parts = _text(value).replace("，", "、").replace(",", "、").split("、")
        return tuple(sorted({self.code_of(part.strip()) for part in parts if part.strip()}))

    def render(self, value: Any, obj: Any = None, **kwargs: Any) -> str:
        words = dict(self.choices)
        return formats.listed(words[code] for code in value or () if code in words)


class DayWidget(widgets.Widget):
    """A day, as a date cell or as text in one of the ways in which people write it."""

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> date | None:
        if isinstance(value, datetime):
            return value.date()
        if isinstance(value, date):
            return value
        text = _text(value)
        if not text:
            return None
        for form in DAY_FORMATS:
            try:
                return datetime.strptime(text, form).date()  # noqa: DTZ007  (a day has no zone)
            except ValueError:
                continue
        raise ValueError(_("“%s”不是日期，请写成 2024-05-31 的样子。") % text)

    def render(self, value: Any, obj: Any = None, **kwargs: Any) -> str:
        return value.isoformat() if value else ""


class NumberWidget(widgets.Widget):
    """A number not below zero; separators of thousands are allowed. ``whole``: no decimals."""

    def __init__(self, *, whole: bool) -> None:
        super().__init__()
        self.whole = whole

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> Decimal | int | None:
        text = _text(value).replace(",", "").replace("，", "")
        if not text:
            return None
        try:
            number = Decimal(text)
            if not number.is_finite() or number < 0 or (self.whole and number != number.to_integral_value()):
                raise InvalidOperation
        except InvalidOperation:
            kind = _("不小于 0 的整数") if self.whole else _("不小于 0 的数字")
            raise ValueError(_("“%(value)s”应为%(kind)s。") % {"value": text, "kind": kind}) from None
        return int(number) if self.whole else number.quantize(Decimal("0.01"))

    def render(self, value: Any, obj: Any = None, **kwargs: Any) -> str:
        return "" if value is None else str(value)


class TextWidget(widgets.Widget):
    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> str:
        return _text(value)

    def render(self, value: Any, obj: Any = None, **kwargs: Any) -> str:
        return value or ""


def spellings(word: Any) -> set[str]:
    """A word in each of our languages."""
    found = set()
    for language, _name in settings.LANGUAGES:
        with translation.override(language):
            found.add(str(word))
    return found


def _text(value: Any) -> str:
    """A cell as text; spreadsheets hand over whole numbers as floats."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return "" if value is None else str(value).strip()


def _unknown_bureau() -> str:
    return _("没有代码为“%(value)s”的单位。单位代码为 6 至 12 位数字，例如江苏省局为 320000。")


def _unknown_division() -> str:
    return _("没有代码为“%(value)s”的行政区划，请填 GB/T 2260 的 6 位代码。")


class Field(fields.Field):
    """A column; an empty cell leaves the stored value of an existing row as it is."""

    def save(self, instance: Any, row: Any, is_m2m: bool = False, **kwargs: Any) -> None:
        if self.column_name in row and (instance.pk is None or _text(row[self.column_name])):
            super().save(instance, row, is_m2m, **kwargs)


# Without these columns no row can be read.
REQUIRED = ("uscc", "name", "bureau")


class OrganizationResource(resources.ModelResource):
    """A row is the organisation with its credit code: a known one is changed, a new one is added."""

    uscc = Field("uscc", gettext_lazy("统一社会信用代码"), TextWidget())
    name = Field("name", gettext_lazy("名称"), TextWidget())
    legal_form = Field(
        "legal_form",
        gettext_lazy("组织形式"),
        WordWidget(Organization.LegalForm.choices),
        default="enterprise",
    )
    bureau = Field(
        "bureau", gettext_lazy("主管单位代码"), CodeWidget(Bureau.objects.in_force, _unknown_bureau)
    )
    registered_division = Field(
        "registered_division", gettext_lazy("登记地代码"), CodeWidget(Division.objects.all, _unknown_division)
    )
    operating_division = Field(
        "operating_division", gettext_lazy("经营地代码"), CodeWidget(Division.objects.all, _unknown_division)
    )
    address = Field("address", gettext_lazy("地址"), TextWidget())
    legal_rep = Field("legal_rep", gettext_lazy("法定代表人"), TextWidget())
    founded_on = Field("founded_on", gettext_lazy("成立日期"), DayWidget())
    gbt4754_class = Field("gbt4754_class", gettext_lazy("行业小类代码"), TextWidget())
    size = Field("size", gettext_lazy("企业规模"), WordWidget(Organization.Size.choices))
    tags = Field("tags", gettext_lazy("企业称号"), WordsWidget(Organization.Tag.choices))
    annual_output = Field("annual_output", gettext_lazy("年产值（元）"), NumberWidget(whole=False))
    employees = Field("employees", gettext_lazy("从业人数"), NumberWidget(whole=True))
    status = Field(
        "status", gettext_lazy("登记状态"), WordWidget(Organization.Status.of_ledger()), default="active"
    )

    class Meta:
        model = Organization
        import_id_fields = ["uscc"]
        fields = [
            "uscc",
            "name",
            "legal_form",
            "bureau",
            "registered_division",
            "operating_division",
            "address",
            "legal_rep",
            "founded_on",
            "gbt4754_class",
            "size",
            "tags",
            "annual_output",
            "employees",
            "status",
        ]
        clean_model_instances = True
        skip_unchanged = True
        report_skipped = False
        use_transactions = True

    def __init__(self, administrator: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.administrator = administrator
        self.applying: dict[str, Organization] = {}

    def import_data_inner(self, *args: Any, **kwargs: Any) -> Any:
        # Numbers of events that are given out at the end are not passed by those of others meanwhile.
        with one_change():
            return super().import_data_inner(*args, **kwargs)

    def get_queryset(self) -> Any:
        rows = super().get_queryset().select_related("bureau", "registered_division", "operating_division")
        return rows.visible_to(self.administrator) if self.administrator else rows

    def get_instance(self, instance_loader: Any, row: Any) -> Any:
        """The known organisation; what is registered and not verified gives way to what a bureau knows."""
        known = super().get_instance(instance_loader, row)
        return known or self.applying.get(row[self.heading("uscc")])

    def before_import(self, dataset: Any, **kwargs: Any) -> None:
        headings = {
            spelling: str(field.column_name)
            for field in self.fields.values()
            for spelling in spellings(field.column_name)
        }
        dataset.headers = [headings.get(_text(head), head) for head in dataset.headers or ()]
        missing = [head for head in map(self.heading, REQUIRED) if head not in dataset.headers]
        if missing:
            known = [self.heading(name) for name in self.fields]
            raise ValidationError(
                _("文件第一行缺少列：%(missing)s。可以有的列：%(known)s。")
                % {"missing": formats.listed(missing), "known": formats.listed(known)}
            )
        for field in self.fields.values():
            if isinstance(field.widget, CodeWidget):
                field.widget.read()
        waiting = Organization._base_manager.filter(status=Organization.Status.APPLYING)
        self.applying = {row.uscc: row for row in waiting}

    def after_export(self, queryset: Any, dataset: Any, **kwargs: Any) -> None:
        dataset.title = str(self._meta.model._meta.verbose_name_plural)

    def heading(self, name: str) -> str:
        return str(self.fields[name].column_name)

    def before_import_row(self, row: Any, **kwargs: Any) -> None:
        head = self.heading("uscc")
        row[head] = uscc.normalise(_text(row[head]))

    def validate_instance(
        self, instance: Any, import_validation_errors: Any = None, validate_unique: bool = True
    ) -> None:
        errors = dict(import_validation_errors or {})
        if instance.bureau_id and self.administrator:
            if not self.administrator.scope.covers(instance.bureau):
                errors["bureau"] = ValidationError(
                    _("“%s”不在您的管理范围内，请填本单位或下级的代码。") % instance.bureau
                )
        elif not instance.bureau_id and "bureau" not in errors:
            errors["bureau"] = ValidationError(_("请填写主管单位代码，例如 320505。"))
        if instance.founded_on and instance.founded_on > timezone.localdate():
            errors["founded_on"] = ValidationError(_("成立日期不能晚于今天。"))
        super().validate_instance(instance, errors, validate_unique)

    def before_save_instance(self, instance: Any, row: Any, **kwargs: Any) -> None:
        if instance.status == Organization.Status.APPLYING:
            instance.status, instance.source = Organization.Status.ACTIVE, Organization.Source.IMPORT
        if instance.pk is None:
            instance.source = Organization.Source.IMPORT
