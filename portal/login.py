"""Login and what stands around it: the address of the client, and the answer after too many failures."""

from typing import Any

from django.conf import settings
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView as DjangoLoginView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _


class LoginView(DjangoLoginView):
    template_name = "portal/login.html"
    redirect_authenticated_user = True


def client_address(request: HttpRequest) -> str:
    """The address of the client; behind a trusted proxy the last one in the header, which the proxy itself wrote."""
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "") if settings.TRUST_PROXY else ""
    return forwarded.rpartition(",")[2].strip() or request.META.get("REMOTE_ADDR", "")


def locked_out(
    request: HttpRequest, response: HttpResponse | None = None, credentials: dict[str, Any] | None = None
) -> HttpResponse:
    """The login page again with the reason, and the name that was typed."""
    form = AuthenticationForm(request, data=request.POST)
    form._errors = form.error_class()  # type: ignore[attr-defined]  # a further authentication would count again
    return render(request, LoginView.template_name, {"form": form}, status=429)
