import json
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.contrib.auth import get_user_model
from django.utils.translation import gettext_lazy
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from portal.api import BoundedCursorPagination, FastJSONRenderer


def test_json_is_utf8_and_knows_the_types_of_django() -> None:
    data = {
        "name": gettext_lazy("质量"),
        "share": Decimal("0.125"),
        "day": date(2024, 12, 31),
        "at": datetime(2024, 12, 31, 16, 0, tzinfo=UTC),
    }
    body = FastJSONRenderer().render(data)
    assert "质量".encode() in body
    assert json.loads(body) == {
        "name": "质量",
        "share": 0.125,
        "day": "2024-12-31",
        "at": "2024-12-31T16:00:00Z",
    }
    assert FastJSONRenderer().render(None) == b""


@pytest.mark.django_db
@pytest.mark.parametrize(("asked", "given"), [("", 50), ("?page_size=7", 7), ("?page_size=100000", 200)])
def test_no_client_can_ask_for_everything_at_once(asked: str, given: int) -> None:
    users = get_user_model()
    users.objects.bulk_create(users(username=f"u{number}", name="某") for number in range(220))
    pages = BoundedCursorPagination()
    page = pages.paginate_queryset(users.objects.all(), Request(APIRequestFactory().get(f"/{asked}")))
    assert len(page or []) == given
    assert pages.get_next_link()
