"""How long a session lives: ended when nobody works in it, and in any case after a working day."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import import_module
from typing import Any

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.views import redirect_to_login
from django.contrib.sessions.models import Session
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import patch_cache_control
from django.utils.translation import gettext as _

from accounts.models import User

BEGAN, SEEN, IDLE = "began", "seen", "idle"
# The time of the last request is written at most this often (seconds).
WRITTEN_EVERY = 60


def begin(sender: Any, request: HttpRequest, user: User, **kwargs: Any) -> None:
    """On `user_logged_in`: start the clocks. People of a bureau have the shorter one."""
    bureau = user.is_superuser or any(grant.bureau_id for grant in user.grants_in_force)
    now = int(time.time())
    minutes = settings.IDLE_MINUTES_BUREAU if bureau else settings.IDLE_MINUTES
    request.session.update({BEGAN: now, SEEN: now, IDLE: minutes * 60})


def fresh(request: HttpRequest, seconds: int) -> bool:
    """Whether the person has signed in no longer ago than this."""
    return time.time() - request.session.get(BEGAN, 0) < seconds


def is_over(session: Any, now: float) -> bool:
    return now - session.get(BEGAN, 0) > settings.SESSION_COOKIE_AGE or now - session.get(
        SEEN, 0
    ) > session.get(IDLE, 0)


def sent_to(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """The answer that leads elsewhere, for pages and for parts of pages alike."""
    if request.headers.get("HX-Request"):
        return HttpResponse(status=204, headers={"HX-Redirect": response.headers["Location"]})
    return response


class SessionClockMiddleware:
    """Ends sessions that are over, and keeps the pages of signed-in people out of the browser's store."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return self.get_response(request)
        now = time.time()
        if is_over(request.session, now):
            logout(request)
            if request.method != "GET" or request.headers.get("HX-Request"):
                # What was sent is not done; the person signs in and sees the page again.
                messages.warning(
                    request, _("您已较长时间没有操作，为安全起见已退出登录。刚才的操作没有提交。")
                )
                return sent_to(request, redirect_to_login(_page(request)))
            return self.get_response(request)
        if now - request.session[SEEN] > WRITTEN_EVERY:
            request.session[SEEN] = int(now)
        response = self.get_response(request)
        if "Cache-Control" not in response and response.get("Content-Type", "").startswith("text/html"):
            patch_cache_control(response, no_store=True, private=True)
        return response


def _page(request: HttpRequest) -> str:
    """The page on which the request was made; the referrer policy keeps it on this site."""
    current = request.headers.get("HX-Current-URL") or request.headers.get("Referer") or ""
    host, found, path = current.partition(request.get_host())
    return path if found and host in ("http://", "https://") and path.startswith("/") else "/"


def forget() -> None:
    """Delete what is left of sessions that are over."""
    import_module(settings.SESSION_ENGINE).SessionStore.clear_expired()
    UserSession.objects.exclude(session_key__in=Session.objects.values("session_key")).delete()


def last_seen(session: UserSession) -> datetime:
    """When the session made its last request, to the minute."""
    seen = import_module(settings.SESSION_ENGINE).SessionStore(session.session_key).get(SEEN, 0)
    return datetime.fromtimestamp(seen, tz=UTC)
