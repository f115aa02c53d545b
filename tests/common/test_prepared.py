"""Queries that are composed once answer what the same queries answer that are composed each time."""

from datetime import date
from typing import Any

import pytest
from django.db import connection
from django.db.models import Count, Q, QuerySet
from django.db.models.signals import post_init
from django.test.utils import CaptureQueriesContext

from accounts.models import Grant, Role
from common.prepared import LONG, Prepared
from common.scope import Unscoped, guarding
from enterprises.models import Bureau
from record import recording
from tests import factories

pytestmark = pytest.mark.django_db


def grants(people: list[int], roles: list[str], today: date) -> QuerySet:
    return (
        Grant.objects.judged("the test")
        .in_force(today)
        .filter(Q(user__in=people) | Q(role__in=roles))
        .select_related("user", "bureau__parent")
        .order_by("pk")
    )


@pytest.fixture
def people() -> list[Any]:
    county = factories.county()
    return [
        factories.user(Role.OFFICER, county),
        factories.user(Role.AUDITOR, county.parent),
        factories.user(Role.FILER),
    ]


@pytest.mark.parametrize("number", [1, 2, 3])
def test_rows_are_those_of_the_plain_query_with_all_that_belongs_to_them(people: list[Any], number: int):
    prepared = Prepared(grants)
    for today in (date(2019, 12, 31), date(2020, 1, 1), date(2026, 11, 22)):
        for first in range(len(people)):
            given = {"people": [it.pk for it in people[first : first + number]], "roles": ["auditor"]}
            rows = prepared(**given, today=today)
            plain = list(grants(**given, today=today))
            assert rows == plain
            assert [str(row) for row in rows] == [str(row) for row in plain]
    assert plain


def told(row: Any) -> dict[str, Any]:
    """All that an instance holds, and what was read with it."""
    held = {name: value for name, value in vars(row).items() if name != "_state"}
    beside = {name: other and told(other) for name, other in row._state.fields_cache.items()}
    return held | beside | {"adding": row._state.adding, "db": row._state.db}


def test_an_instance_holds_what_django_would_have_given_it(people: list[Any]):
    given = {"people": [it.pk for it in people], "roles": ["auditor"], "today": date(2026, 1, 1)}
    rows = Prepared(grants)(**given)
    assert [told(row) for row in rows] == [told(row) for row in grants(**given)]
    assert {row.bureau is None for row in rows} == {True, False}


def test_of_a_model_whose_instances_somebody_watches_none_are_made(people: list[Any]):
    def watch(**_kwargs: Any) -> None:
        pass

    post_init.connect(watch, sender=Bureau)
    try:
        with pytest.raises(ValueError, match="Bureau"):
            Prepared(grants)(people=[people[0].pk], roles=["auditor"], today=date(2026, 1, 1))
    finally:
        post_init.disconnect(watch, sender=Bureau)


@pytest.mark.django_db(transaction=True)
def test_a_new_connection_is_asked_as_the_one_before_was():
    county = factories.county()
    named = Prepared(lambda code: Bureau.objects.filter(code=code))
    assert named(code=county.code) == [county]
    connection.close()
    assert named(code=county.code) == [county]


def test_what_belongs_to_a_row_is_read_with_it(people: list[Any]):
    prepared = Prepared(grants)
    with CaptureQueriesContext(
        connection,
    ) as asked:
        rows = prepared(people=[people[0].pk], roles=["auditor"], today=date(2026, 1, 1))
        names = {(row.user.name, row.bureau.parent.name) for row in rows}
    assert len(asked) == 1 and len(names) == 2


def test_values_come_as_they_were_asked_for(people: list[Any]):
    codes = Prepared(lambda path: Bureau.objects.filter(path=path).values_list("code", "level"))
    county = factories.county()
    assert codes(path=county.path) == [(county.code, county.level)]
    assert codes(path="nowhere/") == []


@pytest.mark.parametrize("number", [0, LONG - 1, LONG, LONG + 1])
def test_lists_of_any_length_are_answered(people: list[Any], number: int):
    named = Prepared(lambda codes: Bureau.objects.filter(code__in=codes).order_by("code"))
    others = [f"99{n:04d}" for n in range(number)]
    assert named(codes=others) == []
    codes = [*others, "320509", "320000"]
    assert [row.code for row in named(codes=codes)] == ["320000", "320509"]


