"""No address by which whoever knows it gets in ever stands in the record."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.http import HttpResponseForbidden
from django.test import RequestFactory
from django.urls import get_resolver, resolve

from portal.middleware import OPEN_PARTS, record_refusal
from record.models import Event

pytestmark = pytest.mark.django_db

PART = re.compile(r"\(\?P<(\w+)>.+?\)|<(?:\w+:)?(\w+)>")
SECRET = "Zq7vK2xW9"
# Not open: the two keys of a new password, an invitation, the end of mails; the others hold whatever is typed
# or tell nothing beyond their page.
CLOSED = {"uidb36", "key", "secret", "token"} | {
    "app_label",
    "content_type_id",
    "period",
    "rest",
    "url",
}


def routes(patterns: list[Any], before: str = "") -> Iterator[str]:
    for it in patterns:
        route = before + str(it.pattern).removeprefix("^").removesuffix("$")
        if hasattr(it, "url_patterns"):
            yield from routes(it.url_patterns, route)
        else:
            yield route


def parts_of(route: str) -> set[str]:
    return {first or second for first, second in PART.findall(route)}


ROUTES = list(routes(get_resolver().url_patterns))


def refused_at(path: str) -> Event:
    request = RequestFactory().post(path)
    request.user = AnonymousUser()
    request.resolver_match = resolve(path)
    record_refusal(request, HttpResponseForbidden())
    return Event.objects.get(kind="refused")


def test_every_part_of_every_address_is_decided_upon():
    assert set().union(*map(parts_of, ROUTES)) - OPEN_PARTS == CLOSED


@pytest.mark.parametrize("route", [it for it in ROUTES if parts_of(it) & {"secret", "token", "key"}])
def test_a_secret_in_an_address_does_not_come_into_the_record(route):
    event = refused_at("/" + PART.sub(SECRET, route))
    assert SECRET not in str(Event.objects.filter(pk=event.pk).values())
    assert event.label == "POST /" + resolve("/" + PART.sub(SECRET, route)).route
    assert event.entity


def test_an_address_that_holds_no_secret_is_told_in_full():
    event = refused_at("/join/unit/")
    assert (event.row, event.label) == ("unit", "POST /join/unit/")
