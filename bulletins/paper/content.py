"""What stands in a circular, as plain values: nothing here knows the database, HTML or PDF.

Structure after `domain.md 6.2`, terms after GB/T 9704-2012 (`domain.md 6.3`). Numbers arrive as printed text
(made with `common.formats`); None prints as "—". Headings, tables, figures and attachments are numbered by
their order.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from django.utils.translation import gettext, pgettext

from common.charts import Chart
from common.paper.tables import Cell, Column, Row, Table
from common.printing import Rank

Block: TypeAlias = "Paragraph | Section | Table | Figure | Definitions"


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Body text. `lead` is printed before it in 楷体, as the claim that the paragraph then measures."""

    text: str
    lead: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with what follows, written without its number: 一、（一）1.（1） come from depth and place.

    A `run_in` heading is printed at the head of its first paragraph, as in lists of demands.
    """

    heading: str
    blocks: tuple[Block, ...] = ()
    run_in: bool = False


@dataclass(frozen=True, slots=True)
class Figure:
    """A numbered chart; its caption is the chart's own title unless another is given."""

    chart: Chart
    title: str = ""
    notes: tuple[str, ...] = ()
    source: str = ""


@dataclass(frozen=True, slots=True)
class Definitions:
    """口径说明: each indicator's name and how it was counted."""

    items: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Attachment:
    """附件: begins on a new page, is listed under the body."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Verification:
    """What a reader needs to check the paper: its verification code and the address behind the QR.

    ``root`` is that of the record on the day ``root_on``: on paper, it shows a later rewriting.
    """

    code: str
    url: str
    root_on: dt.date | None = None
    root: str = ""


@dataclass(frozen=True, slots=True)
class Masthead:
    """What makes a paper a 简报: its head has issue, issuer and date in one line, its end names people."""

    people: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Circular:
    """A 通报 of one issuing body, or with a `masthead` its 简报, whose `lines` say 报, 送 and 发.

    `mark` is the red issuing-body mark (发文机关标志), `issuer` the name that signs. A line feed in the title
    sets its lines; without one they are balanced. Until `issued` every page carries the 草稿 watermark.
    `created` is when the content was fixed, not when it was printed: it goes into the file, and the same
    circular gives the same bytes.
    """

    mark: str
    issuer: str
    number: str
    title: str
    addressee: str
    blocks: tuple[Block, ...]
    date: dt.date
    created: dt.datetime
    verification: Verification
    issued: bool
    attachments: tuple[Attachment, ...] = ()
    note: str = ""
    copies_to: str = ""
    masthead: Masthead | None = None
    lines: tuple[tuple[str, str], ...] = ()
    printed_by: str = ""
    printed_on: dt.date | None = None
    summary: str = ""
    keywords: tuple[str, ...] = ()
    language: str = "zh-hans"


@dataclass(frozen=True, slots=True)
class FigureRow:
    """One indicator of a figures table: this period, the same of last year, the change in words."""

    name: str
    unit: str
    value: str | None
    previous: str | None = None
    change: str | None = None
    href: str = ""


def figures_table(
    title: str,
    rows: Iterable[FigureRow],
    *,
    notes: tuple[str, ...] = (),
    source: str = "",
    address: str = "",
) -> Table:
    """T1 of `domain.md 6.2`: indicator × this period, last year, change."""
    return Table(
        title,
        (
            Column(gettext("指标"), 3.2, "start"),
            Column(pgettext("measure", "单位"), 0.9, "center"),
            Column(gettext("本期"), 1.4),
            Column(gettext("上年同期"), 1.4),
            Column(gettext("同比"), 2.6),
        ),
        tuple(Row((row.name, row.unit, Cell(row.value, row.href), row.previous, row.change)) for row in rows),
        notes=notes,
        source=source,
        address=address,
    )


@dataclass(frozen=True, slots=True)
class RegionRow:
    """One unit of a region table, its values in the order of the indicators."""

    name: str
    values: tuple[Cell | str | None, ...]
    rank: Rank | None = None
    kind: Literal["plain", "total", "of_which"] = "plain"


def region_table(
    title: str,
    indicators: Sequence[str],
    rows: Iterable[RegionRow],
    *,
    rank_title: str = "",
    unit: str = "",
    notes: tuple[str, ...] = (),
    source: str = "",
    address: str = "",
) -> Table:
    """T2 of `domain.md 6.2`: region × indicator, with 其中 rows and, given its title, a column of ranks."""
    columns = [Column(gettext("地区"), 2.05, "start"), *(Column(name) for name in indicators)]
    if rank_title:
        columns.append(Column(rank_title, 0.85, "center"))
    return Table(
        title,
        tuple(columns),
        tuple(
            Row(
                (row.name, *row.values, *([str(row.rank) if row.rank else ""] if rank_title else [])),
                row.kind,
            )
            for row in rows
        ),
        unit=unit,
        notes=notes,
        source=source,
        address=address,
    )
