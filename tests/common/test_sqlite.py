"""Changes of SQLite are on the disk before they are answered, and keep nobody waiting for it."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError
from django.db.utils import ConnectionHandler

from common.sqlite import base

pytestmark = pytest.mark.any_database
NORMAL, FULL = 1, 2
Connect = Callable[..., base.DatabaseWrapper]


@pytest.fixture
def connect(tmp_path: Path, django_db_blocker: Any) -> Iterator[Connect]:
    opened = []

    def wrapper(
        journal: str = "WAL", synchronous: str = "FULL", name: str = "rows.sqlite3"
    ) -> base.DatabaseWrapper:
        commands = f"PRAGMA journal_mode={journal};PRAGMA synchronous={synchronous}"
        options = {"init_command": commands, "transaction_mode": "IMMEDIATE", "timeout": 0.05}
        database = {"ENGINE": "common.sqlite", "NAME": str(tmp_path / name), "OPTIONS": options}
        connection = ConnectionHandler({"default": database})["default"]
        opened.append(connection)
        connection.cursor().execute("CREATE TABLE IF NOT EXISTS words (word)")
        return connection

    with django_db_blocker.unblock():
        yield wrapper
        for connection in opened:
            connection.close()


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that were brought to the disk by us."""
    files: list[Path] = []
    monkeypatch.setattr(os, "fdatasync", lambda file: files.append(Path(f"/proc/self/fd/{file}").readlink()))
    return files


def write(connection: base.DatabaseWrapper, word: str = "a") -> None:
    connection.cursor().execute("INSERT INTO words VALUES (%s)", [word])


def in_transaction(connection: base.DatabaseWrapper, word: str = "a") -> int:
    """Writes, and tells how SQLite waits for the disk meanwhile."""
    connection.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)
    write(connection, word)
    waits = how_it_waits(connection)
    connection.commit()
    connection.set_autocommit(True)
    return waits


def how_it_waits(connection: base.DatabaseWrapper) -> int:
    return connection.cursor().execute("PRAGMA synchronous").fetchone()[0]


def test_a_transaction_is_brought_to_the_disk_while_others_may_write(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
):
    ours, other = connect(), connect()
    seen = []

    def to_disk(file: int) -> None:
        write(other, "b")
        words = other.cursor().execute("SELECT word FROM words ORDER BY word").fetchall()
        seen.append((Path(f"/proc/self/fd/{file}").readlink().name, words))

    monkeypatch.setattr(os, "fdatasync", to_disk)
    assert in_transaction(ours) == NORMAL
    assert seen == [("rows.sqlite3-wal", [("a",), ("b",)])]


def test_what_is_written_outside_of_a_transaction_waits_as_sqlite_does(connect: Connect, synced: list[Path]):
    connection = connect()
    in_transaction(connection)
    synced.clear()
    assert how_it_waits(connection) == FULL
    write(connection)
    assert synced == []


def test_after_a_change_that_was_given_up_sqlite_waits_again(connect: Connect, synced: list[Path]):
    connection = connect()
    connection.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)
    write(connection)
    connection.rollback()
    connection.set_autocommit(True)
    assert how_it_waits(connection) == FULL
    assert synced == []


def test_who_could_not_begin_has_changed_nothing(connect: Connect, synced: list[Path], tmp_path: Path):
    connection = connect()
    with sqlite3.connect(tmp_path / "rows.sqlite3") as holder:
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(OperationalError, match="locked"):
            in_transaction(connection)
    assert how_it_waits(connection) == FULL
    assert in_transaction(connection) == NORMAL


