"""Signing in over a bureau's identity service (OpenID Connect), against one that runs in the test."""

import re
from collections.abc import Iterator
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount, SocialToken
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from accounts.models import Role, User
from tests import factories
from tests.accounts import identity_service
from tests.accounts.identity_service import Service
from tests.accounts.signing_in import code_of, is_in, mails, next_period, set_up, sign_in

pytestmark = pytest.mark.django_db
TO = "/account/service/jsamr/"


@pytest.fixture
def service(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    cache.clear()
    with identity_service.running() as service:
        settings.SOCIALACCOUNT_PROVIDERS = service.settings()
        yield service


@pytest.fixture
def officer() -> User:
    return factories.user(Role.OFFICER, email="officer@example.org")


def leave(client: Client, **data: str) -> str:
    """Press the button; gives the address of the service to which the page leads."""
    process = data.pop("process", "")
    answer = client.post(f"{TO}?process={process}" if process else TO, data)
    assert answer.status_code == 200, answer.content.decode()
    found = re.search(r'content="0;url=([^"]+)"', answer.content.decode())
    assert found
    return unescape(found[1])


def come_back(client: Client, service: Service, address: str) -> Any:
    """The person signs in over there; the browser returns with what the service gave it."""
    asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
    returned = urlsplit(service.authorize(asked))
    return client.get(f"{returned.path}?{returned.query}")


def over_there(client: Client, service: Service, **data: str) -> Any:
    return come_back(client, service, leave(client, **data))


def linked(user: User, uid: str = "person-1") -> SocialAccount:
    return SocialAccount.objects.create(user=user, provider="jsamr", uid=uid)


def test_a_linked_person_signs_in_and_comes_to_the_page_asked_for(service: Service, officer: User) -> None:
    linked(officer)
    client = Client()
    assert "江苏省局统一身份" in client.get("/login/").content.decode()
    answer = over_there(client, service, next="/desk/")
    assert answer["Location"] == "/desk/"
    assert client.get("/desk/").status_code == 200
    assert client.session["_auth_user_id"] == str(officer.pk)
    assert service.refusals == []


def test_the_service_is_asked_for_no_more_than_who_it_is_and_with_a_proof_key(service: Service) -> None:
    asked = parse_qs(urlsplit(leave(Client())).query)
    assert asked["scope"] == ["openid"]
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["redirect_uri"] == ["http://testserver/account/service/jsamr/back/"]
    assert len(asked["state"][0]) >= 16


def test_nothing_is_stored_that_the_service_says_beyond_the_link(service: Service, officer: User) -> None:
    linked(officer)
    service.claims = {"email": "else@example.org", "email_verified": True, "name": "某人"}
    assert is_in_after(service)
    officer.refresh_from_db()
    assert officer.email == "officer@example.org"
    assert not EmailAddress.objects.exists()
    assert not SocialToken.objects.exists()


def is_in_after(service: Service) -> bool:
    client = Client()
    over_there(client, service)
    return is_in(client)


def test_a_stranger_gets_no_account_whatever_address_the_service_vouches_for(
    service: Service, officer: User
) -> None:
    service.claims = {"email": officer.email, "email_verified": True, "preferred_username": officer.username}
    client = Client()
    answer = over_there(client, service)
    assert "没有关联的账户" in answer.content.decode()
    assert not is_in(client)
    assert User.objects.count() == 1
    assert not SocialAccount.objects.exists()


def test_a_person_links_the_own_account_and_takes_the_link_away(service: Service, officer: User) -> None:
    client = Client()
    sign_in(client, officer.username)
    mails().clear()
    assert over_there(client, service, process="connect")["Location"] == "/account/linked/"
    link = SocialAccount.objects.get()
    assert (link.user, link.provider, link.uid) == (officer, "jsamr", "person-1")
    assert "统一身份已关联" in mails()[0].subject
    assert is_in_after(service)
    page = client.get("/account/linked/").content.decode()
    assert "江苏省局统一身份" in page
    client.post("/account/linked/", {"account": link.pk})
    assert not SocialAccount.objects.exists()
    assert not is_in_after(service)


def test_linking_asks_again_who_it_is(service: Service, officer: User) -> None:
    client = Client()
    sign_in(client, officer.username)
    session = client.session
    session["began"] -= 3600
    session.save()
    answer = over_there(client, service, process="connect")
    assert answer["Location"] == reverse("account_reauthenticate")
    assert not SocialAccount.objects.exists()
    client.post(answer["Location"], {"password": factories.PASSWORD})
    assert SocialAccount.objects.filter(user=officer).exists()


def test_an_identity_belongs_to_one_account(service: Service, officer: User) -> None:
    linked(factories.user())
    client = Client()
    sign_in(client, officer.username)
    over_there(client, service, process="connect")
    assert not SocialAccount.objects.filter(user=officer).exists()
    assert "已关联到另一个门户账户" in client.get("/account/").content.decode()


def test_foreign_links_are_not_ones_own_to_take_away(service: Service, officer: User) -> None:
    foreign = linked(factories.user())
    client = Client()
    sign_in(client, officer.username)
    client.post("/account/linked/", {"account": foreign.pk})
    assert SocialAccount.objects.filter(pk=foreign.pk).exists()


def test_without_a_password_the_last_link_stays(service: Service, officer: User) -> None:
    officer.set_unusable_password()
    officer.save()
    link = linked(officer)
    client = Client()
    over_there(client, service)
    answer = client.post("/account/linked/", {"account": link.pk})
    assert "请先设置密码" in answer.content.decode()
    assert SocialAccount.objects.exists()


def test_an_administrator_links_people_of_the_own_area_only(officer: User, service: Service) -> None:
    stranger = factories.user(Role.OFFICER, factories.bureau("440000", "广东省局", factories.bureau()))
    admin = Client()
    admin.force_login(factories.user(Role.ADMINISTRATOR, factories.county()))
    address = reverse("admin:socialaccount_socialaccount_add")
    for user in (officer, stranger):
        admin.post(address, {"user": user.pk, "provider": "jsamr", "uid": f"of-{user.pk}"})
    assert [link.user for link in SocialAccount.objects.all()] == [officer]
    service.person = f"of-{officer.pk}"
    assert is_in_after(service)


def test_the_second_factor_of_the_portal_is_asked_for_all_the_same(
    service: Service, officer: User, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.REQUIRE_SECOND_FACTOR = True
    monkeypatch.setattr("django.db.transaction.on_commit", lambda then, robust=False: robust or then())
    linked(officer)
    client = Client()
    assert over_there(client, service)["Location"] == "/"
    assert client.get("/desk/")["Location"].startswith(reverse("mfa_activate_totp"))
    secret = set_up(client)
    next_period()
    again = Client()
    assert over_there(again, service)["Location"] == reverse("mfa_authenticate")
    assert not is_in(again)
    again.post(reverse("mfa_authenticate"), {"code": code_of(secret)})
    assert again.get("/desk/").status_code == 200


def test_somebody_switched_off_here_does_not_get_in_from_there(service: Service, officer: User) -> None:
    linked(officer)
    officer.is_active = False
    officer.save()
    client = Client()
    answer = over_there(client, service)
    assert answer["Location"] == reverse("account_inactive")
    assert "账户已停用" in client.get(answer["Location"]).content.decode()
    assert not is_in(client)


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.example"},
        {"aud": "another-client"},
        {"exp": 1},
    ],
    ids=["of another issuer", "for another client", "too old"],
)
def test_tokens_that_are_not_for_us_are_refused(service: Service, officer: User, claims: dict) -> None:
    linked(officer)
    service.claims = claims
    client = Client()
    answer = over_there(client, service)
    assert answer.status_code == 401
    assert "统一身份登录没有成功" in answer.content.decode()
    assert not is_in(client)


