"""How often a client may ask in a minute."""

import pytest
from django.core.cache import cache, caches
from django.test import RequestFactory

from common.throttle import too_often


@pytest.fixture(autouse=True)
def no_throttle_left_over() -> None:
    cache.clear()


def test_who_asks_more_often_is_refused() -> None:
    asked = [too_often(RequestFactory().get("/"), "test", 2) for _n in range(4)]
    assert asked == [False, False, True, True]


def test_a_counter_that_the_cache_forgot_begins_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may make room between two steps of one request."""
    with monkeypatch.context() as patch:
        patch.setattr(cache, "add", lambda *_args, **_options: cache.clear())
        assert not too_often(RequestFactory().get("/"), "test", 1)
    assert too_often(RequestFactory().get("/"), "test", 1)


def test_what_is_remembered_for_long_takes_no_room_from_counters() -> None:
    assert not too_often(RequestFactory().get("/"), "test", 1)
    for n in range(400):
        caches["small_cells"].set(f"small:{n}", {}, 60)
    caches["default"].set("another", 1, 60)
    assert too_often(RequestFactory().get("/"), "test", 1)
    for alias, least in (("default", 2_000), ("small_cells", 20_000)):
        assert caches[alias]._max_entries >= least  # type: ignore[attr-defined]
