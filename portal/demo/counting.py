"""What the roll-up of a period will say of a few units, counted before a worker has made it."""

from collections.abc import Iterable

from bulletins.behind import Place, Side
from bulletins.figures import NOT_REPORTED, Value
from bulletins.indicators import BASES, Indicator, Kind, Span, in_force, reporting
from bulletins.models import Period, Snapshot
from enterprises.models import Bureau


class Counted:
    """The figures of units below ``whole``; its rows are read once for all of them."""

    def __init__(self, period: Period, whole: Bureau) -> None:
        self.span = Span.of(period)
        self.definitions = in_force(self.span.end_on)
        self._paths = dict(Bureau.objects.within(whole).values_list("pk", "path"))
        side, place = Side(Snapshot(period=period), now=True), Place(whole)
        bases = {name for one in self.definitions.values() for name in one.all_bases}
        self._rows = {
            name: list(side.rows(BASES[name], place).values_list("unit", "item", "adding")) for name in bases
        }
        self._kept = {
            entity: {
                self._paths[pk]
                for pk in reporting(entity, self.span)
                .filter(bureau__in=list(self._paths))
                .order_by()
                .values_list("bureau", flat=True)
                .distinct()
            }
            for entity in {one.entity for one in self.definitions.values()}
        }

    def of(self, unit: Bureau) -> dict[str, list[int | None]]:
        """As a submission keeps them."""
        return {code: list(self._figure(one, unit.path).stated) for code, one in self.definitions.items()}

    def _figure(self, indicator: Indicator, path: str) -> Value:
        is_kept = any(kept.startswith(path) for kept in self._kept[indicator.entity])
        if not is_kept or not indicator.applies_to(self.span.end_on):
            return NOT_REPORTED
        rows = self._at(path, indicator.bases)
        if indicator.kind == Kind.RATIO:
            return Value(numerator=len(rows), denominator=len(self._at(path, [indicator.over])))
        if indicator.distinct:
            return Value(len({item for item, _adding in rows}))
        amounts = sorted(adding for _item, adding in rows)
        if indicator.kind == Kind.MEDIAN:
            middle = amounts[(len(amounts) - 1) // 2 : len(amounts) // 2 + 1]
            return Value(sum(middle) * 2 // len(middle) if middle else None, denominator=len(amounts))
        return Value(sum(amounts))

    def _at(self, path: str, bases: Iterable[str]) -> list[tuple[int, int]]:
        return [
            (item, adding)
            for base in bases
            for unit, item, adding in self._rows[base]
            if self._paths[unit].startswith(path)
        ]
