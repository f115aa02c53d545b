"""Official papers: a `Circular` of plain values in, a PDF after GB/T 9704-2012 out (`domain.md 6`)."""

from common.paper.fonts import missing_characters
from common.paper.tables import Cell, Column, Row, Table

from .content import (
    Attachment,
    Block,
    Circular,
    Definitions,
    Figure,
    FigureRow,
    Masthead,
    Paragraph,
    RegionRow,
    Section,
    Verification,
    figures_table,
    region_table,
)
from .docx import render_docx
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
    "Masthead",
    "Paragraph",
    "RegionRow",
    "Row",
    "Section",
    "Table",
    "Verification",
    "figures_table",
    "missing_characters",
    "region_table",
    "render_docx",
    "render_html",
    "render_pdf",
    "stylesheet",
]
