"""What happens when somebody signs in, or changes what they sign in with."""

from typing import Any

from allauth.account import signals as account
from allauth.mfa import signals as mfa
from django.contrib.auth.signals import user_logged_in
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from accounts.models import User
from accounts.security import devices, second_factor, sessions
from accounts.security.notices import tell_of_device


def connect() -> None:
    user_logged_in.connect(sessions.begin, dispatch_uid="sessions.begin")
    account.user_logged_in.connect(on_login, dispatch_uid="devices")
    mfa.authenticator_used.connect(second_factor.passed, dispatch_uid="second_factor.passed")
    mfa.authenticator_added.connect(second_factor.passed, dispatch_uid="second_factor.added")
    for signal in (mfa.authenticator_added, mfa.authenticator_removed):
        signal.connect(second_factor.changed, dispatch_uid="second_factor.changed")


def on_login(
    sender: Any, request: HttpRequest, response: HttpResponseBase, user: User, **kwargs: Any
) -> None:
    if not devices.known_as(request, user.get_username()):
        tell_of_device(request, user)
    devices.remember(request, response, user.get_username())
