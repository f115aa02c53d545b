"""The harness itself: who is measured, in which order, and what the table says."""

import json
from pathlib import Path

from bench.harness import Benchmark, Entry, Sides, table, write


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
        )

    result = Benchmark(prepare, most=None, goal=None, rounds=2).measure("sqlite")
    assert [call for call in calls if call != "after"] == [
        "subject", "floor", "floor", "subject", "subject", "floor",
    ]  # fmt: skip
    assert calls.count("after") == 6
    assert result.floor_seconds is not None
    assert result.rounds == 2


def test_verdicts() -> None:
    assert [entry(value).verdict for value in (1.2, 1.9, 2.1)] == ["goal", "ok", "too slow"]
    assert entry(5, floor_seconds=None).verdict == ""


def test_results_are_written_and_printed(tmp_path: Path) -> None:
    entries = [entry(1.5, peer_seconds=3.0), entry(0.01, floor_seconds=None, database="postgresql")]
    write(entries, tmp_path / "results.json")
    first, second = json.loads((tmp_path / "results.json").read_text())
    assert (first["name"], first["ratio"], first["peer_ratio"]) == ("rollup_year", 1.5, 0.5)
    assert second["floor_seconds"] is None
    lines = table(entries).splitlines()
    assert lines[1].split() == ["rollup_year", "sqlite", "1.50", "1.00", "3.00", "1.50", "2.00", "1.20", "ok"]
    assert lines[2].split() == ["rollup_year", "postgresql", "0.01000", "2.00", "1.20"]
