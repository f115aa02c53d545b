"""The produced PDF, read back: places in millimetres, texts, fonts, metadata."""

import datetime as dt
import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import pytest
import segno
from pypdf import PdfReader
from weasyprint.formatting_structure import boxes

from bulletins.paper import (
    Cell,
    Circular,
    Column,
    Paragraph,
    Row,
    Section,
    Table,
    missing_characters,
    render,
    render_html,
    render_pdf,
)
from bulletins.paper.render import chinese_number, title_lines
from common.charts import text_width
from common.paper import fonts, printing

from . import pdfs
from .papers import FIGURES, INDICATORS, SENTENCE, URL, circular

pytestmark = pytest.mark.any_database

LEFT, RIGHT, TOP, BOTTOM = 28, 210 - 26, 37, 297 - 35
PITCH = 28.99 * pdfs.MM


@cache
def printed(*, issued: bool = True) -> bytes:
    return render_pdf(circular(issued=issued))


def reader(*, issued: bool = True) -> PdfReader:
    return pdfs.read(printed(issued=issued))


def plain(**changes: object) -> Circular:
    """A circular of one paragraph."""
    values: dict[str, object] = {
        "blocks": (Paragraph("正文。"),),
        "attachments": (),
        "copies_to": "",
        "note": "",
    }
    return circular(**(values | changes))  # type: ignore[arg-type]


def words(pdf: bytes) -> str:
    """The text of all pages without their numbers."""
    text = "\n".join(pdfs.text(page) for page in pdfs.read(pdf).pages)
    return re.sub(r"\n— \d+ —(?=\n|$)", "", text)


# --- Content -----------------------------------------------------------------------------------------------


def test_the_seven_figures_can_be_selected_in_their_order() -> None:
    joined = words(printed()).replace("\n", "")
    assert SENTENCE in joined
    sentence = joined[joined.index(SENTENCE) :]
    assert [sentence.index(figure) for figure in FIGURES] == sorted(
        sentence.index(figure) for figure in FIGURES
    )


def test_headings_tables_and_figures_are_numbered() -> None:
    text = words(printed())
    for expected in (
        "一、总体情况",
        "（二）组织联合攻关。",
        "1.明确目标值",
        "五、下一步工作要求",
        "（三）按时报送。季度数据",
        "表1　2024年质量强链主要指标",
        "表2　2024年各地区质量强链主要指标",
        "图1　2024年各地区解决质量堵点卡点问题数",
        "图2　2024年解决质量堵点卡点问题数前12位地区",
        "附件：1.指标口径说明",
        "2.进度偏慢地区名单",
        "（此件公开发布）",
    ):
        assert expected in text
    assert chinese_number(10) == "十"
    assert chinese_number(11) == "十一"
    assert chinese_number(20) == "二十"
    assert chinese_number(99) == "九十九"


def test_of_which_rows_ranks_and_blanks() -> None:
    text = words(printed())
    assert "其中：广州市" in text
    assert "其中：深圳市" not in text
    assert text.count("并列10") == 2
    assert "新疆生产建设兵团 — — — — — — — —" in text


def test_a_single_attachment_has_no_number() -> None:
    attachment = circular().attachments[0]
    text = words(render_pdf(plain(attachments=(attachment,))))
    assert "附件：指标口径说明" in text
    assert "附件1" not in text


def test_rows_must_fit_their_columns() -> None:
    table = Table("表", (Column("甲"), Column("乙")), (Row(("1",)),))
    with pytest.raises(ValueError, match="zip"):
        render_html(plain(blocks=(table,)))


def test_titles_are_balanced_and_tear_no_word() -> None:
    title = "全国质量强链工作推进办公室关于2024年全国质量强链工作进展情况的通报"
    assert title_lines(title) == ["全国质量强链工作推进办公室关于", "2024年全国质量强链工作进展情况的通报"]
    assert title_lines("进度偏慢地区名单") == ["进度偏慢地区名单"]
    assert title_lines("第一行\n第二行") == ["第一行", "第二行"]
    for length in range(1, 120):
        lines = title_lines("质" * length)
        assert "".join(lines) == "质" * length
        assert all(text_width(line, 1) <= 20 for line in lines)


def test_english() -> None:
    paper = replace(
        circular(), language="en", title="Circular on the progress of the chains in the year 2024 in total"
    )
    html = render_html(paper)
    assert '<html lang="en">' in html
    assert ">1. 总体情况" in html
    assert all(" " not in line.strip() or len(line) < 45 for line in title_lines(paper.title))
    assert " ".join(line.strip() for line in title_lines(paper.title)) == paper.title


