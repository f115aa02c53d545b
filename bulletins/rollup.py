"""Compiles the indicator catalogue to SQL and stores the figures of all units at once (design decision 6).

The statements run unchanged on SQLite and PostgreSQL, inside one transaction, over temporary tables:

1. the ledger rows that each base counts, selected by the querysets of the catalogue;
2. what they add up to for each bureau itself, by chain;
3. the same for every unit, by adding up what lies below it;
4. for indicators of distinct keys, how often step 3 counted a key again;
5. the stored figures: step 3 less step 4, zero where nothing was counted, null where nothing is reported;
6. ratios, which are two figures of step 3, and medians, for which the rows of all units and levels stand in
   the order of their amounts and the one or two in the middle are taken.

Distinct keys are not additive (`domain.md` 5.4 rule 1), and counting them anew for each level would sort
every row once per level. Step 4 sorts each once: let the rows of a key stand in the order of the tree, depth
first. A unit holds a run of neighbours in that order, and it holds two neighbours exactly when it stands
at or above their lowest common unit. So among the n rows that a unit holds there are n - 1 such pairs; taking
away one for every pair at its lowest common unit leaves 1 for each unit that holds the key at all.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, TypeAlias

from django.db import connection, transaction
from django.db.models import OuterRef, Subquery

from bulletins import trees
from bulletins.indicators import (
    BASES,
    DECLARED,
    Base,
    Indicator,
    Kind,
    Rows,
    Span,
    in_force,
    reporting,
    versions,
)
from bulletins.models import CountedRow, Snapshot, SnapshotUnit, StatValue
from enterprises.models import Bureau

# A statement of the ORM with its parameters.
Composed: TypeAlias = tuple[str, tuple[Any, ...]]

BASE_NUMBER = {name: number for number, name in enumerate(BASES)}
# Indicators over several bases read their sum under a number of its own.
UNIONS = {
    bases: len(BASES) + number
    for number, bases in enumerate(sorted({i.bases for i in DECLARED if len(i.bases) > 1}))
}
ENTITY_NUMBER = {name: number for number, name in enumerate(sorted({b.entity for b in BASES.values()}))}
# What is sealed of each unit.
FRAME = ("name", "short_name", "level", "path", "is_separately_planned", "has_ended")
NOBODY = -1  # reports what an indicator cannot say yet

ROW = "row_id BIGINT, bureau BIGINT, chain BIGINT, item BIGINT, late INTEGER, amount BIGINT"
# Chain 0 in `rollup_pair` and `rollup_again` stands for all chains.
TABLES = {
    # A unit stands above a bureau at a distance; every bureau above itself at distance 0, but for those that
    # were merged or split up: they are no units, and what is theirs counts at the successor above them.
    "rollup_above": "bureau BIGINT, unit BIGINT, distance INTEGER, PRIMARY KEY (bureau, unit)",
    # Depth-first order of the tree.
    "rollup_place": "bureau BIGINT PRIMARY KEY, place INTEGER",
    "rollup_row": f"{ROW}, base INTEGER",
    "rollup_own": "base INTEGER, bureau BIGINT, chain BIGINT, n BIGINT, late BIGINT",
    "rollup_unit": "base INTEGER, unit BIGINT, chain BIGINT, n BIGINT, late BIGINT",
    "rollup_total": "base INTEGER, unit BIGINT, n BIGINT, late BIGINT, PRIMARY KEY (base, unit)",
    "rollup_pair": "code VARCHAR(4), bureau BIGINT, previous BIGINT, chain BIGINT, n INTEGER",
    "rollup_again": "code VARCHAR(4), unit BIGINT, chain BIGINT, n INTEGER, PRIMARY KEY (code, unit, chain)",
    "rollup_reports": "entity INTEGER, unit BIGINT, PRIMARY KEY (entity, unit)",
    "rollup_median": "unit BIGINT, chain BIGINT, middle BIGINT, n BIGINT, late BIGINT,"
    " PRIMARY KEY (unit, chain)",
    "rollup_indicator": "code VARCHAR(4), base INTEGER, entity INTEGER, counts_rows INTEGER",
}

TREE = """
INSERT INTO rollup_above (bureau, unit, distance)
WITH RECURSIVE up (bureau, unit, distance) AS (
    SELECT id, id, 0 FROM enterprises_bureau
    UNION ALL
    SELECT up.bureau, b.parent_id, up.distance + 1
    FROM up JOIN enterprises_bureau b ON b.id = up.unit
    WHERE b.parent_id IS NOT NULL
)
SELECT up.bureau, up.unit, up.distance
FROM up JOIN enterprises_bureau b ON b.id = up.unit WHERE b.valid_to IS NULL
"""

# Ids of one width sort alike in every collation.
PLACES = """
INSERT INTO rollup_place (bureau, place)
WITH RECURSIVE down (bureau, trail) AS (
    SELECT id, CAST(10000000000 + id AS TEXT) FROM enterprises_bureau WHERE parent_id IS NULL
    UNION ALL
    SELECT b.id, down.trail || CAST(10000000000 + b.id AS TEXT)
    FROM down JOIN enterprises_bureau b ON b.parent_id = down.bureau
)
SELECT bureau, ROW_NUMBER() OVER (ORDER BY trail) FROM down
"""

OWN = """
INSERT INTO rollup_own (base, bureau, chain, n, late)
SELECT base, bureau, chain, SUM(amount), SUM(late * amount) FROM rollup_row GROUP BY base, bureau, chain
"""

UNITS = """
INSERT INTO rollup_unit (base, unit, chain, n, late)
SELECT o.base, a.unit, o.chain, SUM(o.n), SUM(o.late)
FROM rollup_own o JOIN rollup_above a ON a.bureau = o.bureau
GROUP BY o.base, a.unit, o.chain
"""

# Neighbours in tree order among the rows of a key, for one indicator over its bases: by chain, then in all.
PAIRS = """
INSERT INTO rollup_pair (code, bureau, previous, chain, n)
WITH often AS (
    SELECT r.bureau, r.chain, r.item, p.place
    FROM rollup_row r JOIN rollup_place p ON p.bureau = r.bureau
    WHERE r.base IN ({bases}) AND r.item IN (
        SELECT item FROM rollup_row WHERE base IN ({bases}) GROUP BY item HAVING COUNT(*) > 1
    )
), in_chain AS (
    SELECT bureau, chain, LAG(bureau) OVER (PARTITION BY item, chain ORDER BY place) AS previous FROM often
), in_all AS (
    SELECT bureau, LAG(bureau) OVER (PARTITION BY item ORDER BY place) AS previous FROM often
)
SELECT %s, bureau, previous, chain, COUNT(*) FROM in_chain
WHERE previous IS NOT NULL GROUP BY bureau, previous, chain
UNION ALL
SELECT %s, bureau, previous, 0, COUNT(*) FROM in_all
WHERE previous IS NOT NULL GROUP BY bureau, previous
"""

AGAIN = """
INSERT INTO rollup_again (code, unit, chain, n)
WITH lowest AS (
    SELECT p.code, p.chain, p.n, (
        SELECT x.unit
        FROM rollup_above x JOIN rollup_above y ON y.unit = x.unit
        WHERE x.bureau = p.bureau AND y.bureau = p.previous
        ORDER BY x.distance LIMIT 1
    ) AS unit
    FROM rollup_pair p
)
SELECT l.code, a.unit, l.chain, SUM(l.n)
FROM lowest l JOIN rollup_above a ON a.bureau = l.unit
GROUP BY l.code, a.unit, l.chain
"""

UNION = """
INSERT INTO rollup_unit (base, unit, chain, n, late)
SELECT %s, unit, chain, SUM(n), SUM(late) FROM rollup_unit WHERE base IN ({bases}) GROUP BY unit, chain
"""

TOTALS = """
INSERT INTO rollup_total (base, unit, n, late)
SELECT base, unit, SUM(n), SUM(late) FROM rollup_unit GROUP BY base, unit
"""

REPORTS = """
INSERT INTO rollup_reports (entity, unit)
SELECT DISTINCT %s, unit FROM rollup_above WHERE bureau IN ({bureaus})
"""

STORE = """
INSERT INTO bulletins_statvalue (snapshot_id, indicator, bureau_id, chain_id, value, late)
SELECT %s, i.code, b.id, NULL,
    CASE WHEN t.n IS NOT NULL THEN t.n - COALESCE(g.n, 0) WHEN r.unit IS NOT NULL THEN 0 END,
    COALESCE(t.late, 0) * i.counts_rows
