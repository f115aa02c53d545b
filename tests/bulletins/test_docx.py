"""The .docx, opened as a word processor would: parts, texts, measures."""

import re
import zipfile
from dataclasses import replace
from io import BytesIO
from xml.etree import ElementTree

import pytest

from bulletins.paper import Column, Masthead, Paragraph, Row, Table, render_docx
from tests.bulletins.papers import FIGURES, SENTENCE, URL, circular

pytestmark = pytest.mark.any_database

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"


def part(document: bytes, name: str = "word/document.xml") -> ElementTree.Element:
    with zipfile.ZipFile(BytesIO(document)) as archive:
        return ElementTree.fromstring(archive.read(name))  # noqa: S314


def texts(document: bytes, name: str = "word/document.xml") -> list[str]:
    """Each paragraph as it reads."""
    return ["".join(t.text or "" for t in p.iter(f"{W}t")) for p in part(document, name).iter(f"{W}p")]


def styled(document: bytes, style: str) -> list[str]:
    found = []
    for paragraph in part(document).iter(f"{W}p"):
        named = paragraph.find(f"{W}pPr/{W}pStyle")
        if named is not None and named.get(f"{W}val") == style:
            found.append("".join(t.text or "" for t in paragraph.iter(f"{W}t")))
    return found


def test_it_says_what_the_pdf_says() -> None:
    document = render_docx(circular())
    said = "".join(texts(document))
    assert SENTENCE in said
    assert [said.index(figure) for figure in FIGURES]
    for expected in (
        "全国质量强链工作推进办公室文件", "质强链办〔2025〕3号", "（二）组织联合攻关。", "1.明确目标值",
        "（三）按时报送。季度数据", "表1　2024年质量强链主要指标",
        "图2　2024年解决质量堵点卡点问题数前12位地区",
        "附件：1.指标口径说明", "2025年1月22日", "（此件公开发布）", "抄送：国务院有关部门", URL,
    ):  # fmt: skip
        assert expected in said
    assert styled(document, "Heading1") == [
        "一、总体情况", "二、主要做法和成效", "三、分地区进展", "四、存在问题", "五、下一步工作要求"
    ]  # fmt: skip
    assert styled(document, "Attachment") == ["附件1", "附件2"]


def test_page_and_grid_are_those_of_the_standard() -> None:
    section = part(render_docx(circular())).find(f"{W}body/{W}sectPr")
    assert section is not None
    margins, grid = section.find(f"{W}pgMar"), section.find(f"{W}docGrid")
    assert margins is not None
    assert grid is not None
    millimetres = {
        side: int(margins.get(f"{W}{side}", 0)) / 56.693 for side in ("top", "left", "right", "bottom")
    }
    assert millimetres == pytest.approx({"top": 37, "left": 28, "right": 26, "bottom": 35}, abs=0.1)
    lines = 225 / 25.4 * 1440 / int(grid.get(f"{W}linePitch", 0))
    advance = 16 + int(grid.get(f"{W}charSpace", 0)) / 4096
    assert (int(lines), int(156 / 25.4 * 72 / advance)) == (22, 28)


def test_page_numbers_stand_at_the_outer_edge() -> None:
    document = render_docx(circular())
    sides = {}
    for name in ("word/footer1.xml", "word/footer2.xml"):
        footer = part(document, name)
        sides[name] = footer.find(f"{W}p/{W}pPr/{W}jc").get(f"{W}val")  # type: ignore[union-attr]
        assert "PAGE" in "".join(code.text or "" for code in footer.iter(f"{W}instrText"))
    assert sides == {"word/footer1.xml": "right", "word/footer2.xml": "left"}
    assert part(document, "word/settings.xml").find(f"{W}evenAndOddHeaders") is not None


def test_heads_of_tables_are_repeated_and_rows_stay_whole() -> None:
    rows = tuple(Row((f"编号{number}", None)) for number in range(3000))
    table = Table("逾期清单", (Column("编号", 2, "start"), Column("天数")), rows, unit="天")
    drawn = part(render_docx(circular(blocks=(table,), attachments=()))).find(f"{W}body/{W}tbl")
    assert drawn is not None
    lines = drawn.findall(f"{W}tr")
    assert len(lines) == 3001
    assert [line.find(f"{W}trPr/{W}tblHeader") is not None for line in lines[:2]] == [True, False]
    assert all(line.find(f"{W}trPr/{W}cantSplit") is not None for line in lines)
    assert [t.text for t in lines[1].iter(f"{W}t")] == ["编号0", "—"]


def test_typed_markup_is_text_and_impossible_characters_are_left_out() -> None:
    hostile = '<w:p/>&amp;"]]><script>\x00\x0b\ud800=1+1'
    document = render_docx(circular(title="<b>", issuer=hostile, blocks=(Paragraph(hostile, lead="<i>"),)))
    said = texts(document)
    assert '<i><w:p/>&amp;"]]><script>=1+1' in said
    assert part(document, "docProps/core.xml") is not None


def test_a_draft_says_so_on_each_page_and_an_issued_one_does_not() -> None:
    assert texts(render_docx(circular(issued=False)), "word/header1.xml") == ["草稿"]
    assert texts(render_docx(circular()), "word/header1.xml") == [""]


def test_a_brief_has_its_own_head_and_lines() -> None:
    brief = replace(
        circular(),
        mark="质量强链工作简报",
        number="2025年第3期（总第17期）",
        masthead=Masthead(("编辑：甲", "签发：乙")),
        lines=(("报", "市场监管总局"), ("发", "各市局")),
        copies_to="",
    )
    said = texts(render_docx(brief))
    assert "2025年第3期（总第17期）" in said
    assert "编辑：甲　　签发：乙" in said
    assert [line for line in said if re.match("[报发]：", line)] == ["报：市场监管总局。", "发：各市局。"]


def test_every_part_is_named_and_the_same_circular_gives_the_same_bytes() -> None:
    first = render_docx(circular())
    assert render_docx(circular()) == first
    with zipfile.ZipFile(BytesIO(first)) as archive:
        names = set(archive.namelist())
        for name in names:
            ElementTree.fromstring(archive.read(name))  # noqa: S314
        types = archive.read("[Content_Types].xml").decode()
    assert all(f"/{name}" in types for name in names if not name.endswith(".rels") and "Types" not in name)
