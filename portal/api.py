"""Defaults of every API view, named in settings.REST_FRAMEWORK."""

from collections.abc import Mapping
from typing import Any

import orjson
from rest_framework.pagination import CursorPagination
from rest_framework.renderers import JSONRenderer
from rest_framework.utils.encoders import JSONEncoder


class BoundedCursorPagination(CursorPagination):
    """Keyset pages: the last page costs what the first does, and no client can ask for everything at once."""

    ordering = "id"
    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 200


class FastJSONRenderer(JSONRenderer):
    """Writes UTF-8 JSON with orjson; types it does not know go through DRF's encoder."""

    encoder = JSONEncoder()

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        if data is None:
            return b""
        return orjson.dumps(data, default=self.encoder.default, option=orjson.OPT_UTC_Z)
