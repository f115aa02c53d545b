"""`make run` as a person meets it: start, look, start again by mistake, Ctrl-C."""

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT, wait_until

pytestmark = [pytest.mark.worker, pytest.mark.any_database]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(folder: Path, port: int, output: Path) -> subprocess.Popen[bytes]:
    env = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    command = [sys.executable, "tools/bootstrap.py", "run", "--scale", "small", "--port", str(port)]
    with open(output, "wb") as file:
        return subprocess.Popen(
            command, cwd=ROOT, env=env | {"VAR_DIR": str(folder)}, stdout=file, stderr=subprocess.STDOUT
        )


def processes_in(folder: Path) -> list[int]:
    """Every process that was started with this folder in its environment."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"VAR_DIR={folder}\0".encode() in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:  # ended while we looked
            continue
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "var"
    yield folder
    for process in processes_in(folder):
        os.kill(process, signal.SIGKILL)


def test_run_starts_everything_once_and_ctrl_c_ends_all_of_it(folder: Path, tmp_path: Path) -> None:
    port = free_port()
    output = tmp_path / "first.log"
    portal = start(folder, port, output)
    wait_until(
        lambda: "Ctrl-C stops everything" in output.read_text() or portal.poll() is not None,
        seconds=240,
        describe=output.read_text,
    )
    assert portal.poll() is None, output.read_text()
    assert f"http://127.0.0.1:{port}" in output.read_text()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=10) as answer:
        assert answer.status == 200
    assert (folder / "demo_password").read_text() in output.read_text()
    assert (folder / "demo_password").stat().st_mode & 0o077 == 0
    assert len(processes_in(folder)) >= 6, "us, the web server with two workers, a job worker, the scheduler"

    again = start(folder, free_port(), tmp_path / "again.log")
    assert again.wait(60) == 1
    assert "already running from this folder" in (tmp_path / "again.log").read_text()

    other = start(tmp_path / "other", port, tmp_path / "other.log")
    assert other.wait(60) == 1
    assert f"Port {port} is in use on this machine." in (tmp_path / "other.log").read_text()

    portal.send_signal(signal.SIGINT)
    assert portal.wait(60) == 0
    assert processes_in(folder) == []
    assert "Traceback" not in output.read_text()
