"""The drawings: well-formed, without style, labelled, linked, escaped, and the same every time."""

import re
from decimal import Decimal
from xml.etree import ElementTree

import pytest
from django.utils import translation

from common import charts
from common.charts import (
    TILE_PLACES,
    Bar,
    Bullet,
    Chart,
    Columns,
    Flow,
    HorizontalBars,
    Segment,
    Sparkline,
    Tile,
    TileGrid,
    fitted,
    render,
    text_width,
)

SVG = "{http://www.w3.org/2000/svg}"
BARS = (
    Bar("江苏省", 1240, "1,240", "/rows/?bureau=320000", 980, "980"),
    Bar(
        "一个名称特别长而无法在图中完整写出的地区单位",
        Decimal("12.5"),
        "12.5",
        "/rows/?bureau=330000&state=open",
    ),
    Bar("青海省", 0, "0"),
    Bar("新疆生产建设兵团", None),
)
CHARTS: list[Chart] = [
    HorizontalBars("各地区解决问题数", BARS, unit="个", series="2024年", previous_series="2023年"),
    HorizontalBars("空排名", ()),
    Columns("逐月解决问题数", BARS, unit="个"),
    TileGrid("各地区", (Tile("320000", 1240, "1,240", "/x"), Tile("660000", None)), unit="个"),
    Sparkline("近六期", (1, 3, None, 2, 8, 8)),
    Sparkline("无数", (None, None)),
    Bullet("良率", 62, 95, 93, "62", "95", "93", "%"),
    Bullet("未测", None, None),
    Flow(
        "各状态问题数",
        (Segment("已提交", 120, "120", "/a"), Segment("已解决", 5000, "5,000", "/b")),
        unit="个",
    ),
    Flow("无问题", (Segment("已提交", 0, "0"),)),
]


def parsed(chart: Chart) -> ElementTree.Element:
    return ElementTree.fromstring(render(chart))  # noqa: S314


def words(root: ElementTree.Element) -> str:
    return " ".join("".join(node.itertext()) for node in root.iter(f"{SVG}text"))


@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: f"{type(chart).__name__}-{chart.title}")
def test_every_drawing(chart: Chart) -> None:
    root = parsed(chart)
    assert render(chart) == render(chart)
    labels = root.attrib["aria-labelledby"].split()
    by_id = {node.attrib["id"]: node for node in root.iter() if "id" in node.attrib}
    assert list(by_id) == labels
    assert by_id[labels[0]].text == chart.title
    assert root.attrib["font-family"] == charts.PAGE_FONTS
    for node in root.iter():
        assert not {"style", "class"} & set(node.attrib)
        assert node.tag.removeprefix(SVG) in {
            *("svg", "title", "desc", "g", "a", "rect", "line", "polyline", "circle", "text"),
        }
        for name in ("x", "y", "width", "height", "x1", "y1", "x2", "y2", "cx", "cy"):
            value = node.attrib.get(name, "0")
            assert re.fullmatch(r"-?\d+(\.\d{1,2})?", value)
            assert float(value) >= 0 or name == "y"
    assert root.attrib["role"] == ("group" if list(root.iter(f"{SVG}a")) else "img")
    assert "<a" not in render(chart, links=False)
    assert 'role="img"' in render(chart, links=False)


def test_two_drawings_on_a_page_share_no_id() -> None:
    ids = [match for chart in CHARTS for match in re.findall(r' id="([^"]+)"', render(chart))]
    assert len(ids) == len(set(ids)) == 2 * len(CHARTS)


def test_bars_are_in_proportion_and_lead_to_their_rows() -> None:
    root = parsed(HorizontalBars("图", (Bar("甲", 100, "100", "/a?b=1&c=2"), Bar("乙", 25, "25"))))
    first, second = (float(bar.attrib["width"]) for bar in root.iter(f"{SVG}rect"))
    assert first == pytest.approx(4 * second, abs=0.02)
    links = list(root.iter(f"{SVG}a"))
    assert [link.attrib["href"] for link in links] == ["/a?b=1&c=2"]
    assert links[0].attrib["aria-label"] == "甲 100"


