"""What is our own in allauth: limits, words, storage of secrets, and whom another house may send."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core import ratelimit
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from django.conf import settings
from django.contrib.sites.shortcuts import get_current_site
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accounts import mailing, tasks
from accounts.models import User
from accounts.security import devices, second_factor, sessions
from accounts.security.sealing import seal, unseal
from common.jobs import ring
from common.throttle import client_address


class AccountAdapter(DefaultAccountAdapter):
    error_messages = DefaultAccountAdapter.error_messages | {
        "enter_current_password": _("现在的密码不正确。"),
        "incorrect_code": _("验证码不正确。"),
        "incorrect_password": _("密码不正确。"),
        "invalid_password_reset": _("重设密码的链接无效或已过期。"),
        "rate_limited": _("操作过于频繁，请稍后再试。"),
        "too_many_login_attempts": _(
            "失败次数过多，已暂时放慢。请稍后再试；在您登录过的设备上不受他人尝试的影响。"
        ),
        "username_password_mismatch": _("用户名或密码不正确。"),
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Accounts begin at /join/, by an invitation, or in the admin site."""
        return False

    def get_client_ip(self, request: HttpRequest) -> str:
        return client_address(request)

    # --- Guessing: django-axes locks the pair of name and address; here both are limited by themselves ------

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        if not self._may_fail(request, credentials["username"], dry_run=True):
            raise self.validation_error("too_many_login_attempts")

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        self._may_fail(request, credentials["username"], dry_run=False)

    def _may_fail(self, request: HttpRequest, username: str, dry_run: bool) -> bool:
        """Whether one more failure is within the limits; a known device has one of its own."""
        device = devices.known_as(request, username)
        action = "failed_on_known_device" if device else "failed"
        key = f"{device}:{username.lower()}"
        return ratelimit.consume(request, action=action, key=key, dry_run=dry_run)

    # --- Sessions -------------------------------------------------------------------------------------------

    def login(self, request: HttpRequest, user: User) -> None:
        if not hasattr(user, "backend"):
            user.backend = "django.contrib.auth.backends.ModelBackend"
        super().login(request, user)

    def is_reauthentication_required(self, *, app: str, **kwargs: Any) -> bool:
        """Whoever signed in a moment ago need not do so again."""
        return not sessions.fresh(self.request, settings.ACCOUNT_REAUTHENTICATION_TIMEOUT)

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        return reverse("account_security")

    def get_reauthentication_methods(self, user: Any) -> list[dict]:
        words = {"reauthenticate": _("改用密码"), "mfa_reauthenticate": _("改用验证码")}
        methods = super().get_reauthentication_methods(user)
        return [method | {"description": words[method["id"]]} for method in methods]

    # --- Mail -----------------------------------------------------------------------------------------------

    def send_notification_mail(
        self, template_prefix: str, user: User, context: dict | None = None, email: str | None = None
    ) -> None:
        """To the person whose account it is, whoever did it."""
        super().send_notification_mail(template_prefix, user, {"user": user} | (context or {}), email)

    def send_mail(self, template_prefix: str, email: str, context: dict) -> None:
        """By the workers, so that no answer waits for a mail server, or tells by its haste that there is no
        such account."""
        said = {"request": self.request, "email": email, "current_site": get_current_site(self.request)}
        letter = mailing.post(self.render_mail(template_prefix, email, said | context))
        ring(tasks.send_letter, letter.pk)


class SecondFactorAdapter(DefaultMFAAdapter):
    error_messages = DefaultMFAAdapter.error_messages | {
        "cannot_delete_authenticator": _("您的角色要求两步验证，不能关闭。"),
        "cannot_generate_recovery_codes": _("请先启用两步验证，再生成恢复码。"),
        "incorrect_code": _("验证码不正确。"),
    }

    def get_totp_label(self, user: User) -> str:
        return user.get_username()

    def get_totp_issuer(self) -> str:
        return str(_("质量强链工作门户"))

    def can_delete_authenticator(self, authenticator: Authenticator) -> bool:
        return not second_factor.is_required(authenticator.user)

    def encrypt(self, text: str) -> str:
        """A copy of the database alone gives nobody a second factor."""
        return seal(text, "second_factor")

    def decrypt(self, encrypted_text: str) -> str:
        return unseal(encrypted_text, "second_factor")


class BureauLoginAdapter(DefaultSocialAccountAdapter):
    """Sign-in over a bureau's own identity service.

    A person of that service is one of ours only by a link: made by the person after signing in here, or by an
    administrator. An e-mail address is no proof: nobody has verified those that stand in our accounts.
    """

    error_messages = DefaultSocialAccountAdapter.error_messages | {
        "connected_other": _("这个统一身份账号已关联到另一个门户账户。"),
        "no_password": _("您的账户没有密码，解除关联后将无法登录。请先设置密码。"),
    }

    def is_open_for_signup(self, request: HttpRequest, sociallogin: Any) -> bool:
        return False
