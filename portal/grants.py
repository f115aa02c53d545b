"""The grant in which a user works at the moment, and the shell that goes with it.

What a user may see and do follows from all grants together (`accounts.scope`); the chosen one only says which
desk or workspace stands open.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.functional import SimpleLazyObject

from accounts.granting import may_give
from accounts.joining import registrations_of, waiting_for
from accounts.models import FILING_ROLES, Grant, Role, User
from projects.boundaries import may_plan
from projects.twins import officer_of_city

SESSION_KEY = "grant"


def active_grant(request: HttpRequest) -> Grant | None:
    """The grant last chosen if it still is in force, else the first."""
    if not request.user.is_authenticated:
        return None
    grants = request.user.grants_in_force
    chosen = request.session.get(SESSION_KEY)
    return next((grant for grant in grants if grant.pk == chosen), grants[0] if grants else None)


class GrantMiddleware:
    """Sets `request.grant`: the active grant, or something false."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        request.grant = SimpleLazyObject(lambda: active_grant(request))  # type: ignore[attr-defined]
        return self.get_response(request)


def shell(request: HttpRequest) -> dict[str, Any]:
    """Context of every page: which frame it stands in."""
    grant = getattr(request, "grant", None)  # a fault page may come before the middleware
    if not grant:
        return _without_grant(request)
    return {
        "shell": "base_desk.html" if grant.bureau_id else "base_workspace.html",
        "grant": grant,
        "grants": request.user.grants_in_force,  # type: ignore[union-attr]
        "may_file": grant.role in FILING_ROLES,
        "may_give": may_give(request.user),  # type: ignore[arg-type]
        "plans": may_plan(request.user),  # type: ignore[arg-type]
        "decides": grant.role == Role.OFFICER and not grant.chain_id,
        "merges": officer_of_city(grant),
        "registrations_waiting": cache(lambda: waiting_for(request.user))  # type: ignore[arg-type]
        if grant.bureau_id
        else None,
        "manages": grant.is_manager,
        "lodges": grant.role == Role.INSTITUTION,
        "unread_messages": cache(lambda: unread_of(request.user)),  # type: ignore[arg-type]
    }


def _without_grant(request: HttpRequest) -> dict[str, Any]:
    """The frame of visitors, and of those who wait to be verified."""
    user = getattr(request, "user", None)
    asked = registrations_of(user) if user and user.is_authenticated else []
    if not asked:
        return {"shell": "base_public.html"}
    return {
        "shell": "base_workspace.html",
        "may_file": any(row.prepares for row in asked),
        "unread_messages": cache(lambda: unread_of(user)),  # type: ignore[arg-type]
    }


def unread_of(user: User) -> int | None:
    """How many messages wait in the inbox; None instead of none, which nobody needs to be told."""
    return user.notices.filter(read_at=None).count() or None
