"""What is asked of somebody who wants to act for an organisation, one small form per page."""

from typing import Any

from django import forms
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from accounts.models import Invitation, Role, User
from accounts.security.forms import NEW_PASSWORD_HELP
from common import uscc
from common.forms import Phone, Text
from enterprises.models import InstitutionProfile, Organization

MISSING = {"required": _("请填写这一项。")}
CHOOSE = {"required": _("请选择一项。"), "invalid_choice": _("请从列表中选择。")}


class CreditCode(Text):
    """A unified social credit code however it is typed: full-width, lower case, with spaces."""

    widget = forms.TextInput(
        attrs={"autocomplete": "off", "autocapitalize": "characters", "spellcheck": "false"}
    )

    def to_python(self, value: Any) -> str:
        return uscc.normalise(super().to_python(value) or "")

    def run_validators(self, value: str) -> None:
        if value:
            uscc.validate(value)


class StartForm(forms.Form):
    role = forms.ChoiceField(
        label=_("您代表哪一类组织？"),
        choices=[
            (Role.FILER, _("企业：填报质量堵点卡点问题")),
            (Role.INSTITUTION, _("赋能机构：承接问题，提供计量、标准、检测、认证等服务")),
        ],
        widget=forms.RadioSelect,
        error_messages=CHOOSE,
    )


class CodeForm(forms.Form):
    uscc = CreditCode(
        label=_("统一社会信用代码"),
        help_text=_("18 位，见营业执照或法人证书。全角、小写和空格会自动改正。"),
    )


class ClaimForm(forms.Form):
    is_ours = forms.ChoiceField(
        label=_("是这家吗？"),
        choices=[("yes", _("是，我代表这家组织")), ("no", _("不是，重新填写代码"))],
        widget=forms.RadioSelect,
        error_messages=CHOOSE,
    )


class OrganizationForm(forms.Form):
    name = Text(label=_("名称"), max_length=200, help_text=_("与营业执照或法人证书一致。"))
    legal_form = forms.ChoiceField(
        label=_("组织形式"),
        choices=Organization.LegalForm.choices,
        widget=forms.RadioSelect,
        error_messages=CHOOSE,
    )


class AbilitiesForm(forms.Form):
    kinds = InstitutionProfile._meta.get_field("kinds").formfield(required=True, help_text=_("可多选。"))
    nqi_elements = InstitutionProfile._meta.get_field("nqi_elements").formfield(
        required=True, help_text=_("能提供哪几项，可多选。派单时按这些要素找机构。")
    )
    cma_no = Text(
        label=_("资质认定（CMA）编号"),
        max_length=12,
        required=False,
        validators=InstitutionProfile._meta.get_field("cma_no").validators[:1],
        help_text=_("12 位数字。检验检测机构必须填写，其他机构可以不填。"),
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("kinds", "nqi_elements"):
            self.fields[name].error_messages["required"] = _("请至少选择一项。")

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if InstitutionProfile.Kind.TESTING in cleaned.get("kinds", ()) and cleaned.get("cma_no") == "":
            self.add_error("cma_no", _("检验检测机构应填写资质认定（CMA）编号。"))
        return cleaned


class PhoneForm(forms.Form):
    """All that is asked of somebody who has an account."""

    phone = Phone(label=_("联系电话"), max_length=30, help_text=_("核实单位会打这个电话。"))


class PersonForm(PhoneForm):
    person = Text(
        label=_("联系人姓名"),
        max_length=60,
        help_text=_("您的姓名，办理记录里用它。"),
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    email = forms.EmailField(
        label=_("邮箱"),
        max_length=254,
        help_text=_("用来找回密码、接收办理进展。"),
        error_messages=MISSING | {"invalid": _("请填写邮箱地址，例如 name@example.cn。")},
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )
    field_order = ["person", "phone", "email"]

    def clean_email(self) -> str:
        return self.cleaned_data["email"].lower()


class AccountForm(forms.Form):
    """User name and password; whether the name is taken shows only when all is submitted."""

    username = forms.CharField(
        label=_("用户名"),
        max_length=150,
        validators=User._meta.get_field("username").validators,
        help_text=User._meta.get_field("username").help_text,
        error_messages=MISSING,
        widget=forms.TextInput(
            attrs={"autocomplete": "username", "autocapitalize": "none", "spellcheck": "false"}
        ),
    )
    password1 = forms.CharField(
        label=_("密码"),
        strip=False,
        max_length=128,
        help_text=NEW_PASSWORD_HELP,
        error_messages=MISSING,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    password2 = forms.CharField(
        label=_("再输入一次密码"),
        strip=False,
        error_messages=MISSING,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def __init__(self, *args: Any, person: str = "", email: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.known = {"name": person, "email": email}

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        first, second = cleaned.get("password1"), cleaned.get("password2")
        if first and second and first != second:
            self.add_error("password2", _("两次输入的密码不同。"))
        elif first:
            known = self.known | {"name": cleaned.get("person", self.known["name"])}
            try:
                validate_password(first, User(username=cleaned.get("username", ""), **known))
            except ValidationError as fault:
                self.add_error("password1", fault)
        return cleaned


class NewColleagueForm(AccountForm):
    """An account opened by an invitation; the address is the one that was invited."""

    person = Text(label=_("姓名"), max_length=60, widget=forms.TextInput(attrs={"autocomplete": "name"}))
    field_order = ["person", "username", "password1", "password2"]


class RefusalForm(forms.Form):
    reason = Text(
        label=_("不予通过的理由"),
        max_length=200,
        help_text=_("申请人会看到，请写明怎样改正，例如“请由法定代表人授权的人员申请”。"),
        widget=forms.Textarea(attrs={"rows": 3}),
    )


class InviteForm(forms.Form):
    email = forms.EmailField(
        label=_("同事的邮箱"),
        max_length=254,
        error_messages=MISSING | {"invalid": _("请填写邮箱地址，例如 name@example.cn。")},
        widget=forms.EmailInput(attrs={"autocomplete": "off"}),
    )
    role = forms.ChoiceField(label=_("角色"), widget=forms.RadioSelect, error_messages=CHOOSE)

    def __init__(self, *args: Any, roles: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        labels = dict(Invitation._meta.get_field("role").choices)
        self.fields["role"].choices = [(role, labels[role]) for role in roles]
        self.initial.setdefault("role", roles[0] if roles else "")
