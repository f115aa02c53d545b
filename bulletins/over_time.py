"""Which figures of a period would tell small ones of others: months add up to quarters, to half-years and to
years (`domain.md` 5.4).

Told figures are lines between the ends of months: who reads January and the first quarter knows what lies
between the end of January and that of March. A figure follows from others where told ones lead from its
beginning to its end. Told alone it is what one part says; of two parts that are hidden together only the sum
is told, so that what is moved between the two is moved back in another period: a hidden part is safe that has
a company with which it is hidden wherever a line is needed to be cut.

The periods are taken in the order of their first freezes. What earlier ones tell is told, so that each hides
what would complete a line to what these hide; nothing that comes later makes an earlier one hide more.
Had the year to hide whatever its last month is the first to hide, little would be left of it: therefore the
shorter ones hide more than they must.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import TypeAlias

# What is less than so many times a small figure is likely to be one in the next period.
LIKELY = 2
# Counted from one end of a month to another.
Months: TypeAlias = tuple[int, int]
# A part of a whole, a chain of the nation, or the nation itself, which is nobody's part.
Part: TypeAlias = int | None


@dataclass(frozen=True)
class Kept:
    """A figure of a frozen period in the parts of a whole: on how many things it rests in each, which of
    them are small, which hidden."""

    months: Months
    weights: Mapping[Part, int] = field(default_factory=dict)
    small: frozenset[Part] = frozenset()
    hidden: frozenset[Part] = frozenset()
    hides_all: bool = False
    # Told besides: what was counted since a day until the end of the period.
    also: Months | None = None

    @property
    def lines(self) -> tuple[Months, ...]:
        return (self.months, self.also) if self.also else (self.months,)


def more_to_hide(
    earlier: Sequence[Kept],
    newest: Kept,
    least: int,
    ahead: Sequence[Iterable[Months]] = (),
    *,
    adds: bool = True,
) -> frozenset[Part]:
    """The parts that the newest period must not tell either.

    ``ahead`` are longer periods still to be frozen: all, the dearer, the dearest. A shorter one hides
    what spares them. Of figures that do not quite add, such as who paid, a difference may be too small.
    """
    if newest.hides_all:
        return frozenset()
    decision = _Decision(earlier, newest)
    if ahead:
        decision.keep_ready(LIKELY * least)
    known = (*earlier, newest)
    sources = [(one.months, part) for one in known for part in one.small]
    sources += _small_between(known, least, adds)
    for periods in (*ahead, ()):
        decision.look_ahead(periods)
        for months, part in sources:
            decision.keep(months, part)
    return frozenset(decision.hidden - newest.hidden)


def _small_between(known: Sequence[Kept], least: int, adds: bool) -> Iterator[tuple[Months, Part]]:
    """What lies between ends without being a period of its own, where it is small."""
    periods = {one.months for one in known}
    for ends in _lines(known):
        for part in {part for one in known for part in one.weights}:
            at = {end: sum(sign * one.weights.get(part, 0) for one, sign in way) for end, way in ends.items()}
            for first, last in combinations(sorted(at), 2):
                weight = at[last] - at[first]
                is_small = 0 < weight < least or (weight < 0 and not adds)
                if is_small and (first, last) not in periods:
                    yield (first, last), part


def _lines(known: Sequence[Kept]) -> Iterator[dict[int, list[tuple[Kept, int]]]]:
    """The ends that periods connect, each with the way to it from one of them."""
    rest = list(known)
    while rest:
        ends: dict[int, list[tuple[Kept, int]]] = {rest[0].months[0]: []}
        while joined := next((one for one in rest if ends.keys() & {*one.months}), None):
            rest.remove(joined)
            first, last = joined.months
            if last not in ends:
                ends[last] = [*ends[first], (joined, 1)]
            elif first not in ends:
                ends[first] = [*ends[last], (joined, -1)]
        yield ends


class _Decision:
    """What the newest period hides so far."""

    def __init__(self, earlier: Sequence[Kept], newest: Kept) -> None:
        self.earlier, self.newest = earlier, newest
        self.parts = {part for one in (*earlier, newest) for part in (*one.weights, *one.hidden)}
        self.hidden = set(newest.hidden)
        # By which of the earlier ones a part is hidden, as bits.
        self.by = {
            part: sum(1 << at for at, one in enumerate(earlier) if one.hides_all or part in one.hidden)
            for part in self.parts
        }

    def keep_ready(self, below: int) -> None:
        """Hide what is likely to be small in the next period, so that it has company there."""
        weights = self.newest.weights
        ready = {part for part, weight in weights.items() if part is not None and 0 < weight < below}
        if len(ready | self.hidden) > 1:
            self.hidden |= ready

    def look_ahead(self, periods: Iterable[Months]) -> None:
        self.ahead = list(periods)
        self.joined: dict[tuple[int, bool], dict[int, int]] = {}

    def keep(self, months: Months, part: Part) -> None:
        """See that a part has company that keeps it; where nothing can, what is told is told."""
        company = self.parts - {part, None} if part is not None else {None}
        if any(self._is_kept(months, part, other, {part, other} <= self.hidden) for other in company):
            return
        choice = [other for other in company if self._is_kept(months, part, other, True)]
        if choice:
            self.hidden |= {part, min(choice, key=self._loss)}

    def _loss(self, part: Part) -> tuple[bool, bool, int, int]:
        """The smallest are missed the least; nothing at all is no company."""
        weight = self.newest.weights.get(part, 0)
        return part not in self.hidden, not weight, weight, part or 0

    def _is_kept(self, months: Months, part: Part, other: Part, is_hidden: bool) -> bool:
        by = self.by[part] & self.by[other]
        if (by, is_hidden) not in self.joined:
            told = [one for at, one in enumerate(self.earlier) if not by >> at & 1]
            periods = told if is_hidden else [*told, self.newest]
            self.joined[by, is_hidden] = _joined(
                [*self.ahead, *(line for one in periods for line in one.lines)]
            )
        joined, (first, last) = self.joined[by, is_hidden], months
        return joined.get(first, first) != joined.get(last, last)


def _joined(lines: Iterable[Months]) -> dict[int, int]:
    """The ends that lines join, with one of those that are joined to each."""
    found: dict[int, int] = {}
    for line in lines:
        first, last = (found.setdefault(end, end) for end in line)
        found |= {end: first for end, joined in found.items() if joined == last}
    return found
