"""Forms of figures, periods, bulletins and verification; each fault says what would be accepted."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.http import HttpRequest, QueryDict
from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from bulletins import access, checking, circular, comparison, periods, services, wording
from bulletins.dashboard import RANKABLE
from bulletins.indicators import CATALOGUE, HEADLINES
from bulletins.models import Bulletin, Period, Snapshot
from bulletins.rebased import Boundaries
from common import formats
from common.filters import CodeField, QuickSelect
from common.forms import Text
from enterprises.filters import BureauField, ChainField, OneBureauField
from enterprises.models import Bureau
from projects.forms.filing import Day
from projects.models.reports import valid_digest

PDF_MAGIC = b"%PDF-"


def posted(request: HttpRequest) -> QueryDict | None:
    """What was sent; an empty form was sent too."""
    return request.POST if request.method == "POST" else None


class AtOnce(QuickSelect):
    """A list whose choice applies at once; without script, the button beside it does."""

    def __init__(self) -> None:
        super().__init__(attrs={"data-submit": True})


class UnitField(BureauField):
    """Any unit; offered are the line above the chosen one, those next below or beside it, the provinces."""

    @cached_property
    def choices(self) -> list[tuple[Any, Any]]:
        unit: Bureau = self.chosen
        line = unit.path.split("/")[:-1]
        near = (
            Q(parent=unit) | Q(parent=unit.parent_id) if unit.level >= Bureau.Level.COUNTY else Q(parent=unit)
        )
        offered = Q(code__in=line) | near | Q(level=Bureau.Level.PROVINCE)
        standing = Q(valid_to__isnull=True) | Q(pk=unit.pk)
        units = list(self.queryset.filter(offered | Q(pk=unit.pk), standing).order_by("level", "code"))
        above = [u for u in units if u.code in line]
        below = [u for u in units if u.code not in line and u.parent_id in (unit.pk, unit.parent_id)]
        provinces = [u for u in units if u not in above and u not in below]
        groups = ((_("上级与本级"), above), (_("下级与同级"), below), (_("各地区"), provinces))
        return [(word, [(u.code, u.short_name) for u in members]) for word, members in groups if members]

    def to_python(self, value: Any) -> Bureau | None:
        before = self.chosen
        try:
            return super().to_python(value)
        finally:
            # The lists of a page that says what is wrong with a code open where they were.
            self.chosen = self.chosen or before


class OtherUnitField(UnitField):
    """Another unit, or none."""

    @cached_property
    def choices(self) -> list[tuple[Any, Any]]:
        return [("", _("不对比")), *super().choices]

    def to_python(self, value: Any) -> Bureau | None:
        before = self.chosen
        try:
            return super().to_python(value)
        finally:
            # The list opens beside the unit of the page, not beside the other one.
            self.chosen = before


class SwitchForm(forms.Form):
    """Which unit, which period, of which chain, ranked by which figure, beside which other unit or period;
    everything has a default."""

    bureau = UnitField(label=_("单位"), required=False, widget=AtOnce)
    period = forms.CharField(label=_("期间"), required=False, widget=AtOnce)
    chain = ChainField(label=_("产业链"), required=False, widget=AtOnce)
    by = CodeField(
        label=_("排名指标"),
        required=False,
        choices=[(code, CATALOGUE[code].name) for code in RANKABLE],
        widget=AtOnce,
    )
    against = OtherUnitField(label=_("对比单位"), required=False, widget=AtOnce)
    then = forms.CharField(label=_("对比期间"), required=False, widget=AtOnce)
    # Chosen by links beside the footnotes, where boundaries have changed.
    boundaries = forms.ChoiceField(choices=Boundaries.choices, required=False, widget=forms.HiddenInput)

    def __init__(self, data: Any, *, user: Any, home: Bureau, known: Iterable[Period], request: Any) -> None:
        super().__init__(data)
        self.user, self.home, self.known, self.request = user, home, list(known), request
        self.fields["bureau"].chosen = home
        self.fields["against"].chosen = home
        self.fields["by"].widget.choices = self.fields["by"].choices[1:]

    def clean_bureau(self) -> Bureau:
        bureau = self.cleaned_data["bureau"] or self.home
        self.fields["bureau"].chosen = self.fields["against"].chosen = bureau
        return bureau

    @property
    def readable(self) -> list[Period]:
        """The periods of which the user may read the chosen unit."""
        return access.readable(self.user, self.known, self.fields["bureau"].chosen)

    def clean_period(self) -> Period | None:
        code = self.cleaned_data["period"]
        return self._period(code) if code else access.latest(self.readable)

    def clean_then(self) -> Period | None:
        code = self.cleaned_data["then"]
        return self._period(code) if code else None

    def _period(self, code: str) -> Period:
        spec = periods.parse(code)
        for period in self.known:
            if period.code == spec.code:
                return period
        raise ValidationError(
            _("还没有%(name)s的数据。已有：%(known)s。"),
            params={
                "name": periods.name(spec.code),
                "known": formats.listed(period.code for period in self.readable) or _("（无）"),
            },
        )

    def clean_by(self) -> str:
        return self.cleaned_data["by"] or HEADLINES[-1]

    def settle(self) -> None:
        """Show what was chosen or taken by default in the three lists."""
        chosen: Period | None = self.cleaned_data.get("period")
        shown = self.readable
        offered = [
            (
                p.code,
                p.name
                if p.is_public
                else _("%(name)s（%(status)s）") % {"name": p.name, "status": p.get_status_display()},
            )
            for p in shown
        ]
        self.fields["period"].widget.choices = offered
        self.fields["then"].widget.choices = [("", _("不对比")), *offered]
        # Faults stay beside what was asked; without one, the lists show what is on the page.
        self.data = {
            "bureau": self.fields["bureau"].chosen.code,
            "period": chosen.code if chosen else "",
            "by": self.cleaned_data.get("by") or HEADLINES[-1],
            **{
                name: row.code if (row := self.cleaned_data.get(name)) else ""
                for name in ("chain", "against", "then")
            },
        }


class CollectForm(forms.Form):
    """Lets every bureau confirm the figures of a period; on which day it is frozen."""

    freeze_on = Day(label=_("冻结日"), required=False)

    def __init__(self, *args: Any, period: Period, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.period = period
        due = formats.day_weekday(periods.freeze_day(period.end_on))
        self.fields["freeze_on"].help_text = _("留空为截止后第 10 个工作日，即 %(day)s。") % {"day": due}

    def clean_freeze_on(self) -> Any:
        day = self.cleaned_data["freeze_on"]
        periods.refuse_hasty(self.period.end_on, day)
        return day


class CompareForm(forms.Form):
    """Which two snapshots, of which unit; by default the newest version and what it is best held against."""

    before = forms.CharField(label=_("基准版"), required=False, widget=QuickSelect)
    after = forms.CharField(label=_("比较版"), required=False, widget=QuickSelect)
    bureau = UnitField(label=_("单位（含下级）"), required=False, widget=QuickSelect)
    indicator = CodeField(
        label=_("指标"), required=False, choices=[(code, one.name) for code, one in CATALOGUE.items()]
    )
    chain = ChainField(label=_("产业链"), required=False)
    by_chain = forms.BooleanField(label=_("分产业链列出"), required=False)
    same = forms.BooleanField(label=_("也列没有差异的"), required=False)

    def __init__(self, data: Any, *, user: Any, home: Bureau, request: Any) -> None:
        super().__init__(data)
        self.user, self.home, self.request = user, home, request
        self.fields["bureau"].chosen = home
        self.known = comparison.offered()
        # The unit is asked first: it says what may be read.
        self.order_fields(["bureau", "before", "after", "indicator", "chain", "by_chain", "same"])

    def clean_bureau(self) -> Bureau:
        bureau = self.cleaned_data["bureau"] or self.home
        self.fields["bureau"].chosen = bureau
        return bureau

    @property
    def readable(self) -> list[Snapshot]:
        """The snapshots of which the user may read the chosen unit, the newest first."""
        unit = self.fields["bureau"].chosen
        return [one for one in self.known if access.may_read(self.user, one.period, unit)]

    def _chosen(self, name: str) -> Snapshot | None:
        code = self.cleaned_data[name]
        return comparison.find(code) if code else None

    def clean_before(self) -> Snapshot | None:
        return self._chosen("before")

    def clean_after(self) -> Snapshot | None:
        return self._chosen("after")

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if self.errors:
            return data
        # A frozen version says more than a roll-up that still moves.
        newest = sorted(self.readable, key=lambda one: not one.version)
        after = data["after"] or next((one for one in newest if one != data["before"]), None)
        before = data["before"] or (comparison.held_against(after, self.readable) if after else None)
        if before is not None and before == after:
            self.add_error("after", _("两边是同一版，请另选一版。"))
        return {**data, "before": before, "after": after}

    def settle(self) -> None:
        """Show what was chosen or taken by default."""
        offered = [(one.code, comparison.label(one)) for one in self.readable]
        chosen = {name: self.cleaned_data.get(name) for name in ("before", "after")}
        for name, one in chosen.items():
            self.fields[name].widget.choices = [] if one else [("", _("请选择"))]
            self.fields[name].widget.choices += offered
        self.data = {
            **{name: self.data.get(name) for name in ("chain", "by_chain", "same", "indicator")},
            "bureau": self.fields["bureau"].chosen.code,
            **{name: one.code if one else self.data.get(name, "") for name, one in chosen.items()},
        }


class PeriodForm(forms.Form):
    """Opens a period by its code."""

    code = forms.CharField(
        label=_("期间代码"),
        max_length=7,
        help_text=_("2024（年）、2024H1（半年）、2024Q3（季度）或 2024-11（月）。"),
        error_messages={"required": _("请填期间代码，例如 2024Q3。")},
    )

    is_collected = forms.BooleanField(
        label=_("逐级确认"),
        required=False,
        initial=True,
        help_text=_("截止后由县、市、省逐级提交和审核数字；一般季度和年度逐级确认，月度不用。"),
    )

    def clean_code(self) -> str:
        spec = periods.parse(self.cleaned_data["code"])
        if Period.objects.filter(code=spec.code).exists():
            raise ValidationError(
                _("%(name)s已在列表中。"), code="known", params={"name": periods.name(spec.code)}
            )
        return spec.code

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("is_collected") and "code" in data:
            due = periods.freeze_day(periods.parse(data["code"]).end_on)
            if due <= timezone.localdate():
                self.add_error(
                    "is_collected",
                    _("%(day)s 就该冻结，各地已没有时间核对。请先不选，建立之后再定冻结日逐级确认。")
                    % {"day": formats.day(due)},
                )
        return data


class ReasonForm(forms.Form):
    """Why something published is changed; the reason is kept and shown."""

    reason = forms.CharField(
        label=_("原因"),
        max_length=200,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("将与新旧版本一起保存，并向读者显示。"),
        error_messages={"required": _("请写明原因，例如“更正苏州市重复计数的 2 个项目”。")},
    )


class SeriesForm(forms.Form):
    """Bulletins of one kind for a subtree, and the words that are the same in all of them."""

    bureau = OneBureauField(label=_("单位"), help_text=_("本单位和它的下级各印发一份。"))
    kind = forms.ChoiceField(label=_("文种"), choices=Bulletin.Kind.choices, widget=forms.RadioSelect)
    period_kind = forms.ChoiceField(
        label=_("期间类型"),
        choices=Period.Kind.choices,
        widget=forms.RadioSelect,
        initial=Period.Kind.QUARTER,
    )
    down_to = forms.TypedChoiceField(
        label=_("印发到"), choices=Bureau.Level.choices, coerce=int, help_text=_("各级都印发，到这一级为止。")
    )

    def __init__(self, *args: Any, request: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request = request
        asked = self.data.get("bureau") or self.initial.get("bureau") or ""
        self.fields["bureau"].chosen = Bureau.objects.filter(code=asked).first() if asked.isdigit() else None
        for key, heading in circular.FREE.items():
            self.fields[key] = forms.CharField(
                label=heading,
                required=False,
                max_length=wording.LONGEST,
                widget=forms.Textarea(attrs={"rows": 2}),
            )

    def clean_bureau(self) -> Bureau:
        bureau = self.cleaned_data["bureau"]
        if not services.may_issue(self.request.user, bureau):
            raise ValidationError(
                _("您没有为%(unit)s印发通报的权限，请选择授权范围内的单位。"),
                params={"unit": bureau.short_name},
            )
        return bureau

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        bureau, down_to = data.get("bureau"), data.get("down_to")
        if bureau and down_to is not None and down_to < bureau.level:
            self.add_error("down_to", _("请选择本单位这一级或更下的一级。"))
        return data

    def words(self) -> dict[str, str]:
        return {key: self.cleaned_data.get(key, "") for key in circular.FREE}

    def refuse(self, error: ValidationError) -> None:
        self.add_error(None, error)


class SendBackForm(forms.Form):
    """Why a bulletin goes back to its editors, who read it."""

    reason = forms.CharField(
        label=_("退回原因"),
        max_length=200,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("改稿人据此修改。"),
        error_messages={"required": _("请写明退回原因，例如“第三部分补充逾期原因”。")},
    )


class WordingForm(forms.Form):
    """One block as it is edited; ``seen`` is the digest of the block with which the editor began."""

    text = forms.CharField(required=False, strip=False)
    seen = forms.CharField(max_length=16)


class NoteForm(forms.Form):
    """What a bureau says to its figures when it hands them in."""

    note = Text(
        label=_("说明"),
        required=False,
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("数字有大的增减时，请说明原因，方便上级审核；可以不填。"),
    )


class ReturnForm(forms.Form):
    """Why figures go back."""

    reason = Text(
        label=_("退回原因"),
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("写清哪个数字有什么问题、怎样改正；对方会在自己的页面上看到。"),
        error_messages={"required": _("请写明原因，例如“解决问题数比上期多三倍，请核对 3 月的销号记录”。")},
    )


class ExcuseForm(forms.Form):
    """Excuses a unit for the period or until a day."""

    scope = forms.ChoiceField(
        label=_("免报范围"),
        choices=[("period", _("只免这一期")), ("until", _("到某一天为止的各期"))],
        initial="period",
        widget=forms.RadioSelect,
    )
    until = Day(
        label=_("最后一天"), required=False, help_text=_("含当日，次日起自动恢复报送。只免一期的不填。")
    )
    reason = Text(
        label=_("免报原因"),
        max_length=200,
        help_text=_("会印在统计说明里，例如“因洪灾停工，经省局同意”。"),
        error_messages={"required": _("请写明免报的原因。")},
    )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("scope") == "until":
            if not data.get("until") and "until" not in self.errors:
                self.add_error("until", _("请填免报的最后一天。"))
        else:
            data["until"] = None
        return data


class BulletinForm(forms.Form):
    """A bulletin of one unit over one frozen period."""

    kind = forms.ChoiceField(
        label=_("文种"),
        choices=Bulletin.Kind.choices,
        widget=forms.RadioSelect,
        help_text=_("通报有发文字号和工作要求；简报按期编号，只讲进展。"),
    )
    period = forms.ModelChoiceField(
        Period.objects.none(),
        label=_("期间"),
        to_field_name="code",
        empty_label=None,
        help_text=_("只列已冻结的期间：通报只印冻结的数字。"),
        error_messages={"invalid_choice": _("这个期间还没有冻结，不能印发通报。请先在统计期页面冻结。")},
    )
    bureau = OneBureauField(
        label=_("印发单位"), help_text=_("您授权范围内的单位。更下级的单位，请在它的数据页上点“拟通报”。")
    )
    again = forms.BooleanField(
        label=_("原通报继续有效，另外再拟一份"), required=False, widget=forms.HiddenInput
    )

    def __init__(self, *args: Any, frozen: QuerySet[Period], request: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request = request
        self.fields["period"].queryset = frozen
        self.fields["period"].label_from_instance = lambda period: period.name
        # The list opens at the unit that stands in the address.
        asked = self.data.get("bureau") or self.initial.get("bureau") or ""
        known = Bureau.objects.filter(code=asked).first() if asked.isdigit() else None
        self.fields["bureau"].chosen = known

    def clean_bureau(self) -> Bureau:
        bureau = self.cleaned_data["bureau"]
        if not services.may_issue(self.request.user, bureau):
            raise ValidationError(
                _("您没有为%(unit)s印发通报的权限，请选择授权范围内的单位。"),
                params={"unit": bureau.short_name},
            )
        return bureau

    def refuse(self, error: ValidationError) -> None:
        """One was issued already: say so, and offer to mean it."""
        self.add_error(None, error)
        self.fields["again"].widget = forms.CheckboxInput()


class OpenDataForm(forms.Form):
    """Which of the published figures; all of them without."""

    region = BureauField(label=_("地区"), required=False)
    indicator = CodeField(
        label=_("指标"), required=False, choices=[(code, one.name) for code, one in CATALOGUE.items()]
    )
    chain = ChainField(label=_("产业链"), required=False)

    def clean_region(self) -> Bureau | None:
        region = self.cleaned_data["region"]
        if region and not access.is_public(region):
            raise ValidationError(_("公开数据只有全国、各省（区、市）、兵团和计划单列市的数。"))
        return region


FILE_FAULTS = {
    "empty": _("这个文件是空的，请重新选择收到的 PDF。"),
    "not_pdf": _("这不是 PDF 文件。请选择收到的原件（扩展名 .pdf），不要用截图或扫描图片。"),
    "unreadable": _("读不出这个文件。它可能是文件夹，或者已被移动、删除，请重新选择收到的 PDF。"),
}
CODES_LENGTH = checking.CODES_LIMIT * len("ZLTB-7K3M9-QXD2F-HA4TC ")


def _too_large(size: int) -> ValidationError:
    return ValidationError(
        _("文件有 %(size)s，超过 %(limit)s，请核对是不是选错了文件。"),
        params={"size": filesizeformat(size), "limit": filesizeformat(settings.UPLOAD_LIMIT)},
    )


class VerifyForm(forms.Form):
    """A verification code or the PDF itself."""

    code = forms.CharField(
        label=_("核验码"),
        required=False,
        max_length=60,
        help_text=_("印在二维码旁，形如 ZLTB-7K3M9-QXD2F-HA4TC；检验检测报告的以 ZLBG 开头。不分大小写。"),
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "spellcheck": "false", "autocapitalize": "characters"}
        ),
    )
    file = forms.FileField(
        label=_("PDF 文件"),
        required=False,
        widget=forms.ClearableFileInput(attrs={"accept": "application/pdf,.pdf"}),
        help_text=_("核对全文是否被改动。文件只用来计算摘要，不会保存。"),
        error_messages={"empty": FILE_FAULTS["empty"]},
    )

    file.drop_words = _("也可以把 PDF 拖到这里")

    # What the browser made of a file, which it did not send (static/js/verify.js).
    digest = forms.CharField(required=False, widget=forms.HiddenInput, validators=[valid_digest])
    found = forms.CharField(required=False, max_length=CODES_LENGTH, widget=forms.HiddenInput)
    fault = forms.CharField(required=False, widget=forms.HiddenInput)
    # Of a file that it could not judge and that is too large to be uploaded.
    size = forms.IntegerField(required=False, min_value=0, max_value=2**53, widget=forms.HiddenInput)

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if not file:
            return None
        if file.size > settings.UPLOAD_LIMIT:
            raise _too_large(file.size)
        head = file.read(1024)
        file.seek(0)
        # Readers accept a few bytes before the mark, and so do we.
        if PDF_MAGIC not in head:
            raise ValidationError(FILE_FAULTS["not_pdf"])
        return file

    def received(self) -> checking.Copy | None:
        """The file to be checked, if there is one."""
        data = self.cleaned_data
        if data["digest"]:
            return checking.Copy(data["digest"], data["found"].split())
        return checking.copy_of(data["file"]) if data["file"] else None

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if sentence := FILE_FAULTS.get(data.get("fault", "")):
            self.add_error("file", sentence)
        if (size := data.get("size") or 0) > settings.UPLOAD_LIMIT:
            self.add_error("file", _too_large(size))
        if not self.errors and not any(data.get(name) for name in ("code", "file", "digest")):
            self.add_error("code", _("请输入核验码，或选择 PDF 文件。"))
        return data
