"""Changes of boundaries for tests: planned by a superuser, and carried out at once."""

from typing import Any

from django.utils import timezone

from enterprises.models import BoundaryChange, BoundaryPart, Bureau
from projects import boundaries
from tests import factories


def part(side: str, bureau: Bureau | None = None, **fields: Any) -> BoundaryPart:
    return BoundaryPart(side=side, bureau=bureau, **fields)


def founded(code: str = "320599", name: str = "新区", **fields: Any) -> BoundaryPart:
    return part("to", code=code, name=f"{name}市场监督管理局", short_name=name, **fields)


def planned(kind: str, *parts: BoundaryPart, **fields: Any) -> BoundaryChange:
    by = fields.pop("by", None) or factories.user(is_superuser=True)
    on = fields.pop("on", None) or timezone.localdate()
    row = BoundaryChange(kind=kind, effective_on=on, document="演示〔2026〕1号", **fields)
    return boundaries.plan(by, row, parts)


def change(kind: str, *parts: BoundaryPart, **fields: Any) -> BoundaryChange:
    return boundaries.carry_out(planned(kind, *parts, **fields))


def merged(*sources: Bureau, into: BoundaryPart | None = None, **fields: Any) -> BoundaryChange:
    return change("merge", *(part("from", one) for one in sources), into or founded(), **fields)
