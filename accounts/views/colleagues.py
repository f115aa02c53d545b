"""The people of an organisation: its manager invites, removes, and shares the management."""

from typing import Any

from allauth.account.internal.flows.login import Login, perform_login
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.hashers import make_password
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from accounts import joining
from accounts.forms.joining import InviteForm, NewColleagueForm
from accounts.models import Grant, Invitation, User
from common import formats
from common.scope import Noting
from common.steps import refusals_told
from common.throttle import too_often
from enterprises.models import Organization

# Mails that a manager may have sent, and tries of links, per address and minute.
INVITATIONS_PER_MINUTE = 20
LINKS_PER_MINUTE = 30


def _organization(request: HttpRequest) -> Organization:
    """The organisation in whose name the user works at the moment."""
    grant: Grant | None = request.grant or None  # type: ignore[attr-defined]
    if grant is None or grant.organization is None:
        raise PermissionDenied(_("这一页属于企业和机构，由本组织的管理员使用。"))
    if not joining.managing(request.user, grant.organization.pk):  # type: ignore[arg-type]
        raise PermissionDenied(_("同事由本组织的管理员邀请和移出。"))
    return grant.organization


def _link(request: HttpRequest) -> joining.Link:
    return lambda secret: request.build_absolute_uri(reverse("accounts:invited", args=[secret]))


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def colleagues(request: HttpRequest) -> HttpResponse:
    """Who acts for the organisation and who is invited; a posted form invites one more."""
    organization, user = _organization(request), request.user
    roles = joining.roles_to_pass_on(user, organization.pk)  # type: ignore[arg-type]
    form = InviteForm(request.POST if request.method == "POST" else None, roles=roles)
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid() and too_often(request, "invitations", INVITATIONS_PER_MINUTE):
            form.add_error(None, _("操作过于频繁，请一分钟后再试。"))
            status = 429
        elif form.is_valid():
            try:
                row = joining.invite(organization, by=user, link=_link(request), **form.cleaned_data)  # type: ignore[arg-type]
                _say_on_its_way(request, row)
                return redirect("accounts:colleagues")
            except ValidationError as fault:
                form.add_error("email", fault.messages)
    people: dict[User, list[Grant]] = {}
    for grant in joining.people_of(organization):
        people.setdefault(grant.user, []).append(grant)
    managers = [person for person, grants in people.items() if any(grant.is_manager for grant in grants)]
    context = {
        "organization": organization,
        "form": form,
        "people": [
            {
                "person": person,
                "roles": formats.listed(grant.get_role_display() for grant in grants),
                "manages": person in managers,
                "is_last": managers == [person],
            }
            for person, grants in people.items()
        ],
        "invitations": organization.invitations.undecided().select_related("letter"),
        "now": timezone.now(),
    }
    return render(request, "accounts/colleagues.html", context, status=status)


def _say_on_its_way(request: HttpRequest, invitation: Invitation) -> None:
    words = _("邀请邮件正在发往 %(email)s，链接 7 天内有效。是否发出，见下面的列表。")
    messages.success(request, words % {"email": invitation.email})


@require_http_methods(["POST"])
@login_required
def invitation(request: HttpRequest, pk: int) -> HttpResponse:
    """Send an invitation anew, or withdraw it."""
    organization, user = _organization(request), request.user
    row = get_object_or_404(organization.invitations, pk=pk)
    with refusals_told(request, joining.DecidedAlready):
        if "withdraw" in request.POST:
            joining.withdraw(row, by=user)  # type: ignore[arg-type]
            messages.success(request, _("给 %(email)s 的邀请已撤回。") % {"email": row.email})
        elif not too_often(request, "invitations", INVITATIONS_PER_MINUTE):
            joining.resend(row, by=user, link=_link(request))  # type: ignore[arg-type]
            _say_on_its_way(request, row)
        else:
            messages.error(request, _("操作过于频繁，请一分钟后再试。"))
    return redirect("accounts:colleagues")


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def colleague(request: HttpRequest, pk: int) -> HttpResponse:
    """Remove a colleague, after asking, or let it manage as well."""
    organization = _organization(request)
    ever = Grant.objects.judged("who ever acted for it").filter(organization=organization)
    person = get_object_or_404(Noting(User).filter(pk__in=ever.values("user")), pk=pk)
    if not joining.people_of(organization).filter(user=person).exists():
        messages.info(request, _("%(person)s已经不在本组织。") % {"person": person})
        return redirect("accounts:colleagues")
    by: Any = request.user
    if request.method != "POST":
        cancel_url = reverse("accounts:colleagues")
        context = {"person": person, "organization": organization, "cancel_url": cancel_url, "danger": True}
        return render(request, "accounts/colleague_remove.html", context)
    if "manage" in request.POST:
        joining.make_manager(organization, person, by=by)
        messages.success(request, _("%(person)s现在也是本组织的管理员。") % {"person": person})
    else:
        joining.remove(organization, person, by=by)
        messages.success(request, _("%(person)s已移出本组织，权限即刻失效。") % {"person": person})
        if person == by:
            return redirect("home")
    return redirect("accounts:colleagues")


@never_cache
@sensitive_post_parameters("password1", "password2")
@require_http_methods(["GET", "HEAD", "POST"])
def invited(request: HttpRequest, secret: str) -> HttpResponse:
    """The page behind the link of an invitation: accept with the own account, or open one."""
    if too_often(request, "invited", LINKS_PER_MINUTE):
        return render(request, "429.html", status=429)
    row = joining.invited_by(secret)
    if row is None:
        raise Http404
    if closed := joining.why_closed(row):
        return render(request, "accounts/invited.html", {"closed": closed}, status=410)
    user: Any = request.user if request.user.is_authenticated else None
    posted = request.method == "POST"
    form = None if user else NewColleagueForm(request.POST if posted else None, email=row.email)
    faults: list[str] = []
    if posted and (form is None or form.is_valid()):
        try:
            person = joining.accept(row, user=user, account=_account(form))
        except joining.DecidedAlready as fault:
            return render(request, "accounts/invited.html", {"closed": str(fault)}, status=410)
        except ValidationError as fault:
            if form is not None and hasattr(fault, "error_dict"):
                form.add_error(
                    None, {name: texts for name, texts in fault.error_dict.items() if name in form.fields}
                )
            faults = [] if form is not None and form.errors else fault.messages
        else:
            messages.success(request, _("您已加入%(organization)s。") % {"organization": row.organization})
            workspace = reverse("projects:workspace")
            return (
                redirect(workspace)
                if user
                else perform_login(request, Login(user=person, redirect_url=workspace))
            )
    context = {"invitation": row, "form": form, "faults": faults}
    return render(request, "accounts/invited.html", context, status=422 if posted else 200)


def _account(form: NewColleagueForm | None) -> dict[str, str] | None:
    if form is None:
        return None
    said = form.cleaned_data
    return {
        "username": said["username"],
        "password": make_password(said["password1"]),
        "name": said["person"],
    }
