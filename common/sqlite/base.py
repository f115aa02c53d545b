"""SQLite whose writers stand in line.

Whoever finds SQLite's write lock taken sleeps for up to a tenth of a second and tries again, while the lock
may be free: with some dozens of writers nobody wrote for a quarter of the time, and some were passed by for
seconds. Those who wait for the lock of a file are woken when it is free. It is let go with the transaction,
and by the system when a process ends. SQLite's own lock still decides; what is changed outside of a
transaction asks for that alone.
"""

import fcntl
import os

from django.db.backends.sqlite3 import base


class DatabaseWrapper(base.DatabaseWrapper):
    _turn: int | None = None

    def _start_transaction_under_autocommit(self) -> None:
        if self._turn is None and not self.is_in_memory_db():
            self._turn = os.open(f"{self.settings_dict['NAME']}-queue", os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(self._turn, fcntl.LOCK_EX)
        try:
            super()._start_transaction_under_autocommit()  # type: ignore[misc]
        except BaseException:
            self._next()
            raise

    def _next(self) -> None:
        if self._turn is not None:
            os.close(self._turn)
            self._turn = None

    def _commit(self) -> None:
        super()._commit()  # type: ignore[misc]
        self._next()

    def _rollback(self) -> None:
        try:
            super()._rollback()  # type: ignore[misc]
        finally:
            self._next()

    def _close(self) -> None:
        try:
            super()._close()  # type: ignore[misc]
        finally:
            self._next()
