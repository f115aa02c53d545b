"""Reading figures. Everything here reads finished snapshots and never counts (design decision 7)."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.conf import settings
from django.utils.translation import gettext as _

from bulletins import periods, trees
from bulletins.indicators import HEADLINES, Indicator, Kind, counted_by
from bulletins.models import Period, Snapshot, StatValue
from common import formats, printing
from enterprises.models import Bureau, IndustryChain


@dataclass(frozen=True)
class Value:
    """A stored figure (`StatValue`); None was not reported. ``late`` of it are 补报, from a frozen period.

    One that is ``withheld`` from its reader holds nothing (`bulletins.disclosure`).
    """

    value: int | None = None
    late: int = 0
    numerator: int | None = None
    denominator: int | None = None
    withheld: bool = False

    @property
    def stated(self) -> tuple[int | None, int | None, int | None]:
        """What it says, without what came late."""
        return self.value, self.numerator, self.denominator


NOT_REPORTED = Value()
WITHHELD = Value(withheld=True)
# Printed in its place; a blank says that nothing was reported.
HIDDEN = "*"
# Stored in fen and in half days.
SMALLEST = {Kind.MONEY: 100, Kind.MEDIAN: 2}


def number(indicator: Indicator, figure: Value) -> int | Decimal | None:
    """The exact number: things, yuan, days, or per cent; None for what is blank, a ratio to nothing too."""
    if indicator.kind == Kind.RATIO:
        if figure.numerator is None or not figure.denominator:
            return None
        return Decimal(figure.numerator * 100) / figure.denominator
    if figure.value is None or indicator.kind == Kind.SUM:
        return figure.value
    return Decimal(figure.value) / SMALLEST[indicator.kind]


def text(indicator: Indicator, exact: int | Decimal | None) -> str:
    """A number as it is printed beside its unit (`domain.md` 5.6)."""
    if indicator.kind == Kind.SUM:
        return formats.count(exact)
    return formats.wan(exact) if indicator.kind == Kind.MONEY else formats.decimal(exact, 1)


def shown(indicator: Indicator, figure: Value) -> str:
    """A figure as it is printed beside its unit."""
    return HIDDEN if figure.withheld else text(indicator, number(indicator, figure))


def rounded(indicator: Indicator, figure: Value) -> int | Decimal | None:
    """The number as it is printed, for those who count on: of money in 万元."""
    exact = number(indicator, figure)
    return None if exact is None else printed(indicator, exact)


def printed(indicator: Indicator, exact: int | Decimal) -> int | Decimal:
    """A number in the unit and with the places of its indicator; of money in 万元."""
    if indicator.kind == Kind.SUM:
        return exact
    if indicator.kind == Kind.MONEY:
        return printing.half_up(Decimal(exact) / formats.YUAN_PER_WAN, 2)
    return printing.half_up(Decimal(exact), 1)


def parts(indicator: Indicator, figure: Value) -> str:
    """Numerator and denominator of a ratio; of how many rows a median is the middle."""
    if not figure.denominator:
        return ""
    if indicator.kind == Kind.MEDIAN:
        return _("%(n)s 项的中位数") % {"n": formats.count(figure.denominator)}
    return f"{formats.count(figure.numerator)} / {formats.count(figure.denominator)}"


def of_chain(indicator: Indicator, chain: IndustryChain | None, figure: Value) -> Value:
    """A figure as it is for a chain: one of which nothing was stored counts nothing."""
    is_sum = indicator.kind in (Kind.SUM, Kind.MONEY)
    return Value(0) if chain and is_sum and figure == NOT_REPORTED else figure


def difference_text(indicator: Indicator, difference: int | Decimal | None) -> str:
    """+12, −3, +2.0 个百分点; 0 for none."""
    if difference is None:
        return formats.BLANK
    size = text(indicator, -difference if difference < 0 else difference)
    sign = "+" if difference > 0 else "−" if difference < 0 else ""
    if indicator.kind == Kind.RATIO:
        return _("%(difference)s 个百分点") % {"difference": f"{sign}{size}"}
    return f"{sign}{size}"


def late_text(indicator: Indicator, late: int) -> str:
    """How much of a figure came late; of a ratio or median, how many rows."""
    return formats.wan(Decimal(late) / 100) if indicator.kind == Kind.MONEY else formats.count(late)


def ranked(indicator: Indicator, rows: Sequence[Value]) -> list[printing.Rank]:
    """The places of units by a figure; none where there is too little to divide by (`domain.md` 5.6)."""
    return printing.ranks(
        [number(indicator, row) for row in rows],
        [row.denominator for row in rows],
        settings.RANKING_LEAST_DENOMINATOR,
    )


@dataclass(frozen=True)
class Headline:
    """One figure of a unit beside the same period of the year before."""

    indicator: Indicator
    figure: Value
    before: Value
    change: printing.Change
    late: int = 0

    @property
    def value(self) -> int | Decimal | None:
        return number(self.indicator, self.figure)

    @property
    def previous(self) -> int | Decimal | None:
        return number(self.indicator, self.before)

    @property
    def text(self) -> str:
        return shown(self.indicator, self.figure)

    @property
    def previous_text(self) -> str:
        return shown(self.indicator, self.before)

    @property
    def late_text(self) -> str:
        return late_text(self.indicator, self.late)

    @property
    def parts(self) -> str:
        return parts(self.indicator, self.figure)


def current(period: Period) -> Snapshot | None:
    """The newest finished roll-up: the highest frozen version, or the working one of an open period."""
    return period.snapshots.readable().first()


def newest(periods: Iterable[Period]) -> list[tuple[Period, Snapshot]]:
    """Frozen periods with their newest version, all by one question."""
    known = list(periods)
    versions = Snapshot.objects.frozen().filter(period__in=known).order_by("version").select_related("period")
    by_period = {snapshot.period_id: snapshot for snapshot in versions}
    return [(period, by_period[period.pk]) for period in known if period.pk in by_period]


def year_before(snapshot: Snapshot) -> Snapshot | None:
    """The snapshot of the same period one year earlier; whether it may be compared, each indicator tells."""
    code = periods.year_before(snapshot.period.code)
    return Snapshot.objects.readable().filter(period__code=code).select_related("period").first()


def definitions(snapshot: Snapshot) -> dict[str, Indicator]:
    """The indicators by the versions by which the snapshot counted them."""
    return counted_by(snapshot.definitions)


def comparable(code: str, one: Snapshot | None, other: Snapshot | None) -> bool:
    """Whether two snapshots counted an indicator by one definition; what one lacks does not differ."""
    versions = {snapshot.definitions.get(code) for snapshot in (one, other) if snapshot} - {None}
    return len(versions) < 2


def values(
    snapshot: Snapshot,
    bureaus: Iterable[Bureau],
    codes: Collection[str] | None = None,
    chain: IndustryChain | None = None,
) -> dict[int, dict[str, Value]]:
    """The figures of several units, by the key of the unit and the code of the indicator."""
    units = [bureau.pk for bureau in bureaus]
    rows = StatValue.objects.filter(snapshot=snapshot, bureau__in=units, chain=chain)
    if codes is not None:
        rows = rows.filter(indicator__in=codes)
    found: dict[int, dict[str, Value]] = {unit: {} for unit in units}
    stored = rows.values_list("bureau_id", "indicator", "value", "late", "numerator", "denominator")
    for unit, code, value, late, above, below in stored:
        found[unit][code] = Value(value, late, above, below)
    return found


def series(
    snapshots: Sequence[Snapshot],
    bureau: Bureau,
    codes: Collection[str],
    chain: IndustryChain | None = None,
) -> list[dict[str, Value]]:
    """The figures of one unit in several snapshots, in their order."""
    rows = StatValue.objects.filter(
        snapshot__in=snapshots, bureau=bureau, chain=chain, indicator__in=codes
    ).values_list("snapshot", "indicator", "value", "late", "numerator", "denominator")
    found: dict[int, dict[str, Value]] = {}
    for snapshot, code, value, late, above, below in rows:
        found.setdefault(snapshot, {})[code] = Value(value, late, above, below)
    return [found.get(snapshot.pk, {}) for snapshot in snapshots]


def of_unit(
    snapshot: Snapshot | None,
    bureau: Bureau,
    codes: Collection[str] | None = None,
    chain: IndustryChain | None = None,
) -> dict[str, Value]:
    """The figures of one unit, over all chains or for one; empty without a snapshot."""
    return values(snapshot, [bureau], codes, chain)[bureau.pk] if snapshot else {}


def headline(
    snapshot: Snapshot,
    bureau: Bureau,
    codes: Sequence[str] = HEADLINES,
    chain: IndustryChain | None = None,
    read: Callable[..., dict[str, Value]] = of_unit,
    *,
    against: Callable[[Snapshot], Snapshot | None] = year_before,
) -> list[Headline]:
    """Figures of a unit in the given order, each with its change against the year before.

    ``read`` is `of_unit`, or that of a `disclosure.Reader`; ``against`` tells the snapshot of that year.
    """
    earlier = against(snapshot)
    now, before = read(snapshot, bureau, codes, chain), read(earlier, bureau, codes, chain)
    known = definitions(snapshot)
    lines = []
    for code in codes:
        this = of_chain(known[code], chain, now.get(code, NOT_REPORTED))
        last = before.get(code, NOT_REPORTED)
        if earlier:
            last = of_chain(known[code], chain, last)
        exact = number(known[code], this), number(known[code], last)
        if this.withheld or last.withheld:
            change = printing.withheld()
        elif comparable(code, snapshot, earlier):
            change = printing.change(*exact, points=known[code].kind == Kind.RATIO)
        else:
            change = printing.incomparable()
        lines.append(Headline(known[code], this, last, change, this.late))
    return lines


def net_solved(figures: dict[str, Value]) -> int | None:
    """Problems solved less problems reopened, printed beside the gross figure (`domain.md` 5.4 rule 8)."""
    solved = figures.get("I15", NOT_REPORTED).value
    return None if solved is None else solved - (figures.get("I17", NOT_REPORTED).value or 0)


def regions(snapshot: Snapshot, bureau: Bureau) -> list[Bureau]:
    """The rows of a unit's table in code order, the corps last; for the nation planned cities too."""
    below = trees.below(snapshot, bureau)
    if bureau.level != Bureau.Level.NATIONAL:
        return below
    cities: dict[int | None, list[Bureau]] = {}
    for city in trees.units(snapshot, is_separately_planned=True):
        cities.setdefault(city.parent_id, []).append(city)
    return [row for unit in below for row in (unit, *cities.get(unit.pk, ()))]
