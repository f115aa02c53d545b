"""Brings a live roll-up up to date by counting anew only what has changed since.

What changed is read off the record (`record.chain.changes_since`): each change of a watched row has its
event, written with it, so filing a problem costs nothing more and no two firms wait for each other. The
steps, as in `bulletins.rollup` over temporary tables:

1. the rows that changed, and those that count otherwise because of them (`indicators.FOLLOWS`);
2. what these count as now, and what the snapshot kept of them: by what differs the kept rows are put right;
3. the same differences, added up along the tree, are what the figures change by;
4. of distinct keys that are concerned, what stood at each unit and what stands there now is held against each
   other; of medians, the units concerned are counted from the kept rows;
5. figures that became nothing are blank or zero by whether the unit reports.

Where other than rows of the ledger changed, the tree or the frozen neighbours of the period, everything is
counted anew; and once a day, so that nothing that was written past the record stays unseen.
"""

from functools import lru_cache
from typing import Any

from django.db import connection, models
from django.db.models.expressions import RawSQL
from django.utils import timezone

from bulletins import rollup
from bulletins.indicators import (
    BASES,
    DEFINITION_VERSION,
    EVERY_ROW,
    FOLLOWS,
    Base,
    Indicator,
    Kind,
    Rows,
    Span,
    in_force,
    versions,
)
from bulletins.models import Period, Snapshot
from bulletins.rollup import (
    BASE_NUMBER,
    ENTITY_NUMBER,
    ROW,
    Composed,
    composed,
    insert,
    insert_composed,
    settle,
)
from enterprises.models import Bureau
from projects.models import Participation
from record import chain
from record.models import Event

CELL = "code VARCHAR(4), unit BIGINT, chain BIGINT, value BIGINT, above BIGINT, below BIGINT, late BIGINT"
TABLES = {name: rollup.TABLES[name] for name in ("rollup_above", "rollup_row", "rollup_reports")} | {
    "rollup_median": rollup.TABLES["rollup_median"],
    # Rows that changed, and all to look at, by the names of their models.
    "refresh_changed": "entity VARCHAR(40), row_id BIGINT",
    "refresh_rows": "entity VARCHAR(40), row_id BIGINT",
    # What the snapshot kept of them; what it lacks (+1) or has too much (-1).
    "refresh_kept": f"{ROW}, base INTEGER",
    "refresh_differs": f"{ROW}, base INTEGER, sign INTEGER",
    # How an indicator is made of its bases.
    "refresh_part": "code VARCHAR(4), base INTEGER, is_value INTEGER, is_above INTEGER, is_below INTEGER,"
    " is_late INTEGER",
    "refresh_indicator": "code VARCHAR(4) PRIMARY KEY, entity INTEGER, kind VARCHAR(6)",
    "refresh_distinct": "code VARCHAR(4), base INTEGER",
    "refresh_key": "base INTEGER, item BIGINT",
    "refresh_keyed": "code VARCHAR(4), bureau BIGINT, chain BIGINT, item BIGINT, was INTEGER, stands INTEGER",
    # By how much figures change; chain 0 stands for all chains.
    "refresh_cell": CELL,
    "refresh_unit": "unit BIGINT PRIMARY KEY",
}

KEPT = """
INSERT INTO refresh_kept (row_id, bureau, chain, item, late, amount, base)
SELECT c.row_id, c.bureau_id, c.chain_id, c.key, c.late, c.amount, %s
FROM (SELECT DISTINCT row_id FROM refresh_rows WHERE entity = %s) r
JOIN bulletins_countedrow c ON c.snapshot_id = %s AND c.base = %s AND c.row_id = r.row_id
"""

DIFFERS = """
INSERT INTO refresh_differs (row_id, bureau, chain, item, late, amount, base, sign)
SELECT row_id, bureau, chain, item, late, amount, base, SUM(sign) FROM (
    SELECT row_id, bureau, chain, item, late, amount, base, 1 AS sign FROM rollup_row
    UNION ALL
    SELECT row_id, bureau, chain, item, late, amount, base, -1 FROM refresh_kept
) r
GROUP BY row_id, bureau, chain, item, late, amount, base HAVING SUM(sign) <> 0
"""