# --- Places ------------------------------------------------------------------------------------------------


def test_paper_and_type_area() -> None:
    for page in reader().pages:
        assert [round(float(value) * pdfs.MM, 1) for value in page.mediabox] == [0, 0, 210, 297]
        if "图1" in pdfs.text(page):
            continue  # letters of drawings are placed by transformations that the reader does not follow
        for span in pdfs.spans(page):
            if "— " not in span.text:
                assert LEFT - 0.01 <= span.x < RIGHT
                assert TOP < span.baseline < BOTTOM


def test_a_dense_page_has_22_lines_of_28_characters() -> None:
    pdf = render_pdf(plain(blocks=(Paragraph("质量强链工作进展" * 300),)))
    lines = [span for span in pdfs.spans(pdfs.read(pdf).pages[1]) if "— " not in span.text]
    assert [len(line.text) for line in lines] == [28] * 22
    assert all(line.size == pytest.approx(15.75) for line in lines)
    gaps = [after.baseline - before.baseline for before, after in pairwise(lines)]
    assert gaps == pytest.approx([PITCH] * 21, abs=0.02)


def test_lines_end_flush_right() -> None:
    """Pushed-out punctuation leaves room in a line, which is spread over its characters."""
    text = "各地要在2025年3月31日之前完成整改，逐项销号，形成闭环，" * 8
    page = render.layout(render_html(plain(blocks=(Paragraph(text),))))[0].pages[0]
    ends = [
        box.position_x + box.width
        for box in page._page_box.descendants()
        if isinstance(box, boxes.TextBox) and box.text in text and len(box.text) > 10
    ]
    *full, _last = ends
    assert len(full) > 4
    assert full == pytest.approx([RIGHT / 25.4 * 96] * len(full), abs=0.4)


def test_red_head() -> None:
    page = reader().pages[0]
    spans = {span.text: span for span in pdfs.spans(page)}
    mark = spans["全国质量强链工作推进办公室文件"]
    height = 15.0
    # Ink of a Chinese character begins about 0.05 em below its square, 0.88 em above the baseline.
    assert mark.baseline - 0.88 * height + 0.05 * height == pytest.approx(TOP + 35, abs=1)
    number = spans["质强链办〔2025〕3号"]
    number_top = number.baseline - 0.88 * 15.75 * pdfs.MM
    assert number_top - (mark.baseline + 0.12 * height) == pytest.approx(2 * PITCH, abs=1)
    line = next(box for box in pdfs.boxes(page) if box.width == pytest.approx(156, abs=0.01))
    assert line.x == pytest.approx(LEFT, abs=0.01)
    assert line.y - (number.baseline + 0.12 * 15.75 * pdfs.MM) == pytest.approx(4, abs=0.6)
    title = spans["全国质量强链工作推进办公室关于"]
    assert title.size == pytest.approx(22, abs=0.01)
    assert title.baseline - 0.88 * 22 * pdfs.MM - line.y == pytest.approx(2 * PITCH, abs=3)
    assert title.x - LEFT == pytest.approx(RIGHT - title.x - 15 * 22 * pdfs.MM, abs=0.5)


@pytest.mark.parametrize("length", [4, 12, 24, 40])
def test_the_mark_fits_its_line(length: int) -> None:
    page = pdfs.read(render_pdf(plain(mark="质" * length))).pages[0]
    mark = next(span for span in pdfs.spans(page) if span.text == "质" * length)
    assert mark.x - LEFT >= 2.9
    assert mark.baseline < 95


def test_page_numbers_stand_outside_and_7_mm_below() -> None:
    pages = reader().pages
    assert len(pages) >= 6
    for number, page in enumerate(pages, start=1):
        span = next(span for span in pdfs.spans(page) if span.text == f"— {number} —")
        assert span.size == pytest.approx(14, abs=0.01)
        dash = span.baseline - 0.27 * 14 * pdfs.MM
        assert dash == pytest.approx(BOTTOM + 7, abs=0.6)
        if number % 2:
            assert RIGHT - 4.94 - 15 < span.x < RIGHT - 4.94 - 10
        else:
            assert span.x == pytest.approx(LEFT + 4.94, abs=0.1)


