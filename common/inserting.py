"""Storing new rows by statements that are composed once (`common.prepared` does so for queries)."""

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache, lru_cache
from itertools import chain
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections, models, transaction
from django.db.models.constants import OnConflict
from django.db.models.expressions import DatabaseDefault

from common.prepared import of_one_kind

# Rows of one statement; more are stored as Django does.
MOST = 20
# Of these a text is stored as it stands, and of those a number.
TEXTS = {models.CharField, models.TextField}
KEYS = {models.BigAutoField, models.ForeignKey, models.OneToOneField}


class Held:
    """What a block has yet to send: statements with the values that they store. And the keys that rows will
    get, by model, which come with what is `answered` first."""

    def __init__(self, expected: Collection[type[models.Model]]) -> None:
        self.statements: list[tuple[str, list[Any]]] = []
        self.expected = list(expected)
        self.keys: dict[type[models.Model], list[int]] = {}


_held: ContextVar[Held | None] = ContextVar("held", default=None)


class Inserted(models.Model):
    """Rows that are stored, one by one, by a statement that is composed once."""

    class Meta:
        abstract = True

    def _do_insert(
        self, manager: Any, using: str | None, fields: list[Any], returning_fields: list[Any], raw: bool
    ) -> list[tuple[Any, ...]]:
        values = None if raw or using != DEFAULT_DB_ALIAS else _values(self, fields)
        if values is None:
            return super()._do_insert(manager, using, fields, returning_fields, raw)  # type: ignore[misc]
        if self.pk is None and (keys := _keys_at_hand(type(self), 1)):
            _give(self, keys[0], values)
        # Of the others the database stores what it is given.
        untold = [field for field in returning_fields if field.column not in values]
        told = {
            field: field.to_python(value)
            for row in _insert(type(self), [values], told=[str(field.column) for field in untold])
            for field, value in zip(untold, row, strict=True)
        }
        return [
            tuple(
                told[field] if field in told else getattr(self, field.attname) for field in returning_fields
            )
        ]


def insert(
    rows: Sequence[models.Model], *, unless_there: bool = False, in_place: bool = False, told: bool = False
) -> None:
    """Store new rows of one model, without signals.

    ``unless_there`` leaves out those that a rule of uniqueness refuses, ``in_place`` stores them in place of
    the one that has their key; of others ``told`` lets the rows know the keys that the database gave them.
    """
    if not rows:
        return
    model = type(rows[0])
    conflict = OnConflict.IGNORE if unless_there else OnConflict.UPDATE if in_place else None
    numbered = model._meta.auto_field
    fields: list[Any] = [field for field in model._meta.local_concrete_fields if field is not numbered]
    for row in rows[:MOST]:
        if row._state.fields_cache:  # else it names no row that could be unsaved
            row._prepare_related_fields_for_save("insert")  # type: ignore[attr-defined]
    values: list[Any] = [_values(row, fields) for row in rows[:MOST] if row.pk is None or not numbered]
    columns = list((values and values[0]) or ())
    if len(values) < len(rows) or any(it is None or list(it) != columns for it in values):
        model._base_manager.bulk_create(
            rows,
            batch_size=500,
            ignore_conflicts=unless_there,
            update_conflicts=in_place,
            unique_fields=["pk"] if in_place else None,
            update_fields=[field.name for field in fields if not field.primary_key] if in_place else None,
        )
        return
    known = _keys_at_hand(model, len(rows)) if told else []
    for row, it, key in zip(rows, values, known, strict=False):
        _give(row, key, it)
    told_columns = [str(numbered.column)] if told and numbered and not known else []
    with transaction.mark_for_rollback_on_error(DEFAULT_DB_ALIAS):
        answers = _insert(model, values, told=told_columns, conflict=conflict)
    for row, (stored,) in zip(rows, answers, strict=False):
        row.pk = stored


def insert_for_each(
    pattern: models.Model, name: str, numbers: Collection[int], *, unless_there: bool = False
) -> None:
    """Store a row like the pattern for each of the numbers, which stand in the field ``name``; see `insert`.

    The database makes rows of the numbers, so that a statement neither grows with them nor differs.
    """
    if not numbers:
        return
    model, connection = type(pattern), connections[DEFAULT_DB_ALIAS]
    field = model._meta.get_field(name)
    others = [it for it in model._meta.local_concrete_fields if it is not field and not it.primary_key]
    same = _values(pattern, others)
    if same is None:
        raise TypeError("The values of the pattern have to be known.")
    marks = tuple("NULL" if value is None else "%s" for value in same.values())
    conflict = OnConflict.IGNORE if unless_there else None
    statement = _statement_for_each(model, name, tuple(same), marks, conflict)
    kept = [of_one_kind(it, connection) for it in numbers]
    given = kept if connection.vendor == "postgresql" else json.dumps(kept)
    told = [value for value in same.values() if value is not None]
    with transaction.mark_for_rollback_on_error(DEFAULT_DB_ALIAS):
        _store(statement, [*told, given])


@contextmanager
def sent_together(expected: Collection[type[models.Model]] = ()) -> Iterator[None]:
    """Of what the block stores PostgreSQL is sent what it need not answer together with the next statement
    that it is to answer, or at the end; so nothing in the block may look for those rows, nor go back to a
    savepoint.

    The keys of rows of the ``expected`` models, each as often as it stands there, come with what is
    `answered` first, so that storing them needs no answer.
    """
    if connections[DEFAULT_DB_ALIAS].vendor != "postgresql":
        yield
        return
    held = Held(expected)
    token = _held.set(held)
    try:
        yield
        if held.statements:
            _send(held.statements)
    finally:
        _held.reset(token)


