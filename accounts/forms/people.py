"""Who receives a role, and who acts in whose place."""

from collections.abc import Callable
from typing import Any

from allauth.core import ratelimit
from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts import granting
from accounts.models import Grant, Role, Substitution, User
from common.filters import DayInput
from common.forms import Text
from enterprises.filters import OneBureauField
from enterprises.models import IndustryChain
from record.services import looked_up, refused

TOO_OFTEN = "too_often"
NOBODY = _(
    "没有可以由您这样办理的账号。请向对方核对登录名或邮箱；邮箱未经验证或由几个人共用的，请填登录名。"
    "自行注册、尚未核实的账号不能授权。"
)


class PersonField(Text):
    """A person by the name with which it logs in, or by e-mail; `NamesPeople` finds out whom that means."""

    widget = forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"})

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=254, **kwargs)


class NamesPeople(forms.ModelForm):
    """Finds the people named, once nothing else is wrong: no other answer depends on who exists.

    Whoever does not exist and whoever may not be named sound alike, and are told in the record. After some of
    them nobody is looked up for a while.
    """

    def __init__(self, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request = request
        self.by: User = request.user  # type: ignore[assignment]

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        typed = {name: said.pop(name) for name in self.people() if name in said}
        if not self.errors:
            self.judge(said)
        if not self.errors:
            said |= {name: self._find(name, text) for name, text in typed.items() if text}
        return said

    def people(self) -> dict[str, Callable[[User], bool]]:
        """The fields that name people, and who may be named there."""
        raise NotImplementedError

    def judge(self, said: dict[str, Any]) -> None:
        """Raise ValidationError for what is wrong whoever is named."""

    def _find(self, name: str, typed: str) -> User | None:
        if not self._may_fail(dry_run=True):
            raise ValidationError(_("这一小时内查不到的账号过多，请稍后再试。"), code=TOO_OFTEN)
        person = granting.person_for(typed, self.people()[name])
        if person is None:
            self._may_fail(dry_run=False)
            match = self.request.resolver_match
            # Which names were tried stands in no record, how many different ones does.
            mark = salted_hmac("accounts.unknown_person", typed.lower(), algorithm="sha256").hexdigest()[:12]
            refused(
                page=match.view_name if match else "",
                row=mark,
                label=f"POST {self.request.path}",
                reason=gettext("填写的账号不存在，或不能由其这样办理。"),
                apart="people:",
            )
            self.add_error(name, NOBODY)
        else:
            looked_up(person)
        return person

    def _may_fail(self, *, dry_run: bool) -> bool:
        key = str(self.by.pk)
        return bool(ratelimit.consume(self.request, action="unknown_person", key=key, dry_run=dry_run))

    def _post_clean(self) -> None:
        if not self.errors:
            super()._post_clean()  # type: ignore[misc]


class GrantForm(NamesPeople):
    """A bureau role for somebody else."""

    user = PersonField(label=_("登录名或邮箱"), help_text=_("对方登录用的名称，或账户中的邮箱；不是姓名。"))
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

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["role"].choices = [(role, Role(role).label) for role in granting.roles_to_give(self.by)]
        own = granting.giving_grants(self.by)
        chains = {grant.chain for grant in own}
        if None not in chains:
            field: Any = self.fields["chain"]
            field.queryset = field.queryset.filter(pk__in=[chain.pk for chain in chains if chain])
            field.required, field.empty_label = True, None
        last = [grant.expires_on for grant in own]
        if None not in last:
            self.initial.setdefault("expires_on", max(day for day in last if day))
            self.fields["expires_on"].required = True

    def clean_starts_on(self) -> Any:
        day = self.cleaned_data["starts_on"]
        if day < timezone.localdate():
            raise ValidationError(_("授权不能从过去的日期开始。"))
        return day

    def people(self) -> dict[str, Callable[[User], bool]]:
        role = self.cleaned_data.get("role", "")
        return {"user": lambda person: granting.may_hold(person, role)}

    def judge(self, said: dict[str, Any]) -> None:
        granting.refuse_beyond(self.by, Grant(**said))

    def validate_unique(self) -> None:
        """By the service, which first ends what ran out."""

    def validate_constraints(self) -> None:
        """As above."""


class SubstitutionForm(NamesPeople):
    """Somebody who acts in an officer's place for a while."""

    principal = PersonField(label=_("被代理人登录名或邮箱"), help_text=_("留空表示为您本人指定代理人。"))
    substitute = PersonField(label=_("代理人登录名或邮箱"), help_text=_("市场监管部门的在岗人员，专家除外。"))

    class Meta:
        model = Substitution
        fields = ("principal", "substitute", "starts_on", "ends_on", "reason")
        widgets = {"starts_on": DayInput, "ends_on": DayInput}
        help_texts = {"reason": _("例如休假、出差、培训。")}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.instance.principal = self.by
        if Role.ADMINISTRATOR in {grant.role for grant in granting.giving_grants(self.by)}:
            self.fields["principal"].required = not granting.lendable(self.by)
        else:
            del self.fields["principal"]

    def people(self) -> dict[str, Callable[[User], bool]]:
        return {
            "principal": lambda person: granting.may_appoint_for(self.by, person),
            "substitute": granting.may_stand_in,
        }
