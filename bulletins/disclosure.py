"""What a reader is told of figures: all of what its scope covers; of the rest no small ones, nor any from
which small ones could be worked out (`bulletins.small_cells`).

Whatever prints, draws, sends or compares figures asks here, and nowhere else.
"""

import hashlib
import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime
from functools import partial
from typing import Any, TypeAlias

from django.conf import settings
from django.core.cache import caches
from django.db.models import OuterRef, Q, QuerySet, Subquery

from bulletins import behind, figures, over_time, periods, small_cells, trees
from bulletins.behind import Place
from bulletins.figures import WITHHELD, Value
from bulletins.indicators import BASES, Indicator, Kind, Nature
from bulletins.models import CountedRow, Period, Snapshot, SnapshotUnit, StatValue
from bulletins.over_time import Kept, Line, Months, Part, Weights
from bulletins.small_cells import OWN, Above, Chain, Hidden
from common.scope import system_job
from enterprises.models import Bureau, IndustryChain

# Figures whose parts are other figures: numerator or number of rows.
PARTS_OF = {"I19": "I16", "I20": "I15"}
# Of these one is the sum of the others: where one is hidden, so are all.
SUMS = (("I03", "I04", "I04D"),)
TOGETHER = {code: group for group in SUMS for code in group}
# Where each organisation stands for what it paid or how long it waited: they are counted, not the rows.
OF_ORGANIZATIONS = (Kind.MONEY, Kind.MEDIAN)
# To be counted on when what is hidden changes: it is remembered, here and by those who took files.
RULES = 4
# A frozen snapshot never changes, nor does what is hidden of it; a year's periods are judged by each other.
REMEMBERED = 400 * 24 * 60 * 60
EVERYTHING = Hidden.of_parts(Above(everything=True))

# What is hidden of the parts of a unit by indicator, and on how many things each part rests.
Judged: TypeAlias = tuple[dict[str, Hidden], dict[str, dict[Part, int]]]


