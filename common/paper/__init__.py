"""Paper: typefaces, tables, the printing of PDF/A, and the plain sheet for lists and maps.

The circular after GB/T 9704-2012 is built upon it in `bulletins.paper`.
"""

from .fonts import missing_characters
from .sheet import Sheet, render_sheet, sheet_html
from .tables import Cell, Column, Row, Table

__all__ = ["Cell", "Column", "Row", "Sheet", "Table", "missing_characters", "render_sheet", "sheet_html"]
