"""The three steps in which a firm says what happens, how much, and what would help (`domain.md` 3.11).

A draft may be incomplete: fields are marked as needed for filing and are enforced only once the problem has
been filed (after a return). What cannot be stored is refused at its field.
"""

import unicodedata
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.html import format_html
from django.utils.text import format_lazy
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from common import formats
from common.forms import Phone, Text
from enterprises.models import Bureau, ChainSegment, IndustryChain
from projects.completeness import REQUIRED_TO_FILE
from projects.facts import plain
from projects.files import ACCEPTED, MAX_ATTACHMENTS
from projects.models import Bottleneck, BottleneckContact, Measure
from projects.models.projects import refuse_before_founding, refuse_future

MAX_MEASURES = 5
UPLOAD_LIMIT_MB = settings.UPLOAD_LIMIT // 1024 // 1024
YUAN_PER_WAN = Decimal(10_000)
DATE_FORMATS = ["%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y年%m月%d日", "%Y%m%d"]


class Number(forms.DecimalField):
    """A decimal number; full-width digits and thousands separators are understood."""

    widget = forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"})
    default_error_messages = {
        "invalid": _("请填写数字，例如 12.5。"),
        "required": _("请填写这一项。"),
        "min_value": _("不能小于 %(limit_value)s。"),
        "max_digits": _("数字太大，最多 %(max)s 位。"),
        "max_decimal_places": _("最多保留 %(max)s 位小数。"),
        "max_whole_digits": _("数字太大，整数部分最多 %(max)s 位。"),
    }

    def to_python(self, value: Any) -> Decimal | None:
        if isinstance(value, str):
            value = unicodedata.normalize("NFKC", value).replace(",", "").replace(" ", "")
            # "1e5" and "NaN" are numbers to Python and slips of the hand here.
            if value.strip("+-0123456789.") != "":
                raise ValidationError(self.error_messages["invalid"], code="invalid")
        return super().to_python(value)

    def prepare_value(self, value: Any) -> Any:
        return plain(value) if isinstance(value, Decimal) else value


class Day(forms.DateField):
    """A day in any of the usual ways of writing it."""

    widget = forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})
    default_error_messages = {"invalid": _("请填写日期，例如 2026-11-21。"), "required": _("请填写这一项。")}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(input_formats=DATE_FORMATS, **kwargs)

    def to_python(self, value: Any) -> Any:
        if isinstance(value, str):
            value = unicodedata.normalize("NFKC", value).replace(" ", "")
        return super().to_python(value)


class Files(forms.FileField):
    """Several files at once; what each may be is judged when it is attached."""

    class MultipleFileInput(forms.FileInput):
        allow_multiple_selected = True

    widget = MultipleFileInput(attrs={"multiple": True, "accept": ".pdf,.xlsx,.docx,image/jpeg,image/png"})

    def clean(self, data: Any, initial: Any = None) -> Any:
        return data


class UploadForm(forms.Form):
    """Files added while a problem is being worked on."""

    files = Files(
        label=_("补充附件"),
        required=False,
        help_text=format_lazy(
            _("现在轮到您办理，可以补充材料。可以上传：{accepted}，每个不超过 20 MB。"), accepted=ACCEPTED
        ),
    )


def text_area(limit: int, rows: int = 5) -> forms.Textarea:
    """A box that counts what is typed against its limit."""
    return forms.Textarea(attrs={"rows": rows, "data-limit": limit})


class FilingForm(forms.ModelForm):
    """What the steps have in common: the star of needed fields, and the bureau's gaps at their fields."""

    step: str
    # Fields of the step that are no columns of the problem.
    beside: tuple[str, ...] = ()

    def __init__(self, *args: Any, gaps: dict[str, list[str]] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, use_required_attribute=False, **kwargs)
        filed = self.instance.status != Bottleneck.Status.DRAFT
        for name, field in self.fields.items():
            needed = name in REQUIRED_TO_FILE[self.step] or name in self.beside
            field.required_to_submit = needed
            field.required = needed and filed
            field.error_messages["required"] = _("请填写这一项。")
            for gap in (gaps or {}).get(name, ()):
                field.help_text = format_html(
                    '{}<strong class="field-gap">{}</strong>',
                    field.help_text,
                    gettext("需补正：%(gap)s") % {"gap": gap},
                )

    def values(self) -> dict[str, Any]:
        """The columns that were typed and can be stored, by name."""
        names = {field.name for field in Bottleneck._meta.concrete_fields}
        return {name: value for name, value in self.cleaned_data.items() if name in names}

    def _post_clean(self) -> None:
        """Nothing is written onto the instance here: `services.revise` does, under its lock."""


