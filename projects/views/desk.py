"""The desk of a bureau: the inbox by queue, a row beside the list, and moves of many rows at once."""

import uuid
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Count, Exists, OuterRef, Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods

from accounts.models import Grant, Role, User
from common.listing import TwoEndedPaginator, ordering
from common.scope import note_miss
from enterprises.models import Bureau
from projects import services, twins
from projects.clock import clock_of, turn_of
from projects.facts import sentence_of
from projects.filters import BottleneckFilter
from projects.forms.moves import MoveForm
from projects.models import Bottleneck, Transition
from projects.querysets import BottleneckQuerySet
from projects.timeline import events_of, file_entry
from projects.views.moves import BESIDE, address_of, already_done, institutions_context, row_for
from projects.views.problem import actions_for
from projects.workflow import MOVES, STATES, Move, Party, grant_for, handled_by, judge, statuses_of

S = Bottleneck.Status
PER_PAGE = 25
EVENTS_SHOWN = 4
# Moves that may be made for many rows, and keys that make one for the chosen row; others go by their number.
BULK_MOVES = ("accept", "list", "dispatch")
KEYS = {"a": "accept", "r": "return"}
COLUMNS = {
    "clock": ("clock_due_on", "submitted_at"),
    "code": ("code",),
    "title": ("title",),
    "firm": ("organization__name",),
    "chain": ("chain__name",),
    "status": ("status", "clock_due_on"),
    "handler": ("handler__code",),
    "age": ("-submitted_at",),
    "changed": ("status_changed_at",),
}


# --- Queues -------------------------------------------------------------------------------------------------


def desk_grant(request: HttpRequest) -> Grant:
    """The bureau grant at whose desk the user sits; refused to those who act for an organisation."""
    grant = request.grant
    if not grant or not grant.bureau_id:
        raise PermissionDenied(_("工作台供市场监管部门使用，您现在以企业或机构的身份登录。"))
    return grant


def rows_of(user: User, grant: Grant) -> BottleneckQuerySet:
    """Every filed problem of the subtree, and of the chain, for which the desk is kept."""
    rows = Bottleneck.objects.visible_to(user).exclude(status=S.DRAFT).filter(voided_at__isnull=True)
    if grant.chain_id:
        rows = rows.filter(chain=grant.chain_id)
    if grant.level == Bureau.Level.NATIONAL:
        return rows
    return rows.filter(bureau__in=Bureau.objects.within(grant.bureau))


def to_handle(rows: BottleneckQuerySet, grant: Grant, user: User, _today: date) -> BottleneckQuerySet:
    """What waits for this bureau, and what this user may verify of its own and of the level below."""
    bureau = grant.bureau
    here = Q(status__in=statuses_of(Party.OFFICER), handler=bureau)
    near = Q(handler=bureau) | Q(handler__parent=bureau) | Q(bureau=bureau)
    verifiable = Q(status__in=statuses_of(Party.VERIFIER)) & near
    if bureau.level > Bureau.Level.CITY:
        verifiable &= ~Q(grade__in=(Bottleneck.Grade.PROVINCE, Bottleneck.Grade.NATION))
    people = [user, grant.principal] if grant.principal else [user]
    handled = Transition.objects.filter(handled_by(people), bottleneck=OuterRef("pk"))
    return rows.filter(here | (verifiable & ~Exists(handled)))


@dataclass(frozen=True)
class Queue:
    """A view of the desk: rows in some statuses or found by a question, their first order, and what it says
    when there are none."""

    label: Any
    empty: Any
    statuses: Collection[str] = ()
    found_by: Callable[[BottleneckQuerySet, Grant, User, date], BottleneckQuerySet] | None = None
    sort: str = "clock"

    def rows(self, rows: BottleneckQuerySet, grant: Grant, user: User, today: date) -> BottleneckQuerySet:
        if self.found_by:
            return self.found_by(rows, grant, user, today)
        return rows.filter(status__in=self.statuses)


