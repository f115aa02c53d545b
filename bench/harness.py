"""Fair measurements: subject, floor and peer take turns in the same process on the same data.

A benchmark is a function that prepares and returns its sides:

    @benchmark(most=2.0, goal=1.2)
    def rollup_year() -> Sides:
        return Sides(subject=lambda: roll_up(...), floor=lambda: run_plain_sql(...))

`most` is the largest ratio of subject to floor that is still right, `goal` the one we want. The database is
loaded once with the national demo data and kept in `var/bench`; a benchmark that writes puts back what it
changed, in `after`, which is not timed.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from tools import servers

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "var" / "bench"
DATABASES = ("sqlite", "postgresql")


@dataclass(frozen=True)
class Sides:
    subject: Callable[[], object]
    floor: Callable[[], object] | None = None
    peer: Callable[[], object] | None = None
    after: Callable[[], object] | None = None
    # How many units of work one call does; the seconds reported are those of one unit.
    units: int = 1


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

    @property
    def ratio(self) -> float | None:
        return self.seconds / self.floor_seconds if self.floor_seconds else None

    @property
    def verdict(self) -> str:
        if self.ratio is None or self.most is None:
            return ""
        if self.ratio > self.most:
            return "too slow"
        return "goal" if self.goal and self.ratio <= self.goal else "ok"


@dataclass(frozen=True)
class Benchmark:
    prepare: Callable[[], Sides]
    most: float | None
    goal: float | None
    rounds: int
    databases: tuple[str, ...] = field(default=DATABASES)

    @property
    def name(self) -> str:
        return self.prepare.__name__

    def measure(self, database: str) -> Entry:
        """The median of `rounds`, after one round that warms caches and is thrown away.

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
        for round_number in range(self.rounds + 1):
            shift = round_number % len(names)
            for name in names[shift:] + names[:shift]:
                started = time.perf_counter()
                calls[name]()
                elapsed = time.perf_counter() - started
                if sides.after is not None:
                    sides.after()
                if round_number:
                    times[name].append(elapsed / sides.units)
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
        )


REGISTERED: list[Benchmark] = []


def benchmark(
    *,
    most: float | None = None,
    goal: float | None = None,
    rounds: int = 5,
    databases: tuple[str, ...] = DATABASES,
) -> Callable[[Callable[[], Sides]], Callable[[], Sides]]:
    def register(prepare: Callable[[], Sides]) -> Callable[[], Sides]:
        REGISTERED.append(Benchmark(prepare, most, goal, rounds, databases))
        return prepare

    return register


# --- Databases ------------------------------------------------------------------------------------------


def empty_database(database: str, name: str = "scratch") -> dict[str, str]:
    """The environment of a portal with a database that has nothing in it, not even tables."""
    folder = FOLDER / database / name
    folder.mkdir(parents=True, exist_ok=True)
    if database == "sqlite":
        for file in folder.glob("portal.sqlite3*"):
            file.unlink()
        url = f"sqlite:///{folder / 'portal.sqlite3'}"
    else:
        server = servers.postgresql(FOLDER / "postgresql" / "data")
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}"')
            connection.execute(f'CREATE DATABASE "{name}"')
        url = urlsplit(server)._replace(path=f"/{name}").geturl()
    return environment(folder, url)


def national_database(database: str) -> dict[str, str]:
    """The environment of a portal with the national demo data, loaded on the first call."""
    folder = FOLDER / database / "national"
    loaded = folder / "loaded"
    if loaded.exists():
        if database == "sqlite":
            return environment(folder, f"sqlite:///{folder / 'portal.sqlite3'}")
        server = servers.postgresql(FOLDER / "postgresql" / "data")
        return environment(folder, urlsplit(server)._replace(path="/national").geturl())
    print(f"Loading the national demo data into {database}", flush=True)
    env = empty_database(database, "national")
    load_demo(env)
    loaded.touch()
    return env


def load_demo(env: dict[str, str]) -> None:
    for command in (["migrate", "--verbosity", "0"], ["demo", "--scale", "national"]):
        subprocess.run([sys.executable, "manage.py", *command], cwd=ROOT, env=os.environ | env, check=True)


def environment(folder: Path, url: str) -> dict[str, str]:
    return {
        "VAR_DIR": str(folder),
        "DATABASE_URL": url,
        "DJANGO_SETTINGS_MODULE": "portal.settings",
        "DEMO_PASSWORD": "benchmark",
        "LOG_LEVEL": "WARNING",
    }


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
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if index < 2 or index == 8 else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in (head, *rows)
    )


def seconds(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.2f}" if value >= 1 else f"{value:.5f}"
