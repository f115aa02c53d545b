"""SQLite whose writers look every few milliseconds whether it is their turn.

Whoever finds the write lock taken is put to sleep by SQLite for up to a tenth of a second before it looks
again, and meanwhile the lock may be free: with some dozens of writers nobody wrote for a quarter of the
time, and some were passed by for seconds.
"""

import sqlite3
import time
from collections.abc import Callable
from typing import Any, TypeVar

from django.db import OperationalError
from django.db.backends.sqlite3 import base

R = TypeVar("R")
# Milliseconds for which SQLite looks by itself: after one, three and four of them.
LOOK = 4
WRITING = ("INSERT", "UPDATE", "DELETE")


class DatabaseWrapper(base.DatabaseWrapper):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.execute_wrappers.append(self._alone)

    def _start_transaction_under_autocommit(self) -> None:
        self._in_turn(super()._start_transaction_under_autocommit)  # type: ignore[misc]

    def _alone(self, execute: Callable[..., R], sql: str, *args: Any) -> R:
        """A change outside of a transaction waits as those do that begin one."""
        if self.autocommit and sql.startswith(WRITING):
            return self._in_turn(lambda: execute(sql, *args))
        return execute(sql, *args)

    def _in_turn(self, ask: Callable[[], R]) -> R:
        """Ask until the lock is free, at most for as long as the settings allow."""
        wait = self.settings_dict["OPTIONS"]["timeout"]
        until = time.monotonic() + wait
        self.connection.execute(f"PRAGMA busy_timeout = {LOOK}")
        try:
            while True:
                try:
                    return ask()
                except OperationalError as fault:
                    if not is_busy(fault) or time.monotonic() > until:
                        raise
        finally:
            self.connection.execute(f"PRAGMA busy_timeout = {int(wait * 1000)}")


def is_busy(fault: OperationalError) -> bool:
    """Whether somebody else held the lock; nothing was done then."""
    code = getattr(fault.__cause__, "sqlite_errorcode", 0)
    return code & 0xFF == sqlite3.SQLITE_BUSY
