"""Who receives a role, and who acts in whose place."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.granting import giving_grants, lendable, roles_to_give
from accounts.models import Grant, Role, Substitution, User
from common.filters import DayInput
from common.forms import Text
from enterprises.filters import OneBureauField
from enterprises.models import IndustryChain


class PersonField(Text):
    """A person by the name with which it logs in."""

    widget = forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"})

    def clean(self, value: Any) -> User | None:
        name = super().clean(value)
        if not name:
            return None
        person = User.objects.filter(username=name, is_active=True).first()
        if person is None:
            raise ValidationError(_("没有登录名为“%(name)s”的在用账号。"), params={"name": name})
        return person


class GrantForm(forms.ModelForm):
    """A bureau role for somebody else."""

    user = PersonField(label=_("登录名"), max_length=150, help_text=_("对方登录用的名称，不是姓名。"))
    bureau = OneBureauField(label=_("单位（含下级）"), help_text=_("本单位或下级单位。"))
    role = forms.ChoiceField(label=_("角色"))
    chain = forms.ModelChoiceField(
        IndustryChain.objects.order_by("code"),
        label=_("限于产业链"),
        required=False,
        empty_label=_("不限"),
        to_field_name="code",
    )

    class Meta:
        model = Grant
        fields = ("user", "role", "bureau", "chain", "starts_on", "expires_on")
        widgets = {"starts_on": DayInput, "expires_on": DayInput}
        help_texts = {"expires_on": _("留空表示长期有效。")}

    def __init__(self, *args: Any, request: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request = request
        roles = roles_to_give(request.user)
        self.fields["role"].choices = [(role, Role(role).label) for role in roles]
        chains = {grant.chain for grant in giving_grants(request.user)}
        if None not in chains:
            field: Any = self.fields["chain"]
            field.queryset = field.queryset.filter(pk__in=[chain.pk for chain in chains if chain])
            field.required, field.empty_label = True, None
        last = [grant.expires_on for grant in giving_grants(request.user)]
        if None not in last:
            self.initial.setdefault("expires_on", max(day for day in last if day))
            self.fields["expires_on"].required = True

    def clean_starts_on(self) -> Any:
        day = self.cleaned_data["starts_on"]
        if day < timezone.localdate():
            raise ValidationError(_("授权不能从过去的日期开始。"))
        return day

    def validate_unique(self) -> None:
        """By the service, which first ends what ran out."""

    def validate_constraints(self) -> None:
        """As above."""


class SubstitutionForm(forms.ModelForm):
    """Somebody who acts in an officer's place for a while."""

    principal = PersonField(
        label=_("被代理人登录名"), max_length=150, help_text=_("留空表示为您本人指定代理人。")
    )
    substitute = PersonField(label=_("代理人登录名"), max_length=150)

    class Meta:
        model = Substitution
        fields = ("principal", "substitute", "starts_on", "ends_on", "reason")
        widgets = {"starts_on": DayInput, "ends_on": DayInput}
        help_texts = {"reason": _("例如休假、出差、培训。")}

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.instance.principal = user
        if Role.ADMINISTRATOR in {grant.role for grant in giving_grants(user)}:
            self.fields["principal"].required = not lendable(user)
        else:
            del self.fields["principal"]

    def clean_principal(self) -> User:
        """Whoever names nobody names its own substitute."""
        return self.cleaned_data["principal"] or self.instance.principal
