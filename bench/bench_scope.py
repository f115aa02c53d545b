"""What scope costs: the list of organisations as the officer of a county, a city, a province and the nation.

The floor is the same page of the same rows, asked by the same person, without a scope: whoever wrote it knows
that only this one bureau reads it, and names its subtree. Who sits at which desk the frame of both asks.
"""

from unittest import mock

from django.test import Client

from accounts.models import User
from bench.harness import Sides, benchmark
from enterprises.models import Organization
from enterprises.views import OrganizationList

REQUESTS = 20
MOST, GOAL = 1.3, 1.1
PAGE = "/organizations/"


def scoped_against_unscoped(username: str) -> Sides:
    user = User.objects.get(username=username)
    client = Client(SERVER_NAME="localhost")
    client.force_login(user, "django.contrib.auth.backends.ModelBackend")
    rows = Organization.objects.verified()
    if not user.scope.everything:
        rows = rows.filter(bureau__path__startswith=user.scope.bureau_paths[0])

    def ask(times: int = REQUESTS) -> bytes:
        for _n in range(times):
            answer = client.get(PAGE)
        return answer.content.split(b"<tbody>")[1]

    def ask_unscoped(times: int = REQUESTS) -> bytes:
        with mock.patch.object(OrganizationList, "get_queryset", lambda _page: rows.all()):
            return ask(times)

    assert ask(1) == ask_unscoped(1)  # noqa: S101
    return Sides(subject=ask, floor=ask_unscoped, units=REQUESTS)


@benchmark(most=MOST, goal=GOAL)
def scope_county() -> Sides:
    return scoped_against_unscoped("county")


@benchmark(most=MOST, goal=GOAL)
def scope_city() -> Sides:
    return scoped_against_unscoped("city")


@benchmark(most=MOST, goal=GOAL)
def scope_province() -> Sides:
    return scoped_against_unscoped("province")


@benchmark(most=MOST, goal=GOAL)
def scope_national() -> Sides:
    return scoped_against_unscoped("national")
