"""Template tags of the page building blocks; their markup stands in `templates/partials/`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from types import SimpleNamespace
from typing import Any, NamedTuple
from urllib.parse import urlencode

from django import template
from django.core.paginator import Page, Paginator
from django.forms import BaseForm
from django.http import HttpRequest, QueryDict
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language

from common import formats

register = template.Library()

# Parameters that point into one particular result and lose their sense when it changes.
POSITION_PARAMETERS = ("page", "after", "before")
SORT_PARAMETER = "sort"


class Look(NamedTuple):
    tone: str
    shape: str


# The look of each status: its tone says whose turn it is, its shape says the status without colour.
# neutral: not running; info: with a bureau; active: being worked on; wait: to be confirmed; good, warn, bad.
STATE_LOOK: Mapping[str, Look] = {
    # bottlenecks (domain.md 4.1)
    "draft": Look("neutral", "ring-dashed"),
    "submitted": Look("info", "ring"),
    "returned": Look("warn", "return"),
    "rejected": Look("bad", "cross"),
    "withdrawn": Look("neutral", "slash"),
    "lapsed": Look("neutral", "slash"),
    "accepted": Look("info", "ring-dot"),
    "merged": Look("neutral", "merge"),
    "listed": Look("info", "list"),
    "dispatched": Look("active", "arrow"),
    "posted": Look("info", "list"),
    "awarded": Look("active", "arrow"),
    "in_progress": Look("active", "triangle"),
    "suspended": Look("neutral", "pause"),
    "unsolvable": Look("neutral", "pause"),
    "solution_filed": Look("wait", "diamond"),
    "verification": Look("wait", "diamond-dot"),
    "partly": Look("good", "three-quarter"),
    "resolved": Look("good", "check"),
    "reopened": Look("warn", "loop"),
    "archived": Look("good", "check"),
    "terminated": Look("neutral", "slash"),
    # projects and key projects
    "filed": Look("info", "ring"),
    "proposed": Look("info", "ring"),
    "approved": Look("info", "ring-dot"),
    "executing": Look("active", "triangle"),
    "running": Look("active", "triangle"),
    "delayed": Look("bad", "warning"),
    "acceptance": Look("wait", "diamond"),
    "failed": Look("bad", "cross"),
    # demands for standards and metrology specifications
    "drafting": Look("active", "triangle"),
    "consulting": Look("active", "half"),
    "examined": Look("wait", "diamond"),
    "reported": Look("wait", "diamond-dot"),
    "reviewing": Look("wait", "loop"),
    "declined": Look("bad", "cross"),
    # consortia
    "preparing": Look("neutral", "ring-dashed"),
    "formed": Look("info", "ring-dot"),
    "active": Look("active", "triangle"),
    "dormant": Look("warn", "pause"),
    "dissolved": Look("neutral", "slash"),
    # milestones
    "open": Look("neutral", "ring"),
    "done": Look("good", "check"),
    # periods, jobs, bulletins
    "collecting": Look("active", "half"),
    "frozen": Look("info", "lock"),
    "revised": Look("good", "loop"),
    # bureaus that confirm figures
    "not_yet": Look("neutral", "ring"),
    "waiting": Look("neutral", "ring-dashed"),
    "ready": Look("warn", "half"),
    "excused": Look("neutral", "slash"),
    "published": Look("good", "check"),
    "queued": Look("neutral", "ring"),
    "review": Look("info", "ring-dot"),
    "signing": Look("wait", "diamond"),
    "issued": Look("good", "check"),
    "valid": Look("good", "check"),
    "replaced": Look("warn", "loop"),
    "superseded": Look("neutral", "loop"),
    # evidence
    "mismatch": Look("bad", "warning"),
    "not_found": Look("bad", "warning"),
    # answers of the verification page
    "genuine": Look("good", "check"),
    "altered": Look("bad", "cross"),
    "disputed": Look("warn", "warning"),
    "unknown": Look("bad", "cross"),
}
# Where the same code means something else.
STATE_LOOK_OF: Mapping[tuple[str, str], Look] = {
    ("registration", "pending"): Look("wait", "diamond"),
    ("registration", "verified"): Look("good", "check"),
    ("registration", "refused"): Look("bad", "cross"),
    ("chainproject", "accepted"): Look("good", "check"),
    ("keyproject", "accepted"): Look("good", "check"),
    ("bulletin", "withdrawn"): Look("bad", "slash"),
    ("inspectionreport", "withdrawn"): Look("bad", "slash"),
    ("period", "open"): Look("active", "half"),
    ("submission", "submitted"): Look("wait", "diamond"),
    ("submission", "approved"): Look("good", "check"),
}
UNKNOWN_LOOK = Look("neutral", "ring")


@register.simple_tag
@lru_cache(maxsize=512)
def icon(name: str, size: int = 16, label: str = "") -> SafeString:
    """A symbol of `static/img/icons.svg`; decorative unless it has a label."""
    href = f"{static('img/icons.svg')}#{name}"
    if label:
        return format_html(
            '<svg class="icon" width="{0}" height="{0}" role="img" aria-label="{1}"><use href="{2}"/></svg>',
            size,
            label,
            href,
        )
    return format_html(
        '<svg class="icon" width="{0}" height="{0}" aria-hidden="true"><use href="{1}"/></svg>',
        size,
        href,
    )


def look_of(code: str, model_name: str = "") -> Look:
    return STATE_LOOK_OF.get((model_name, str(code))) or STATE_LOOK.get(str(code), UNKNOWN_LOOK)


@register.inclusion_tag("partials/_state_badge.html")
def state_badge(code: str, label: str, model_name: str = "") -> dict[str, Any]:
    """Colour, shape and word of a state, of a model where the code means something else elsewhere."""
    return {"label": label, "look": look_of(code, model_name)}


@register.inclusion_tag("partials/_state_badge.html")
def status_badge(row: Any) -> dict[str, Any]:
    """The same for a model instance with a `status`."""
    return {"label": row.get_status_display(), "look": look_of(row.status, row._meta.model_name)}


@register.simple_tag
def state_icon(code: str) -> SafeString:
    """The shape of a state alone, beside words that name it."""
    return icon(look_of(code).shape)


@register.simple_tag
def state_tone(code: str) -> str:
    """The colour class of a state."""
    return f"tone-{look_of(code).tone}"


@register.inclusion_tag("partials/_breadcrumbs.html")
def breadcrumbs(*steps: str) -> dict[str, Any]:
    """`{% breadcrumbs "问题" list_url "DK-…" %}`: pairs of word and address, the last word without one."""
    pairs = list(zip(steps[::2], [*steps[1::2], ""], strict=True))
    return {"crumbs": pairs}


@register.inclusion_tag("partials/_clock.html")
def clock(
    state: str = "none",
    remaining: int | None = None,
    share: float | None = None,
    *,
    label: str = "",
    due: formats.Moment = None,
    compact: bool = False,
) -> dict[str, Any]:
    """The running limit of a row: bar and words.

    ``state``: green, amber, red, paused or none. ``remaining``: working days, negative when overdue.
    ``share``: part of the limit that is used up, 0 to 1. ``label``: the step that the clock times.
    """
    used = 1.0 if state == "red" else min(max(float(share or 0), 0.0), 1.0)
    return {
        "state": state,
        "words": "" if state in ("paused", "none") else formats.clock_words(remaining),
        "label": label,
        "due": due,
        "compact": compact,
        "width": round(used * 48, 1),
    }


def _query(request: HttpRequest | None) -> QueryDict:
    """The parameters of the page without empty ones and without a position."""
    query = QueryDict(mutable=True)
    for name, values in request.GET.lists() if request else ():
        if name not in POSITION_PARAMETERS and any(values):
            query.setlist(name, [value for value in values if value])
    return query


@register.simple_tag(takes_context=True)
def sort_heading(
    context: template.Context, label: str, field: str, numeric: bool = False, default: str = ""
) -> SafeString:
    """A column heading that sorts by ``field``; a second click turns the order round.

    Numbers and days sort largest first on the first click. ``default`` is the order without `?sort=`.
    """
    query = _query(context.get("request"))
    current = query.get(SORT_PARAMETER) or default
    if current == field:
        direction, target = "ascending", f"-{field}"
    elif current == f"-{field}":
        direction, target = "descending", field
    else:
        direction, target = "", f"-{field}" if numeric else field
    query[SORT_PARAMETER] = target
    return _heading(label, numeric, direction, f"?{query.urlencode()}")


@lru_cache(maxsize=1024)
def _heading(label: str, numeric: bool, direction: str, href: str) -> SafeString:
    heading = {"label": label, "numeric": numeric, "direction": direction, "href": href}
    return render_to_string("partials/_sort_heading.html", heading)


class Chip(NamedTuple):
    label: str
    value: str
    href: str


def _choice_words(form: BaseForm, name: str, raw: str) -> str:
    """The word that the form shows for a raw value of the address."""
    field = form.fields[name]
    for key, label in getattr(field, "choices", ()) or ():
        if isinstance(label, list | tuple):
            for inner, inner_label in label:
                if str(inner) == raw:
                    return str(inner_label)
        elif str(getattr(key, "value", key)) == raw:
            return str(label)
    return raw


def chips_of(form: BaseForm, query: QueryDict) -> list[Chip]:
    """The filters in force, each with the address of the same list without it."""
    names = {subname: name for name, field in form.fields.items() for subname in _subnames(name, field)}
    chips = []
    for key in query:
        if key not in names or key == SORT_PARAMETER:
            continue
        values = query.getlist(key)
        for raw in values:
            rest = query.copy()
            rest.setlist(key, [other for other in values if other != raw])
            name = names[key]
            chips.append(Chip(str(form[name].label), _choice_words(form, name, raw), f"?{rest.urlencode()}"))
    return chips


def _subnames(name: str, field: Any) -> Iterable[str]:
    """The parameters of a field in the address; a range has two."""
    suffixes = getattr(field.widget, "suffixes", None)
    return [f"{name}_{suffix}" for suffix in suffixes] if suffixes else [name]


@register.inclusion_tag("partials/_filter_bar.html", takes_context=True)
def filter_bar(context: template.Context, form: BaseForm, lead: str = "q") -> dict[str, Any]:
    """The filters of a list as a GET form. ``lead``: names (comma-separated) that always stand open."""
    request = context.get("request")
    leading = [name.strip() for name in lead.split(",") if name.strip() in form.fields]
    query = _query(request)
    more = [form[name] for name in form.fields if name not in leading and name != SORT_PARAMETER]
    more_in_use = sum(
        any(query.get(subname) for subname in _subnames(bound.name, bound.field)) for bound in more
    )
    return {
        "lead_fields": [form[name] for name in leading],
        "more_fields": more,
        "more_in_use": more_in_use,
        "sort": query.get(SORT_PARAMETER, ""),
        "path": request.path if request else "",
        "request": request,
    }


@register.inclusion_tag("partials/_filter_chips.html", takes_context=True)
def filter_chips(context: template.Context, form: BaseForm) -> dict[str, Any]:
    """The filters in force as removable chips."""
    request = context.get("request")
    query = _query(request)
    chips = chips_of(form, query)
    cleared = QueryDict(mutable=True)
    if sort := query.get(SORT_PARAMETER):
        cleared[SORT_PARAMETER] = sort
    return {"chips": chips, "clear_href": f"?{cleared.urlencode()}"}


@register.simple_tag(takes_context=True)
def pager(context: template.Context, page: Any) -> SafeString:
    """Total and steps through a list.

    ``page`` is a `django.core.paginator.Page` (numbers), or any object with ``total``, ``first``, ``last``
    (positions, None when unknown), ``previous_cursor`` and ``next_cursor`` (None at the ends).
    """
    rest = _query(context.get("request")).urlencode()
    if isinstance(page, Page):
        pages = page.paginator
        return _numbered(get_language(), rest, page.number, pages.count, pages.per_page)
    previous_href = _href(rest, before=page.previous_cursor) if page.previous_cursor else ""
    next_href = _href(rest, after=page.next_cursor) if page.next_cursor else ""
    return render_to_string(
        "partials/_pager.html",
        {
            "total": page.total,
            "first": page.first,
            "last": page.last,
            "numbers": [],
            "previous_href": previous_href,
            "next_href": next_href,
            "single": not (previous_href or next_href),
        },
    )


@lru_cache(maxsize=1024)
def _numbered(_language: str | None, rest: str, number: int, total: int, per_page: int) -> SafeString:
    page = Paginator(range(total), per_page).page(number)
    pages = page.paginator
    numbers = [
        {"number": n, "href": _href(rest, page=n) if isinstance(n, int) else "", "current": n == number}
        for n in pages.get_elided_page_range(number, on_each_side=2, on_ends=1)
    ]
    return render_to_string(
        "partials/_pager.html",
        {
            "total": total,
            "first": page.start_index(),
            "last": page.end_index(),
            "numbers": numbers if pages.num_pages > 1 else [],
            "previous_href": _href(rest, page=number - 1) if page.has_previous() else "",
            "next_href": _href(rest, page=number + 1) if page.has_next() else "",
            "single": pages.num_pages <= 1,
        },
    )


def _href(rest: str, **parameters: Any) -> str:
    return "?" + "&".join(filter(None, [rest, urlencode(parameters)]))


@register.simple_tag
@lru_cache(maxsize=512)
def url_if(name: str, *args: Any) -> str:
    """The address of a named page, empty when this installation has none of that name."""
    try:
        return reverse(name, args=args)
    except NoReverseMatch:
        return ""


@register.simple_tag(takes_context=True)
def nav_link(
    context: template.Context,
    name: str,
    label: str,
    symbol: str = "",
    number: int | None = None,
    *,
    but: str = "",
) -> SafeString:
    """An entry of a rail or bar; nothing when the page does not exist. ``but`` is a page below it that has
    an entry of its own."""
    href = url_if(name)
    request = context.get("request")
    here = (
        request is not None
        and bool(href)
        and (request.path == href if href == "/" else request.path.startswith(href))
        and not (but and request.path.startswith(url_if(but)))
    )
    return _nav_entry(href, label, symbol, number, here)


@lru_cache(maxsize=1024)
def _nav_entry(href: str, label: str, symbol: str, number: int | None, here: bool) -> SafeString:
    """Drawn once, not twice on every page: the same in the rail and in the menu of a phone."""
    entry = {"href": href, "label": label, "symbol": symbol, "number": number, "here": here}
    return render_to_string("partials/_nav_link.html", entry)


@register.simple_tag(takes_context=True)
def rail(context: template.Context, entries: str) -> SafeString:
    """The entries of a rail; its numbers are those of `rail_counts`, and what `RAIL_ASKS` names is asked."""
    request, grant, counts = context.get("request"), context.get("grant"), context.get("rail_counts") or {}
    asks = RAIL_ASKS.get(entries, {})
    asked = {name: ask() for name, key in asks.items() if (ask := context.get(key))}
    path = request.path if request else ""
    place = (bool(grant.bureau_id), grant.role) if grant else None
    rights = tuple(name for name in RAIL_RIGHTS if context.get(name))
    return _rail(entries, get_language(), path, tuple({**counts, **asked}.items()), place, rights)


# Numbers that stand on every page of a shell, by the function in the context that counts them.
RAIL_ASKS = {
    "partials/_rail_workspace.html": {"messages": "unread_messages"},
    "partials/_rail_desk.html": {"messages": "unread_messages", "registrations": "registrations_waiting"},
}
# Entries that only some people have.
RAIL_RIGHTS = ("may_give", "decides", "merges", "manages", "lodges")


@lru_cache(maxsize=1024)
def _rail(
    entries: str,
    _language: str | None,
    path: str,
    counts: tuple[tuple[str, int | None], ...],
    place: tuple[bool, str] | None,
    rights: tuple[str, ...],
) -> SafeString:
    """Drawn once for the rail and for the menu of a phone."""
    grant = place and {"bureau_id": place[0], "role": place[1]}
    context = {"request": SimpleNamespace(path=path), "rail_counts": dict(counts), "grant": grant}
    return render_to_string(entries, context | dict.fromkeys(rights, True))


@register.filter
def widget_kind(bound_field: Any) -> str:
    """How a field is laid out: checkbox, choices, file, textarea, select, hidden or input."""
    kind = bound_field.widget_type
    if kind in ("radioselect", "checkboxselectmultiple"):
        return "choices"
    if "file" in kind:
        return "file"
    if kind.endswith("select") or kind == "selectmultiple":
        return "select"
    return kind if kind in ("checkbox", "textarea") else "input"


@register.simple_tag
def form_errors(forms: BaseForm | Iterable[BaseForm] | None) -> list[dict[str, str]]:
    """All errors of one or several forms in page order, each with the id of the field at fault."""
    errors: list[dict[str, str]] = []
    for form in [forms] if isinstance(forms, BaseForm) else forms or ():
        if not form.is_bound:
            continue
        errors += [{"id": "", "text": str(text)} for text in form.non_field_errors()]
        for bound in form:
            target = bound.id_for_label or bound.auto_id
            errors += [{"id": target, "label": str(bound.label), "text": str(text)} for text in bound.errors]
    return errors
