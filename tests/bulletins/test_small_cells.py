"""Small figures cannot be had by sums and differences of those that are told."""

from collections.abc import Iterable, Iterator
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from bulletins.small_cells import OWN, Above, Hidden, hide, hide_whole, with_company

LEAST = 5
CHAINS = (1, 2, 3)
PRIME = 1_000_003
# A nation, its provinces, their cities; each may count something itself.
PARENTS = {2: 1, 3: 1, 4: 1, 5: 2, 6: 2, 7: 3, 8: 3, 9: 3}
UNITS = (1, *PARENTS)
Cell = tuple[int, int | None]
counts = st.one_of(st.integers(0, 7), st.integers(0, 3), st.integers(5, 60))
ledgers = st.fixed_dictionaries({unit: st.tuples(*(counts for _ in CHAINS)) for unit in UNITS})


def children(unit: int) -> list[int]:
    return [part for part, parent in PARENTS.items() if parent == unit]


def told(own: dict[int, tuple[int, ...]]) -> tuple[dict[Cell, int], dict[Cell, bool]]:
    """All cells of the tree, own parts under the negative key of their unit, and which are withheld."""
    values: dict[Cell, int] = {}
    for unit in reversed(UNITS):
        for at, chain in enumerate(CHAINS):
            values[-unit, chain] = own[unit][at]
            below = sum(values[part, chain] for part in children(unit))
            values[unit, chain] = own[unit][at] + below
        for key in (unit, -unit):
            values[key, None] = sum(values[key, chain] for chain in CHAINS)
    withheld: dict[Cell, bool] = {}

    def weights(key: int) -> dict[int | None, int]:
        return {chain: values[key, chain] for chain in (None, *CHAINS)}

    def note(hidden: Hidden, part: int, key: int) -> None:
        withheld.update({(key, chain): hidden.withholds(part, chain) for chain in (None, *CHAINS)})

    def below(unit: int, above: Above) -> None:
        if not children(unit):
            return
        parts = {OWN: weights(-unit), **{part: weights(part) for part in children(unit)}}
        hidden = hide(parts, LEAST, above)
        note(hidden, OWN, -unit)
        for part in children(unit):
            note(hidden, part, part)
            below(part, hidden.below(part))

    whole = hide_whole(1, weights(1), LEAST)
    note(whole, 1, 1)
    below(1, whole.below(1))
    return {cell: values[cell] for cell in withheld}, withheld


def sums() -> Iterator[dict[Cell, int]]:
    """Every sum that holds in the tree: over the chains of a unit, over the parts of a whole."""
    inner = [unit for unit in UNITS if children(unit)]
    for key in (*UNITS, *(-unit for unit in inner)):
        yield {(key, None): -1, **{(key, chain): 1 for chain in CHAINS}}
    for unit in inner:
        for chain in (None, *CHAINS):
            yield {(unit, chain): -1, **{(part, chain): 1 for part in (-unit, *children(unit))}}


def derivable(withheld: dict[Any, bool], lines: Iterable[dict[Any, int]] = ()) -> set[Any]:
    """The withheld cells whose values follow from the others: elimination over the unknown ones."""
    rows = [{cell: n for cell, n in line.items() if withheld[cell]} for line in lines or sums()]
    reduced: dict[Any, dict[Any, int]] = {}
    for line in rows:
        rest = line
        for pivot, known in reduced.items():
            if factor := rest.get(pivot, 0):
                rest = _less(rest, known, factor)
        if not rest:
            continue
        pivot = next(iter(rest))
        inverse = pow(rest[pivot], -1, PRIME)
        row = {cell: n * inverse % PRIME for cell, n in rest.items()}
        reduced = {
            other: _less(was, row, was[pivot]) if pivot in was else was for other, was in reduced.items()
        }
        reduced[pivot] = row
    return {pivot for pivot, row in reduced.items() if len(row) == 1}


def _less(row: dict[Any, int], known: dict[Any, int], factor: int) -> dict[Any, int]:
    found = {
        cell: (row.get(cell, 0) - factor * known.get(cell, 0)) % PRIME for cell in row.keys() | known.keys()
    }
    return {cell: n for cell, n in found.items() if n}


