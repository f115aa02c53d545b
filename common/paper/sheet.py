"""A plain sheet: title, sub-line, a drawing, tables with repeated heads, a foot that leads to the page.

For lists and maps, in A4 across or upright. Sheets are official papers as circulars are: their fixed words
are those of `language`, whoever prints them.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

from django.template.loader import render_to_string
from django.utils import timezone, translation

from common import formats
from common.charts import Chart
from common.charts import render as render_chart
from common.qr import qr_code

from . import fonts, printing
from .tables import Table, printed

STYLE = Path(__file__).parent / "sheet.css"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """What stands on the paper; every text is printed as it is given.

    `drawing` is a chart, or an SVG that is printed as it stands (`fonts.faces().families["sans"]` are the
    families that it should name). `code` and `url` say where the paper comes from: both stand at the foot of
    each page, the address as a QR code. `date` is printed, `created` (when the content was fixed) goes into
    the file, so that the same sheet gives the same bytes. A `watermark` lies across every page.
    """

    title: str
    issuer: str
    date: dt.date
    created: dt.datetime
    code: str
    url: str
    sub: str = ""
    drawing: Chart | str | None = None
    tables: tuple[Table, ...] = ()
    notes: tuple[str, ...] = ()
    watermark: str = ""
    landscape: bool = True
    language: str = "zh-hans"


def sheet_html(sheet: Sheet) -> str:
    """The sheet as one HTML document, without its stylesheet; every character in it can be printed."""
    drawing = sheet.drawing
    with translation.override(sheet.language):
        if drawing and not isinstance(drawing, str):
            drawing = render_chart(drawing, fonts=fonts.faces().families["sans"], links=False)
        html = render_to_string(
            "paper/sheet.html",
            {
                "sheet": sheet,
                "drawing": drawing,
                "tables": [printed(table) for table in sheet.tables],
                "created": timezone.localtime(sheet.created).isoformat(timespec="seconds"),
                "date": formats.day(sheet.date),
                "qr": qr_code(sheet.url),
            },
        )
    return fonts.printable(html)


def render_sheet(sheet: Sheet) -> bytes:
    """The sheet as PDF/A-2."""
    return printing.to_pdf(sheet_html(sheet), STYLE)
