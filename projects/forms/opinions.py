"""Asking an expert, and what the expert answers."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from common.forms import Text
from projects.forms.filing import text_area
from projects.models import ExpertOpinion


class AskForm(forms.Form):
    expert = forms.ChoiceField(label=_("专家"), help_text=_("与提出企业、承担机构有关的专家不在列。"))
    question = Text(label=_("请专家看什么"), max_length=500, required=False, widget=text_area(500, 2))

    def __init__(self, *args: Any, experts: list[User], **kwargs: Any) -> None:
        super().__init__(*args, auto_id="ask_%s", **kwargs)
        self.experts = {str(one.pk): one for one in experts}
        self.fields["expert"].choices = [
            ("", _("请选择")),
            *((key, str(one)) for key, one in self.experts.items()),
        ]

    def chosen(self) -> User:
        return self.experts[self.cleaned_data["expert"]]


class OpinionForm(forms.Form):
    answer = forms.ChoiceField(
        label=_("意见"), choices=ExpertOpinion.Answer.choices, widget=forms.RadioSelect
    )
    no_conflict = forms.BooleanField(
        label=ExpertOpinion._meta.get_field("no_conflict").verbose_name,
        help_text=ExpertOpinion._meta.get_field("no_conflict").help_text,
        required=False,
    )
    text = Text(
        label=_("理由"),
        max_length=1000,
        widget=text_area(1000, 4),
        help_text=_("看了哪些证据、依据什么判断。企业和机构也看得到。"),
    )

    def clean(self) -> None:
        data = self.cleaned_data
        if data.get("answer") in ("yes", "no") and not data.get("no_conflict"):
            self.add_error("no_conflict", _("请声明没有利益关系；有利益关系的，请选择回避。"))