def answered(statement: str, values: list[Any]) -> tuple[Any, ...]:
    """The one row that an INSERT answers, which ends with what it returns."""
    held = _held.get()
    if held is None or not held.expected:
        return _store(statement, values, is_answered=True)[0]
    keys = ", ".join(f"nextval('{_sequence(model)}')" for model in held.expected)
    (answer,) = _store(f"{statement}, {keys}", values, is_answered=True)
    own = len(answer) - len(held.expected)
    for model, key in zip(held.expected, answer[own:], strict=True):
        held.keys.setdefault(model, []).append(key)
    held.expected.clear()
    return answer[:own]


def _keys_at_hand(model: type[models.Model], number: int) -> list[int]:
    """So many keys for new rows, or none."""
    held = _held.get()
    keys = held.keys.get(model, []) if held else []
    taken = keys[:number] if len(keys) >= number else []
    del keys[: len(taken)]
    return taken


def _give(row: models.Model, key: int, values: dict[str, Any]) -> None:
    """The row has the key, and stores it with its values."""
    row.pk = key
    values[str(row._meta.pk.column)] = of_one_kind(key, connections[DEFAULT_DB_ALIAS])


@cache
def _sequence(model: type[models.Model]) -> str:
    connection = connections[DEFAULT_DB_ALIAS]
    with connection.cursor() as cursor:
        (sequence,) = connection.introspection.get_sequences(cursor, model._meta.db_table)
    return str(sequence["name"])


def _store(statement: str, values: list[Any], *, is_answered: bool = False) -> list[tuple[Any, ...]]:
    held = _held.get()
    if held is None:
        return _send([(statement, values)])
    held.statements.append((statement, values))
    return _send(held.statements) if is_answered else []


def _send(statements: list[tuple[str, list[Any]]]) -> list[tuple[Any, ...]]:
    texts, values = zip(*statements, strict=True)
    statements.clear()
    connection: Any = connections[DEFAULT_DB_ALIAS]
    rows: list[tuple[Any, ...]] = connection.ask(_joined(texts), list(chain.from_iterable(values)))
    return rows


@lru_cache(100)
def _joined(statements: tuple[str, ...]) -> str:
    """One statement of them all, which answers as the last."""
    *others, last = statements
    parts = ", ".join(f"part{number} AS ({statement})" for number, statement in enumerate(others))
    return f"WITH {parts} {last}" if parts else last


def _values(row: models.Model, fields: Iterable[Any]) -> dict[str, Any] | None:
    """By column, without those that the database fills in; None where it is to compute others."""
    connection, held = connections[DEFAULT_DB_ALIAS], row.__dict__
    values: dict[str, Any] = {}
    for field in fields:
        kind, value = type(field), held.get(field.attname, field)
        if kind in TEXTS and type(value) is str:
            values[field.column] = value
            continue
        if kind in KEYS and (value is None or type(value) is int):
            values[field.column] = None if value is None else of_one_kind(value, connection)
            continue
        value = field.pre_save(row, add=True)
        if isinstance(value, DatabaseDefault):
            if hasattr(field.db_default, "resolve_expression"):
                continue
            value = field.db_default
            setattr(row, field.attname, value)
        if hasattr(value, "resolve_expression"):
            return None
        values[field.column] = field.get_db_prep_save(value, connection)
    return values


def _insert(
    model: type[models.Model],
    rows: list[dict[str, Any]],
    told: Sequence[str] = (),
    conflict: OnConflict | None = None,
) -> list[tuple[Any, ...]]:
    """``told`` are columns of the new rows that are answered."""
    marks = tuple(tuple("NULL" if value is None else "%s" for value in row.values()) for row in rows)
    statement = _statement(model, tuple(rows[0]), marks, tuple(told), conflict)
    values = [value for row in rows for value in row.values() if value is not None]
    return _store(statement, values, is_answered=bool(told))


@lru_cache(500)
def _statement(
    model: type[models.Model],
    columns: tuple[str, ...],
    rows: tuple[tuple[str, ...], ...],
    told: tuple[str, ...],
    conflict: OnConflict | None,
) -> str:
    """What is blank stands in the statement and is not sent."""
    values = f"VALUES ({'), ('.join(', '.join(row) for row in rows)})"
    return _composed(model, columns, values, told, conflict)


@lru_cache(100)
def _statement_for_each(
    model: type[models.Model],
    name: str,
    columns: tuple[str, ...],
    marks: tuple[str, ...],
    conflict: OnConflict | None,
) -> str:
    """The numbers come last."""
    connection = connections[DEFAULT_DB_ALIAS]
    field: Any = model._meta.get_field(name)
    is_postgresql = connection.vendor == "postgresql"
    each = (
        f"unnest(%s::{field.db_type(connection)}[]) AS each(value)"
        if is_postgresql
        else "json_each(%s) AS each"
    )
    selected = ", ".join((*marks, "each.value"))
    source = f"SELECT {selected} FROM {each}"  # noqa: S608
    return _composed(model, (*columns, field.column), source, (), conflict)


def _composed(
    model: type[models.Model],
    columns: Sequence[str],
    source: str,
    told: Sequence[str],
    conflict: OnConflict | None,
) -> str:
    """An INSERT of the rows of ``source``; ``told`` are the columns that it answers."""
    connection = connections[DEFAULT_DB_ALIAS]
    quote, key = connection.ops.quote_name, model._meta.pk.column
    parts = [
        connection.ops.insert_statement(on_conflict=conflict),
        f"{quote(model._meta.db_table)} ({', '.join(map(quote, columns))})",
        source,
        connection.ops.on_conflict_suffix_sql([], conflict, [it for it in columns if it != key], [key]),
        f"RETURNING {', '.join(map(quote, told))}" if told else "",
    ]
    return " ".join(str(part) for part in parts if part)
