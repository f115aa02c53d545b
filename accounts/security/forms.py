"""The forms of allauth in our words."""

from typing import Any

from allauth.account import forms as account
from allauth.mfa.base import forms as second_factor
from allauth.mfa.totp.forms import ActivateTOTPForm
from django import forms
from django.utils.translation import gettext_lazy as _

NEW_PASSWORD_HELP = _("至少 12 个字符。可以用几个互不相干的词；不要用姓名、常见密码、拼音、年份和键盘顺序。")


class Worded:
    """Labels and help of a form; a control says nothing in grey that its label says in black."""

    words: dict[str, Any] = {}
    help: dict[str, Any] = {}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():  # type: ignore[attr-defined]
            field.label = self.words[name]
            field.help_text = self.help.get(name, "")
            field.widget.attrs.pop("placeholder", None)


class LoginForm(Worded, account.LoginForm):
    words = {"username": _("用户名"), "password": _("密码")}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        account.LoginForm.__init__(self, *args, **kwargs)
        password = self.fields.pop("password")
        self.fields["username"] = self.fields.pop("login")
        self.fields["password"] = password
        for name, field in self.fields.items():
            field.label, field.help_text = self.words[name], ""
            field.widget.attrs.pop("placeholder", None)
        self.fields["username"].widget.attrs |= {"autofocus": True, "autocapitalize": "none"}

    def clean_username(self) -> str:
        username = self.cleaned_data["username"].strip()
        self.cleaned_data["login"] = username
        return username


class ResetPasswordForm(Worded, account.ResetPasswordForm):
    words = {"email": _("邮箱")}


class AddressForm(forms.Form):
    """A new e-mail address for the own account."""

    email = forms.EmailField(
        label=_("新邮箱"),
        max_length=254,
        help_text=_("确认邮件会发到这个邮箱；打开其中的链接后才会更换。"),
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )


class TwiceTheSame:
    def clean(self) -> dict[str, Any]:
        data = forms.Form.clean(self) or {}  # type: ignore[arg-type]
        if data.get("password1") and data.get("password2") and data["password1"] != data["password2"]:
            self.add_error("password2", _("两次输入的密码不一致。"))  # type: ignore[attr-defined]
        return data


class ResetPasswordKeyForm(Worded, TwiceTheSame, account.ResetPasswordKeyForm):
    words = {"password1": _("新密码"), "password2": _("再输入一次新密码")}
    help = {"password1": NEW_PASSWORD_HELP}


class SetPasswordForm(Worded, TwiceTheSame, account.SetPasswordForm):
    words = ResetPasswordKeyForm.words
    help = ResetPasswordKeyForm.help


class ChangePasswordForm(Worded, TwiceTheSame, account.ChangePasswordForm):
    words = {"oldpassword": _("现在的密码")} | ResetPasswordKeyForm.words
    help = ResetPasswordKeyForm.help


class ReauthenticateForm(Worded, account.ReauthenticateForm):
    words = {"password": _("密码")}


CODE = {"code": _("验证码")}


class ActivateForm(Worded, ActivateTOTPForm):
    words = CODE
    help = {"code": _("扫描后，验证器上显示的 6 位数字。")}


class CodeForm(Worded, second_factor.AuthenticateForm):
    words = CODE
    help = {"code": _("验证器上显示的 6 位数字；手机不在身边时，可以用一个恢复码。")}


class CodeAgainForm(Worded, second_factor.ReauthenticateForm):
    words = CODE
    help = CodeForm.help


class LockedForm(forms.Form):
    """The login form that keeps what was typed and asks nobody for the password."""

    username = forms.CharField(label=_("用户名"))
    password = forms.CharField(label=_("密码"), widget=forms.PasswordInput)
