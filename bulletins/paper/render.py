"""From a circular to HTML and from HTML to PDF.

Lengths follow GB/T 9704-2012 (`domain.md 6.3`); those that never change stand in `paper.css`, those that
depend on the text are computed here.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.template.loader import render_to_string
from django.utils import timezone, translation
from django.utils.translation import gettext
from weasyprint import Document

from common.charts import TileGrid, text_width
from common.charts import render as render_chart
from common.paper import fonts, printing
from common.paper.tables import Table, printed
from common.qr import qr_code

from .content import (
    Attachment,
    Block,
    Circular,
    Definitions,
    Figure,
    Paragraph,
    Section,
)

STYLE = Path(__file__).parent / "paper.css"
# The mark is set at most this high, and narrowed before it is made smaller; millimetres.
MARK_HEIGHT, MARK_WIDTH, MARK_NARROWEST = 15.0, 150.0, 0.62
TITLE_LINE = 19  # full-width characters of 2号 in a line of 156 mm, less one
COPIES_LINE = (
    25  # characters of 4号 in a line of the 抄送 block, less its indents and one for the rules of breaking
)


# --- HTML -------------------------------------------------------------------------------------------------


def render_html(circular: Circular) -> str:
    """The circular as one HTML document, without its stylesheet; every character in it can be printed."""
    with translation.override(circular.language):
        created = timezone.localtime(circular.created)
        blocks = Numbering()
        body = list(blocks.flat(circular.blocks))
        attachments = [annex(attachment, index, circular, blocks) for index, attachment in annexes(circular)]
        html = render_to_string(
            "bulletins/paper/circular.html",
            {
                "circular": circular,
                "language": circular.language,
                "created": created.isoformat(timespec="seconds"),
                "title": circular.title.replace("\n", ""),
                "title_lines": title_lines(circular.title),
                "mark": _mark(circular.mark),
                "addressee": circular.addressee and circular.addressee.rstrip("：:") + gettext("："),
                "body": body,
                "attachments": attachments,
                "signature": _signature(circular),
                "date": print_date(circular.date),
                "colophon": _colophon(circular),
                "qr": qr_code(circular.verification.url),
            },
        )
    return fonts.printable(html)


@dataclass(frozen=True, slots=True)
class Flat:
    """A block ready to print: what it is, its printed number, and the values for its template."""

    kind: str
    number: str = ""
    values: Any = None


_CHINESE = "〇一二三四五六七八九"


def chinese_number(number: int) -> str:
    """1–99 as 一, 十, 十一, 二十, 九十九."""
    tens, ones = divmod(number, 10)
    return ("" if tens == 0 else "十" if tens == 1 else _CHINESE[tens] + "十") + (
        _CHINESE[ones] if ones else ""
    )


def heading_number(depth: int, number: int) -> str:
    """一、（一）1.（1） by depth from 1."""
    if translation.get_language() == "en":
        return (f"{number}. ", f"({number}) ", f"{number}) ", f"({number}) ")[min(depth, 4) - 1]
    match min(depth, 4):
        case 1:
            return f"{chinese_number(number)}、"
        case 2:
            return f"（{chinese_number(number)}）"
        case 3:
            return f"{number}."
    return f"（{number}）"


class Numbering:
    """Turns nested blocks into a flat run; tables and figures are numbered through the whole paper."""

    def __init__(self) -> None:
        self.tables = self.figures = 0

    def flat(self, blocks: Iterable[Block], depth: int = 1) -> Iterator[Flat]:
        sections = 0
        for block in blocks:
            match block:
                case Paragraph():
                    yield Flat("paragraph", values=block)
                case Section():
                    sections += 1
                    yield from self._section(block, depth, heading_number(depth, sections))
                case Table():
                    self.tables += 1
                    yield Flat("table", gettext("表%(number)d") % {"number": self.tables}, printed(block))
                case Figure():
                    self.figures += 1
                    yield Flat("figure", gettext("图%(number)d") % {"number": self.figures}, _figure(block))
                case Definitions():
                    yield Flat("definitions", values=block.items)

    def _section(self, section: Section, depth: int, number: str) -> Iterator[Flat]:
        blocks = section.blocks
        level = min(depth, 4)
        if section.run_in and blocks and isinstance(blocks[0], Paragraph):
            yield Flat("run_in", number, {"level": level, "heading": section.heading, "text": blocks[0].text})
            blocks = blocks[1:]
        else:
            heading = {
                "level": level,
                "tag": f"h{level + 1}",
                "heading": section.heading,
                "leading": bool(blocks),
            }
            yield Flat("heading", number, heading)
        yield from self.flat(blocks, depth + 1)


def _figure(figure: Figure) -> dict[str, Any]:
    return {
        "figure": figure,
        "title": figure.title or figure.chart.title,
        "tiles": isinstance(figure.chart, TileGrid),
        "drawing": render_chart(figure.chart, fonts=fonts.faces().families["sans"], links=False),
    }


def annexes(circular: Circular) -> Iterator[tuple[int, Attachment]]:
    return enumerate(circular.attachments, start=1)


def annex(attachment: Attachment, index: int, circular: Circular, blocks: Numbering) -> dict[str, Any]:
    number = str(index) if len(circular.attachments) > 1 else ""
    return {
        "label": gettext("附件") + number,
        "number": number,
        "title": attachment.title,
        "title_lines": title_lines(attachment.title),
        "blocks": list(blocks.flat(attachment.blocks)),
    }


def _mark(mark: str) -> dict[str, str]:
    """Size of the red mark: full height, narrowed to the line, and smaller only if that is not enough."""
    width = text_width(mark, 1)
    size = min(MARK_HEIGHT, MARK_WIDTH / (width * MARK_NARROWEST))
    scale = min(1.0, MARK_WIDTH / (width * size))
    return {"size": f"{size:.3f}mm", "scale": f"{scale:.4f}", "width": f"{width * size:.3f}mm"}


# A title may be broken after these words and before those, so that no word is torn.
_BREAK_AFTER = re.compile(
    r"(?:关于|年度|季度|月份|半年|年|的|和|与|及|、|，|》|”|工作|情况|有关|开展|印发|做好)"
)
_BREAK_BEFORE = re.compile(r"(?:关于|全国|全省|全市|情况|工作|进展|通报|公告|通知|《|“|质量强链)")
_UNBROKEN = re.compile(r"[A-Za-z0-9.]+[年月日号]?|质量强链|堵点卡点|第[一二三四]季度|[上下]半年")


def title_lines(title: str) -> list[str]:
    """The lines of a title: as few as possible and about equally long, broken between words only.

    A "\\n" in the title sets its lines instead.
    """
    if "\n" in title:
        return [line for line in title.split("\n") if line]
    width = text_width(title, 1)
    count = -(-int(width * 2 + 1) // (TITLE_LINE * 2))
    if count <= 1:
        return [title]
    torn = {at for word in _UNBROKEN.finditer(title) for at in range(word.start() + 1, word.end())}
    good = {match.end() for match in _BREAK_AFTER.finditer(title)}
    good |= {match.start() for match in _BREAK_BEFORE.finditer(title)}
    lines, start = [], 0
    for left in range(count, 1, -1):
        aim = text_width(title[start:], 1) / left
        ends = [at for at in range(start + 1, len(title)) if text_width(title[start:at], 1) <= TITLE_LINE]
        end = min(
            ends,
            key=lambda at: (
                abs(text_width(title[start:at], 1) - aim)
                + (0 if at in good and at not in torn else 50 if at in torn else 8)
            ),
        )
        lines.append(title[start:end])
        start = end
    return [*lines, title[start:]]


def _signature(circular: Circular) -> dict[str, str]:
    """The name centred over the date, four characters from the right edge, where a seal is pressed on.

    A name so long that it would leave the type area is set two characters from the edge.
    """
    date = print_date(circular.date)
    overhang = max((text_width(circular.issuer, 1) - text_width(date, 1)) / 2, 0)
    return {"name": circular.issuer, "date": date, "indent": f"{max(4 - overhang, 2):.2f}em"}


def print_date(date: dt.date) -> str:
    """2026年3月1日: Arabic digits without leading zeros."""
    return gettext("%(year)d年%(month)d月%(day)d日") % {
        "year": date.year,
        "month": date.month,
        "day": date.day,
    }


def _colophon(circular: Circular) -> dict[str, Any]:
    """版记. Its height in lines is needed to keep its place free at the foot of the last page."""
    copies = [(gettext("抄送"), circular.copies_to.rstrip("。."))] if circular.copies_to else []
    copies += circular.lines
    lines = sum(-(-int(text_width(names, 1) + 1) // COPIES_LINE) for _label, names in copies)
    return {
        "copies": copies,
        "printed_by": circular.printed_by or circular.issuer,
        "printed_on": print_date(circular.printed_on or circular.date),
        "lines": lines + 1,
    }


# --- PDF --------------------------------------------------------------------------------------------------


def stylesheet() -> str:
    """The layout of circulars as CSS, with the typefaces of this machine."""
    return printing.stylesheet(STYLE)


def layout(html: str) -> tuple[Document, dict[str, Any]]:
    return printing.layout(html, STYLE)


def render_pdf(paper: Circular | str) -> bytes:
    """The paper as PDF/A-2; the same circular (or its `render_html`) gives the same bytes."""
    return printing.to_pdf(paper if isinstance(paper, str) else render_html(paper), STYLE)