def test_last_year_has_a_legend_and_its_own_number() -> None:
    text = words(parsed(CHARTS[0]))
    assert "2024年" in text
    assert "2023年" in text
    assert "980" in text
    assert "一个名称特别长而无法在图中完整写出的地区单位" not in text
    assert "一个名称特别长而无法在图中完整写出的地区单位 12.5 个" in render(CHARTS[0])


def test_tiles_are_the_32_units_each_in_a_place_of_its_own() -> None:
    assert len(TILE_PLACES) == 32
    assert len({place[:2] for place in TILE_PLACES.values()}) == 32
    values = {code: index * 10 for index, code in enumerate(sorted(TILE_PLACES)) if code != "660000"}
    grid = TileGrid("图", tuple(Tile(code, value, f"{value}") for code, value in values.items()), unit="个")
    text = words(parsed(grid))
    for _column, _row, name, _letters in TILE_PLACES.values():
        assert name in text
    for value in values.values():
        assert f" {value} " in f" {text} "
    assert "兵团 —" in text
    fills = re.findall(r'<g text-anchor="middle".*?<rect [^>]*fill="([^"]+)"', render(grid))
    assert len(fills) == 32
    assert {fills.count(fill) for fill, _ink in charts.CLASSES} == {6, 7}
    assert fills.count("#ffffff") == 1
    with translation.override("en"):
        assert "XPCC —" in words(parsed(grid))


def test_equal_values_have_one_class_and_the_legend_names_its_ends() -> None:
    tiles = tuple(
        Tile(code, value, str(value))
        for code, value in zip(sorted(TILE_PLACES), [5] * 20 + [9] * 12, strict=True)
    )
    svg = render(TileGrid("图", tiles))
    fills = re.findall(r'<g text-anchor="middle".*?<rect [^>]*fill="([^"]+)"', svg)
    assert len(set(fills[:20])) == 1
    assert len(set(fills)) == 2
    assert ">5<" in svg
    assert ">9<" in svg


@pytest.mark.parametrize(("fill", "ink"), [*charts.CLASSES, charts.NO_VALUE, *charts.STATES])
def test_ink_can_be_read_on_its_ground(fill: str, ink: str) -> None:
    def light(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (
            part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    high, low = sorted((light(fill), light(ink)), reverse=True)
    assert (high + 0.05) / (low + 0.05) >= 4.5


def test_typed_text_is_escaped() -> None:
    hostile = '"><script>alert(1)</script>&'
    for chart in (
        HorizontalBars(hostile, (Bar(hostile, 1, hostile, hostile),), hostile, hostile, hostile, hostile),
        Flow(hostile, (Segment(hostile, 1, hostile, hostile),), hostile, hostile),
        TileGrid(hostile, (Tile("110000", 1, hostile, hostile),), hostile, hostile),
        Bullet(hostile, 1, 2, 3, hostile, hostile, hostile, hostile, hostile),
        Columns(hostile, (Bar(hostile, 1, hostile, hostile),)),
    ):
        svg = render(chart)
        assert "<script" not in svg
        assert ElementTree.fromstring(svg).find(f"{SVG}title").text == hostile  # type: ignore[union-attr]  # noqa: S314


def test_a_gap_in_a_series_stays_a_gap() -> None:
    assert len(list(parsed(Sparkline("图", (1, 2, None, 3, 4))).iter(f"{SVG}polyline"))) == 2
    assert len(list(parsed(Sparkline("图", (1, None, 3))).iter(f"{SVG}circle"))) == 3


def test_bullet_shows_the_target_in_its_place() -> None:
    root = parsed(Bullet("良率", 60, 90, 30, "60", "90", "30", "%"))
    lengths = [float(bar.attrib["width"]) for bar in root.iter(f"{SVG}rect")]
    assert lengths[0] == pytest.approx(2 * lengths[1], abs=0.02)
    target = next(line for line in root.iter(f"{SVG}line") if "stroke-dasharray" in line.attrib)
    assert float(target.attrib["x1"]) - 64 == pytest.approx(1.5 * lengths[0], abs=0.02)
    assert "目标 90 %" in words(root)


def test_widths() -> None:
    assert text_width("质量", 10) == 20
    assert text_width("ab", 10) < 20
    assert fitted("质量强链", 100, 10) == "质量强链"
    assert fitted("质量强链", 35, 10) == "质量…"
