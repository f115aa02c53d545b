"""Events are sealed into one chain; a change anywhere is found and named."""

import threading
from datetime import datetime, timedelta
from io import StringIO

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, models, transaction
from django.utils import timezone

from record import chain, tasks
from record.models import DayRoot, Event, Seal
from tests import factories
from tests.worlds import world

pytestmark = pytest.mark.django_db


def some_events(number: int = 5) -> None:
    row = factories.organization()
    for employees in range(number):
        row.employees = employees
        row.save()


def behind_the_back(model: type[models.Model]) -> models.QuerySet:
    """Rows as somebody with the rights of the database's owner reaches them."""
    return models.QuerySet(model)


def seal_at(moment: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain.timezone, "now", lambda: moment)
    chain.seal_pending()


def test_every_event_gets_one_seal_without_a_gap():
    some_events()
    events = Event.objects.count()
    assert chain.seal_pending() == events
    assert chain.seal_pending() == 0
    assert list(Seal.objects.values_list("position", flat=True)) == list(range(1, events + 1))
    assert set(Seal.objects.values_list("event", flat=True)) == set(
        Event.objects.values_list("pk", flat=True)
    )


def test_more_events_than_a_batch_are_sealed_at_once(monkeypatch):
    monkeypatch.setattr(chain, "BATCH", 2)
    some_events()
    chain.seal_pending()
    assert not Event.objects.filter(seal=None).exists()
    assert chain.prove().broken == ""


def test_an_event_that_came_late_is_sealed_after_later_ones(monkeypatch):
    some_events(3)
    late = Event.objects.order_by("pk")[1]
    pending = chain._pending
    monkeypatch.setattr(chain, "_pending", lambda *args: pending(*args).exclude(pk=late.pk))
    chain.seal_pending()
    monkeypatch.setattr(chain, "_pending", pending)
    chain.seal_pending()
    assert Seal.objects.last().event == late
    monkeypatch.setattr(chain, "STRAGGLERS", 0)
    assert chain.prove().broken == ""


def test_an_event_left_out_of_sight_is_found_when_everything_is_looked_at(monkeypatch):
    some_events(3)
    first = Event.objects.order_by("pk")[0]
    pending = chain._pending
    monkeypatch.setattr(chain, "_pending", lambda *args: pending(*args).exclude(pk=first.pk))
    chain.seal_pending()
    monkeypatch.setattr(chain, "_pending", pending)
    monkeypatch.setattr(chain, "STRAGGLERS", 0)
    assert chain.seal_pending() == 0
    assert chain.prove().pending == 1
    assert chain.seal_pending(everything=True) == 1


def test_once_a_day_what_was_left_out_of_sight_is_sealed(monkeypatch):
    some_events(3)
    last = Event.objects.order_by("pk").last()
    Seal.objects.create(position=1, event=last, at=last.at, hash=chain.BEGINNING)
    monkeypatch.setattr(chain, "STRAGGLERS", 0)
    tasks.seal()
    assert chain.prove().pending
    name = settings.CELERY_BEAT_SCHEDULE["seal left out"]["task"]
    assert name == tasks.seal_left_out.name
    tasks.seal_left_out()
    assert not chain.prove().pending


