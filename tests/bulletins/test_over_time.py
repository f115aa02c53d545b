"""Small figures cannot be had from those of other periods: months beside their quarter, half-year, year."""

import csv
import hashlib
import io
import itertools
from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.cache import caches
from django.db import transaction
from django.test import Client
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import Role
from bulletins import services, trees
from bulletins.disclosure import Reader
from bulletins.models import Period, Snapshot, StatValue
from bulletins.over_time import Kept, Line, Months, Part, more_to_hide
from bulletins.small_cells import with_company
from enterprises.models import Bureau, IndustryChain
from tests import factories
from tests.bulletins.ledger import SPRING, Tree, solved
from tests.bulletins.test_small_cells import derivable
from tests.worlds import world

pytestmark = pytest.mark.django_db
LEAST = 5
# Months of the half-year that has some, and the other half.
LEAVES = ("2024-01", "2024-02", "2024-03", "2024-04", "2024-05", "2024-06", "2024H2")
MADE_OF = {
    **{leaf: (leaf,) for leaf in LEAVES},
    "2024Q1": LEAVES[:3],
    "2024Q2": LEAVES[3:6],
    "2024H1": LEAVES[:6],
    "2024": LEAVES,
}
MONTHS: dict[str, Months] = {
    code: (LEAVES.index(made[0]), LEAVES.index(made[-1]) + 1) for code, made in MADE_OF.items()
}
IN_ORDER = (*LEAVES[:3], "2024Q1", *LEAVES[3:6], "2024Q2", "2024H1", "2024H2", "2024")
PARTS = (1, 2, 3, 4)


@pytest.fixture(autouse=True)
def nothing_remembered() -> None:
    caches["small_cells"].clear()


counts = st.one_of(st.integers(0, 3), st.integers(0, 7), st.integers(5, 40))
orders = st.one_of(
    st.sets(st.sampled_from(IN_ORDER), min_size=3).map(lambda some: [one for one in IN_ORDER if one in some]),
    st.permutations(IN_ORDER).flatmap(lambda all_: st.integers(3, len(all_)).map(lambda n: all_[:n])),
)


def small(weight: int) -> bool:
    return 0 < weight < LEAST


def longer_ahead(code: str, frozen: Sequence[str]) -> list[list[Months]]:
    """As in the portal: quarters, half-years and years that are still to come."""
    kinds = (("2024Q1", "2024Q2"), ("2024H1", "2024H2"), ("2024",))
    at = 0 if "-" in code else 1 if "Q" in code else 2 if "H" in code else 3
    return [
        [MONTHS[one] for kind in kinds[level:] for one in kind if one not in frozen]
        for level in range(at, len(kinds))
    ]


# --- The parts of one whole ---------------------------------------------------------------------------------


def judged(order: Sequence[str], ledger: dict[str, tuple[int, ...]]) -> dict[str, Kept]:
    """The periods as they are frozen one after another."""
    found: dict[str, Kept] = {}
    for code in order:
        weights = {part: sum(ledger[leaf][at] for leaf in MADE_OF[code]) for at, part in enumerate(PARTS)}
        own = (
            frozenset(with_company(weights, LEAST)) if not small(sum(weights.values())) else frozenset(PARTS)
        )
        few = frozenset(part for part in PARTS if small(weights[part]))
        kept = Kept(MONTHS[code], weights, few, own)
        more = more_to_hide([*found.values()], kept, LEAST, longer_ahead(code, [*found, code]))
        found[code] = Kept(kept.months, weights, few, own | more)
    return found


def sums_over_time() -> Iterator[tuple[str, tuple[str, ...]]]:
    for whole in ("2024Q1", "2024Q2", "2024H1", "2024"):
        yield whole, MADE_OF[whole]


@given(orders, st.fixed_dictionaries({leaf: st.tuples(*(counts for _ in PARTS)) for leaf in LEAVES}))
@settings(max_examples=200, deadline=None)
def test_no_part_follows_from_those_of_other_periods(
    order: list[str], ledger: dict[str, tuple[int, ...]]
) -> None:
    found = judged(order, ledger)
    cells = {(code, part): True for code in MADE_OF for part in (0, *PARTS)}
    for code, kept in found.items():
        cells |= {(code, part): part in kept.hidden for part in PARTS} | {(code, 0): False}
    lines = [{(code, 0): -1, **{(code, part): 1 for part in PARTS}} for code in MADE_OF]
    for whole, leaves in sums_over_time():
        lines += [{(whole, part): -1, **{(leaf, part): 1 for leaf in leaves}} for part in (0, *PARTS)]
    known = derivable(cells, lines)
    assert not {
        (code, part) for code, part in known if code in found and part and small(found[code].weights[part])
    }


