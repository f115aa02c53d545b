"""Set up and run the portal from nothing but Python 3.11. Standard library only; the Makefile calls it.

bootstrap.py setup          environment, Debian packages, translations, static files
bootstrap.py setup --tests  the same with what tests and benchmarks need
bootstrap.py run            setup, database, demo data, then all processes until Ctrl-C
"""

import argparse
import contextlib
import fcntl
import hashlib
import importlib.util
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
VAR = Path(os.environ.get("VAR_DIR") or ROOT / "var").absolute()

RUN_PACKAGES = ["libpango-1.0-0", "libpangoft2-1.0-0", "libharfbuzz-subset0", "fonts-noto-cjk"]
TEST_PACKAGES = ["chromium"]
WORKER = "celery --quiet -A portal worker --without-gossip --without-mingle --without-heartbeat"
BEAT = "celery --quiet -A portal beat"
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
START_SECONDS = 90
STOP_SECONDS = 10


def say(text: str) -> None:
    print(f"· {text}", flush=True)


def stop(text: str) -> NoReturn:
    sys.exit(f"\n{text}")


def call(*command: str | Path, **env: str) -> None:
    """Run a command that is silent when it works; when it fails, show all it said and stop."""
    result = subprocess.run(
        [str(part) for part in command],
        cwd=ROOT,
        env=os.environ | env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if result.returncode:
        stop(f"{result.stdout}\nThis failed: {' '.join(map(str, command))}")


def manage(*arguments: str) -> None:
    """Run a management command and let it speak."""
    if subprocess.run([str(PYTHON), "manage.py", *arguments], cwd=ROOT, check=False).returncode:
        stop(f"This failed: manage.py {' '.join(arguments)}")


class Stamp:
    """Remembers for which input a step was done, so that it is not done again."""

    def __init__(self, path: Path, content: str) -> None:
        self.path = path
        self.digest = hashlib.sha256(content.encode()).hexdigest()

    def is_current(self) -> bool:
        return self.path.exists() and self.path.read_text() == self.digest

    def write(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(self.digest)


# --- Debian packages ---------------------------------------------------------------------------------------


def install_packages(wanted: list[str]) -> None:
    """Install what is missing where that is allowed; otherwise name the one line that does it."""
    if not shutil.which("dpkg-query"):
        if missing := [name for name in wanted if not shutil.which(name) and name in TEST_PACKAGES]:
            say(f"Please install: {' '.join(missing)} (and Pango, HarfBuzz subset and a Chinese font)")
        return
    missing = [name for name in wanted if not is_installed(name)]
    if not missing:
        return
    sudo = [] if os.geteuid() == 0 else ["sudo"]
    if sudo and subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False).returncode:
        say("System packages are missing, and this user may not install them. Please run:")
        print(f"    sudo apt-get install --no-install-recommends {' '.join(missing)}", flush=True)
        return
    say(f"Installing system packages: {', '.join(missing)}")
    quiet = [*sudo, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", "-oDPkg::Lock::Timeout=120"]
    call(*quiet, "update")
    call(*quiet, "install", "--yes", "--no-install-recommends", *missing)


def is_installed(package: str) -> bool:
    status = subprocess.run(
        ["dpkg-query", "--show", "--showformat=${db:Status-Status}", package],
        capture_output=True,
        text=True,
        check=False,
    )
    return status.stdout == "installed"


# --- Set-up ------------------------------------------------------------------------------------------------


def setup(*, tests: bool) -> None:
    if sys.version_info < (3, 11):  # noqa: UP036  (any Python may run this file)
        stop(f"Python 3.11 or newer is needed; this is {sys.version.split()[0]}.")
    packages = RUN_PACKAGES + (TEST_PACKAGES if tests else [])
    if importlib.util.find_spec("ensurepip") is None:
        packages.append("python3-venv")
    install_packages(packages)
    make_environment(tests=tests)
    compile_translations()
    collect_static()


def make_environment(*, tests: bool) -> None:
    """Install exactly the locked files. The lock for tests holds everything that the other does."""
    stamps = {}
    for name in ("dev", "runtime"):
        lock = ROOT / "requirements" / f"{name}.txt"
        stamps[name] = Stamp(VENV / f".{name}-lock", f"{sys.version}\n{ROOT}\n{lock.read_text()}")
    if any(stamps[name].is_current() for name in (["dev"] if tests else ["dev", "runtime"])):
        return
    if not PYTHON.exists() or subprocess.run([PYTHON, "-c", ""], check=False).returncode:
        say("Creating .venv")
        call(sys.executable, "-m", "venv", "--clear", VENV)
    name = "dev" if tests else "runtime"
    say(f"Installing Python packages from requirements/{name}.txt")
    for stamp in stamps.values():
        stamp.path.unlink(missing_ok=True)
    # Twice quiet: pip remarks on many things that a locked set cannot change. Errors are still shown.
    call(
        PYTHON, "-m", "pip", "install", "-qq", "--no-input", "--disable-pip-version-check",
        "--require-hashes", "--no-deps", "--requirement", ROOT / "requirements" / f"{name}.txt",
    )  # fmt: skip
    stamps[name].write()


def compile_translations() -> None:
    """Make each .mo whose .po is newer."""
    for source in ROOT.glob("locale/*/LC_MESSAGES/django.po"):
        target = source.with_suffix(".mo")
        if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
            say(f"Compiling translations: {source.parent.parent.name}")
            call(VENV / "bin" / "pybabel", "compile", "--input-file", source, "--output-file", target)


def static_sources() -> Iterator[Path]:
    yield ROOT / "requirements" / "runtime.txt"
    yield from sorted(path for path in (ROOT / "static").rglob("*") if path.is_file())


def collect_static() -> None:
    state = "\n".join(f"{path} {path.stat().st_mtime_ns}" for path in static_sources())
    stamp = Stamp(VAR / "static.stamp", state)
    if not stamp.is_current():
        say("Collecting static files")
        call(PYTHON, "manage.py", "collectstatic", "--no-input", "--clear", "--verbosity", "0")
        stamp.write()


# --- Run ---------------------------------------------------------------------------------------------------


def run(*, port: int, scale: str) -> None:
    VAR.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(VAR / "run.lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stop("The portal is already running from this folder. Stop it first with Ctrl-C.")
        refuse_taken_port(port)
        setup(tests=False)
        address = f"http://127.0.0.1:{port}"
        os.environ |= {"DEMO_PASSWORD": demo_password(), "PORT": str(port)}
        os.environ.setdefault("PUBLIC_URL", address)
        os.environ.setdefault("LOG_LEVEL", "WARNING")
        # Root is who one is in a container, where the demo is often tried.
        os.environ.setdefault("PYTHONWARNINGS", "ignore:You're running the worker with superuser privileges")
        say("Preparing the database")
        manage("migrate", "--no-input", "--verbosity", "0")
        manage("demo", "--scale", scale)
        refuse_taken_port(port)
        serve(address)


def refuse_taken_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            stop(f"Port {port} is in use on this machine. Choose another: make run PORT={port + 1}")


def demo_password() -> str:
    """The password the demo accounts were made with: `DEMO_PASSWORD` on the first run, or a random one."""
    path = VAR / "demo_password"
    given = os.environ.get("DEMO_PASSWORD")
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(given or secrets.token_urlsafe(9))
    kept = path.read_text()
    if given and given != kept:
        say(f"DEMO_PASSWORD is not used: the demo accounts have the password of the first run, in {path}")
    return kept


def web_server(port: int | str) -> str:
    """Writers of SQLite, which has one lock for all, wait the less the fewer threads share a process."""
    workers = 2 if os.environ.get("DATABASE_URL", "").startswith("postgres") else 4
    return (
        f"gunicorn portal.wsgi --bind 127.0.0.1:{port} --worker-class gthread --workers {workers} --threads 4"
        " --no-control-socket --log-level warning"
    )


def serve(address: str) -> None:
    """Start all processes, say where they are, and stop every one of them on Ctrl-C or SIGTERM."""

    def leave(*_: object) -> None:
        raise KeyboardInterrupt

    # SIGINT too: a shell starts background jobs with it ignored.
    for name in STOP_SIGNALS:
        signal.signal(name, leave)
    say("Starting web server, worker and scheduler")
    processes: list[subprocess.Popen[bytes]] = []
    try:
        for command in (web_server(os.environ["PORT"]), WORKER, BEAT):
            program, *arguments = command.split()
            # A session of its own: Ctrl-C reaches only us, and we stop the others in order.
            processes.append(
                subprocess.Popen([VENV / "bin" / program, *arguments], cwd=ROOT, start_new_session=True)
            )
        if wait_for_ready(address, processes):
            print(f"\n  The portal is ready: {address}\n", flush=True)
            manage("demo", "--accounts")
            print("\n  Ctrl-C stops everything.\n", flush=True)
        while all_run(processes):
            time.sleep(0.5)
        stop("A process of the portal ended; its last lines stand above.")
    except KeyboardInterrupt:
        print("\n· Stopping", flush=True)
    finally:
        for name in STOP_SIGNALS:
            signal.signal(name, signal.SIG_IGN)
        stop_processes(processes)


def all_run(processes: list[subprocess.Popen[bytes]]) -> bool:
    return all(process.poll() is None for process in processes)


def stop_processes(processes: list[subprocess.Popen[bytes]]) -> None:
    """Ask each to finish what it does; after a while end whatever is left of its group."""
    for process in processes:
        process.terminate()
    deadline = time.monotonic() + STOP_SECONDS
    for process in processes:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(max(0, deadline - time.monotonic()))
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_for_ready(address: str, processes: list[subprocess.Popen[bytes]]) -> bool:
    deadline = time.monotonic() + START_SECONDS
    answer: object = "no answer"
    while all_run(processes):
        try:
            with urllib.request.urlopen(f"{address}/readyz", timeout=5):  # noqa: S310  (our own address)
                return True
        except urllib.error.HTTPError as error:
            answer = json.load(error)
        except OSError as error:
            answer = error
        if time.monotonic() > deadline:
            say(f"Not ready after {START_SECONDS} s: {answer}")
            return False
        time.sleep(0.2)
    return False


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("setup").add_argument("--tests", action="store_true")
    runner = commands.add_parser("run")
    runner.add_argument("--port", type=int, default=8000)
    runner.add_argument("--scale", choices=["national", "small"], default="national")
    options = parser.parse_args()
    try:
        if options.command == "setup":
            setup(tests=options.tests)
        else:
            run(port=options.port, scale=options.scale)
    except KeyboardInterrupt:
        stop("Stopped.")


if __name__ == "__main__":
    main()
