"""Fair measurements: subject, floor and peer take turns in the same process on the same data.

A benchmark is a function that prepares and returns its sides:

    @benchmark(most=2.0, goal=1.2)
    def rollup_year() -> Sides:
        return Sides(subject=lambda: roll_up(...), floor=lambda: run_plain_sql(...))

`most` is the largest ratio of subject to floor that is still right, `goal` the one we want. The national demo
data are loaded into `var/bench` and kept; benchmarks run on a copy of them, made anew for each run. What one
call would leave in the way of the next is taken away in `after`, which is not timed.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from tools import bootstrap, servers

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "var" / "bench"
DATABASES = ("sqlite", "postgresql")
# The issue names no floor for loading the demo, but a limit.
DEMO_LOAD = "demo_load"
DEMO_LOAD_SECONDS = {"sqlite": 60.0}
# What SQLite may take, as multiples of PostgreSQL: 0.5 and 0.85 of its rate.
ACROSS = {"filing": (1 / 0.5, 1 / 0.85)}


@dataclass(frozen=True)
class Sides:
    subject: Callable[[], object]
    floor: Callable[[], object] | None = None
    peer: Callable[[], object] | None = None
    after: Callable[[], object] | None = None
    close: Callable[[], object] | None = None
    # How many units of work one call does; the seconds reported are those of one unit.
    units: int = 1
    # Or each call returns how many it did.
    counted: bool = False
    # Or the seconds that it found.
    is_timed: bool = False
    # What else was measured of the subject, by name.
    figures: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Entry:
    name: str
    database: str
    seconds: float
    floor_seconds: float | None
    peer_seconds: float | None
    most: float | None
    goal: float | None
    rounds: int
    # The longest time that is still right, whatever the floor takes.
    most_seconds: float | None = None
    figures: Mapping[str, float] = field(default_factory=dict)

    @property
    def ratio(self) -> float | None:
        return self.seconds / self.floor_seconds if self.floor_seconds else None

    @property
    def verdict(self) -> str:
        if self.most_seconds is not None and self.seconds > self.most_seconds:
            return "too slow"
        if self.ratio is None or self.most is None:
            return "ok" if self.most_seconds is not None else ""
        if self.ratio > self.most:
            return "too slow"
        return "goal" if self.goal and self.ratio <= self.goal else "ok"


@dataclass(frozen=True)
class Benchmark:
    prepare: Callable[[], Sides]
    most: float | None
    goal: float | None
    rounds: int
    warm_up: bool = True
    databases: tuple[str, ...] = field(default=DATABASES)
    most_seconds: float | None = None

    @property
    def name(self) -> str:
        return self.prepare.__name__

    def measure(self, database: str) -> Entry:
        """The median of `rounds`, after one round that warms caches and is thrown away (`warm_up`).

        Each round begins with another side, so that none always inherits what the one before left behind.
        """
        sides = self.prepare()
        calls = {
            name: call
            for name, call in (("subject", sides.subject), ("floor", sides.floor), ("peer", sides.peer))
            if call is not None
        }
        times: dict[str, list[float]] = {name: [] for name in calls}
        names = list(calls)
        for round_number in range(0 if self.warm_up else 1, self.rounds + 1):
            shift = round_number % len(names)
            for name in names[shift:] + names[:shift]:
                started = time.perf_counter()
                answer = calls[name]()
                elapsed = time.perf_counter() - started
                units = answer if sides.counted and isinstance(answer, int) else sides.units
                if sides.is_timed and isinstance(answer, float):
                    elapsed = answer
                if sides.after is not None:
                    sides.after()
                if round_number:
                    times[name].append(elapsed / units)
        if sides.close is not None:
            sides.close()
        medians = {name: statistics.median(values) for name, values in times.items()}
        return Entry(
            name=self.name,
            database=database,
            seconds=medians["subject"],
            floor_seconds=medians.get("floor"),
            peer_seconds=medians.get("peer"),
            most=self.most,
            goal=self.goal,
            rounds=self.rounds,
            most_seconds=self.most_seconds,
            figures=dict(sides.figures),
        )


REGISTERED: list[Benchmark] = []


def benchmark(
    *,
    most: float | None = None,
    goal: float | None = None,
    rounds: int = 5,
    warm_up: bool = True,
    databases: tuple[str, ...] = DATABASES,
    most_seconds: float | None = None,
) -> Callable[[Callable[[], Sides]], Callable[[], Sides]]:
    def register(prepare: Callable[[], Sides]) -> Callable[[], Sides]:
        REGISTERED.append(Benchmark(prepare, most, goal, rounds, warm_up, databases, most_seconds))
        return prepare

    return register


# --- Databases ------------------------------------------------------------------------------------------


def empty_database(database: str, name: str) -> dict[str, str]:
    """The environment of a portal with a database that has nothing in it, not even tables."""
    folder = FOLDER / database / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if database == "postgresql":
        create_database(name)
    return environment(database, name)


def create_database(name: str, options: str = "") -> None:
    with psycopg.connect(postgresql(), autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}"')
        connection.execute(f'CREATE DATABASE "{name}" {options}')


def postgresql() -> str:
    return servers.postgresql(FOLDER / "postgresql" / "data")


def load_demo(database: str) -> Entry:
    """Load the national demo data anew, and say how long that took."""
    env = empty_database(database, "national")
    migrate(env)
    started = time.perf_counter()
    manage(env, "demo", "--scale", "national")
    elapsed = time.perf_counter() - started
    (FOLDER / database / "national" / "loaded").touch()
    limit = DEMO_LOAD_SECONDS.get(database)
    return Entry(DEMO_LOAD, database, elapsed, None, None, None, None, rounds=1, most_seconds=limit)


def migrate(env: dict[str, str]) -> None:
    manage(env, "migrate", "--verbosity", "0")


def manage(env: dict[str, str], *command: str) -> None:
    subprocess.run([sys.executable, "manage.py", *command], cwd=ROOT, env=os.environ | env, check=True)


def is_loaded(database: str) -> bool:
    return (FOLDER / database / "national" / "loaded").exists()


def copy_of_national(database: str) -> dict[str, str]:
    """The environment of a portal with a copy of the national demo data, brought to today's tables."""
    folder = FOLDER / database / "copy"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    if database == "sqlite":
        shutil.copy(FOLDER / database / "national" / "portal.sqlite3", folder)
    else:
        create_database("copy", 'TEMPLATE "national" STRATEGY FILE_COPY')
    (folder / "static").symlink_to(bootstrap.VAR / "static")
    env = environment(database, "copy")
    migrate(env)
    return env


