"""Fixtures for all tests: real Redis, real Celery workers, a real browser.

On SQLite by default; `TEST_DATABASE=postgresql pytest` runs the same tests on an embedded PostgreSQL.
"""

import gc
import itertools
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.contrib.contenttypes.management import create_contenttypes
from django.core.cache import cache, caches
from django.db import connection
from django.db.models.signals import post_migrate
from django.utils import translation
from playwright.sync_api import Browser, ConsoleMessage, Page, Response, sync_playwright

from common import throttle
from common.frames import with_room
from portal.celery import app as celery_app
from tests.worlds import places_of_worlds, undone_at_last, worlds
from tools import servers

__all__ = ["undone_at_last", "worlds"]  # fixtures
T = TypeVar("T")
FILLED_BY_MIGRATIONS = {"auth_permission", "django_content_type"}
ROOT = Path(__file__).resolve().parent.parent


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that cannot run is a failure: nothing is skipped silently."""
    report = yield
    if report.skipped:
        report.outcome = "failed"
    return report


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Function]) -> None:
    """The worlds of a test are made before its own transaction begins; tests of a module that begin with the
    same worlds follow one another.

    The test that waits a minute for processes comes first: as one of the last it would be waited for.
    """
    for item in items:
        if "worlds" not in item.fixturenames[:1]:
            item.fixturenames.insert(0, "worlds")
        item.runtest = with_room(item.runtest)  # type: ignore[method-assign]
    modules = [list(tests) for _path, tests in itertools.groupby(items, key=lambda item: item.path)]
    items[:] = [item for tests in modules for item in sorted(tests, key=places_of_worlds)]
    items.sort(key=lambda item: item.path.name != "test_run.py")


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None) -> None:
    """After a test that commits, only tables with rows are emptied, and what migrations alone fill stays.

    PostgreSQL would make all tables and indexes anew, and Django all content types and permissions.
    """
    post_migrate.disconnect(create_contenttypes)
    post_migrate.disconnect(dispatch_uid="django.contrib.auth.management.create_permissions")

    def emptied(_style: object, tables: list[str], **_options: object) -> list[str]:
        names = {table: connection.ops.quote_name(table) for table in tables}
        asked = [f"SELECT '{table}' WHERE EXISTS (SELECT 1 FROM {name})" for table, name in names.items()]
        with connection.cursor() as cursor:
            cursor.execute(" UNION ALL ".join(asked))
            filled = [table for (table,) in cursor.fetchall()]
        return [f"DELETE FROM {names[table]}" for table in filled if table not in FILLED_BY_MIGRATIONS]

    connection.ops.sql_flush = emptied


def pytest_collection_finish() -> None:
    """What is imported by now stays: looking through it for garbage costs a tenth of all time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


@pytest.fixture(autouse=True)
def no_language_left_over() -> Iterator[None]:
    """A request in English leaves its language active in the thread; the next test begins in Chinese."""
    with translation.override(settings.LANGUAGE_CODE):
        yield


_minutes = itertools.count()


@pytest.fixture(autouse=True)
def a_minute_for_each_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """What may be asked so many times a minute is counted as if a test took one, and no test another's."""
    minute = next(_minutes)
    monkeypatch.setattr(throttle, "_minute", lambda: minute)


@pytest.fixture(autouse=True)
def no_small_cells_left_over() -> None:
    """Snapshots of two tests may be alike but for whose rows they count."""
    caches["small_cells"].clear()


# --- Worker processes --------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def redis_url() -> str:
    return os.environ.get("TEST_REDIS_URL") or servers.redis()


@pytest.fixture
def process_env(transactional_db: None) -> dict[str, str]:
    """The environment for a process of the portal that shares this test's database and folder."""
    name = connection.settings_dict["NAME"]
    if connection.vendor == "sqlite":
        url = f"sqlite:///{name}"
    else:
        url = urlsplit(os.environ["TEST_DATABASE_URL"])._replace(path=f"/{name}").geturl()
    return os.environ | {
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "TEST_DATABASE_URL": url,
        "TEST_VAR_DIR": str(settings.VAR_DIR),
    }


