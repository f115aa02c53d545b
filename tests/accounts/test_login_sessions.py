"""Sessions: how long they live, who sees and ends them, new devices, and where the login leads."""

import time
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from accounts.models import Role, User
from accounts.security.sessions import BEGAN, SEEN
from accounts.tasks import forget_sessions
from tests import factories
from tests.accounts.signing_in import is_in, mails, sign_in

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]
MINUTE, HOUR = 60, 3600
EDGE = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) (KHTML, like Gecko) Chrome/120.0 Safari/537.36 Edg/120.0"


@pytest.fixture
def officer() -> User:
    return factories.user(Role.OFFICER, email="officer@example.org")


@pytest.fixture
def filer() -> User:
    return factories.user(Role.FILER)


def signed_in(user: User, **headers: str) -> Client:
    client = Client(headers=headers)
    assert sign_in(client, user.username).status_code == 302
    return client


def set_back(client: Client, **seconds: int) -> None:
    session = client.session
    for name, number in seconds.items():
        session[name] -= number
    session.save()


# --- Their length ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("who", "minutes"), [("officer", 30), ("filer", 120)])
def test_a_session_ends_when_nobody_works_in_it(who: str, minutes: int, request: Any) -> None:
    user = request.getfixturevalue(who)
    client = signed_in(user)
    set_back(client, seen=(minutes - 1) * MINUTE)
    assert client.get("/account/").status_code == 200
    set_back(client, seen=(minutes + 1) * MINUTE)
    assert client.get("/account/")["Location"] == "/login/?next=/account/"
    assert not is_in(client)


def test_work_keeps_a_session_alive_and_is_noted_once_a_minute(officer: User) -> None:
    client = signed_in(officer)
    set_back(client, seen=20 * MINUTE)
    client.get("/account/")
    assert time.time() - client.session[SEEN] < 5
    set_back(client, seen=30)
    before = client.session[SEEN]
    client.get("/account/")
    assert client.session[SEEN] == before


def test_a_session_ends_after_twelve_hours_of_work(officer: User) -> None:
    client = signed_in(officer)
    set_back(client, began=12 * HOUR - MINUTE)
    assert client.get("/account/").status_code == 200
    set_back(client, began=2 * MINUTE)
    assert client.get("/account/").status_code == 302


def test_a_session_without_clocks_is_over(officer: User) -> None:
    client = signed_in(officer)
    session = client.session
    del session[BEGAN]
    session.save()
    assert client.get("/account/").status_code == 302


def test_what_is_sent_too_late_is_not_done_and_says_so(officer: User) -> None:
    client = signed_in(officer)
    set_back(client, seen=HOUR)
    answer = client.post("/account/sessions/", headers={"Referer": "http://testserver/account/sessions/"})
    assert answer["Location"] == "/login/?next=/account/sessions/"
    assert "刚才的操作没有提交" in client.get(answer["Location"]).content.decode()


def test_a_part_of_a_page_that_comes_too_late_opens_the_login_page(officer: User) -> None:
    client = signed_in(officer)
    set_back(client, seen=HOUR)
    headers = {"HX-Request": "true", "HX-Current-URL": "http://testserver/desk/?state=all"}
    answer = client.get("/desk/", headers=headers)
    assert (answer.status_code, answer["HX-Redirect"]) == (204, "/login/?next=/desk/%3Fstate%3Dall")


def test_the_way_back_never_leads_to_another_house(officer: User) -> None:
    client = signed_in(officer)
    set_back(client, seen=HOUR)
    answer = client.post("/account/sessions/", headers={"Referer": "http://evil.example/account/"})
    assert answer["Location"] == "/login/?next=/"


def test_the_cookie_goes_with_the_browser_and_no_script_reads_it(officer: User) -> None:
    cookie = signed_in(officer).cookies["sessionid"]
    assert cookie["expires"] == cookie["max-age"] == ""
    assert cookie["httponly"] is True
    assert cookie["samesite"] == "Lax"


def test_signing_in_begins_a_new_session(officer: User) -> None:
    client = Client()
    client.get("/login/")
    session = client.session
    session["before"] = 1
    session.save()
    client.cookies["sessionid"] = old = session.session_key
    sign_in(client, officer.username)
    assert client.session.session_key != old


def test_pages_of_signed_in_people_are_not_stored_by_the_browser(officer: User) -> None:
    assert "no-store" in signed_in(officer).get("/account/")["Cache-Control"]
    assert "Cache-Control" not in Client().get("/")


# --- The list ----------------------------------------------------------------------------------------------


def test_the_list_shows_own_sessions_with_device_address_and_time(officer: User, filer: User) -> None:
    signed_in(filer)
    client = Client(headers={"User-Agent": EDGE})
    sign_in(client, officer.username, address="10.0.0.7")
    page = client.get("/account/sessions/").content.decode()
    assert "Edge · Windows" in page
    assert "10.0.0.7" in page
    assert "本机" in page
    assert page.count('name="session"') == 1


def test_one_session_can_be_ended_and_others_go_on(officer: User) -> None:
    here, there, elsewhere = (signed_in(officer) for _ in range(3))
    key = there.session.session_key
    row = officer.usersession_set.get(session_key=key)
    here.post("/account/sessions/", {"session": row.pk})
    assert there.get("/account/").status_code == 302
    assert here.get("/account/").status_code == elsewhere.get("/account/").status_code == 200


