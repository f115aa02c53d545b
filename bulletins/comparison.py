"""Two snapshots beside each other, line by line: unit × indicator, over all chains or for each.

Lines counted by two versions of a definition are shown without a difference: there is none.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple, TypeAlias

from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.db.models import F, Q, QuerySet
from django.utils.translation import gettext as _

from bulletins import behind, figures, periods, trees
from bulletins.behind import Place, Side
from bulletins.disclosure import Reader
from bulletins.indicators import CATALOGUE, Indicator, Kind
from bulletins.models import CountedRow, Period, Snapshot, StatValue
from common import formats
from enterprises.models import Bureau, IndustryChain

Key: TypeAlias = tuple[str, int, int | None]
Parts: TypeAlias = tuple[int | None, int | None, int | None]
KEY = ("indicator", "bureau", "chain")
PARTS = ("value", "numerator", "denominator")
NOTHING: Parts = (None, None, None)
# Frozen snapshots never change, so neither does what differs between two of them.
REMEMBERED = 24 * 60 * 60
MOST_REMEMBERED = 100_000
# Of so many lines it is asked one by one whether they would tell of a single organisation.
MOST_ASKED = 200


def find(code: str) -> Snapshot:
    """The readable snapshot behind a code like 2024Q3.1; version 0 is the newest working one of an open
    period."""
    head, _dot, version = code.strip().partition(".")
    spec = periods.parse(head)
    known = Snapshot.objects.readable().select_related("period").filter(period__code=spec.code)
    # A working roll-up that a frozen version replaced is nobody's figure any more.
    known = known.filter(Q(version__gt=0) | Q(period__status=Period.Status.OPEN))
    found = known.filter(version=int(version)).first() if version.isdecimal() and len(version) < 5 else None
    if found is None:
        raise ValidationError(
            _("没有“%(code)s”这一版快照。写作“期间.版本”，已有：%(known)s。"),
            params={
                "code": formats.excerpt(code),
                "known": formats.listed(dict.fromkeys(one.code for one in known)) or _("（无）"),
            },
        )
    return found


def offered() -> list[Snapshot]:
    """What may be compared: frozen versions, and of open periods the newest working roll-up."""
    readable = Snapshot.objects.readable().select_related("period")
    found: dict[str, Snapshot] = {}
    newest = F("finished_at").desc(nulls_last=True)
    for snapshot in readable.order_by("-period__end_on", "period__start_on", "-version", newest, "-pk"):
        if snapshot.version or snapshot.period.status == Period.Status.OPEN:
            found.setdefault(snapshot.code, snapshot)
    return list(found.values())


def label(snapshot: Snapshot) -> str:
    """2024年第三季度 第 2 版"""
    words = _("%(period)s 第%(version)d版") if snapshot.version else _("%(period)s 未冻结的汇总")
    return words % {"period": snapshot.period.name, "version": snapshot.version}


def held_against(after: Snapshot, known: Sequence[Snapshot]) -> Snapshot | None:
    """What a snapshot is best compared with: the version before it, the year before, the period before."""
    others = [one for one in known if one != after]
    kind, end = after.period.kind, after.period.end_on
    versions = [one for one in others if one.period_id == after.period_id]
    older = [one for one in versions if one.version < after.version] or versions
    year = [one for one in others if one.period.code == periods.year_before(after.period.code)]
    earlier = [one for one in others if one.period.kind == kind and one.period.end_on < end]
    return next(iter([*older, *year, *earlier, *others]), None)


def incomparable(before: Snapshot, after: Snapshot) -> list[str]:
    """The codes of the indicators that the two counted by different definitions."""
    return [code for code in CATALOGUE if not figures.comparable(code, before, after)]


@dataclass(frozen=True)
class Line:
    """One indicator of one unit, in all or for a chain, in two snapshots.

    ``indicator`` is the definition of the later one. ``has_rows`` says that rows differ though it may be
    that the figures do not.
    """

    indicator: Indicator
    unit: str
    unit_code: str
    chain: str
    chain_code: str
    before: figures.Value
    after: figures.Value
    is_comparable: bool
    has_rows: bool = False
    # It is small, gives a small one away, or would tell the reader of a single organisation.
    is_withheld: bool = False

    @property
    def code(self) -> str:
        return self.indicator.code

    @property
    def numbers(self) -> tuple[int | Decimal | None, int | Decimal | None]:
        return figures.number(self.indicator, self.before), figures.number(self.indicator, self.after)

    @property
    def difference(self) -> int | Decimal | None:
        """Exact; None where a figure is blank or both cannot be compared."""
        was, now = self.numbers
        return None if was is None or now is None or not self.is_comparable else now - was

    @property
    def before_text(self) -> str:
        return figures.shown(self.indicator, self.before)

    @property
    def after_text(self) -> str:
        return figures.shown(self.indicator, self.after)

    @property
    def before_parts(self) -> str:
        return figures.parts(self.indicator, self.before)

    @property
    def after_parts(self) -> str:
        return figures.parts(self.indicator, self.after)

    @property
    def difference_text(self) -> str:
        return figures.difference_text(self.indicator, self.difference)

    @property
    def remark(self) -> str:
        """What the difference does not say."""
        if self.is_withheld:
            return _("按规定不予显示")
        if not self.is_comparable:
            return _("口径不同，不作比较")
        if self.difference is None:
            unreported = (side.stated == NOTHING for side in (self.before, self.after))
            return _("一边未报送") if any(unreported) else _("一边没有可算的记录")
        if not self.difference and self.before.stated != self.after.stated:
            is_ratio = self.indicator.kind == Kind.RATIO
            return _("分子分母有变化") if is_ratio else _("记录数有变化")
        return _("数相同，记录有进出") if self.has_rows and not self.difference else ""


class Found(NamedTuple):
    """A line by its keys, with value, numerator and denominator in both snapshots."""

    code: str
    bureau: int
    chain: int | None
    was: Parts
    now: Parts
    has_rows: bool


class Comparison:
    """The lines of two snapshots for a unit and all below it, as a reader may have them.

    ``chain`` picks one chain; ``by_chain`` gives a line for each. To who covers the unit the largest
    difference comes first; figures of different kinds stand in one order by what is printed of them: things,
    万元, days, percentage points. Place and presence of a line would tell others what is withheld of it: they
    read unit by unit, and of what differs the lines that are told alone.
    """

    def __init__(
        self,
        before: Snapshot,
        after: Snapshot,
        bureau: Bureau,
        user: Any,
        *,
        codes: Collection[str] = (),
        chain: IndustryChain | None = None,
        by_chain: bool = False,
        differing: bool = True,
    ) -> None:
        self.before, self.after, self.bureau = before, after, bureau
        self.user, self.reader = user, Reader(user)
        self.is_covered = self.reader.covers(bureau, chain)
        self.codes, self.chain = set(codes or CATALOGUE), chain
        self.by_chain, self.differing = by_chain or chain is not None, differing
        self.incomparable = incomparable(before, after)
        self.definitions = figures.definitions(after)

    def lines(self) -> list[Found]:
        """All lines; those of a page are `told`."""
        found = differing(self.before, self.after, by_chain=self.by_chain)
        if not self.differing:
            found = self._with_all(found)
        units = self._units()
        chain = self.chain.pk if self.chain else None
        asked = [
            line
            for line in found
            if line.code in self.codes
            and (units is None or line.bureau in units)
            and (chain is None or line.chain == chain)
        ]
        return asked if self.is_covered else self._for_others(asked)

    @property
    def is_told_only(self) -> bool:
        """Whether lines that are withheld are left out: that one is there would tell of it. Over all chains,
        every unit has a line of each indicator."""
        return not self.is_covered and (self.differing or self.by_chain)

    def _units(self) -> set[int] | None:
        """Of what units there are lines; without an answer, of all. Others read of those right below and of
        their own, so that little has to be worked out before they have their page."""
        if self.is_told_only:
            units = Bureau.objects.filter(pk__in=self._within())
            own = self.user.scope.within("path") if self.user.is_authenticated else Q(pk__in=())
            near = {self.bureau.pk}
            for side in (self.before, self.after):
                near |= {unit.pk for unit in trees.below(side, self.bureau)}
            return set(units.filter(Q(pk__in=near) | own).values_list("pk", flat=True))
        return None if self.bureau.level == Bureau.Level.NATIONAL else self._within()

    def _within(self) -> set[int]:
        """The unit with everything below it, as it stood on either side."""
        sides = (trees.within(side, self.bureau) for side in (self.before, self.after))
        return {unit for side in sides for row in side for unit in row.values()}

    def _for_others(self, lines: list[Found]) -> list[Found]:
        """Unit by unit, without what must not be there."""
        if self.is_told_only:
            units = Bureau.objects.in_bulk({line.bureau for line in lines})
            chains = IndustryChain.objects.in_bulk({line.chain for line in lines if line.chain})
            for side in (self.before, self.after):
                self.reader.look_up(side, units.values())
            lines = [
                line
                for line in lines
                if not self._is_withheld(line, units[line.bureau], chains[line.chain] if line.chain else None)
            ]
        codes = dict(Bureau.objects.filter(pk__in=self._within()).values_list("pk", "code"))
        return sorted(lines, key=lambda line: (codes[line.bureau], line.code, line.chain or 0))

    def _is_withheld(self, line: Found, bureau: Bureau, chain: IndustryChain | None) -> bool:
        return any(
            self.reader.withholds(side, line.code, bureau, chain) for side in (self.before, self.after)
        )

    def _with_all(self, differing: list[Found]) -> list[Found]:
        """Then those that do not differ, unit by unit."""
        known = {line[:3] for line in differing}
        stored = _stored(self.after, by_chain=self.by_chain).filter(indicator__in=self.codes)
        if self.bureau.level != Bureau.Level.NATIONAL:
            stored = stored.filter(bureau__in=trees.within(self.after, self.bureau))
        if self.chain:
            stored = stored.filter(chain=self.chain)
        rows = stored.order_by("bureau__code", "indicator").values_list(*KEY, *PARTS)
        alike = [Found(*key, parts, parts, False) for key, parts in _split(rows) if key not in known]
        return [*differing, *alike]

    def line_of(self, code: str) -> Found:
        """The line of one indicator of the unit itself, over all chains or for the chain."""
        where = {"bureau": self.bureau, "indicator": code, "chain": self.chain}
        was, now = (
            StatValue.objects.filter(snapshot=side, **where).values_list(*PARTS).first() or NOTHING
            for side in (self.before, self.after)
        )
        return Found(code, self.bureau.pk, self.chain.pk if self.chain else None, was, now, False)

    def told(self, lines: Collection[Found]) -> list[Line]:
        """The lines of a page with the names of their units and chains, as far as the reader may be told.

        In a file of more lines than a page has, money and days outside the scope are left out unasked.
        """
        units = Bureau.objects.in_bulk({line.bureau for line in lines})
        names = trees.names(self.before, units.values())
        names |= trees.names(self.after, units.values())
        chains = IndustryChain.objects.in_bulk({line.chain for line in lines if line.chain})
        sides = Side(self.before), Side(self.after)
        for side in (self.before, self.after):
            self.reader.look_up(side, units.values())

        def told(line: Found) -> Line:
            indicator = self.definitions[line.code]
            place = Place(units[line.bureau], chains[line.chain] if line.chain else None)
            withheld = self._is_withheld(line, place.bureau, place.chain) or (
                behind.is_of_one(self.user, indicator, place, *sides)
                if len(lines) <= MOST_ASKED
                else indicator.kind in (Kind.MONEY, Kind.MEDIAN) and not behind.covers(self.user, place)
            )
            was, now = (
                figures.WITHHELD if withheld else _value(indicator, line.chain, side)
                for side in (line.was, line.now)
            )
            return Line(
                indicator,
                names[place.bureau.pk],
                place.bureau.code,
                place.chain.name if place.chain else "",
                place.chain.code if place.chain else "",
                was,
                now,
                line.code not in self.incomparable,
                line.has_rows and not withheld,
                withheld,
            )

        return [told(line) for line in lines]


def differing(before: Snapshot, after: Snapshot, *, by_chain: bool) -> list[Found]:
    """Every line that differs, or whose rows do, the largest difference first; remembered of frozen ones."""
    key = f"differing:{before.pk}:{after.pk}:{by_chain}"
    is_final = bool(before.version and after.version)
    remembered: list[tuple[Any, ...]] | None = cache.get(key) if is_final else None
    if remembered is not None:
        return [Found(*line) for line in remembered]
    found = _differing(before, after, by_chain=by_chain)
    if is_final and len(found) <= MOST_REMEMBERED:
        cache.set(key, [tuple(line) for line in found], REMEMBERED)
    return found


def _differing(before: Snapshot, after: Snapshot, *, by_chain: bool) -> list[Found]:
    sides = [_stored(side, by_chain=by_chain) for side in (before, after)]
    was, now = (rows.order_by().values_list(*KEY, *PARTS) for rows in sides)
    gone = dict(_split(was.difference(now)))
    new = dict(_split(now.difference(was)))
    touched = _touched(before, after, by_chain=by_chain)
    if alike := touched - gone.keys() - new.keys():
        units, codes = {unit for _code, unit, _chain in alike}, {code for code, _unit, _chain in alike}
        rows = sides[1].filter(bureau__in=units, indicator__in=codes).values_list(*KEY, *PARTS)
        same = {key: parts for key, parts in _split(rows) if key in alike}
        gone, new = gone | same, new | same
    definitions, blind = figures.definitions(after), set(incomparable(before, after))
    codes_of_units = dict(Bureau.objects.values_list("pk", "code"))

    def place(line: Found) -> tuple[Any, ...]:
        one = definitions[line.code]
        size = None if line.code in blind else _size(one, line)
        return size is None, -(size or 0), codes_of_units[line.bureau], line.code, line.chain or 0

    lines = [
        Found(*key, gone.get(key, NOTHING), new.get(key, NOTHING), key in touched)
        for key in gone.keys() | new.keys()
    ]
    return sorted(lines, key=place)


def _size(indicator: Indicator, line: Found) -> float:
    """How much a line differs as it is printed; what is blank differs by all of the other."""
    was, now = (
        float(figures.number(indicator, _value(indicator, line.chain, side)) or 0)
        for side in (line.was, line.now)
    )
    size = abs(now - was)
    return size / float(formats.YUAN_PER_WAN) if indicator.kind == Kind.MONEY else size


def _value(indicator: Indicator, chain: int | None, parts: Parts) -> figures.Value:
    value, above, below = parts
    is_sum = indicator.kind in (Kind.SUM, Kind.MONEY)
    # A chain of which nothing was stored counts nothing.
    return figures.Value(0 if chain and is_sum and value is None else value, 0, above, below)


def _stored(snapshot: Snapshot, *, by_chain: bool) -> QuerySet[StatValue]:
    return StatValue.objects.filter(snapshot=snapshot, chain__isnull=not by_chain)


def _split(rows: Iterable[tuple[Any, ...]]) -> Iterator[tuple[Key, Parts]]:
    """The key of a line, and its three parts."""
    for code, bureau, chain, *parts in rows:
        value, above, below = parts
        yield (code, bureau, chain), (value, above, below)


# --- Rows that differ -------------------------------------------------------------------------------------


def _touched(before: Snapshot, after: Snapshot, *, by_chain: bool) -> set[Key]:
    """The keys of lines of which a row counts in one version and not so in the other.

    Asked of versions of one period: in another period hardly a row is counted again.
    """
    if before.period_id != after.period_id or not (before.version and after.version):
        return set()
    lines: set[Key] = set()
    for one, other in ((before, after), (after, before)):
        rows = behind.not_alike(CountedRow.objects.filter(snapshot=one), other).order_by()
        above: dict[int, list[int]] = {}
        for base, chain, bureau in rows.values_list("base", "chain", "bureau").distinct():
            above = above or _lines_above(one)
            for indicator in figures.definitions(after).values():
                if base in indicator.all_bases:
                    lines |= {(indicator.code, unit, chain if by_chain else None) for unit in above[bureau]}
    return lines


def _lines_above(snapshot: Snapshot) -> dict[int, list[int]]:
    """Each unit with all above it, as they stood."""
    keys = dict(Bureau.objects.values_list("code", "pk"))
    return {pk: [keys[code] for code in path.split("/")[:-1]] for pk, path in trees.paths(snapshot).items()}
