"""What an officer says of the next version of a quality map."""

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from common.forms import Text
from enterprises.models import Organization
from projects.forms.reports import Faults


class MapForm(Faults):
    """The institution that draws with the bureau, how the map is counted, and who may read it."""

    drawn_by = Text(
        label=gettext_lazy("绘制机构"),
        max_length=200,
        widget=forms.TextInput(attrs={"list": "institutions", "autocomplete": "off"}),
        help_text=gettext_lazy("与本单位一起绘制的赋能机构：全称或统一社会信用代码。"),
    )
    file = forms.FileField(
        label=gettext_lazy("图谱文件"),
        required=False,
        widget=forms.FileInput(attrs={"accept": "application/pdf,image/png,.pdf,.png"}),
        help_text=gettext_lazy("已有绘好的图谱时上传 PDF 或 PNG；不上传，就按今天的数据由系统绘制。"),
        error_messages={"empty": gettext_lazy("这个文件是空的，请重新选择。")},
    )
    sheet_count = forms.IntegerField(label=gettext_lazy("张数"), min_value=1, max_value=999, initial=1)
    is_counted_copy = forms.BooleanField(
        label=gettext_lazy("计为一份"),
        required=False,
        initial=True,
        help_text=gettext_lazy("多张图合为一份时，只有其中一张计份。"),
    )
    is_public = forms.BooleanField(
        label=gettext_lazy("向社会公开"),
        required=False,
        help_text=gettext_lazy(
            "发布后任何人都能看到；环节上的数字对外只按五个一档公布。上传的文件按原样公开，请确认其中没有企业的秘密。"
        ),
    )
    note = Text(label=gettext_lazy("说明"), max_length=200, required=False)

    def clean_drawn_by(self) -> Organization:
        said = self.cleaned_data["drawn_by"].strip()
        known = Organization.objects.institutions().judged("whom an officer names").order_by("pk")
        found = known.filter(uscc=said.upper()).first() or known.filter(name=said).first()
        if found is None:
            raise forms.ValidationError(_("没有这个赋能机构。请填写全称或统一社会信用代码。"))
        return found

    def values(self) -> dict[str, Any]:
        return {name: value for name, value in self.cleaned_data.items() if name != "drawn_by"}
