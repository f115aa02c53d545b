"""Writers of SQLite look every few milliseconds whether it is their turn, and not for ever."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError, OperationalError

from common.sqlite.base import DatabaseWrapper

pytestmark = [pytest.mark.any_database, pytest.mark.django_db]

OPTIONS = {"transaction_mode": "IMMEDIATE", "timeout": 30, "init_command": "PRAGMA journal_mode=WAL"}
SETTINGS: dict[str, Any] = {
    "ENGINE": "common.sqlite", "USER": "", "PASSWORD": "", "HOST": "", "PORT": "", "TIME_ZONE": None,
    "CONN_MAX_AGE": 0, "CONN_HEALTH_CHECKS": False, "AUTOCOMMIT": True, "ATOMIC_REQUESTS": False,
    "TEST": {},
}  # fmt: skip
Connect = Callable[..., DatabaseWrapper]


@pytest.fixture
def connect(tmp_path: Path) -> Iterator[Connect]:
    """Connections to one new file."""
    opened = []

    def one(timeout: float = 30) -> DatabaseWrapper:
        options = OPTIONS | {"timeout": timeout}
        opened.append(DatabaseWrapper(SETTINGS | {"NAME": tmp_path / "db", "OPTIONS": options}))
        opened[-1].inc_thread_sharing()
        return opened[-1]

    ask(one(), "CREATE TABLE line (number integer UNIQUE)")
    yield one
    for it in opened:
        it.close()


def ask(connection: DatabaseWrapper, statement: str) -> list[Any]:
    with connection.cursor() as cursor:
        return [value for (value,) in cursor.execute(statement)]


def begin(connection: DatabaseWrapper) -> None:
    connection.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)


def end(connection: DatabaseWrapper) -> None:
    connection.commit()
    connection.set_autocommit(True)


def in_a_transaction(connection: DatabaseWrapper, number: int) -> None:
    begin(connection)
    ask(connection, f"INSERT INTO line VALUES ({number})")
    end(connection)


def alone(connection: DatabaseWrapper, number: int) -> None:
    ask(connection, f"INSERT INTO line VALUES ({number})")


both_ways = pytest.mark.parametrize("write", [in_a_transaction, alone])


@both_ways
def test_whoever_waits_goes_on_as_soon_as_the_lock_is_free(connect: Connect, write: Callable[..., None]):
    """SQLite itself would sleep for a tenth of a second at a time by then: half of that on an average."""
    holder, waiting = connect(), connect()
    late = []
    for number in range(10):
        begin(holder)
        gone_on: list[float] = []

        def follow(number: int = number, gone_on: list[float] = gone_on) -> None:
            write(waiting, number)
            gone_on.append(time.monotonic())

        thread = threading.Thread(target=follow)
        thread.start()
        time.sleep(0.35)
        assert not gone_on
        free = time.monotonic()
        end(holder)
        thread.join()
        late.append(gone_on[0] - free)
    assert sorted(late)[5] < 0.03
    assert ask(connect(), "SELECT number FROM line ORDER BY rowid") == list(range(10))


@both_ways
def test_whoever_waits_for_too_long_is_told_so(connect: Connect, write: Callable[..., None]):
    holder, waiting = connect(), connect(timeout=0.3)
    begin(holder)
    began = time.monotonic()
    with pytest.raises(OperationalError, match="locked"):
        write(waiting, 1)
    assert 0.3 <= time.monotonic() - began < 5
    end(holder)
    write(waiting, 1)
    assert ask(connect(), "SELECT number FROM line") == [1]


@both_ways
def test_what_a_rule_refuses_is_refused_at_once(connect: Connect, write: Callable[..., None]):
    connection = connect()
    write(connection, 1)
    with pytest.raises(IntegrityError):
        write(connection, 1)
    connection.rollback()
    connection.set_autocommit(True)
    write(connection, 2)
    assert ask(connect(), "SELECT number FROM line") == [1, 2]


@both_ways
def test_afterwards_sqlite_waits_as_the_settings_say(connect: Connect, write: Callable[..., None]):
    connection = connect(timeout=12.5)
    write(connection, 1)
    assert ask(connection, "PRAGMA busy_timeout") == [12500]


def test_many_writers_lose_nothing(connect: Connect):
    connections = [connect() for _n in range(8)]

    def write(who: int) -> None:
        for number in range(25):
            (alone if number % 5 == 0 else in_a_transaction)(connections[who], who * 100 + number)

    threads = [threading.Thread(target=write, args=(who,)) for who in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    numbers = ask(connect(), "SELECT number FROM line ORDER BY number")
    assert numbers == [who * 100 + number for who in range(8) for number in range(25)]
