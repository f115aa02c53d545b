"""A connection to PostgreSQL that still stands is not asked whether it does."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from django.db.utils import ConnectionHandler

from common.postgresql.base import DatabaseWrapper, _numbered

pytestmark = pytest.mark.any_database


class Line:
    """What a connection needs of psycopg to be looked at, with the server at the other end."""

    def __init__(self) -> None:
        self.ours, self.server = socket.socketpair()
        self.asked: list[str] = []
        self.closed = False

    def fileno(self) -> int:
        if self.closed:
            raise psycopg.OperationalError("the connection is lost")
        return self.ours.fileno()

    @contextmanager
    def cursor(self) -> Iterator["Line"]:
        yield self

    def execute(self, query: str) -> None:
        self.asked.append(query)
        self.ours.setblocking(False)
        if not self.ours.recv(100):
            raise psycopg.OperationalError("the server closed the connection")

    def close(self) -> None:
        self.ours.close()
        self.server.close()


@pytest.fixture
def line() -> Iterator[Line]:
    made = Line()
    yield made
    made.close()


@pytest.fixture
def connection(line: Line) -> DatabaseWrapper:
    wrapper = ConnectionHandler({"default": {"ENGINE": "common.postgresql", "NAME": "x"}})["default"]
    wrapper.connection = line
    return wrapper


def test_where_nothing_came_the_server_is_not_asked(connection: DatabaseWrapper, line: Line):
    assert connection.is_usable()
    assert line.asked == []


def test_a_server_that_has_gone_is_noticed(connection: DatabaseWrapper, line: Line):
    line.server.close()
    assert not connection.is_usable()


def test_a_line_that_was_lost_during_a_query_is_none(connection: DatabaseWrapper, line: Line):
    line.closed = True
    assert not connection.is_usable()


def test_a_server_that_only_remarked_on_something_is_asked(connection: DatabaseWrapper, line: Line):
    line.server.send(b"a remark")
    assert connection.is_usable()
    assert line.asked == ["SELECT 1"]


def test_without_a_connection_there_is_none_to_use(connection: DatabaseWrapper):
    connection.connection = None
    assert not connection.is_usable()


def test_the_places_of_values_are_numbered_and_a_doubled_percent_is_one():
    assert _numbered("a = %s AND b LIKE '%%x%%s' AND c IN (%s, %s)") == (
        b"a = $1 AND b LIKE '%x%s' AND c IN ($2, $3)"
    )