@pytest.mark.django_db(transaction=True)
def test_two_who_seal_at_once_make_one_chain(monkeypatch):
    monkeypatch.setattr(chain, "BATCH", 3)
    some_events(12)
    events = Event.objects.count()
    barrier = threading.Barrier(4)

    def seal() -> None:
        barrier.wait()
        for _n in range(5):
            chain.seal_pending()
        connection.close()

    threads = [threading.Thread(target=seal) for _n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    chain.seal_pending()
    assert Seal.objects.count() == events
    assert chain.prove() == chain.Proof(events, Seal.objects.last().hash, 0)


# --- Proving -----------------------------------------------------------------------------------------------


@world
def sealed() -> int:
    some_events()
    return chain.seal_pending()


def test_an_untouched_chain_is_proved(sealed):
    some_events(1)
    proof = chain.prove()
    assert (proof.sealed, proof.broken) == (sealed, "")
    assert proof.pending == Event.objects.count() - sealed
    assert proof.head == Seal.objects.last().hash


@pytest.mark.parametrize(
    "change",
    [
        {"at": timezone.now()},
        {"kind": "read"},
        {"row": "0"},
        {"label": "anders"},
        {"topic_row": "0"},
        {"path": "anders"},
        {"firm": "anders"},
        {"office": "anders"},
        {"job": "anders"},
        {"address": "192.0.2.1"},
        {"before": {"size": "large"}},
        {"after": {}},
        {"reason": "anders"},
        {"once": "anders"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_changed_event_is_named(sealed, change):
    victim = Seal.objects.get(position=3).event
    behind_the_back(Event).filter(pk=victim.pk).update(**change)
    assert chain.prove().broken.startswith(f"第 3 号链节所封的记录 {victim.pk}")


def test_a_changed_actor_is_named(sealed):
    victim = Seal.objects.get(position=2).event
    behind_the_back(Event).filter(pk=victim.pk).update(actor=factories.user())
    assert "内容被改动" in chain.prove().broken


def test_a_changed_seal_is_told_from_a_changed_event(sealed):
    behind_the_back(Seal).filter(position=3).update(hash="f" * 64)
    assert chain.prove().broken == "第 3 号链节的摘要被改动。"


def test_a_missing_seal_is_named(sealed):
    behind_the_back(Seal).filter(position=3).delete()
    assert chain.prove().broken == "第 3 号链节缺失。"


def test_a_missing_event_is_named(sealed):
    victim = Seal.objects.get(position=3).event_id
    with connection.constraint_checks_disabled():
        behind_the_back(Event).filter(pk=victim)._raw_delete("default")
        assert chain.prove().broken == f"第 3 号链节所封的记录 {victim} 缺失。"
        behind_the_back(Seal).filter(position=3)._raw_delete("default")


def test_an_event_taken_out_together_with_its_seal_breaks_the_chain_even_when_numbers_are_closed_up(sealed):
    victim = Seal.objects.get(position=3)
    victim_event = victim.event_id
    behind_the_back(Seal).filter(position=3).delete()
    behind_the_back(Event).filter(pk=victim_event)._raw_delete("default")
    for seal in Seal.objects.filter(position__gt=3):
        behind_the_back(Seal).filter(position=seal.position).update(position=seal.position - 1)
    assert chain.prove().broken.startswith("第 3 号链节")


# --- Days --------------------------------------------------------------------------------------------------

NOON = datetime(2026, 11, 20, 12, tzinfo=timezone.get_default_timezone())


def test_a_day_has_the_hash_of_its_last_seal_as_root_once_it_is_over(monkeypatch):
    some_events(2)
    seal_at(NOON, monkeypatch)
    chain.close_days(NOON + timedelta(hours=12, minutes=5))
    assert not DayRoot.objects.exists()
    chain.close_days(NOON + timedelta(hours=12, minutes=15))
    chain.close_days(NOON + timedelta(hours=12, minutes=15))
    last = Seal.objects.last()
    assert list(DayRoot.objects.values_list("day", "position", "hash")) == [
        (NOON.date(), last.position, last.hash)
    ]


def test_days_missed_while_nothing_ran_are_closed_later(monkeypatch):
    for days in (0, 1, 3):
        some_events(1)
        seal_at(NOON + timedelta(days=days), monkeypatch)
    chain.close_days(NOON + timedelta(days=4))
    assert [root.day.day for root in DayRoot.objects.order_by("day")] == [20, 21, 23]
    assert chain.prove().broken == ""


def test_a_clock_put_back_turns_no_day_back(monkeypatch):
    some_events(1)
    seal_at(NOON, monkeypatch)
    some_events(1)
    seal_at(NOON - timedelta(days=2), monkeypatch)
    assert {seal.at for seal in Seal.objects.all()} == {NOON}


@pytest.fixture
def closed(monkeypatch) -> DayRoot:
    some_events()
    seal_at(NOON, monkeypatch)
    chain.close_days(NOON + timedelta(days=1))
    return DayRoot.objects.get()


def test_an_end_cut_off_is_found_by_the_root_of_the_day(closed):
    behind_the_back(Seal).filter(position=closed.position).delete()
    assert chain.prove().broken == f"第 {closed.position} 号及以后的链节缺失（2026-11-20 的根值指向它）。"


def test_a_root_that_was_changed_is_named(closed):
    behind_the_back(DayRoot).update(hash="f" * 64)
    assert chain.prove().broken == f"2026-11-20 的根值与第 {closed.position} 号链节不符。"


def test_a_chain_rewritten_whole_is_found_by_the_root_on_paper(closed):
    behind_the_back(Event).update(reason="anders")
    behind_the_back(Seal).delete()
    behind_the_back(DayRoot).delete()
    chain.seal_pending()
    chain.close_days(NOON + timedelta(days=1))
    assert chain.prove().broken == ""
    printed = {closed.day: closed.hash}
    assert "与纸面所印不符" in chain.prove(printed).broken


@pytest.fixture
def two_days(monkeypatch) -> list[DayRoot]:
    for days in (0, 1):
        some_events(2)
        seal_at(NOON + timedelta(days=days), monkeypatch)
    chain.close_days(NOON + timedelta(days=2))
    return list(DayRoot.objects.order_by("day"))


def forge() -> None:
    """Rewrite the first event and make every seal anew, in its place and at its time."""
    behind_the_back(Event).filter(pk=Seal.objects.get(position=1).event_id).update(reason="anders")
    before = chain.BEGINNING
    for seal in Seal.objects.order_by("position"):
        event = behind_the_back(Event).filter(pk=seal.event_id).values_list(*chain.COLUMNS).get()
        before = chain.digest(before, seal.position, seal.at, event)
        behind_the_back(Seal).filter(position=seal.position).update(hash=before)


@pytest.mark.parametrize("roots", ["corrected", "removed"])
def test_paper_is_held_against_the_chain_whatever_the_stored_roots_say(two_days, roots):
    _first, printed = two_days
    forge()
    for root in two_days:
        stored = behind_the_back(DayRoot).filter(day=root.day)
        if roots == "removed":
            stored.delete()
        else:
            stored.update(hash=Seal.objects.get(position=root.position).hash)
    assert chain.prove().broken == ""
    assert "2026-11-21 的根值与纸面所印不符" in chain.prove({printed.day: printed.hash}).broken


def test_two_days_cannot_end_with_the_same_seal(two_days):
    first, second = two_days
    with pytest.raises(IntegrityError), transaction.atomic():
        behind_the_back(DayRoot).filter(day=second.day).update(position=first.position)


def test_a_root_that_points_to_the_seal_of_another_day_is_named(two_days):
    first, second = two_days
    behind_the_back(DayRoot).filter(day=first.day).delete()
    behind_the_back(DayRoot).filter(day=second.day).update(position=first.position, hash=first.hash)
    assert chain.prove().broken == f"2026-11-21 的根值与第 {first.position} 号链节不符。"


# --- Command and task --------------------------------------------------------------------------------------


def command(*words: str) -> str:
    out = StringIO()
    call_command("record", *words, stdout=out, verbosity=0)
    return out.getvalue()


def test_the_command_proves_and_says_the_root(closed):
    told = command("prove", "--root", "2026-11-20", closed.hash)
    assert f"Proved {closed.position:,} events; 0 wait" in told
    assert f"Root of 2026-11-20: {closed.hash}" in told


def test_the_command_fails_and_names_the_first_broken_link(sealed):
    behind_the_back(Seal).filter(position=2).update(hash="f" * 64)
    with pytest.raises(CommandError, match="第 2 号链节"):
        command("prove")


@pytest.mark.parametrize(
    "root", [("2026-11-20", "f" * 64), ("2026-11-19", "f" * 64), ("yesterday", "f" * 64)]
)
def test_the_command_fails_on_another_root_than_the_printed_one(closed, root):
    with pytest.raises(CommandError):
        command("prove", "--root", *root)


def test_the_command_seals_what_is_not_sealed_yet():
    some_events()
    assert command("seal") == f"Sealed {Event.objects.count():,} events.\n"


def test_the_sweep_seals_and_closes():
    some_events()
    tasks.seal()
    assert not Event.objects.filter(seal=None).exists()
