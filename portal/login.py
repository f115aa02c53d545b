"""Login, and the answer after too many failures."""

from typing import Any, NoReturn

from django.conf import settings
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView as DjangoLoginView
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _


class LoginView(DjangoLoginView):
    template_name = "portal/login.html"
    redirect_authenticated_user = True


class LockedForm(AuthenticationForm):
    """The login form that keeps what was typed, asks nobody for the password, and says why."""

    def clean(self) -> NoReturn:
        raise ValidationError(
            _("登录失败次数过多。为保护账户，请 %(minutes)d 分钟后再试。"),
            code="locked",
            params={"minutes": round(settings.AXES_COOLOFF_TIME * 60)},
        )


def locked_out(
    request: HttpRequest, response: HttpResponse | None = None, credentials: dict[str, Any] | None = None
) -> HttpResponse:
    form = LockedForm(request, data=request.POST)
    return render(request, LoginView.template_name, {"form": form}, status=429)
