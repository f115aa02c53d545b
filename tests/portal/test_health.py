from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings
from django.core.cache import cache
from django.test import Client

from portal.celery import Scheduler, beat_heart
from portal.celery import app as celery_app


@pytest.fixture(autouse=True)
def no_heartbeats() -> None:
    cache.clear()


def test_healthz_needs_neither_login_nor_database(client: Client) -> None:
    response = client.get("/healthz")
    assert response.status_code == 200
    assert response.json() == {"status": "ok"}


@pytest.mark.django_db
def test_readyz_names_what_is_missing(client: Client) -> None:
    beat_heart("beat")
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json() == {
        "status": "failed",
        "database": "ok",
        "broker": "ok",
        "worker": "failed",
        "beat": "ok",
    }


@pytest.mark.django_db
def test_readyz_is_ready_with_both_hearts(client: Client) -> None:
    beat_heart("beat")
    beat_heart("worker")
    assert client.get("/readyz").status_code == 200


@pytest.mark.django_db
def test_an_old_heartbeat_is_none(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    beat_heart("worker")
    now = cache.get("heartbeat:worker")
    monkeypatch.setattr("portal.health.time.time", lambda: now + 16)
    assert client.get("/readyz").json()["worker"] == "failed"


def test_the_scheduler_beats(tmp_path: Path) -> None:
    scheduler = Scheduler(celery_app, schedule_filename=str(tmp_path / "schedule"))
    scheduler.schedule.clear()
    scheduler.tick()
    scheduler.close()
    assert cache.get("heartbeat:beat")


@pytest.mark.worker
@pytest.mark.any_database
def test_a_real_worker_beats(celery_worker_factory: Callable, broker_url: str) -> None:
    worker = celery_worker_factory(broker_url)
    assert cache.get("heartbeat:worker")
    worker.stop()
    assert worker.process.returncode == 0


@pytest.mark.django_db
def test_an_unwritable_broker_folder_is_not_ready(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    options = settings.CELERY_BROKER_TRANSPORT_OPTIONS | {"data_folder_out": "/nonexistent"}
    monkeypatch.setattr(settings, "CELERY_BROKER_TRANSPORT_OPTIONS", options)
    assert client.get("/readyz").json()["broker"] == "failed"


@pytest.mark.django_db
def test_a_silent_redis_is_not_ready(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "CELERY_BROKER_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setattr(celery_app.conf, "broker_write_url", "redis://127.0.0.1:1/0")
    assert client.get("/readyz").json()["broker"] == "failed"
