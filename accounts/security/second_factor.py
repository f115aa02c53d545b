"""Who must have a second factor, and the way to it.

The rule speaks of sessions. A program with an API token has none: its token is a secret of its own, given
out by an administrator and withdrawn by one.
"""

from collections.abc import Callable
from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.utils import is_mfa_enabled
from allauth.usersessions.internal.flows.sessions import end_other_sessions
from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from accounts.models import BUREAU_ROLES, User
from accounts.security.sessions import sent_to

# In the session: whether it has seen the second factor.
PASSED = "second_factor"


def is_required(user: User) -> bool:
    return settings.REQUIRE_SECOND_FACTOR and (user.is_superuser or bool(user.grants_of(*BUREAU_ROLES)))


def has_one(user: User) -> bool:
    return is_mfa_enabled(user, [Authenticator.Type.TOTP])


def passed(sender: Any, request: HttpRequest, **kwargs: Any) -> None:
    """On `authenticator_used` and `authenticator_added`."""
    request.session[PASSED] = True


def changed(sender: Any, request: HttpRequest, user: User, authenticator: Any, **kwargs: Any) -> None:
    """On `authenticator_added` and `authenticator_removed`: sessions from before end."""
    if authenticator.type == Authenticator.Type.TOTP:
        end_other_sessions(request, user)


class SecondFactorMiddleware:
    """Leads those who need a second factor to set one up, or to give it, before anything else."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if (
            not settings.REQUIRE_SECOND_FACTOR
            or not request.user.is_authenticated
            or request.session.get(PASSED)
            or request.path_info.startswith(_open_addresses())
            or not is_required(request.user)
        ):
            return self.get_response(request)
        if request.path_info.startswith("/api/"):
            message = _("您的角色要求两步验证。请先在门户中完成验证，或使用接口令牌。")
            return JsonResponse(
                {"error": {"code": "second_factor", "message": message, "fields": {}}}, status=403
            )
        way = "mfa_reauthenticate" if has_one(request.user) else "mfa_activate_totp"
        back = request.get_full_path() if request.method == "GET" else "/"
        return sent_to(request, redirect(f"{reverse(way)}?{urlencode({'next': back})}"))


def _open_addresses() -> tuple[str, ...]:
    return (
        reverse("account_security"),
        reverse("logout"),
        reverse("set_language"),
        reverse("healthz"),
        reverse("readyz"),
        settings.STATIC_URL,
    )
