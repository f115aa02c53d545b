from collections.abc import Callable

from django.conf import settings
from django.core.exceptions import BadRequest
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse

from common.throttle import client_address
from record import acting


class AdminPolicyMiddleware:
    """Loosens the content-security policy below the admin's address, and nowhere else."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self.prefix = reverse("admin:index")

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if request.path_info.startswith(self.prefix):
            response._csp_replace = settings.ADMIN_CONTENT_SECURITY_POLICY  # type: ignore[attr-defined]
        return response


class NoNulMiddleware:
    """Refuses addresses with a NUL, which PostgreSQL cannot compare; what is typed into forms they refuse."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if "\0" in request.path_info or "%00" in request.META.get("QUERY_STRING", ""):
            raise BadRequest("NUL in the address")
        return self.get_response(request)


class ActingMiddleware:
    """Says for the record who acts in a request: its user, in the chosen grant, from its address."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        with acting.as_told_by(lambda: acting_in(request)):
            return self.get_response(request)


def acting_in(request: HttpRequest) -> acting.Acting:
    """Who acts in a request, as known by now: an interface has its user only after the token was read."""
    where = acting.Acting(address=acting.address(client_address(request)))
    if not request.user.is_authenticated:
        return where
    return where.as_(request.user, request.grant or None)  # type: ignore[attr-defined]


class NoOverflowMiddleware:
    """Refuses numbers and days beyond what the database and the calendar can hold.

    Filters and choices of the admin site hand them on unseen; SQLite's driver is the first that notices.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> None:
        if isinstance(exception, OverflowError):
            raise BadRequest("a number beyond the range") from exception
