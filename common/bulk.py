"""Storing many rows at once: COPY on PostgreSQL, statements of some dozens of rows on SQLite.

Rows bypass models and signals but not the database's own constraints. Values are plain: text, numbers and
None; dates and times as ISO text in UTC, JSON as text, UUIDs as 32 hexadecimal digits, truth as 0 and 1.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import chain, islice
from typing import Any

from django.core.management.color import no_style
from django.db import OperationalError, connection, models
from django.db.backends.utils import CursorWrapper
from psycopg import sql

# Of one SQLite statement; more of them gain nothing.
PARAMETERS = 800


def insert(model: type[models.Model], fields: Sequence[str], rows: Iterable[tuple]) -> None:
    """Store the rows, tuples in the order of the fields; the key may be among them."""
    table = model._meta.db_table
    columns = [column for name in fields if (column := getattr(model._meta.get_field(name), "column", None))]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
                sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns))
            )
            with cursor.copy(statement) as copy:
                for row in rows:
                    copy.write_row(row)
        else:
            _insert_many(cursor, table, columns, iter(rows))


def _insert_many(cursor: CursorWrapper, table: str, columns: Sequence[str], rows: Iterator[tuple]) -> None:
    """Some dozens of rows by statement, straight through the driver: half the time of a statement per row."""
    quote = connection.ops.quote_name
    head = f"INSERT INTO {quote(table)} ({', '.join(map(quote, columns))}) VALUES "  # noqa: S608
    marks = f"({', '.join('?' * len(columns))})"
    at_once = PARAMETERS // len(columns)
    execute = cursor.connection.execute
    while batch := list(islice(rows, at_once)):
        execute(head + ", ".join([marks] * len(batch)), list(chain.from_iterable(batch)))


def numbers_follow(*tables: type[models.Model]) -> None:
    """Let the next keys of the tables follow those that were stored with the rows."""
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), list(tables)):
            cursor.execute(statement)


@contextmanager
def large_load(*tables: type[models.Model]) -> Iterator[None]:
    """Make indexes after the rows, and check foreign keys once for all of them; needs a transaction.

    Keeping both row by row takes several times as long. Primary keys, unique and check constraints stay in
    force all the while.
    """
    with connection.cursor() as cursor:
        suspended = [item for table in tables for item in _suspendable(cursor, table._meta.db_table)]
        _settle(cursor)
        for suspend, _restore in suspended:
            cursor.execute(suspend)
        yield
        _settle(cursor)
        for _suspend, restore in reversed(suspended):
            cursor.execute(restore)


def _settle(cursor: CursorWrapper) -> None:
    """Check what was put off to the end of the transaction, since PostgreSQL alters no table before."""
    if connection.vendor == "postgresql":
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")


def _suspendable(cursor: CursorWrapper, table: str) -> list[tuple[str, str]]:
    """Pairs of statements that drop and make again: foreign keys (PostgreSQL), then plain indexes."""
    quote = connection.ops.quote_name
    pairs = []
    if connection.vendor == "postgresql":
        cursor.execute(
            "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE conrelid = %s::regclass AND contype = 'f'",
            [table],
        )
        for name, definition in cursor.fetchall():
            alter = f"ALTER TABLE {quote(table)}"
            pairs.append(
                (
                    f"{alter} DROP CONSTRAINT {quote(name)}",
                    f"{alter} ADD CONSTRAINT {quote(name)} {definition}",
                )
            )
        cursor.execute(
            "SELECT c.relname, pg_get_indexdef(i.indexrelid)"
            " FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
            " WHERE i.indrelid = %s::regclass AND NOT i.indisunique",
            [table],
        )
    else:
        cursor.execute(
            "SELECT name, sql FROM sqlite_master"
            " WHERE type = 'index' AND tbl_name = %s AND sql LIKE 'CREATE INDEX%%'",
            [table],
        )
    pairs += [(f"DROP INDEX {quote(name)}", definition) for name, definition in cursor.fetchall()]
    return pairs


def analyse() -> None:
    """Let the database look at what it holds, so that it plans its queries by the data and not by guesses."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA analysis_limit=1000")
        cursor.execute("ANALYZE")


@contextmanager
def large_file() -> Iterator[None]:
    """Fit SQLite for one transaction of half a gigabyte, entered outside of it.

    Room in memory for the pages that are touched again and again, and a rollback journal in place of the
    write-ahead log: new pages go to the file at once, not to the log first. Where another process has the
    database open SQLite keeps its log, and the load takes longer.
    """
    if connection.vendor != "sqlite":
        yield
        return
    with connection.cursor() as cursor:
        before = {name: _pragma(cursor, name) for name in ("cache_size", "journal_mode")}
        _pragma(cursor, "cache_size=-393216")
        _pragma(cursor, "journal_mode=DELETE")
        try:
            yield
        finally:
            for name, value in before.items():
                _pragma(cursor, f"{name}={value}")


def _pragma(cursor: CursorWrapper, setting: str) -> Any:
    """What SQLite answers; None where another process stands in the way."""
    with suppress(OperationalError):
        row = cursor.execute(f"PRAGMA {setting}").fetchone()
        return row[0] if row else None