FORGET = """
DELETE FROM bulletins_countedrow
WHERE snapshot_id = %s AND base = %s
AND row_id IN (SELECT row_id FROM refresh_differs WHERE base = %s AND sign < 0)
"""

KEEP = """
INSERT INTO bulletins_countedrow (snapshot_id, base, row_id, bureau_id, chain_id, key, late, amount)
SELECT %s, %s, row_id, bureau, chain, item, late, amount FROM refresh_differs WHERE base = %s AND sign > 0
"""

SUMS = """
INSERT INTO refresh_cell (code, unit, chain, value, above, below, late)
SELECT p.code, a.unit, d.chain, SUM(d.sign * d.amount * p.is_value), SUM(d.sign * d.amount * p.is_above),
    SUM(d.sign * d.amount * p.is_below), SUM(d.sign * d.amount * d.late * p.is_late)
FROM refresh_differs d JOIN refresh_part p ON p.base = d.base JOIN rollup_above a ON a.bureau = d.bureau
GROUP BY p.code, a.unit, d.chain
"""

# What went at one place and came at another is nothing for the units above both.
NOTHING = "DELETE FROM refresh_cell WHERE value = 0 AND above = 0 AND below = 0 AND late = 0"

ALL_CHAINS = """
INSERT INTO refresh_cell (code, unit, chain, value, above, below, late)
SELECT code, unit, 0, SUM(value), SUM(above), SUM(below), SUM(late) FROM refresh_cell GROUP BY code, unit
"""

KEYS = """
INSERT INTO refresh_key (base, item)
SELECT DISTINCT other.base, d.item
FROM refresh_differs d JOIN refresh_distinct p ON p.base = d.base
JOIN refresh_distinct other ON other.code = p.code
"""

KEYED = """
INSERT INTO refresh_keyed (code, bureau, chain, item, was, stands)
SELECT p.code, d.bureau, d.chain, d.item, CASE WHEN d.sign < 0 THEN 1 ELSE 0 END,
    CASE WHEN d.sign > 0 THEN 1 ELSE 0 END
FROM refresh_differs d JOIN refresh_distinct p ON p.base = d.base
"""

# The kept rows with the same keys, which did not change.
KEYED_ELSE = """
INSERT INTO refresh_keyed (code, bureau, chain, item, was, stands)
SELECT p.code, c.bureau_id, c.chain_id, c.key, 1, 1
FROM refresh_key k {counted}
JOIN refresh_distinct p ON p.base = k.base
WHERE k.base = %(number)s AND c.snapshot_id = %(snapshot)s AND c.base = %(base)s AND c.key = k.item
AND c.row_id NOT IN (SELECT row_id FROM refresh_differs WHERE base = %(number)s)
"""

DISTINCT = """
INSERT INTO refresh_cell (code, unit, chain, value, above, below, late)
SELECT code, unit, chain, SUM(stands - was), 0, 0, 0 FROM (
    SELECT k.code, a.unit, k.chain, k.item, MAX(k.was) AS was, MAX(k.stands) AS stands
    FROM refresh_keyed k JOIN rollup_above a ON a.bureau = k.bureau GROUP BY k.code, a.unit, k.chain, k.item
    UNION ALL
    SELECT k.code, a.unit, 0, k.item, MAX(k.was), MAX(k.stands)
    FROM refresh_keyed k JOIN rollup_above a ON a.bureau = k.bureau GROUP BY k.code, a.unit, k.item
) x
GROUP BY code, unit, chain HAVING SUM(stands - was) <> 0
"""

SAME_CELL = """
s.snapshot_id = %(snapshot)s AND s.bureau_id = c.unit AND s.indicator = c.code
AND COALESCE(s.chain_id, 0) = c.chain
"""