def test_a_wide_table_lies_across_with_the_number_where_it_would_be() -> None:
    columns = (Column("地区", 2, "start"), *(Column(f"指标{n}") for n in range(14)))
    rows = tuple(Row((f"地区{n}", *("12,345" for _n in range(14)))) for n in range(60))
    wide = Table("各地区指标", columns, rows, wide=True)
    pages = pdfs.read(render_pdf(plain(blocks=(Paragraph("前文。"), wide, Paragraph("后文。"))))).pages
    sizes = [tuple(round(float(side) * pdfs.MM) for side in page.mediabox[2:]) for page in pages]
    across = [number for number, size in enumerate(sizes, start=1) if size == (297, 210)]
    assert across == list(range(2, 2 + len(across)))
    assert len(across) > 1
    assert "后文。" in pdfs.text(pages[across[-1]])
    for number in across:
        page = pages[number - 1]
        assert pdfs.text(page).count("指标13") == 1
        place = next(span for span in pdfs.spans(page) if span.text == f"— {number} —")
        # The foot of the sheet is at the left: what is x here is the height over the foot there.
        down, dash = place.baseline - (pdfs.HEIGHT - 210), place.x + 0.27 * 14 * pdfs.MM
        assert dash == pytest.approx(28, abs=0.6)
        if number % 2:
            assert 210 - 26 - 4.94 - 15 < down < 210 - 26 - 4.94 - 10
        else:
            assert down == pytest.approx(28 + 4.94, abs=0.1)


def test_headings_never_stand_alone_at_the_foot() -> None:
    for lines in range(5, 10):
        blocks = (
            Paragraph("质" * 26 + "量" * 28 * (lines - 1)),
            Section("标题", (Paragraph("跟随标题的正文。"),)),
        )
        for page in pdfs.read(render_pdf(plain(blocks=blocks))).pages:
            text = pdfs.text(page)
            assert ("一、标题" in text) == ("跟随标题的正文。" in text)


def test_table_heads_are_repeated() -> None:
    pages = [pdfs.text(page) for page in reader().pages]
    first = next(index for index, text in enumerate(pages) if "北京" in text)
    assert "新疆生产建设兵团 —" in pages[first + 1]
    for text in pages[first : first + 2]:
        for indicator in INDICATORS:
            assert indicator.split("\n")[0] in text


def test_numbers_are_set_right() -> None:
    page = next(page for page in reader().pages if "2024年质量强链主要指标" in pdfs.text(page))
    spans = {span.text: span for span in pdfs.spans(page) if span.size == pytest.approx(10.5)}
    digit = (spans["180,000"].x - spans["14,391"].x) / -1
    ends = [spans[text].x + digit * (len(text) - 1) for text in ("952", "889")]
    assert ends[0] == pytest.approx(ends[1], abs=0.1)


def test_colophon_is_at_the_foot_of_the_last_page() -> None:
    for paper in (circular(), plain(), plain(copies_to="各省、自治区、直辖市" * 25)):
        pages = pdfs.read(render_pdf(paper)).pages
        assert not any("印发" in pdfs.text(page) for page in pages[:-1])
        last = pages[-1]
        rules = [box for box in pdfs.boxes(last) if box.width == pytest.approx(156, abs=0.01)]
        assert max(box.y + box.height for box in rules) == pytest.approx(BOTTOM, abs=0.05)
        printed_line = next(span for span in pdfs.spans(last) if "印发" in span.text)
        assert printed_line.baseline > BOTTOM - 10
        assert "2025年1月22日印发" in pdfs.text(last)
    assert "抄送：国务院有关部门" in pdfs.text(reader().pages[-1])


def test_text_never_runs_under_the_colophon() -> None:
    for lines in (1, 3, 5, 12, 16, 20):
        paper = plain(blocks=(Paragraph("质" * 28 * lines),), copies_to="各省、自治区、直辖市" * 8)
        last = pdfs.read(render_pdf(paper)).pages[-1]
        top = min(box.y for box in pdfs.boxes(last) if box.width == pytest.approx(22, abs=0.1))
        body = [
            s.baseline for s in pdfs.spans(last) if s.size == pytest.approx(15.75) and "ZLTB" not in s.text
        ]
        assert max(body, default=0) < top


def test_the_qr_code_holds_the_address() -> None:
    last = reader().pages[-1]
    frame = next(box for box in pdfs.boxes(last) if box.width == pytest.approx(22, abs=0.1))
    matrix = segno.make(URL, error="m", micro=False).matrix
    module = frame.width / len(matrix)
    top = frame.y if frame.y + frame.height < BOTTOM else frame.y - frame.height
    drawn = [[0] * len(matrix) for _row in matrix]
    for x, y, length in pdfs.strokes(last):
        if frame.x - 0.01 <= x < frame.x + frame.width and top <= y < top + frame.height:
            row = int((y - top) / module)
            start, count = round((x - frame.x) / module), round(length / module)
            for column in range(start, start + count):
                drawn[row][column] = 1
    assert drawn == [list(row) for row in matrix]
    assert "ZLTB-7K3M9-QXD2F-HA4TC" in pdfs.text(last)


