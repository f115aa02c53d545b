"""What happens when somebody signs in, or changes what they sign in with."""

from typing import Any

from allauth.account import signals as account
from allauth.mfa import signals as mfa
from allauth.usersessions.models import UserSession
from django.contrib.auth.signals import user_logged_in
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from accounts.models import User
from accounts.security import devices, second_factor, sessions
from accounts.security.notices import tell_of_device


def connect() -> None:
    user_logged_in.connect(sessions.begin, dispatch_uid="sessions.begin")
    account.user_logged_in.connect(on_login, dispatch_uid="devices")
    account.authentication_step_completed.connect(on_confirmation, dispatch_uid="new key")
    mfa.authenticator_used.connect(second_factor.passed, dispatch_uid="second_factor.passed")
    mfa.authenticator_added.connect(second_factor.passed, dispatch_uid="second_factor.added")
    for signal in (mfa.authenticator_added, mfa.authenticator_removed):
        signal.connect(second_factor.changed, dispatch_uid="second_factor.changed")


def on_confirmation(sender: Any, request: HttpRequest, reauthenticated: bool = False, **kwargs: Any) -> None:
    """On `authentication_step_completed`: who has said again who it is goes on in a session of a new key."""
    if not reauthenticated:
        return
    row = UserSession.objects.filter(session_key=request.session.session_key)
    request.session.cycle_key()
    row.update(session_key=request.session.session_key)


def on_login(
    sender: Any, request: HttpRequest, response: HttpResponseBase, user: User, **kwargs: Any
) -> None:
    if not devices.known_as(request, user.get_username()):
        tell_of_device(request, user)
    devices.remember(request, response, user.get_username())
