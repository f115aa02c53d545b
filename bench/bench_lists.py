"""The list of organisations as page and as API, asked by a browser that has logged in.

The portal and the floor each stand behind a server as `make run` starts it and are asked in turn, one
request after another over one connection: a second divided by the seconds is the requests per second.
"""

import http.client
import json
import socket
import time
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode

from django.conf import settings
from django.test import Client
from rest_framework.authtoken.models import Token

from accounts.models import User
from bench.harness import Sides, benchmark, start, stop
from enterprises.models import Organization
from tools import bootstrap

REQUESTS = 40
# 0.33 and 0.6 of the requests per second of the floor.
MOST, GOAL = 1 / 0.33, 1 / 0.6
FILTERS = {"status": "active", "size": "small"}
PAGE, API = "/organizations/", "/api/v1/organizations/"
PER_PAGE = 50


class Server:
    """A server of `make run` for a WSGI application."""

    def __init__(self, application: str, log: Path | None = None) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        command = bootstrap.web_server(self.port)
        self.process = start(command.replace("portal.wsgi", application), log)
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                break
            except ConnectionRefusedError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def get(self, path: str, headers: dict[str, str], times: int = 1) -> bytes:
        """The answer, asked for several times over one connection."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        for _n in range(times):
            connection.request("GET", path, headers=headers)
            response = connection.getresponse()
            body = response.read()
            if response.status != 200:
                raise RuntimeError(f"{path} answered {response.status}: {body[:500]!r}")
        connection.close()
        return body


def page_headers(user: User) -> dict[str, str]:
    client = Client()
    client.force_login(user, "django.contrib.auth.backends.ModelBackend")
    return {"Cookie": f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"}


def api_headers(user: User) -> dict[str, str]:
    return {"Authorization": f"Token {Token.objects.get_or_create(user=user)[0].key}"}


def stop_all(*servers: Server) -> None:
    for server in servers:
        stop(server.process)


def against_the_floor(
    username: str, path: str, plain_path: str, headers: Callable[[User], dict[str, str]]
) -> Sides:
    """First page of the rows of a user, in the order of names, with their number."""
    user = User.objects.get(username=username)
    portal, plain = Server("portal.wsgi"), Server("bench.plain_web")
    asked, login = f"{path}?{urlencode(FILTERS | {'sort': 'name'})}", headers(user)
    scope = {} if user.scope.everything else {"scope": user.scope.bureau_paths[0]}
    plain_asked = f"{plain_path}?{urlencode(FILTERS | scope)}"
    answer, right = portal.get(asked, login).decode(), json.loads(plain.get(plain_asked, {}))
    for text in (right["count"], *(row["uscc"] for row in right["results"])):
        written = text if isinstance(text, str) or path == API else f"{text:,}"
        assert str(written) in answer, f"{written} is missing in {asked}"  # noqa: S101
    return Sides(
        subject=lambda: portal.get(asked, login, REQUESTS),
        floor=lambda: plain.get(plain_asked, {}, REQUESTS),
        close=lambda: stop_all(portal, plain),
        units=REQUESTS,
    )


@benchmark(most=MOST, goal=GOAL, rounds=7)
def list_page() -> Sides:
    """The officer of a province."""
    return against_the_floor("province", PAGE, "/list", page_headers)


@benchmark(most=MOST, goal=GOAL, rounds=7)
def list_page_national() -> Sides:
    """The officer of the nation, who sees every row."""
    return against_the_floor("national", PAGE, "/list", page_headers)


@benchmark(most=MOST, goal=GOAL, rounds=7)
def api_page() -> Sides:
    return against_the_floor("province", API, "/api", api_headers)


@benchmark(most=MOST, goal=GOAL, rounds=7)
def api_page_national() -> Sides:
    return against_the_floor("national", API, "/api", api_headers)


def last_against_first(path: str, headers: dict[str, str], last: str) -> Sides:
    """Here the first page is the floor."""
    portal = Server("portal.wsgi")
    first = f"{path}?{urlencode(FILTERS | {'sort': 'name'})}"
    assert portal.get(first, headers) != portal.get(f"{first}&{last}", headers)  # noqa: S101
    return Sides(
        subject=lambda: portal.get(f"{first}&{last}", headers, REQUESTS),
        floor=lambda: portal.get(first, headers, REQUESTS),
        close=lambda: stop_all(portal),
        units=REQUESTS,
    )


@benchmark(most=1.2, rounds=7)
def list_page_last() -> Sides:
    """The last page of the nation; the floor is its first."""
    headers = page_headers(User.objects.get(username="national"))
    pages = -(-Organization.objects.filter(**FILTERS).count() // PER_PAGE)
    return last_against_first(PAGE, headers, f"page={pages}")


@benchmark(most=1.2, rounds=7)
def api_page_last() -> Sides:
    """The same of the API, whose pages begin behind a name."""
    headers = api_headers(User.objects.get(username="national"))
    before = Organization.objects.filter(**FILTERS).order_by("-name", "-pk").values_list("name", flat=True)
    cursor = b64encode(urlencode({"p": before[PER_PAGE]}).encode()).decode()
    return last_against_first(API, headers, urlencode({"cursor": cursor}))
