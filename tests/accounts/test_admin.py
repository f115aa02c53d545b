"""Whose accounts an administrator looks after, and the tokens of programs."""

import pytest
from django.urls import reverse
from rest_framework.authtoken.models import Token

from accounts import joining
from accounts.models import Registration, Role, User
from record.models import Event
from tests import factories
from tests.accounts.test_joining import said
from tests.pages import browser

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]
PASSWORD = "梅雨-harbour-7-lantern"


@pytest.fixture
def city_admin() -> User:
    return factories.user(Role.ADMINISTRATOR, factories.county().parent)


@pytest.fixture
def foreign_admin() -> User:
    return factories.user(Role.ADMINISTRATOR, factories.bureau("330000", "浙江省局", factories.bureau()))


def sees(administrator: User, person: User) -> bool:
    """By the page and by the choices of grants and tokens, which ask the same rows."""
    address = reverse("admin:accounts_user_change", args=[person.pk])
    page = browser(administrator).get(address).status_code
    password = reverse("admin:auth_user_password_change", args=[person.pk])
    assert browser(administrator).get(password).status_code == page
    return page == 200


@pytest.fixture
def newcomer(city_admin: User) -> User:
    form = {
        "username": "newcomer",
        "name": "新来的",
        "usable_password": "true",
        "password1": PASSWORD,
        "password2": PASSWORD,
        "grants-TOTAL_FORMS": "0",
        "grants-INITIAL_FORMS": "0",
    }
    assert browser(city_admin).post(reverse("admin:accounts_user_add"), form).status_code == 302
    return User.objects.get(username="newcomer")


def test_a_new_account_is_its_makers_alone(city_admin: User, foreign_admin: User, newcomer: User) -> None:
    assert newcomer.created_by == city_admin
    peer = factories.user(Role.ADMINISTRATOR, factories.county().parent)
    assert [sees(person, newcomer) for person in (city_admin, foreign_admin, peer)] == [True, False, False]
    assert sees(factories.user(is_superuser=True, is_staff=True), newcomer)


def test_a_grant_given_from_elsewhere_does_not_open_a_new_account(
    foreign_admin: User, newcomer: User
) -> None:
    factories.grant(newcomer, Role.OFFICER, foreign_admin.grants.get().bureau, granted_by=foreign_admin)
    assert not sees(foreign_admin, newcomer)


def test_what_its_maker_grants_hands_a_new_account_over(city_admin: User, newcomer: User) -> None:
    county_admin = factories.user(Role.ADMINISTRATOR, factories.county())
    factories.grant(newcomer, Role.OFFICER, factories.county(), granted_by=city_admin)
    assert sees(county_admin, newcomer)


def test_an_applicant_is_the_business_of_the_bureau_that_decides(
    city_admin: User, foreign_admin: User
) -> None:
    row: Registration = joining.apply(said())
    assert (sees(city_admin, row.user), sees(foreign_admin, row.user)) == (True, False)
    # Nor does a grant given from elsewhere open it.
    factories.grant(row.user, Role.EXPERT, foreign_admin.grants.get().bureau, granted_by=foreign_admin)
    assert not sees(foreign_admin, row.user)


def test_a_token_is_given_out_and_withdrawn_and_its_key_stands_in_no_record(city_admin: User) -> None:
    person, client = factories.user(Role.OFFICER, factories.county()), browser(city_admin)
    answer = client.post(reverse("admin:authtoken_tokenproxy_add"), {"user": person.pk})
    token = Token.objects.get()
    assert (answer.status_code, token.user) == (302, person)
    address = reverse("admin:authtoken_tokenproxy_delete", args=[person.pk])
    assert client.post(address, {"post": "yes"}).status_code == 302
    assert not Token.objects.exists()
    events = Event.objects.judged("test").filter(entity="authtoken.token").order_by("pk")
    assert [(event.kind, event.topic_row, event.actor) for event in events] == [
        ("created", str(person.pk), city_admin),
        ("deleted", str(person.pk), city_admin),
    ]
    assert token.key not in str(list(Event.objects.judged("test").values()))
    assert client.get(reverse("admin:accounts_user_history", args=[person.pk])).status_code == 200
