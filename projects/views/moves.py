"""The page of every move of the transition table, for every party."""

import uuid
from typing import Any
from urllib.parse import urlencode, urlsplit

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods
from django_htmx.http import HttpResponseLocation

from accounts.models import User
from common import charts
from common.forms import readable
from enterprises.models import NqiElement
from projects import services
from projects.clock import clock_of, turn_of
from projects.completion import changes_of
from projects.facts import sentence_of
from projects.forms.evidence import MAX_EVIDENCE
from projects.forms.moves import MoveForm, find_master
from projects.matching import institutions_for, likely_same
from projects.models import Bottleneck, Transition
from projects.timeline import file_entry
from projects.views.problem import bullet_of, posted_version
from projects.workflow import MOVES, STATES, Choice, Move, choices_for, judge
from record.services import looked_at

# The element of the desk in which a row is handled beside the list.
BESIDE = "beside"


def row_for(user: User, public_id: uuid.UUID) -> Bottleneck:
    """The problem with all that its forms show; 404 outside the user's scope."""
    row = get_object_or_404(
        Bottleneck.objects.visible_to(user)
        .select_related(
            "organization", "chain", "segment", "bureau", "handler__parent", "assigned_to", "contact"
        )
        .prefetch_related("measures", "attachments", "evidence__attachment"),
        public_id=public_id,
    )
    looked_at(row, row.organization_id, user)
    return row


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def move(request: HttpRequest, public_id: uuid.UUID, name: str) -> HttpResponse:
    """The form of one move, and the move itself."""
    row, table_row = row_for(request.user, public_id), MOVES.get(name)
    if table_row is None:
        raise Http404
    if name == "submit":
        return redirect("projects:bottleneck_edit", row.public_id, "check")
    if request.method == "POST":
        return _carry_out(request, row, table_row)
    choice = judge(row, table_row, request.user)
    if not choice.allowed and row.status not in table_row.sources:
        return _stale(request, row, choice)
    if not choice.allowed:
        return _refused(request, row, choice)
    initial = {
        "version": row.version,
        "next": next_address(request),
        "master": request.GET.get("master", ""),
    }
    form = MoveForm(move=table_row, user=request.user, grant=choice.grant, bottleneck=row, initial=initial)
    return _form_page(request, row, choice, form)


def _carry_out(request: HttpRequest, row: Bottleneck, table_row: Move) -> HttpResponse:
    version = posted_version(request)
    if already_done(row, table_row, request.user, version):
        messages.info(request, _("%s：这一步您已经办过，没有重复办理。") % table_row.done)
        return _go_on(request, row)
    choice = judge(row, table_row, request.user)
    if version != row.version or row.status not in table_row.sources:
        return _stale(request, row, choice)
    if not choice.allowed or choice.grant is None:
        return _refused(request, row, choice)
    form = MoveForm(
        request.POST,
        request.FILES,
        move=table_row,
        user=request.user,
        grant=choice.grant,
        bottleneck=row,
    )
    if "add_evidence" in request.POST or "look" in request.POST:
        return _form_page(request, row, choice, _asked_again(form))
    if not form.is_valid():
        return _form_page(request, row, choice, form)
    return _send(request, row, choice, form)


def _send(request: HttpRequest, row: Bottleneck, choice: Choice, form: MoveForm) -> HttpResponse:
    name, version = choice.move.name, row.version
    try:
        event = services.move(row, name, by=request.user, data=form.values(), version=version)
    except services.StaleRow:
        # Somebody, perhaps this user with a second click, came first while the form was checked.
        return _carry_out(request, row_for(request.user, row.public_id), choice.move)
    except ValidationError as fault:
        form.take_faults(fault)
        return _form_page(request, row, choice, form)
    report(request, row, event)
    return _go_on(request, row)


def already_done(row: Bottleneck, table_row: Move, user: User, version: int) -> Transition | None:
    """The event of this very move when the user has sent it twice."""
    last = row.transitions.last()
    if last and last.move == table_row.name and last.actor_id == user.pk and row.version == version + 1:
        return last
    return None


def report(request: HttpRequest, row: Bottleneck, event: Transition) -> None:
    """Say what was done, what comes next, and how to take it back where the table has a way."""
    done = MOVES[event.move].done
    if not Bottleneck.objects.visible_to(request.user).filter(pk=row.pk).exists():
        messages.success(request, _("%(done)s %(code)s。") % {"done": done, "code": row.code})
        return
    undo = next(
        (
            choice.move
            for choice in choices_for(row, request.user)
            if choice.allowed and choice.move.target == event.source != event.target
        ),
        None,
    )
    messages.success(
        request,
        format_html(
            '{} <a href="{}">{}</a>{} {}{}',
            done,
            reverse("projects:bottleneck_detail", args=[row.public_id]),
            row.code,
            _("。"),
            STATES[row.status].next_step,
            format_html(' <a href="{}">{}</a>', address_of(row, undo), _("撤销（%s）") % undo.label)
            if undo
            else "",
        ),
    )


def address_of(row: Bottleneck, table_row: Move, after: str = "") -> str:
    """The page of a move; ``after`` is where to go when it is made."""
    address = reverse("projects:bottleneck_move", args=[row.public_id, table_row.name])
    return f"{address}?{urlencode({'next': after})}" if after else address


def _go_on(request: HttpRequest, row: Bottleneck) -> HttpResponse:
    """Back to where the user came from, else to the problem, else (when it left the scope) to the desk."""
    target = next_address(request)
    if not target:
        if Bottleneck.objects.visible_to(request.user).filter(pk=row.pk).exists():
            target = reverse("projects:bottleneck_detail", args=[row.public_id])
        else:
            grant = request.grant
            target = reverse("projects:desk" if grant and grant.bureau_id else "projects:workspace")
    if _beside(request):
        return HttpResponseLocation(target, target=".shell", select=".shell", swap="outerHTML")
    return redirect(target)