class Reader:
    """One who reads figures: a user, or anybody; ``until`` a moment, by the versions that there were then."""

    def __init__(self, user: Any, until: datetime | None = None) -> None:
        self.user, self.until = user, until
        self._groups: dict[tuple[int, int, int, bool], Judged] = {}
        self._later: dict[tuple[int, int, bool], dict[str, Hidden]] = {}
        self._patterns: dict[tuple[int, int, bool, str], list[Hidden]] = {}
        self._versions: dict[int, list[Snapshot]] = {}
        self._units: dict[int, dict[str, Bureau]] = {}
        self._paths: dict[int, dict[int, str]] = {}
        self._rebased: dict[int, frozenset[int]] = {}

    def covers(self, bureau: Bureau, chain: IndustryChain | None = None) -> bool:
        return behind.covers(self.user, Place(bureau, chain))

    def withholds(
        self, snapshot: Snapshot, code: str, bureau: Bureau, chain: IndustryChain | None = None
    ) -> bool:
        """Whether a figure is not told; outside the scope only published ones are told at all."""
        if self.covers(bureau, chain):
            return False
        if not snapshot.period.is_public or not snapshot.version:
            return True
        if self._is_rebased(snapshot, bureau):
            return True
        patterns = self._of(snapshot, self._above(snapshot, bureau), code, by_chain=chain is not None)
        return any(hidden.withholds(bureau.pk, chain.pk if chain else None) for hidden in patterns)

    def told(
        self,
        snapshot: Snapshot,
        code: str,
        bureau: Bureau,
        chain: IndustryChain | None,
        figure: Value,
    ) -> Value:
        """A figure as the reader may know it."""
        if self.covers(bureau, chain):
            return figure
        if self.withholds(snapshot, code, bureau, chain):
            return WITHHELD
        # What came late is a part of its own, told only where nothing can be subtracted from it, and of what
        # counts things: late money, sheets and days may be of one firm, however many they are.
        is_whole = bureau.level == Bureau.Level.NATIONAL and chain is None
        if is_whole and figure.late >= settings.SMALL_CELLS_BELOW:
            return figure if _counts_things(figures.definitions(snapshot)[code]) else replace(figure, late=0)
        return replace(figure, late=0)

    def values(
        self,
        snapshot: Snapshot,
        bureaus: Iterable[Bureau],
        codes: Collection[str] | None = None,
        chain: IndustryChain | None = None,
    ) -> dict[int, dict[str, Value]]:
        """`figures.values` as the reader may know them."""
        units = list(bureaus)
        self.look_up(snapshot, units)
        stored = figures.values(snapshot, units, codes, chain)
        known = figures.definitions(snapshot) if codes is None else codes
        # Of a chain nothing is stored where nothing was counted, and that may be withheld as well.
        return {
            unit.pk: {
                code: self.told(snapshot, code, unit, chain, stored[unit.pk].get(code, figures.NOT_REPORTED))
                for code in known
            }
            for unit in units
        }

    def of_unit(
        self,
        snapshot: Snapshot | None,
        bureau: Bureau,
        codes: Collection[str] | None = None,
        chain: IndustryChain | None = None,
    ) -> dict[str, Value]:
        return self.values(snapshot, [bureau], codes, chain)[bureau.pk] if snapshot else {}

    def withheld_for_chains(self, snapshot: Snapshot, codes: Collection[str] = ()) -> Q:
        """Which figures of the nation and its provinces for chains are withheld from anybody; where nothing
        was counted nothing is stored, so that whoever is sent rows must not see that one is there."""
        (nation,) = trees.units(snapshot, level=Bureau.Level.NATIONAL)
        found = Q(pk__in=())
        if self._is_rebased(snapshot, nation, below=True):
            found |= ~Q(bureau=nation)
        for whole in (None, nation):
            parts = Q(bureau__in=[unit.pk for unit in trees.units(snapshot, parent=whole)])
            for code in codes or figures.definitions(snapshot):
                for hidden in set(self._of(snapshot, whole, code, by_chain=True)):
                    found |= parts & Q(indicator=code) & _rows_of(hidden)
        return found

    def judged_by(self, snapshot: Snapshot) -> str:
        """Changes with all on which it depends what is told of a version: the rules, and the versions of its
        period and of those that were frozen before."""
        return f"{RULES}.{settings.SMALL_CELLS_BELOW}.{_digest(self._known(snapshot))}"

    def _line(self, snapshot: Snapshot, bureau: Bureau) -> list[Bureau]:
        """The units over another one as they stood, the nearest last; looked up once for a whole page."""
        if bureau.pk not in self._paths.get(snapshot.pk, ()):
            self._fetch(snapshot, [bureau.pk])
        codes = self._paths[snapshot.pk][bureau.pk].split("/")[:-2]
        return [self._units[snapshot.pk][code] for code in codes]

    def _above(self, snapshot: Snapshot, bureau: Bureau) -> Bureau | None:
        return next(reversed(self._line(snapshot, bureau)), None)

    def _stood(self, snapshot: Snapshot, bureau: Bureau) -> bool:
        self._fetch(snapshot, [bureau.pk])
        return bool(self._paths[snapshot.pk][bureau.pk])

    def look_up(self, snapshot: Snapshot, bureaus: Iterable[Bureau]) -> None:
        """Fetch what lies over these units at once, before each is asked of."""
        if snapshot.version and (asked := [bureau.pk for bureau in bureaus if not self.covers(bureau)]):
            self._fetch(snapshot, asked)

    def _fetch(self, snapshot: Snapshot, bureaus: list[int]) -> None:
        paths = self._paths.setdefault(snapshot.pk, {})
        if unknown := [bureau for bureau in bureaus if bureau not in paths]:
            kept = SnapshotUnit.objects.filter(snapshot=snapshot, bureau__in=unknown, has_ended=False)
            paths |= dict.fromkeys(unknown, "") | dict(kept.values_list("bureau", "path"))
        units = self._units.setdefault(snapshot.pk, {})
        lines = {code for bureau in bureaus for code in paths[bureau].split("/")[:-2]}
        if missing := lines - units.keys():
            units |= {unit.code: unit for unit in trees.units(snapshot, code__in=missing)}

    def _is_rebased(self, snapshot: Snapshot, bureau: Bureau, *, below: bool = False) -> bool:
        """Whether a newer version divides the ground around a unit otherwise: one less the other would
        tell of what came and went, so the older one is told no more. ``below``: the parts of the unit."""
        if snapshot.pk not in self._rebased:
            newest = self._published(snapshot)[-1]
            is_newest = newest.pk == snapshot.pk
            self._rebased[snapshot.pk] = (
                frozenset() if is_newest else trees.divided_otherwise(snapshot, newest)
            )
        rebased = self._rebased[snapshot.pk]
        if not rebased:
            return False
        wholes = {unit.pk for unit in self._line(snapshot, bureau)} | ({bureau.pk} if below else set())
        return bool(wholes & rebased)

    def _of(self, snapshot: Snapshot, whole: Bureau | None, code: str, *, by_chain: bool) -> list[Hidden]:
        """All that is hidden of a figure in the parts of a unit; without one, of the nation itself.

        Versions of a period are subtracted from each other as easily as a part from its whole. So each hides
        what any of them does, and an older one also what it differs in by the money of a few. What is hidden
        twice is no better known: each pattern alone keeps what it hides, whatever else is told.
        """
        key = snapshot.pk, whole.pk if whole else 0, by_chain, code
        if key not in self._patterns:
            versions = self._published(snapshot)
            between = [
                self._hidden(snapshot, newer, whole, by_chain)
                for newer in versions
                if newer.version > snapshot.version
            ]
            self._patterns[key] = [
                *self._own(versions, whole, code, by_chain),
                *(group[code] for group in between if code in group),
                *self._over_time(snapshot, whole, code, by_chain),
            ]
        return self._patterns[key]

    def _own(
        self, versions: Iterable[Snapshot], whole: Bureau | None, code: str, by_chain: bool
    ) -> Iterator[Hidden]:
        """What all versions of a period hide of a figure for what is small in one of them."""
        for one in versions:
            group = self._hidden(one, None, whole, by_chain)
            yield from (group[known] for known in _with(one, code) if known in group)

    def _published(self, snapshot: Snapshot) -> list[Snapshot]:
        """The versions of a published period, which are all there to be read."""
        return self._frozen()[snapshot.period_id]

    def _frozen(self) -> dict[int, list[Snapshot]]:
        """The versions of each frozen period, in the order of the first freezes."""
        if not self._versions:
            rows = (
                Snapshot.objects.frozen()
                .select_related("period")
                .only("period", "version", "row_hash", "counted_hash", "frame_hash")
            )
            if self.until:
                rows = rows.filter(finished_at__lte=self.until)
            for one in rows.order_by("period__frozen_at", "period", "version"):
                self._versions.setdefault(one.period_id, []).append(one)
        return self._versions

    def _hidden(
        self, snapshot: Snapshot, newer: Snapshot | None, whole: Bureau | None, by_chain: bool
    ) -> dict[str, Hidden]:
        """What a version alone hides of the parts of a unit, by indicator; with a newer one, what of money
        lies between the two."""
        return self._judged(snapshot, newer, whole, by_chain)[0]

    def _judged(
        self, snapshot: Snapshot, newer: Snapshot | None, whole: Bureau | None, by_chain: bool
    ) -> Judged:
        key = snapshot.pk, newer.pk if newer else 0, whole.pk if whole else 0, by_chain
        if key not in self._groups:
            work = partial(self._worked_out, snapshot, newer, whole, by_chain)
            state = _state(one for one in (snapshot, newer) if one)
            self._groups[key] = _remembered(f"small:{state}", whole, by_chain, work)
        return self._groups[key]

    def _worked_out(
        self, snapshot: Snapshot, newer: Snapshot | None, whole: Bureau | None, by_chain: bool, least: int
    ) -> Judged:
        if whole and not newer and not self._stood(snapshot, whole):
            return {}, {}
        above = self._hidden(snapshot, newer, self._above(snapshot, whole), by_chain) if whole else {}
        weights = _weights(snapshot, newer, whole, by_chain=by_chain)
        found: dict[str, Hidden] = {}

        def also(code: str, part: int, chain: Chain) -> bool:
            other = found.get(PARTS_OF.get(code, ""))
            return other is not None and other.withholds(part, chain)

        for code in sorted(weights, key=lambda code: (code in PARTS_OF, code)):
            if whole is None:
                ((root, parts),) = weights[code].items()
                found[code] = small_cells.hide_whole(root, parts, least, partial(also, code))
            else:
                over = above[code].below(whole.pk) if code in above else Above()
                found[code] = small_cells.hide(weights[code], least, over, partial(also, code))
        return found, {code: _sizes(parts, whole) for code, parts in weights.items()}

    # --- Other periods ------------------------------------------------------------------------------------

    def _over_time(self, snapshot: Snapshot, whole: Bureau | None, code: str, by_chain: bool) -> list[Hidden]:
        """What is hidden of a figure because periods that were frozen before hide it, or tell it."""
        indicator = figures.definitions(snapshot)[PARTS_OF.get(code, code)]
        period = snapshot.period
        known = self._before(snapshot).values()
        by_both = by_chain and whole is not None
        if indicator.nature == Nature.STOCK:
            # Periods of any length tell the same state of the day on which they end.
            same = [versions for versions in known if versions[0].period.end_on == period.end_on]
            return [hidden for versions in same for hidden in self._own(versions, whole, code, by_chain)]
        if indicator.nature not in (Nature.FLOW, Nature.CUMULATIVE):
            return []
        if (by_both or indicator.nature == Nature.CUMULATIVE) and period.kind != Period.Kind.YEAR:
            return [EVERYTHING]
        found = [self._more(snapshot, whole, by_chain)[_with(snapshot, indicator.code)[0]]]
        if by_both and _since_then(snapshot, indicator.code):
            years = [versions for versions in known if versions[0].period.kind == Period.Kind.YEAR]
            found += [hidden for versions in years for hidden in self._own(versions, whole, code, by_chain)]
        return found

    def _before(self, snapshot: Snapshot) -> dict[int, list[Snapshot]]:
        """The versions of the periods that were frozen before that of a snapshot."""
        frozen = self._frozen().items()
        return dict(itertools.takewhile(lambda item: item[0] != snapshot.period_id, frozen))

    def _known(self, snapshot: Snapshot) -> list[list[Snapshot]]:
        """With the versions of its own period, which come last."""
        return [*self._before(snapshot).values(), self._published(snapshot)]

    def _more(self, snapshot: Snapshot, whole: Bureau | None, by_chain: bool) -> dict[str, Hidden]:
        """What a period must not tell of the parts of a unit because of others, by indicator."""
        key = snapshot.period_id, whole.pk if whole else 0, by_chain
        if key not in self._later:
            known = self._known(snapshot)
            work = partial(self._worked_out_over_time, known, whole, by_chain)
            self._later[key] = _remembered(f"time:{_digest(known)}", whole, by_chain, work)
        return self._later[key]

    def _worked_out_over_time(
        self, known: list[list[Snapshot]], whole: Bureau | None, by_chain: bool, least: int
    ) -> dict[str, Hidden]:
        newest = known[-1][-1]
        above = self._more(newest, self._above(newest, whole), by_chain) if whole else {}
        if whole and by_chain:
            plain = self._more(newest, whole, by_chain=False)
            return {code: Hidden.of_parts(above[code].below(whole.pk), plain[code].parts) for code in plain}
        ahead = _still_ahead([versions[0].period for versions in known])
        found: dict[str, Hidden] = {}
        for code, indicator in figures.definitions(newest).items():
            if indicator.nature != Nature.FLOW:
                continue
            over = above[code].below(whole.pk) if whole else Above()
            if over.everything:
                found[code] = Hidden.of_parts(over)
                continue
            also = _since_then(newest, code)
            begins = also[0] if also else newest.period.start_on.year * 12
            earlier = [
                self._kept(
                    versions, whole, code, by_chain, least, self._more(versions[-1], whole, by_chain)[code]
                )
                for versions in known[:-1]
                if begins <= _months(versions[-1].period)[0]
            ]
            last = self._kept(known[-1], whole, code, by_chain, least)
            adds = indicator.kind not in OF_ORGANIZATIONS
            hidden = over_time.more_to_hide(earlier, last, least, ahead, adds=adds)
            found[code] = _as_hidden(over, hidden, whole)
        return found

    def _kept(
        self,
        versions: list[Snapshot],
        whole: Bureau | None,
        code: str,
        by_chain: bool,
        least: int,
        *more: Hidden,
    ) -> Kept:
        hidden = [*self._own(versions, whole, code, by_chain), *more]
        sizes = [self._judged(one, None, whole, by_chain)[1] for one in versions]
        *older, weights = [of_version.get(code, {}) for of_version in sizes]
        since = _since_then(versions[-1], code)
        return Kept(
            _months(versions[-1].period),
            weights,
            small=frozenset(
                part
                for of_version in (*older, weights)
                for part, weight in of_version.items()
                if 0 < weight < least
            ),
            hidden=frozenset(part for one in hidden for part in _parts(one, whole)),
            hides_all=any(one.above.everything for one in hidden),
            older=older,
            also=since and Line(since, [_together(versions[-1], code, one) for one in sizes]),
        )


