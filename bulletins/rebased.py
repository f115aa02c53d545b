"""Earlier figures in the boundaries of now: rows that a frozen snapshot kept, counted anew for units of now.

Distinct things and medians come of the rows and never of sums. A bureau that was merged lies below its
successor, so the tree of now says where its rows belong. Of one that was split up nothing kept tells which
successor a row belongs to: where not all successors lie in the unit, there is no figure.
"""

from collections.abc import Collection, Sequence

from django.core.cache import cache
from django.db import models
from django.utils.translation import gettext_lazy as _

from bulletins import figures, trees
from bulletins.behind import Place, Side
from bulletins.figures import NOT_REPORTED, Value
from bulletins.indicators import Base, Rows
from bulletins.models import Snapshot, StatValue
from enterprises.models import BoundaryChange, Bureau, IndustryChain

# Neither a frozen snapshot nor a change that was carried out is ever changed.
REMEMBERED = 24 * 60 * 60
# Of a unit and those below it.
NOTES = 8


class Boundaries(models.TextChoices):
    """In which boundaries the figures of earlier periods are told."""

    THEN = "then", _("按当时的区划")
    NOW = "now", _("按现在的区划")


class RebasedSide(Side):
    """The rows that a frozen snapshot kept, placed in the tree of now."""

    def rows(self, base: Base, place: Place | None = None) -> Rows:
        rows = super().rows(base)
        return place.among(rows, None) if place else rows


def of_unit(
    snapshot: Snapshot, bureau: Bureau, codes: Collection[str], chain: IndustryChain | None
) -> dict[str, Value]:
    """The figures of a unit as it is now; those that cannot be told are left out."""
    if not snapshot.version or not trees.has_other_bureaus(snapshot, bureau):
        return figures.of_unit(snapshot, bureau, codes, chain)
    if not can_be_told(snapshot, bureau):
        return {}
    newest = BoundaryChange.objects.done().order_by("-ended_at").values_list("pk", flat=True).first()
    state = f"{snapshot.pk}:{snapshot.counted_hash[:16]}:{newest}"
    key = f"rebased:{state}:{bureau.pk}:{chain.pk if chain else 0}:{','.join(sorted(codes))}"
    found: dict[str, Value] | None = cache.get(key)
    if found is None:
        found = _counted(snapshot, Place(bureau, chain), codes)
        cache.set(key, found, REMEMBERED)
    return found


def _counted(snapshot: Snapshot, place: Place, codes: Collection[str]) -> dict[str, Value]:
    side, known = RebasedSide(snapshot), figures.definitions(snapshot)
    # Rows do not tell who reports nothing; the figures of the units of then do.
    reported = set(
        StatValue.objects.filter(
            models.Q(value__isnull=False) | models.Q(denominator__isnull=False),
            snapshot=snapshot,
            chain=None,
            bureau__in=Bureau.objects.within(place.bureau).values("pk"),
        )
        .order_by()
        .values_list("indicator", flat=True)
        .distinct()
    )
    return {
        code: side.figure(known[code], place) if code in reported else NOT_REPORTED
        for code in codes
        if code in known
    }


def can_be_told(snapshot: Snapshot, bureau: Bureau) -> bool:
    """Whether of each bureau that was split up since all successors lie in the unit, or none."""
    split = BoundaryChange.objects.done().filter(kind=BoundaryChange.Kind.SPLIT)
    within = set(Bureau.objects.within(bureau).values_list("pk", flat=True))
    for change in split.filter(ended_at__gt=snapshot.created_at).prefetch_related("parts"):
        units = {part.bureau_id for part in change.parts.all()}
        if units & within and not units <= within:
            return False
    return True


def series(
    snapshots: Sequence[Snapshot], bureau: Bureau, codes: Collection[str], chain: IndustryChain | None
) -> list[dict[str, Value]]:
    """The figures of a unit as it is now in several snapshots, in their order."""
    return [of_unit(snapshot, bureau, codes, chain) for snapshot in snapshots]


def changes_of(bureau: Bureau) -> list[BoundaryChange]:
    """What changed of a unit and of those below it, the newest first."""
    rows = BoundaryChange.objects.done().of(Bureau.objects.within(bureau))
    return list(rows.prefetch_related("parts__bureau").order_by("-effective_on", "-pk")[:NOTES])
