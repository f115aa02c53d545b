"""An administrator does nothing by which it could act as somebody whose rights it could not give."""

from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.urls import reverse
from django.utils import timezone
from rest_framework.authtoken.models import Token

from accounts.models import Role, Substitution, User
from record.models import Event
from tests import factories
from tests.accounts.test_admin import PASSWORD
from tests.accounts.test_granting import day
from tests.pages import browser

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]
REASON = "不能由您办理"

# What the peer holds beside a city administrator whose own grant lasts thirty days.
WITHIN = {
    "as long": lambda peer, city: factories.grant(peer, Role.ADMINISTRATOR, city, expires_on=day(30)),
    "a firm": lambda peer, city: factories.grant(
        peer, Role.FILER, factories.organization(at=city), expires_on=day(9)
    ),
    "over already": lambda peer, city: factories.grant(peer, Role.OFFICER, city, ended_at=timezone.now()),
    "lent for as long": lambda peer, city: lend(peer, city, until=day(30)),
}
BEYOND = {
    "longer": lambda peer, city: factories.grant(peer, Role.ADMINISTRATOR, city, expires_on=day(31)),
    "without an end": lambda peer, city: factories.grant(peer, Role.AUDITOR, city),
    "a firm for longer": lambda peer, city: factories.grant(
        peer, Role.FILER, factories.organization(at=city)
    ),
    "not yet begun": lambda peer, city: factories.grant(peer, Role.OFFICER, city, starts_on=day(40)),
    "lent for longer": lambda peer, city: lend(peer, city, until=day(31)),
}


def lend(peer: User, city: Any, until: Any) -> None:
    officer = factories.user(Role.OFFICER, city)
    Substitution.objects.create(principal=officer, substitute=peer, starts_on=day(0), ends_on=until)


@pytest.fixture
def administrator() -> User:
    person = factories.user(name="市局管理员")
    factories.grant(person, Role.ADMINISTRATOR, factories.county().parent, expires_on=day(30))
    return person


@pytest.fixture(params=[*WITHIN, *BEYOND])
def case(request: Any, administrator: User) -> tuple[User, bool]:
    """The peer, and whether it holds no more than the administrator could give."""
    city = administrator.grants.get().bureau
    peer = factories.user(name="另一管理员", email="peer@example.org")
    factories.grant(peer, Role.EXPERT, city, expires_on=day(1))  # of the administrator's people in any case
    (WITHIN | BEYOND)[request.param](peer, city)
    Authenticator.objects.create(user=peer, type=Authenticator.Type.TOTP, data={})
    return peer, request.param in WITHIN


def password(peer: User) -> tuple[str, dict]:
    form = {"usable_password": "true", "password1": PASSWORD, "password2": PASSWORD}
    return reverse("admin:auth_user_password_change", args=[peer.pk]), form


def second_factor(peer: User) -> tuple[str, dict]:
    return reverse("admin:accounts_user_changelist"), {
        "action": "reset_second_factor",
        "_selected_action": peer.pk,
    }


def address_of_mail(peer: User) -> tuple[str, dict]:
    return reverse("admin:accounts_user_change", args=[peer.pk]), {
        "username": peer.username,
        "name": peer.name,
        "email": "mine@example.org",
        "is_active": "on",
        "grants-TOTAL_FORMS": "0",
        "grants-INITIAL_FORMS": "0",
    }


def token(peer: User) -> tuple[str, dict]:
    return reverse("admin:authtoken_tokenproxy_add"), {"user": peer.pk}


def link(peer: User) -> tuple[str, dict]:
    return reverse("admin:socialaccount_socialaccount_add"), {
        "user": peer.pk,
        "provider": "bureau",
        "uid": "me-over-there",
    }


def held(peer: User) -> tuple:
    """All by which somebody gets in as the peer."""
    peer.refresh_from_db()
    return (
        peer.password,
        peer.email,
        Authenticator.objects.filter(user=peer).exists(),
        Token.objects.filter(user=peer).exists(),
        SocialAccount.objects.filter(user=peer).exists(),
    )


@pytest.mark.parametrize("way", [password, second_factor, address_of_mail, token, link])
def test_ways_to_act_as_somebody(way: Any, case: Any, administrator: User, settings: Any) -> None:
    settings.SOCIALACCOUNT_PROVIDERS = {
        "openid_connect": {"APPS": [{"provider_id": "bureau", "name": "统一身份"}]}
    }
    peer, allowed = case
    before = held(peer)
    answer = browser(administrator).post(*way(peer))
    assert answer.status_code == (302 if allowed else 403)
    assert (held(peer) != before) is allowed
    if not allowed:
        assert REASON in answer.content.decode()
        assert REASON in Event.objects.judged("test").get(kind="refused").reason


def test_the_page_of_a_peer_says_why_it_is_to_be_read_only(case: Any, administrator: User) -> None:
    peer, allowed = case
    client = browser(administrator)
    page = client.get(reverse("admin:accounts_user_change", args=[peer.pk])).content.decode()
    assert "另一管理员" in page
    assert (REASON in page) is not allowed
    assert ('name="_save"' in page) is allowed
    assert peer.password not in page
    assert client.get(password(peer)[0]).status_code == (200 if allowed else 403)


def test_keys_and_links_of_a_peer_are_not_shown(case: Any, administrator: User) -> None:
    peer, allowed = case
    key = Token.objects.create(user=peer).key
    row = SocialAccount.objects.create(user=peer, provider="bureau", uid="me-over-there")
    client = browser(administrator)
    for name, pk in (("authtoken_tokenproxy", peer.pk), ("socialaccount_socialaccount", row.pk)):
        for page in ("change", "delete"):
            answer = client.get(reverse(f"admin:{name}_{page}", args=[pk]))
            assert answer.status_code == (200 if allowed else 403)
            assert allowed or key not in answer.content.decode()


def test_the_list_of_links_shows_finds_and_removes_none(case: Any, administrator: User) -> None:
    """Whoever may be helped or not: a list knows no difference."""
    peer, _allowed = case
    SocialAccount.objects.create(user=peer, provider="bureau", uid="me-over-there")
    client, address = browser(administrator), reverse("admin:socialaccount_socialaccount_changelist")
    page = client.get(address)
    assert "另一管理员" in page.text and "me-over-there" not in page.text
    found = client.get(address, {"q": "me-over"}).context["cl"].result_list
    assert [*found] == [] and page.context["action_form"] is None


def test_oneself_one_may_change(administrator: User) -> None:
    assert browser(administrator).get(password(administrator)[0]).status_code == 200
