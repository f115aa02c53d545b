"""Rows stored by a statement that is composed once are those that Django would have stored."""

from contextlib import suppress
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.core import serializers
from django.db import IntegrityError, connection, models, transaction
from django.db.models import F, Value
from django.db.models.functions import Lower, Now
from django.db.transaction import TransactionManagementError
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import Notice, Role
from common import inserting
from common.inserting import MOST, insert, insert_for_each, sent_together
from enterprises.models import NumberSeries
from projects.models import Bottleneck, BottleneckContact, Gram, GramCount, Measure, Transition
from tests import factories

pytestmark = pytest.mark.django_db


def stored(row: models.Model) -> dict[str, Any]:
    """What the database holds, without what differs from row to row."""
    found = type(row)._base_manager.filter(pk=row.pk).values()[0]
    return {
        name: value
        for name, value in found.items()
        if name not in ("id", "public_id", "code", "created_at", "updated_at", "bottleneck_id")
    }


def as_django_does(row: models.Model, monkeypatch: pytest.MonkeyPatch) -> models.Model:
    with monkeypatch.context() as patched:
        patched.setattr(inserting, "_values", lambda *_args: None)
        row.save(force_insert=True)
    return row


def problem(**values: Any) -> Bottleneck:
    firm = factories.organization()
    return Bottleneck(
        organization=firm,
        bureau=firm.bureau,
        handler=firm.bureau,
        title='引号"、\\、%s 与 100%、😀',
        nqi_elements=["metrology"],
        loss_estimate=Decimal("12345.60"),
        loss_basis="退货统计",
        expected_by=date(2027, 2, 28),
        **values,
    )


def kept_problem() -> Bottleneck:
    row = problem()
    row.save()
    return row


@pytest.mark.parametrize(
    "values", [{}, {"economic_basis": "按年产量计算", "is_reusable": True, "extended_count": 1}]
)
def test_a_row_is_stored_and_told_as_django_does(values: dict[str, Any], monkeypatch: pytest.MonkeyPatch):
    ours, other = problem(**values), problem(**values)
    other.organization, other.bureau, other.handler = ours.organization, ours.bureau, ours.handler
    ours.save()
    as_django_does(other, monkeypatch)
    assert stored(ours) == stored(other)
    assert ours.pk and ours.pk != other.pk and not ours._state.adding
    defaults = ("economic_basis", "is_reusable", "story", "extended_count", "is_provisional")
    for name in defaults:
        assert getattr(ours, name) == getattr(other, name), name
        assert type(getattr(ours, name)) is type(getattr(other, name)), name


def test_rows_whose_key_is_another_row_are_stored(monkeypatch: pytest.MonkeyPatch):
    ours, other = kept_problem(), kept_problem()
    contact = BottleneckContact(bottleneck=ours, name="演示联系人", phone="13800000000")
    contact.save(force_insert=True)
    twin = as_django_does(
        BottleneckContact(bottleneck=other, name="演示联系人", phone="13800000000"), monkeypatch
    )
    assert stored(contact) == stored(twin) and contact.pk == ours.pk


def test_what_the_database_computes_is_left_to_django():
    row = kept_problem()
    measure = Measure(bottleneck=row, metric=Lower(Value("良率 A")), unit="%", value_now=1, target=2)
    measure.save()
    assert Measure.objects.judged("the test").get(pk=measure.pk).metric == "良率 a"
    with pytest.raises(ValueError, match="F\\(\\)"):
        Measure(bottleneck=row, metric=F("unit"), unit="%", value_now=1, target=2).save()


def test_a_rule_that_is_broken_refuses_the_row():
    row = problem(voided_at=timezone.now())
    with pytest.raises(IntegrityError, match="void_needs_reason"):
        row.save()


def test_a_fixture_is_loaded_as_it_stands():
    """Times that a saving would set are those of the fixture."""
    row = kept_problem()
    text = serializers.serialize("json", [row]).replace(f'"pk": {row.pk}', f'"pk": {row.pk + 1000}')
    moment = "2020-01-01T00:00:00Z"
    text = text.replace(str(row.public_id), "00000000-0000-4000-8000-000000000001")
    for item in serializers.deserialize("json", text):
        item.object.created_at, item.object.code = datetime.fromisoformat(moment), "DK-2020-320509-00001"
        item.save(force_insert=True)
    found = Bottleneck.objects.judged("the test").get(pk=row.pk + 1000)
    assert found.created_at == datetime.fromisoformat(moment)


