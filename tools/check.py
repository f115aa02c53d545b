"""Every check of the project, one after another: `make test`. Ends with the closing line of each test run."""

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent

# What a careful operator would set, so that the deployment check judges the code and not the machine.
PRODUCTION = {
    "PORTAL_ENV": "production",
    "SECRET_KEY": "a-key-for-the-deployment-check-0123456789-abcdefghijklmnop",
    "ALLOWED_HOSTS": "portal.example.org",
    "DATABASE_URL": "postgres://portal@127.0.0.1/portal",
    "CELERY_BROKER_URL": "redis://127.0.0.1/0",
    "CACHE_URL": "redis://127.0.0.1/1",
}

# One process more than cores: tests wait for browsers, workers and timers.
PYTEST = [
    sys.executable,
    "-m",
    "pytest",
    f"--numprocesses={(os.cpu_count() or 1) + 1}",
    "--dist=worksteal",
    "--quiet",
]

CHECKS: list[tuple[str, list[str], dict[str, str]]] = [
    ("lint", [f"{BIN}/ruff", "check"], {}),
    ("format", [f"{BIN}/ruff", "format", "--check"], {}),
    ("types", [f"{BIN}/mypy"], {}),
    ("layers", [f"{BIN}/lint-imports", "--no-logo"], {}),
    ("migrations", [sys.executable, "manage.py", "makemigrations", "--check", "--dry-run"], {}),
    (
        "deployment",
        [sys.executable, "-W", "error", "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        PRODUCTION,
    ),
    ("tests on SQLite", PYTEST, {"TEST_DATABASE": "sqlite"}),
    (
        "tests on PostgreSQL",
        [*PYTEST, "-m", "not browser and not any_database"],
        {"TEST_DATABASE": "postgresql"},
    ),
]


def run(command: list[str], env: dict[str, str]) -> tuple[int, str]:
    """Run a check, pass on what it says, and give its exit code and its last line."""
    # Where nothing compiled may be kept, every process of a test run would compile all modules anew.
    env = os.environ | {"PYTHONDONTWRITEBYTECODE": ""} | env
    process = subprocess.Popen(
        command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    last = ""
    assert process.stdout  # noqa: S101  (opened above)
    for line in process.stdout:
        print(line, end="", flush=True)
        last = line.strip() or last
    return process.wait(), last


def main() -> int:
    summary = []
    failed = False
    for name, command, env in CHECKS:
        print(f"\n── {name} ──", flush=True)
        started = time.monotonic()
        code, last = run(command, env)
        failed = failed or code != 0
        summary.append(
            f"{'failed' if code else 'ok':6}  {name:21} {time.monotonic() - started:5.0f} s  {last}"
        )
    print("\n── summary ──", *summary, sep="\n", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
