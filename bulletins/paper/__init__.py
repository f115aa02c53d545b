"""Official papers: a `Circular` of plain values in, a PDF after GB/T 9704-2012 out (`domain.md 6`)."""

from .content import (
    Attachment,
    Block,
    Cell,
    Circular,
    Column,
    Definitions,
    Figure,
    FigureRow,
    Paragraph,
    Rank,
    RegionRow,
    Row,
    Section,
    Table,
    Verification,
    figures_table,
    ranks,
    region_table,
)
from .fonts import missing_characters
from .render import render_html, render_pdf, stylesheet

__all__ = [
    "Attachment",
    "Block",
    "Cell",
    "Circular",
    "Column",
    "Definitions",
    "Figure",
    "FigureRow",
    "Paragraph",
    "Rank",
    "RegionRow",
    "Row",
    "Section",
    "Table",
    "Verification",
    "figures_table",
    "missing_characters",
    "ranks",
    "region_table",
    "render_html",
    "render_pdf",
    "stylesheet",
]