@given(ledgers)
@settings(max_examples=300, deadline=None)
def test_no_withheld_figure_follows_from_those_that_are_told(own: dict[int, tuple[int, ...]]) -> None:
    values, withheld = told(own)
    assert all(withheld[cell] for cell, value in values.items() if 0 < value < LEAST)
    assert not {cell for cell in derivable(withheld) if values[cell]}


def tables(withheld: dict[str, set[Cell]], *, between: dict[str, int]) -> set[tuple[str, Cell]]:
    """What follows of several tables of the same cells, the sums in each and the one ``between`` them."""
    cells = told({unit: (0,) * len(CHAINS) for unit in UNITS})[0]
    known = {(name, cell): cell in hidden for name, hidden in withheld.items() for cell in cells}
    lines = [{(name, cell): n for cell, n in line.items()} for name in withheld for line in sums()]
    lines += [{(name, cell): n for name, n in between.items()} for cell in cells]
    return derivable(known, lines)


def hidden_in(own: dict[int, tuple[int, ...]]) -> tuple[dict[Cell, int], set[Cell]]:
    values, withheld = told(own)
    return values, {cell for cell, hidden in withheld.items() if hidden}


@given(ledgers, ledgers, ledgers)
@settings(max_examples=60, deadline=None)
def test_nothing_follows_from_two_versions_that_hide_what_either_does(
    first: dict[int, tuple[int, ...]], second: dict[int, tuple[int, ...]], between: dict[int, tuple[int, ...]]
) -> None:
    """Money of two versions, and on how many payers what lies between them rests."""
    (was, of_first), (now, of_second), (moved, of_both) = map(hidden_in, (first, second, between))
    either = of_first | of_second
    found = tables(
        {"was": either | of_both, "now": either, "between": set(was)},
        between={"was": 1, "now": -1, "between": 1},
    )
    assert not {cell for table, cell in found if table == "was" and was[cell] and cell in either | of_both}
    assert not {cell for table, cell in found if table == "now" and now[cell]}
    assert not {cell for table, cell in found if table == "between" and cell in of_both and moved[cell]}


@given(ledgers, ledgers)
@settings(max_examples=60, deadline=None)
def test_nothing_follows_from_a_sum_that_hides_what_its_terms_do(
    one: dict[int, tuple[int, ...]], other: dict[int, tuple[int, ...]]
) -> None:
    """Consortia since 2024: formed, standing, dissolved."""
    both = {unit: tuple(map(sum, zip(one[unit], other[unit], strict=True))) for unit in UNITS}
    values, hidden = zip(*map(hidden_in, (one, other, both)), strict=True)
    names = ("one", "other", "both")
    found = tables(dict.fromkeys(names, set().union(*hidden)), between={"one": 1, "other": 1, "both": -1})
    assert not {cell for table, cell in found if values[names.index(table)][cell]}


@given(ledgers)
@settings(max_examples=100, deadline=None)
def test_where_nothing_is_small_everything_is_told(own: dict[int, tuple[int, ...]]) -> None:
    large = {unit: tuple(n + LEAST for n in counted) for unit, counted in own.items()}
    assert not any(told(large)[1].values())


def test_one_small_part_takes_the_smallest_other_with_it() -> None:
    assert with_company({1: 3, 2: 40, 3: 9, 4: 0}, LEAST) == {1, 3}
    assert with_company({1: 3, 2: 4, 3: 9}, LEAST) == {1, 2}
    # Two that hold two together would be known to be one each.
    assert with_company({1: 1, 2: 1, 3: 9}, LEAST) == {1, 2, 3}
    assert with_company({1: 5, 2: 0, 3: 9}, LEAST) == set()


def test_below_what_is_hidden_nothing_is_told() -> None:
    hidden = hide({2: {None: 3}, 3: {None: 20}, 4: {None: 30}}, LEAST, Above())
    assert [hidden.withholds(part) for part in (2, 3, 4)] == [True, True, False]
    below = hide({5: {None: 20, 1: 20}}, LEAST, hidden.below(3))
    assert below.withholds(5) and below.withholds(5, 1) and below.withholds(OWN)


def test_what_another_figure_must_not_tell_is_hidden_with_it() -> None:
    parts = {2: {None: 30}, 3: {None: 20}, 4: {None: 10}}
    hidden = hide(parts, LEAST, Above(), lambda part, _chain: part == 2)
    assert [hidden.withholds(part) for part in (2, 3, 4)] == [True, False, True]
