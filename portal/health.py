"""Answers for monitors: is this process alive, and can the portal do its work?"""

import logging
import os
import time
from collections.abc import Callable

from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from portal.celery import HEARTBEAT_SECONDS, app

logger = logging.getLogger(__name__)


def check_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def check_broker() -> None:
    if settings.CELERY_BROKER_URL.startswith("filesystem:"):
        if not os.access(str(settings.CELERY_BROKER_TRANSPORT_OPTIONS["data_folder_out"]), os.W_OK):
            raise PermissionError("the folder of the broker cannot be written")
    else:
        with app.connection_for_write(connect_timeout=1) as broker:
            broker.ensure_connection(max_retries=1, interval_start=0, timeout=2)


def check_heart(process: str) -> None:
    if time.time() - cache.get(f"heartbeat:{process}", 0) > HEARTBEAT_SECONDS * 3:
        raise TimeoutError("no heartbeat")


CHECKS: dict[str, Callable[[], None]] = {
    "database": check_database,
    "broker": check_broker,
    "worker": lambda: check_heart("worker"),
    "beat": lambda: check_heart("beat"),
}


@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "ok"})


@require_safe
@never_cache
def readyz(request: HttpRequest) -> JsonResponse:
    """`200` when everything answers, else `503`; each part by name. The reason goes to nobody but the log."""
    results = {}
    for name, check in CHECKS.items():
        try:
            check()
            results[name] = "ok"
        except Exception as error:  # whatever a driver raises means: not ready
            logger.warning("not ready: %s: %s", name, error)
            results[name] = "failed"
    ready = all(result == "ok" for result in results.values())
    return JsonResponse({"status": "ok" if ready else "failed", **results}, status=200 if ready else 503)