QUEUES: dict[str, Queue] = {
    "mine": Queue(
        gettext_lazy("待我办理"),
        gettext_lazy("轮到本单位办理的问题和您可以核验的问题都在这里，最急的排在最前。"),
        found_by=to_handle,
    ),
    "area": Queue(
        gettext_lazy("本辖区"),
        gettext_lazy("本单位和下级单位受理的全部问题都在这里。"),
        [status for status in S if status != S.DRAFT],
    ),
    "overdue": Queue(
        gettext_lazy("超期"),
        gettext_lazy("没有超期的问题。"),
        found_by=lambda rows, _grant, _user, today: rows.overdue_on(today),
    ),
    "soon": Queue(
        gettext_lazy("即将到期"),
        gettext_lazy("时限用去七成以上的问题会列在这里。"),
        found_by=lambda rows, _grant, _user, today: rows.due_soon_on(today),
    ),
    "reported": Queue(
        gettext_lazy("督办"),
        gettext_lazy("下级单位超期满三个工作日、由系统上报本单位的问题会列在这里。"),
        found_by=lambda rows, grant, _user, _today: rows.filter(escalated_to=grant.bureau),
    ),
    "firm": Queue(
        gettext_lazy("等企业"),
        gettext_lazy("等企业补正或确认的问题会列在这里。"),
        [status for status in statuses_of(Party.FILER) if status != S.DRAFT],
    ),
    "institution": Queue(
        gettext_lazy("等机构"),
        gettext_lazy("等机构答复或正在攻关的问题会列在这里。"),
        statuses_of(Party.INSTITUTION),
    ),
    "done": Queue(
        gettext_lazy("已办结"),
        gettext_lazy("解决、终止、归并、撤回和不予受理的问题会列在这里。"),
        Bottleneck.ENDED,
        sort="-changed",
    ),
}


def counts_of(
    queues: dict[str, Queue], rows: BottleneckQuerySet, grant: Grant, user: User, today: date
) -> dict[str, int]:
    """How many rows stand in each queue; those that are statuses only are counted in one go."""
    by_status = dict(rows.order_by().values_list("status").annotate(n=Count("pk")))
    return {
        name: queue.rows(rows, grant, user, today).count()
        if queue.found_by
        else sum(by_status.get(status, 0) for status in queue.statuses)
        for name, queue in queues.items()
    }


# --- The list -----------------------------------------------------------------------------------------------


@login_required
@require_GET
def desk(request: HttpRequest, name: str = "") -> HttpResponse:
    """One queue as a dense table, with the opened row beside it."""
    grant, user, today = desk_grant(request), request.user, timezone.localdate()
    # Who only reads has nothing to handle.
    queues = {key: queue for key, queue in QUEUES.items() if key != "mine" or grant.role == Role.OFFICER}
    name = name or next(iter(queues))
    if name not in queues:
        raise Http404
    rows, queue = rows_of(user, grant), queues[name]
    filterset = BottleneckFilter(request.GET, queue.rows(rows, grant, user, today), request=request)
    sort = request.GET.get("sort", "")
    if sort.removeprefix("-") not in COLUMNS:
        sort = queue.sort
    found = filterset.qs.order_by(*ordering(Bottleneck, _paths(sort)))
    page = TwoEndedPaginator(found.values_list("pk", flat=True), PER_PAGE).get_page(request.GET.get("page"))
    by_key = Bottleneck.objects.judged("keys of the queue").for_lists().in_bulk(page.object_list)
    shown = [by_key[key] for key in page.object_list if key in by_key]
    opened = _opened(request, shown)
    if request.htmx and request.htmx.target == BESIDE:
        response = render(request, "projects/desk_panel.html", {"opened": opened})
        # The address follows the opened row, and going back leaves the list at once.
        response["HX-Replace-Url"] = request.get_full_path()
        return response
    counts = counts_of(queues, rows, grant, user, today)
    context = {
        "filter": filterset,
        "page": page,
        "rows": [_line(request, row, shown, today) for row in shown],
        "opened": opened,
        "queue": queue,
        "default_sort": queue.sort,
        "tabs": [
            {
                "label": other.label,
                "href": reverse("projects:desk_queue", args=[key]),
                "current": key == name,
                "number": counts[key],
            }
            for key, other in queues.items()
        ],
        "rail_counts": {"inbox": counts.get("mine")},
        "filtered": any(value for key, value in request.GET.items() if key in filterset.form.fields),
        "bulk": [
            MOVES[move]
            for move in BULK_MOVES
            if any(row.status in MOVES[move].sources and grant_for(row, Party.OFFICER, user) for row in shown)
        ],
        "reads_only": grant.role != Role.OFFICER,
    }
    return render(request, "projects/desk.html", context)


