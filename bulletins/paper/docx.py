"""The same content for a word processor: WordprocessingML after GB/T 9704-2012 (`domain.md` 6.3).

The typefaces are those of the standard by name, since the office that edits has them; 3号 is 16 pt there, as
word processors count. Drawings stand as tables of their numbers. What is issued is the PDF: this one is made
from the same content, carries no hash, and can be changed by whoever opens it.
"""

import re
import zipfile
from collections.abc import Iterable, Iterator
from io import BytesIO
from typing import Any
from xml.sax.saxutils import escape

from django.utils import timezone, translation
from django.utils.translation import gettext

from bulletins.paper.content import Circular
from bulletins.paper.render import Flat, Numbering, annex, annexes, print_date, title_lines
from common.charts import TILE_PLACES, Chart, HorizontalBars, TileGrid

# Twentieths of a point.
PAGE = '<w:pgSz w:w="11906" w:h="16838"/>'
MARGINS = (
    '<w:pgMar w:top="2098" w:right="1474" w:bottom="1984" w:left="1588" w:header="851" w:footer="1494" '
    'w:gutter="0"/>'
)
# 22 lines of 28 characters: pitch 28.99 pt; 16 pt type set 0.21 pt closer.
GRID = '<w:docGrid w:type="linesAndChars" w:linePitch="579" w:charSpace="-870"/>'
TEXT_WIDTH = 8844
# Control characters that XML has no way to hold.
_IMPOSSIBLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_NAMESPACES = (
    'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main" '
    'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
)
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'

# Style: name, typeface, size in half points, more of the run, more of the paragraph.
STYLES = {
    "Body": ("正文", "仿宋_GB2312", 32, "", '<w:ind w:firstLineChars="200" w:firstLine="640"/>'),
    "Mark": ("发文机关标志", "方正小标宋简体", 72, '<w:color w:val="E60012"/>', '<w:jc w:val="center"/>'),
    "Number": (
        "发文字号", "仿宋_GB2312", 32, "",
        '<w:pBdr><w:bottom w:val="single" w:sz="12" w:space="11" w:color="E60012"/></w:pBdr>'
        '<w:spacing w:before="580"/><w:jc w:val="center"/>',
    ),
    "Title": (
        "标题", "方正小标宋简体", 44, "",
        '<w:keepNext/><w:spacing w:line="716" w:lineRule="exact"/><w:jc w:val="center"/>',
    ),
    "Flush": ("顶格", "仿宋_GB2312", 32, "", ""),
    "Heading1": (
        "heading 1", "黑体", 32, "",
        '<w:keepNext/><w:ind w:firstLineChars="200" w:firstLine="640"/><w:outlineLvl w:val="0"/>',
    ),
    "Heading2": (
        "heading 2", "楷体_GB2312", 32, "",
        '<w:keepNext/><w:ind w:firstLineChars="200" w:firstLine="640"/><w:outlineLvl w:val="1"/>',
    ),
    "Caption": (
        "caption", "黑体", 24, "",
        '<w:keepNext/><w:spacing w:before="200" w:line="400" w:lineRule="exact"/><w:jc w:val="center"/>',
    ),
    "Cell": ("表格", "宋体", 21, "", '<w:spacing w:line="300" w:lineRule="exact"/>'),
    "Remark": ("表注", "仿宋_GB2312", 21, "", '<w:spacing w:line="320" w:lineRule="exact"/>'),
    "Attachment": ("附件", "黑体", 32, "", '<w:keepNext/><w:pageBreakBefore/><w:outlineLvl w:val="0"/>'),
    "Signature": (
        "落款", "仿宋_GB2312", 32, "", '<w:keepLines/><w:ind w:right="1280"/><w:jc w:val="right"/>',
    ),
    "Colophon": ("版记", "仿宋_GB2312", 28, "", '<w:ind w:left="280" w:right="280"/>'),
    "Page": ("页码", "宋体", 28, "", ""),
}  # fmt: skip


def render_docx(circular: Circular) -> bytes:
    """The paper as a .docx; the same circular gives the same bytes."""
    with translation.override(circular.language):
        parts = {
            "[Content_Types].xml": _content_types(),
            "_rels/.rels": _relations(
                ("officeDocument", "word/document.xml"),
                ("http://schemas.openxmlformats.org/package/2006/relationships/metadata/core-properties",
                 "docProps/core.xml"),
            ),
            "docProps/core.xml": _core(circular),
            "word/document.xml": _document(circular),
            "word/styles.xml": _styles(circular.language),
            "word/settings.xml": f"{_HEAD}<w:settings {_NAMESPACES}><w:evenAndOddHeaders/></w:settings>",
            "word/footer1.xml": _footer("right", '<w:ind w:right="280"/>'),
            "word/footer2.xml": _footer("left", '<w:ind w:left="280"/>'),
            "word/header1.xml": _header(circular),
            "word/_rels/document.xml.rels": _relations(
                ("styles", "styles.xml"),
                ("settings", "settings.xml"),
                ("footer", "footer1.xml"),
                ("footer", "footer2.xml"),
                ("header", "header1.xml"),
            ),
        }  # fmt: skip
    written = BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for name, content in parts.items():
            part = zipfile.ZipInfo(name, timezone.localtime(circular.created).timetuple()[:6])
            archive.writestr(part, content.encode(), zipfile.ZIP_DEFLATED)
    return written.getvalue()