def notices(number: int, source: str = "test:1") -> list[Notice]:
    people = [factories.user(Role.FILER) for _n in range(number)]
    return [
        Notice(user=it, kind=Notice.Kind.MOVED, source=source, details={"what": "moved"}, at=timezone.now())
        for it in people
    ]


@pytest.mark.parametrize("number", [0, 1, 2, MOST, MOST + 1])
def test_any_number_of_rows_is_stored(number: int):
    rows = notices(number)
    insert(rows)
    kept = Notice.objects.filter(source="test:1")
    assert {it.user_id for it in kept} == {row.user_id for row in rows}
    assert all(it.details == {"what": "moved"} and it.read_at is None for it in kept)


def test_rows_that_are_there_already_are_left_out_only_where_that_is_asked():
    rows = notices(3)
    insert(rows[:2])
    insert(rows, unless_there=True)
    assert Notice.objects.filter(source="test:1").count() == 3
    with pytest.raises(IntegrityError):
        insert(rows[:1])


@pytest.mark.parametrize("number", [2, MOST + 1])
def test_a_row_takes_the_place_of_the_one_with_its_key_where_that_is_asked(number: int):
    old, new = ([GramCount(gram=gram, problems=problems) for gram in range(number)] for problems in (1, 2))
    insert(old[:1])
    insert(new, in_place=True)
    assert dict(GramCount.objects.values_list()) == dict.fromkeys(range(number), 2)
    with pytest.raises(IntegrityError):
        insert(new[:1])


def test_one_statement_stores_rows_of_one_shape():
    row = kept_problem()
    with CaptureQueriesContext(connection) as asked:
        insert(notices(2, "test:2"))
    written = [it["sql"] for it in asked if "accounts_notice" in it["sql"]]
    assert len(written) == 1
    shared = {"bottleneck": row, "handler": row.handler, "move": "accept", "source": "a", "target": "b"}
    insert(
        [Transition(sequence=900, at=timezone.now(), **shared), Transition(sequence=901, at=Now(), **shared)]
    )
    assert Transition.objects.judged("the test").filter(bottleneck=row, sequence__gte=900).count() == 2


def test_an_empty_list_of_codes_may_be_none():
    row = problem()
    row.nqi_elements = None
    row.save()
    assert Bottleneck.objects.judged("the test").get(pk=row.pk).nqi_elements == ()


def test_rows_that_have_their_key_keep_it():
    rows = notices(2)
    rows[1].pk = 4_000_000
    insert(rows)
    assert Notice.objects.get(pk=4_000_000).user_id == rows[1].user_id


def test_a_change_whose_rows_were_refused_is_not_half_stored():
    rows = notices(1)
    insert(rows)
    with pytest.raises(TransactionManagementError), transaction.atomic():
        with suppress(IntegrityError):
            insert(rows)
        Notice.objects.count()


def test_a_row_is_stored_for_each_number():
    people = [factories.user(Role.FILER).pk for _n in range(MOST + 1)]
    pattern = Notice(
        kind=Notice.Kind.MOVED, source="test:1", details={"what": '引号"、%s'}, at=timezone.now()
    )
    with CaptureQueriesContext(connection) as asked:
        insert_for_each(pattern, "user", people)
    assert len([it for it in asked if "accounts_notice" in it["sql"]]) == 1
    kept = Notice.objects.filter(source="test:1")
    assert sorted(kept.values_list("user", flat=True)) == sorted(people)
    assert {(it.kind, it.details["what"], it.at, it.read_at, it.mail_refusals) for it in kept} == {
        (Notice.Kind.MOVED, '引号"、%s', pattern.at, None, 0)
    }


def test_numbers_that_are_there_already_are_left_out_only_where_that_is_asked():
    people = [factories.user(Role.FILER).pk for _n in range(3)]
    pattern = Notice(kind=Notice.Kind.MOVED, source="test:1", details={"what": "moved"}, at=timezone.now())
    insert_for_each(pattern, "user", people[:2])
    insert_for_each(pattern, "user", people, unless_there=True)
    insert_for_each(pattern, "user", [])
    assert Notice.objects.filter(source="test:1").count() == 3
    with pytest.raises(IntegrityError):
        insert_for_each(pattern, "user", people[:1])


def test_what_the_database_computes_is_no_pattern():
    with pytest.raises(TypeError):
        insert_for_each(Notice(kind=Lower(Value("A")), source="test:1"), "user", [1])