# --- File --------------------------------------------------------------------------------------------------


def test_metadata_language_and_bookmarks() -> None:
    pdf = reader()
    root = pdf.trailer["/Root"]
    assert root["/Lang"] == "zh-Hans"
    assert pdf.metadata is not None
    assert pdf.metadata.title == "全国质量强链工作推进办公室关于2024年全国质量强链工作进展情况的通报"
    assert pdf.metadata.author == "全国质量强链工作推进办公室"
    assert pdf.metadata.creation_date == circular().created
    titles = [item.title for item in pdf.outline if not isinstance(item, list)]
    assert titles[:2] == ["一、总体情况", "二、主要做法和成效"]
    assert titles[-1] == "附件2 进度偏慢地区名单"


def test_pdf_a_2a() -> None:
    pdf = reader()
    root = pdf.trailer["/Root"]
    metadata = root["/Metadata"].get_data().decode()
    assert 'pdfaid:part="2"' in metadata
    assert 'pdfaid:conformance="A"' in metadata
    assert root["/OutputIntents"][0]["/S"] == "/GTS_PDFA1"
    assert root["/MarkInfo"]["/Marked"]
    assert "/StructTreeRoot" in root
    assert pdf.trailer["/ID"]
    for page in pdf.pages:
        for annotation in page.get("/Annots", []):
            assert annotation.get_object()["/F"] == 4


def test_fonts_are_embedded_subsets_and_no_glyph_is_missing() -> None:
    pdf = reader(issued=False)
    names = set()
    for page in pdf.pages:
        assert 0 not in pdfs.glyphs(page)
        for font in page["/Resources"]["/Font"].values():
            descriptor = font.get_object()["/DescendantFonts"][0].get_object()["/FontDescriptor"]
            assert "/FontFile3" in descriptor or "/FontFile2" in descriptor
            names.add(descriptor["/FontName"])
    assert names
    assert all(name[7] == "+" for name in names)
    assert len(printed()) < 1_500_000


def test_the_same_circular_gives_the_same_bytes() -> None:
    render_pdf(plain(title="另一份文件"))
    assert render_pdf(circular()) == printed()
    assert render_pdf(render_html(circular())) == printed()
    program = (
        "import django, hashlib; django.setup()\n"
        "from bulletins.paper import render_pdf\n"
        "from tests.bulletins.papers import circular\n"
        "print(hashlib.sha256(render_pdf(circular())).hexdigest())"
    )
    other = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONHASHSEED": "7", "TZ": "UTC"},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert other.stdout.strip() == hashlib.sha256(printed()).hexdigest()


def test_another_moment_gives_other_bytes() -> None:
    later = circular(created=circular().created + dt.timedelta(seconds=1))
    assert render_pdf(later) != printed()


def test_watermark_until_issue() -> None:
    for issued in (False, True):
        for page in reader(issued=issued).pages:
            assert bool(re.search(r"草\s*稿", pdfs.text(page))) is not issued


# --- Hard input --------------------------------------------------------------------------------------------


def test_rare_characters_do_not_vanish() -> None:
    rare = "䶮𬭊〔2025〕—×％‰㎡℃①·《》“”"
    table = Table("表", (Column("单位", 1, "start"),), (Row((f"{rare}有限公司",)),))
    pdf = render_pdf(plain(blocks=(Paragraph(rare), table)))
    assert words(pdf).count(rare) == 2
    assert missing_characters(rare) == []
    assert all(0 not in pdfs.glyphs(page) for page in pdfs.read(pdf).pages)


def test_characters_without_glyph_are_named() -> None:
    paper = plain(blocks=(Paragraph("甲\U0001f600乙\u0007丙\ud800丁\u202e戊\u200b己\ufe0f庚"),))
    assert "甲［U+1F600］乙［U+0007］丙［U+D800］丁戊己庚" in words(render_pdf(paper))
    assert missing_characters("甲\U0001f600\u202e") == ["\U0001f600"]


