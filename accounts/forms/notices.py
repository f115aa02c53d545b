"""How a person wants to hear of things."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.mailing import choose
from accounts.models import Notice, NoticeChoice, User

Kind = Notice.Kind
HELP = {
    Kind.MOVED: _("本组织提出或承担的问题每走一步。"),
    Kind.WAITING: _("轮到您或本单位办理的问题和申请。"),
    Kind.AMBER: _("您要办理的事项，时限用去七成。"),
    Kind.RED: _("您要办理的事项超过时限。"),
    Kind.BULLETIN: _("本单位和上级单位印发的通报。"),
    Kind.ACCOUNT: _("授权、代理、入驻申请和新设备登录。"),
}


class ChoicesForm(forms.Form):
    """One choice for each kind; what was never chosen comes with the daily mail."""

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user
        chosen = dict(user.notice_choices.values_list("kind", "mail"))
        for kind in Kind:
            self.fields[kind] = forms.ChoiceField(
                label=kind.label,
                help_text=HELP[kind],
                choices=NoticeChoice.Mail.choices,
                initial=chosen.get(kind, NoticeChoice.Mail.DAILY),
                widget=forms.RadioSelect,
            )

    def save(self) -> None:
        choose(self.user, self.cleaned_data)
