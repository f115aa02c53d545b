"""Who asks, and whether somebody asks too often."""

import time

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest


def client_address(request: HttpRequest) -> str:
    """Who asks. Behind a trusted proxy: the last address in the header, which the proxy itself wrote."""
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "") if settings.TRUST_PROXY else ""
    return forwarded.rpartition(",")[2].strip() or request.META.get("REMOTE_ADDR", "")


def too_often(request: HttpRequest, name: str, per_minute: int) -> bool:
    """Whether the client has used up what it may ask under this name in the current minute."""
    key = f"throttle:{name}:{client_address(request)}:{_minute()}"
    cache.add(key, 0, timeout=120)
    try:
        return cache.incr(key) > per_minute
    except ValueError:
        # The cache made room in between: this is the first one it knows of.
        cache.set(key, 1, timeout=120)
        return per_minute < 1


def _minute() -> int:
    return int(time.time() // 60)