def _paths(sort: str) -> list[str]:
    paths = COLUMNS[sort.removeprefix("-")]
    if not sort.startswith("-"):
        return list(paths)
    return [path[1:] if path.startswith("-") else f"-{path}" for path in paths]


def _address(request: HttpRequest, opened: uuid.UUID | None = None) -> str:
    """The same list with another row opened, or with none."""
    query = request.GET.copy()
    query.pop("open", None)
    if opened:
        query["open"] = str(opened)
    return f"{request.path}?{query.urlencode()}" if query else request.path


def _after(request: HttpRequest, row: Bottleneck, shown: list[Bottleneck]) -> str:
    """The list with the row open that follows this one, or precedes it at the end."""
    places = [other.pk for other in shown]
    place = places.index(row.pk) if row.pk in places else len(places)
    following = shown[place + 1 : place + 2] or shown[:place][-1:]
    return _address(request, *(other.public_id for other in following))


def _line(request: HttpRequest, row: Bottleneck, shown: list[Bottleneck], today: date) -> dict[str, Any]:
    """What one line of the table shows."""
    end = timezone.localdate(row.status_changed_at) if row.status in Bottleneck.ENDED else today
    return {
        "row": row,
        "clock": clock_of(row, today),
        "age": (end - timezone.localdate(row.submitted_at)).days,
        "beside": _address(request, row.public_id),
        "keys": [
            (key, address_of(row, MOVES[name], _after(request, row, shown)))
            for key, name in KEYS.items()
            if row.status in MOVES[name].sources and grant_for(row, Party.OFFICER, request.user)
        ],
    }


# --- Beside the list ----------------------------------------------------------------------------------------


def _opened(request: HttpRequest, shown: list[Bottleneck]) -> dict[str, Any] | None:
    """The row named by ``?open=`` with its facts, last events and moves; None when there is none to see."""
    try:
        wanted = uuid.UUID(request.GET.get("open", ""))
    except ValueError:
        return None
    try:
        row = row_for(request.user, wanted)
    except Http404:
        note_miss(Bottleneck, public_id=wanted)
        return None
    events = events_of(row)
    actions = actions_for(row, request.user)
    # What the other parties may do is no loss of this one; it stands on the page of the problem.
    actions["refused"] = [
        (reason, own)
        for reason, choices in actions["refused"]
        if (own := [choice for choice in choices if choice.grant])
    ]
    keys = {address_of(row, MOVES[name]): key for key, name in KEYS.items()}
    for number, action in enumerate(actions["allowed"], 1):
        action["key"] = keys.get(action["href"]) or str(number)
    return {
        "bottleneck": row,
        "clock": clock_of(row),
        "turn": turn_of(row),
        "state": STATES[row.status],
        "actions": actions,
        "next": urlencode({"next": _after(request, row, shown)}),
        "close": _address(request),
        "measures": [sentence_of(measure) for measure in row.measures.all()],
        "files": [file_entry(attachment) for attachment in row.attachments.all()],
        "contact": row.contact_for(request.user),
        "follow_ups": row.follow_ups.exclude(answer="") if row.resolved_at else [],
        "events": events[:EVENTS_SHOWN],
        "more_events": max(len(events) - EVENTS_SHOWN, 0),
        "twins": twins.waiting(row, request.user),
    }


