import json
from datetime import UTC, date, datetime
from decimal import Decimal

from django.utils.translation import gettext_lazy

from common.renderers import FastJSONRenderer


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
