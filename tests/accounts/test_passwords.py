"""Passwords: what a new one has to be, changing one, and getting in again without it."""

import re
import time
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.password_validation import CommonPasswordValidator, validate_password
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse

from accounts.models import Role, User
from tests import factories
from tests.accounts.signing_in import is_in, mails, sign_in, without_tokens

pytestmark = pytest.mark.any_database

GOOD = "乌篷船-kiwi-琥珀-9"


@pytest.fixture(autouse=True)
def quick_cache(settings: Any) -> None:
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    cache.clear()


@pytest.fixture
def li(db: None) -> User:
    return factories.user(Role.OFFICER, username="liming", name="李明", email="liming@example.org")


# --- New ones ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "password",
    [
        GOOD,
        "k3v9tqm2xw7r",
        "correct horse battery staple",
        "春天的花园里有三只猫在睡觉",
        "twelve chars",
        "NewYork-London-Tokyo-Paris",
        "长" * 3 + "k3v9tqm2xw7r" * 40,
    ],
)
def test_long_and_unlikely_passwords_are_taken_whatever_they_are_made_of(password: str) -> None:
    validate_password(password)


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("k3v9tqm2xw7", "password_too_short"),
        ("1qaz2wsx3edc", "password_too_common"),
        ("938475610284", "password_entirely_numeric"),
        ("woaini1314520", "password_of_common_pieces"),
        ("qwertyuiop123", "password_of_common_pieces"),
        ("aaaaaaaaaaaa", "password_of_common_pieces"),
        ("abcabcabcabc", "password_of_common_pieces"),
        ("Password2026!", "password_of_common_pieces"),
        ("P@ssw0rd12345", "password_of_common_pieces"),
        ("admin@123456", "password_of_common_pieces"),
        ("jiangsu123456", "password_of_common_pieces"),
        ("Suzhou@20260101", "password_of_common_pieces"),
        ("zhiliangqianglian2026", "password_of_common_pieces"),
        ("zhangxiaoming88", "password_of_common_pieces"),
        ("19880305liming", "password_of_common_pieces"),
        ("--------------", "password_of_common_pieces"),
    ],
)
def test_short_common_and_guessable_passwords_are_refused(password: str, why: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        validate_password(password)
    assert why in [fault.code for fault in refusal.value.error_list]


def test_all_long_ones_of_the_common_list_are_refused() -> None:
    long_ones = [word for word in CommonPasswordValidator().passwords if len(word) >= 12]
    assert len(long_ones) > 100
    for word in long_ones:
        with pytest.raises(ValidationError):
            validate_password(word)


def test_a_password_like_the_own_name_or_address_is_refused(li: User) -> None:
    for password in ("liming@example.org", "liming@example"):
        with pytest.raises(ValidationError) as refusal:
            validate_password(password, li)
        assert "password_too_similar" in [fault.code for fault in refusal.value.error_list]


def test_a_password_as_long_as_a_book_costs_nothing_to_judge() -> None:
    began = time.perf_counter()
    validate_password("k3v9tqm2xw7r" * 40_000)
    assert time.perf_counter() - began < 1


# --- Changing ----------------------------------------------------------------------------------------------


def change(client: Client, old: str, new: str, again: str = "") -> Any:
    data = {"oldpassword": old, "password1": new, "password2": again or new}
    return client.post("/account/password/change/", data)


def test_changing_needs_the_present_one_and_ends_the_other_sessions(li: User) -> None:
    here, there = Client(), Client()
    for client in (here, there):
        sign_in(client, "liming")
    mails().clear()
    assert "现在的密码不正确" in change(here, "wrong", GOOD).content.decode()
    assert change(here, factories.PASSWORD, GOOD)["Location"] == "/account/"
    assert here.get("/account/").status_code == 200
    assert there.get("/account/").status_code == 302
    assert sign_in(Client(), "liming", GOOD).status_code == 302
    assert "密码已修改" in mails()[0].subject


@pytest.mark.parametrize(
    ("new", "again", "words"),
    [
        ("short", "", "至少 12 个字符"),
        (GOOD, GOOD + "x", "两次输入的密码不一致"),
        ("woaini1314520", "", "容易被猜到"),
    ],
)
def test_a_bad_new_one_is_refused_in_words(li: User, new: str, again: str, words: str) -> None:
    client = Client()
    sign_in(client, "liming")
    answer = change(client, factories.PASSWORD, new, again)
    assert answer.status_code == 200
    assert words in answer.content.decode()
    li.refresh_from_db()
    assert li.check_password(factories.PASSWORD)


def test_strangers_change_nothing() -> None:
    for address in ("/account/", "/account/password/change/", "/account/sessions/", "/account/linked/"):
        assert Client().get(address)["Location"] == f"/login/?next={address}"
        assert Client().post(address).status_code in (302, 405)


# --- Getting in again --------------------------------------------------------------------------------------


def ask(email: str, address: str = "10.0.0.1") -> Any:
    return Client().post("/account/password/reset/", {"email": email}, REMOTE_ADDR=address)


def link_in(message: Any) -> str:
    found = re.search(r"http://testserver(/account/password/reset/\S+)", message.body)
    assert found, message.body
    return found[1]


def reset(client: Client, link: str, password: str = GOOD) -> Any:
    page = client.get(link, follow=True)
    return client.post(page.request["PATH_INFO"], {"password1": password, "password2": password})


def test_a_forgotten_password_is_set_anew_by_a_link_in_a_mail(li: User) -> None:
    inside = Client()
    sign_in(inside, "liming")
    mails().clear()
    assert ask("LiMing@Example.org")["Location"] == "/account/password/reset/sent/"
    [message] = mails()
    assert message.to == ["liming@example.org"]
    assert "liming" in message.body
    client = Client()
    assert reset(client, link_in(message))["Location"] == "/account/password/reset/done/"
    assert not is_in(client), "the new password has to be given once"
    assert sign_in(client, "liming", GOOD).status_code == 302
    assert inside.get("/account/").status_code == 302, "sessions of whoever knew the old one are over"
    assert "密码已重设" in mails()[1].subject


def test_the_link_works_once_for_an_hour_and_its_secret_is_not_passed_on(
    li: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask("liming@example.org")
    link = link_in(mails()[0])
    page = Client().get(link)
    assert page.status_code == 302
    assert page["Location"].endswith("-set-password/"), (
        "the secret goes into the session, not into a referrer"
    )
    for wrong in (link[:-3] + "xx/", link.replace("-", "-x", 1), "/account/password/reset/zzzz-a-b/"):
        assert "链接已失效" in Client().get(wrong, follow=True).content.decode()
    reset(Client(), link)
    assert "链接已失效" in Client().get(link, follow=True).content.decode()
    ask("liming@example.org")
    later = link_in(mails()[-1])
    now = PasswordResetTokenGenerator._now
    monkeypatch.setattr(PasswordResetTokenGenerator, "_now", lambda self: now(self) + timedelta(minutes=61))
    assert "链接已失效" in Client().get(later, follow=True).content.decode()


def test_a_link_to_an_address_of_old_is_worth_nothing(li: User) -> None:
    ask("liming@example.org")
    li.email = "new@example.org"
    li.save()
    assert "链接已失效" in Client().get(link_in(mails()[0]), follow=True).content.decode()
    mails().clear()
    ask("liming@example.org")
    assert "没有登记在任何账户中" in mails()[0].body


@pytest.mark.django_db
def test_whether_an_address_is_known_shows_to_its_owner_only(li: User) -> None:
    factories.user(username="gone", email="gone@example.org", is_active=False)
    answers = set()
    for email in ("liming@example.org", "nobody@example.org", "gone@example.org"):
        answer = ask(email)
        page = Client().get(answer["Location"]).content.decode()
        answers.add((answer.status_code, answer["Location"], without_tokens(page)))
    assert len(answers) == 1
    assert [("链接" in message.body and "password/reset/" in message.body) for message in mails()] == [
        True,
        False,
        False,
    ], "each address gets one mail, so that the work is the same"


def test_mails_cannot_be_poured_out(li: User) -> None:
    answers = [ask("liming@example.org", f"10.0.1.{number}").status_code for number in range(7)]
    assert answers == [302] * 5 + [429] * 2
    answers = [ask(f"person{number}@example.org").status_code for number in range(32)]
    assert answers == [302] * 30 + [429] * 2
    assert "操作过于频繁" in ask("x@example.org").content.decode()


def test_people_who_share_an_address_get_a_link_each(li: User) -> None:
    factories.user(username="wang", email="liming@example.org")
    ask("liming@example.org")
    assert {re.search("“(.+?)”", message.body)[1] for message in mails()} == {"liming", "wang"}  # type: ignore[index]


def test_a_weak_new_password_is_refused_here_too(li: User) -> None:
    ask("liming@example.org")
    client = Client()
    answer = reset(client, link_in(mails()[0]), "liming19880305")
    assert "容易被猜到" in answer.content.decode()
    li.refresh_from_db()
    assert li.check_password(factories.PASSWORD)


def test_signed_in_as_somebody_else_the_link_changes_its_own_person(li: User) -> None:
    wang = factories.user(username="wang")
    client = Client()
    sign_in(client, "wang")
    mails().clear()
    ask("liming@example.org")
    reset(client, link_in(mails()[0]))
    wang.refresh_from_db()
    assert wang.check_password(factories.PASSWORD)
    li.refresh_from_db()
    assert li.check_password(GOOD)


def test_the_login_page_leads_to_it(db: None) -> None:
    assert reverse("account_reset_password") in Client().get("/login/").content.decode()
