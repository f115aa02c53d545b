"""Which figures are small enough to tell of a few, and which others would give them away (`domain.md` 5.6).

One rule for whatever adds up along the tree of units and over the chains. A unit has parts: the units below
it and, as `OWN`, what it counts itself; each part has a weight over all chains and one for each chain. A part
is small that rests upon fewer than `least` things but more than none. It is hidden, and with it

* everything below what is hidden, so that no whole is put together from its parts;
* of the parts of a whole that is told, so many more that two at least are hidden and hold `least` together;
* of small ones for a chain whole blocks, parts by chains, at least two by two, so that whatever is moved
  from one hidden cell to another can be moved back in the next row: no sum over a row, a column or a branch
  of the tree tells one of them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

# The part of a unit that is counted at none of the units below it.
OWN = 0
Chain: TypeAlias = int | None
# The weights of a part, over all chains under None.
Weights: TypeAlias = Mapping[Chain, int]


def _nothing(_part: int, _chain: Chain) -> bool:
    return False


@dataclass(frozen=True)
class Above:
    """What is hidden of the whole itself: everything, or its figures for some chains."""

    everything: bool = False
    chains: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Hidden:
    """What is not told of the parts of a whole: all of some parts, some chains of all of them, and a block
    of parts by chains."""

    above: Above
    parts: frozenset[int]
    block_parts: frozenset[int]
    block_chains: frozenset[int]

    def withholds(self, part: int, chain: Chain = None) -> bool:
        if self.above.everything or part in self.parts:
            return True
        return chain is not None and (
            chain in self.above.chains or (part in self.block_parts and chain in self.block_chains)
        )

    @classmethod
    def of_parts(cls, above: Above, parts: frozenset[int] = frozenset()) -> "Hidden":
        return cls(above, parts, frozenset(), frozenset())

    def below(self, part: int) -> Above:
        """What is hidden of a part, whose own parts come next."""
        if self.withholds(part):
            return Above(everything=True)
        block = self.block_chains if part in self.block_parts else frozenset()
        return Above(chains=self.above.chains | block)


def with_company(weights: Mapping[int, int], least: int, hidden: frozenset[int] = frozenset()) -> set[int]:
    """Of the parts of a whole that is told, those that are not: small ones, ``hidden`` ones, and the
    smallest others until two at least hold ``least`` together."""
    found = {part for part, weight in weights.items() if part in hidden or 0 < weight < least}
    rest = sorted((weight, part) for part, weight in weights.items() if weight and part not in found)
    while found and rest and _stand_alone([weights[part] for part in found], least):
        found.add(rest.pop(0)[1])
    return found


def _stand_alone(weights: list[int], least: int) -> bool:
    return sum(1 for weight in weights if weight) < 2 or sum(weights) < least


def hide_whole(
    root: int, weights: Weights, least: int, also: Callable[[int, Chain], bool] = _nothing
) -> Hidden:
    """For the root of the tree, which is nobody's part: it is small itself, or some of its chains are."""
    if 0 < weights.get(None, 0) < least or also(root, None):
        return Hidden.of_parts(Above(everything=True))
    chains = {chain: weight for chain, weight in weights.items() if chain is not None}
    forced = frozenset(chain for chain, weight in chains.items() if weight and also(root, chain))
    found = frozenset(with_company(chains, least, forced))
    return Hidden.of_parts(Above(chains=found))


def hide(
    parts: Mapping[int, Weights],
    least: int,
    above: Above,
    also: Callable[[int, Chain], bool] = _nothing,
) -> Hidden:
    """What is not told of the parts of a whole, of which ``above`` is hidden; ``also`` names what must not
    be told because another figure is not."""
    if above.everything:
        return Hidden.of_parts(above)
    wholes = {part: weights.get(None, 0) for part, weights in parts.items()}
    forced = frozenset(part for part, weight in wholes.items() if weight and also(part, None))
    hidden = frozenset(with_company(wholes, least, forced))
    rows: set[int] = set()
    columns: set[int] = set()
    for part, weights in parts.items():
        for chain, weight in weights.items():
            if chain is None or part in hidden or chain in above.chains or not weight:
                continue
            if weight < least or also(part, chain):
                rows.add(part)
                columns.add(chain)
    while rows:
        size = len(rows) + len(columns)
        for part in list(rows):
            of_part = {chain: weight for chain, weight in parts[part].items() if chain is not None}
            columns |= _more(of_part, columns | above.chains, least) - above.chains
        for chain in list(columns):
            of_chain = {part: weights.get(chain, 0) for part, weights in parts.items()}
            rows |= _more(of_chain, rows | hidden, least) - hidden
        if size == len(rows) + len(columns):
            break
    return Hidden(above, hidden, frozenset(rows), frozenset(columns))


def _more(weights: Mapping[int, int], hidden: set[int] | frozenset[int], least: int) -> set[int]:
    """The smallest others that must be hidden with these, so that they hold enough together."""
    found = set(hidden)
    rest = sorted((weight, key) for key, weight in weights.items() if weight and key not in found)
    while rest and _stand_alone([weights.get(key, 0) for key in found], least):
        found.add(rest.pop(0)[1])
    return found - hidden