def _remembered(name: str, whole: Bureau | None, by_chain: bool, work: Callable[[int], Any]) -> Any:
    least = settings.SMALL_CELLS_BELOW
    key = f"{name}:{RULES}:{whole.pk if whole else 0}:{by_chain:d}:{least}"
    found = caches["small_cells"].get(key)
    if found is None:
        found = work(least)
        caches["small_cells"].set(key, found, REMEMBERED)
    return found


def _state(snapshots: Iterable[Snapshot]) -> str:
    """Which versions they are, with their figures, rows and units."""
    return ":".join(
        f"{one.pk}:{one.period.code}:{one.row_hash[:16]}:{one.counted_hash[:16]}:{one.frame_hash[:16]}"
        for one in snapshots
    )


def _digest(known: Iterable[Iterable[Snapshot]]) -> str:
    return hashlib.sha256(_state(itertools.chain.from_iterable(known)).encode()).hexdigest()


def _rows_of(hidden: Hidden) -> Q:
    """The stored figures of the parts for chains that are hidden so."""
    if hidden.above.everything:
        return Q()
    in_block = Q(bureau__in=hidden.block_parts, chain__in=hidden.block_chains)
    return Q(bureau__in=hidden.parts) | Q(chain__in=hidden.above.chains) | in_block