NEW_CELLS = f"""
INSERT INTO bulletins_statvalue
    (snapshot_id, indicator, bureau_id, chain_id, value, numerator, denominator, late)
SELECT %(snapshot)s, c.code, c.unit, c.chain, CASE WHEN i.kind <> 'ratio' THEN 0 END,
    CASE WHEN i.kind = 'ratio' THEN 0 END, CASE WHEN i.kind = 'ratio' THEN 0 END, 0
FROM refresh_cell c JOIN refresh_indicator i ON i.code = c.code
WHERE c.chain <> 0 AND (c.value > 0 OR c.below > 0)
AND NOT EXISTS (SELECT 1 FROM bulletins_statvalue s WHERE {SAME_CELL})
"""  # noqa: S608

CHANGE = """
UPDATE bulletins_statvalue SET {changes}
FROM refresh_cell c JOIN refresh_indicator i ON i.code = c.code
WHERE snapshot_id = %(snapshot)s AND bureau_id = c.unit AND indicator = c.code
AND COALESCE(chain_id, 0) = c.chain AND i.kind {kind} 'ratio'
"""
CHANGE_SUMS = CHANGE.format(
    changes="value = COALESCE(bulletins_statvalue.value, 0) + c.value,"
    " late = bulletins_statvalue.late + c.late",
    kind="<>",
)
CHANGE_RATIOS = CHANGE.format(
    changes="numerator = COALESCE(numerator, 0) + c.above, denominator = COALESCE(denominator, 0) + c.below,"
    " late = bulletins_statvalue.late + c.late",
    kind="=",
)

# What adds up to nothing has no rows: each adds more than nothing.
EMPTY_CELLS = f"""
DELETE FROM bulletins_statvalue WHERE id IN (
    SELECT s.id FROM bulletins_statvalue s JOIN refresh_cell c ON {SAME_CELL}
    WHERE (c.value < 0 OR c.below < 0) AND s.chain_id IS NOT NULL AND COALESCE(s.value, s.denominator) = 0
)
"""  # noqa: S608

OLD_MEDIANS = """
DELETE FROM bulletins_statvalue
WHERE snapshot_id = %(snapshot)s AND indicator = %(code)s AND bureau_id IN (SELECT unit FROM refresh_unit)
"""

# A unit that reports has zeroes, one that does not has blanks, where nothing was counted.
BLANKS = """
UPDATE bulletins_statvalue SET
    value = CASE WHEN i.kind IN ('ratio', 'median') THEN value WHEN {reports} THEN 0 END,
    numerator = CASE WHEN i.kind = 'ratio' AND {reports} THEN 0 END,
    denominator = CASE WHEN i.kind IN ('ratio', 'median') AND {reports} THEN 0 END
FROM refresh_indicator i
WHERE snapshot_id = %s AND chain_id IS NULL AND indicator = i.code
AND i.entity IN ({entities}) AND COALESCE(denominator, value, 0) = 0
AND (COALESCE(denominator, value) IS NOT NULL) <> {reports}
""".replace(
    "{reports}", "EXISTS (SELECT 1 FROM rollup_reports r WHERE r.entity = i.entity AND r.unit = bureau_id)"
)


def basis(period: Period) -> dict[str, Any]:
    """What a roll-up rests on beside the rows of the ledger, and up to where it has seen their changes.

    Read it in the moment in which the rows are counted.
    """
    span = Span.of(period)
    return {
        "seal": chain.head(),
        "day": timezone.localdate().isoformat(),
        "neighbours": [*(one.snapshot for one in span.late), 0, *span.taken],
        "definitions": [DEFINITION_VERSION, versions(in_force(period.end_on))],
    }


def _rests_on_another(snapshot: Snapshot, now: dict[str, Any]) -> bool:
    """Whether other than rows of the ledger changed, or the day."""
    return any(snapshot.basis.get(part) != now[part] for part in ("day", "neighbours", "definitions"))