def chains_for(bureau: Bureau) -> Any:
    """The valid chains in the catalogues of a bureau and of those above it."""
    return IndustryChain.objects.offered(bureau.line, timezone.localdate())


class HappeningForm(FilingForm):
    step = "happening"

    product = Text(
        label=_("产品"), max_length=60, help_text=_("出问题的产品或部件的通用名称，用来找到懂行的机构。")
    )
    chain = forms.ModelChoiceField(
        IndustryChain.objects.none(),
        label=_("产业链"),
        empty_label=_("请选择"),
        help_text=_("决定由哪条产业链的专家和机构来看。"),
        error_messages={"invalid_choice": _("这条产业链不在现行目录中，请从列表中重新选择。")},
    )
    segment = forms.ModelChoiceField(
        ChainSegment.objects.none(),
        label=_("产业链环节"),
        empty_label=_("请选择"),
        help_text=_("标明堵在链上哪一处，便于发现同一环节的共性问题。"),
        error_messages={"invalid_choice": _("这个环节不属于所选产业链，请从列表中重新选择。")},
    )
    title = Text(
        label=_("题目"),
        max_length=60,
        help_text=_("一句话写明产品、工序和现象，办理人员在清单里首先看到它。"),
        widget=forms.TextInput(attrs={"data-limit": 60, "autocomplete": "off"}),
    )
    choke = forms.ChoiceField(
        label=_("问题形态"),
        choices=[
            (Bottleneck.Choke.BLOCK, _("堵点：走不通，生产或销售因此停下")),
            (Bottleneck.Choke.STUCK, _("卡点：受制于人，依赖个别供方或国外技术")),
            (Bottleneck.Choke.PAIN, _("痛点：走得通，但反复出现，成本高")),
            (Bottleneck.Choke.HARD, _("难点：技术上还没有可靠的办法")),
        ],
        widget=forms.RadioSelect,
        help_text=_("用来决定先后和解决方式，选最接近的一项。"),
    )
    symptom = Text(
        label=_("现象"),
        max_length=1000,
        widget=text_area(1000, 6),
        help_text=_("看到了什么、在哪道工序、从什么时候开始。核实人员据此判断，不必写原因。"),
    )

    class Meta:
        model = Bottleneck
        fields = ("product", "chain", "segment", "title", "choke", "symptom")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        chain, segment = self.fields["chain"], self.fields["segment"]
        chain.queryset = chains_for(self.instance.bureau)
        try:
            chosen = chain.to_python(self["chain"].value())
        except ValidationError:
            chosen = None
        segment.queryset = ChainSegment.objects.filter(chain=chosen)
        segment.choices = [("", segment.empty_label), *grouped_by_stream(segment.queryset)]
        if not chosen:
            segment.choices = [("", _("请先选择产业链"))]


def grouped_by_stream(segments: Any) -> Iterator[tuple[str, list[tuple[int, str]]]]:
    """Upstream, midstream, downstream, each with its segments in their order."""
    rows = list(segments)
    for stream in ChainSegment.Stream:
        group = [(row.pk, row.name) for row in rows if row.stream == stream]
        if group:
            yield str(stream.label), group