def _counts_things(indicator: Indicator) -> bool:
    return indicator.kind == Kind.SUM and not any(BASES[name].adds for name in indicator.bases)


# --- Figures over time ------------------------------------------------------------------------------------


def _with(snapshot: Snapshot, code: str) -> tuple[str, ...]:
    """The figures that are hidden together; what is cumulative, years alone tell."""
    is_year = snapshot.period.kind == Period.Kind.YEAR
    return TOGETHER.get(code, (code,)) if is_year else (code,)


def _since_then(snapshot: Snapshot, code: str) -> Months | None:
    """Which other days a year tells of by what it counts together with a figure."""
    for one in (figures.definitions(snapshot)[code] for code in _with(snapshot, code)):
        if one.since and one.applies_to(snapshot.period.end_on):
            return _month(one.since), _months(snapshot.period)[1]
    return None


def _together(snapshot: Snapshot, code: str, sizes: Mapping[str, Weights]) -> Weights:
    """On how much rests what a year tells of those other days: the sum of all that it counts since then."""
    known = figures.definitions(snapshot)
    told = [sizes.get(one, {}) for one in _with(snapshot, code) if known[one].since]
    return {part: sum(weights.get(part, 0) for weights in told) for part in set().union(*told)}


def _month(day: date) -> int:
    return day.year * 12 + day.month - 1


