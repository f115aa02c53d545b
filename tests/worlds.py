"""Rows that many tests begin with: made once, copied for each test, and gone with the last one."""

import copy
import inspect
from collections.abc import Callable, Iterable, Iterator
from itertools import takewhile
from typing import Any

import pytest
from django.db import transaction

Maker = Callable[..., Any]
_makers: dict[Any, Maker] = {}
maker_of = _makers.__getitem__


def world(make: Maker) -> Any:
    """Like `pytest.fixture`, for what makes rows only, and takes other worlds only.

    As with Django's `setUpTestData`, the rows stand in a transaction around those of the tests, and each test
    gets a copy of the objects. For a test that commits they are made anew.
    """

    def made(request: pytest.FixtureRequest, worlds: dict[Maker, Any], db: None) -> Any:
        return worlds[make] if make in worlds else make(*map(request.getfixturevalue, _taken_by(make)))

    fixture = pytest.fixture(made)
    _makers[fixture] = make
    return fixture


def _taken_by(make: Maker) -> dict[str, Maker]:
    """The worlds that one is built upon, by the names of the arguments."""
    return {name: maker_of(make.__globals__[name]) for name in inspect.signature(make).parameters}


def _with_what_they_take(makers: Iterable[Maker]) -> Iterator[Maker]:
    for make in makers:
        yield from _with_what_they_take(_taken_by(make).values())
        yield make


class OpenWorlds:
    """What was made and stands, one transaction inside the other."""

    def __init__(self) -> None:
        self.made: dict[Maker, Any] = {}
        self.transactions: list[transaction.Atomic] = []

    def change_to(self, wanted: list[Maker]) -> None:
        """Undo what is not wanted, and whatever was made after it; make what is missing."""
        kept = len(list(takewhile(wanted.__contains__, self.made)))
        while len(self.made) > kept:
            self.made.popitem()
        while len(self.transactions) > kept:
            transaction.set_rollback(True)
            self.transactions.pop().__exit__(None, None, None)
        for make in wanted:
            if make not in self.made:
                self.transactions.append(transaction.atomic())
                self.transactions[-1].__enter__()
                self.made[make] = make(*(self.made[taken] for taken in _taken_by(make).values()))


_open = OpenWorlds()


@pytest.fixture(scope="session")
def undone_at_last(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    yield
    with django_db_blocker.unblock():
        _open.change_to([])


def wanted_by(test: pytest.Function) -> list[Maker]:
    """The worlds of a test, each after those on which it is built; none for one that commits."""
    marker = test.get_closest_marker("django_db")
    names = test.fixturenames
    if (marker and marker.kwargs.get("transaction")) or {"transactional_db", "live_server"} & {*names}:
        return []
    fixtures = [getattr(test.module, name, None) for name in names]
    return [*_with_what_they_take(_makers[fixture] for fixture in fixtures if fixture in _makers)]


def places_of_worlds(test: pytest.Function) -> list[int]:
    """Sorts tests so that as few worlds as can be are made twice."""
    makers = [*_makers.values()]
    return [makers.index(make) for make in dict.fromkeys(wanted_by(test))]


@pytest.fixture
def worlds(request: pytest.FixtureRequest, django_db_blocker: Any) -> dict[Maker, Any]:
    """What the test asks for, copied together, so that what two worlds share is one thing for it too."""
    wanted = wanted_by(request.node)
    if wanted:
        request.getfixturevalue("undone_at_last")
    with django_db_blocker.unblock():
        _open.change_to(wanted)
    return copy.deepcopy(_open.made)