def test_the_last_month_hides_what_spares_the_quarter() -> None:
    ledger = dict.fromkeys(LEAVES, (20, 30, 40, 50)) | {"2024-01": (2, 30, 40, 50)}
    found = judged(("2024-01", "2024-02", "2024-03", "2024Q1"), ledger)
    assert [set(kept.hidden) for kept in found.values()] == [{1, 2}, set(), {1, 2}, set()]


def test_what_no_month_can_spare_the_quarter_hides() -> None:
    ledger = dict.fromkeys(LEAVES, (20, 30, 40, 50)) | {"2024-03": (2, 30, 40, 50)}
    found = judged(("2024-01", "2024-02", "2024-03", "2024Q1"), ledger)
    assert [set(kept.hidden) for kept in found.values()] == [set(), set(), {1, 2}, {1, 2}]


def test_months_and_a_quarter_to_come_spare_the_half_year() -> None:
    ledger = dict.fromkeys(LEAVES, (20, 30, 40, 50)) | {"2024-03": (2, 30, 40, 50)}
    found = judged(IN_ORDER[:9], ledger)
    assert {code for code, kept in found.items() if kept.hidden} == {"2024-03", "2024Q1", "2024-06", "2024Q2"}


def test_a_year_that_is_told_first_hides_what_would_be_left() -> None:
    """The year less its first half would be the two of the other."""
    ledger = dict.fromkeys(LEAVES, (20, 30, 40, 50)) | {"2024H2": (2, 300, 400, 500)}
    found = judged(("2024H1", "2024", "2024H2"), ledger)
    assert [set(kept.hidden) for kept in found.values()] == [set(), {1, 2}, {1, 2}]


def test_where_nothing_is_small_every_period_is_told() -> None:
    found = judged(IN_ORDER, dict.fromkeys(LEAVES, (11, 30, 40, 50)))
    assert not any(kept.hidden for kept in found.values())


# --- Corrections, other days, what came late ----------------------------------------------------------------


def told_of(first: int, last: int, *versions: dict[Part, int], hidden: Sequence[Part] = ()) -> Kept:
    """A period with its versions, the newest last."""
    *older, newest = versions
    few = frozenset(part for one in versions for part, weight in one.items() if small(weight))
    return Kept((first, last), newest, few, few | {*hidden}, older=older)


def test_a_part_that_a_correction_took_away_is_judged_as_well() -> None:
    """Of the chains of the nation, C07 was small in the first version, and is not in the second."""
    before = Kept((0, 1), {11: 6, 12: 9}, frozenset({7}), frozenset({None}), hides_all=True)
    assert more_to_hide([before], Kept((1, 2), {11: 8, 12: 9, None: 17}), LEAST) == set()
    # The quarter would tell it.
    before = told_of(0, 1, {7: 2, 11: 6, 12: 9}, {11: 6, 12: 9}, hidden=[11])
    february, both = {7: 9, 11: 9, 12: 9}, told_of(0, 2, {7: 11, 11: 15, 12: 18})
    assert more_to_hide([before, told_of(1, 2, february)], both, LEAST) == {7, 11}


def test_what_was_counted_before_the_first_frozen_year_is_small_as_well() -> None:
    """Thirty formed in 2025, of 32 that were formed since 2024 began."""
    since = Line((0, 24), ({1: 32, 2: 60, 3: 80},))
    first = Kept((12, 24), {1: 30, 2: 30, 3: 40}, also=since)
    assert more_to_hide([], first, LEAST) == {1, 2}
    assert more_to_hide([], Kept((12, 24), {1: 30, 2: 30, 3: 40}), LEAST) == set()


def test_a_correction_takes_no_protection_from_what_was_told_before() -> None:
    """The quarter less February and the first version of January is the two of March."""
    january, february = {1: 20, 2: 30, 3: 40}, told_of(1, 2, {1: 20, 2: 30, 3: 40})
    quarter = told_of(0, 3, {1: 42, 2: 90, 3: 120})
    assert more_to_hide([told_of(0, 1, january), february], quarter, LEAST) == {1, 2}
    corrected = told_of(0, 1, january, january | {1: 25})
    assert more_to_hide([corrected, february], quarter, LEAST) == {1, 2}