FROM (SELECT id FROM enterprises_bureau WHERE valid_to IS NULL) b
CROSS JOIN rollup_indicator i
LEFT JOIN rollup_total t ON t.base = i.base AND t.unit = b.id
LEFT JOIN rollup_again g ON g.code = i.code AND g.unit = b.id AND g.chain = 0
LEFT JOIN rollup_reports r ON r.entity = i.entity AND r.unit = b.id
UNION ALL
SELECT %s, i.code, u.unit, u.chain, u.n - COALESCE(g.n, 0), u.late * i.counts_rows
FROM rollup_indicator i
JOIN rollup_unit u ON u.base = i.base
LEFT JOIN rollup_again g ON g.code = i.code AND g.unit = u.unit AND g.chain = u.chain
"""

# Twice the middle one of an odd number of rows, the two in the middle of an even one.
MEDIANS = """
INSERT INTO rollup_median (unit, chain, middle, n, late)
WITH below AS (
    SELECT a.unit, r.chain, r.amount, r.late
    FROM ({rows}) r JOIN rollup_above a ON a.bureau = r.bureau
    WHERE {among}
), placed AS (
    SELECT unit, chain, amount, late,
        ROW_NUMBER() OVER (PARTITION BY unit, chain ORDER BY amount) AS place,
        COUNT(*) OVER (PARTITION BY unit, chain) AS n
    FROM (SELECT unit, chain, amount, late FROM below UNION ALL SELECT unit, 0, amount, late FROM below) b
)
SELECT unit, chain,
    SUM(CASE WHEN place = (n + 1) / 2 THEN amount ELSE 0 END)
        + SUM(CASE WHEN place = (n + 2) / 2 THEN amount ELSE 0 END),
    COUNT(*), SUM(late)