@pytest.mark.parametrize("with_what", ["another key", "the client's secret", "nothing"])
def test_tokens_that_the_service_did_not_sign_are_refused(
    service: Service, officer: User, with_what: str
) -> None:
    linked(officer)
    service.signed_with, service.algorithm = {
        "another key": (identity_service.new_key(), "RS256"),
        "the client's secret": (identity_service.SECRET * 3, "HS256"),
        "nothing": ("", "none"),
    }[with_what]
    client = Client()
    assert over_there(client, service).status_code == 401
    assert not is_in(client)


def test_a_service_that_says_it_is_another_one_is_refused(service: Service, officer: User) -> None:
    linked(officer)
    client = Client()
    address = leave(client)
    service.called = service.claims["iss"] = "https://another.example"
    assert come_back(client, service, address).status_code == 401
    assert not is_in(client)


def test_a_return_that_this_browser_did_not_begin_is_refused(service: Service, officer: User) -> None:
    linked(officer)
    begun = leave(Client())
    victim = Client()
    answer = come_back(victim, service, begun)
    assert answer.status_code == 401
    assert not is_in(victim)
    client = Client()
    address = leave(client)
    assert come_back(client, service, address)["Location"] == "/"
    client.post("/logout/")
    assert come_back(client, service, address).status_code == 401, "the same way again"


def test_a_code_that_was_changed_on_the_way_is_refused(service: Service, officer: User) -> None:
    linked(officer)
    client = Client()
    state = parse_qs(urlsplit(leave(client)).query)["state"][0]
    answer = client.get(f"{TO}back/", {"code": "made-up", "state": state})
    assert answer.status_code == 401
    assert service.refusals == ["code"]
    assert not is_in(client)


def test_who_turns_back_over_there_is_told_the_way_on(service: Service) -> None:
    client = Client()
    state = parse_qs(urlsplit(leave(client)).query)["state"][0]
    answer = client.get(f"{TO}back/", {"error": "access_denied", "state": state}, follow=True)
    assert "已取消登录" in answer.content.decode()


def test_a_service_that_is_away_is_no_fault_of_ours(service: Service, settings: Any) -> None:
    app = settings.SOCIALACCOUNT_PROVIDERS["openid_connect"]["APPS"][0]
    app["settings"]["server_url"] = "http://127.0.0.1:9"
    answer = Client().post(TO)
    assert answer.status_code == 502
    assert "统一身份登录没有成功" in answer.content.decode()


def test_only_a_posted_form_leaves_and_only_to_services_that_are_set_up(service: Service) -> None:
    assert "转到“江苏省局统一身份”" in Client().get(TO).content.decode()
    assert Client().post("/account/service/other/").status_code == 404
    assert Client(enforce_csrf_checks=True).post(TO).status_code == 403


def test_without_services_the_login_page_offers_none() -> None:
    assert "/account/service/" not in Client().get("/login/").content.decode()
