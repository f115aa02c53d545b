"""Charts drawn on the server as SVG, the same for the page and for paper.

A chart is a frozen value; `render()` computes its geometry here and fills a template in `templates/charts/`.
The drawings use presentation attributes only (no style, so a strict content policy lets them pass), carry a
title and a description for screen readers, print every value beside its mark (colour is never alone), and
lead from each mark to its rows. Equal charts give equal bytes.

Lengths are in SVG user units, which are CSS pixels at the drawing's natural size.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol, TypeAlias

from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.translation import get_language, gettext, pgettext

Number: TypeAlias = int | float | Decimal

BLANK = "—"
# No space after the commas: WeasyPrint keeps it as part of the name.
PAGE_FONTS = "PingFang SC,Microsoft YaHei,Noto Sans CJK SC,Noto Sans SC,sans-serif"
SIZE = 13
# So wide that two stand side by side; on a phone, where there are 358, words of 12 are still of 11 pixels.
NARROW = 390

BLUE, GREY, LIGHT, INK, MUTED, RED = "#1d5fa8", "#9aa5b1", "#e8ecf0", "#1f2933", "#52606d", "#b3261e"
# Five steps of one hue and the ink that reads on each with a contrast of at least 4.5 : 1.
CLASSES = (
    ("#e3eef9", INK),
    ("#b9d5f0", INK),
    ("#86b6e2", INK),
    ("#2f78bf", "#ffffff"),
    ("#134a86", "#ffffff"),
)
NO_VALUE = ("#ffffff", MUTED)
# States in the order of their life; neighbours differ in lightness too, for readers who see no hues.
STATES = (
    ("#1d5fa8", "#ffffff"),
    ("#9cc4e8", INK),
    ("#2e7d6b", "#ffffff"),
    ("#9fd3c5", INK),
    ("#8a5a12", "#ffffff"),
    ("#e8c27a", INK),
    ("#52606d", "#ffffff"),
    ("#c3cbd4", INK),
    ("#8e2f5c", "#ffffff"),
    ("#e3b3cb", INK),
)


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: its value, the printed number, and if wanted the same figure of the year before."""

    label: str
    value: Number | None
    text: str = BLANK
    href: str = ""
    previous: Number | None = None
    previous_text: str = ""


@dataclass(frozen=True, slots=True)
class HorizontalBars:
    """A ranking, in the order given. `series` and `previous_series` name the two bars where there are two."""

    title: str
    bars: tuple[Bar, ...]
    desc: str = ""
    unit: str = ""
    series: str = ""
    previous_series: str = ""
    width: int = 640


@dataclass(frozen=True, slots=True)
class Columns:
    """A trend over periods, oldest first."""

    title: str
    bars: tuple[Bar, ...]
    desc: str = ""
    unit: str = ""
    width: int = 640


@dataclass(frozen=True, slots=True)
class Tile:
    """A unit of the tile grid: division code of the province (660000 the corps), value and printed number.

    Without a value, the text is the mark that says why.
    """

    code: str
    value: Number | None
    text: str = BLANK
    href: str = ""


@dataclass(frozen=True, slots=True)
class TileGrid:
    """The 31 provinces and the corps as equal tiles in five classes; no boundaries are drawn."""

    title: str
    tiles: tuple[Tile, ...]
    desc: str = ""
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Sparkline:
    """The shape of a series beside its figure; None leaves a gap."""

    title: str
    values: tuple[Number | None, ...]
    desc: str = ""
    width: int = 96
    height: int = 28


@dataclass(frozen=True, slots=True)
class Bullet:
    """A measure before, after, and the target it has to reach, on one scale from zero."""

    title: str
    baseline: Number | None
    target: Number | None
    after: Number | None = None
    baseline_text: str = BLANK
    target_text: str = BLANK
    after_text: str = BLANK
    unit: str = ""
    desc: str = ""


@dataclass(frozen=True, slots=True)
class Segment:
    """One state of a flow."""

    label: str
    value: Number
    text: str
    href: str = ""


