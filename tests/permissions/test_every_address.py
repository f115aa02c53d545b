"""The walk: everybody at every address, on rows in every relation, compared with `portal/permissions.py`."""

import json
import logging
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl

import pytest
from django.conf import settings
from django.contrib.auth.backends import ModelBackend
from django.contrib.sessions.backends.db import SessionStore
from django.core.management import call_command
from django.db import transaction
from django.template import loader
from django.template.response import TemplateResponse
from django.test import Client
from django.urls import get_resolver, reverse
from django.views import defaults
from unfold.sites import UnfoldAdminSite

from portal import middleware
from portal.permissions import (
    ADMINISTRATORS,
    ANONYMOUS,
    KINDS,
    TABLE,
    Answer,
    Entry,
    Kind,
    Relation,
    Rule,
    addresses,
)
from projects import list_files
from tests.permissions.world import World

pytestmark = pytest.mark.any_database

SESSION_BACKEND = "django.contrib.auth.backends.ModelBackend"


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: Any) -> Iterator[World]:
    """Built once; whatever the walk changes is undone request by request."""
    with django_db_blocker.unblock(), transaction.atomic():
        yield World()
        transaction.set_rollback(True)


def test_every_address_has_an_entry_and_every_entry_an_address() -> None:
    named = {name for name, _route in addresses()}
    assert named - {entry.name for entry in TABLE} == set(), "addresses without an entry in the table"
    assert {entry.name for entry in TABLE} - named == set(), "entries for addresses that are gone"


def test_the_document_is_the_table(tmp_path: Path) -> None:
    call_command("permissions", "--output", str(tmp_path / "permissions.md"))
    written = (tmp_path / "permissions.md").read_text(encoding="utf-8")
    stored = (settings.BASE_DIR / "docs" / "permissions.md").read_text(encoding="utf-8")
    assert stored == written, "write it anew: manage.py permissions"


def test_no_two_entries_are_the_same() -> None:
    labels = [(entry.label, tuple(entry.args.items())) for entry in TABLE]
    assert len(labels) == len(set(labels))


@pytest.mark.django_db
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name.replace(" ", "-"))
def test_everybody_is_answered_as_the_table_says(
    world: World, kind: Kind, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.CRITICAL, "django.request")
    visitor = Visitor(world, kind)
    monkeypatch.setattr(ModelBackend, "get_user", lambda _backend, _key: visitor.person)
    session = json.dumps(dict(visitor.client.session))
    monkeypatch.setattr(SessionStore, "load", lambda _store: json.loads(session))
    # What pages of the admin site and refusals look like is the business of other tests; it costs the most.
    monkeypatch.setattr(TemplateResponse, "rendered_content", "")
    blank = SimpleNamespace(render=lambda *_given, **_named: "")
    monkeypatch.setattr(defaults, "loader", SimpleNamespace(get_template=lambda _name: blank))
    # Who may read it is judged before it is printed.
    monkeypatch.setattr(list_files, "as_pdf", lambda _reading: b"%PDF")
    # What stands around every page of the admin site is the same for one visitor.
    frame: dict[str, Any] = {}
    framed = UnfoldAdminSite.each_context
    monkeypatch.setattr(
        UnfoldAdminSite,
        "each_context",
        lambda site, request: frame or frame.update(framed(site, request)) or frame,
    )
    # Each row and each page is recorded as refused once for a person: what is undone would be written anew.
    at_first_only(monkeypatch, middleware, "kept_from", lambda asked, _by: (asked.model, repr(asked.key)))
    at_first_only(
        monkeypatch, middleware, "record_refusal", lambda request, _response: request.resolver_match.view_name
    )
    # Each page is drawn once for a person; what it says of other rows is the business of other tests.
    at_first_only(monkeypatch, loader, "render_to_string", lambda name, *_given, **_named: name)
    faults = []
    for entry, relation, method in steps(kind):
        answer, status, address = visitor.ask(entry, relation, method)
        if answer not in accepted(entry, kind, relation, method):
            expected = entry.answer(kind, relation, method)
            faults.append(
                f"{method} {entry.label} ({relation}): expected {expected}, was {status} at {address}"
            )
    assert not faults, "\n".join(faults)


# A mail program posts to it by itself; the signed address is the proof (RFC 8058).
WITHOUT_TOKEN = {"accounts:unsubscribe"}


