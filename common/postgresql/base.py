"""Django's backend for PostgreSQL, which sees without asking whether a connection still stands, and reads
statements that come again and again once."""

import re
import select
from functools import lru_cache
from itertools import count
from typing import Any

import psycopg
from django.conf import settings
from django.db.backends.postgresql import base

from common.kept import Asked

PLACE = re.compile("%[s%]")


class DatabaseWrapper(Asked, base.DatabaseWrapper):
    def is_usable(self) -> bool:
        """A server that has gone has said so, or its end of the line is closed: either can be read."""
        if self.connection is None or self.connection.closed:
            return False
        waiting = select.poll()
        waiting.register(self.connection.fileno(), select.POLLIN)
        return not waiting.poll(0) or super().is_usable()

    def make_kept_cursor(self) -> "KeptCursor":
        return KeptCursor(self.connection)


class KeptCursor(psycopg.RawCursor):
    """Has statements planned when the connection meets them first, if settings allow it, and knows where
    values go: psycopg looks for their places in a long statement each time anew."""

    def execute(self, query: Any, *args: Any, **kwargs: Any) -> "KeptCursor":
        self.connection.prepare_threshold = 0 if settings.PREPARED_STATEMENTS else None
        try:
            return super().execute(_numbered(query), *args, **kwargs)
        finally:
            self.connection.prepare_threshold = None


@lru_cache(1000)
def _numbered(statement: str) -> bytes:
    numbers = count(1)
    return PLACE.sub(lambda it: "%" if it[0] == "%%" else f"${next(numbers)}", statement).encode()