def test_what_came_late_does_not_follow_from_the_months() -> None:
    months = [told_of(month, month + 1, {1: 20, 2: 30, 3: 40}) for month in range(3)]
    assert more_to_hide(months, told_of(0, 3, {1: 60, 2: 90, 3: 120}), LEAST) == set()
    assert more_to_hide(months, told_of(0, 3, {1: 62, 2: 90, 3: 120}), LEAST) == {1, 2}
    assert more_to_hide(months, told_of(0, 3, {1: 65, 2: 90, 3: 120}), LEAST) == set()
    # What some month hides, nobody subtracts; and firms do not add.
    months[0] = told_of(0, 1, {1: 20, 2: 30, 3: 40}, hidden=[1, 2])
    assert more_to_hide(months, told_of(0, 3, {1: 62, 2: 90, 3: 120}), LEAST) == set()
    months[0] = told_of(0, 1, {1: 20, 2: 30, 3: 40})
    assert more_to_hide(months, told_of(0, 3, {1: 58, 2: 90, 3: 120}), LEAST, adds=False) == set()


def test_a_correction_that_the_quarter_saw_is_nothing_late() -> None:
    months = [told_of(month, month + 1, {1: 20, 2: 30, 3: 40}) for month in range(1, 3)]
    corrected = told_of(0, 1, {1: 20, 2: 30, 3: 40}, {1: 22, 2: 30, 3: 40})
    assert more_to_hide([corrected, *months], told_of(0, 3, {1: 62, 2: 90, 3: 120}), LEAST) == set()


# --- The tree and the chains --------------------------------------------------------------------------------


@world
def units() -> dict[str, Bureau]:
    nation = factories.bureau("000000", "全国")
    first = factories.bureau("110000", "甲省", nation)
    return {
        "nation": nation,
        "first": first,
        "second": factories.bureau("120000", "乙省", nation),
        "third": factories.bureau("130000", "丙省", nation),
        "north": factories.bureau("110100", "北市", first),
        "south": factories.bureau("110200", "南市", first),
    }


@world
def chains() -> list[IndustryChain]:
    return [factories.chain("C01"), factories.chain("C02", "轴承"), factories.chain("C03", "仪表")]


BELOW = {"nation": ("first", "second", "third"), "first": ("north", "south")}
COUNTING = ("second", "third", "north", "south")
Ledger = dict[tuple[str, str], tuple[int, ...]]
ledgers = st.fixed_dictionaries(
    {(leaf, unit): st.tuples(counts, counts, counts) for leaf in LEAVES for unit in COUNTING}
)


def counted(ledger: Ledger, period: str, unit: str, chain: int | None) -> int:
    inside = [one for one in COUNTING if unit in (one, "nation") or one in BELOW.get(unit, ())]
    rows = [ledger[leaf, one] for leaf in MADE_OF[period] for one in inside]
    return sum(sum(row) if chain is None else row[chain] for row in rows)


class Portal:
    """Periods that are frozen and published without a ledger, one indicator each."""

    def __init__(self, units: dict[str, Bureau], chains: list[IndustryChain], code: str = "I15") -> None:
        self.units, self.chains, self.code = units, chains, code
        self.told: dict[tuple[str, int], dict[tuple[str, int | None], int]] = {}
        self.now = timezone.now()

    def freeze(self, period: str, ledger: Ledger) -> None:
        cells = {
            (unit, chain): counted(ledger, period, unit, chain)
            for unit in self.units
            for chain in (None, 0, 1, 2)
        }
        self.keep(period, self.code, cells)

    def keep(self, period: str, code: str, cells: dict[tuple[str, int | None], int]) -> Snapshot:
        row, version = services.get_period(period), 1 + sum(one == period for one, _n in self.told)
        self.now += timedelta(days=1)
        if version == 1:
            Period.objects.filter(pk=row.pk).update(status="published", frozen_at=self.now)
        snapshot = Snapshot.objects.create(
            period=row,
            version=version,
            job_state="done",
            definition_version="test",
            finished_at=self.now,
            row_hash=hashlib.sha256(f"{version}{period}{code}{cells}".encode()).hexdigest(),
        )
        trees.keep(snapshot)
        self.add(snapshot, code, cells)
        self.told[period, version] = cells
        return snapshot

    def add(self, snapshot: Snapshot, code: str, cells: dict[tuple[str, int | None], int]) -> None:
        StatValue._base_manager.bulk_create(
            StatValue(
                snapshot=snapshot,
                indicator=code,
                bureau=self.units[unit],
                chain=None if chain is None else self.chains[chain],
                value=value,
            )
            for (unit, chain), value in cells.items()
            if value or chain is None
        )

    def withheld(self) -> dict[tuple[str, int, str, int | None], bool]:
        """What a stranger is not told, by period, version, unit and chain."""
        reader, found = Reader(AnonymousUser()), {}
        for snapshot in Snapshot.objects.frozen().select_related("period"):
            for unit, chain in self.told[snapshot.period.code, snapshot.version]:
                of = None if chain is None else self.chains[chain]
                key = snapshot.period.code, snapshot.version, unit, chain
                found[key] = reader.withholds(snapshot, self.code, self.units[unit], of)
        return found


