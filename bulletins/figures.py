"""Reading figures. Everything here reads finished snapshots and never counts (design decision 7)."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from bulletins import periods
from bulletins.indicators import CATALOGUE, HEADLINES, Indicator
from bulletins.models import Period, Snapshot, StatValue
from common import formats
from enterprises.models import Bureau, IndustryChain


@dataclass(frozen=True)
class Value:
    """A stored figure; None was not reported. ``late`` of it are 补报, events of an earlier frozen period."""

    value: int | None = None
    late: int = 0


NOT_REPORTED = Value()


@dataclass(frozen=True)
class Headline:
    """One figure of a unit beside the same period of the year before."""

    indicator: Indicator
    value: int | None
    previous: int | None
    change: formats.Change
    late: int = 0


def current(period: Period) -> Snapshot | None:
    """The newest finished roll-up: the highest frozen version, or the working one of an open period."""
    return period.snapshots.readable().first()


def year_before(snapshot: Snapshot) -> Snapshot | None:
    """The snapshot of the same period one year earlier; None when it is counted by other definitions."""
    code = periods.year_before(snapshot.period.code)
    earlier = Snapshot.objects.readable().filter(period__code=code).select_related("period").first()
    if earlier is None or earlier.definition_version != snapshot.definition_version:
        return None
    return earlier


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
    for unit, code, value, late in rows.values_list("bureau_id", "indicator", "value", "late"):
        found[unit][code] = Value(value, late)
    return found


def of_unit(
    snapshot: Snapshot | None, bureau: Bureau, codes: Collection[str] | None = None
) -> dict[str, Value]:
    """The figures of one unit over all chains; empty without a snapshot."""
    return values(snapshot, [bureau], codes)[bureau.pk] if snapshot else {}


def headline(snapshot: Snapshot, bureau: Bureau, codes: Sequence[str] = HEADLINES) -> list[Headline]:
    """Figures of a unit in the given order, each with its change against the year before."""
    now = of_unit(snapshot, bureau, codes)
    before = of_unit(year_before(snapshot), bureau, codes)
    lines = []
    for code in codes:
        this, last = now.get(code, NOT_REPORTED), before.get(code, NOT_REPORTED)
        change = formats.change(this.value, last.value)
        lines.append(Headline(CATALOGUE[code], this.value, last.value, change, this.late))
    return lines


def net_solved(figures: dict[str, Value]) -> int | None:
    """Problems solved less problems reopened, printed beside the gross figure (`domain.md` 5.4 rule 8)."""
    solved = figures.get("I15", NOT_REPORTED).value
    return None if solved is None else solved - (figures.get("I17", NOT_REPORTED).value or 0)


def regions(snapshot: Snapshot, bureau: Bureau) -> list[Bureau]:
    """The rows of a unit's table in code order, the corps last; for the nation planned cities too."""
    if bureau.level != Bureau.Level.NATIONAL:
        return list(bureau.children.order_by("code"))
    planned = Bureau.objects.filter(is_separately_planned=True).order_by("code")
    cities: dict[int | None, list[Bureau]] = {}
    for city in planned:
        cities.setdefault(city.parent_id, []).append(city)
    return [row for unit in bureau.children.order_by("code") for row in (unit, *cities.get(unit.pk, ()))]
