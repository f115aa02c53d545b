import logging
from collections.abc import Callable
from functools import cached_property

from csp.constants import HEADER
from csp.middleware import CSPMiddleware
from csp.utils import build_policy
from django.conf import settings
from django.core.exceptions import BadRequest, PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse

from common.scope import Asked, noting_misses
from common.throttle import client_address
from enterprises.standing import overtaken
from record import acting
from record.services import kept_from, refused

logger = logging.getLogger(__name__)
# What is recorded of answers: not allowed, and too often.
REFUSALS = (403, 429)
# Of the rows that one request named in vain: a page of a list, of which all can be chosen together.
MISSES_TOLD = 50
# Parts of addresses that may stand in the record. Whatever else an address holds may be a secret by which
# whoever knows it gets in: of an invitation, of a new password.
OPEN_PARTS = {
    *(
        "after",
        "before",
        "block",
        "bureau",
        "code",
        "id",
        "kind",
        "months",
        "name",
        "object_id",
        "pk",
        "provider_id",
        "public_id",
        "snapshot",
        "step",
        "unit",
        "uscc",
        "version",
    ),
}


class ContentPolicyMiddleware(CSPMiddleware):
    """Composes the policy of most pages once, as django-csp does for each answer.

    Of its settings only directives count for them: no prefixes without a policy, no mere reports.
    """

    @cached_property
    def usual(self) -> str:
        return build_policy()

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        differs = hasattr(request, "_csp_nonce") or any(name.startswith("_csp_") for name in vars(response))
        if differs or settings.DEBUG:
            return super().process_response(request, response)
        response.headers.setdefault(HEADER, self.usual)
        return response


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
    """Says for the record who acts in a request, and records what the request was refused or kept from."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        with acting.as_told_by(lambda: acting_in(request)), noting_misses() as missed:
            response = self.get_response(request)
            if response.status_code in REFUSALS:
                record_refusal(request, response)
            elif missed and request.user.is_authenticated:
                for asked in told_of(missed, request, response):
                    kept_from(asked, request.user)
            return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> None:
        if isinstance(exception, PermissionDenied):
            request.refusal = str(exception)  # type: ignore[attr-defined]


def told_of(missed: list[Asked], request: HttpRequest, response: HttpResponseBase) -> list[Asked]:
    """Of what was looked up in vain: all of a request that failed, of others what was typed.

    A page that succeeds looks for rows of its own that need not be there. A posted form that is shown again
    has failed, whether it says so or, as the admin site does, not.
    """
    failed = response.status_code >= 400 or (request.method == "POST" and response.status_code == 200)
    named = [asked for asked in missed if failed or asked.typed]
    return named[:MISSES_TOLD]


def record_refusal(request: HttpRequest, response: HttpResponseBase) -> None:
    """With the words in which the page or the interface gave the reason."""
    said = getattr(response, "data", None)
    told = said["error"]["message"] if isinstance(said, dict) and "error" in said else ""
    match = request.resolver_match
    parts = match.kwargs if match else {}
    is_open = match is not None and not match.args and parts.keys() <= OPEN_PARTS
    refused(
        page=match.view_name if match else "",
        row=next((str(value) for key, value in parts.items() if key in OPEN_PARTS), ""),
        label=f"{request.method} {request.path if is_open else '/' + match.route if match else ''}".strip(),
        reason=getattr(request, "refusal", "") or told or str(response.reason_phrase),
    )


def acting_in(request: HttpRequest) -> acting.Acting:
    """Who acts in a request, as known by now: an interface has its user only after the token was read."""
    where = acting.Acting(address=acting.address(client_address(request)))
    if not request.user.is_authenticated:
        return where
    return where.as_(request.user, request.grant or None)  # type: ignore[attr-defined]


class OvertakenMiddleware:
    """Tells of a bureau that ended while a step was being taken, which nobody has done wrong."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not overtaken(exception):
            return None
        logger.warning("overtaken at %s", request.path, exc_info=exception)
        return render(request, "409.html", status=409)


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