class ExtentForm(FilingForm):
    step = "extent"

    effect = Text(
        label=_("影响"),
        max_length=500,
        widget=text_area(500, 4),
        help_text=_("造成了什么损失、延误、市场或安全影响，用来排定轻重。"),
    )
    loss_wan = Number(
        label=_("损失估计"),
        min_value=Decimal(0),
        max_digits=12,
        decimal_places=2,
        help_text=_("每年大约损失多少，没有把握可以不填。"),
    )
    loss_basis = Text(
        label=_("损失测算依据"),
        max_length=200,
        help_text=_("写明怎样算出，例如“月均报废 120 件 × 单件成本 800 元 × 12 个月”。填写金额时必填。"),
    )
    urgency = forms.ChoiceField(
        label=_("紧急程度"),
        choices=[
            (Bottleneck.Urgency.CRITICAL, _("特急：生产已停或有安全风险")),
            (Bottleneck.Urgency.URGENT, _("急：三个月内影响交付")),
            (Bottleneck.Urgency.NORMAL, _("一般：不影响当前交付")),
        ],
        widget=forms.RadioSelect,
        help_text=_("用来安排办理的先后。"),
    )
    expected_by = Day(label=_("希望解决日期"), help_text=_("办理单位定期限时参考，可以不填。"))

    class Meta:
        model = Bottleneck
        fields = ("effect", "loss_basis", "urgency", "expected_by")

    field_order = ("effect", "loss_wan", "loss_basis", "urgency", "expected_by")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["loss_wan"].suffix = _("万元 / 年")
        self.fields["expected_by"].widget.attrs["min"] = timezone.localdate().isoformat()
        if self.instance.loss_estimate is not None:
            self.initial["loss_wan"] = self.instance.loss_estimate / YUAN_PER_WAN

    def clean_expected_by(self) -> Any:
        day = self.cleaned_data["expected_by"]
        if day and day < timezone.localdate() and day != self.initial.get("expected_by"):
            raise ValidationError(
                _("不能早于今天（%(today)s）。") % {"today": formats.day_weekday(timezone.localdate())}
            )
        return day

    def clean(self) -> None:
        loss, basis = self.cleaned_data.get("loss_wan"), self.cleaned_data.get("loss_basis")
        if "loss_wan" in self.errors or "loss_basis" in self.errors:
            # The two stand or fall together.
            self.cleaned_data.pop("loss_basis", None)
            return
        if loss is not None and not basis:
            self.add_error("loss_basis", _("填写了损失金额，请写明怎样算出。"))
            return
        self.cleaned_data["loss_estimate"] = None if loss is None else loss * YUAN_PER_WAN


class MeasureForm(forms.ModelForm):
    """One metric; a row in which nothing is filled is no metric."""

    metric = Text(
        label=pgettext_lazy("measure", "指标"),
        max_length=40,
        help_text=_("例如“一次交验合格率”“测量不确定度”。"),
    )
    comparison = forms.ChoiceField(label=_("目标"), choices=[("", _("请选择")), *Measure.Comparison.choices])
    value_now = Number(label=_("现值"), max_digits=14, decimal_places=4)
    target = Number(label=_("目标值"), max_digits=14, decimal_places=4)
    unit = forms.ChoiceField(
        label=pgettext_lazy("measure", "单位"), choices=[("", _("请选择")), *Measure.Unit.choices]
    )
    method = Text(
        label=_("怎样测得"),
        max_length=100,
        required=False,
        help_text=_("仪器、标准或统计口径，便于事后用同样方法比对。"),
    )
    measured_on = Day(label=_("测得日期"), required=False)

    class Meta:
        model = Measure
        fields = ("metric", "unit", "value_now", "comparison", "target", "method", "measured_on")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, empty_permitted=True, use_required_attribute=False, **kwargs)
        for name in ("metric", "unit", "value_now", "comparison", "target"):
            self.fields[name].error_messages["required"] = _("请填写这一项。")
        self.fields["measured_on"].widget.attrs["max"] = timezone.localdate().isoformat()

    def has_changed(self) -> bool:
        return self.is_bound and any(str(self[name].data or "").strip() for name in self.fields)

    @property
    def is_filled(self) -> bool:
        return self.has_changed() if self.is_bound else self.instance.pk is not None

    def clean_measured_on(self) -> Any:
        day = self.cleaned_data["measured_on"]
        refuse_future(day)
        refuse_before_founding(self.instance.bottleneck.organization, day)
        return day

    def _post_clean(self) -> None:
        """Rows are written by `services.revise`."""


