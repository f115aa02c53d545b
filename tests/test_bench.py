"""The harness itself: who is measured, in which order, what the table says; and that floors are honest."""

import json
import random
from pathlib import Path

import pytest

import bench
from bench import run
from bench.bench_bulletins import roll_up_by_hand, stored
from bench.harness import Benchmark, Entry, Sides, read, table, write
from bulletins import services
from bulletins.models import Snapshot
from tests.bulletins.test_rollup import random_ledger


def entry(seconds: float, **changes: object) -> Entry:
    values = {
        "name": "rollup_year",
        "database": "sqlite",
        "seconds": seconds,
        "floor_seconds": 1.0,
        "peer_seconds": None,
        "most": 2.0,
        "goal": 1.2,
        "rounds": 5,
    }
    return Entry(**(values | changes))  # type: ignore[arg-type]


def test_sides_take_turns_and_the_first_round_only_warms() -> None:
    calls: list[str] = []

    def prepare() -> Sides:
        return Sides(
            subject=lambda: calls.append("subject"),
            floor=lambda: calls.append("floor"),
            after=lambda: calls.append("after"),
            close=lambda: calls.append("close"),
        )

    result = Benchmark(prepare, most=None, goal=None, rounds=2).measure("sqlite")
    assert [call for call in calls if call != "after"] == [
        "subject", "floor", "floor", "subject", "subject", "floor", "close",
    ]  # fmt: skip
    assert calls.count("after") == 6
    assert result.floor_seconds is not None
    assert result.rounds == 2

    calls.clear()
    Benchmark(prepare, most=None, goal=None, rounds=1, warm_up=False).measure("sqlite")
    assert calls.count("subject") == calls.count("floor") == 1


def test_sides_may_time_themselves() -> None:
    answers = iter([9.0, 0.2, 0.1, 0.3])
    sides = Sides(subject=lambda: next(answers), is_timed=True)
    result = Benchmark(lambda: sides, most=None, goal=None, rounds=3, most_seconds=0.15).measure("sqlite")
    assert (result.seconds, result.verdict) == (0.2, "too slow")


def test_verdicts() -> None:
    assert [entry(value).verdict for value in (1.2, 1.9, 2.1)] == ["goal", "ok", "too slow"]
    assert entry(5, floor_seconds=None).verdict == ""
    timed = [entry(value, floor_seconds=None, most=None, most_seconds=60.0) for value in (59, 61)]
    assert [one.verdict for one in timed] == ["ok", "too slow"]


def test_results_are_written_and_printed(tmp_path: Path) -> None:
    entries = [entry(1.5, peer_seconds=3.0), entry(0.01, floor_seconds=None, database="postgresql")]
    write(entries, tmp_path / "results.json")
    first, second = json.loads((tmp_path / "results.json").read_text())
    assert (first["name"], first["ratio"], first["peer_ratio"]) == ("rollup_year", 1.5, 0.5)
    assert second["floor_seconds"] is None
    lines = table(entries).splitlines()
    assert lines[1].split() == ["rollup_year", "sqlite", "1.50", "1.00", "3.00", "1.50", "2.00", "1.20", "ok"]
    assert "similarity on sqlite: recall 0.5" in table([entry(1, name="similarity", figures={"recall": 0.5})])
    assert lines[2].split() == ["rollup_year", "postgresql", "0.01000", "2.00", "1.20"]


def test_a_result_is_written_at_once_and_takes_the_place_of_the_former(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run, "RESULTS", tmp_path / "results.json")
    run.keep(entry(1.5))
    run.keep(entry(1.5, database="postgresql", figures={"errors": 0}))
    assert "postgresql" in capsys.readouterr().out
    run.keep(entry(1.3))
    assert read(run.RESULTS) == [entry(1.5, database="postgresql", figures={"errors": 0}), entry(1.3)]


def test_reference_code_is_short() -> None:
    """What anybody would write by hand, so that nobody has to take the floor on trust."""
    references = [path for path in Path(bench.__path__[0]).iterdir() if path.suffix == ".sql"]
    references += Path(bench.__path__[0]).glob("plain_*.py")
    assert len(references) == 4
    # All twenty-five indicators in one file take more lines than one page or one loop.
    longest = {"rollup_year.sql": 110}
    assert [
        path.name for path in references if len(path.read_text().splitlines()) > longest.get(path.name, 60)
    ] == []


@pytest.mark.django_db
@pytest.mark.parametrize("seed", range(6))
def test_the_plain_sql_stores_what_the_portal_stores(seed: int) -> None:
    random_ledger(random.Random(seed))  # noqa: S311  (rows, not secrets)
    period = services.get_period("2024")
    by_hand = Snapshot.objects.create(period=period, definition_version="plain SQL")
    roll_up_by_hand(by_hand)
    figures = stored(by_hand)
    assert figures == stored(services.rollup_now(period))
    assert any(value for _code, _bureau, _chain, value, *_rest in figures)