def environment(database: str, name: str) -> dict[str, str]:
    folder = FOLDER / database / name
    if database == "sqlite":
        url = f"sqlite:///{folder / 'portal.sqlite3'}"
    else:
        url = urlsplit(postgresql())._replace(path=f"/{name}").geturl()
    return {
        "VAR_DIR": str(folder),
        "DATABASE_URL": url,
        "DJANGO_SETTINGS_MODULE": "portal.settings",
        "DEMO_PASSWORD": "benchmark",
        "LOG_LEVEL": "WARNING",
    }


def start(command: str, log: Path | None = None) -> subprocess.Popen:
    """A process of the portal, from the tools beside this Python; the log holds what it says of faults."""
    tool, *options = command.split()
    with log.open("w") if log else nullcontext() as errors:
        return subprocess.Popen([Path(sys.executable).parent / tool, *options], cwd=ROOT, stderr=errors)


def stop(process: subprocess.Popen) -> None:
    process.terminate()
    process.wait(timeout=30)


# --- Results --------------------------------------------------------------------------------------------


def write(entries: list[Entry], path: Path) -> None:
    rows = [
        asdict(entry)
        | {
            "ratio": entry.ratio,
            "peer_ratio": entry.seconds / entry.peer_seconds if entry.peer_seconds else None,
        }
        for entry in entries
    ]
    path.write_text(json.dumps(rows, indent=2) + "\n")


def across(entries: list[Entry]) -> list[Entry]:
    """How SQLite does beside PostgreSQL, where the issue asks for it: by what was measured on each."""
    by_key = {(entry.name, entry.database): entry for entry in entries}
    pairs = [
        (name, by_key.get((name, "sqlite")), by_key.get((name, "postgresql")), most, goal)
        for name, (most, goal) in ACROSS.items()
    ]
    return [
        Entry(name, "both", one.seconds, two.seconds, None, most, goal, rounds=one.rounds)
        for name, one, two, most, goal in pairs
        if one and two
    ]


def read(path: Path) -> list[Entry]:
    """What was written before."""
    rows = json.loads(path.read_text()) if path.exists() else []
    names = [item.name for item in fields(Entry)]
    return [Entry(**{name: row[name] for name in names}) for row in rows]


def table(entries: list[Entry]) -> str:
    head = ("benchmark", "database", "seconds", "floor", "peer", "ratio", "must", "goal", "")
    rows = [
        (
            entry.name,
            entry.database,
            *(seconds(value) for value in (entry.seconds, entry.floor_seconds, entry.peer_seconds)),
            *(f"{value:.2f}" if value else "" for value in (entry.ratio, entry.most, entry.goal)),
            entry.verdict,
        )
        for entry in entries
    ]
    notes = [
        f"{entry.name} on {entry.database}: {_listed(entry.figures)}" for entry in entries if entry.figures
    ]
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = (
        "  ".join(
            cell.ljust(width) if index < 2 or index == 8 else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in (head, *rows)
    )
    return "\n".join((*lines, *notes))


def _listed(figures: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.3g}" for name, value in figures.items())


def seconds(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.2f}" if value >= 1 else f"{value:.5f}"
