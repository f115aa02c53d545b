"""The rows behind a figure: those that a snapshot kept or that count now, what they make, how they differ.

Rows are counted here by the catalogue's own queries, so that one figure of the whole country is counted anew
while a reader waits; that these queries count what `domain.md` means, `bulletins.recount` proves.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from django.db import models
from django.db.models import Exists, F, OuterRef, Q, Sum
from django.utils.translation import pgettext_lazy

from bulletins import trees
from bulletins.figures import Value
from bulletins.indicators import BASES, Base, Indicator, Kind, Rows, Span
from bulletins.models import CountedRow, Snapshot
from common.scope import system_job
from enterprises.models import Bureau, IndustryChain

# What is told of a counted row, under the same names wherever it comes from.
TOLD = ("counted", "unit", "of_chain", "item", "adding")
# By what a kept row is another one than it was.
COUNTED_AS = ("base", "row_id", "bureau_id", "chain_id", "key", "amount")


@dataclass(frozen=True)
class Place:
    """A unit with everything below it, over all chains or for one."""

    bureau: Bureau
    chain: IndustryChain | None = None

    def among(self, rows: Rows, kept_by: Snapshot | None) -> Rows:
        """Those of the place; of kept rows, in the tree of their snapshot."""
        if self.bureau.level != Bureau.Level.NATIONAL:
            units = trees.within(kept_by, self.bureau) if kept_by else Bureau.objects.within(self.bureau)
            rows = rows.filter(unit__in=units if kept_by else units.values("pk"))
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
        return (place.among(rows, self.snapshot if self.is_kept else None) if place else rows).order_by()

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


class Differences:
    """By which rows a figure differs between two sides; no more of them are fetched than are asked for."""

    def __init__(self, indicator: Indicator, place: Place, before: Side, after: Side) -> None:
        self._parts = [_OfBase(BASES[name], place, before, after) for name in indicator.all_bases]

    @property
    def any(self) -> bool:
        return any(part.any for part in self._parts)

    @property
    def counts(self) -> dict[Kinds, int]:
        """How many rows came, went and changed; the database counts them."""
        return {kind: sum(part.counts[kind] for part in self._parts) for kind in Kinds}

    def first(self, most: int | None = None) -> list[Change]:
        """Those that came, then those that went, then those that changed."""
        found: list[Change] = []
        for kind in Kinds:
            for part in self._parts:
                if most is None or len(found) < most:
                    found += part.first(kind, None if most is None else most - len(found))
        return found


class _OfBase:
    """The rows of one base by which two sides differ."""

    def __init__(self, base: Base, place: Place, before: Side, after: Side) -> None:
        self.base = base
        self.was, self.now = before.rows(base, place), after.rows(base, place)

    @property
    def any(self) -> bool:
        was, now = self.was.values_list(*TOLD), self.now.values_list(*TOLD)
        return any(rows[:1] for rows in (was.difference(now), now.difference(was)))

    @cached_property
    def counts(self) -> dict[Kinds, int]:
        went = self._only(self.was, self.now).count()
        otherwise = self.was.values_list(*TOLD).difference(self.now.values_list(*TOLD)).count()
        came = self._only(self.now, self.was).count()
        return {Kinds.CAME: came, Kinds.WENT: went, Kinds.CHANGED: otherwise - went}

    @staticmethod
    def _only(one: Rows, other: Rows) -> Rows:
        """The keys of rows that are on one side only."""
        return one.values_list("counted").difference(other.values_list("counted"))

    def first(self, kind: Kinds, most: int | None) -> list[Change]:
        if not self.counts[kind]:
            return []
        if kind == Kinds.CHANGED:
            rows = self.was.values_list(*TOLD).difference(self.now.values_list(*TOLD))
            # Among these are the rows that went; whoever asks for changed ones was told of all those.
            stop = None if most is None else most + self.counts[Kinds.WENT]
            keys = [row for row, *_told in rows.order_by("counted")[:stop]]
        else:
            sides = (self.now, self.was) if kind == Kinds.CAME else (self.was, self.now)
            keys = [row for (row,) in self._only(*sides).order_by("counted")[:most]]
        was, now = (
            {} if kind == without else _told(side, keys)
            for side, without in ((self.was, Kinds.CAME), (self.now, Kinds.WENT))
        )
        found = [Change(self.base.name, row, was.get(row), now.get(row)) for row in keys]
        return [change for change in found if change.kind == kind][:most]


def _told(rows: Rows, keys: Iterable[int]) -> dict[int, Told]:
    found = rows.filter(counted__in=list(keys)).values_list(*TOLD)
    return {row: Told(*told) for row, *told in found}


def elsewhere(rows: Iterable[int], base: Base, side: Side) -> dict[int, Told]:
    """Where rows count on a side, at whatever place."""
    return _told(side.rows(base), rows)


# --- Who may be told --------------------------------------------------------------------------------------


def covers(user: Any, place: Place) -> bool:
    """Whether all rows of a place lie in the scope of the reader."""
    chain = place.chain.pk if place.chain else None
    return user.is_authenticated and user.scope.covers(place.bureau, chain)


def is_of_one(user: Any, indicator: Indicator, place: Place, *sides: Side) -> bool:
    """Whether money or days would tell what a single organisation paid or took that the reader may not see
    (design decision 84): those of a side, and of two versions of a period those by which they differ."""
    if indicator.kind not in (Kind.MONEY, Kind.MEDIAN) or covers(user, place):
        return False
    for name in indicator.bases:
        rows = [side.rows(BASES[name], place).values("counted") for side in sides]
        if len(sides) == 2 and all(side.is_kept for side in sides):
            one, other = sides
            if one.snapshot.period_id == other.snapshot.period_id:
                rows.append(_differing(BASES[name], place, one, other))
        if any(_hidden_organizations(user, BASES[name], keys) == 1 for keys in rows):
            return True
    return False


def _differing(base: Base, place: Place, one: Side, other: Side) -> Rows:
    """The keys of kept rows that are not alike in two versions."""
    lonely = [
        not_alike(side.rows(base, place), against.snapshot).values("counted")
        for side, against in ((one, other), (other, one))
    ]
    return CountedRow.objects.filter(
        Q(row_id__in=lonely[0]) | Q(row_id__in=lonely[1]),
        snapshot__in=[one.snapshot, other.snapshot],
        base=base.name,
    ).values("row_id")


def not_alike(rows: Rows, against: Snapshot) -> Rows:
    """Kept rows that another version did not keep, or kept otherwise."""
    alike = CountedRow.objects.filter(snapshot=against, **{name: OuterRef(name) for name in COUNTED_AS})
    return rows.filter(~Exists(alike))


def _hidden_organizations(user: Any, base: Base, keys: Any) -> int:
    """Of how many organisations, counted up to two, the reader may not see the rows."""
    model = base.listed
    with system_job("whether a figure tells of a single organisation"):
        rows = model._base_manager.filter(pk__in=keys)
        if user.is_authenticated:
            rows = rows.exclude(pk__in=model._default_manager.visible_to(user).order_by().values("pk"))
        return len(rows.order_by().values("organization").distinct()[:2])