@dataclass(frozen=True, slots=True)
class Flow:
    """How a whole is spread over states, in the order of the states' life; at most ten."""

    title: str
    segments: tuple[Segment, ...]
    desc: str = ""
    unit: str = ""


Chart: TypeAlias = HorizontalBars | Columns | TileGrid | Sparkline | Bullet | Flow

# Column, row, Chinese name and the letters of GB/T 2260 (the corps has none there), placed by neighbourhood.
TILE_PLACES: dict[str, tuple[int, int, str, str]] = {
    "230000": (8, 0, "黑龙江", "HL"),
    "150000": (5, 1, "内蒙古", "NM"),
    "220000": (8, 1, "吉林", "JL"),
    "660000": (0, 2, "兵团", "XPCC"),
    "110000": (6, 2, "北京", "BJ"),
    "120000": (7, 2, "天津", "TJ"),
    "210000": (8, 2, "辽宁", "LN"),
    "650000": (0, 3, "新疆", "XJ"),
    "620000": (2, 3, "甘肃", "GS"),
    "640000": (3, 3, "宁夏", "NX"),
    "610000": (4, 3, "陕西", "SN"),
    "140000": (5, 3, "山西", "SX"),
    "130000": (6, 3, "河北", "HE"),
    "370000": (7, 3, "山东", "SD"),
    "630000": (2, 4, "青海", "QH"),
    "410000": (5, 4, "河南", "HA"),
    "340000": (6, 4, "安徽", "AH"),
    "320000": (7, 4, "江苏", "JS"),
    "310000": (8, 4, "上海", "SH"),
    "540000": (1, 5, "西藏", "XZ"),
    "510000": (3, 5, "四川", "SC"),
    "500000": (4, 5, "重庆", "CQ"),
    "420000": (5, 5, "湖北", "HB"),
    "360000": (6, 5, "江西", "JX"),
    "330000": (7, 5, "浙江", "ZJ"),
    "530000": (3, 6, "云南", "YN"),
    "520000": (4, 6, "贵州", "GZ"),
    "430000": (5, 6, "湖南", "HN"),
    "350000": (7, 6, "福建", "FJ"),
    "450000": (4, 7, "广西", "GX"),
    "440000": (5, 7, "广东", "GD"),
    "460000": (5, 8, "海南", "HI"),
}


class Titled(Protocol):
    """Whatever is drawn has a name, and a description unless one is made from its data."""

    @property
    def title(self) -> str: ...
    @property
    def desc(self) -> str: ...


def render(chart: Chart, *, fonts: str = PAGE_FONTS, links: bool = True) -> SafeString:
    """The chart as one `<svg>` element.

    `fonts` is a comma-separated list of families without spaces after the commas. `links` off is for paper,
    where an address inside a drawing cannot be followed.
    """
    template, context = _draw(chart)
    return framed(template, context, chart, fonts=fonts, links=links, linked=_linked(chart))


def framed(
    template: str, context: dict[str, object], chart: Titled, *, fonts: str, links: bool, linked: bool
) -> SafeString:
    """A drawing's own context in the common frame: name, description, colours; ``linked`` if it has links."""
    context |= {
        "links": links,
        # An image hides what is inside it from screen readers; with links inside it has to be a group.
        "role": "group" if links and linked else "img",
        "title": chart.title,
        "desc": chart.desc or context["desc"],
        "id": "chart-" + hashlib.blake2s(repr(chart).encode(), digest_size=6).hexdigest(),
        "fonts": fonts,
        "ink": INK,
        "muted": MUTED,
        "light": LIGHT,
        "blue": BLUE,
        "grey": GREY,
        "red": RED,
    }
    return render_to_string(f"charts/{template}.svg", context)


