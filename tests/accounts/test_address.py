"""People change their own e-mail address: confirmed by a link to the new one, told to the old one."""

import re
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core import signing
from django.core.cache import cache
from django.test import Client

from accounts.models import Role, User
from accounts.security.address import asked_for
from record.models import Event
from tests import factories
from tests.accounts.signing_in import mails, sign_in, without_tokens

pytestmark = pytest.mark.django_db
NEW = "liming@new.example.org"


@pytest.fixture(autouse=True)
def quick_cache(settings: Any) -> Iterator[None]:
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def li() -> User:
    return factories.user(Role.FILER, username="liming", name="李明", email="liming@old.example.org")


@pytest.fixture
def client(li: User) -> Client:
    client = Client()
    sign_in(client, "liming")
    mails().clear()
    return client


def ask(client: Client, email: str = NEW) -> Any:
    return client.post("/account/email/", {"email": email})


def link() -> str:
    found = re.search(r"http\S+?(/account/email/\S+)", mails()[-1].body)
    assert found, mails()[-1].body
    return found[1]


def address_of(user: User) -> str:
    user.refresh_from_db()
    return user.email


def test_the_link_to_the_new_address_changes_it_and_the_old_one_is_told(client: Client, li: User) -> None:
    assert ask(client)["Location"] == "/account/"
    [confirm] = mails()
    assert confirm.to == [NEW]
    assert "李明" not in confirm.body and "liming" not in confirm.body, "it may be a stranger's"
    address = link()
    page = client.get(address)
    assert NEW in page.content.decode() and address_of(li) == "liming@old.example.org"
    assert client.post(address)["Location"] == "/account/"
    assert address_of(li) == NEW
    told = mails()[-1]
    assert (told.to, told.subject) == (["liming@old.example.org"], "质量强链工作门户：邮箱已更换")
    assert "l***@new.example.org" in told.body and "李明，您好" in told.body
    [event] = Event.objects.judged("test").filter(entity="accounts.user", kind="changed")
    assert (event.actor, event.after) == (li, {"email": "***"})


def test_who_has_no_address_adds_one(client: Client, li: User) -> None:
    User.objects.update(email="")
    ask(client)
    client.post(link())
    assert address_of(li) == NEW and len(mails()) == 1


def test_the_link_works_once(client: Client, li: User) -> None:
    ask(client)
    address = link()
    client.post(address)
    User.objects.filter(pk=li.pk).update(email="other@example.org")
    for answer in (client.get(address), client.post(address)):
        assert answer.status_code == 404 and "链接已失效" in answer.content.decode()
    assert address_of(li) == "other@example.org"


@pytest.mark.parametrize(("minutes", "address"), [(-1, NEW), (1, "")])
def test_the_link_is_void_after_a_day(
    client: Client, li: User, minutes: int, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(client)
    token, later = link().split("/")[3], time.time() + timedelta(days=1, minutes=minutes).total_seconds()
    monkeypatch.setattr(time, "time", lambda: later)
    assert asked_for(li, token) == address


def test_a_new_password_makes_the_link_void(client: Client, li: User) -> None:
    ask(client)
    address = link()
    li.set_password("乌篷船-kiwi-琥珀-9")
    li.save()
    again = Client()
    sign_in(again, "liming", "乌篷船-kiwi-琥珀-9")
    assert again.post(address).status_code == 404


def test_nobody_else_uses_the_link(client: Client, li: User) -> None:
    ask(client)
    address = link()
    assert Client().post(address)["Location"].startswith("/login/?next=/account/email/")
    wang = factories.user(username="wang", email="wang@example.org")
    other = Client()
    sign_in(other, "wang")
    assert other.post(address).status_code == 404
    assert (address_of(wang), address_of(li)) == ("wang@example.org", "liming@old.example.org")


@pytest.mark.parametrize(
    "token",
    ["x", "x:y:z", signing.dumps("x", salt="accounts.address")],
    ids=["word", "parts", "of another kind"],
)
def test_what_is_no_link_of_ours_is_void(client: Client, token: str) -> None:
    assert client.get(f"/account/email/{token}/").status_code == 404


def test_whether_an_address_is_taken_is_told_to_nobody(client: Client, li: User) -> None:
    factories.user(username="wang", email="wang@example.org")
    pages = set()
    for email in ("wang@example.org", "nobody@example.org", li.email):
        answer = ask(client, email)
        assert answer["Location"] == "/account/"
        page = without_tokens(client.get("/account/").content.decode())
        pages.add(page.replace(email, "EMAIL").replace(li.email, "OWN"))
        assert mails()[-1].to == [email]
    assert len({page.replace("OWN", "EMAIL") for page in pages}) == 1
    client.post(link())


def test_who_signed_in_a_while_ago_says_again_who_it_is(client: Client, li: User) -> None:
    session = client.session
    session["began"] -= 600
    session.save()
    for answer in (client.get("/account/email/"), ask(client)):
        assert answer["Location"].startswith("/account/confirm/")
    assert not mails()
    client.post("/account/confirm/", {"password": "wrong"})
    assert ask(client).status_code == 302 and not mails()
    client.post("/account/confirm/", {"password": factories.PASSWORD})
    assert client.get("/account/email/").status_code == 200


def test_mails_cannot_be_poured_out(client: Client) -> None:
    answers = [ask(client, f"person{number}@example.org").status_code for number in range(7)]
    assert answers == [302] * 5 + [429] * 2
    assert len(mails()) == 5


@pytest.mark.parametrize("email", ["", "no address", "a@b", "x\r\nBcc: y@example.org"])
def test_what_is_no_address_is_refused_in_words(client: Client, email: str) -> None:
    answer = ask(client, email)
    assert answer.status_code == 422 and answer.context["form"].errors
    assert not mails()
