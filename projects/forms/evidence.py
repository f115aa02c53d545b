"""One proof of the solution, as a form and in a line (`domain.md` 3.4, 4.3)."""

from collections.abc import Callable
from datetime import date
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils import timezone
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from common import formats, uscc
from common.forms import Text
from enterprises.models import NqiElement
from projects import files, numbers
from projects.forms.filing import Day, Files
from projects.models import Evidence
from projects.models.projects import refuse_impossible_past
from projects.proof import verdict_of

MAX_EVIDENCE = 10


def not_later_than_today(day: date) -> date:
    if day > timezone.localdate():
        raise ValidationError(_("不能晚于今天。"))
    return day


def past_day(refuse_earlier: Callable[[date], None], **kwargs: Any) -> Day:
    field = Day(validators=[not_later_than_today, refuse_earlier], **kwargs)
    field.widget.attrs["max"] = timezone.localdate().isoformat()
    return field


def proof_words(proof: Evidence) -> SafeString:
    """A piece of evidence in a line, with what the look-up found and its scan to open."""
    words = (
        proof.get_kind_display() or proof.get_element_display(),
        proof.title,
        proof.number,
        proof.issuer,
        formats.day(proof.issued_on),
        proof.sample,
    )
    line = conditional_escape(" · ".join(str(word) for word in words if word))
    if proof.attachment:
        href = reverse("projects:attachment", args=[proof.attachment.public_id])
        line = format_html('{} · <a href="{}">{}</a>', line, href, proof.attachment.name)
    found = verdict_of(proof)
    if not found:
        return format_html("<span>{}</span>", line)
    said = gettext("%(state)s：%(found)s") % {"state": proof.get_verify_state_display(), "found": found}
    return format_html('<span>{}<span class="cell-sub">{}</span></span>', line, said)


class EvidenceForm(forms.Form):
    """One proof of the solution; what its kind needs besides is said at the field."""

    kind = forms.ChoiceField(label=_("证据类型"), choices=[("", _("请选择")), *Evidence.Kind.choices])
    element = forms.ChoiceField(label=_("要素"), choices=[("", _("请选择")), *NqiElement.choices])
    title = Text(label=_("证据名称"), max_length=100)
    number = Text(
        label=_("编号"), max_length=60, help_text=_("没有编号的，写批次、文号或日期，使它能被找到。")
    )
    issuer = Text(label=_("出具单位"), max_length=100)
    sample = Text(
        label=_("样品名称"), max_length=100, required=False, help_text=_("检验检测报告必填，与报告一致。")
    )
    holder = Text(
        label=_("委托单位或持有人"),
        max_length=200,
        required=False,
        help_text=_("检验检测报告必填；政策文件写首个受益单位。"),
    )
    cma_no = Text(
        label=_("资质认定（CMA）号"), max_length=12, required=False, help_text=_("报告上的 12 位数字。")
    )
    issuer_uscc = Text(label=_("机构信用代码"), max_length=18, required=False)
    file = forms.FileField(
        label=_("原件或扫描件"),
        required=False,
        widget=forms.FileInput(attrs={"accept": Files.widget.attrs["accept"]}),
        help_text=_("机构发来的 PDF 原件可以自动核对全文，扫描件不能。"),
    )

    field_order = (
        "kind",
        "element",
        "title",
        "number",
        "issuer",
        "issued_on",
        "sample",
        "holder",
        "cma_no",
        "issuer_uscc",
        "file",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["issued_on"] = past_day(refuse_impossible_past, label=_("出具日期"))
        self.order_fields(self.field_order)

    def clean_file(self) -> Any:
        if upload := self.cleaned_data["file"]:
            files.check(upload)
        return upload

    def clean_cma_no(self) -> str:
        number = numbers.tidy(self.cleaned_data["cma_no"])
        if number and not (len(number) == 12 and number.isascii() and number.isdecimal()):
            raise ValidationError(_("资质认定编号应为 12 位数字。"))
        return number

    def clean_issuer_uscc(self) -> str:
        code = uscc.normalise(self.cleaned_data["issuer_uscc"])
        if code:
            uscc.validate(code)
        return code

    def clean(self) -> None:
        data = self.cleaned_data
        if "kind" in data and "number" in data:
            try:
                data["number"] = numbers.checked(data["kind"], data["number"])
            except ValidationError as fault:
                self.add_error("number", fault)
        if data.get("kind") == Evidence.Kind.TEST_REPORT:
            for name in ("sample", "holder"):
                if name in data and not data[name]:
                    self.add_error(name, _("检验检测报告要写明这一项，据此核对报告。"))


EvidenceFormSet = forms.formset_factory(
    EvidenceForm, extra=0, min_num=1, max_num=MAX_EVIDENCE, absolute_max=MAX_EVIDENCE
)
