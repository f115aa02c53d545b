"""Changes of boundaries of the demo: one merger and one new name that are in effect, one merger planned."""

from datetime import date, timedelta

from accounts.models import User
from enterprises.models import BoundaryChange, BoundaryPart, Bureau
from projects import boundaries

Kind, Side = BoundaryChange.Kind, BoundaryPart.Side
# Two districts of Nantong become one, a county becomes a city, and two of its cities are to be one.
MERGED = ("320612", "320613")
RENAMED = "320623"
PLANNED = ("320681", "320685")


def change(today: date) -> None:
    """All are called 演示, like the documents that they name."""
    by = User.objects.get(username="admin")
    units = Bureau.objects.in_bulk([*MERGED, RENAMED, *PLANNED], field_name="code")
    one, other = (BoundaryPart(side=Side.FROM, bureau=units[code]) for code in MERGED)
    new = BoundaryPart(
        side=Side.TO, code="320699", name="演示·南通市通崇区市场监督管理局", short_name="通崇区（演示）"
    )
    _done(by, Kind.MERGE, today - timedelta(days=40), 1, one, other, new)
    named = BoundaryPart(
        side=Side.FROM,
        bureau=units[RENAMED],
        name="演示·如东市市场监督管理局",
        short_name="如东市（演示）",
    )
    _done(by, Kind.RENAME, today - timedelta(days=20), 2, named)
    source, target = (units[code] for code in PLANNED)
    parts = BoundaryPart(side=Side.FROM, bureau=source), BoundaryPart(side=Side.TO, bureau=target)
    boundaries.plan(by, _change(Kind.MERGE, today + timedelta(days=40), 3), parts)


def _change(kind: str, on: date, number: int) -> BoundaryChange:
    return BoundaryChange(kind=kind, effective_on=on, document=f"演示区划批复〔{on.year}〕{number}号")


def _done(by: User, kind: str, on: date, number: int, *parts: BoundaryPart) -> None:
    boundaries.carry_out(boundaries.plan(by, _change(kind, on, number), parts))