# --- Many rows at once --------------------------------------------------------------------------------------


@dataclass
class Outcome:
    """What will happen, or has happened, to one row of the selection."""

    row: Bottleneck
    refusal: str = ""
    done: bool = False

    @property
    def token(self) -> str:
        """The row as it was looked at."""
        return f"{self.row.public_id}:{self.row.version}"


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def bulk(request: HttpRequest) -> HttpResponse:
    """One move for a selection of rows: a preview of each, then each by itself, then what became of it."""
    grant, user = desk_grant(request), request.user
    given = request.POST if request.method == "POST" else request.GET
    table_row = MOVES.get(given.get("move", ""))
    if table_row is None or table_row.name not in BULK_MOVES:
        raise Http404
    versions = _selection(given.getlist("row"))
    rows = list(
        Bottleneck.objects.visible_to(user)
        .filter(public_id__in=versions)
        .for_lists()
        .select_related("handler__parent", "bureau")
        .prefetch_related("measures")
        .by_clock()
    )
    for unseen in versions.keys() - {row.public_id for row in rows}:
        note_miss(Bottleneck, public_id=unseen)
    if not rows:
        return redirect("projects:desk")
    choices = [judge(row, table_row, user) for row in rows]
    outcomes = [Outcome(row, choice.refusal) for row, choice in zip(rows, choices, strict=True)]
    acting = next((choice.grant for choice in choices if choice.grant), grant)
    initial = {"next": given.get("next", "")}
    form = MoveForm(
        given if request.method == "POST" else None,
        move=table_row,
        user=user,
        grant=acting,
        initial=initial,
    )
    context = {
        "move": table_row,
        "form": form,
        "outcomes": outcomes,
        "ready": sum(not outcome.refusal for outcome in outcomes),
        "back": _back(given.get("next", "")),
        "acting": acting.bureau,
    }
    if "assigned_to" in form.fields:
        elements = {code for row in rows for code in row.nqi_elements}
        context |= institutions_context(request, elements, rows[0].handler)
    if request.method != "POST" or not form.is_valid():
        return render(request, "projects/desk_bulk.html", context)
    context["outcomes"] = [_make(outcome, table_row, form, user, versions) for outcome in outcomes]
    context["ready"] = sum(outcome.done for outcome in outcomes)
    return render(request, "projects/desk_bulk_done.html", context)


def _selection(tokens: list[str]) -> dict[uuid.UUID, int | None]:
    """The rows of the address with the version at which they were looked at; at most a page of them."""
    versions: dict[uuid.UUID, int | None] = {}
    for token in tokens[:PER_PAGE]:
        key, _colon, version = token.partition(":")
        try:
            versions[uuid.UUID(key)] = int(version) if version.isdecimal() else None
        except ValueError:
            continue
    return versions


def _back(address: str) -> str:
    desk_address = reverse("projects:desk")
    return address if address.startswith(desk_address) else desk_address


def _make(
    outcome: Outcome, table_row: Move, form: MoveForm, user: User, versions: dict[uuid.UUID, int | None]
) -> Outcome:
    """The move of one row; a refusal leaves the other rows alone."""
    row, version = outcome.row, versions[outcome.row.public_id]
    if version is not None and already_done(row, table_row, user, version):
        outcome.done, outcome.refusal = True, ""
        return outcome
    try:
        services.move(row, table_row.name, by=user, data=form.values(), version=version)
    except (PermissionDenied, services.StaleRow) as refusal:
        outcome.refusal = str(refusal)
    except ValidationError as refusal:
        outcome.refusal = " ".join(refusal.messages)
    else:
        outcome.done, outcome.refusal = True, ""
    return outcome