# --- Text -------------------------------------------------------------------------------------------------


def _plain(text: str) -> str:
    return escape(_IMPOSSIBLE.sub("", text))


def _run(text: str, face: str = "", more: str = "") -> str:
    """Text as it was typed: markup is text, a line feed is a new line."""
    properties = (f'<w:rFonts w:ascii="{face}" w:hAnsi="{face}" w:eastAsia="{face}"/>' if face else "") + more
    lines = _plain(text).split("\n")
    broken = '</w:t><w:br/><w:t xml:space="preserve">'.join(lines)
    return f'<w:r><w:rPr>{properties}</w:rPr><w:t xml:space="preserve">{broken}</w:t></w:r>'


def _paragraph(style: str, *runs: str, more: str = "") -> str:
    return f'<w:p><w:pPr><w:pStyle w:val="{style}"/>{more}</w:pPr>{"".join(runs)}</w:p>'


def _said(style: str, text: str) -> str:
    return _paragraph(style, _run(text))


_EMPTY = _paragraph("Flush")


def _document(circular: Circular) -> str:
    blocks = Numbering()
    body = "".join(
        [
            *_top(circular),
            *_blocks(blocks.flat(circular.blocks)),
            *_bottom(circular),
            *_annexes(circular, blocks),
            *_colophon(circular),
        ]
    )
    margins = "".join(
        f'<w:{part}Reference w:type="{pages}" r:id="{key}"/>'
        for part, pages, key in (
            ("header", "default", "rId5"),
            ("header", "even", "rId5"),
            ("footer", "default", "rId3"),
            ("footer", "even", "rId4"),
        )
    )
    section = f"<w:sectPr>{margins}{PAGE}{MARGINS}{GRID}</w:sectPr>"
    return f"{_HEAD}<w:document {_NAMESPACES}><w:body>{body}{section}</w:body></w:document>"


def _top(circular: Circular) -> Iterator[str]:
    yield _said("Mark", circular.mark)
    if circular.masthead:
        yield _said("Flush", circular.number)
        yield _said("Number", f"{circular.issuer}　{print_date(circular.date)}")
    else:
        yield _said("Number", circular.number)
    yield _EMPTY
    for line in title_lines(circular.title):
        yield _said("Title", line)
    yield _EMPTY
    if circular.addressee:
        yield _said("Flush", circular.addressee.rstrip("：:") + gettext("："))


def _bottom(circular: Circular) -> Iterator[str]:
    names = [attachment.title for attachment in circular.attachments]
    for number, name in enumerate(names, 1):
        label = gettext("附件：") if number == 1 else "　　　"
        yield _said("Body", f"{label}{f'{number}.' if len(names) > 1 else ''}{name}")
    yield _EMPTY
    if circular.masthead:
        yield _said("Body", "　　".join(circular.masthead.people))
    else:
        yield _said("Signature", circular.issuer)
        yield _said("Signature", print_date(circular.date))
    if circular.note:
        yield _said("Body", gettext("（%(note)s）") % {"note": circular.note})


def _annexes(circular: Circular, blocks: Numbering) -> Iterator[str]:
    for index, attachment in annexes(circular):
        printed = annex(attachment, index, circular, blocks)
        yield _said("Attachment", printed["label"])
        yield _EMPTY
        for line in printed["title_lines"]:
            yield _said("Title", line)
        yield _EMPTY
        yield from _blocks(printed["blocks"])


def _colophon(circular: Circular) -> Iterator[str]:
    check = circular.verification
    yield _EMPTY
    yield _said("Remark", f"{gettext('核验码')} {check.code}　{check.url}")
    if check.root:
        yield _said("Remark", f"{check.root_on:%Y-%m-%d} {check.root}")
    lines = [(gettext("抄送"), circular.copies_to.rstrip("。."))] if circular.copies_to else []
    said = [f"{label}{gettext('：')}{names}{gettext('。')}" for label, names in [*lines, *circular.lines]]
    printed_on = print_date(circular.printed_on or circular.date)
    printed = gettext("%(date)s印发") % {"date": printed_on}
    said.append(f"{circular.printed_by or circular.issuer}　{printed}")
    for number, text in enumerate(said):
        above = '<w:top w:val="single" w:sz="8" w:space="1" w:color="000000"/>' if number == 0 else ""
        size = 8 if number == len(said) - 1 else 6
        below = f'<w:bottom w:val="single" w:sz="{size}" w:space="1" w:color="000000"/>'
        yield _paragraph("Colophon", _run(text), more=f"<w:keepNext/><w:pBdr>{above}{below}</w:pBdr>")


