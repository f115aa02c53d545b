"""What an institution says of a report that it lodges, replaces or withdraws."""

from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext_lazy as _

from common.forms import Text
from enterprises.models import Organization
from projects.forms.evidence import past_day
from projects.forms.filing import text_area
from projects.models import InspectionReport
from projects.models.projects import refuse_impossible_past


class Faults(forms.Form):
    """A form that shows what the service refused at the field that asks it."""

    def take_faults(self, error: ValidationError) -> None:
        if not hasattr(error, "error_dict"):
            self.add_error(None, error)
            return
        for name, faults in error.error_dict.items():
            self.add_error(name if name in self.fields else None, faults)


class ReportForm(Faults):
    """The lines of the paper that anybody compares later, and the file or its digest."""

    institution = forms.ModelChoiceField(
        Organization.objects.none(), label=_("出具机构"), to_field_name="uscc", empty_label=None
    )
    report_no = Text(
        label=_("报告编号"), max_length=60, help_text=_("与报告封面上的完全一致，查验时以它核对。")
    )
    national_code = Text(
        label=_("全国统一赋码"), max_length=40, required=False, help_text=_("已取得统一赋码的报告填写。")
    )
    client = Text(
        label=_("委托单位"), max_length=200, help_text=_("报告上的全称；公开查验时只显示前两个字。")
    )
    sample = Text(label=_("样品名称"), max_length=100, help_text=_("与报告一致，用来识别“张冠李戴”。"))
    model = Text(label=_("规格型号"), max_length=100, required=False)
    batch = Text(label=_("批号或编号"), max_length=100, required=False)
    method = Text(label=_("检测方法"), max_length=300, help_text=_("标准号或方法名称。"))
    conclusion = Text(
        label=_("检测结论"),
        max_length=500,
        widget=text_area(500, 3),
        help_text=_("只供本机构和主管部门查看，不向公众显示。"),
    )
    file = forms.FileField(
        label=_("报告文件"),
        required=False,
        widget=forms.FileInput(attrs={"accept": "application/pdf,.pdf"}),
        help_text=_("选择发给客户的那个 PDF，只计算摘要，不保存文件。"),
        error_messages={"empty": _("这个文件是空的，请重新选择。")},
    )
    sha256 = Text(
        label=_("或者填写 SHA-256 摘要"),
        max_length=64,
        required=False,
        help_text=_("文件不便上传时填写，64 位十六进制数字。"),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )

    file.drop_words = _("也可以把 PDF 拖到这里")

    def __init__(self, *args: Any, institutions: list[Organization], **kwargs: Any) -> None:
        super().__init__(*args, use_required_attribute=False, **kwargs)
        self.institutions, last = institutions, ("issued_on", "file", "sha256")
        self.fields["issued_on"] = past_day(
            refuse_impossible_past, label=_("签发日期"), help_text=_("报告上的签发日期。")
        )
        self.order_fields([*(name for name in self.fields if name not in last), *last])
        if len(institutions) == 1:
            del self.fields["institution"]
        else:
            mine = Organization.objects.judged("the user lodges for them")
            self.fields["institution"].queryset = mine.filter(pk__in=[row.pk for row in institutions])

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if file and file.size > settings.UPLOAD_LIMIT:
            raise ValidationError(
                _("文件有 %(size)s，超过 %(limit)s，请改填 SHA-256 摘要。"),
                params={"size": filesizeformat(file.size), "limit": filesizeformat(settings.UPLOAD_LIMIT)},
            )
        return file

    def clean_sha256(self) -> str:
        return self.cleaned_data["sha256"].strip().lower()

    def clean(self) -> None:
        data = self.cleaned_data
        if not self.errors and not data["file"] and not data["sha256"]:
            self.add_error("file", _("请选择报告文件，或填写它的 SHA-256 摘要。"))

    @property
    def chosen(self) -> Organization:
        """The institution for which the report is lodged."""
        return self.cleaned_data.get("institution") or self.institutions[0]

    def values(self) -> dict[str, Any]:
        return {name: value for name, value in self.cleaned_data.items() if name != "institution"}


class WithdrawForm(Faults):
    reason = Text(
        label=_("原因"),
        max_length=InspectionReport._meta.get_field("end_reason").max_length,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("会向查验这份报告的人显示，请不要写出委托单位。"),
    )


class ReplaceForm(WithdrawForm):
    number = Text(
        label=_("新报告的编号"),
        max_length=60,
        help_text=_("本机构已经登记、仍然有效的另一份报告。还没有登记的，请先登记。"),
    )

    field_order = ("number", "reason")
