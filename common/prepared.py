"""Queries that are composed once, and on PostgreSQL planned once for each connection.

Of those that stand on the way of nearly every request Django takes ten times as long to compose one as the
database to answer it, and PostgreSQL four times as long to plan it.
"""

from collections.abc import Callable, Iterable, Sequence
from copy import copy
from datetime import date, timedelta
from itertools import count
from typing import Any, NamedTuple

from django.core.exceptions import EmptyResultSet
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import QuerySet
from django.db.models.base import Model, ModelState
from django.db.models.query import ModelIterable, ValuesListIterable
from django.db.models.signals import post_init, pre_init

# Values to compose with, which nobody ever gives; numbers fit into the smallest kind of key.
UNLIKELY: dict[type, Callable[[int], Any]] = {
    int: lambda n: 2**31 - 1 - n,
    str: lambda n: f"\x01{n}",
    date: lambda n: date.max - timedelta(days=n),
}
LONG = 17


class Place(NamedTuple):
    """Of a parameter: the value by this name, of a list the one that stands there."""

    name: str
    number: int | None

    def of(self, given: dict[str, Any]) -> Any:
        value = given[self.name]
        return value if self.number is None else value[self.number]


class Composed(NamedTuple):
    rows: QuerySet
    compiler: Any
    converters: dict[int, Any]
    # Empty where no row can be in an empty list.
    statement: str
    # A parameter that is no place is the same whatever is given.
    params: tuple[Any, ...]
    made_of: Callable[[Sequence[Any]], Any]


class Prepared:
    """The rows of a queryset that differs from call to call in nothing but the values that it is given.

    ``make`` makes the queryset, of instances or a `values_list`, from whole numbers, texts, days and lists of
    them; it is called with others before, to see where each ends up in the statement, so the queryset may
    depend on them in no other way, and a list must say the same with its last value twice. It is composed
    for lists of 0, 1, 2, 4, 8 and 16, to which others are filled up, and each time anew for longer ones.
    """

    def __init__(self, make: Callable[..., QuerySet]) -> None:
        self.make = make
        self.composed: dict[tuple[Any, ...], Composed] = {}

    def __call__(self, **given: Any) -> list[Any]:
        if any(isinstance(value, list) and len(value) >= LONG for value in given.values()):
            return list(self.make(**given))
        given = {name: _filled(value) if isinstance(value, list) else value for name, value in given.items()}
        shape = tuple(
            (name, type(value[0] if value else None), len(value))
            if isinstance(value, list)
            else (name, type(value), None)
            for name, value in given.items()
        )
        if shape not in self.composed:
            self.composed[shape] = self._compose(shape)
        composed = self.composed[shape]
        # Rows of a scoped model are read by right only, here as anywhere.
        getattr(composed.rows, "_ask", lambda: None)()
        if not composed.statement:
            return []
        connection: Any = connections[DEFAULT_DB_ALIAS]
        asked = [
            _adapted(param.of(given), connection) if isinstance(param, Place) else param
            for param in composed.params
        ]
        found: Iterable[Any] = connection.ask(composed.statement, asked)
        if composed.converters:
            compiler = copy(composed.compiler)
            compiler.connection = connection
            found = compiler.apply_converters(found, composed.converters)
        return [composed.made_of(row) for row in found]

    def _compose(self, shape: tuple[tuple[str, type, int | None], ...]) -> Composed:
        connection = connections[DEFAULT_DB_ALIAS]
        numbers, places = count(), {}

        def stand_in(name: str, kind: type, index: int | None) -> Any:
            value = UNLIKELY[kind](next(numbers))
            places[_adapted(value, connection)] = Place(name, index)
            return value

        rows = self.make(
            **{
                name: stand_in(name, kind, None)
                if length is None
                else [stand_in(name, kind, index) for index in range(length)]
                for name, kind, length in shape
            }
        )
        compiler = rows.query.get_compiler(connection=connection)
        try:
            statement, values = compiler.as_sql()
        except EmptyResultSet as fault:
            if any(length == 0 for _name, _kind, length in shape):
                return Composed(rows, compiler, {}, "", (), tuple)
            raise ValueError("Django found that this query has no rows, whatever it is given.") from fault
        params = tuple(places.get(value, value) for value in values)
        if missing := set(places.values()).difference(params):
            raise ValueError(f"These values end up in no parameter of the query: {missing}")
        columns = [column for column, _sql, _alias in compiler.select[: compiler.col_count]]
        converters = compiler.get_converters(columns)
        return Composed(rows, compiler, converters, statement, params, _maker(rows, compiler))


def _maker(rows: QuerySet, compiler: Any) -> Callable[[Sequence[Any]], Any]:
    """Makes of a row of the database what the queryset has; Django looks each time anew where columns go."""
    if rows._iterable_class is ValuesListIterable:
        return tuple
    if rows._iterable_class is not ModelIterable or compiler.annotation_col_map:
        raise ValueError("Only instances without annotations and a values_list can be made.")
    return _instances(compiler.klass_info, compiler.select)


def _instances(found: dict[str, Any], select: Sequence[Any]) -> Callable[[Sequence[Any]], Any]:
    """Makes instances as `Model.from_db` does, which sets field by field, with those that they lead to."""
    model, columns = found["model"], found["select_fields"]
    if model.__init__ is not Model.__init__ or any(it.has_listeners(model) for it in (pre_init, post_init)):
        raise ValueError(f"{model.__name__} would be asked when its instances are made.")
    own = slice(columns[0], columns[-1] + 1)
    names = [column.target.attname for column, _sql, _alias in select[own]]
    key = columns[0] + names.index(model._meta.pk_fields[0].attname)
    related = [
        (_instances(it, select), it["local_setter"], it["remote_setter"])
        for it in found.get("related_klass_infos", [])
    ]

    def instance(row: Sequence[Any]) -> Any:
        if row[key] is None:
            return None
        made = model.__new__(model)
        made.__dict__.update(zip(names, row[own], strict=True), _state=ModelState())
        made._state.adding, made._state.db = False, DEFAULT_DB_ALIAS
        for other_of, set_here, set_there in related:
            other = other_of(row)
            set_here(made, other)
            if other is not None:
                set_there(other, made)
        return made

    return instance


def _filled(values: list[Any]) -> list[Any]:
    """Of few lengths: two lists of any would be hundreds of statements, more than a connection keeps."""
    return values and values + values[-1:] * ((1 << (len(values) - 1).bit_length()) - len(values))


def _adapted(value: Any, connection: Any) -> Any:
    match value:
        case date():
            return connection.ops.adapt_datefield_value(value)
        case int():
            return of_one_kind(value, connection)
    return value


def of_one_kind(number: int, connection: Any) -> Any:
    """The same kind whatever its size: PostgreSQL plans for each kind."""
    return connection.ops.adapt_integerfield_value(number, "BigIntegerField")