def _months(period: Period) -> Months:
    return _month(period.start_on), _month(period.end_on) + 1


def _still_ahead(known: list[Period]) -> list[list[Months]]:
    """Longer periods of the year of the last one that are not frozen yet: all, the dearer, the dearest."""
    newest = known[-1]
    frozen, year = {one.code for one in known}, newest.start_on.year
    codes = {
        Period.Kind.QUARTER: [f"{year}Q{n}" for n in range(1, 5)],
        Period.Kind.HALF: [f"{year}H1", f"{year}H2"],
        Period.Kind.YEAR: [f"{year}"],
    }
    longer = list(codes)[list(Period.Kind).index(Period.Kind(newest.kind)) :]
    levels = []
    for at in range(len(longer)):
        specs = [periods.parse(code) for kind in longer[at:] for code in codes[kind] if code not in frozen]
        levels.append([(_month(spec.start_on), _month(spec.end_on) + 1) for spec in specs])
    return levels


def _parts(hidden: Hidden, whole: Bureau | None) -> frozenset[Part]:
    """What is hidden as a part: of a unit those below it, of the nation itself its chains."""
    if whole:
        return hidden.parts
    return hidden.above.chains | ({None} if hidden.above.everything else frozenset[Part]())


def _as_hidden(above: Above, parts: frozenset[Part], whole: Bureau | None) -> Hidden:
    chains = frozenset(part for part in parts if part is not None)
    if whole:
        return Hidden.of_parts(above, chains)
    return EVERYTHING if None in parts else Hidden.of_parts(Above(chains=chains))


