import logging
import os
from contextlib import suppress
from functools import lru_cache
from typing import Any

from django.apps import apps
from django.db import DatabaseError, IntegrityError
from django.db.backends.sqlite3 import base

from common.kept import Asked

FULL = 2
logger = logging.getLogger("portal.disk")


class DatabaseWrapper(Asked, base.DatabaseWrapper):
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
        has_log = self.is_durable and _pragma(self.connection, "journal_mode") == "wal"
        try:
            if has_log:
                self._wait_within("NORMAL")
            else:
                self._close_log()  # another will be made
            super()._start_transaction_under_autocommit()  # type: ignore[misc]
            if has_log and self.log is None:
                self._open_log()
        except BaseException:
            self.connection.rollback()
            self._wait_within("FULL")
            raise

    def _set_autocommit(self, autocommit: bool) -> None:
        super()._set_autocommit(autocommit)  # type: ignore[misc]
        if autocommit:
            self._wait_within("FULL")

    def _commit(self) -> None:
        try:
            super()._commit()  # type: ignore[misc]
        except IntegrityError as refused:
            with suppress(DatabaseError):
                refused.constraint_name = self._broken()  # type: ignore[attr-defined]
            raise
        if self.log is None:
            return
        try:
            os.fdatasync(self.log)
        except OSError:
            # What others read is not on the disk and never may be. Nobody is answered, as with PostgreSQL:
            # what follows begins with what the disk holds.
            logger.critical("The disk refuses what was committed", exc_info=True)
            os._exit(os.EX_IOERR)

    def _broken(self) -> str:
        """Which rule is broken of those that can be asked: of foreign keys SQLite tells no name, but what it
        refuses stands there until it is rolled back."""
        for model in apps.get_models():
            for rule in model._meta.constraints:
                if hasattr(rule, "is_broken") and rule.is_broken(model, self.alias):
                    return rule.name
        return ""

    def _close(self) -> None:
        super()._close()  # type: ignore[misc]
        self._close_log()

    def _wait_within(self, synchronous: str) -> None:
        if self.is_durable:
            self.connection.execute(f"PRAGMA synchronous={synchronous}")

    def _open_log(self) -> None:
        """Before anything is written: what failed later would be answered as if it were not stored."""
        # Where links lead: the log lies beside the file itself.
        file = self.connection.execute("PRAGMA database_list").fetchone()[2]
        self.log = os.open(f"{file}-wal", os.O_RDONLY)

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