def sums(portal: Portal, ledgers: dict[tuple[str, int], Ledger]) -> Iterator[dict[Any, int]]:
    """All that add up: chains, places, and periods that saw the same in the ledger."""
    for period, version in ledgers:
        for unit in portal.units:
            yield {
                (period, version, unit, None): -1,
                **{(period, version, unit, chain): 1 for chain in range(3)},
            }
        for whole, parts in BELOW.items():
            for chain in (None, 0, 1, 2):
                yield {
                    (period, version, whole, chain): -1,
                    **{(period, version, part, chain): 1 for part in parts},
                }
    for (period, version), ledger in ledgers.items():
        if period in LEAVES:
            continue
        ways = [[key for key in ledgers if key[0] == leaf] or [(leaf, 0)] for leaf in MADE_OF[period]]
        for made in itertools.product(*ways):
            for cell in itertools.product(portal.units, (None, 0, 1, 2)):
                if all(
                    counted(ledgers.get(leaf, ledger), leaf[0], *cell) == counted(ledger, leaf[0], *cell)
                    for leaf in made
                ):
                    yield {(period, version, *cell): -1, **{(*leaf, *cell): 1 for leaf in made}}


@given(
    order=orders,
    ledger=ledgers,
    correction=st.tuples(
        st.integers(0, len(IN_ORDER) - 1),
        st.sampled_from(LEAVES),
        st.sampled_from(COUNTING),
        st.tuples(counts, counts, counts),
    ),
)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_withheld_follows_from_what_is_told_of_units_chains_periods_and_versions(
    units: dict[str, Bureau],
    chains: list[IndustryChain],
    order: list[str],
    ledger: Ledger,
    correction: tuple[int, str, str, tuple[int, ...]],
) -> None:
    """With a correction of one of the shortest periods in the midst of the freezes, which others follow."""
    at, corrected, where, becomes = correction
    frozen: dict[tuple[str, int], Ledger] = {}
    with transaction.atomic():
        portal, withheld = Portal(units, chains), {}
        for number, period in enumerate(order):
            portal.freeze(period, ledger)
            frozen[period, 1] = ledger
            if number == at and (corrected, 1) in frozen:
                ledger = ledger | {(corrected, where): becomes}
                portal.freeze(corrected, ledger)
                frozen[corrected, 2] = ledger
            before, withheld = withheld, portal.withheld()
            if number != at:
                # What is told once is told for ever.
                assert {key: withheld[key] for key in before} == before
        cells = itertools.product(LEAVES, [0], units, (None, 0, 1, 2))
        known = derivable(withheld | dict.fromkeys(cells, True), sums(portal, frozen))
        assert not [one for one in known & withheld.keys() if small(portal.told[one[:2]][one[2:]])]
        transaction.set_rollback(True)


def hidden_units(portal: Portal, period: str, code: str, chain: int | None = None) -> set[str]:
    reader = Reader(AnonymousUser())
    snapshot = Snapshot.objects.frozen().select_related("period").filter(period__code=period).last()
    of = None if chain is None else portal.chains[chain]
    return {name for name, unit in portal.units.items() if reader.withholds(snapshot, code, unit, of)}


def of_units(first: int, second: int, third: int) -> dict[tuple[str, int | None], int]:
    """Over all chains; what the first province counts lies in its two cities."""
    values = {
        "first": first,
        "second": second,
        "third": third,
        "north": first // 2,
        "south": first - first // 2,
    }
    return {(unit, None): value for unit, value in {"nation": first + second + third, **values}.items()}