def _blocks(flat: Iterable[Flat]) -> Iterator[str]:
    for block in flat:
        values = block.values
        match block.kind:
            case "paragraph":
                lead = _run(values.lead, "楷体_GB2312") if values.lead else ""
                yield _paragraph("Body", lead, _run(values.text))
            case "heading" if values["level"] <= 2:
                yield _said(f"Heading{values['level']}", f"{block.number}{values['heading']}")
            case "heading":
                yield _said("Body", f"{block.number}{values['heading']}")
            case "run_in":
                face = {1: "黑体", 2: "楷体_GB2312"}.get(values["level"], "")
                head = _run(f"{block.number}{values['heading']}", face)
                yield _paragraph("Body", head, _run(values["text"]))
            case "table":
                yield from _captioned(block.number, values["table"].title, values["table"].unit)
                yield _table(values["columns"], values["rows"])
                yield from _remarks(values["table"].notes, values["table"].source)
            case "figure":
                figure = values["figure"]
                yield from _captioned(block.number, values["title"], figure.chart.unit)
                yield _drawn(figure.chart)
                yield from _remarks(figure.notes, figure.source)
            case "definitions":
                for name, text in values:
                    yield _paragraph("Body", _run(f"{name}　", "黑体"), _run(text))


def _captioned(number: str, title: str, unit: str) -> Iterator[str]:
    yield _said("Caption", f"{number}　{title}")
    if unit:
        words = gettext("单位：%(unit)s") % {"unit": unit}
        yield _paragraph("Remark", _run(words), more='<w:keepNext/><w:jc w:val="right"/>')


def _remarks(notes: tuple[str, ...], source: str) -> Iterator[str]:
    for number, note in enumerate(notes):
        yield _said("Remark", f"{gettext('注：') if number == 0 else '　　'}{note}")
    if source:
        yield _said("Remark", gettext("数据来源：%(source)s") % {"source": source})


_SIDES = {"start": "left", "center": "center", "end": "right"}


def _table(columns: list[dict[str, Any]], rows: list[dict[str, Any]]) -> str:
    """Heads are repeated on each page and no row is broken."""
    widths = [round(TEXT_WIDTH * float(column["width"].rstrip("%")) / 100) for column in columns]
    grid = "".join(f'<w:gridCol w:w="{width}"/>' for width in widths)
    head = "".join(
        _cell(column["title"], width, "center", "黑体") for column, width in zip(columns, widths, strict=True)
    )
    lines = [f"<w:tr><w:trPr><w:cantSplit/><w:tblHeader/></w:trPr>{head}</w:tr>"]
    for row in rows:
        face = "黑体" if row["kind"] == "total" else ""
        cells = "".join(
            _cell(cell["prefix"] + cell["text"], width, _SIDES[cell["align"]], face)
            for cell, width in zip(row["cells"], widths, strict=True)
        )
        lines.append(f"<w:tr><w:trPr><w:cantSplit/></w:trPr>{cells}</w:tr>")
    rule = 'w:val="single" w:sz="8" w:space="0" w:color="000000"'
    thin = 'w:val="single" w:sz="4" w:space="0" w:color="8A8A8A"'
    return (
        f'<w:tbl><w:tblPr><w:tblW w:w="{TEXT_WIDTH}" w:type="dxa"/><w:tblBorders><w:top {rule}/>'
        f'<w:bottom {rule}/><w:insideH {thin}/></w:tblBorders><w:tblLayout w:type="fixed"/></w:tblPr>'
        f"<w:tblGrid>{grid}</w:tblGrid>{''.join(lines)}</w:tbl>"
    )


def _cell(text: str, width: int, side: str, face: str) -> str:
    words = _paragraph("Cell", _run(text, face), more=f'<w:jc w:val="{side}"/>')
    return f'<w:tc><w:tcPr><w:tcW w:w="{width}" w:type="dxa"/></w:tcPr>{words}</w:tc>'


