"""The rules for printing figures, drawn from published ones (`domain.md` 5.6): rounding, shares, ranks.

Numbers are rounded half up in decimal and only when printed: changes, shares and ranks are told from exact
ones. A value that was not reported is None and never zero.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Literal, NamedTuple

from django.utils.translation import gettext

Number = int | Decimal
# Running text says 18万 from here on.
MANY = 100_000
WAN = 10_000


def half_up(value: Decimal, places: int) -> Decimal:
    """Rounded half away from zero; never a negative zero."""
    rounded = value.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)
    return rounded if rounded else abs(rounded)


def shares(parts: Sequence[int], places: int = 1) -> list[Decimal]:
    """Each part in per cent of the whole, adding to 100 exactly: the largest remainders are rounded up.

    Of equal remainders the first is. Nothing has no shares: all are zero.
    """
    whole = sum(parts)
    if not whole:
        return [Decimal(0)] * len(parts)
    steps = 100 * 10**places
    down = [part * steps // whole for part in parts]
    by_remainder = sorted(range(len(parts)), key=lambda n: -(parts[n] * steps % whole))
    for n in by_remainder[: steps - sum(down)]:
        down[n] += 1
    return [Decimal(n).scaleb(-places) for n in down]


@dataclass(frozen=True, slots=True)
class Rank:
    """A place in a ranking; None where there is no figure, or too small a denominator."""

    place: int | None
    tied: bool = False

    def __str__(self) -> str:
        if self.place is None:
            return "—"
        if self.tied:
            return gettext("并列%(place)d") % {"place": self.place}
        return str(self.place)


def ranks(
    values: Sequence[Number | None], denominators: Sequence[int | None] = (), least: int = 0
) -> list[Rank]:
    """Competition ranking (1, 1, 3), the highest first.

    Blank values have no place, nor have ratios whose denominator is less than ``least``. Who prints the ranks
    orders equal ones by division code.
    """
    if denominators:
        values = [
            value if below is None or below >= least else None
            for value, below in zip(values, denominators, strict=True)
        ]
    known = sorted((value for value in values if value is not None), reverse=True)
    return [
        Rank(None) if value is None else Rank(known.index(value) + 1, known.count(value) > 1)
        for value in values
    ]


def prose(value: int) -> str:
    """A number in Chinese running text: 18万 for whole ten-thousands from 100,000 on, exact otherwise."""
    if value >= MANY and value % WAN == 0:
        return f"{value // WAN:,}万"
    return f"{value:,}"


class Growth(NamedTuple):
    """How a figure stands to another: in per cent, or as so many times more from the double on."""

    direction: Literal["up", "down", "flat", "none"]
    number: str = ""
    times: bool = False


def growth(this: Number | None, last: Number | None) -> Growth:
    """The change in numbers; none where there is nothing to divide by."""
    if this is None or not last:
        return Growth("none")
    if this == last:
        return Growth("flat")
    share = abs(Decimal(this) - Decimal(last)) / abs(Decimal(last))
    direction: Literal["up", "down"] = "up" if this > last else "down"
    if direction == "up" and share >= 1:
        return Growth(direction, f"{half_up(share, 1).normalize():,f}", times=True)
    return Growth(direction, f"{half_up(share * 100, 1):,f}%")


@dataclass(frozen=True)
class Change:
    """The change of a figure against the same period of the year before, in words."""

    direction: Literal["up", "down", "flat", "none"]
    text: str


def change(this: Number | None, last: Number | None, *, points: bool = False) -> Change:
    """Year on year in the reader's language; of two percentages the difference in ``points``."""
    if this is None or last is None:
        return Change("none", gettext("无上年同期数"))
    if this == last and (points or last):
        return Change("flat", gettext("与上年持平"))
    if points:
        return _points(Decimal(this) - Decimal(last))
    if last == 0:
        return Change("none", gettext("上年同期为零"))
    found = growth(this, last)
    if found.direction == "down":
        return Change("down", gettext("比上年下降 %(share)s") % {"share": found.number})
    words = gettext("比上年增长 %(share)s 倍") if found.times else gettext("比上年增长 %(share)s")
    return Change("up", words % {"share": found.number})


def incomparable() -> Change:
    """Two figures that were counted by different definitions."""
    return Change("none", gettext("口径不同，不作比较"))


def withheld() -> Change:
    """Two figures of which one is not told."""
    return Change("none", gettext("变化不予显示"))


def _points(difference: Decimal) -> Change:
    points = {"points": half_up(abs(difference), 1)}
    if difference > 0:
        return Change("up", gettext("比上年提高 %(points)s 个百分点") % points)
    return Change("down", gettext("比上年降低 %(points)s 个百分点") % points)
