"""What a figure says of itself when it is asked: the rows by which it differs, and whether it still holds."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import groupby
from typing import Any

from django.core.cache import cache
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from bulletins import behind, figures, trees
from bulletins.behind import Change, Differences, Place, Side, Told
from bulletins.indicators import BASES, Indicator, Kind, Span
from bulletins.models import Snapshot
from bulletins.row_lists import ROW_LISTS
from common import formats
from common.listing import Row
from common.scope import system_job
from enterprises.models import Bureau, IndustryChain

# More rows than these nobody reads; whoever wants them goes to the units below.
CHANGES_LISTED = 2_000
VERDICT_FOR = 5 * 60
UNTOUCHED_FOR = 60 * 60


@dataclass(frozen=True)
class Described:
    """A row that came, went or changed, as its reader is told of it."""

    kind: str
    kind_code: str
    part: str
    cell: SafeString
    name: str
    code: str
    unit: str
    why: str


class Changes:
    """The rows by which a figure differs between two sides, put into words for a reader."""

    def __init__(self, user: Any, indicator: Indicator, place: Place, before: Side, after: Side) -> None:
        self.user, self.indicator, self.place = user, indicator, place
        self.before, self.after = before, after

        # How many rows differ is for those whose scope covers the place; others read of their own.
        self.is_counted = behind.covers(user, place)
        self._differences = Differences(indicator, place, before, after)

    @cached_property
    def _listed(self) -> list[Change]:
        with system_job("compare the rows of a figure"):
            return self._differences.first(CHANGES_LISTED)

    @cached_property
    def _counts(self) -> dict[behind.Kinds, int]:
        with system_job("count the rows by which a figure differs"):
            return self._differences.counts

    @cached_property
    def any(self) -> bool:
        """Whether the sides differ by any row."""
        if self.is_counted:
            return any(self._counts.values())
        with system_job("whether any row of a figure differs"):
            return self._differences.any

    @property
    def counts(self) -> list[tuple[str, str, int]]:
        """How many came, went and changed; nothing for those outside whose scope rows may lie."""
        if not self.is_counted:
            return []
        return [(kind.value, str(kind.label), n) for kind, n in self._counts.items()]

    @property
    def is_cut(self) -> bool:
        return len(self._listed) == CHANGES_LISTED and (
            not self.is_counted or sum(self._counts.values()) > CHANGES_LISTED
        )

    @cached_property
    def described(self) -> list[Described]:
        """Those of the first rows that the reader may see."""
        listed = self._listed
        self._names: dict[int, str] = trees.names(self.before.snapshot, Bureau.objects.all())
        self._chains: dict[int, str] = dict(IndustryChain.objects.values_list("pk", "name"))
        by_base = sorted(listed, key=lambda change: change.base)
        found: dict[Change, Described] = {}
        for base, changes in groupby(by_base, key=lambda change: change.base):
            found |= dict(self._of_base(base, list(changes)))
        return [found[change] for change in listed if change in found]

    @property
    def hidden(self) -> int:
        """Rows among the first that the reader may not see, or that are not there any more."""
        return len(self._listed) - len(self.described) if self.is_counted else 0

    def _of_base(self, name: str, changes: list[Change]) -> Iterator[tuple[Change, Described]]:
        base = BASES[name]
        days = Span(self.before.snapshot.period.start_on, self.before.snapshot.period.end_on)
        shown = {change.row: change.row for change in changes}
        if base.shown != "pk":
            parts: Any = base.rows(days).model._base_manager
            shown = dict(parts.filter(pk__in=shown).values_list("pk", base.shown))
        model = base.listed
        title = ROW_LISTS[model][0]
        paths = dict.fromkeys((*title.paths, *(title.sub.paths if title.sub else ())))
        fates = _fates(model)
        rows = model._default_manager.visible_to(self.user).filter(pk__in=set(shown.values()))
        visible = {row["pk"]: row for row in rows.values("pk", *paths, *fates)}
        with system_job("where a row counts on the other side"):
            away = behind.elsewhere((c.row for c in changes if c.now is None), base, self.after)
            hence = behind.elsewhere((c.row for c in changes if c.was is None), base, self.before)
        draw, write = title.drawer(), title.writer()
        code = title.sub.writer() if title.sub else None
        for change in changes:
            row = visible.get(shown.get(change.row, 0))
            told = change.now or change.was
            if row is None or told is None:
                continue
            yield (
                change,
                Described(
                    str(change.kind.label),
                    change.kind.value,
                    self._part(name),
                    mark_safe(draw(row)),
                    write(row),
                    code(row) if code else "",
                    self._names[told.unit],
                    self._why(change, row, away.get(change.row), hence.get(change.row)),
                ),
            )

    def _part(self, base: str) -> str:
        if self.indicator.kind != Kind.RATIO:
            return ""
        return _("分母") if base == self.indicator.over else _("分子")

    def _why(self, change: Change, row: Row, away: Told | None, hence: Told | None) -> str:
        if change.was and change.now:
            return formats.listed(self._otherwise(change.was, change.now))
        if change.now and hence:
            return _("原计入 %(place)s") % {"place": self._where(hence)}
        if change.was and away:
            return _("改计入 %(place)s") % {"place": self._where(away)}
        if self.before.snapshot.period_id != self.after.snapshot.period_id:
            return _("计入的期间不同")
        return _("新计入") if change.now else self._fate(row)

    def _fate(self, row: Row) -> str:
        """Why a row went, as far as it is known that it was so on the later side."""
        side = self.after
        for path, value in row.items():
            end = path.rpartition("__")[2]
            if end == "voided_at" and value and (not side.is_kept or value <= side.snapshot.finished_at):
                return _("已作废")
            # Nobody knows since when.
            if end == "is_test" and value and not side.is_kept:
                return _("已标为测试")
        return _("不再符合口径")

    def _where(self, told: Told) -> str:
        return f"{self._names[told.unit]} · {self._chains[told.chain]}"

    def _otherwise(self, was: Told, now: Told) -> Iterator[str]:
        """What is told of the row otherwise than before."""
        for label, one, other, names in (
            (_("单位"), was.unit, now.unit, self._names),
            (_("产业链"), was.chain, now.chain, self._chains),
        ):
            if one != other:
                yield _("%(what)s：%(was)s → %(now)s") % {
                    "what": label,
                    "was": names[one],
                    "now": names[other],
                }
        if was.amount != now.amount:
            yield _("%(what)s：%(was)s → %(now)s") % {
                "what": _("数量"),
                "was": figures.text(self.indicator, self._amount(was)),
                "now": figures.text(self.indicator, self._amount(now)),
            }
        if was.key != now.key:
            yield _("去重标识不同")

    def _amount(self, told: Told) -> Any:
        """What one row adds, as an exact number."""
        if self.indicator.kind == Kind.MEDIAN:
            return told.amount
        return figures.number(self.indicator, figures.Value(told.amount))


def _fates(model: Any) -> list[str]:
    """The fields by which a row, or what it belongs to, does not count."""
    names = ("voided_at", "is_test")
    found = [field.name for field in model._meta.fields if field.name in names]
    for whole in ("project", "key_project", "organization"):
        if any(field.name == whole for field in model._meta.fields):
            found += [f"{whole}__{name}" for name in _fates(model._meta.get_field(whole).related_model)]
    return found


@dataclass(frozen=True)
class Verdict:
    """What everybody is told of a figure that was counted anew."""

    agrees: bool
    is_whole: bool
    tree_changed: bool
    at: datetime


@dataclass(frozen=True)
class Recounted:
    """A stored figure, what the rows make now, and what those make that were kept at the freeze."""

    headline: figures.Headline
    now: figures.Value
    kept: figures.Value
    has_changes: bool

    @property
    def indicator(self) -> Indicator:
        return self.headline.indicator

    @property
    def stored(self) -> figures.Value:
        return self.headline.figure

    @property
    def agrees(self) -> bool:
        return not self.has_changes and behind.same(self.stored, self.now)

    @property
    def is_whole(self) -> bool:
        """Whether the kept rows still make the stored figure."""
        return behind.same(self.stored, self.kept)

    @property
    def now_text(self) -> str:
        # Rows do not tell who reports nothing from who has nothing.
        blank = behind.same(self.stored, self.now) and self.stored.value is None
        now = self.stored if blank else self.now
        return figures.text(self.indicator, figures.number(self.indicator, now))

    @property
    def now_parts(self) -> str:
        return figures.parts(self.indicator, self.now)


def recount(snapshot: Snapshot, indicator: Indicator, place: Place, changes: Changes) -> Recounted:
    """A figure counted anew; ``changes`` are those between what was kept and what counts now."""
    line = figures.headline(snapshot, place.bureau, [indicator.code], place.chain)[0]
    with system_job("count a figure anew"):
        is_kept = changes.before.is_kept
        return Recounted(
            line,
            changes.after.figure(indicator, place),
            changes.before.figure(indicator, place) if is_kept else line.figure,
            changes.any if is_kept else False,
        )


def verdict(snapshot: Snapshot, found: Recounted, place: Place) -> Verdict:
    """What a recount says. Kept rows that do not make their figure are an alarm; that the ground of the unit
    is another one than at the freeze explains a difference."""
    tree_changed = trees.has_other_ground(snapshot, place.bureau)
    return Verdict(found.agrees, found.is_whole, tree_changed, timezone.now())


def told_verdict(user: Any, snapshot: Snapshot, indicator: Indicator, place: Place) -> Verdict:
    """The verdict for those who read nothing else of it, counted once in some minutes for all of them."""
    chain = place.chain.pk if place.chain else 0
    key = f"verdict:{snapshot.pk}:{place.bureau.pk}:{indicator.code}:{chain}"
    known: Verdict | None = cache.get(key)
    if known is None:
        changes = Changes(user, indicator, place, Side(snapshot), Side(snapshot, now=True))
        known = verdict(snapshot, recount(snapshot, indicator, place, changes), place)
        cache.set(key, known, VERDICT_FOR)
    return known


def can_recount(snapshot: Snapshot, indicator: Indicator) -> bool:
    """Whether the definition by which the snapshot counted is still known."""
    return snapshot.definitions.get(indicator.code, indicator.version) == indicator.version
