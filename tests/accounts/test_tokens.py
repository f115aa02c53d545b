"""A program's token stands for its user: with the grants that a login would have, and nothing more."""

from datetime import date, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from rest_framework.authtoken.models import Token

from accounts.authentication import TokenLogin
from accounts.models import Role, Substitution, User
from enterprises.models import Bureau
from projects.models import Bottleneck
from tests import factories
from tests.factories import Cast
from tests.worlds import world

pytestmark = pytest.mark.django_db
READ, NOT_FOUND, REFUSED = 200, 404, 401


@world
def cast() -> Cast:
    return Cast()


@pytest.fixture
def row(cast: Cast) -> Bottleneck:
    return cast.filed()


def day(number: int) -> date:
    """Days from today."""
    return timezone.localdate() + timedelta(days=number)


def program(user: User) -> Client:
    token, _is_new = Token.objects.get_or_create(user=user)
    return Client(headers={"Authorization": f"Token {token.key}"})


def answer_to(user: User, row: Bottleneck) -> int:
    return program(user).get(f"/api/v1/bottlenecks/{row.public_id}/").status_code


def stand_in(principal: User, substitute: User, first: int = 0, last: int = 0) -> None:
    Substitution.objects.create(
        principal=principal, substitute=substitute, starts_on=day(first), ends_on=day(last)
    )


def far_bureau() -> Bureau:
    return factories.bureau("650102", "天山区市场监督管理所", factories.bureau(), level=Bureau.Level.OUTPOST)


@pytest.mark.parametrize(
    ("starts", "ends", "over", "status"),
    [
        (-9, None, False, READ),
        (0, None, False, READ),
        (1, None, False, NOT_FOUND),
        (-9, 0, False, READ),
        (-9, -1, False, NOT_FOUND),
        (-9, None, True, NOT_FOUND),
    ],
    ids=["lasting", "begins today", "begins tomorrow", "ends today", "ended yesterday", "ended at once"],
)
def test_a_grant_counts_from_its_first_to_its_last_day(
    row: Bottleneck, starts: int, ends: int | None, over: bool, status: int
) -> None:
    person = factories.user(Role.AUDITOR)
    person.grants.update(
        starts_on=day(starts),
        expires_on=None if ends is None else day(ends),
        ended_at=timezone.now() if over else None,
    )
    assert answer_to(person, row) == status


@pytest.mark.parametrize("role", [Role.AUDITOR, ""], ids=["with a grant", "without"])
def test_whoever_was_barred_is_refused_with_or_without_a_grant(row: Bottleneck, role: str) -> None:
    person = factories.user(role)
    assert answer_to(person, row) == (READ if role else NOT_FOUND)
    User.objects.filter(pk=person.pk).update(is_active=False)
    assert answer_to(person, row) == REFUSED


@pytest.mark.parametrize(
    ("own", "term", "lender_works", "status"),
    [
        (Role.AUDITOR, (-1, 0), True, READ),
        (Role.AUDITOR, (1, 1), True, NOT_FOUND),
        (Role.AUDITOR, (-2, -1), True, NOT_FOUND),
        (Role.AUDITOR, (-1, 0), False, NOT_FOUND),
        (Role.EXPERT, (-1, 0), True, NOT_FOUND),
        ("", (-1, 0), True, NOT_FOUND),
    ],
    ids=["last day", "not yet", "over", "of who left", "works for no bureau", "holds nothing"],
)
def test_what_is_lent_counts_for_the_token_of_a_substitute(
    cast: Cast, own: str, term: tuple[int, int], lender_works: bool, status: int
) -> None:
    row = cast.filed()
    substitute = factories.user(own, far_bureau() if own else None)
    stand_in(cast.county_officer, substitute, *term)
    User.objects.filter(pk=cast.county_officer.pk).update(is_active=lender_works)
    Token.objects.create(user=cast.county_officer)
    assert answer_to(substitute, row) == status


def test_grants_are_those_of_a_login_in_the_same_order_with_the_same_lenders(cast: Cast) -> None:
    substitute = factories.user(Role.AUDITOR, far_bureau())
    factories.grant(substitute, Role.OFFICER, cast.county)
    for principal in (cast.county_officer, cast.city_officer):
        stand_in(principal, substitute)
        Token.objects.create(user=principal)
    for person, number in ((substitute, 4), (cast.county_officer, 1), (cast.filer, 1), (factories.user(), 0)):
        token, _is_new = Token.objects.get_or_create(user=person)
        user, shown = TokenLogin().authenticate_credentials(token.key)
        by_login = User.objects.get(pk=person.pk).grants_in_force
        assert (user, shown) == (person, token)
        assert [(it, it.user, it.principal) for it in user.grants_in_force] == [
            (it, it.user, it.principal) for it in by_login
        ]
        assert len(by_login) == number


@pytest.mark.parametrize(("role", "number"), [(Role.FILER, 1), ("", 3)], ids=["with grants", "nobody yet"])
def test_who_asks_and_what_was_granted_is_one_question(
    role: str, number: int, django_assert_num_queries: Any
) -> None:
    """Of whoever holds no grants the token is looked up apart."""
    key = Token.objects.create(user=factories.user(role)).key
    with django_assert_num_queries(number):
        user, token = TokenLogin().authenticate_credentials(key)
        assert (token.user, token.key) == (user, key) and token.created
        assert bool(user.grants_in_force) == bool(role)