def test_without_a_log_sqlite_itself_waits_and_a_log_made_anew_is_the_one_that_counts(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    connection, inodes = connect(), []
    monkeypatch.setattr(os, "fdatasync", lambda file: inodes.append(os.fstat(file).st_ino))
    log = tmp_path / "rows.sqlite3-wal"
    in_transaction(connection)
    assert inodes == [log.stat().st_ino]
    with log.open():  # so that the next file has another number
        connection.cursor().execute("PRAGMA journal_mode=DELETE")
        assert in_transaction(connection) == FULL
        connection.cursor().execute("PRAGMA journal_mode=WAL")
        in_transaction(connection)
    assert len(inodes) == 2 and inodes[1] == log.stat().st_ino != inodes[0]


def test_the_log_lies_where_a_link_to_the_database_leads(
    connect: Connect, synced: list[Path], tmp_path: Path
):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link.sqlite3").symlink_to(tmp_path / "elsewhere" / "rows.sqlite3")
    in_transaction(connect(name="link.sqlite3"))
    assert synced == [tmp_path / "elsewhere" / "rows.sqlite3-wal"]


def test_where_the_log_cannot_be_opened_nothing_is_stored(connect: Connect, monkeypatch: pytest.MonkeyPatch):
    connection = connect()

    def refused(*_args: object) -> int:
        raise OSError("too many open files")

    with monkeypatch.context() as patched:
        patched.setattr(os, "open", refused)
        with pytest.raises(OSError, match="too many"):
            in_transaction(connection)
    assert how_it_waits(connection) == FULL
    assert connection.cursor().execute("SELECT COUNT(*) FROM words").fetchone() == (0,)
    assert in_transaction(connection) == NORMAL


def test_where_the_disk_refuses_nobody_is_answered(connect: Connect, monkeypatch: pytest.MonkeyPatch):
    connection = connect()

    def refused(_file: int) -> None:
        raise OSError("input/output error")

    def ended(status: int) -> None:
        raise SystemExit(status)

    monkeypatch.setattr(os, "fdatasync", refused)
    monkeypatch.setattr(os, "_exit", ended)
    with pytest.raises(SystemExit):
        in_transaction(connection)


def test_where_nothing_has_to_survive_nothing_waits(connect: Connect, synced: list[Path]):
    assert in_transaction(connect(synchronous="OFF")) == 0
    assert synced == []


def test_a_closed_connection_holds_no_file(connect: Connect, tmp_path: Path):
    connection = connect()
    in_transaction(connection)
    connection.close()
    held = [str(it.readlink()) for it in Path("/proc/self/fd").iterdir() if it.exists()]
    assert not [it for it in held if it.startswith(str(tmp_path))]
    assert in_transaction(connection) == NORMAL


def test_values_and_signs_of_percent_stand_where_they_stood(connect: Connect):
    cursor = connect().cursor()
    write_twice = "INSERT INTO words SELECT %s || '100%%'"
    for word in ("a%", "b?"):
        cursor.execute(write_twice, [word])
    cursor.execute("SELECT word FROM words WHERE word LIKE '%%100%%' ORDER BY word")
    assert cursor.fetchall() == [("a%100%",), ("b?100%",)]
    cursor.execute("SELECT %(x)s, %(x)s", {"x": 7})
    assert cursor.fetchall() == [(7, 7)]


def test_an_answer_that_cannot_be_read_keeps_nobody_from_storing(connect: Connect):
    connection, other = connect(), connect()
    connection.cursor().execute("CREATE TABLE days (day date)")
    connection.cursor().execute("INSERT INTO days VALUES ('2026-11-23'), ('2026-13-45')")
    with pytest.raises(ValueError, match="month"):
        connection.ask("SELECT day FROM days WHERE day > %s", [""])
    write(other, "b")
    in_transaction(connection, "a")
    assert connection.ask("SELECT word FROM words ORDER BY word", []) == [("a",), ("b",)]


def test_who_asks_keeps_no_reader_and_outlives_faults_and_connections(connect: Connect):
    connection, other = connect(), connect()
    for word in ("a", "b"):
        assert connection.ask("INSERT INTO words VALUES (%s)", [word]) == []
    question = "SELECT word FROM words WHERE word < %s ORDER BY word"
    assert connection.ask(question, ["c"]) == [("a",), ("b",)]
    # Were the question still open, the log could not be begun anew.
    assert other.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone() == (0, 0, 0)
    with pytest.raises(OperationalError, match="no such table"):
        connection.ask("SELECT * FROM nowhere", [])
    assert connection.ask(question, ["b"]) == [("a",)]
    connection.close()
    assert connection.ask(question, ["c"]) == [("a",), ("b",)]
