"""One cursor for each connection, for statements that come again and again."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any


class Asked:
    """Of both our backends. To make a cursor costs as much as half a small statement."""

    kept: Any = None

    def make_kept_cursor(self: Any) -> Any:
        return self.create_cursor()

    def ask(self: Any, statement: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        """All rows that a statement answers; none of one that answers nothing.

        For statements that ask for few rows whatever they are given: PostgreSQL makes a plan once.
        """
        self.close_if_health_check_failed()
        self.ensure_connection()
        if self.kept is None or self.kept.connection is not self.connection:
            self.kept = self.make_kept_cursor()
        cursor = self._prepare_cursor(self.kept)
        try:
            cursor.execute(statement, values)
            return cursor.fetchall() if cursor.description else []
        except BaseException:
            # An answer half read would keep SQLite at what it was, and its next change from being stored.
            kept, self.kept = self.kept, None
            with suppress(self.Database.Error):
                kept.close()
            raise