def test_all_others_can_be_ended_at_once(officer: User) -> None:
    here, there, elsewhere = (signed_in(officer) for _ in range(3))
    here.post("/account/sessions/")
    assert here.get("/account/").status_code == 200
    assert {there.get("/account/").status_code, elsewhere.get("/account/").status_code} == {302}


def test_ending_sessions_asks_again_who_it_is_and_then_does_it(officer: User) -> None:
    here, there = signed_in(officer), signed_in(officer)
    set_back(here, began=HOUR)
    old = here.session.session_key
    answer = here.post("/account/sessions/", {})
    assert answer["Location"] == "/account/confirm/?next=%2Faccount%2Fsessions%2F"
    assert there.get("/account/").status_code == 200
    data = {"password": factories.PASSWORD, "next": "/account/sessions/"}
    assert here.post("/account/confirm/", data).status_code == 302
    assert there.get("/account/").status_code == 302
    assert here.session.session_key != old, "a key that somebody knows is worth nothing any more"
    assert officer.usersession_set.get().session_key == here.session.session_key


@pytest.mark.parametrize("key", ["foreign", "0", "x", "-1"])
def test_a_foreign_session_is_none(officer: User, filer: User, key: str) -> None:
    other = signed_in(filer)
    if key == "foreign":
        key = str(filer.usersession_set.get().pk)
    assert signed_in(officer).post("/account/sessions/", {"session": key}).status_code == 404
    assert other.get("/account/").status_code == 200


def test_nothing_is_kept_of_sessions_that_are_over(officer: User) -> None:
    over, alive = signed_in(officer), signed_in(officer)
    Session.objects.filter(pk=over.session.session_key).update(expire_date=timezone.now())
    forget_sessions()
    assert [row.pk for row in Session.objects.all()] == [alive.session.session_key]
    assert officer.usersession_set.get().session_key == alive.session.session_key


def test_who_is_switched_off_is_out_at_once(officer: User) -> None:
    client = signed_in(officer)
    officer.is_active = False
    officer.save()
    assert client.get("/account/").status_code == 302


# --- New devices -------------------------------------------------------------------------------------------


def test_a_login_from_a_new_device_is_told_by_mail_and_from_a_known_one_not(officer: User) -> None:
    client = Client(headers={"User-Agent": EDGE})
    sign_in(client, officer.username, address="10.0.0.7")
    [message] = mails()
    assert message.to == ["officer@example.org"]
    assert "您的账户在新设备上登录" in message.subject
    assert "10.0.0.7" in message.body
    assert message.body.startswith(f"{officer.name}，您好")
    client.post("/logout/")
    sign_in(client, officer.username)
    assert len(mails()) == 1
    sign_in(Client(), officer.username)
    assert len(mails()) == 2


def test_a_mail_server_that_fails_keeps_nobody_out(officer: User, settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    assert is_in(signed_in(officer))


# --- Where it leads ----------------------------------------------------------------------------------------

ELSEWHERE = [
    "https://evil.example/",
    "//evil.example/",
    "/\\evil.example/",
    "https:///evil.example",
    "javascript:alert(1)",
    "http://testserver@evil.example/",
    " https://evil.example/",
    "\thttps://evil.example/",
    "https://testserver.evil.example/",
]


@pytest.mark.parametrize("address", ELSEWHERE)
def test_nothing_on_the_way_in_or_out_leads_to_another_house(officer: User, address: str) -> None:
    client = Client()
    assert sign_in(client, officer.username, next=address)["Location"] == "/"
    assert client.get("/login/", {"next": address})["Location"] == "/"
    data = {"password": factories.PASSWORD, "next": address}
    assert client.post("/account/confirm/", data)["Location"] == "/"
    assert client.post("/language/", {"language": "en", "next": address})["Location"] == "/"
    assert "evil" not in client.post("/logout/", {"next": address})["Location"]


def test_the_login_leads_to_the_page_that_was_asked_for(officer: User) -> None:
    assert sign_in(Client(), officer.username, next="/bulletins/?page=2")["Location"] == "/bulletins/?page=2"


@pytest.mark.parametrize("host", ["evil.example", "testserver.evil.example", "testserver:80@evil.example"])
def test_another_host_name_is_refused(host: str) -> None:
    assert (
        Client().post("/account/password/reset/", {"email": "a@example.org"}, HTTP_HOST=host).status_code
        == 400
    )
    assert Client().get("/login/", HTTP_HOST=host).status_code == 400
    assert mails() == []


@pytest.mark.parametrize("name", ["csrftoken", "__Host-csrftoken"])
def test_the_refusal_of_the_interface_names_the_cookie_as_it_is_called(
    officer: User, name: str, settings: Any
) -> None:
    settings.CSRF_COOKIE_NAME = name
    client = Client(enforce_csrf_checks=True)
    client.force_login(officer)
    answer = client.post("/api/v1/bottlenecks/00000000-0000-0000-0000-000000000000/moves/accept/")
    assert answer.status_code == 403
    assert f"Cookie 中的 {name} 一致" in answer.json()["error"]["message"]
