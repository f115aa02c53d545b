"""Writers of SQLite stand in line; whatever ends a change lets the next one go."""

import fcntl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError

from common.sqlite.base import DatabaseWrapper

pytestmark = [pytest.mark.any_database, pytest.mark.django_db]

OPTIONS = {"transaction_mode": "IMMEDIATE", "timeout": 30, "init_command": "PRAGMA journal_mode=WAL"}
SETTINGS: dict[str, Any] = {
    "ENGINE": "common.sqlite", "USER": "", "PASSWORD": "", "HOST": "", "PORT": "", "TIME_ZONE": None,
    "CONN_MAX_AGE": 0, "CONN_HEALTH_CHECKS": False, "AUTOCOMMIT": True, "ATOMIC_REQUESTS": False,
    "TEST": {},
}  # fmt: skip
WAIT = 20


@pytest.fixture
def connect(tmp_path: Path) -> Iterator[Callable[[], DatabaseWrapper]]:
    """Connections to one new file; each belongs to the thread that asks for it."""
    opened = []

    def one() -> DatabaseWrapper:
        opened.append(DatabaseWrapper(SETTINGS | {"NAME": tmp_path / "db", "OPTIONS": dict(OPTIONS)}))
        opened[-1].inc_thread_sharing()
        return opened[-1]

    first = one()
    with first.cursor() as cursor:
        cursor.execute("CREATE TABLE line (number integer UNIQUE)")
    yield one
    for it in opened:
        it.close()


def begin(connection: DatabaseWrapper) -> None:
    connection.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)


def say(connection: DatabaseWrapper, number: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO line VALUES (%s)", [number])


def numbers(connection: DatabaseWrapper) -> list[int]:
    with connection.cursor() as cursor:
        return [number for (number,) in cursor.execute("SELECT number FROM line ORDER BY rowid")]


def is_free(path: Path) -> bool:
    """Whether the next writer would get its turn at once."""
    with open(f"{path / 'db'}-queue", "w") as line:
        try:
            fcntl.flock(line, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def broken_rule(connection: DatabaseWrapper) -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO line VALUES (7), (7)")


ENDS: dict[str, Callable[[DatabaseWrapper], None]] = {
    "commit": lambda connection: connection.commit(),
    "rollback": lambda connection: connection.rollback(),
    "close": lambda connection: connection.close(),
}


@pytest.mark.parametrize("end", ENDS)
def test_whoever_ends_a_change_lets_the_next_one_go(connect: Callable[[], DatabaseWrapper], end: str):
    connection = connect()
    begin(connection)
    say(connection, 1)
    waiting = connect()
    written = threading.Event()

    def write() -> None:
        begin(waiting)
        say(waiting, 2)
        waiting.commit()
        written.set()

    threading.Thread(target=write, daemon=True).start()
    assert not written.wait(0.3)
    ENDS[end](connection)
    assert written.wait(WAIT)
    assert numbers(connect()) == ([1, 2] if end == "commit" else [2])


def test_a_change_that_is_refused_lets_the_next_one_go(
    connect: Callable[[], DatabaseWrapper], tmp_path: Path
):
    connection = connect()
    begin(connection)
    with pytest.raises(IntegrityError):
        broken_rule(connection)
    assert not is_free(tmp_path)
    connection.rollback()
    assert is_free(tmp_path)


def test_a_change_that_cannot_begin_lets_the_next_one_go(
    connect: Callable[[], DatabaseWrapper], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    def refuse(_self: Any) -> None:
        raise DatabaseError("no")

    with monkeypatch.context() as patched, pytest.raises(DatabaseError):
        patched.setattr(
            "django.db.backends.sqlite3.base.DatabaseWrapper._start_transaction_under_autocommit", refuse
        )
        begin(connect())
    assert is_free(tmp_path)


def test_a_process_that_ends_in_the_middle_lets_the_next_one_go(
    connect: Callable[[], DatabaseWrapper], tmp_path: Path
):
    program = (
        "import django, os, sys; from common.sqlite.base import DatabaseWrapper;"
        f"it = DatabaseWrapper({SETTINGS!r} | {{'NAME': sys.argv[1], 'OPTIONS': {OPTIONS!r}}});"
        "it.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True);"
        "it.cursor().execute('INSERT INTO line VALUES (1)'); print('holds', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "db")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "holds\n"
        assert not is_free(tmp_path)
        process.kill()
        process.wait(WAIT)
        assert is_free(tmp_path)
    assert numbers(connect()) == []


def test_many_writers_each_get_their_turn(connect: Callable[[], DatabaseWrapper]):
    connections = [connect() for _n in range(8)]

    def write(who: int) -> None:
        for n in range(25):
            begin(connections[who])
            say(connections[who], who * 100 + n)
            connections[who].commit()
            connections[who].set_autocommit(True)

    threads = [threading.Thread(target=write, args=(who,)) for who in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT)
    assert sorted(numbers(connect())) == sorted(who * 100 + n for who in range(8) for n in range(25))


def test_a_change_that_begins_again_does_not_wait_for_itself(connect: Callable[[], DatabaseWrapper]):
    connection = connect()
    begin(connection)
    connection.connection.rollback()
    connection.set_autocommit(True)
    begin(connection)
    say(connection, 1)
    connection.commit()
    assert numbers(connection) == [1]


def test_a_database_in_memory_has_no_line():
    connection = DatabaseWrapper(SETTINGS | {"NAME": ":memory:", "OPTIONS": dict(OPTIONS)})
    begin(connection)
    connection.rollback()
    connection.connection.close()
    assert not Path(":memory:-queue").exists()