def is_behind(snapshot: Snapshot) -> bool:
    """Whether anything has changed that may change its figures, or the day on which everything is counted."""
    if _rests_on_another(snapshot, basis(snapshot.period)):
        return True
    entities = [_named(Bureau), *map(_named, _followed())]
    return any(rows.filter(entity__in=entities).exists() for rows in _changes(snapshot))


def catch_up(snapshot: Snapshot) -> bool:
    """Bring figures and kept rows of a live roll-up up to date; False where it has to be counted anew.

    Call inside `rollup.consistent_moment`.
    """
    now = basis(snapshot.period)
    if _rests_on_another(snapshot, now):
        return False
    if _tree_changed(snapshot):
        return False
    changed = _changed_models(snapshot)
    if changed is None:
        return False
    if changed:
        with rollup.temporary_tables(TABLES), connection.cursor() as cursor:
            _Refresh(snapshot, cursor).run(changed)
    snapshot.basis = snapshot.basis | now
    return True


def _followed() -> dict[type[models.Model], dict[type[models.Model], tuple[str, ...]]]:
    """The ledgers that are counted, and those that they follow."""
    followed = dict(FOLLOWS)
    for leaders in FOLLOWS.values():
        for model in leaders:
            followed.setdefault(model, {})
    return followed


def _changes(snapshot: Snapshot) -> list[Any]:
    return chain.changes_since(snapshot.basis.get("seal", 0))


def _tree_changed(snapshot: Snapshot) -> bool:
    """Whether a bureau came, ended or moved; names are no matter."""
    for rows in _changes(snapshot):
        for kind, after in rows.filter(entity=_named(Bureau)).values_list("kind", "after"):
            if kind != Event.Kind.CHANGED or {"parent", "code", "valid_to"} & set(after):
                return True
    return False


def _changed_models(snapshot: Snapshot) -> list[type[models.Model]] | None:
    """The ledgers of which rows changed; None when there are rows without number."""
    known = {_named(model): model for model in _followed()}
    found: set[str] = set()
    for rows in _changes(snapshot):
        changed = rows.filter(entity__in=list(known))
        if changed.filter(row="").exists():
            return None
        found.update(changed.values_list("entity", flat=True).distinct())
    return [known[name] for name in found]


def _named(model: type[models.Model]) -> str:
    return model._meta.label_lower


def _rows_of(table: str, model: type[models.Model]) -> RawSQL:
    return RawSQL(f"SELECT row_id FROM {table} WHERE entity = %s", [_named(model)])  # noqa: S608, S611


def _is_looked_at(model: type[models.Model]) -> Any:
    """Whether a row is among those to look at.

    PostgreSQL is handed an array and looks each of them up; of a subquery it believes that every condition on
    the rows would have to be prepared anew for each, and reads whole tables instead.
    """
    if connection.vendor == "sqlite":
        return models.Q(pk__in=_rows_of("refresh_rows", model))
    return RawSQL(  # noqa: S611
        f"{model._meta.db_table}.id = ANY(ARRAY(SELECT row_id FROM refresh_rows WHERE entity = %s))",  # noqa: S608
        [_named(model)],
        output_field=models.BooleanField(),
    )


@lru_cache(maxsize=512)
def _counted_again(base: Base, span: Span) -> Composed:
    """What a base counts of the rows to look at."""
    return composed(base.counted(span).filter(_is_looked_at(base.model)))


