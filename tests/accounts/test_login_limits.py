"""Guessing of passwords: by one name, by one address, from everywhere, and who must not suffer from it."""

import time
from typing import Any

import pytest
from allauth.account.adapter import get_adapter
from allauth.core.context import request_context
from django.contrib.auth import hashers
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.test import Client, RequestFactory
from django.urls import reverse

from accounts.models import User
from tests import factories
from tests.accounts.signing_in import is_in, sign_in, without_tokens

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


@pytest.fixture(autouse=True)
def quick_cache(settings: Any) -> None:
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    cache.clear()


@pytest.fixture
def li() -> User:
    return factories.user(username="li")


@pytest.fixture
def hashings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every time that a password is hashed: what an attempt costs, and how long it takes."""
    done: list[str] = []
    kind = type(hashers.get_hasher())
    encode = kind.encode

    def counted(self: Any, password: str, salt: str, *more: Any) -> str:
        done.append(password)
        return encode(self, password, salt, *more)

    monkeypatch.setattr(kind, "encode", counted)
    return done


def test_ten_thousand_tries_at_one_name_from_as_many_addresses_get_twenty_answers(
    li: User, hashings: list[str]
) -> None:
    statuses = [sign_in(Client(), "li", f"guess-{n}", address=f"10.1.0.{n}").status_code for n in range(30)]
    assert statuses == [200] * 20 + [429] * 10
    assert len(hashings) == 20
    refused = attempts("li", 10_000)
    assert refused == 10_000
    assert len(hashings) == 20, "no further guess was even compared"


def test_ten_thousand_tries_at_many_names_from_one_address_get_sixty_answers(hashings: list[str]) -> None:
    statuses = [sign_in(Client(), f"person{n}", "guess").status_code for n in range(70)]
    assert statuses == [200] * 60 + [429] * 10
    assert attempts("another", 10_000) == 10_000
    assert len(hashings) == 60


def attempts(name: str, number: int) -> int:
    """How many of so many tries are refused; below the page, which would only be drawn again each time."""
    request = RequestFactory().post("/login/", REMOTE_ADDR="10.0.0.1")
    refused = 0
    with request_context(request):
        for number_of_try in range(number):
            try:
                get_adapter().authenticate(request, username=name, password=f"guess-{number_of_try}")
            except ValidationError as fault:
                refused += fault.code == "too_many_login_attempts"
    return refused


def test_who_signed_in_with_a_browser_before_gets_in_while_others_guess(li: User) -> None:
    known = Client()
    assert sign_in(known, "li").status_code == 302
    known.post(reverse("logout"))
    for number in range(70):  # the whole office is used up, and the name as well
        sign_in(Client(), "li" if number < 25 else f"person{number}", "guess", address="10.0.0.9")
    assert sign_in(Client(), "li", address="10.0.0.8").status_code == 429, "a new browser has to wait"
    assert sign_in(known, "li", address="10.0.0.8").status_code == 302


def test_a_known_browser_has_a_limit_of_its_own(li: User) -> None:
    known = Client()
    sign_in(known, "li")
    known.post(reverse("logout"))
    statuses = [sign_in(known, "li", "guess", address=f"10.1.0.{n}").status_code for n in range(25)]
    assert statuses == [200] * 20 + [429] * 5


def test_a_device_is_known_for_its_person_only_and_cannot_be_made_up(li: User) -> None:
    factories.user(username="wang")
    known = Client()
    sign_in(known, "li")
    known.post(reverse("logout"))
    for number in range(25):
        sign_in(Client(), "wang", "guess", address=f"10.1.0.{number}")
    assert sign_in(known, "wang").status_code == 429
    forged = Client()
    forged.cookies["device"] = known.cookies["device"].value + "x"
    assert sign_in(forged, "wang").status_code == 429


def test_right_passwords_use_nothing_up(li: User) -> None:
    for _ in range(21):
        assert sign_in(Client(), "li").status_code == 302


def test_after_an_hour_a_name_may_be_tried_again(li: User, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(21):
        sign_in(Client(), "li", "guess", address=f"10.1.0.{number}")
    assert sign_in(Client(), "li").status_code == 429
    now = time.time()
    monkeypatch.setattr("time.time", lambda: now + 3601)
    assert sign_in(Client(), "li").status_code == 302


@pytest.mark.parametrize("limited", [False, True])
def test_known_unknown_and_inactive_names_get_the_same_answer_for_the_same_work(
    li: User, hashings: list[str], limited: bool
) -> None:
    factories.user(username="gone", is_active=False)
    silent = factories.user(username="mute")
    silent.set_unusable_password()
    silent.save()
    answers = set()
    for name in ("li", "nobody", "gone", "mute"):
        for number in range(21 if limited else 0):
            sign_in(Client(), name, "guess", address=f"10.1.{len(answers)}.{number}")
        cost = len(hashings)
        password = factories.PASSWORD if name == "gone" else "guess"
        answer = sign_in(Client(), name, password, address="10.9.9.9")
        text = answer.content.decode().replace(f'value="{name}"', 'value="NAME"')
        answers.add((answer.status_code, text, len(hashings) - cost))
    assert len({(status, cost) for status, _text, cost in answers}) == 1
    assert len({without_tokens(text) for _status, text, _cost in answers}) == 1


def test_the_refusal_says_why_and_what_still_works(li: User) -> None:
    for number in range(21):
        answer = sign_in(Client(), "li", "guess", address=f"10.1.0.{number}")
    text = answer.content.decode()
    assert "失败次数过多" in text
    assert "在您登录过的设备上不受他人尝试的影响" in text
    assert 'value="li"' in text


def test_the_admin_site_has_no_way_in_of_its_own(client: Client) -> None:
    factories.user(username="root", is_superuser=True, is_staff=True)
    answer = client.post("/admin/login/?next=/admin/", {"username": "root", "password": factories.PASSWORD})
    assert answer.status_code == 302
    assert answer["Location"] == "/login/?next=/admin/"
    assert not is_in(client)


def test_nobody_signs_up_past_joining(client: Client) -> None:
    data = {"username": "new", "password1": "乌篷船-kiwi-琥珀-9", "password2": "乌篷船-kiwi-琥珀-9"}
    assert client.post("/account/signup/", data)["Location"] == "/join/"
    assert not User.objects.filter(username="new").exists()
