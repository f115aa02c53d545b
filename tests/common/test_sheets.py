"""Sheets and workbooks read back: what stands where, and that the same content gives the same bytes."""

import datetime as dt
import io
import re
from dataclasses import replace
from decimal import Decimal

import pytest
from openpyxl import load_workbook

from common.charts import Bar, HorizontalBars
from common.paper import Column, Row, Sheet, Table, render_sheet, sheet_html
from common.workbooks import Leaf, workbook
from tests.bulletins import pdfs

pytestmark = pytest.mark.any_database

MOMENT = dt.datetime(2026, 11, 20, 9, 30, tzinfo=dt.UTC)
TABLE = Table(
    "",
    (Column("编号", 2, "start"), Column("问题", 4, "start"), Column("天数")),
    tuple(Row((f"DK-2024-320505-{number:05d}", "电芯极片毛刺检测数据不可比", "12")) for number in range(90)),
    notes=("另有 3 项不公开",),
)
SHEET = Sheet(
    title="质量问题清单",
    sub="动力电池产业链　第 2 版",
    issuer="苏州市市场监督管理局",
    date=dt.date(2026, 11, 20),
    created=MOMENT,
    code="WT-320500-ABC-2",
    url="https://portal.example/lists/1/",
    tables=(TABLE,),
)


def pages(sheet: Sheet) -> list[str]:
    return [pdfs.text(page) for page in pdfs.read(render_sheet(sheet)).pages]


def test_heads_are_repeated_and_every_page_says_where_it_comes_from() -> None:
    texts = pages(SHEET)
    assert len(texts) > 1
    for number, text in enumerate(texts, start=1):
        for expected in ("编号", SHEET.code, "2026-11-20", SHEET.url, f"{number} / {len(texts)}"):
            assert expected in text
    assert sum(text.count("DK-2024-320505-") for text in texts) == 90
    assert "另有 3 项不公开" in texts[-1]
    assert "质量问题清单" in texts[0]
    assert "质量问题清单" not in texts[1]


@pytest.mark.parametrize(("landscape", "size"), [(True, (297, 210)), (False, (210, 297))])
def test_sheets_lie_across_or_stand_upright(landscape: bool, size: tuple[int, int]) -> None:
    for page in pdfs.read(render_sheet(replace(SHEET, landscape=landscape))).pages:
        assert tuple(round(float(value) * pdfs.MM) for value in page.mediabox[2:]) == size


def test_a_watermark_lies_on_every_page_of_a_draft_only() -> None:
    assert all(re.search(r"草\s*案", text) for text in pages(replace(SHEET, watermark="草案")))
    assert not any(re.search(r"草\s*案", text) for text in pages(SHEET))


def test_a_drawing_stands_above_the_tables() -> None:
    chart = HorizontalBars("待解决的问题", (Bar("上游", 3, "3"),))
    html = sheet_html(replace(SHEET, drawing=chart))
    assert html.index("<svg") < html.index("<h1>") < html.index("待解决的问题") < html.index("<table")
    assert "上游" in "".join(pages(replace(SHEET, drawing=chart)))


def test_the_same_sheet_gives_the_same_bytes_and_another_moment_others() -> None:
    first = render_sheet(SHEET)
    render_sheet(replace(SHEET, title="另一张"))
    assert render_sheet(SHEET) == first
    assert render_sheet(replace(SHEET, created=MOMENT + dt.timedelta(seconds=1))) != first


def test_typed_markup_and_unknown_characters_are_text() -> None:
    hostile = '<script>alert(1)</script><img src="https://example.com/x">&amp;'
    sheet = replace(SHEET, title=hostile, sub="甲\U0001f600乙", notes=(hostile,), tables=(), watermark="<b>")
    html = sheet_html(sheet)
    assert "<script" not in html
    assert "<img" not in html
    text = "".join(pages(sheet)).replace("\n", "")
    assert text.count("alert(1)") == 2
    assert "甲［U+1F600］乙" in text


# --- Workbooks --------------------------------------------------------------------------------------------

LEAF = Leaf(
    "清单/一[草]",
    [("编号", 20), ("问题", 44), ("日期", 12), ("金额", 12), ("备注", 30)],
    [("=1+1", "@cmd\x07", dt.date(2026, 3, 1), Decimal("1234.50"), None), ("-甲", "+乙", None, 7, "丙")],
    wrap=True,
)


def test_texts_are_never_formulas_and_days_and_numbers_are_such() -> None:
    sheet = load_workbook(io.BytesIO(workbook([LEAF]))).active
    assert sheet.title == "清单 一 草 "
    assert [cell.value for cell in sheet[1]] == ["编号", "问题", "日期", "金额", "备注"]
    assert all(cell.font.bold for cell in sheet[1])
    first, second = sheet[2], sheet[3]
    assert [cell.data_type for cell in first] == ["s", "s", "d", "n", "n"]
    assert [cell.value for cell in first[:2]] == ["=1+1", "@cmd"]
    assert str(first[2].value) == "2026-03-01 00:00:00"
    assert [cell.value for cell in first[3:]] == [1234.5, None]
    assert first[2].number_format == "yyyy-mm-dd"
    assert [cell.value for cell in second] == ["-甲", "+乙", None, 7, "丙"]
    assert sheet.freeze_panes == "B2"
    assert sheet.column_dimensions["B"].width == 44
    assert first[1].alignment.wrap_text


def test_the_same_rows_of_one_moment_give_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    first = workbook([LEAF], created=MOMENT)
    monkeypatch.setattr("time.time", lambda: 2_000_000_000.0)
    assert workbook([LEAF], created=MOMENT) == first
    assert workbook([LEAF], created=MOMENT + dt.timedelta(days=1)) != first
    assert str(load_workbook(io.BytesIO(first)).properties.created) == "2026-11-20 17:30:00"
