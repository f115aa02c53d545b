"""What a user may see: whole bureau subtrees and single organisations (design decision 3)."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import reduce
from operator import or_
from typing import Any, NamedTuple, Protocol

from django.db.models import Q

NOTHING = Q(pk__in=[])


class HasPath(Protocol):
    path: Any


class Reach(NamedTuple):
    """A bureau subtree of which one industrial chain only is seen."""

    path: str
    chain_id: int


@dataclass(frozen=True)
class Scope:
    """``bureau_paths`` are the paths of the widest subtrees that a bureau role covers; ``reaches`` those
    that one covers for a single chain; ``organization_ids`` the organisations for which the user acts;
    ``everything`` stands for the whole tree with all its chains. ``person_id`` is the user's own key, for
    rows that belong to a person; people of bureaus have none such."""

    bureau_paths: tuple[str, ...] = ()
    organization_ids: frozenset[int] = field(default_factory=frozenset)
    everything: bool = False
    reaches: tuple[Reach, ...] = ()
    person_id: int | None = None

    @property
    def is_of_bureau(self) -> bool:
        """Whether any of it comes from a bureau role."""
        return self.everything or bool(self.bureau_paths or self.reaches)

    def within(self, path_lookup: str, chain_lookup: str = "") -> Q:
        """Rows whose bureau path, reached by ``path_lookup``, lies in one of the subtrees.

        Of a subtree seen for one chain, the rows of that chain; none where rows have no chain to look up.
        """
        seen = [Q(**{f"{path_lookup}__startswith": path}) for path in self.bureau_paths]
        if chain_lookup:
            seen += [
                Q(**{f"{path_lookup}__startswith": reach.path, chain_lookup: reach.chain_id})
                for reach in self.reaches
            ]
        return reduce(or_, seen, NOTHING)

    def covers(self, bureau: HasPath, chain_id: int | None = None) -> bool:
        """Whether all of the bureau's rows are seen, or all of its rows of a chain."""
        return (
            self.everything
            or any(bureau.path.startswith(path) for path in self.bureau_paths)
            or any(
                reach.chain_id == chain_id and bureau.path.startswith(reach.path) for reach in self.reaches
            )
        )


class Viewer(Protocol):
    """Whoever asks for rows; lower layers know no more of a user than this."""

    @property
    def scope(self) -> Scope: ...


def widest(paths: Iterable[str]) -> tuple[str, ...]:
    """Drop every path that lies under another one."""
    kept: list[str] = []
    for path in sorted(paths):
        if not kept or not path.startswith(kept[-1]):
            kept.append(path)
    return tuple(kept)


def widest_reaches(reaches: Iterable[Reach], paths: Iterable[str]) -> tuple[Reach, ...]:
    """Drop what lies under one of the paths, which are seen for every chain, or under the same chain's."""
    whole = tuple(paths)
    by_chain: dict[int, set[str]] = {}
    for reach in reaches:
        if not reach.path.startswith(whole):
            by_chain.setdefault(reach.chain_id, set()).add(reach.path)
    return tuple(Reach(path, chain) for chain in sorted(by_chain) for path in widest(by_chain[chain]))
