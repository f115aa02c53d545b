"""What tests of pages begin with."""

import re
from typing import Any

from django.test import Client

from accounts.models import User


def browser(user: User | None = None, **options: Any) -> Client:
    """A browser in which this person is signed in; nobody, unless named."""
    client = Client(**options)
    if user:
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def text_of(response: Any) -> str:
    """The words of a page, without its tags."""
    return re.sub(r"<[^>]+>|\s+", " ", response.content.decode())
