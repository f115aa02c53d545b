import os
from functools import lru_cache
from typing import Any

from django.db.backends.sqlite3 import base

FULL = 2


class DatabaseWrapper(base.DatabaseWrapper):
    """A transaction is on the disk before it is answered, and keeps no other writer waiting for the disk.

    With `synchronous=FULL` SQLite waits for the disk while it holds the only lock for writing. Here a
    transaction is committed with `NORMAL`, which gives the lock back, and its log is brought to the disk
    afterwards, by several writers side by side. What is written outside of a transaction waits within SQLite.
    """

    is_durable = False
    log: int | None = None

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        connection = super().get_new_connection(conn_params)
        self.is_durable = _pragma(connection, "synchronous") == FULL
        return connection

    def create_cursor(self, name: str | None = None) -> Any:
        return self.connection.cursor(factory=Cursor)

    def _start_transaction_under_autocommit(self) -> None:
        if _pragma(self.connection, "journal_mode") == "wal":
            self._wait_within("NORMAL")
        else:
            self._close_log()  # another will be made
        try:
            super()._start_transaction_under_autocommit()  # type: ignore[misc]
        except BaseException:
            self._wait_within("FULL")
            raise

    def _set_autocommit(self, autocommit: bool) -> None:
        super()._set_autocommit(autocommit)  # type: ignore[misc]
        if autocommit:
            self._wait_within("FULL")

    def _commit(self) -> None:
        super()._commit()  # type: ignore[misc]
        if self.is_durable and _pragma(self.connection, "journal_mode") == "wal":
            if self.log is None:
                self.log = os.open(f"{self.settings_dict['NAME']}-wal", os.O_RDONLY)
            os.fdatasync(self.log)

    def _close(self) -> None:
        super()._close()  # type: ignore[misc]
        self._close_log()

    def _wait_within(self, synchronous: str) -> None:
        if self.is_durable:
            self.connection.execute(f"PRAGMA synchronous={synchronous}")

    def _close_log(self) -> None:
        if self.log is not None:
            os.close(self.log)
            self.log = None


class Cursor(base.SQLiteCursorWrapper):
    def convert_query(self, query: str, *, param_names: list[str] | None = None) -> str:
        return super().convert_query(query, param_names=param_names) if param_names else _converted(query)


@lru_cache(1000)
def _converted(query: str) -> str:
    """Statements are the same again and again, and long."""
    return base.FORMAT_QMARK_REGEX.sub("?", query).replace("%%", "%")


def _pragma(connection: Any, name: str) -> Any:
    return connection.execute(f"PRAGMA {name}").fetchone()[0]
