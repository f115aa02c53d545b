"""Run the benchmarks on both databases, print the table and write bench/results.json.

python -m bench.run [name ...] [--database sqlite|postgresql]

Each database is measured in a process of its own, since Django's settings belong to one. `demo_load` fills
the databases of which the others get copies; when others are named alone, what was loaded before is used.
Each result is printed and written as soon as it is there, so that a later fault loses none; benchmarks that
are named take the place of their former results and leave the others.
"""

import argparse
import importlib
import os
import subprocess
import sys
from pathlib import Path

import django

from bench import harness

RESULTS = Path(__file__).parent / "results.json"


def measure(database: str, names: list[str]) -> None:
    """Runs in the child, whose environment names the database. Every `bench_*.py` here holds benchmarks."""
    django.setup()
    for path in sorted(Path(__file__).parent.glob("bench_*.py")):
        importlib.import_module(f"bench.{path.stem}")
    for item in harness.REGISTERED:
        if database in item.databases and (not names or item.name in names):
            print(f"Measuring {item.name} on {database}", flush=True)
            keep(item.measure(database))


def keep(entry: harness.Entry) -> None:
    """Show a result and write it in the place of the former one."""
    print(harness.table([entry]), flush=True)
    others = [
        row for row in harness.read(RESULTS) if (row.name, row.database) != (entry.name, entry.database)
    ]
    kept = [row for row in [*others, entry] if row.database != "both"]
    harness.write([*kept, *harness.across(kept)], RESULTS)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", help="only these benchmarks")
    parser.add_argument("--database", choices=harness.DATABASES, help="only this database")
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure(options.database, options.names)
        return 0
    names, others = options.names, [name for name in options.names if name != harness.DEMO_LOAD]
    databases = [options.database] if options.database else harness.DATABASES
    if not names and not options.database:
        RESULTS.unlink(missing_ok=True)
    failed = False
    for database in databases:
        if not names or harness.DEMO_LOAD in names or not harness.is_loaded(database):
            print(f"Measuring {harness.DEMO_LOAD} on {database}", flush=True)
            keep(harness.load_demo(database))
        if names and not others:
            continue
        env = os.environ | harness.copy_of_national(database)
        command = [sys.executable, "-m", "bench.run", "--database", database, "--measure", *others]
        failed |= subprocess.run(command, cwd=harness.ROOT, env=env, check=False).returncode != 0
    entries = harness.read(RESULTS)
    print(f"\n{harness.table(entries)}\n")
    return int(failed or any(entry.verdict == "too slow" for entry in entries))


if __name__ == "__main__":
    sys.exit(main())