class _Refresh:
    """One run over the temporary tables."""

    def __init__(self, snapshot: Snapshot, cursor: Any) -> None:
        self.snapshot, self.cursor = snapshot, cursor
        self.span = Span.of(snapshot.period)
        self.indicators = list(in_force(snapshot.period.end_on).values())
        names = dict.fromkeys(base for one in self.indicators for base in one.all_bases)
        self.bases = [BASES[name] for name in names]

    def run(self, changed: list[type[models.Model]]) -> None:
        touched = self._find_rows(changed)
        self._hold_against_kept(touched)
        self.cursor.execute("SELECT DISTINCT base FROM refresh_differs")
        differing = {number for (number,) in self.cursor.fetchall()}
        self.cursor.execute(rollup.TREE)
        settle(self.cursor, "rollup_above")
        self._describe_indicators()
        entities = {base.entity for base in self.bases if base.model in touched}
        for entity in entities:
            rollup.report(self.cursor, entity, self.span)
        settle(self.cursor, "rollup_reports")
        if differing:
            self._put_kept_rows_right(differing)
            self._change_figures(differing)
        numbers = ", ".join(str(ENTITY_NUMBER[entity]) for entity in entities) or "NULL"
        self.cursor.execute(BLANKS.replace("{entities}", numbers), [self.snapshot.pk])

    # --- Rows -----------------------------------------------------------------------------------------------

    def _find_rows(self, changed: list[type[models.Model]]) -> set[type[models.Model]]:
        """Note the rows to look at; returns their ledgers."""
        for rows in _changes(self.snapshot):
            named = rows.filter(entity__in=[_named(model) for model in changed])
            keys = named.annotate(key=RawSQL("CAST(record_event.row AS BIGINT)", []))
            insert(self.cursor, "refresh_changed", keys.values_list("entity", "key").distinct())
        settle(self.cursor, "refresh_changed")
        touched = set()
        for model, leaders in FOLLOWS.items():
            ways = [(leader, path) for leader in changed for path in leaders.get(leader, ())]
            if model in changed:
                self.cursor.execute(
                    "INSERT INTO refresh_rows SELECT entity, row_id FROM refresh_changed WHERE entity = %s",
                    [_named(model)],
                )
                touched.add(model)
            for leader, path in ways:
                rows = model._base_manager.order_by().annotate(entity=models.Value(_named(model)))
                if path != EVERY_ROW:
                    rows = rows.filter(**{f"{path}__in": _rows_of("refresh_changed", leader)})
                insert(self.cursor, "refresh_rows", rows.values_list("entity", "pk"))
                touched.add(model)
        if Participation in changed:
            self._find_members_of_firms_that_lead()
        settle(self.cursor, "refresh_rows")
        return touched

    def _find_members_of_firms_that_lead(self) -> None:
        """Who leads a project is no member of it: members follow the leaders of the same firm, as these
        are now and as they were kept."""
        lead = Participation.objects.filter(
            pk__in=_rows_of("refresh_changed", Participation), role=Participation.Role.LEADER
        )
        kept = RawSQL(
            "SELECT key FROM bulletins_countedrow WHERE snapshot_id = %s AND base = 'leaders'"
            " AND row_id IN (SELECT row_id FROM refresh_changed WHERE entity = %s)",
            [self.snapshot.pk, _named(Participation)],
        )
        firms: tuple[Any, ...] = (lead.values("organization"), kept)
        for some in firms:
            rows: Rows = Participation.objects.filter(organization__in=some).order_by()
            named = rows.annotate(entity=models.Value(_named(Participation)))
            insert(self.cursor, "refresh_rows", named.values_list("entity", "pk"))

    def _hold_against_kept(self, touched: set[type[models.Model]]) -> None:
        for base in self.bases:
            if base.model in touched:
                number = BASE_NUMBER[base.name]
                insert_composed(self.cursor, "rollup_row", _counted_again(base, self.span), number)
                self.cursor.execute(KEPT, [number, _named(base.model), self.snapshot.pk, base.name])
        self.cursor.execute(DIFFERS)
        settle(self.cursor, "refresh_differs")

    def _put_kept_rows_right(self, differing: set[int]) -> None:
        for base in self.bases:
            number = BASE_NUMBER[base.name]
            if number in differing:
                self.cursor.execute(FORGET, [self.snapshot.pk, base.name, number])
                self.cursor.execute(KEEP, [self.snapshot.pk, base.name, number])

    # --- Figures --------------------------------------------------------------------------------------------

    def _describe_indicators(self) -> None:
        parts, distinct = [], []
        for one in self.indicators:
            numbers = [BASE_NUMBER[name] for name in one.bases]
            if one.distinct:
                distinct += [(one.code, number) for number in numbers]
            elif one.kind == Kind.RATIO:
                parts += [(one.code, number, 0, 1, 0, 1) for number in numbers]
                parts.append((one.code, BASE_NUMBER[one.over], 0, 0, 1, 0))
            elif one.kind != Kind.MEDIAN:
                parts += [(one.code, number, 1, 0, 0, 1) for number in numbers]
        kinds = [(one.code, rollup.entity_number(one, self.span), one.kind) for one in self.indicators]
        for table, rows in (
            ("refresh_part", parts),
            ("refresh_distinct", distinct),
            ("refresh_indicator", kinds),
        ):
            marks = ", ".join(["%s"] * len(rows[0]))
            self.cursor.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)  # noqa: S608

    def _change_figures(self, differing: set[int]) -> None:
        snapshot = {"snapshot": self.snapshot.pk}
        self.cursor.execute(SUMS)
        self.cursor.execute(ALL_CHAINS)
        self._count_keys()
        self.cursor.execute(NOTHING)
        settle(self.cursor, "refresh_cell", "refresh_indicator")
        for statement in (NEW_CELLS, CHANGE_SUMS, CHANGE_RATIOS, EMPTY_CELLS):
            self.cursor.execute(statement, snapshot)
        for one in self.indicators:
            if one.kind == Kind.MEDIAN and BASE_NUMBER[one.bases[0]] in differing:
                self._count_median(one)

    def _count_keys(self) -> None:
        self.cursor.execute(KEYS)
        self.cursor.execute(KEYED)
        settle(self.cursor, "refresh_key")
        self.cursor.execute("SELECT DISTINCT base FROM refresh_key")
        for (number,) in self.cursor.fetchall():
            base = next(base for base in self.bases if BASE_NUMBER[base.name] == number)
            values: dict[str, Any] = {"snapshot": self.snapshot.pk, "base": base.name, "number": number}
            counted = "JOIN bulletins_countedrow c ON c.key = k.item"
            if base.key in {field.name for field in base.model._meta.fields}:
                # By the index of the ledger; what has the key no longer is among what differs. SQLite goes in
                # the order of a CROSS JOIN; it would rather look through all that was counted for each key.
                field: Any = base.model._meta.get_field(base.key)
                counted = (
                    f"CROSS JOIN {base.model._meta.db_table} m JOIN bulletins_countedrow c"
                    f" ON m.{field.column} = k.item AND c.row_id = m.id"
                )
            self.cursor.execute(KEYED_ELSE.format(counted=counted), values)
        self.cursor.execute(DISTINCT)

    def _count_median(self, indicator: Indicator) -> None:
        (name,) = indicator.bases
        self.cursor.execute("DELETE FROM refresh_unit")
        self.cursor.execute(
            "INSERT INTO refresh_unit SELECT DISTINCT a.unit FROM refresh_differs d"
            " JOIN rollup_above a ON a.bureau = d.bureau WHERE d.base = %s",
            [BASE_NUMBER[name]],
        )
        rows = (
            "SELECT bureau_id AS bureau, chain_id AS chain, amount, late FROM bulletins_countedrow"  # noqa: S608
            f" WHERE snapshot_id = {self.snapshot.pk} AND base = '{name}'"
        )
        among = "{unit} IN (SELECT unit FROM refresh_unit)"
        names = {
            "snapshot": self.snapshot.pk,
            "code": indicator.code,
            "entity": rollup.entity_number(indicator, self.span),
        }
        self.cursor.execute("DELETE FROM rollup_median")
        self.cursor.execute(rollup.MEDIANS.format(rows=rows, among=among.format(unit="a.unit")))
        self.cursor.execute(OLD_MEDIANS, names)
        self.cursor.execute(rollup.STORE_MEDIANS.format(among=among.format(unit="b.id")), names)
