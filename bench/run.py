"""Run the benchmarks on both databases, print the table and write bench/results.json.

python -m bench.run [name ...] [--database sqlite|postgresql]

Each database is measured in a process of its own, since Django's settings belong to one. `demo_load` fills
the databases of which the others get copies; when others are named alone, what was loaded before is used.
"""

import argparse
import importlib
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import django

from bench import harness


def measure(database: str, names: list[str], output: Path) -> None:
    """Runs in the child, whose environment names the database. Every `bench_*.py` here holds benchmarks."""
    django.setup()
    for path in sorted(Path(__file__).parent.glob("bench_*.py")):
        importlib.import_module(f"bench.{path.stem}")
    entries = []
    for item in harness.REGISTERED:
        if database in item.databases and (not names or item.name in names):
            print(f"Measuring {item.name} on {database}", flush=True)
            entries.append(item.measure(database))
    output.write_text(json.dumps([asdict(entry) for entry in entries]))


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", help="only these benchmarks")
    parser.add_argument("--database", choices=harness.DATABASES, help="only this database")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure(options.database, options.names, options.measure)
        return 0
    names, others = options.names, [name for name in options.names if name != harness.DEMO_LOAD]
    entries: list[harness.Entry] = []
    for database in [options.database] if options.database else harness.DATABASES:
        if not names or harness.DEMO_LOAD in names or not harness.is_loaded(database):
            print(f"Measuring {harness.DEMO_LOAD} on {database}", flush=True)
            entries.append(harness.load_demo(database))
        if names and not others:
            continue
        env = os.environ | harness.copy_of_national(database)
        with tempfile.NamedTemporaryFile() as output:
            command = [sys.executable, "-m", "bench.run", "--database", database, "--measure", output.name]
            subprocess.run([*command, *others], cwd=harness.ROOT, env=env, check=True)
            entries += [harness.Entry(**row) for row in json.loads(Path(output.name).read_text())]
    print(f"\n{harness.table(entries)}\n")
    harness.write(entries, harness.ROOT / "bench" / "results.json")
    return int(any(entry.verdict == "too slow" for entry in entries))


if __name__ == "__main__":
    sys.exit(main())