def test_composed_is_once_for_lists_of_nearly_the_same_length(people: list[Any]):
    made: list[int] = []

    def named(codes: list[str]) -> QuerySet:
        made.append(len(codes))
        return Bureau.objects.filter(code__in=codes)

    prepared = Prepared(named)
    for codes in (["320509"], ["320000"], ["320000", "320509"], ["320509", "320000"], [], []):
        assert {row.code for row in prepared(codes=codes)} == set(codes)
    assert made == [1, 2, 0]
    codes = [row.code for row in Bureau.objects.order_by("code")]
    for number in range(3, len(codes) + 1):
        assert [row.code for row in prepared(codes=codes[:number])] == codes[:number]
    assert len(codes) > 2 and set(made) <= {0, 1, 2, 4, 8}


@pytest.mark.parametrize("codes", [[], ["320509"]])
@pytest.mark.parametrize("paths", [[], ["000000/"], ["000000/", "000000/320000/"]])
def test_of_two_halves_either_may_be_empty(people: list[Any], codes: list[str], paths: list[str]):
    def halves(codes: list[str], paths: list[str], name: str) -> QuerySet:
        named = Bureau.objects.exclude(name=name).order_by().values_list("code", "path")
        return named.filter(code__in=codes).union(named.filter(path__in=paths), all=True)

    prepared = Prepared(halves)
    for _n in range(2):
        found = prepared(codes=codes, paths=paths, name="nobody")
        assert sorted(code for code, path in found if path not in paths) == codes
        assert sorted(path for _code, path in found if path in paths) == paths


def test_rows_of_a_scoped_model_are_read_by_right_only(people: list[Any]):
    anybody = Prepared(lambda user: Grant.objects.filter(user=user))
    judged = Prepared(lambda user: Grant.objects.judged("the test").filter(user=user))
    with guarding():
        assert len(judged(user=people[0].pk)) == 1
        for _n in range(2):
            with pytest.raises(Unscoped):
                anybody(user=people[0].pk)
        listed = Prepared(lambda users: Grant.objects.filter(user__in=users))
        for _n in range(2):
            with pytest.raises(Unscoped):
                listed(users=[])


def test_a_query_that_has_no_rows_whatever_it_is_given_is_noticed(people: list[Any]):
    with pytest.raises(ValueError, match="no rows"):
        Prepared(lambda code: Bureau.objects.filter(code=code, pk__in=[]))(code="320509")


def test_the_record_reads_its_columns_of_every_watched_model():
    """The numbers to compose with fit into every kind of key."""
    for watched in recording.WATCHED.values():
        key = watched.model._meta.pk.to_python("1")
        assert recording._stored(watched, key, list(watched.fields)) is None, watched.entity


@pytest.mark.parametrize("forbidden", [False, True])
def test_the_busiest_are_planned_once_unless_a_pooler_forbids_it(
    people: list[Any], forbidden: bool, settings: Any
):
    """Whatever the size of the numbers, of which PostgreSQL plans for each kind."""
    settings.PREPARED_STATEMENTS = not forbidden
    named = Prepared(lambda keys: Bureau.objects.filter(pk__in=keys).order_by("pk").values_list("code"))
    for keys in ([7, 8], [7, 2**31 - 5], [2**31 - 5, 2**31 - 6]):
        assert named(keys=keys) == list(Bureau.objects.filter(pk__in=keys).order_by("pk").values_list("code"))
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT COUNT(*) FROM pg_prepared_statements WHERE statement LIKE '%code%IN ($1, $2)%'"
            )
            assert cursor.fetchone() == (0 if forbidden else 1,)


def test_a_value_on_which_the_query_depends_in_another_way_is_noticed(people: list[Any]):
    sorted_by = Prepared(lambda name: Bureau.objects.order_by("-code" if name == "down" else "code"))
    with pytest.raises(ValueError, match="no parameter"):
        sorted_by(name="down")


def test_queries_of_another_kind_are_refused():
    for other in (
        lambda code: Bureau.objects.filter(code=code).values_list("name", flat=True),
        lambda code: Bureau.objects.filter(code=code).values("name"),
        lambda code: Bureau.objects.filter(code=code).annotate(number=Count("chains")),
    ):
        with pytest.raises(ValueError, match="Only instances"):
            Prepared(other)(code="320509")
