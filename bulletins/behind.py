"""The rows behind a figure: those that a snapshot kept or that count now, what they make, how they differ.

Rows are counted here by the catalogue's own queries, so that one figure of the whole country is counted anew
while a reader waits; that these queries count what `domain.md` means, `bulletins.recount` proves.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from django.db import models
from django.db.models import F, Sum
from django.utils.translation import pgettext_lazy

from bulletins.figures import Value
from bulletins.indicators import BASES, Base, Indicator, Kind, Rows, Span
from bulletins.models import CountedRow, Snapshot
from enterprises.models import Bureau, IndustryChain

# What is told of a counted row, under the same names wherever it comes from.
TOLD = ("counted", "unit", "of_chain", "item", "adding")


@dataclass(frozen=True)
class Place:
    """A unit with everything below it, over all chains or for one."""

    bureau: Bureau
    chain: IndustryChain | None = None

    def among(self, rows: Rows) -> Rows:
        if self.bureau.level != Bureau.Level.NATIONAL:
            rows = rows.filter(unit__in=Bureau.objects.within(self.bureau).values("pk"))
        return rows.filter(of_chain=self.chain.pk) if self.chain else rows


class Side:
    """The rows that a frozen snapshot kept; of a working one, or ``now``, those that count now."""

    def __init__(self, snapshot: Snapshot, *, now: bool = False) -> None:
        self.snapshot = snapshot
        self.is_kept = snapshot.version > 0 and not now

    @cached_property
    def span(self) -> Span:
        return Span.of(self.snapshot.period)

    def rows(self, base: Base, place: Place | None = None) -> Rows:
        """The rows of a base with what is `TOLD` of them, everywhere or at a place."""
        if self.is_kept:
            rows: Rows = CountedRow.objects.filter(snapshot=self.snapshot, base=base.name).annotate(
                counted=F("row_id"), unit=F("bureau"), of_chain=F("chain"), item=F("key"), adding=F("amount")
            )
        else:
            rows = base.matching(self.span).annotate(counted=F("pk"))
        return (place.among(rows) if place else rows).order_by()

    def figure(self, indicator: Indicator, place: Place) -> Value:
        """What the rows make; where there is none it says zero, for rows do not tell who reports nothing."""
        parts = [self.rows(BASES[name], place) for name in indicator.bases]
        if indicator.distinct:
            first, *more = (rows.values_list("item") for rows in parts)
            return Value((first.union(*more) if more else first.distinct()).count())
        if indicator.kind == Kind.RATIO:
            below = self.rows(BASES[indicator.over], place).count()
            return Value(numerator=sum(rows.count() for rows in parts), denominator=below)
        if indicator.kind == Kind.MEDIAN:
            (rows,) = parts
            if not (n := rows.count()):
                return Value(denominator=0)
            middle = list(rows.order_by("adding").values_list("adding", flat=True)[(n - 1) // 2 : n // 2 + 1])
            return Value(sum(middle) * 2 // len(middle), denominator=n)
        return Value(sum(rows.aggregate(sum=Sum("adding"))["sum"] or 0 for rows in parts))


def same(one: Value, other: Value) -> bool:
    """Whether two figures say the same; no rows are no rows, whether none was to be reported or not."""
    return [part or 0 for part in one.stated] == [part or 0 for part in other.stated]


# --- Differences ------------------------------------------------------------------------------------------


class Told(NamedTuple):
    """Where a row counts, as what, and how much it adds: keys of unit and chain, the distinct key."""

    unit: int
    chain: int
    key: int
    amount: int


class Kinds(models.TextChoices):
    CAME = "came", pgettext_lazy("row of a figure", "新增")
    WENT = "went", pgettext_lazy("row of a figure", "减少")
    CHANGED = "changed", pgettext_lazy("row of a figure", "变动")


@dataclass(frozen=True)
class Change:
    """A row of a base that is counted on one side only, or on both but otherwise."""

    base: str
    row: int
    was: Told | None
    now: Told | None

    @property
    def kind(self) -> Kinds:
        if self.was is None:
            return Kinds.CAME
        return Kinds.WENT if self.now is None else Kinds.CHANGED


def changes(indicator: Indicator, place: Place, before: Side, after: Side) -> list[Change]:
    """The rows by which two sides differ: those that came, then those that went, then those that changed."""
    order = list(Kinds)
    found = [change for name in indicator.all_bases for change in _changes(BASES[name], place, before, after)]
    return sorted(found, key=lambda change: order.index(change.kind))


def _changes(base: Base, place: Place, before: Side, after: Side) -> Iterator[Change]:
    was, now = (side.rows(base, place).values_list(*TOLD) for side in (before, after))
    gone = {row: Told(*told) for row, *told in was.difference(now)}
    new = {row: Told(*told) for row, *told in now.difference(was)}
    for row in sorted(gone.keys() | new.keys()):
        yield Change(base.name, row, gone.get(row), new.get(row))


def elsewhere(rows: Iterable[int], base: Base, side: Side) -> dict[int, Told]:
    """Where rows count on a side, at whatever place."""
    found = side.rows(base).filter(counted__in=list(rows)).values_list(*TOLD)
    return {row: Told(*told) for row, *told in found}