def _drawn(chart: Chart) -> str:
    """The numbers of a drawing."""
    pairs: list[tuple[str, str]] = []
    if isinstance(chart, TileGrid):
        pairs = [(TILE_PLACES[tile.code][2], tile.text) for tile in chart.tiles]
    elif isinstance(chart, HorizontalBars):
        pairs = [(bar.label, bar.text) for bar in chart.bars]
    columns = [{"title": gettext("名称"), "width": "60%"}, {"title": gettext("数值"), "width": "40%"}]
    rows = [
        {
            "kind": "plain",
            "cells": [
                {"prefix": "", "text": name, "align": "start"},
                {"prefix": "", "text": text, "align": "end"},
            ],
        }
        for name, text in pairs
    ]
    return _table(columns, rows)


# --- Parts ------------------------------------------------------------------------------------------------


def _footer(side: str, indent: str) -> str:
    """— 1 —, at the outer edge."""
    parts = (
        '<w:fldChar w:fldCharType="begin"/>',
        '<w:instrText xml:space="preserve"> PAGE </w:instrText>',
        '<w:fldChar w:fldCharType="end"/>',
    )
    field = "".join(f"<w:r>{part}</w:r>" for part in parts)
    words = _paragraph("Page", _run("— "), field, _run(" —"), more=f'{indent}<w:jc w:val="{side}"/>')
    return f"{_HEAD}<w:ftr {_NAMESPACES}>{words}</w:ftr>"


def _header(circular: Circular) -> str:
    """Until it is issued each page says so."""
    words = "" if circular.issued else gettext("草稿")
    grey = _run(words, "黑体", '<w:color w:val="8A8A8A"/>')
    said = _paragraph("Page", grey, more='<w:jc w:val="center"/>')
    return f"{_HEAD}<w:hdr {_NAMESPACES}>{said}</w:hdr>"


def _styles(language: str) -> str:
    tongue = "en-US" if language == "en" else "zh-CN"
    styles = "".join(
        f'<w:style w:type="paragraph" w:styleId="{key}"><w:name w:val="{name}"/><w:pPr>{paragraph}</w:pPr>'
        f'<w:rPr><w:rFonts w:ascii="{face}" w:hAnsi="{face}" w:eastAsia="{face}"/>{run}<w:sz w:val="{size}"/>'
        f'<w:szCs w:val="{size}"/></w:rPr></w:style>'
        for key, (name, face, size, run, paragraph) in STYLES.items()
    )
    language_of_runs = f'<w:lang w:val="{tongue}" w:eastAsia="{tongue}"/>'
    line = '<w:spacing w:before="0" w:after="0" w:line="579" w:lineRule="exact"/><w:jc w:val="both"/>'
    defaults = (
        f"<w:docDefaults><w:rPrDefault><w:rPr>{language_of_runs}</w:rPr></w:rPrDefault>"
        f"<w:pPrDefault><w:pPr>{line}</w:pPr></w:pPrDefault></w:docDefaults>"
    )
    return f"{_HEAD}<w:styles {_NAMESPACES}>{defaults}{styles}</w:styles>"


def _content_types() -> str:
    main = "application/vnd.openxmlformats-officedocument.wordprocessingml."
    kinds = {
        "/word/document.xml": f"{main}document.main+xml",
        "/word/styles.xml": f"{main}styles+xml",
        "/word/settings.xml": f"{main}settings+xml",
        "/word/footer1.xml": f"{main}footer+xml",
        "/word/footer2.xml": f"{main}footer+xml",
        "/word/header1.xml": f"{main}header+xml",
        "/docProps/core.xml": "application/vnd.openxmlformats-package.core-properties+xml",
    }
    overrides = "".join(f'<Override PartName="{name}" ContentType="{kind}"/>' for name, kind in kinds.items())
    return (
        f'{_HEAD}<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Default Extension="xml" ContentType="application/xml"/>{overrides}</Types>'
    )


def _relations(*targets: tuple[str, str]) -> str:
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/"
    rows = "".join(
        f'<Relationship Id="rId{number}" Type="{kind if "/" in kind else office + kind}" Target="{target}"/>'
        for number, (kind, target) in enumerate(targets, 1)
    )
    namespace = "http://schemas.openxmlformats.org/package/2006/relationships"
    return f'{_HEAD}<Relationships xmlns="{namespace}">{rows}</Relationships>'


def _core(circular: Circular) -> str:
    at = timezone.localtime(circular.created).isoformat(timespec="seconds")
    title = _plain(circular.title.replace("\n", ""))
    return (
        f"{_HEAD}<cp:coreProperties "
        'xmlns:cp="http://schemas.openxmlformats.org/package/2006/metadata/core-properties" '
        'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:dcterms="http://purl.org/dc/terms/" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        f"<dc:title>{title}</dc:title><dc:creator>{_plain(circular.issuer)}</dc:creator>"
        f"<dc:language>{'en' if circular.language == 'en' else 'zh-CN'}</dc:language>"
        f'<dcterms:created xsi:type="dcterms:W3CDTF">{at}</dcterms:created></cp:coreProperties>'
    )
