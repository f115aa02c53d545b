"""What the browser says in a journey fails it, but for what is known to be said of good pages."""

import pytest

from tests.conftest import REFUSALS

ROW = "0193f5a0-1111-7abc-8def-000000000001"


@pytest.mark.parametrize(
    ("said", "is_excused"),
    [
        ("Failed to load resource: the server responded with a status of 409 (Conflict)", True),
        (f"Response Status Error Code 403 from /bottlenecks/{ROW}/institutions/?q=abc", True),
        (f"Response Status Error Code 404 from /bottlenecks/{ROW}/institutions/", False),
        (f"Response Status Error Code 403 from /bottlenecks/{ROW}/moves/dispatch/", False),
        ("Response Status Error Code 400 from /join/units/", False),
        ("Uncaught TypeError: x is undefined", False),
    ],
)
def test_of_refusals_htmx_may_complain_of_one_search_alone(said: str, *, is_excused: bool) -> None:
    assert bool(REFUSALS.match(said)) is is_excused
