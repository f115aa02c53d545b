"""Where things happen: the bureau tree with weights, so that the demo is as uneven as the country."""

import random
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import accumulate

from enterprises.models import Bureau, Division
from portal.demo.catalogue import CITIES, PROVINCES

# Units without any row: the islands, and some others drawn at random, so that "—" occurs.
EMPTY_CITY = "460300"
EMPTY_SHARE = 0.03


@dataclass(slots=True)
class Unit:
    """A bureau with the leaves below it; a leaf serves firms itself."""

    id: int
    code: str
    name: str
    short_name: str
    level: int
    parent: "Unit | None"
    division_id: int | None
    place: str
    weight: float = 0.0
    children: list["Unit"] = field(default_factory=list)
    leaves: list["Unit"] = field(default_factory=list)
    cumulative: list[float] = field(default_factory=list)

    @property
    def province(self) -> "Unit":
        unit = self
        while unit.level > Bureau.Level.PROVINCE and unit.parent:
            unit = unit.parent
        return unit

    @property
    def city(self) -> "Unit":
        """The unit of city level, or what stands in its place."""
        return self.parent if self.level == Bureau.Level.COUNTY and self.parent else self


class Places:
    def __init__(self, rnd: random.Random, provinces: tuple[str, ...]) -> None:
        short_names = dict(Division.objects.values_list("id", "short_name"))
        self.units: dict[str, Unit] = {}
        by_id: dict[int, Unit] = {}
        for pk, code, name, short, level, parent, division in Bureau.objects.order_by(
            "level", "code"
        ).values_list("id", "code", "name", "short_name", "level", "parent_id", "division_id"):
            place = short_names.get(division, short) if level <= Bureau.Level.CITY else short
            unit = Unit(pk, code, name, short, level, by_id.get(parent), division, place)
            self.units[code] = by_id[pk] = unit
            if unit.parent:
                unit.parent.children.append(unit)
        self.nation = self.units["000000"]
        self.provinces = [self.units[code] for code in sorted(provinces or PROVINCES)]
        for province in self.nation.children:
            self._weigh(rnd, province)

    def _weigh(self, rnd: random.Random, province: Unit) -> None:
        """Cities by what is known of them, counties at random; weights of a province add up to about one."""
        cities = defaultdict(list)
        for unit in self._below(province):
            if not unit.children:
                cities[unit.city.code if unit.city is not province else unit.code].append(unit)
        for code, leaves in sorted(cities.items()):
            weight = CITIES.get(code, rnd.uniform(0.3, 1.3))
            shares = [rnd.lognormvariate(0, 0.7) for _leaf in leaves]
            for leaf, share in zip(leaves, shares, strict=True):
                empty = code == EMPTY_CITY or (
                    leaf.level == Bureau.Level.COUNTY and rnd.random() < EMPTY_SHARE
                )
                leaf.weight = 0.0 if empty else weight * share / sum(shares)
        for unit in (province, *self._below(province)):
            unit.leaves = [leaf for leaf in (unit, *self._below(unit)) if not leaf.children and leaf.weight]
            unit.cumulative = list(accumulate(leaf.weight for leaf in unit.leaves))
            if unit.children:
                unit.weight = sum(leaf.weight for leaf in unit.leaves)

    def _below(self, unit: Unit) -> list[Unit]:
        return [item for child in unit.children for item in (child, *self._below(child))]


def share_out(total: int, weights: list[float], least: int = 0) -> list[int]:
    """Whole numbers in proportion to the weights that add up to the total, each at least ``least``."""
    rest = total - least * len(weights)
    whole = sum(weights)
    exact = [rest * weight / whole for weight in weights]
    counts = [int(value) for value in exact]
    by_remainder = sorted(range(len(weights)), key=lambda n: (counts[n] - exact[n], n))
    for n in by_remainder[: rest - sum(counts)]:
        counts[n] += 1
    return [count + least for count in counts]
