"""What a user may see and do, derived from the grants in force (design decision 3)."""

from dataclasses import dataclass, field
from functools import reduce
from operator import or_

from django.db.models import Q


@dataclass(frozen=True)
class Scope:
    """The rows of a user: whole bureau subtrees and single organisations.

    ``bureau_paths`` are the paths of the subtrees that a bureau role covers, the widest only.
    ``organization_ids`` are the organisations for which the user acts.
    """

    bureau_paths: tuple[str, ...] = ()
    organization_ids: frozenset[int] = field(default_factory=frozenset)
    everything: bool = False

    @property
    def empty(self) -> bool:
        return not (self.everything or self.bureau_paths or self.organization_ids)

    def within(self, path_lookup: str) -> Q:
        """Rows whose bureau, reached by ``path_lookup``, lies in one of the user's subtrees."""
        return reduce(or_, (Q(**{f"{path_lookup}__startswith": path}) for path in self.bureau_paths), NOTHING)

    def covers(self, bureau) -> bool:
        return self.everything or any(bureau.path.startswith(path) for path in self.bureau_paths)


NOTHING = Q(pk__in=[])
NO_SCOPE = Scope()


def widest(paths) -> tuple[str, ...]:
    """Drop every path that lies under another one."""
    kept: list[str] = []
    for path in sorted(paths):
        if not kept or not path.startswith(kept[-1]):
            kept.append(path)
    return tuple(kept)
