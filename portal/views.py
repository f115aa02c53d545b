"""Pages of the site itself, beside those of the apps."""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from accounts.joining import registrations_of
from accounts.models import Grant
from bulletins import access, dashboard, figures
from bulletins.disclosure import Reader
from bulletins.models import Bulletin, Period
from common.scope import note_miss
from enterprises.models import Bureau
from portal.grants import SESSION_KEY

BULLETINS_SHOWN = 5


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """The figures of the latest published period, the latest bulletins, verification, and how to begin."""
    issued = Bulletin.objects.public().filter(status=Bulletin.Status.ISSUED).select_related("bureau")
    context: dict[str, Any] = {
        "bulletins": issued[:BULLETINS_SHOWN],
        "own_href": _own_address(request),
    }
    nation = Bureau.objects.filter(level=Bureau.Level.NATIONAL).first()
    period = access.latest(Period.objects.published())
    snapshot = figures.current(period) if period else None
    if nation and period and snapshot:
        context |= {
            "board": dashboard.Board(snapshot, nation, Reader(request.user)),
            "period": period,
            "snapshot": snapshot,
            "figures_href": dashboard.address(period, nation),
        }
    return render(request, "portal/home.html", context)


def _own_address(request: HttpRequest) -> str:
    """Where the user works; people who wait to be verified prepare their drafts in the workspace."""
    grant = request.grant  # type: ignore[attr-defined]
    if grant:
        return reverse("projects:desk" if grant.bureau_id else "projects:workspace")
    waits = request.user.is_authenticated and registrations_of(request.user)
    return reverse("projects:workspace") if waits else ""


@require_POST
@login_required
def role_switch(request: HttpRequest) -> HttpResponse:
    """Opens the desk or workspace of another grant of the user."""
    chosen = request.POST.get("grant", "")
    for grant in request.user.grants_in_force:  # type: ignore[union-attr]
        if str(grant.pk) == chosen:
            request.session[SESSION_KEY] = grant.pk
            return redirect("projects:desk" if grant.bureau_id else "projects:workspace")
    # What was the person's own a moment ago, or lent to it, is no row of others.
    note_miss(Grant, ~Q(user=request.user) & ~Q(user__substitutes__substitute=request.user), pk=chosen)
    raise Http404
