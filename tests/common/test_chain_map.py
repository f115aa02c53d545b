"""The map of a chain: laid out for one segment and for sixty, for long names, and read without eyes."""

import re
from xml.etree import ElementTree

import pytest

from common import chain_map
from common.chain_map import WIDTH, Box, ChainMap, is_tall, render, wrapped
from common.charts import text_width

SVG = "{http://www.w3.org/2000/svg}"
STREAMS = (("up", "上游"), ("mid", "中游"), ("down", "下游"))
LEGEND = (("red", "红色：解决率低于 60%"), ("green", "绿色：90% 及以上"))
LONG = "面向新能源汽车动力电池系统的高镍三元正极材料前驱体与单晶化烧结及表面包覆改性工艺环节（含回收再生）"


def box(key: int, stream: str = "up", name: str = "", **fields: object) -> Box:
    values = {"state": "red", "state_words": "红色", "figures": "在办 3，已解决 1", "gaps": "缺：计量 2"}
    return Box(key=key, stream=stream, name=name or f"环节{key}", **(values | fields))  # type: ignore[arg-type]


def spread(count: int, name: str = "", streams: str = "up mid down") -> ChainMap:
    names = streams.split()
    boxes = tuple(
        box(n, names[n % len(names)], name, href=f"/rows/?segment={n}") for n in range(1, count + 1)
    )
    return ChainMap("工业机器人质量图谱", STREAMS, boxes, LEGEND)


MAPS = {
    "one": spread(1),
    "five": spread(5),
    "sixty": spread(60),
    "sixty in one stream": spread(60, streams="mid"),
    "sixty long names": spread(60, LONG),
    "a long Latin word": spread(7, "Superconductinglargescaleintegratedmeasurementinstrumentation"),
    "families": ChainMap(
        "图谱",
        STREAMS,
        tuple(box(n, "up", parent=(n - 1) // 2 or None, mark="与本单位有关 2 个") for n in range(1, 16)),
    ),
}


def parsed(chart: ChainMap, **options: bool) -> ElementTree.Element:
    return ElementTree.fromstring(render(chart, **options))  # noqa: S314


def outer(root: ElementTree.Element) -> list[tuple[float, float, float, float]]:
    """Left, top, right and bottom of the boxes, which alone have round corners of three."""
    found = [node for node in root.iter(f"{SVG}rect") if node.get("rx") == "3"]
    sides = [[float(node.attrib[name]) for name in ("x", "y", "width", "height")] for node in found]
    return [(x, y, x + width, y + tall) for x, y, width, tall in sides]


@pytest.mark.parametrize("chart", MAPS.values(), ids=MAPS)
def test_no_two_boxes_overlap_and_none_leaves_the_drawing(chart: ChainMap) -> None:
    root = parsed(chart)
    boxes = outer(root)
    assert len(boxes) == len(chart.boxes)
    for n, (left, top, right, bottom) in enumerate(boxes):
        assert 0 <= left < right <= WIDTH
        assert 0 <= top < bottom <= float(root.attrib["height"])
        for other in boxes[n + 1 :]:
            assert right <= other[0] or other[2] <= left or bottom <= other[1] or other[3] <= top


@pytest.mark.parametrize("chart", MAPS.values(), ids=MAPS)
def test_every_word_stands_in_its_box(chart: ChainMap) -> None:
    root = parsed(chart)
    for group in root.iter(f"{SVG}g"):
        boxes = [node for node in group.iter(f"{SVG}rect") if node.get("rx") == "3"]
        for text in group.iter(f"{SVG}text") if boxes else ():
            x, y = float(text.attrib["x"]), float(text.attrib["y"])
            left, top = float(boxes[0].attrib["x"]), float(boxes[0].attrib["y"])
            assert left < x
            assert x + text_width(text.text or "", float(text.attrib["font-size"])) <= left + float(
                boxes[0].attrib["width"]
            )
            assert top < y < top + float(boxes[0].attrib["height"])


@pytest.mark.parametrize("chart", MAPS.values(), ids=MAPS)
def test_a_long_name_is_wrapped_and_never_cut(chart: ChainMap) -> None:
    root = parsed(chart)
    groups = [g for g in root.iter(f"{SVG}g") if g.find(f"{SVG}rect[@rx='3']") is not None]
    names = ["".join(t.text or "" for t in g.iter(f"{SVG}text") if t.get("font-weight")) for g in groups]
    assert sorted(names) == sorted(one.name for one in chart.boxes)


def test_each_box_is_a_link_named_by_state_figures_and_gaps() -> None:
    root = parsed(spread(5))
    assert root.attrib["role"] == "group"
    links = list(root.iter(f"{SVG}a"))
    assert len(links) == 5
    assert {link.attrib["href"] for link in links} == {f"/rows/?segment={n}" for n in range(1, 6)}
    assert links[0].attrib["aria-label"] == "环节3：红色，在办 3，已解决 1，缺：计量 2"


def test_on_paper_it_is_an_image_with_title_and_description() -> None:
    root = parsed(spread(2), links=False)
    assert root.attrib["role"] == "img"
    assert not list(root.iter(f"{SVG}a"))
    title, desc = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
    assert title is not None
    assert desc is not None
    assert root.attrib["aria-labelledby"].split() == [title.attrib["id"], desc.attrib["id"]]
    assert title.text == "工业机器人质量图谱"
    assert "环节1：红色，在办 3" in (desc.text or "")


def test_states_differ_in_shape_and_not_in_colour_alone() -> None:
    shapes = [look[2] for look in chain_map.LOOKS.values()]
    assert len(set(shapes)) == len(shapes)


def test_markup_in_names_is_text() -> None:
    drawn = render(ChainMap("<b>图</b>", STREAMS, (box(1, name='<script>alert("x")</script>&'),)))
    assert "<script" not in drawn
    assert "<b>" not in drawn
    ElementTree.fromstring(drawn)  # noqa: S314


def test_no_styles_so_that_the_content_policy_lets_it_pass() -> None:
    drawn = render(MAPS["families"])
    assert not re.search(r"\s(style|class|on\w+)=", drawn)


def test_equal_maps_give_equal_bytes() -> None:
    assert render(spread(60)) == render(spread(60))


def test_a_part_says_of_what_it_is_a_part() -> None:
    whole, part = box(1, name="伺服系统"), box(2, name="编码器", parent=1)
    drawn = render(ChainMap("图", STREAMS, (part, whole)))
    assert "属于：伺服系统" in drawn
    assert drawn.index(">伺服系统<") < drawn.index(">编码器<")


def test_a_whole_in_another_stream_or_a_circle_loses_no_box() -> None:
    lost = (box(1, "up"), box(2, "down", parent=1), box(3, "mid", parent=99))
    circle = (box(4, parent=5), box(5, parent=6), box(6, parent=4), box(7, parent=7), box(8, parent=5))
    assert len(outer(parsed(ChainMap("图", STREAMS, lost + circle)))) == 8


def test_sixty_segments_are_printed_upright() -> None:
    assert is_tall(spread(60))
    assert not is_tall(spread(5))


@pytest.mark.parametrize("text", ["短", LONG, "plain words in a row", "x" * 90, ""])
def test_wrapping_keeps_every_character_and_the_width(text: str) -> None:
    lines = wrapped(text, 160)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(text_width(line) <= 160 for line in lines)