def test_rows_are_told_their_keys_in_their_order_where_that_is_asked():
    row = kept_problem()
    parts = [
        Measure(bottleneck=row, metric=f"指标{n}", unit="%", value_now=n, target=n + 1) for n in (3, 1, 2)
    ]
    insert(parts, told=True)
    kept = Measure.objects.judged("the test").in_bulk([part.pk for part in parts])
    assert [kept[part.pk].metric for part in parts] == ["指标3", "指标1", "指标2"]


def test_rows_of_a_row_that_has_its_key_by_now_belong_to_it():
    row = problem()
    contact = BottleneckContact(bottleneck=row, name="演示联系人", phone="13800000000")
    row.save()
    insert([contact])
    assert BottleneckContact.objects.get(bottleneck=row).name == "演示联系人"


def test_what_needs_no_answer_is_sent_with_what_is_answered_next():
    """To PostgreSQL; SQLite is no journey away."""
    row, people = kept_problem(), [factories.user(Role.FILER).pk for _n in range(2)]
    pattern = Notice(kind=Notice.Kind.MOVED, source="test:1", details={"what": "moved"}, at=timezone.now())
    step = {"bottleneck": row, "handler": row.handler, "move": "accept", "source": "a", "target": "b"}
    steps = [Transition(sequence=900 + n, at=timezone.now(), **step) for n in range(2)]
    with CaptureQueriesContext(connection) as asked, transaction.atomic(), sent_together():
        insert_for_each(pattern, "user", people)
        insert(steps[:1], told=True)
        insert_for_each(Gram(bottleneck=row), "gram", [41, 42])
        insert(steps[1:])
    sent = [it["sql"] for it in asked if "INSERT INTO" in it["sql"]]
    assert len(sent) == (2 if connection.vendor == "postgresql" else 4)
    assert Transition.objects.judged("the test").get(sequence=900).pk == steps[0].pk
    assert Transition.objects.judged("the test").filter(sequence=901).exists()
    assert set(Notice.objects.filter(source="test:1").values_list("user", flat=True)) == set(people)
    assert set(Gram.objects.filter(bottleneck=row).values_list("gram", flat=True)) == {41, 42}


def metrics(row: Bottleneck, *names: str) -> list[Measure]:
    return [Measure(bottleneck=row, metric=name, unit="%", value_now=1, target=2) for name in names]


def test_keys_of_the_rows_that_are_expected_come_with_the_first_answer():
    """On PostgreSQL, where so all of them are stored by one statement, whichever belongs to which."""
    other, row = kept_problem(), problem()
    expected = [Measure, Bottleneck, Measure]
    with CaptureQueriesContext(connection) as asked, transaction.atomic(), sent_together(expected):
        assert NumberSeries.next("TEST") == 1
        row.save()
        first, second = metrics(row, "良率", "寿命")
        insert([first], told=True)
        insert([second], told=True)
    sent = [it["sql"] for it in asked if "INSERT INTO" in it["sql"]]
    # The second holds the event of the problem as well.
    assert len(sent) == (2 if connection.vendor == "postgresql" else 5)
    kept = Measure.objects.judged("the test").filter(bottleneck=row.pk).values_list("pk", "metric")
    assert sorted(kept) == sorted([(first.pk, "良率"), (second.pk, "寿命")])
    assert stored(row)["title"] == row.title and row.pk != other.pk
    later = metrics(row, "精度")
    insert(later, told=True)
    assert later[0].pk not in (first.pk, second.pk)


@pytest.mark.parametrize("expected", [0, 1, 2, 3])
def test_more_or_fewer_rows_may_come_than_were_expected(expected: int):
    row = kept_problem()
    parts = metrics(row, "良率", "寿命")
    with transaction.atomic(), sent_together([Measure] * expected):
        NumberSeries.next("TEST")
        insert(parts, told=True)
    kept = Measure.objects.judged("the test").in_bulk([part.pk for part in parts])
    assert [kept[part.pk].metric for part in parts] == ["良率", "寿命"]


def test_a_rule_that_is_broken_refuses_all_that_is_sent_together():
    rows, others = notices(2), notices(1, "test:2")
    insert(rows[:1])
    with pytest.raises(IntegrityError), transaction.atomic(), sent_together():
        insert(others)
        insert(rows)
    assert Notice.objects.count() == 1


def test_of_a_change_that_failed_nothing_is_sent():
    with suppress(ZeroDivisionError), transaction.atomic(), sent_together():
        insert(notices(1))
        _ = 1 / 0
    insert(notices(1, "test:2"))
    assert [it.source for it in Notice.objects.all()] == ["test:2"]
