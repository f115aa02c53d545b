"""A guard for tests: no request writes to a watched table past the record."""

import re
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from django.db import connection
from django.db.models.signals import pre_delete
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from record import recording

WRITE = re.compile(r'(INSERT INTO|UPDATE|DELETE FROM) "(\w+)"')
COLUMN = re.compile(r'"(\w+)" = ')
NAME = re.compile(r'"(\w+)"')
# The marks of the values of a row.
ROW = re.compile(r"\(((?:%s|NULL)(?:, (?:%s|NULL))*)\)")
# Tables of rows whose deleting in this request Django's signals have told to the record.
_told: ContextVar[set[Any] | None] = ContextVar("told", default=None)


class Unrecorded(AssertionError):
    """A write that leaves no event; see `record.recording`."""


def _note(sender: Any, **kwargs: Any) -> None:
    told = _told.get()
    if told is not None:
        told.add(sender._meta.db_table)
        told.update(pointer.model._meta.db_table for pointer in recording._pointers(sender))


class RecordingGuard:
    """Raises `Unrecorded` where a request writes a watched table by `update()`, `bulk_create()` or SQL."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self.watched = {watched.model._meta.db_table: watched for watched in recording.WATCHED.values()}
        for watched in self.watched.values():
            pre_delete.connect(_note, sender=watched.model)

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        token = _told.set(set())
        try:
            with connection.execute_wrapper(self.check):
                return self.get_response(request)
        finally:
            _told.reset(token)

    def check(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith("WITH part0 AS ("):
            self._check_together(sql, list(params))
        elif match := WRITE.match(sql.lstrip()):
            verb, table = match.groups()
            watched = self.watched.get(table)
            told = table in (_told.get() or ()) and (verb == "DELETE FROM" or "= NULL WHERE" in sql)
            if watched and not (
                told or watched.model in recording.being_written() or self._says_nothing(watched, verb, sql)
            ):
                raise Unrecorded(f"Past the record of {watched.entity}: {sql[:200]}")
        return execute(sql, params, many, context)

    def _check_together(self, sql: str, values: list[Any]) -> None:
        """Of each row that is stored an event is at hand by then; of the last statement it may follow."""
        told = {(event.entity, event.row) for event in recording._gathered.get() or ()}
        _with, *statements = sql.split('INSERT INTO "')
        for left, statement in zip(range(len(statements) - 1, -1, -1), statements, strict=True):
            own, values = values[: statement.count("%s")], values[statement.count("%s") :]
            watched = self.watched.get(statement.partition('"')[0])
            if not watched or (not left and watched.model in recording.being_written()):
                continue
            keys = _keys(statement, watched.model._meta.pk.column, own)
            if not keys or not {(watched.entity, key) for key in keys} <= told:
                raise Unrecorded(f"Past the record of {watched.entity}: {statement[:200]}")

    @staticmethod
    def _says_nothing(watched: recording.Watched, verb: str, sql: str) -> bool:
        """Progress of jobs and the like, which is ignored in the record."""
        told = {field.column for field in watched.fields.values()}
        columns = set(COLUMN.findall(sql.partition(" WHERE ")[0]))
        return verb == "UPDATE" and not columns & told


def _keys(statement: str, column: str, values: list[Any]) -> list[str]:
    """The keys of the rows that a statement of `common.inserting` stores; none where it tells none."""
    columns = NAME.findall(statement.partition(" (")[2].partition(")")[0])
    given = iter(values)
    rows = [
        [next(given) if mark == "%s" else None for mark in row.split(", ")] for row in ROW.findall(statement)
    ]
    return [str(row[columns.index(column)]) for row in rows] if column in columns else []
