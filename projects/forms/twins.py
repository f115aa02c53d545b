"""What an officer decides of two problems that say nearly the same."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from common.forms import Text
from projects.forms.filing import text_area
from projects.models import Bottleneck, TwinJudgement

Verdict = TwinJudgement.Verdict
CHOICES = {
    Verdict.REPEAT: _("重复填报：同一件事填了两次，另一个问题随之办结"),
    Verdict.SAME: _("归并到主问题：不同企业的同一个问题，各自仍收到进展"),
    Verdict.COMMON: _("共性问题：两个都保留，都标为共性问题"),
    Verdict.APART: _("不是同一问题：写明区别，今后不再提示"),
}


class TwinForm(forms.Form):
    """Verdict, reason and, when one is merged into the other, which of them stays."""

    other = forms.UUIDField(widget=forms.HiddenInput)
    verdict = forms.ChoiceField(label=_("结论"), widget=forms.RadioSelect)
    master = forms.ChoiceField(label=_("以哪一个为主问题"), widget=forms.RadioSelect, required=False)
    reason = Text(
        label=_("理由"),
        help_text=_("归并和分开都要写明；归并的理由企业看得到。标为共性问题的可以不填。"),
        max_length=1000,
        required=False,
        widget=text_area(1000, 2),
    )

    def __init__(self, *args: Any, masters: list[Bottleneck], other: Bottleneck, **kwargs: Any) -> None:
        super().__init__(
            *args,
            auto_id=f"twin_{other.public_id.hex[:8]}_%s",
            use_required_attribute=False,
            initial={"other": other.public_id, "master": masters[0].public_id if masters else ""},
            **kwargs,
        )
        self.masters = {str(row.public_id): row for row in masters}
        self.fields["verdict"].choices = [
            (verdict, label)
            for verdict, label in CHOICES.items()
            if masters or verdict not in TwinJudgement.MERGING
        ]
        self.fields["master"].choices = [
            (key, f"{row.code} {row.title}") for key, row in self.masters.items()
        ]
        if not masters:
            del self.fields["master"]

    def clean(self) -> None:
        verdict = self.cleaned_data.get("verdict")
        if verdict and verdict != Verdict.COMMON and not self.cleaned_data.get("reason"):
            self.add_error("reason", _("请写明理由。"))
        if verdict in TwinJudgement.MERGING and not self.cleaned_data.get("master"):
            self.add_error("master", _("请选择以哪一个为主问题。"))

    def chosen_master(self) -> Bottleneck | None:
        """Into which of the two the other is merged."""
        merging = self.cleaned_data["verdict"] in TwinJudgement.MERGING
        return self.masters[self.cleaned_data["master"]] if merging else None