class Worker:
    """A Celery worker in a process group of its own."""

    def __init__(self, env: dict[str, str], log: Path) -> None:
        self.log = log
        cache.delete("heartbeat:worker")
        command = "-A portal worker --without-gossip --without-mingle --without-heartbeat"
        with open(log, "wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "celery", *command.split()],
                cwd=ROOT,
                env=env,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        wait_until(lambda: cache.get("heartbeat:worker"), seconds=30, describe=self.describe)

    def describe(self) -> str:
        return f"worker, exit code {self.process.poll()}:\n{self.log.read_text()}"

    def kill(self) -> None:
        """SIGKILL for the worker and its children, as when the machine takes memory back."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()


def wait_until(question: Callable[[], T], seconds: float = 30, describe: Callable[[], str] = str) -> T:
    """Ask until the answer is true, and give it; fail with `describe()` when it does not come."""
    deadline = time.monotonic() + seconds
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > deadline:
            pytest.fail(f"Not within {seconds} s. {describe()}")
        time.sleep(0.05)


@pytest.fixture(params=[pytest.param("filesystem", marks=pytest.mark.any_database), "redis"])
def broker_url(request: pytest.FixtureRequest) -> str:
    """Runs a test twice: on the embedded broker, which stands beside SQLite, and on a real Redis."""
    return "filesystem://localhost" if request.param == "filesystem" else request.getfixturevalue("redis_url")


@pytest.fixture
def celery_worker_factory(process_env: dict[str, str], tmp_path: Path) -> Iterator[Callable[[str], Worker]]:
    """`start(broker_url)` starts a real worker on this test's database and sends our messages to it."""
    workers: list[Worker] = []
    before = celery_app.conf.broker_url, celery_app.conf.broker_transport_options

    def send_to(url: str, options: dict[str, object]) -> None:
        celery_app.conf.broker_url = celery_app.conf.broker_write_url = celery_app.conf.broker_read_url = url
        celery_app.conf.broker_transport_options = options
        celery_app.amqp._producer_pool = None
        celery_app._pool = None

    def start(url: str) -> Worker:
        send_to(url, before[1] if url.startswith("filesystem:") else {})
        worker = Worker(process_env | {"CELERY_BROKER_URL": url}, tmp_path / f"worker-{len(workers)}.log")
        workers.append(worker)
        return worker

    yield start
    for worker in workers:
        worker.stop()
    with celery_app.connection_for_write() as broker:
        broker.default_channel.queue_purge(celery_app.conf.task_default_queue)
    send_to(*before)


# --- Browser -----------------------------------------------------------------------------------------------

CHROMIUM_FLAGS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    # Bureaus work on closed networks: the browser asks nothing outside either.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


# What the browser says of a refused request, and what htmx does of the one that may be refused in any test: a
# search for institutions that was under way when the problem was dispatched.
REFUSALS = re.compile(
    r"Failed to load resource|Response Status Error Code 403 from /bottlenecks/[0-9a-f-]{36}/institutions/"
)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        pytest.fail("Chromium is missing; on Debian: apt-get install chromium")
    # Playwright keeps an event loop in this thread, which Django takes for an asynchronous caller.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        flags = CHROMIUM_FLAGS + (["--no-sandbox"] if os.geteuid() == 0 else [])
        browser = playwright.chromium.launch(executable_path=path, args=flags)
        yield browser
        browser.close()


@pytest.fixture
def new_page(chromium: Browser, live_server: object) -> Iterator[Callable[..., Page]]:
    """`new_page(**context_options)` opens a page in a fresh profile: another person, or another machine.

    After the test, a script error, a breach of the content policy or a missing static file fails it.
    """
    contexts = []
    faults: list[str] = []

    def on_console(message: ConsoleMessage) -> None:
        # A refused request is what many tests are about; refused static files are caught below.
        if message.type == "error" and not REFUSALS.match(message.text):
            faults.append(f"{message.text} ({message.location})")

    def on_response(response: Response) -> None:
        if response.status >= 500 or (response.status >= 400 and "/static/" in response.url):
            faults.append(f"{response.status} {response.url}")

    def open_page(**options: object) -> Page:
        defaults = {"locale": "zh-CN", "viewport": {"width": 1366, "height": 768}}
        context = chromium.new_context(base_url=str(live_server), **(defaults | options))
        # Only what fails waits so long; beside two other tests on two cores a page may take its time.
        context.set_default_timeout(30_000)
        contexts.append(context)
        page = context.new_page()
        page.on("console", on_console)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("response", on_response)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not faults, "\n".join(faults)


@pytest.fixture
def page(new_page: Callable[..., Page]) -> Page:
    return new_page()
