"""Pages of the site itself, beside those of the apps."""

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from portal.grants import SESSION_KEY


@require_POST
@login_required
def role_switch(request: HttpRequest) -> HttpResponse:
    """Opens the desk or workspace of another grant of the user."""
    chosen = request.POST.get("grant", "")
    for grant in request.user.grants_in_force:  # type: ignore[union-attr]
        if str(grant.pk) == chosen:
            request.session[SESSION_KEY] = grant.pk
            return redirect("projects:desk" if grant.bureau_id else "projects:workspace")
    raise Http404