def _sizes(parts: dict[int, dict[Chain, int]], whole: Bureau | None) -> dict[Part, int]:
    if whole:
        return {part: weights.get(None, 0) for part, weights in parts.items()}
    (weights,) = parts.values()
    return dict(weights)


# --- What figures rest upon -------------------------------------------------------------------------------


@system_job("which figures are small")
def _weights(
    snapshot: Snapshot, newer: Snapshot | None, whole: Bureau | None, *, by_chain: bool
) -> dict[str, dict[int, dict[Chain, int]]]:
    """On how many things the figures of the parts of a unit rest, by indicator, part and chain; with a newer
    version, on how many payers the money that lies between the two."""
    units = trees.units(snapshot, Q(bureau=whole) | Q(parent=whole) if whole else Q(parent=None))
    definitions = figures.definitions(snapshot)
    if newer:
        money = [one for one in definitions.values() if one.kind == Kind.MONEY]
        return {one.code: _organizations(snapshot, newer, one, units, whole) for one in money}
    stored = StatValue.objects.filter(snapshot=snapshot, bureau__in=[unit.pk for unit in units])
    if not by_chain:
        stored = stored.filter(chain=None)
    found: dict[str, dict[int, dict[Chain, int]]] = {}
    for code, unit, chain, value, below in stored.values_list(
        "indicator", "bureau", "chain", "value", "denominator"
    ):
        indicator = definitions[code]
        if indicator.kind not in OF_ORGANIZATIONS:
            weight = value if indicator.kind == Kind.SUM else below
            found.setdefault(code, {}).setdefault(unit, {})[chain] = weight or 0
    if whole:
        found = {code: _with_own(parts, whole) for code, parts in found.items()}
    for indicator in definitions.values():
        if indicator.kind in OF_ORGANIZATIONS:
            found[indicator.code] = _organizations(snapshot, None, indicator, units, whole)
    return found


def _with_own(parts: dict[int, dict[Chain, int]], whole: Bureau) -> dict[int, dict[Chain, int]]:
    """The units below, and what the unit counts itself: the rest."""
    own = dict(parts.pop(whole.pk, {}))
    for weights in parts.values():
        for chain, weight in weights.items():
            own[chain] = own.get(chain, 0) - weight
    return {OWN: {chain: max(weight, 0) for chain, weight in own.items()}, **parts}


def _organizations(
    snapshot: Snapshot,
    newer: Snapshot | None,
    indicator: Indicator,
    units: list[Bureau],
    whole: Bureau | None,
) -> dict[int, dict[Chain, int]]:
    """How many organisations the rows are of: paid the money, or waited the days."""
    found: dict[tuple[int, Chain], set[int]] = {(unit.pk, None): set() for unit in units if unit != whole}
    lines = (trees.paths(newer) if newer else {}) | trees.paths(snapshot)
    top = lines[whole.pk] if whole else ""
    tops = {unit.pk: lines[unit.pk] for unit in units if unit != whole}
    below = [bureau for bureau, path in lines.items() if path.startswith(top)]
    for name in indicator.bases:
        listed = BASES[name].listed._base_manager.filter(pk=OuterRef("row_id"))
        kept = CountedRow.objects.filter(snapshot=snapshot, base=name)
        sides: list[QuerySet[Any]] = [kept]
        if newer:
            others = CountedRow.objects.filter(snapshot=newer, base=name)
            sides = [behind.not_alike(kept, newer), behind.not_alike(others, snapshot)]
        for rows in sides:
            told_of = rows.annotate(organization=Subquery(listed.values("organization")[:1]))
            if whole and whole.level != Bureau.Level.NATIONAL:
                told_of = told_of.filter(bureau__in=below)
            places = told_of.values_list("bureau", "chain", "organization").distinct()
            for bureau, chain, organization in places:
                part = next((unit for unit, path in tops.items() if lines[bureau].startswith(path)), OWN)
                for of_chain in (None, chain):
                    found.setdefault((part, of_chain), set()).add(organization)
    told: dict[int, dict[Chain, int]] = {}
    for (part, of_chain), organizations in found.items():
        told.setdefault(part, {})[of_chain] = len(organizations)
    return told
