"""Signing in, the page of one's own account, and the list of one's sessions."""

from typing import Any

from allauth.account import views as account
from allauth.account.decorators import reauthentication_required
from allauth.account.internal import flows
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from allauth.usersessions.internal.flows.sessions import end_other_sessions, end_sessions
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.security import second_factor, sessions
from accounts.security.forms import LockedForm
from accounts.security.services import services

LOGIN_PAGE = "account/login.html"


class LoginView(account.LoginView):
    template_name = LOGIN_PAGE

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**kwargs) | {"services": services()}

    def form_invalid(self, form: Any) -> HttpResponse:
        response = super().form_invalid(form)
        if form.has_error("__all__", "too_many_login_attempts"):
            response.status_code = 429
        return response


@require_POST
def logout(request: HttpRequest) -> HttpResponse:
    """The way out, also for those who have given the password but not yet the code."""
    flows.logout.logout(request)
    return redirect(settings.LOGOUT_REDIRECT_URL)


def locked_out(
    request: HttpRequest, response: HttpResponse | None = None, credentials: dict[str, Any] | None = None
) -> HttpResponse:
    """The answer after five failures of one name from one address."""
    form = LockedForm(data={"username": request.POST.get("username", ""), "password": "…"})
    form.full_clean()
    minutes = round(settings.AXES_COOLOFF_TIME * 60)
    form.add_error(
        None,
        ValidationError(
            _("登录失败次数过多。为保护账户，请 %(minutes)d 分钟后再试。") % {"minutes": minutes}
        ),
    )
    return render(request, LOGIN_PAGE, {"form": form, "services": services()}, status=429)


@require_safe
@login_required
def security(request: HttpRequest) -> HttpResponse:
    user: Any = request.user
    authenticators = {row.type: row for row in Authenticator.objects.filter(user=user)}
    recovery = authenticators.get(Authenticator.Type.RECOVERY_CODES)
    return render(
        request,
        "account/security.html",
        {
            "totp": authenticators.get(Authenticator.Type.TOTP),
            "codes_left": len(recovery.wrap().get_unused_codes()) if recovery else 0,
            "required": second_factor.is_required(user),
            "session_count": UserSession.objects.filter(user=user).count(),
            "services": services(),
            "linked": SocialAccount.objects.filter(user=user),
        },
    )


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@reauthentication_required(allow_get=True)
def session_list(request: HttpRequest) -> HttpResponse:
    """One's own sessions; a posted key ends that one, no key all but this."""
    user: Any = request.user
    own = UserSession.objects.purge_and_list(user)
    if request.method == "POST":
        key = request.POST.get("session", "")
        if not key:
            end_other_sessions(request, user)
            messages.success(request, _("其他设备上的登录已全部退出。"))
            return redirect("usersessions_list")
        chosen = [session for session in own if str(session.pk) == key]
        if not chosen:
            raise Http404
        end_sessions(request, chosen)
        messages.success(request, _("已退出所选的登录。"))
        return redirect("usersessions_list" if request.user.is_authenticated else "login")
    rows = [
        {"session": session, "seen": sessions.last_seen(session), "agent": device_name(session.user_agent)}
        for session in own
    ]
    rows.sort(key=lambda row: (not row["session"].is_current(), -row["session"].created_at.timestamp()))
    return render(request, "account/sessions.html", {"rows": rows})


BROWSERS = (
    ("Edg", "Edge"),
    ("OPR", "Opera"),
    ("Firefox", "Firefox"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
)
SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS", "macOS"),
    ("Linux", "Linux"),
)


def device_name(agent: str) -> str:
    """Browser and system in two words, so that a person knows the own machine."""
    words = [next((name for mark, name in known if mark in agent), "") for known in (BROWSERS, SYSTEMS)]
    return " · ".join(filter(None, words)) or _("未知设备")
