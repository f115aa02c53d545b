"""What a firm answers when it is asked whether a solution lasts."""

from django import forms
from django.utils.translation import gettext_lazy as _

from common.forms import Text
from projects.forms.filing import text_area
from projects.models import FollowUp


class FollowUpForm(forms.Form):
    answer = forms.ChoiceField(
        label=_("解决后的效果"), choices=FollowUp.Answer.choices, widget=forms.RadioSelect
    )
    text = Text(
        label=_("说明"),
        max_length=500,
        required=False,
        widget=text_area(500, 3),
        help_text=_("效果减弱或问题反弹的，写明何时出现、与解决时的数值相差多少。"),
    )

    def clean(self) -> None:
        data = self.cleaned_data
        if data.get("answer") not in (None, FollowUp.Answer.HOLDS) and not data.get("text"):
            self.add_error("text", _("效果减弱或问题反弹的，请说明情况。"))
