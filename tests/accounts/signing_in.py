"""What a person does at the login page, for tests."""

import hashlib
import hmac
import re
import struct
import time
from base64 import b32decode
from typing import Any

from django.core import mail
from django.core.cache import cache
from django.core.mail import EmailMessage
from django.test import Client

from accounts import mailing
from accounts.models import Letter
from tests.factories import PASSWORD


def sign_in(
    client: Client, username: str, password: str = PASSWORD, address: str = "10.0.0.1", **data: Any
) -> Any:
    fields = {"username": username, "password": password} | data
    return client.post("/login/", fields, REMOTE_ADDR=address)


def is_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def code_of(secret: str, at: float | None = None) -> str:
    """The code that an authenticator shows (RFC 6238)."""
    counter = struct.pack(">Q", int(time.time() if at is None else at) // 30)
    digest = hmac.new(b32decode(secret), counter, hashlib.sha1).digest()
    offset = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[offset : offset + 4])[0] & 0x7FFFFFFF) % 10**6:06}"


def set_up(client: Client) -> str:
    """Set up the second factor of whoever is signed in; gives its key."""
    page = client.get("/account/second-factor/on/")
    assert page.status_code == 200, page.get("Location")
    secret = re.search(r'id="secret">([A-Z2-7]+)<', page.content.decode())
    assert secret
    answer = client.post("/account/second-factor/on/", {"code": code_of(secret[1])})
    assert answer.status_code == 302, answer.content.decode()
    return secret[1]


def next_period() -> None:
    """As if half a minute had gone: a code is taken once only."""
    cache.clear()


def without_tokens(page: str) -> str:
    """The page without what differs from one drawing to the next: tokens, and how long there is to wait."""
    page = re.sub(r'(csrfmiddlewaretoken" value=|"x-csrftoken": )"\w+"', "", page)
    return re.sub(r"\d+ 分钟后", "分钟后", page)


def mails() -> list[EmailMessage]:
    """What was sent, once the workers have done what is waiting."""
    for key in list(Letter.objects.values_list("pk", flat=True)):
        mailing.send_letter(key)
    return mail.outbox