def test_a_state_of_one_day_is_hidden_alike_in_every_period_that_ends_on_it(
    units: dict[str, Bureau], chains: list[IndustryChain]
) -> None:
    """A correction made the third province smaller than the second, which was company before."""
    portal = Portal(units, chains)
    portal.keep("2024-06", "I02", of_units(2, 10, 20))
    portal.keep("2024Q2", "I02", of_units(2, 10, 9))
    portal.keep("2024Q3", "I02", of_units(2, 10, 9))
    assert hidden_units(portal, "2024-06", "I02") == {"first", "second", "north", "south"}
    assert hidden_units(portal, "2024Q2", "I02") == {"first", "second", "third", "north", "south"}
    # What came and went between two days is no figure of the portal.
    assert hidden_units(portal, "2024Q3", "I02") == {"first", "third", "north", "south"}


def test_formed_consortia_do_not_follow_from_those_standing_and_dissolved_of_two_years(
    units: dict[str, Bureau], chains: list[IndustryChain]
) -> None:
    """Standing and dissolved at the end of 2025, less those formed in it, would be the two of 2024."""
    portal = Portal(units, chains)
    for year, formed, standing in (("2024", 2, 2), ("2025", 30, 32), ("2026", 30, 62)):
        snapshot = portal.keep(year, "I03", of_units(formed, 30, 40))
        for code, values in (("I04", of_units(standing, 90, 99)), ("I04D", of_units(0, 0, 0))):
            portal.add(snapshot, code, values)
    for code in ("I03", "I04", "I04D"):
        assert {"first", "second"} <= hidden_units(portal, "2024", code)
        assert {"first", "second"} <= hidden_units(portal, "2025", code)
        assert hidden_units(portal, "2026", code) == set()


def test_consortia_before_the_first_frozen_year_do_not_follow_from_it(
    units: dict[str, Bureau], chains: list[IndustryChain]
) -> None:
    """Two were formed before 2025."""
    portal = Portal(units, chains)
    snapshot = portal.keep("2025", "I03", of_units(30, 30, 40))
    for code, values in (("I04", of_units(32, 90, 99)), ("I04D", of_units(0, 0, 0))):
        portal.add(snapshot, code, values)
    for code in ("I03", "I04", "I04D"):
        assert {"first", "second"} <= hidden_units(portal, "2025", code)


def test_cumulative_figures_and_those_of_units_by_chain_are_told_of_years_alone(
    units: dict[str, Bureau], chains: list[IndustryChain]
) -> None:
    portal = Portal(units, chains)
    many = {(unit, chain): 40 for unit in units for chain in (0, 1, 2)}
    for period in ("2024Q4", "2024"):
        snapshot = portal.keep(period, "I15", of_units(80, 80, 80) | many)
        portal.add(snapshot, "I04", of_units(80, 80, 80))
        portal.add(snapshot, "I05", of_units(80, 80, 80) | many)
    assert hidden_units(portal, "2024Q4", "I15") == hidden_units(portal, "2024Q4", "I05", 0) == set()
    assert hidden_units(portal, "2024Q4", "I15", 0) == units.keys() - {"nation"}
    assert hidden_units(portal, "2024Q4", "I04") == units.keys()
    assert hidden_units(portal, "2024", "I15", 0) == hidden_units(portal, "2024", "I04") == set()


def test_what_rests_on_a_figure_is_hidden_with_it_over_time_too(
    units: dict[str, Bureau], chains: list[IndustryChain]
) -> None:
    portal = Portal(units, chains)
    for period, first in (("2024-01", 2), ("2024-02", 20), ("2024-03", 20)):
        portal.keep(period, "I16", of_units(first, 30, 40))
    assert hidden_units(portal, "2024-02", "I19") == set()
    assert (
        {"first", "second"}
        <= hidden_units(portal, "2024-03", "I16")
        <= hidden_units(portal, "2024-03", "I19")
    )


# --- Every surface ------------------------------------------------------------------------------------------

DAYS = {"2024-01": date(2024, 1, 25), "2024-02": date(2024, 2, 20), "2024-03": SPRING}


@world
def quarter() -> Tree:
    """Problems solved in Beijing, Liaoning and Jiangsu: two of January, and for the rest more than ten."""
    tree = Tree()
    for code, numbers in zip(DAYS, ((2, 10, 12), (10, 11, 12), (10, 11, 12)), strict=True):
        for unit, number in zip((tree.dongcheng, tree.dalian, tree.huqiu), numbers, strict=True):
            for _n in range(number):
                solved(unit, DAYS[code])
    for code in (*DAYS, "2024Q1"):
        services.freeze_now(services.get_period(code), None)
        services.publish(services.get_period(code), None)
    return tree


