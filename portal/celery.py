"""The Celery application and the two heartbeats that /readyz reads."""

import logging.config
import os
import time
from typing import Any

from celery import Celery, bootsteps
from celery.beat import PersistentScheduler
from celery.signals import setup_logging

import portal.broker  # noqa: F401  (registers the transport)

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

app = Celery("portal")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

HEARTBEAT_SECONDS = 5


def beat_heart(process: str) -> None:
    """Note in the cache that a `worker` or `beat` process is alive now."""
    from django.core.cache import cache  # noqa: PLC0415  (importing this module reads no settings)

    cache.set(f"heartbeat:{process}", time.time(), timeout=HEARTBEAT_SECONDS * 12)


class WorkerHeart(bootsteps.StartStopStep):
    """Beats while the worker runs. A heartbeat task would fall silent when long tasks fill every slot."""

    requires = {"celery.worker.components:Timer"}

    def start(self, worker: Any) -> None:
        beat_heart("worker")
        self.entry = worker.timer.call_repeatedly(HEARTBEAT_SECONDS, beat_heart, ("worker",))

    def stop(self, worker: Any) -> None:
        self.entry.cancel()


class Scheduler(PersistentScheduler):
    """The persistent scheduler of Celery, with a heartbeat."""

    beaten = 0.0

    def tick(self, *args: Any, **kwargs: Any) -> float:
        if time.monotonic() - self.beaten >= HEARTBEAT_SECONDS:
            beat_heart("beat")
            self.beaten = time.monotonic()
        return super().tick(*args, **kwargs)


app.steps["worker"].add(WorkerHeart)


@setup_logging.connect
def use_django_logging(**kwargs: Any) -> None:
    """Having a receiver here keeps Celery from installing its own handlers."""
    from django.conf import settings  # noqa: PLC0415  (as above)

    logging.config.dictConfig(settings.LOGGING)
