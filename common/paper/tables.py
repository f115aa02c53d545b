"""Tables on paper: columns, rows and notes as plain values, and what their template draws.

Numbers arrive as printed text (made with `common.formats`); None prints as "—".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from django.utils.translation import gettext

from common.qr import qr_code

Align: TypeAlias = Literal["start", "center", "end"]


@dataclass(frozen=True, slots=True)
class Column:
    """A column; `width` is a share of the table's width relative to the other columns."""

    title: str
    width: float = 1
    align: Align = "end"


@dataclass(frozen=True, slots=True)
class Cell:
    """A printed value, leading to its rows when `href` (an absolute address) is given."""

    text: str | None
    href: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A table row. `of_which` rows are part of the row above, never added on top (`domain.md 5.4` rule 4)."""

    cells: tuple[Cell | str | None, ...]
    kind: Literal["plain", "total", "of_which"] = "plain"


@dataclass(frozen=True, slots=True)
class Table:
    """A numbered table: number and title above, unit at right above, notes and source below.

    At ``address`` its figures can be opened; a QR code beside the notes leads there. A ``wide`` one has pages
    of its own, A4 across.
    """

    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    unit: str = ""
    notes: tuple[str, ...] = ()
    source: str = ""
    address: str = ""
    wide: bool = False


def printed(table: Table) -> dict[str, Any]:
    """The values of `templates/paper/_table.html`."""
    total = sum(column.width for column in table.columns)
    rows, previous = [], ""
    for row in table.rows:
        rows.append({"kind": row.kind, "cells": list(_cells(row, table.columns, previous != "of_which"))})
        previous = row.kind
    return {
        "table": table,
        "columns": [
            {"title": column.title, "align": column.align, "width": f"{column.width / total * 100:.3f}%"}
            for column in table.columns
        ],
        "rows": rows,
        "qr": qr_code(table.address) if table.address else "",
    }


def _cells(row: Row, columns: tuple[Column, ...], first_of_which: bool) -> Iterator[dict[str, Any]]:
    for index, (cell, column) in enumerate(zip(row.cells, columns, strict=True)):
        text, href = (cell.text, cell.href) if isinstance(cell, Cell) else (cell, "")
        yield {
            "text": "—" if text is None else text,
            "href": href,
            "align": column.align,
            "head": index == 0,
            "of_which": index == 0 and row.kind == "of_which",
            "prefix": gettext("其中：") if index == 0 and row.kind == "of_which" and first_of_which else "",
        }