def board(client: Client, period: str) -> dict[str, str]:
    regions = client.get(f"/figures/?period={period}&bureau=000000").context["board"].regions
    return {region.code: region.cells[6].value for region in regions}


def passports(client: Client, period: str) -> dict[str, str]:
    return {
        code: client.get(f"/figures/{period}/v1/{code}/I15/").context["headline"].text
        for code in ("110000", "210000", "320000")
    }


def page_file(client: Client, period: str) -> dict[str, str]:
    text = client.get(f"/figures/?period={period}&export=csv").content.decode().removeprefix("\ufeff")
    return {row["单位代码"]: row["解决质量堵点卡点问题（个）"] for row in csv.DictReader(io.StringIO(text))}


def open_data(client: Client, period: str) -> dict[str, str]:
    rows = client.get(f"/open/{period}/json/?indicator=I15").json()["rows"]
    return {row["region"]: "*" if row["status"] == "withheld" else str(row["value"]) for row in rows}


def interface(client: Client, period: str) -> dict[str, str]:
    if "_auth_user_id" not in client.session:
        client.force_login(factories.user(Role.FILER))
    asked = {"period": period, "indicator": "I15", "level": 1, "page_size": 200}
    rows = client.get("/api/v1/figures/", asked).json()["results"]
    return {row["bureau"]: "*" if row["withheld"] else str(row["value"]) for row in rows if not row["chain"]}


def test_a_file_that_tells_less_after_a_correction_elsewhere_is_sent_anew(
    units: dict[str, Bureau], chains: list[IndustryChain]
) -> None:
    """Of January two are left, so that March has to spare the quarter."""
    portal = Portal(units, chains)
    for period in DAYS:
        portal.keep(period, "I15", of_units(20, 30, 40))
    address = "/open/2024-03/json/?indicator=I15"
    first = Client().get(address)
    portal.keep("2024-01", "I15", of_units(2, 30, 40))
    again = Client().get(address, headers={"If-None-Match": first["ETag"]})
    assert again.status_code == 200
    told = [row["status"] for row in again.json()["rows"]]
    assert (told.count("withheld"), [row["status"] for row in first.json()["rows"]]) == (
        2,
        ["told"] * len(told),
    )


@pytest.mark.parametrize("surface", [board, passports, page_file, open_data, interface])
def test_every_surface_hides_the_company_in_another_month(
    quarter: Tree, surface: Callable[[Client, str], dict[str, str]]
) -> None:
    """The quarter less February and March would be the two of Beijing in January."""
    client = Client()
    told = {
        period: tuple(surface(client, period)[code] for code in ("110000", "210000", "320000"))
        for period in (*DAYS, "2024Q1")
    }
    assert told == {
        "2024-01": ("*", "*", "12"),
        "2024-02": ("10", "11", "12"),
        "2024-03": ("*", "*", "12"),
        "2024Q1": ("22", "32", "36"),
    }


def test_what_is_withheld_by_rule_is_not_called_small(
    units: dict[str, Bureau], chains: list[IndustryChain]
) -> None:
    """Of a month, forty of a province for a chain are told to nobody outside it."""
    portal = Portal(units, chains)
    for period, first in (("2024-01", 2), ("2024-02", 400), ("2024-03", 400)):
        portal.keep(period, "I15", of_units(first, 300, 400) | {(unit, 0): 40 for unit in units})
    assert {"first", "second"} <= hidden_units(portal, "2024-03", "I15")
    client = Client()
    page = client.get("/figures/?period=2024-03&bureau=110000").content.decode()
    assert "甲省的数按规定不予公开。" in page
    assert "累计数和各地区分产业链的数只公布年度的" in page
    assert "累计数和各地区分产业链的数只公布年度的" in client.get("/open/2024-03/card/").json()["privacy"]
    schema = client.get("/api/v1/schema/").content.decode()
    assert " ".join(schema.split()).count("one of a region by chain") == 3
    client.cookies.load({"django_language": "en"})
    page = client.get("/figures/?period=2024-03&bureau=110000").content.decode()
    assert "figures withheld by rule." in page
    assert "of regions by chain are published for years only" in page


@pytest.mark.parametrize("surface", [board, passports, page_file, interface])
def test_who_covers_the_units_reads_every_month(
    quarter: Tree, surface: Callable[[Client, str], dict[str, str]]
) -> None:
    client = Client()
    client.force_login(factories.user(Role.OFFICER, quarter.nation))
    assert [surface(client, period)["110000"] for period in (*DAYS, "2024Q1")] == ["2", "10", "10", "22"]
