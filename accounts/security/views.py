"""Signing in, the page of one's own account, and the list of one's sessions."""

from typing import Any

from allauth.account import views as account
from allauth.account.adapter import get_adapter
from allauth.account.decorators import reauthentication_required
from allauth.account.internal import flows
from allauth.core import ratelimit
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
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.security import address, second_factor, sessions
from accounts.security.forms import AddressForm, LockedForm
from accounts.security.services import services
from common.scope import note_miss

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
            note_miss(UserSession, pk=key)
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


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@reauthentication_required
def email_change(request: HttpRequest) -> HttpResponse:
    """Ask for another address; the answer is the same whichever it is."""
    user: Any = request.user
    form = AddressForm(request.POST if request.method == "POST" else None)
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid() and not ratelimit.consume(request, action="new_address", key=str(user.pk)):
            form.add_error(None, get_adapter().error_messages["rate_limited"])
            status = 429
        elif form.is_valid():
            email = form.cleaned_data["email"]
            address.ask(user, email)
            said = _("确认邮件将发到 %(email)s，请在 24 小时内打开其中的链接。在此之前邮箱不变。")
            messages.success(request, said % {"email": email})
            return redirect("account_security")
    return render(request, "account/email_change.html", {"form": form}, status=status)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def email_confirm(request: HttpRequest, token: str) -> HttpResponse:
    """The page behind the link; a form changes the address, for programs open links as well."""
    user: Any = request.user
    if request.method == "POST" and address.change(user, token):
        messages.success(request, _("邮箱已更换。"))
        return redirect("account_security")
    email = address.asked_for(user, token)
    return render(request, "account/email_confirm.html", {"email": email}, status=200 if email else 404)


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
