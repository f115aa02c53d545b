"""What an administrator types to plan a change of boundaries: units by their codes."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from common import formats
from enterprises.models import BoundaryChange, BoundaryPart, Bureau

Kind, Side = BoundaryChange.Kind, BoundaryPart.Side
# Successors that the form of a split has room for.
SUCCESSORS = 4


class CodesField(forms.CharField):
    """Codes, separated by anything but letters and digits."""

    def to_python(self, value: Any) -> Any:
        typed = "".join(
            mark if (mark.isascii() and mark.isalnum()) or mark == "-" else " " for mark in value or ""
        )
        return list(dict.fromkeys(typed.upper().split()))

    def prepare_value(self, value: Any) -> Any:
        return " ".join(value) if isinstance(value, list) else value


class UnitsField(CodesField):
    """Units of now by their codes."""

    def to_python(self, value: Any) -> Any:
        codes = super().to_python(value)
        known = Bureau.objects.in_force().select_related("parent").in_bulk(codes, field_name="code")
        if unknown := [code for code in codes if code not in known]:
            raise ValidationError(
                _("没有代码为 %(codes)s 的现设单位。"), params={"codes": formats.listed(unknown)}
            )
        return [known[code] for code in codes]

    def prepare_value(self, value: Any) -> Any:
        return " ".join(unit.code for unit in value) if isinstance(value, list) else value


CODES_HELP = gettext_lazy("单位代码，用空格或逗号分开，例如 320505 320509。")
NEW_HELP = gettext_lazy("已有的单位只填代码；新设的单位填代码、名称和简称。停用的代码不能再用。")
TAKES_HELP = gettext_lazy(
    "划给它的区划代码、下级单位代码、企业的统一社会信用代码，或项目、联合体、问题的编号，用空格或换行分开。"
)


class BoundaryForm(forms.Form):
    """A change of one kind; what it needs is asked for by that kind alone."""

    sources = UnitsField(label=gettext_lazy("原单位"), help_text=CODES_HELP)
    effective_on = forms.DateField(
        label=gettext_lazy("生效日期"),
        help_text=gettext_lazy("从这一天零时起按新的区划办理和统计；可以是过去的日期。"),
        widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}),
    )
    document = forms.CharField(
        label=gettext_lazy("依据"),
        max_length=200,
        help_text=gettext_lazy("批准文件的名称和文号，例如“国函〔2026〕12号”。"),
    )

    def __init__(self, kind: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, initial={"effective_on": timezone.localdate()}, **kwargs)
        self.kind = kind
        if kind == Kind.SPLIT:
            self.fields["stays"] = forms.BooleanField(
                label=_("原单位保留"), required=False, help_text=_("只划出一部分，其余仍归原单位。")
            )
        if kind == Kind.MOVE:
            self.fields["superior"] = UnitsField(label=_("新的上级单位"), help_text=_("单位代码。"))
        if kind == Kind.RENAME:
            self._ask_for_names("", required=True)
        for number in self.numbers:
            mark = f" {number}" if kind == Kind.SPLIT else ""
            words = _("新单位%(n)s：代码") % {"n": mark}
            self.fields[f"code{number}"] = forms.RegexField(
                r"^\d{6,12}$", label=words, required=number == 1, help_text=NEW_HELP if number == 1 else ""
            )
            self._ask_for_names(str(number), required=False, mark=mark)
            if kind == Kind.SPLIT:
                self.fields[f"takes{number}"] = CodesField(
                    label=_("新单位%(n)s：划入") % {"n": mark},
                    required=False,
                    help_text=TAKES_HELP if number == 1 else "",
                    widget=forms.Textarea(attrs={"rows": 2}),
                )
        if kind in (Kind.MERGE, Kind.SPLIT):
            self.fields["carries_grants"] = forms.BooleanField(
                label=_("原单位人员的授权都转到新单位"),
                required=False,
                help_text=_("不选：范围会变大的授权到期终止，由管理员重新授权。"),
            )

    @property
    def numbers(self) -> range:
        """Of the successors that the form has room for."""
        return range(1, {Kind.MERGE: 1, Kind.SPLIT: SUCCESSORS}.get(Kind(self.kind), 0) + 1)

    def _ask_for_names(self, number: str, *, required: bool, mark: str = "") -> None:
        words = {"n": mark}
        name, short = _("新单位%(n)s：名称") % words, _("新单位%(n)s：简称") % words
        if self.kind == Kind.RENAME:
            name, short = _("新的名称"), _("新的简称")
        self.fields[f"name{number}"] = forms.CharField(label=name, max_length=80, required=required)
        self.fields[f"short_name{number}"] = forms.CharField(label=short, max_length=30, required=required)

    def change(self) -> BoundaryChange:
        typed = self.cleaned_data
        return BoundaryChange(
            kind=self.kind,
            effective_on=typed["effective_on"],
            document=typed["document"],
            carries_grants=typed.get("carries_grants", False),
        )

    def parts(self) -> list[BoundaryPart]:
        """Rows that are not stored yet."""
        typed = self.cleaned_data
        names = {key: typed.get(key, "") for key in ("name", "short_name")}
        found = [
            BoundaryPart(side=Side.FROM, bureau=unit, stays=typed.get("stays", False), **names)
            for unit in typed["sources"]
        ]
        found += [BoundaryPart(side=Side.TO, bureau=unit) for unit in typed.get("superior", [])]
        return found + [self._successor(number) for number in self.numbers if typed.get(f"code{number}")]

    def _successor(self, number: int) -> BoundaryPart:
        """A bureau that stands, or one that is to be founded."""
        typed, code = self.cleaned_data, self.cleaned_data[f"code{number}"]
        takes = typed.get(f"takes{number}", [])
        known = Bureau.objects.in_force().select_related("parent").filter(code=code).first()
        if known and not typed[f"name{number}"]:
            return BoundaryPart(side=Side.TO, bureau=known, takes=takes)
        return BoundaryPart(
            side=Side.TO,
            code=code,
            name=typed[f"name{number}"],
            short_name=typed[f"short_name{number}"],
            takes=takes,
        )