FROM placed GROUP BY unit, chain
"""

STORE_MEDIANS = """
INSERT INTO bulletins_statvalue (snapshot_id, indicator, bureau_id, chain_id, value, denominator, late)
SELECT %(snapshot)s, %(code)s, b.id, NULL, m.middle,
    CASE WHEN m.n IS NOT NULL THEN m.n WHEN r.unit IS NOT NULL THEN 0 END, COALESCE(m.late, 0)
FROM enterprises_bureau b
LEFT JOIN rollup_median m ON m.unit = b.id AND m.chain = 0
LEFT JOIN rollup_reports r ON r.entity = %(entity)s AND r.unit = b.id
WHERE b.valid_to IS NULL AND {among}
UNION ALL
SELECT %(snapshot)s, %(code)s, unit, chain, middle, n, late FROM rollup_median WHERE chain <> 0
"""

# What is counted above the line is among what is counted below it.
STORE_RATIOS = """
INSERT INTO bulletins_statvalue
    (snapshot_id, indicator, bureau_id, chain_id, numerator, denominator, late)
SELECT %(snapshot)s, %(code)s, b.id, NULL,
    CASE WHEN r.unit IS NOT NULL OR d.n IS NOT NULL THEN COALESCE(t.n, 0) END,
    CASE WHEN r.unit IS NOT NULL OR d.n IS NOT NULL THEN COALESCE(d.n, 0) END, COALESCE(t.late, 0)
