"""Storing many rows at once: COPY on PostgreSQL, one prepared statement on SQLite.

Rows bypass models and signals but not the database's own constraints. Values are plain: text, numbers and None;
dates and times as ISO text in UTC, JSON as text, UUIDs as 32 hexadecimal digits, truth as 0 and 1.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from django.core.management.color import no_style
from django.db import connection, models
from psycopg import sql


def insert(model: type[models.Model], fields: Sequence[str], rows: Iterable[tuple]) -> None:
    """Store the rows, tuples in the order of the fields; the key may be among them."""
    table = model._meta.db_table
    columns = [model._meta.get_field(name).column or "" for name in fields]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
                sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns))
            )
            with cursor.copy(statement) as copy:
                for row in rows:
                    copy.write_row(row)
        else:
            names = ", ".join(map(connection.ops.quote_name, columns))
            marks = ", ".join(["%s"] * len(columns))
            cursor.executemany(
                f"INSERT INTO {connection.ops.quote_name(table)} ({names}) VALUES ({marks})",  # noqa: S608
                rows,
            )


def numbers_follow(*tables: type[models.Model]) -> None:
    """Let the next keys of the tables follow those that were stored with the rows."""
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), list(tables)):
            cursor.execute(statement)


@contextmanager
def large_cache() -> Iterator[None]:
    """Room in memory for the pages that a large load touches again and again."""
    if connection.vendor != "sqlite":
        yield
        return
    with connection.cursor() as cursor:
        (before,) = cursor.execute("PRAGMA cache_size").fetchone()
        cursor.execute("PRAGMA cache_size=-524288")
        try:
            yield
        finally:
            cursor.execute(f"PRAGMA cache_size={int(before)}")