def test_typed_markup_is_text() -> None:
    hostile = '<script>alert("1")</script><img src="https://example.com/x.png">&amp;{{ 7 }}{% now %}<!--'
    paper = plain(
        mark="<b>红</b>头",
        issuer=hostile,
        number=hostile[:20],
        title="<u>标题",
        addressee="<i>各省",
        summary=hostile,
        keywords=('"><style>',),
        copies_to="</div><p>",
        note="</p>",
        blocks=(
            Paragraph(hostile, lead="<h1>"),
            Section(
                hostile, (Table(hostile, (Column("<td>"),), (Row((Cell("<th>", 'https://x/"><b>'),)),)),)
            ),
        ),
    )
    html = render_html(paper)
    for tag in ("<script", "<img", "<u>", "<i>", "<b>红", "<!--"):
        assert tag not in html
    text = words(render_pdf(html)).replace("\n", "")
    assert hostile in text
    assert "抄送：</div><p>。" in text


def test_nothing_is_loaded_from_outside(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    secret = tmp_path / "secret.css"
    secret.write_text("body { display: none }")
    uris = (
        secret.as_uri(),
        "http://127.0.0.1:9/x",
        "data:text/css,body{display:none}",
        "paper:../settings.py",
    )
    loads = "".join(
        f'<link rel="stylesheet" href="{uri}"><link rel="attachment" href="{uri}"><img src="{uri}">'
        f'<style>@import url("{uri}"); p {{ background: url("{uri}") }}</style><object data="{uri}"></object>'
        for uri in uris
    )
    pdf = render_pdf(f"<html><head>{loads}</head><body>{loads}<p>正文</p></body></html>")
    assert "正文" in words(pdf)
    assert "/EmbeddedFiles" not in pdfs.read(pdf).trailer["/Root"].get("/Names", {})
    assert caplog.text.count("Papers load nothing from outside") >= 4 * len(uris)


def test_an_image_that_does_not_load_leaves_the_text() -> None:
    pdf = render_pdf(
        '<html><body><p>前文</p><img src="https://example.com/a.png" alt="图"><p>后文</p></body></html>'
    )
    assert re.sub(r"\s", "", words(pdf)).replace("图", "") == "前文后文"


@pytest.fixture
def bare_machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine without any of the typefaces."""
    monkeypatch.setattr(fonts, "_installed", dict)
    for found_once in (fonts.faces, printing.resources):
        found_once.cache_clear()
    yield
    for found_once in (fonts.faces, printing.resources):
        found_once.cache_clear()


@pytest.mark.usefixtures("bare_machine")
def test_packaged_typefaces_serve_a_bare_machine() -> None:
    pdf = render_pdf(plain(blocks=(Paragraph("正文䶮𬭊。"),)))
    fonts_used = pdfs.read(pdf).pages[0]["/Resources"]["/Font"].values()
    assert {str(font.get_object()["/BaseFont"])[8:] for font in fonts_used} == {"Noto-Serif-SC"}
    assert "正文䶮𬭊。" in words(pdf)


def test_official_typefaces_are_preferred(monkeypatch: pytest.MonkeyPatch) -> None:
    letters = {chr(code) for code in range(32, 127)}
    names = (
        "方正小标宋_GBK",
        "仿宋_GB2312",
        "楷体_GB2312",
        "黑体",
        "宋体",
        "Noto Serif CJK SC",
        "Noto Sans CJK SC",
    )
    monkeypatch.setattr(fonts, "_installed", lambda: dict.fromkeys(names, (200, letters)))
    fonts.faces.cache_clear()
    faces = fonts.faces()
    fonts.faces.cache_clear()
    first = {role: families.split(",")[0] for role, families in faces.families.items()}
    assert first == {
        "title": "方正小标宋_GBK",
        "body": "仿宋_GB2312",
        "kai": "楷体_GB2312",
        "hei": "黑体",
        "song": "宋体",
        "sans": "Noto Sans CJK SC",
    }
    assert set(faces.weights.values()) == {400}
    assert faces.packaged == ()


def test_a_long_annex_is_set_whole() -> None:
    rows = tuple(Row((f"DK-2024-320505-{number:05d}", "江苏省苏州市", "12")) for number in range(1000))
    table = Table(
        "逾期事项清单", (Column("编号", 2, "start"), Column("地区", 2, "start"), Column("天数")), rows
    )
    pages = [pdfs.text(page) for page in pdfs.read(render_pdf(plain(blocks=(table,)))).pages]
    assert sum(text.count("DK-2024-320505-") for text in pages) == 1000
    assert [text.count("编号") for text in pages] == ["DK-2024" in text for text in pages]


def test_pdf_can_be_read_by_others() -> None:
    assert PdfReader(BytesIO(printed()), strict=True).pages