class MeasureForms:
    """The metrics of a problem as up to five rows; the first stands open, the others are called up."""

    def __init__(self, bottleneck: Bottleneck, data: Any = None) -> None:
        stored = list(bottleneck.measures.all()) if bottleneck.pk else []
        self.forms = [
            MeasureForm(
                data,
                prefix=f"measure-{n}",
                instance=stored[n] if n < len(stored) else Measure(bottleneck=bottleneck),
            )
            for n in range(MAX_MEASURES)
        ]

    def __iter__(self) -> Iterator[MeasureForm]:
        return iter(self.forms)

    def is_valid(self) -> bool:
        seen: set[str] = set()
        for form in self.filled():
            metric = form.cleaned_data.get("metric") if form.is_valid() else None
            if metric in seen:
                form.add_error("metric", _("“%(metric)s”已经填过，请换一项指标。") % {"metric": metric})
            seen.update([metric] if metric else [])
        return all(form.is_valid() for form in self.forms)

    def filled(self) -> list[MeasureForm]:
        return [form for form in self.forms if form.has_changed()]

    def rows(self) -> list[dict[str, Any]]:
        return [dict(form.cleaned_data) for form in self.filled()]


class HelpForm(FilingForm):
    step = "help"
    beside = ("contact_name", "contact_phone")

    cause = forms.ChoiceField(
        label=_("问题类别"),
        choices=[
            (Bottleneck.Cause.TECHNOLOGY, _("质量技术：设计、工艺、材料")),
            (Bottleneck.Cause.MANAGEMENT, _("质量管理：体系、供应商、人员")),
            (Bottleneck.Cause.INFRASTRUCTURE, _("质量基础设施：缺计量、标准、检测、认证、认可")),
            (Bottleneck.Cause.BRAND, _("质量品牌：认知、信誉、市场")),
        ],
        widget=forms.RadioSelect,
        help_text=_("用来判断该找哪一类力量，选主要的一项。"),
    )
    nqi_elements = Bottleneck._meta.get_field("nqi_elements").formfield(
        help_text=_("缺哪一样就选哪一样，可多选。类别为“质量基础设施”时至少选一项。")
    )
    nqi_gap = forms.ChoiceField(
        label=_("缺口"),
        choices=[("", _("不涉及或说不清")), *Bottleneck.Gap.choices],
        help_text=_("同样缺口的企业会归到一起，作为共性问题解决。"),
    )
    cause_analysis = Text(
        label=_("原因分析"),
        max_length=1000,
        widget=text_area(1000, 4),
        help_text=_("您的判断，可以不填，能帮机构少走弯路。"),
    )
    tried_already = Text(
        label=_("已做过的尝试"),
        max_length=1000,
        widget=text_area(1000, 3),
        help_text=_("试过什么、结果怎样，避免重复。"),
    )
    help_wanted = forms.MultipleChoiceField(
        label=_("希望的帮助方式"),
        choices=[
            (Bottleneck.Route.DISPATCH, _("派单：由一家机构负责解决")),
            (Bottleneck.Route.ONE_STOP, _("一站式服务：到服务窗口咨询、检测")),
            (Bottleneck.Route.CONSORTIUM, _("联合体攻关：多家单位一起做")),
            (Bottleneck.Route.CHALLENGE, _("揭榜挂帅：公开征集能解决的团队")),
            (Bottleneck.Route.POLICY, _("政策解决：需要制度、标准或资金支持")),
            (Bottleneck.Route.OWN, _("自主解决：企业自己做，希望得到指导")),
        ],
        widget=forms.CheckboxSelectMultiple,
        help_text=_("可多选，最后由办理单位与您商定。"),
    )
    help_text = Text(
        label=_("希望的帮助"),
        max_length=500,
        widget=text_area(500, 3),
        help_text=_("例如“需要一家能做 −60 ℃ 耐久试验的实验室”。"),
    )
    files = Files(
        label=_("附件"),
        required=False,
        help_text=format_lazy(
            _("检测报告、照片等，让核实更快。最多 {count} 个，每个不超过 {limit} MB：{accepted}。"),
            count=MAX_ATTACHMENTS,
            limit=UPLOAD_LIMIT_MB,
            accepted=ACCEPTED,
        ),
    )
    contact_name = Text(label=_("联系人"), max_length=60, help_text=_("核实时找谁。"))
    contact_phone = Phone(
        label=_("联系电话"), max_length=30, help_text=_("只有办理单位和承担机构看得到完整号码。")
    )
    visibility = forms.ChoiceField(
        label=_("可见范围"),
        choices=[
            (Bottleneck.Visibility.PARTIES, _("仅当事各方：本企业、办理单位、承担机构")),
            (Bottleneck.Visibility.GOVERNMENT, _("市场监管系统内：各级都可查阅")),
            (Bottleneck.Visibility.PUBLIC, _("可公开：征集解决办法时可以公布")),
        ],
        widget=forms.RadioSelect,
        help_text=_("由您决定，联系方式任何时候都不公开。"),
    )
    consent_publish = forms.BooleanField(
        label=_("解决后，同意公开题目和解决办法（不含企业名称）"),
        help_text=_("帮助遇到同样问题的企业，不同意也不影响办理。"),
    )

    class Meta:
        model = Bottleneck
        fields = (
            "cause",
            "nqi_elements",
            "nqi_gap",
            "cause_analysis",
            "tried_already",
            "help_wanted",
            "help_text",
            "visibility",
            "consent_publish",
        )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        contact = self.contact()
        self.initial["contact_name"], self.initial["contact_phone"] = contact.name, contact.phone
        self.fields["visibility"].required = True

    def contact(self) -> BottleneckContact:
        """The contact kept with the problem, or what is known of the firm and the user."""
        if self.instance.pk and (kept := getattr(self.instance, "contact", None)):
            return kept
        filer, row = self.instance.filer, self.instance
        name = filer.name if filer else ""
        if row.is_provisional:
            # Nothing is told of an organisation to somebody who is not verified to act for it.
            asked = filer.registrations.filter(organization=row.organization_id).last()
            return BottleneckContact(name=name, phone=asked.phone if asked else "")
        known = getattr(row.organization, "contact", None)
        return BottleneckContact(
            name=(known and known.contact_name) or name, phone=(known and known.contact_phone) or ""
        )

    def clean(self) -> None:
        cause, elements = self.cleaned_data.get("cause"), self.cleaned_data.get("nqi_elements")
        filed = self.instance.status != Bottleneck.Status.DRAFT
        if filed and cause == Bottleneck.Cause.INFRASTRUCTURE and not elements:
            self.add_error("nqi_elements", _("类别为“质量基础设施”时，至少选择一项所缺要素。"))

    def contact_values(self) -> dict[str, str] | None:
        """What to keep as contact; None when neither name nor number can be stored."""
        if "contact_name" not in self.cleaned_data or "contact_phone" not in self.cleaned_data:
            return None
        return {"name": self.cleaned_data["contact_name"], "phone": self.cleaned_data["contact_phone"]}


