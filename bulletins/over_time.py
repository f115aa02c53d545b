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
from typing import NamedTuple, TypeAlias

# What is less than so many times a small figure is likely to be one in the next period.
LIKELY = 2
# Counted from one end of a month to another.
Months: TypeAlias = tuple[int, int]
# A part of a whole, a chain of the nation, or the nation itself, which is nobody's part.
Part: TypeAlias = int | None
# On how many things a figure rests in each part.
Weights: TypeAlias = Mapping[Part, int]
# Lines by their numbers, forwards or backwards.
Way: TypeAlias = list[tuple[int, int]]


class Line(NamedTuple):
    """What is told between two ends, by each version."""

    months: Months
    versions: Sequence[Weights]

    def weights(self, part: Part) -> set[int]:
        return {weights.get(part, 0) for weights in self.versions}


@dataclass(frozen=True)
class Kept:
    """A figure of a frozen period in the parts of a whole: on how many things it rests in each, which of
    them are small in any version, which hidden."""

    months: Months
    weights: Weights = field(default_factory=dict)
    small: frozenset[Part] = frozenset()
    hidden: frozenset[Part] = frozenset()
    hides_all: bool = False
    # What versions before the last one say: they are still read.
    older: Sequence[Weights] = ()
    # Told besides: what was counted since a day until the end of the period.
    also: Line | None = None

    @property
    def lines(self) -> list[Line]:
        own = Line(self.months, (self.weights, *self.older))
        return [own, self.also] if self.also else [own]

    @property
    def parts(self) -> set[Part]:
        of_versions = (part for line in self.lines for weights in line.versions for part in weights)
        return {*of_versions, *self.hidden, *self.small}


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
    if adds:
        decision.hide_what_came_late(least)
    known = (*earlier, newest)
    sources = [(one.months, part) for one in known for part in one.small]
    sources += _small_between(known, least, adds)
    for periods in (*ahead, ()):
        decision.look_ahead(periods)
        for months, part in sources:
            decision.keep(months, part)
    return frozenset(decision.hidden - newest.hidden)


def _small_between(known: Sequence[Kept], least: int, adds: bool) -> Iterator[tuple[Months, Part]]:
    """What lies between ends without being a period of its own, where it is small by any of the versions."""
    periods = {one.months for one in known}
    lines = [line for one in known for line in one.lines]
    ways = {
        (first, last): _from_to(ends[first], ends[last])
        for ends in _ends(lines)
        for first, last in combinations(sorted(ends), 2)
        if (first, last) not in periods
    }
    for part in {part for one in known for part in one.parts} if ways else ():
        weights = [line.weights(part) for line in lines]
        for months, way in ways.items():
            if any(0 < one < least or (one < 0 and not adds) for one in _sums(way, weights)):
                yield months, part


def _ends(lines: Sequence[Line]) -> Iterator[dict[int, Way]]:
    """The ends that lines connect, each with the way to it from one of them."""
    rest = dict(enumerate(lines))
    while rest:
        ends: dict[int, Way] = {next(iter(rest.values())).months[0]: []}
        while (
            joined := next((at for at, line in rest.items() if ends.keys() & {*line.months}), None)
        ) is not None:
            first, last = rest.pop(joined).months
            if last not in ends:
                ends[last] = [*ends[first], (joined, 1)]
            elif first not in ends:
                ends[first] = [*ends[last], (joined, -1)]
        yield ends


def _from_to(first: Way, last: Way) -> Way:
    """The way between two ends, without what the ways to both have in common."""
    return [
        *((line, -sign) for line, sign in first if (line, sign) not in last),
        *(step for step in last if step not in first),
    ]


def _sums(way: Way, weights: Sequence[set[int]]) -> set[int]:
    """What lies on a way, by one version of each line or another."""
    found = {0}
    for line, sign in way:
        found = {one + sign * weight for one in found for weight in weights[line]}
    return found


class _Decision:
    """What the newest period hides so far."""

    def __init__(self, earlier: Sequence[Kept], newest: Kept) -> None:
        self.earlier, self.newest = earlier, newest
        self.parts = {part for one in (*earlier, newest) for part in one.parts}
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

    def hide_what_came_late(self, least: int) -> None:
        """Hide with company what differs by a few from what earlier periods tell of the same months: so many
        came late, which is told of the nation alone."""
        connected: dict[int, tuple[list[Line], list[dict[int, Way]]]] = {}
        for part in self.parts - self.newest.hidden - {None}:
            by = self.by[part]
            if by not in connected:
                told = [one for at, one in enumerate(self.earlier) if not by >> at & 1]
                lines = [line for one in told for line in one.lines]
                connected[by] = lines, [*_ends(lines)]
            lines, connections = connected[by]
            first, last = self.newest.months
            ends = next((ends for ends in connections if ends.keys() >= {first, last}), None)
            if ends is None:
                continue
            weights = [line.weights(part) for line in lines]
            sums = _sums(_from_to(ends[first], ends[last]), weights)
            differences = {abs(one - other) for one in self.newest.lines[0].weights(part) for other in sums}
            choice = self.parts - {part, None}
            if choice and 0 < min(differences) < least:
                self.hidden |= {part, min(choice, key=self._loss)}

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
                [*self.ahead, *(line.months for one in periods for line in one.lines)]
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
