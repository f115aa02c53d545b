"""Browsers in which a person has signed in before, known by a signed cookie.

They tell a new device from an old one, and let people in while somebody elsewhere is guessing their password
(OWASP: slow down online guessing attacks with device cookies).
"""

import secrets

from django.conf import settings
from django.core import signing
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.crypto import salted_hmac

COOKIE = f"{settings.COOKIE_PREFIX}device"
LIFETIME = 180 * 24 * 3600
SALT = "accounts.device"
# People who share one machine.
PEOPLE = 20


def known_as(request: HttpRequest, username: str) -> str:
    """What this browser is called if the person has signed in with it before, else nothing."""
    device = _read(request)
    return device["id"] if device and _mark(username) in device["people"] else ""


def remember(request: HttpRequest, response: HttpResponseBase, username: str) -> None:
    """Write down that the person has signed in with this browser."""
    device = _read(request) or {"id": secrets.token_urlsafe(9), "people": []}
    people = [mark for mark in device["people"] if mark != _mark(username)]
    response.set_cookie(
        COOKIE,
        signing.dumps({"id": device["id"], "people": [*people, _mark(username)][-PEOPLE:]}, salt=SALT),
        max_age=LIFETIME,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def _read(request: HttpRequest) -> dict | None:
    try:
        return signing.loads(request.COOKIES.get(COOKIE, ""), salt=SALT, max_age=LIFETIME)
    except signing.BadSignature:
        return None


def _mark(username: str) -> str:
    """Stands for a name in the cookie, which others may read."""
    return salted_hmac(SALT, username.lower(), algorithm="sha256").hexdigest()[:24]