def coordinate(value: float) -> str:
    """A coordinate: at most two decimals and no localisation, so that equal charts give equal bytes."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def text_width(text: str, size: float = SIZE) -> float:
    """Width of a text as set, near enough to place it: wide characters are square, others half as wide."""
    return size * sum(1.0 if unicodedata.east_asian_width(char) in "WFA" else 0.58 for char in text)


def fitted(text: str, width: float, size: float = SIZE) -> str:
    """The text, cut with an ellipsis where it would be wider than `width`."""
    if text_width(text, size) <= width:
        return text
    while text and text_width(text + "…", size) > width:
        text = text[:-1]
    return text + "…"


def _ceiling(values: Iterable[Number | None]) -> float:
    return max((float(value) for value in values if value is not None), default=0.0) or 1.0


def _listed(pairs: Iterable[tuple[str, str]], unit: str) -> str:
    """A description made from the data: 江苏 28 个；浙江 26 个。"""
    return gettext("；").join(f"{label} {text} {unit}".strip() for label, text in pairs)


def _horizontal_bars(chart: HorizontalBars) -> tuple[str, dict[str, object]]:
    width, pair = chart.width, any(bar.previous is not None for bar in chart.bars)
    label_width = min(max((text_width(bar.label) for bar in chart.bars), default=0), 190)
    value_width = max(
        (text_width(text) for bar in chart.bars for text in (bar.text, bar.previous_text)), default=0
    )
    left = label_width + 8
    reach = width - left - value_width - 8
    top, thick, thin, pitch = (26 if pair else 2), 13, 8, (31 if pair else 20)
    scale = reach / _ceiling(value for bar in chart.bars for value in (bar.value, bar.previous))
    rows = []
    for index, bar in enumerate(chart.bars):
        y = top + index * pitch
        length, previous = float(bar.value or 0) * scale, float(bar.previous or 0) * scale
        rows.append(
            {
                "href": bar.href,
                "name": f"{bar.label} {bar.text} {chart.unit}".strip(),
                "label": fitted(bar.label, label_width),
                "text": bar.text,
                "y": coordinate(y + 2),
                "baseline": coordinate(y + 13),
                "length": coordinate(length),
                "text_x": coordinate(left + length + 5),
                "previous": bar.previous is not None,
                "previous_text": bar.previous_text,
                "previous_y": coordinate(y + 17.5),
                "previous_baseline": coordinate(y + 25.5),
                "previous_length": coordinate(max(previous - 1, 0)),
                "previous_text_x": coordinate(left + previous + 5),
            }
        )
    height = top + len(rows) * pitch + 2
    return "bars", {
        "desc": _listed(((bar.label, bar.text) for bar in chart.bars), chart.unit),
        "width": width,
        "height": height,
        "left": coordinate(left),
        "label_x": coordinate(label_width),
        "axis_top": top,
        "axis_bottom": height,
        "thick": thick,
        "thin": thin,
        "rows": rows,
        "pair": pair,
        "series": chart.series,
        "series_x": coordinate(left + 18),
        "previous_series": chart.previous_series,
        "previous_swatch_x": coordinate(left + 36 + text_width(chart.series)),
        "previous_series_x": coordinate(left + 54 + text_width(chart.series)),
    }


def _columns(chart: Columns) -> tuple[str, dict[str, object]]:
    width, height, top, bottom = chart.width, 220, 24, 26
    pitch = width / max(len(chart.bars), 1)
    thick = min(pitch * 0.62, 48)
    scale = (height - top - bottom) / _ceiling(bar.value for bar in chart.bars)
    columns = []
    for index, bar in enumerate(chart.bars):
        tall = float(bar.value or 0) * scale
        middle = (index + 0.5) * pitch
        columns.append(
            {
                "href": bar.href,
                "name": f"{bar.label} {bar.text} {chart.unit}".strip(),
                "label": fitted(bar.label, pitch, 12),
                "text": bar.text,
                "x": coordinate(middle - thick / 2),
                "middle": coordinate(middle),
                "y": coordinate(height - bottom - tall),
                "tall": coordinate(tall),
                "text_y": coordinate(height - bottom - tall - 6),
            }
        )
    return "columns", {
        "desc": _listed(((bar.label, bar.text) for bar in chart.bars), chart.unit),
        "width": width,
        "height": height,
        "floor": height - bottom,
        "label_y": height - 9,
        "thick": coordinate(thick),
        "columns": columns,
    }


def _classes(tiles: Iterable[Tile]) -> tuple[dict[str, int], list[tuple[int, str]]]:
    """Class of each tile with a value (0 lowest … 4 highest), and the printed ends of the classes used.

    Classes hold about equally many units; equal values stay together.
    """
    known = sorted((tile.value, tile.code, tile.text) for tile in tiles if tile.value is not None)
    first: dict[Number, int] = {}
    for index, (value, _code, _text) in enumerate(known):
        first.setdefault(value, index)
    classes = {code: first[value] * len(CLASSES) // len(known) for value, code, _text in known}
    members: dict[int, list[str]] = {}
    for _value, code, text in known:
        members.setdefault(classes[code], []).append(text)
    ends = [
        (index, texts[0] if texts[0] == texts[-1] else f"{texts[0]}–{texts[-1]}")
        for index, texts in members.items()
    ]
    return classes, ends


def _tile_grid(chart: TileGrid) -> tuple[str, dict[str, object]]:
    wide, tall, gap = 64, 46, 4
    chinese = (get_language() or "zh").startswith("zh")
    given = {tile.code: tile for tile in chart.tiles}
    classes, ends = _classes(tile for tile in chart.tiles if tile.code in TILE_PLACES)
    tiles, words = [], []
    for code, (column, row, name, letters) in sorted(TILE_PLACES.items()):
        tile = given.get(code, Tile(code, None))
        text, unit = tile.text, "" if tile.value is None else chart.unit
        fill, ink = NO_VALUE if tile.value is None else CLASSES[classes[code]]
        label = name if chinese else letters
        words.append((label, text))
        x, y = column * (wide + gap), row * (tall + gap)
        tiles.append(
            {
                "href": tile.href,
                "name": f"{label} {text} {unit}".strip(),
                "label": label,
                "text": fitted(text, wide - 4, 14),
                "x": x + 0.5,
                "y": y + 0.5,
                "middle": coordinate(x + wide / 2),
                "label_y": y + 18,
                "text_y": y + 36,
                "fill": fill,
                "ink": ink,
            }
        )
    blanks = [gettext("— 未报")]
    if any(tile.value is None and tile.text != BLANK for tile in chart.tiles):
        blanks.append(gettext("* 不予显示"))
    legend = [
        {
            "fill": fill,
            "text": text,
            "x": coordinate(0.5 + index % 3 * 108),
            "text_x": coordinate(21 + index % 3 * 108),
            "y": coordinate(22.5 + index // 3 * 22),
            "text_y": 34 + index // 3 * 22,
        }
        for index, (fill, text) in enumerate(
            [
                *((CLASSES[number][0], text) for number, text in ends),
                *((NO_VALUE[0], text) for text in blanks),
            ]
        )
    ]
    return "tiles", {
        "desc": _listed(words, chart.unit),
        "width": 9 * (wide + gap) - gap + 1,
        "height": 9 * (tall + gap) - gap + 1,
        "wide": wide,
        "tall": tall,
        "tiles": tiles,
        "legend": legend,
        "legend_title": chart.unit and gettext("单位：%(unit)s") % {"unit": chart.unit},
        "line": GREY,
    }


def _sparkline(chart: Sparkline) -> tuple[str, dict[str, object]]:
    known = [float(value) for value in chart.values if value is not None]
    low, high = (min(known), max(known)) if known else (0.0, 0.0)
    inset = 3
    step = (chart.width - 2 * inset) / max(len(chart.values) - 1, 1)
    rise = (chart.height - 2 * inset) / ((high - low) or 1.0)
    runs: list[list[str]] = [[]]
    last: tuple[str, str] | None = None
    for index, value in enumerate(chart.values):
        if value is None:
            runs.append([])
            continue
        level = (float(value) - low) * rise if high > low else (chart.height - 2 * inset) / 2
        last = (coordinate(inset + index * step), coordinate(chart.height - inset - level))
        runs[-1].append(",".join(last))
    return "sparkline", {
        "desc": gettext("、").join(BLANK if value is None else f"{value:,}" for value in chart.values),
        "width": chart.width,
        "height": chart.height,
        "lines": [" ".join(run) for run in runs if len(run) > 1],
        "points": [run[0].split(",") for run in runs if len(run) == 1],
        "last": last,
    }


def _bullet(chart: Bullet) -> tuple[str, dict[str, object]]:
    width, left = 420, 64
    scale = (width - left - 90) / _ceiling((chart.baseline, chart.target, chart.after))
    target = left + max(float(chart.target or 0), 0) * scale
    target_text = f"{chart.target_text} {chart.unit}".strip()
    bars: list[dict[str, object]] = []
    for name, value, text, fill in (
        (pgettext("chart", "现值"), chart.baseline, chart.baseline_text, GREY),
        (gettext("攻关后"), chart.after, chart.after_text, BLUE),
    ):
        length = max(float(value or 0), 0) * scale
        printed = BLANK if value is None else f"{text} {chart.unit}".strip()
        text_x = left + length + 7
        if text_x - 4 < target < text_x + text_width(printed):
            text_x = target + 7
        bars.append(
            {
                "name": name,
                "text": printed,
                "length": coordinate(length),
                "text_x": coordinate(text_x),
                "y": 26 + 24 * len(bars),
                "baseline": 38 + 24 * len(bars),
                "fill": fill,
            }
        )
    known = [(str(bar["name"]), str(bar["text"])) for bar in bars]
    return "bullet", {
        "desc": _listed([*known, (gettext("目标"), target_text)], ""),
        "width": width,
        "height": 74,
        "left": left,
        "label_x": left - 8,
        "bars": bars,
        "target": chart.target is not None and coordinate(target),
        "target_text": f"{gettext('目标')} {target_text}",
        "target_anchor": "middle" if target > left + text_width(target_text) else "start",
    }


def _flow(chart: Flow) -> tuple[str, dict[str, object]]:
    width, height, across = 640, 34, 4
    whole = sum(float(segment.value) for segment in chart.segments)
    scale = width / (whole or 1.0)
    pitch = width / across
    x, marks = 0.0, []
    for index, segment in enumerate(chart.segments):
        length = float(segment.value) * scale
        fill, ink = STATES[index % len(STATES)]
        column, row = index % across, index // across
        marks.append(
            {
                "href": segment.href,
                "name": f"{segment.label} {segment.text} {chart.unit}".strip(),
                "label": fitted(segment.label, pitch - 26 - text_width(segment.text)),
                "text": segment.text,
                "inside": segment.text if length > text_width(segment.text) + 8 else "",
                "x": coordinate(x),
                "middle": coordinate(x + length / 2),
                "length": coordinate(max(length - 1.5, 0)),
                "fill": fill,
                "ink": ink,
                "legend_x": coordinate(column * pitch),
                "legend_text_x": coordinate(column * pitch + 18),
                "legend_y": height + 12 + row * 24,
                "legend_text_y": height + 23 + row * 24,
            }
        )
        x += length
    return "flow", {
        "desc": _listed(((segment.label, segment.text) for segment in chart.segments), chart.unit),
        "width": width,
        "height": height + 12 + 24 * -(-len(marks) // across),
        "bar": height,
        "middle": height / 2 + 5,
        "marks": marks,
    }


def _draw(chart: Chart) -> tuple[str, dict[str, object]]:
    match chart:
        case HorizontalBars():
            return _horizontal_bars(chart)
        case Columns():
            return _columns(chart)
        case TileGrid():
            return _tile_grid(chart)
        case Sparkline():
            return _sparkline(chart)
        case Bullet():
            return _bullet(chart)
        case Flow():
            return _flow(chart)


def _linked(chart: Chart) -> bool:
    match chart:
        case HorizontalBars(bars=marks) | Columns(bars=marks) | TileGrid(tiles=marks) | Flow(segments=marks):
            return any(mark.href for mark in marks)
    return False