FROM enterprises_bureau b
LEFT JOIN rollup_total d ON d.base = %(over)s AND d.unit = b.id
LEFT JOIN rollup_total t ON t.base = %(base)s AND t.unit = b.id
LEFT JOIN rollup_reports r ON r.entity = %(entity)s AND r.unit = b.id
WHERE b.valid_to IS NULL
UNION ALL
SELECT %(snapshot)s, %(code)s, d.unit, d.chain, COALESCE(t.n, 0), d.n, COALESCE(t.late, 0)
FROM rollup_unit d
LEFT JOIN rollup_unit t ON t.base = %(base)s AND t.unit = d.unit AND t.chain = d.chain
WHERE d.base = %(over)s
"""

KEEP = """
INSERT INTO bulletins_countedrow (snapshot_id, base, row_id, bureau_id, chain_id, key, late, amount)
SELECT %s, %s, row_id, bureau, chain, item, late, amount FROM rollup_row WHERE base = %s
"""


def store(snapshot: Snapshot) -> None:
    """Write the figures of the snapshot's period, and the rows counted if it is frozen or live.

    Call inside `consistent_moment`. Whatever an interrupted run left is replaced.
    """
    span = Span.of(snapshot.period)
    definitions = in_force(span.end_on)
    snapshot.definitions = versions(definitions)
    indicators = list(definitions.values())
    bases = list(dict.fromkeys(base for one in indicators for base in one.all_bases))
    StatValue.objects.filter(snapshot=snapshot).delete()
    CountedRow.objects.filter(snapshot=snapshot).delete()
    with temporary_tables(TABLES), connection.cursor() as cursor:
        know_the_ledger(cursor)
        cursor.execute(TREE)
        cursor.execute(PLACES)
        settle(cursor, "rollup_above", "rollup_place")
        for base in bases:
            insert_composed(cursor, "rollup_row", _counted(BASES[base], span), BASE_NUMBER[base])
        settle(cursor, "rollup_row")
        cursor.execute(OWN)
        settle(cursor, "rollup_own")
        cursor.execute(UNITS)
        for together, number in UNIONS.items():
            cursor.execute(UNION.format(bases=_numbers(together)), [number])
        cursor.execute(TOTALS)
        for indicator in indicators:
            if indicator.distinct:
                pairs = PAIRS.format(bases=_numbers(indicator.bases))
                cursor.execute(pairs, [indicator.code, indicator.code])
        cursor.execute(AGAIN)
        for entity in ENTITY_NUMBER:
            report(cursor, entity, span)
        sums = [one for one in indicators if one.kind in (Kind.SUM, Kind.MONEY)]
        cursor.executemany(
            "INSERT INTO rollup_indicator (code, base, entity, counts_rows) VALUES (%s, %s, %s, %s)",
            [(one.code, base_number(one), entity_number(one, span), int(not one.distinct)) for one in sums],
        )
        settle(cursor, "rollup_unit", "rollup_total", "rollup_again", "rollup_reports", "rollup_indicator")
        cursor.execute(STORE, [snapshot.pk, snapshot.pk])
        for one in indicators:
            names: dict[str, Any] = {
                "snapshot": snapshot.pk,
                "code": one.code,
                "base": base_number(one),
                "over": BASE_NUMBER.get(one.over),
                "entity": entity_number(one, span),
            }
            if one.kind == Kind.RATIO:
                cursor.execute(STORE_RATIOS, names)
            elif one.kind == Kind.MEDIAN:
                cursor.execute("DELETE FROM rollup_median")
                rows = f"SELECT * FROM rollup_row WHERE base = {base_number(one)}"  # noqa: S608
                cursor.execute(MEDIANS.format(rows=rows, among="1 = 1"))
                cursor.execute(STORE_MEDIANS.format(among="1 = 1"), names)
        if snapshot.version or snapshot.is_live:
            for base in bases:
                cursor.execute(KEEP, [snapshot.pk, base, BASE_NUMBER[base]])
            settle(cursor, "bulletins_countedrow")
    if snapshot.version:
        trees.keep(snapshot)


@contextmanager
def consistent_moment() -> Iterator[None]:
    """A transaction that sees the ledger as it is now, whatever others commit meanwhile."""
    outermost = not connection.in_atomic_block
    with transaction.atomic():
        if outermost and connection.vendor == "postgresql":
            # Elsewhere a transaction sees one moment anyway.
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        yield


def digest(snapshot: Snapshot) -> str:
    """SHA-256 over every stored figure in a fixed order, by the codes of units and chains."""
    figures = hashlib.sha256()
    rows = (
        StatValue.objects.filter(snapshot=snapshot)
        .order_by("bureau__code", "indicator", "chain__code")
        .values_list("bureau__code", "indicator", "chain__code", "value", "late", "numerator", "denominator")
    )
    for *row, above, below in rows.iterator(chunk_size=20_000):
        # Counts, which have neither, keep the digest that they had before there were ratios.
        figures.update(repr((*row, above, below) if below is not None else tuple(row)).encode())
    return figures.hexdigest()


def digest_of_rows(snapshot: Snapshot) -> str:
    """SHA-256 over every row that the snapshot counted, in the order of their keys."""
    counted = hashlib.sha256()
    rows = (
        CountedRow.objects.filter(snapshot=snapshot)
        .order_by("base", "row_id")
        .values_list("base", "row_id", "bureau", "chain", "key", "amount", "late")
    )
    for row in rows.iterator(chunk_size=20_000):
        counted.update(repr(row).encode())
    return counted.hexdigest()


def digest_of_frame(snapshot: Snapshot, coverage: dict[str, Any]) -> str:
    """SHA-256 over the units as they stood and who had reported of them."""
    frame = hashlib.sha256(json.dumps(coverage, sort_keys=True).encode())
    units = SnapshotUnit.objects.filter(snapshot=snapshot).order_by("bureau_id")
    for row in units.values_list("bureau_id", "parent_id", "code", *FRAME):
        frame.update(repr(row).encode())
    return frame.hexdigest()


def is_untouched(snapshot: Snapshot) -> bool:
    """Whether figures, counted rows and units of a frozen version are those of its freeze, by their digests.

    Asked every night of all of them (`services.check_frozen`) and by `figures --recount`. Versions from
    before there were digests of rows or of units are judged by the others.
    """
    return (
        snapshot.row_hash == digest(snapshot)
        and snapshot.counted_hash in ("", digest_of_rows(snapshot))
        and snapshot.frame_hash in ("", digest_of_frame(snapshot, snapshot.coverage))
    )


@contextmanager
def temporary_tables(tables: Mapping[str, str]) -> Iterator[None]:
    with connection.cursor() as cursor:
        for table, columns in tables.items():
            cursor.execute(f"CREATE TEMPORARY TABLE {table} ({columns})")
    yield
    # An exception rolls the transaction back, and the tables with it.
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"DROP TABLE {table}")


def know_the_ledger(cursor: Any) -> None:
    """SQLite gathers what its planner needs only when told; a sample of each index takes milliseconds."""
    if connection.vendor == "sqlite":
        cursor.execute("PRAGMA analysis_limit=400")
        cursor.execute("ANALYZE")


def settle(cursor: Any, *tables: str) -> None:
    """Let the planner see what has come into tables; SQLite plans these joins by their keys."""
    if connection.vendor == "postgresql":
        cursor.execute(f"ANALYZE {', '.join(tables)}")


def insert(cursor: Any, table: str, rows: Rows, *constants: Any) -> None:
    """INSERT … SELECT the tuples of a queryset, followed by constants."""
    insert_composed(cursor, table, composed(rows), *constants)


def insert_composed(cursor: Any, table: str, rows: Composed, *constants: Any) -> None:
    sql, params = rows
    marks = "".join(", %s" for _constant in constants)
    statement = f"INSERT INTO {table} SELECT q.*{marks} FROM ({sql}) q"  # noqa: S608 (the ORM's own SQL)
    cursor.execute(statement, [*constants, *params])


def composed(rows: Rows) -> Composed:
    return rows.query.get_compiler(connection=connection).as_sql()


@lru_cache(maxsize=512)
def _counted(base: Base, span: Span) -> Composed:
    """What a base counts, said to the database; each working roll-up of a period says the same."""
    return composed(base.counted(span))


@lru_cache(maxsize=64)
def _reporting(entity: str, span: Span) -> Composed:
    """The units in which a ledger is kept."""
    # One row of each by the index; for a mere "exists" PostgreSQL reads the whole ledger.
    one = reporting(entity, span).filter(bureau=OuterRef("pk")).order_by().values("pk")[:1]
    return composed(Bureau.objects.alias(one=Subquery(one)).filter(one__isnull=False).order_by().values("pk"))


def base_number(indicator: Indicator) -> int:
    return UNIONS.get(indicator.bases, BASE_NUMBER[indicator.bases[0]])


def entity_number(indicator: Indicator, span: Span) -> int:
    return ENTITY_NUMBER[indicator.entity] if indicator.applies_to(span.end_on) else NOBODY


def _numbers(bases: tuple[str, ...]) -> str:
    return ", ".join(str(BASE_NUMBER[base]) for base in bases)


def report(cursor: Any, entity: str, span: Span) -> None:
    """Note the units in whose subtree a ledger is kept."""
    sql, params = _reporting(entity, span)
    cursor.execute(REPORTS.format(bureaus=sql), [ENTITY_NUMBER[entity], *params])
