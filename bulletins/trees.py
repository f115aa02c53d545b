"""The tree in which a snapshot's figures stand: of a frozen one as it was at its freeze, else as it is now.

What somebody may see is asked of the tree of now, so the `Bureau` rows given out here keep the path of now;
they are named and placed as they were, and are for reading only.

Bureaus that had ended by the freeze are kept as well: what they did counts at the unit above them. They are
no units: nothing gives them out but `line`, `within` and `paths`.
"""

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from django.db import connection
from django.db.models import Q, QuerySet
from django.db.models.functions import Length

from bulletins.models import Snapshot, SnapshotUnit
from enterprises.models import BoundaryChange, Bureau

KEPT = ("name", "short_name", "level", "parent_id", "is_separately_planned")
KEEP = """
INSERT INTO bulletins_snapshotunit
    (snapshot_id, bureau_id, parent_id, code, name, short_name, level, path, is_separately_planned, has_ended)
SELECT %s, id, parent_id, code, name, short_name, level, path, is_separately_planned, valid_to IS NOT NULL
FROM enterprises_bureau
"""


def keep(snapshot: Snapshot) -> None:
    """Store the tree of now with a snapshot that is being frozen."""
    SnapshotUnit.objects.filter(snapshot=snapshot).delete()
    with connection.cursor() as cursor:
        cursor.execute(KEEP, [snapshot.pk])


def units(snapshot: Snapshot, *conditions: Q, **condition: Any) -> list[Bureau]:
    """The units of the tree to which conditions on their own columns apply, in code order."""
    if not snapshot.version:
        return list(Bureau.objects.in_force().filter(*conditions, **condition).order_by("code"))
    return _restored(_standing(snapshot).filter(*conditions, **condition).order_by("code"))


def _standing(snapshot: Snapshot) -> QuerySet[SnapshotUnit]:
    """The units that stood at a freeze."""
    return SnapshotUnit.objects.filter(snapshot=snapshot, has_ended=False)


def _restored(rows: QuerySet[SnapshotUnit]) -> list[Bureau]:
    found = []
    for unit in rows.select_related("bureau"):
        for name in KEPT:
            setattr(unit.bureau, name, getattr(unit, name))
        found.append(unit.bureau)
    return found


def line(snapshot: Snapshot, bureau: Bureau) -> list[Bureau]:
    """The units over one as they stood then, the nearest last, and itself; of one that was not there yet,
    itself alone."""
    if not snapshot.version:
        return [*Bureau.objects.above(bureau), bureau]
    codes = path_of(snapshot, bureau).split("/")[:-1]
    rows = SnapshotUnit.objects.filter(snapshot=snapshot, code__in=codes)
    found = _restored(rows.order_by(Length("path"))) if codes else [bureau]
    for superior, unit in pairwise(found):
        unit.parent = superior
    return found


def as_of(snapshot: Snapshot, bureau: Bureau) -> Bureau:
    """A unit, and those above it, as they stood then; as it is where there was none yet."""
    return line(snapshot, bureau)[-1] if snapshot.version else bureau


def below(snapshot: Snapshot, bureau: Bureau) -> list[Bureau]:
    """The units that report to one."""
    return units(snapshot, parent=bureau)


def path_of(snapshot: Snapshot, bureau: Bureau) -> str:
    """Where the unit stood; empty where there was none."""
    if not snapshot.version:
        return bureau.path
    # A frozen tree never changes: asked once for the snapshot at hand.
    known: dict[int, str] = snapshot.__dict__.setdefault("_paths", {})
    if bureau.pk not in known:
        kept = SnapshotUnit.objects.filter(snapshot=snapshot, bureau=bureau)
        known[bureau.pk] = next(iter(kept.values_list("path", flat=True)[:1]), "")
    return known[bureau.pk]


def within(snapshot: Snapshot, bureau: Bureau) -> QuerySet[Any, Any]:
    """The keys of the unit and everything below it, with what was merged into these."""
    if not snapshot.version:
        return Bureau.objects.within(bureau).order_by().values("pk")
    if path := path_of(snapshot, bureau):
        kept = SnapshotUnit.objects.filter(snapshot=snapshot, path__startswith=path)
        return kept.order_by().values("bureau")
    return Bureau.objects.none().values("pk")


def kept(snapshot: Snapshot) -> QuerySet[Any, Any]:
    """The keys of all units that stood at a freeze."""
    return _standing(snapshot).order_by().values("bureau")


