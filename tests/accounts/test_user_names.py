"""A user name never looks like an e-mail address: people are named by either when roles are given."""

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from accounts.forms.joining import AccountForm, NewColleagueForm
from accounts.models import Role, User
from tests import factories
from tests.accounts.signing_in import is_in, sign_in
from tests.pages import browser

pytestmark = pytest.mark.django_db
PASSWORD = "梅雨-harbour-7-lantern"
ADDRESS, NAME = "wang.min@example.cn", "wang.min-2_a+b"


def by_form(form: type[AccountForm], name: str) -> list[str]:
    words = {"person": "王敏", "username": name, "password1": PASSWORD, "password2": PASSWORD}
    return form(words).errors.get("username", [])


def in_admin_site(name: str) -> list[str]:
    administrator = factories.user(Role.ADMINISTRATOR, factories.county())
    form = {
        "username": name,
        "name": "王敏",
        "usable_password": "true",
        "password1": PASSWORD,
        "password2": PASSWORD,
        "grants-TOTAL_FORMS": "0",
        "grants-INITIAL_FORMS": "0",
    }
    answer = browser(administrator).post(reverse("admin:accounts_user_add"), form)
    return [] if answer.status_code == 302 else answer.context["adminform"].form.errors["username"]


def by_command(name: str) -> list[str]:
    try:
        call_command("createsuperuser", "--noinput", username=name, name="王敏", email="wang@example.cn")
    except CommandError as fault:
        return [str(fault)]
    return []


@pytest.mark.parametrize(
    "choose",
    [
        lambda name: by_form(AccountForm, name),
        lambda name: by_form(NewColleagueForm, name),
        in_admin_site,
        by_command,
    ],
    ids=["joining", "invited", "admin site", "command"],
)
def test_wherever_a_name_is_chosen_an_at_sign_is_refused_in_a_sentence(choose):
    [sentence] = choose(ADDRESS)
    assert "不能有 @" in sentence
    assert choose(NAME) == []


def test_the_database_takes_no_name_with_an_at_sign_from_now_on():
    with pytest.raises(IntegrityError), transaction.atomic():
        factories.user(username=ADDRESS)
    factories.user(username=NAME)


@pytest.fixture
def old() -> User:
    """Somebody whose name is older than the rule."""
    return factories.user(Role.OFFICER, factories.county(), username=ADDRESS, has_old_name=True)


def test_who_has_an_old_name_goes_on_signing_in(old):
    client = Client()
    sign_in(client, old.username)
    assert is_in(client)


@pytest.mark.parametrize(("name", "taken"), [(ADDRESS, True), (NAME, True), ("other@example.cn", False)])
def test_an_old_name_is_kept_or_changed_for_one_that_keeps_the_rule(old, name, taken):
    administrator = factories.user(Role.ADMINISTRATOR, factories.county().parent)
    grant = old.grants.get()
    form = {
        "username": name,
        "name": "王敏",
        "email": "",
        "grants-TOTAL_FORMS": "1",
        "grants-INITIAL_FORMS": "1",
        "grants-0-id": grant.pk,
        "grants-0-user": old.pk,
        "grants-0-role": grant.role,
        "grants-0-bureau": grant.bureau_id,
        "grants-0-starts_on": str(grant.starts_on),
    }
    answer = browser(administrator).post(reverse("admin:accounts_user_change", args=[old.pk]), form)
    assert (answer.status_code == 302) == taken
    old.refresh_from_db()
    assert (old.username, old.name == "王敏") == ((name, True) if taken else (ADDRESS, False))