@pytest.mark.django_db
def test_nothing_is_written_without_the_token_of_the_form(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    officer = next(kind for kind in KINDS if kind.name == "county officer")
    visitor = Visitor(world, officer)
    visitor.client.handler.enforce_csrf_checks = True
    written = [entry for entry in TABLE if entry.write and entry.name not in WITHOUT_TOKEN]
    open_to_all = {
        entry.label
        for entry in written
        if visitor.ask(entry, Relation.OWN if entry.row else None, "POST")[0] != Answer.REFUSED
    }
    assert open_to_all == {"api/v1/<path:rest>"}, "absent, whoever asks"


def at_first_only(monkeypatch: pytest.MonkeyPatch, module: Any, name: str, key: Callable[..., Any]) -> None:
    """The function does its work once for each key, and then nothing."""
    done = set()
    function = getattr(module, name)

    def at_first(*given: Any, **named: Any) -> Any:
        which = key(*given, **named)
        if which in done:
            return ""
        done.add(which)
        return function(*given, **named)

    monkeypatch.setattr(module, name, at_first)


def steps(kind: Kind) -> Iterator[tuple[Entry, Relation | None, str]]:
    """Every entry on rows in every relation, read and written.

    A method that there is not, and the door of the admin site, do not look at the row: one is enough. Those
    before the door try it by turns with one method and the other. Where no rule asks where the row stands, it
    is asked for where it is nearest and where it is farthest.
    """
    for number, entry in enumerate(TABLE):
        outside = entry.is_of_admin and not ADMINISTRATORS.holds(kind, None)
        for method in ("GET", "POST"):
            if outside and method == ("GET", "POST")[number % 2]:
                continue
            relations: tuple[Relation | None, ...] = kind.relations if entry.row else (None,)
            rule = entry.read if method == "GET" else entry.write
            if outside or rule is None:
                relations = relations[:1]
            elif not asks_where(entry, rule, kind):
                relations = tuple(dict.fromkeys((relations[0], relations[-1])))
            for relation in relations:
                yield entry, relation, method


def asks_where(entry: Entry, rule: Rule, kind: Kind) -> bool:
    """Whether the table lets the answer depend on where the row stands."""
    refused = not may_anywhere(entry.door, kind) or (entry.right_first and not may_anywhere(rule, kind))
    return not refused and any(map(knows_places, (entry.door, entry.sees, rule)))


def may_anywhere(rule: Rule, kind: Kind) -> bool:
    return any(rule.holds(kind, relation) for relation in kind.relations)


@cache
def knows_places(rule: Rule) -> bool:
    return any(len({rule.holds(kind, relation) for relation in kind.relations}) > 1 for kind in KINDS)


def accepted(entry: Entry, kind: Kind, relation: Relation | None, method: str) -> set[Answer]:
    """The answer of the table. Who may not enter may be told so before the method is looked at."""
    expected = entry.answer(kind, relation, method)
    if expected == Answer.LOGIN and None in (entry.read, entry.write):
        return {Answer.LOGIN, Answer.METHOD}
    if expected == Answer.METHOD:
        other = entry.answer(kind, relation, "POST" if method == "GET" else "GET")
        return {expected, other} - {Answer.OPEN}
    return {expected}


class Visitor:
    """A person of a kind with a browser, at an address of its own that no limit on guessing has in common."""

    def __init__(self, world: World, kind: Kind) -> None:
        self.world, self.kind = world, kind
        self.client = Client(REMOTE_ADDR=f"10.1.0.{KINDS.index(kind)}", raise_request_exception=False)
        self.person = world.person(kind)
        if self.person:
            self.client.force_login(self.person, SESSION_BACKEND)
        self.cookies = self.client.cookies

    def ask(self, entry: Entry, relation: Relation | None, method: str) -> tuple[Answer | None, str, str]:
        row = self.world.row(entry.row, self.kind, relation) if relation else None
        address = address_of(entry, row)
        # A request that signs out, or in anew, leaves the browser of the next one alone.
        self.client.cookies = self.cookies.copy()
        with transaction.atomic():
            if method == "GET":
                response = self.client.get(address)
            else:
                data = self.sent(entry, row)
                response = (
                    self.client.post(address, json.dumps(data), content_type="application/json")
                    if entry.name.startswith("api-")
                    else self.client.post(address, data)
                )
            if response.streaming:
                b"".join(response.streaming_content)
            transaction.set_rollback(True)
        fault = repr((getattr(response, "exc_info", None) or ["", ""])[1])
        return judged(response, self.kind), f"{response.status_code} {fault}", address

    def sent(self, entry: Entry, row: Any) -> dict[str, Any]:
        """What makes the request one that is looked at, without being complete."""
        if entry.name == "role_switch" and self.person and self.person.grants_in_force:
            return {"grant": self.person.grants_in_force[0].pk}
        if entry.query:
            return dict(parse_qsl(entry.query))
        return {"version": row.version} if hasattr(row, "version") else {}


@cache
def routes() -> dict[str, str]:
    return dict(addresses())


def address_of(entry: Entry, row: Any) -> str:
    route = routes()[entry.name]
    values = dict(entry.args)
    if row is not None:
        names = {"object_id": "pk", "provider_id": "provider"}
        wanted = [name for name in parameters(entry.name, route) if name not in values]
        values |= {name: str(getattr(row, names.get(name, name))) for name in wanted}
    query = entry.query
    if entry.name == "bulletins:figures" and row is not None:
        query = f"period={row.period}&bureau={row.bureau}"
    if entry.name == route:
        address = "/" + route
        for name, value in values.items():
            address = address.replace(f"<path:{name}>", value).replace(f"(?P<{name}>.*)$", value)
    else:
        address = reverse(entry.name, kwargs=values)
    return f"{address}?{query}" if query else address


@cache
def parameters(name: str, route: str) -> list[str]:
    """The names of what varies in an address."""
    if name == route:
        return ["object_id"] if "object_id" in route else []
    resolver: Any = get_resolver()
    *spaces, last = name.split(":")
    for space in spaces:
        resolver = resolver.namespace_dict[space][1]
    return resolver.reverse_dict.getlist(last)[0][0][0][1]


def judged(response: Any, kind: Kind) -> Answer | None:
    """The class of an answer; redirects are open save those to a login, which inside means no."""
    status = response.status_code
    if status == 401 and response.has_header("WWW-Authenticate"):
        return Answer.LOGIN
    if status in (403, 404, 405):
        return Answer(str(status))
    if getattr(response, "exc_info", None):
        return None
    where = response.get("Location", "")
    if where.startswith("/admin/login/"):
        return Answer.LOGIN if kind == ANONYMOUS else Answer.REFUSED
    return Answer.LOGIN if where.startswith(reverse("login")) else Answer.OPEN
