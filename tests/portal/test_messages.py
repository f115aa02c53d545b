"""Messages to the next page wait in the cookie, and where it is full in the session."""

from hashlib import sha256
from typing import Any

from django.contrib.messages.constants import INFO
from django.contrib.messages.storage import default_storage
from django.contrib.sessions.backends.signed_cookies import SessionStore
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

# What a cookie cannot pack: it holds 2 KB.
LONG = ["".join(sha256(f"{word}{n}".encode()).hexdigest() for n in range(20)) for word in "ab"]


def request_after(answer: HttpResponse | None, session: Any) -> HttpRequest:
    request = RequestFactory().get("/")
    request.COOKIES = {name: it.value for name, it in answer.cookies.items()} if answer else {}
    request.session = session
    return request


def test_messages_are_read_once_wherever_they_waited() -> None:
    session, answer = SessionStore(), HttpResponse()
    told = default_storage(request_after(None, session))
    for message in LONG:
        told.add(INFO, message)
    told.update(answer)
    assert answer.cookies["messages"].value
    assert session["_messages"]

    read = default_storage(request_after(answer, session))
    assert [it.message for it in read] == LONG
    read.update(answer)
    assert not answer.cookies["messages"].value
    assert "_messages" not in session


def test_who_has_no_message_opens_neither() -> None:
    storage: Any = default_storage(request_after(None, None))
    answer = HttpResponse()
    storage.update(answer)
    assert "storages" not in vars(storage)
    assert not answer.cookies
