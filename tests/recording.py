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
        match = WRITE.match(sql.lstrip())
        # Statements that were sent together; of what they store an event is at hand by then.
        writes = (
            WRITE.findall(sql) if sql.startswith("WITH part0 AS (") else [match.groups()] if match else []
        )
        for verb, table in writes:
            watched = self.watched.get(table)
            if not watched or watched.model in recording.being_written():
                continue
            told = table in (_told.get() or ()) and (verb == "DELETE FROM" or "= NULL WHERE" in sql)
            told |= len(writes) > 1 and watched.entity in {
                event.entity for event in recording._gathered.get() or ()
            }
            if not told and not self._says_nothing(watched, verb, sql):
                raise Unrecorded(f"Past the record of {watched.entity}: {sql[:200]}")
        return execute(sql, params, many, context)

    @staticmethod
    def _says_nothing(watched: recording.Watched, verb: str, sql: str) -> bool:
        """Progress of jobs and the like, which is ignored in the record."""
        told = {field.column for field in watched.fields.values()}
        columns = set(COLUMN.findall(sql.partition(" WHERE ")[0]))
        return verb == "UPDATE" and not columns & told