class HandOverForm(forms.Form):
    """Which colleague goes on with a filing."""

    to = forms.ModelChoiceField(
        User.objects.none(),
        label=_("转交给"),
        widget=forms.RadioSelect,
        empty_label=None,
        error_messages={
            "required": _("请选择一位同事。"),
            "invalid_choice": _("只能转交给为本企业填报的同事。"),
        },
    )

    def __init__(self, *args: Any, colleagues: QuerySet[User], **kwargs: Any) -> None:
        super().__init__(*args, use_required_attribute=False, **kwargs)
        self.fields["to"].queryset = colleagues  # type: ignore[attr-defined]


STEP_FORMS: dict[str, type[FilingForm]] = {form.step: form for form in (HappeningForm, ExtentForm, HelpForm)}
# What a bureau's gap may point to, in the order of the journey; "" is the problem as a whole.
GAP_FIELDS: list[tuple[str, Any]] = [
    *((name, field.label) for name, field in HappeningForm.base_fields.items()),
    ("measures", _("量化指标")),
    *((name, ExtentForm.base_fields[name].label) for name in ExtentForm.field_order),
    *((name, field.label) for name, field in HelpForm.base_fields.items()),
]


def step_of_field(name: str) -> str:
    """The step on which a gap's field stands; the first for the problem as a whole."""
    if name == "measures":
        return ExtentForm.step
    return next((step for step, form in STEP_FORMS.items() if name in form.base_fields), HappeningForm.step)
