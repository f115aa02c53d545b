"""The grant in which a user works: chosen from those in force, kept in the session."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import Role
from tests import factories

pytestmark = pytest.mark.django_db
SWITCH = "/role/"


@pytest.fixture
def person():
    """An officer of a county who also files for a firm."""
    row = factories.user(Role.OFFICER, factories.county())
    factories.grant(row, Role.FILER, factories.organization())
    return row


@pytest.fixture
def client(person):
    client = Client()
    client.force_login(person)
    return client


def test_each_role_opens_its_own_pages(client, person):
    firm, bureau = person.grants.get(role=Role.FILER), person.grants.get(role=Role.OFFICER)
    answer = client.post(SWITCH, {"grant": firm.pk})
    assert answer["Location"] == reverse("projects:workspace")
    page = client.get(reverse("projects:workspace"))
    assert page.context["grant"] == firm and page.context["may_file"]
    answer = client.post(SWITCH, {"grant": bureau.pk})
    assert answer["Location"] == reverse("projects:desk")
    assert client.get(reverse("projects:desk")).context["grant"] == bureau


def test_the_switch_offers_every_grant(client, person):
    page = client.get(reverse("projects:desk")).content.decode()
    for grant in person.grants.all():
        assert f'value="{grant.pk}"' in page


@pytest.mark.parametrize("value", ["", "0", "nonsense"])
def test_an_unknown_grant_is_not_found(client, value):
    assert client.post(SWITCH, {"grant": value}).status_code == 404


def test_the_grant_of_another_is_not_found(client):
    other = factories.user(Role.OFFICER, factories.county()).grants.get()
    assert client.post(SWITCH, {"grant": other.pk}).status_code == 404


def test_a_grant_that_ran_out_falls_back_to_one_in_force(client, person):
    firm = person.grants.get(role=Role.FILER)
    client.post(SWITCH, {"grant": firm.pk})
    firm.expires_on = timezone.localdate() - timedelta(days=1)
    firm.save()
    page = client.get(reverse("projects:desk"))
    assert page.status_code == 200 and page.context["grant"].role == Role.OFFICER


def test_switching_is_a_post_of_a_known_user(client):
    assert client.get(SWITCH).status_code == 405
    assert Client().post(SWITCH, {"grant": "1"}).status_code == 302