def next_address(request: HttpRequest) -> str:
    """Where to go after the move, if it was given and lies on this site."""
    address = request.POST.get("next") or request.GET.get("next") or ""
    here = address.startswith("/") and url_has_allowed_host_and_scheme(address, request.get_host())
    return address if here else ""


def back_address(request: HttpRequest, row: Bottleneck) -> str:
    """Where the user came from: the desk with this row open, or the problem."""
    address = urlsplit(next_address(request))
    if not address.path.startswith(reverse("projects:desk")):
        return reverse("projects:bottleneck_detail", args=[row.public_id])
    query = QueryDict(address.query, mutable=True)
    query["open"] = str(row.public_id)
    return f"{address.path}?{query.urlencode()}"


def _beside(request: HttpRequest) -> bool:
    return bool(request.htmx) and request.htmx.target == BESIDE


def _asked_again(form: MoveForm) -> MoveForm:
    """The same form with one more row of evidence or the master looked up; what was typed stays."""
    data = form.data.copy()
    if form.evidence:
        data["evidence-TOTAL_FORMS"] = str(min(len(form.evidence.forms) + 1, MAX_EVIDENCE))
    return MoveForm(
        data, move=form.move, user=form.user, grant=form.grant, bottleneck=form.bottleneck, quiet=True
    )


def _form_page(
    request: HttpRequest,
    row: Bottleneck,
    choice: Choice,
    form: MoveForm,
    *,
    warning: str = "",
    status: int = 200,
) -> HttpResponse:
    context: dict[str, Any] = {
        "bottleneck": row,
        "move": choice.move,
        "form": form,
        "clock": clock_of(row),
        "turn": turn_of(row),
        "acting": choice.grant and (choice.grant.bureau or choice.grant.organization),
        "warning": warning,
        "next_address": next_address(request),
        "back": back_address(request, row),
        "after": STATES[choice.move.leads_to(row.status)].next_step,
        "beside": _beside(request),
        "changes": changes_of(filing) if (filing := row.transitions.filter(move="submit").last()) else [],
        "measure_lines": [sentence_of(measure) for measure in row.measures.all()],
        "summary_files": [file_entry(attachment) for attachment in row.attachments.all()],
        "bullets": [(measure, charts.render(bullet_of(measure))) for measure in row.measures.all()]
        if row.status in (Bottleneck.Status.SOLUTION_FILED, Bottleneck.Status.VERIFICATION)
        else [],
    }
    if "master" in form.fields:
        typed = request.GET.get("master") or request.POST.get("master") or ""
        context |= {
            "master": find_master(typed, request.user, row) if typed else None,
            "master_typed": typed,
            "likely": likely_same(row, request.user),
        }
    if "assigned_to" in form.fields:
        context |= institutions_context(request, row.nqi_elements, row.handler)
    template = "projects/moves/_beside.html" if context["beside"] else "projects/moves/move.html"
    return render(request, template, context, status=status)


def institutions_context(request: HttpRequest, elements: Any, near: Any) -> dict[str, Any]:
    """The institutions to choose from: found by the typed words, and the one chosen already."""
    words = readable(request.GET.get("q", "") or request.POST.get("q", ""))
    chosen = readable(request.POST.get("assigned_to") or request.GET.get("assigned_to") or "")
    found = institutions_for(elements, near, words)
    if chosen and chosen not in {institution.uscc for institution in found}:
        found = [*institutions_for(elements, near, chosen), *found]
    for institution in found:
        institution.elements = [
            (code, NqiElement(code).label) for code in institution.institution_profile.nqi_elements
        ]
    return {"institutions": found, "words": words, "chosen": chosen, "missing": set(elements)}


@login_required
@require_GET
def institutions(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """The institutions that fit typed words, for an officer who may dispatch the problem."""
    row = get_object_or_404(
        Bottleneck.objects.visible_to(request.user).select_related("handler", "bureau"), public_id=public_id
    )
    choice = judge(row, MOVES["dispatch"], request.user)
    if not choice.allowed:
        raise PermissionDenied(choice.refusal)
    return render(
        request,
        "projects/moves/_institutions.html",
        institutions_context(request, row.nqi_elements, row.handler),
    )


def _stale(request: HttpRequest, row: Bottleneck, choice: Choice) -> HttpResponse:
    """Somebody came first: who did what when, with the typed text kept; 409."""
    sentence = services.why_stale(row, choice.move)
    typed: list[tuple[str, str]] = []
    if request.method == "POST":
        data = request.POST.copy()
        data["version"] = str(row.version)
        form = MoveForm(
            data, move=choice.move, user=request.user, grant=choice.grant, bottleneck=row, quiet=True
        )
        if choice.allowed:
            return _form_page(request, row, choice, form, warning=sentence, status=409)
        typed = form.typed()
    context = {
        "bottleneck": row,
        "move": choice.move,
        "sentence": sentence,
        "state": STATES[row.status],
        "typed": typed,
        "back": back_address(request, row),
        "beside": _beside(request),
    }
    template = "projects/moves/_stale.html" if context["beside"] else "projects/moves/stale.html"
    return render(request, template, context, status=409)


def _refused(request: HttpRequest, row: Bottleneck, choice: Choice) -> HttpResponse:
    """The table has the move, but not for this user or not yet; 403 with the reason."""
    if not _beside(request):
        raise PermissionDenied(choice.refusal)
    context = {"bottleneck": row, "move": choice.move, "reason": choice.refusal}
    request.refusal = choice.refusal
    return render(request, "projects/moves/_refused.html", context, status=403)