def paths(snapshot: Snapshot) -> dict[int, str]:
    """Where every unit stood, and what was merged into these, by its key."""
    if not snapshot.version:
        return dict(Bureau.objects.values_list("pk", "path"))
    return dict(SnapshotUnit.objects.filter(snapshot=snapshot).values_list("bureau", "path"))


def names(snapshot: Snapshot, bureaus: Iterable[Bureau]) -> dict[int, str]:
    """What units were called in tables, by their keys; those that came later by the name of now."""
    found = {bureau.pk: bureau.short_name for bureau in bureaus}
    if snapshot.version:
        kept = SnapshotUnit.objects.filter(snapshot=snapshot, bureau__in=list(found))
        found |= dict(kept.values_list("bureau", "short_name"))
    return found


def _changes_since(snapshot: Snapshot) -> QuerySet[BoundaryChange]:
    """Changes that its tree may lack."""
    done = BoundaryChange.objects.done().exclude(kind=BoundaryChange.Kind.RENAME)
    return done.filter(ended_at__gt=snapshot.created_at)


def has_other_ground(snapshot: Snapshot, bureau: Bureau) -> bool:
    """Whether a unit has other bureaus below it now than at the freeze."""
    if not (snapshot.version and _changes_since(snapshot).exists()):
        return False
    then = _standing_within(snapshot, bureau)
    now = set(Bureau.objects.in_force().within(bureau).values_list("pk", flat=True))
    ground = _ground(_changes_since(snapshot))
    return {ground.get(unit, unit) for unit in then} != {ground.get(unit, unit) for unit in now}


def has_other_bureaus(snapshot: Snapshot, bureau: Bureau) -> bool:
    """Whether the unit, with what was merged into it, holds other bureaus now than at the freeze."""
    if not _changes_since(snapshot).exists():
        return False
    now = set(Bureau.objects.within(bureau).values_list("pk", flat=True)) & {
        row["bureau"] for row in kept(snapshot)
    }
    return now != _standing_within(snapshot, bureau)


def _standing_within(snapshot: Snapshot, bureau: Bureau) -> set[int]:
    """The keys of what `within` tells, without bureaus that had ended."""
    standing = kept(snapshot).filter(bureau__in=within(snapshot, bureau))
    return {row["bureau"] for row in standing}


def divided_otherwise(one: Snapshot, other: Snapshot) -> frozenset[int]:
    """The units of the first tree whose parts cover other ground than they do in the second.

    Bureaus that were merged or split up into each other are the same ground; where several parts of a unit
    have a share in it, nobody knows what each covers.
    """
    changes = _changes_since(one).filter(ended_at__lte=other.finished_at)
    if not changes.exists():
        return frozenset()
    lines = [_standing(side).values_list("bureau", "parent") for side in (one, other)]
    ground = _ground(changes)
    then, now = (_parts(dict(line), ground) for line in lines)
    return frozenset(whole for whole, parts in then.items() if not _are_the_same(parts, now.get(whole, [])))


def _are_the_same(parts: list[frozenset[int]], others: list[frozenset[int]]) -> bool:
    return set(parts) == set(others) and all(
        sum(map(len, side)) == len(frozenset[int]().union(*side)) for side in (parts, others)
    )


def _ground(changes: QuerySet[BoundaryChange]) -> dict[int, int]:
    """The bureaus that were merged or split up, with one of those that are the same ground."""
    found: dict[int, int] = {}
    ordered = changes.filter(kind__in=["merge", "split"]).order_by("ended_at", "pk")
    for change in ordered.prefetch_related("parts"):
        units = {part.bureau_id for part in change.parts.all() if part.bureau_id}
        together = {found.get(unit, unit) for unit in units}
        first = min(together)
        found |= {unit: first for unit, of in found.items() if of in together}
        found |= dict.fromkeys(units, first)
    return found


def _parts(parents: dict[int, int | None], ground: dict[int, int]) -> dict[int, list[frozenset[int]]]:
    """What each part of each unit covers."""
    covered: dict[int, set[int]] = {unit: set() for unit in parents}
    for unit in parents:
        above: int | None = unit
        while above is not None:
            covered[above].add(ground.get(unit, unit))
            above = parents[above]
    found: dict[int, list[frozenset[int]]] = {}
    for unit, parent in parents.items():
        if parent is not None:
            found.setdefault(parent, []).append(frozenset(covered[unit]))
    return found
