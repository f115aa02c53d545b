"""What a user may see: whole bureau subtrees and single organisations (design decision 3)."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import reduce
from operator import or_
from typing import Any, Protocol

from django.db.models import Q

NOTHING = Q(pk__in=[])


class HasPath(Protocol):
    path: Any


@dataclass(frozen=True)
class Scope:
    """``bureau_paths`` are the paths of the widest subtrees that a bureau role covers; ``organization_ids``
    the organisations for which the user acts; ``everything`` stands for the whole tree."""

    bureau_paths: tuple[str, ...] = ()
    organization_ids: frozenset[int] = field(default_factory=frozenset)
    everything: bool = False

    def within(self, path_lookup: str) -> Q:
        """Rows whose bureau path, reached by ``path_lookup``, lies in one of the subtrees."""
        return reduce(or_, (Q(**{f"{path_lookup}__startswith": path}) for path in self.bureau_paths), NOTHING)

    def covers(self, bureau: HasPath) -> bool:
        return self.everything or any(bureau.path.startswith(path) for path in self.bureau_paths)


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
