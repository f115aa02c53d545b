"""The map of an industrial chain: its segments in three streams, each a box with what is known of it.

Drawn as the charts of `common.charts` are: values in, one `<svg>` out, the same on the page and on paper.
Streams stand side by side and flow to the right; a stream of many segments takes several columns. Boxes are
as tall as their words, so that long names wrap instead of being cut.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from common.charts import INK, MUTED, PAGE_FONTS, coordinate, framed, text_width

WIDTH, GAP, LINE, PADDING, INDENT = 1040.0, 12.0, 18.0, 10.0, 14.0
# A stream with more rows than this gets another column while there are fewer than so many.
ROWS, COLUMNS, WIDEST = 5, 5, 330.0
HEAD, MARK = 34.0, 12.0
WORDS = re.compile(r"[!-~\u00a0-\u024f]+|\s+|.", re.DOTALL)
# Line, tint and shape of each state: readable without colours.
LOOKS = {
    "red": ("#a8171b", "#fceaea", "triangle"),
    "yellow": ("#855000", "#fdf1d8", "diamond"),
    "green": ("#146c2e", "#e4f3e8", "circle"),
    "none": ("#5f6873", "#ffffff", "ring"),
    "": ("#5f6873", "#f6f7f9", "square"),
}


@dataclass(frozen=True, slots=True)
class Box:
    """A segment. ``state`` is a key of `LOOKS`, ``state_words`` says it; ``figures`` and ``gaps`` are printed
    as they are, ``note`` small below, ``mark`` on a blue ground. ``parent`` is the key of the whole of which
    it is a part."""

    key: int
    stream: str
    name: str
    state: str
    state_words: str
    figures: str
    gaps: str = ""
    note: str = ""
    mark: str = ""
    parent: int | None = None
    href: str = ""


@dataclass(frozen=True, slots=True)
class ChainMap:
    """``streams`` are pairs of code and name from upstream to downstream, ``legend`` pairs of a state and
    what it means."""

    title: str
    streams: tuple[tuple[str, str], ...]
    boxes: tuple[Box, ...]
    legend: tuple[tuple[str, str], ...] = ()
    desc: str = ""


def wrapped(text: str, width: float, size: float = 13) -> list[str]:
    """The text in lines of at most this width; words of Latin letters stay whole where they fit a line."""
    lines, line = [], ""
    for word in WORDS.findall(text):
        if text_width(line + word.rstrip(), size) <= width:
            line += word
            continue
        if line.strip():
            lines.append(line.rstrip())
        line = ""
        for char in word.lstrip():
            if text_width(line + char, size) > width and line:
                lines.append(line)
                line = ""
            line += char
    return [*lines, line.rstrip()] if line.strip() else lines


def render(chart: ChainMap, *, fonts: str = PAGE_FONTS, links: bool = True) -> SafeString:
    """The map as one `<svg>` element; ``links`` off is for paper."""
    legend, top = _legend(chart.legend)
    context = _columns(chart, top) | {"legend": legend}
    linked = any(box.href for box in chart.boxes)
    return framed("chain_map", context, chart, fonts=fonts, links=links, linked=linked)


def is_tall(chart: ChainMap) -> bool:
    """Whether the drawing is read better on an upright sheet than on one across."""
    return float(str(_columns(chart, _legend(chart.legend)[1])["height"])) > WIDTH * 0.75


def _legend(entries: Iterable[tuple[str, str]]) -> tuple[list[dict[str, object]], float]:
    """The entries in lines, and where the map begins below them."""
    x, y, drawn = 0.0, 2.0, []
    for state, words in entries:
        width = MARK + 6 + text_width(words)
        if x and x + width > WIDTH:
            x, y = 0.0, y + 22
        drawn.append({**_mark(state, x, y), "words": words, "text_x": coordinate(x + MARK + 6)})
        x += width + 24
    return drawn, y + 30 if drawn else 0.0


def _mark(state: str, x: float, y: float) -> dict[str, object]:
    """The shape of a state in a square of twelve units, and its colours."""
    line, tint, shape = LOOKS[state]
    points = {
        "triangle": ((6, 0.5), (11.5, 11.5), (0.5, 11.5)),
        "diamond": ((6, 0), (12, 6), (6, 12), (0, 6)),
        "square": ((1, 1), (11, 1), (11, 11), (1, 11)),
    }.get(shape, ())
    return {
        "line": line,
        "tint": tint,
        "shape": shape,
        "points": " ".join(f"{coordinate(x + a)},{coordinate(y + b)}" for a, b in points),
        "centre_x": coordinate(x + 6),
        "centre_y": coordinate(y + 6),
        "baseline": coordinate(y + 10.5),
    }


def _families(boxes: Iterable[Box]) -> Iterator[tuple[int, Box]]:
    """Every box after the whole of which it is a part, with its depth; what has no whole here is one."""
    of: dict[int | None, list[Box]] = {}
    rows = list(boxes)
    keys = {box.key for box in rows}
    for box in rows:
        of.setdefault(box.parent if box.parent in keys else None, []).append(box)
    waiting = [(0, box) for box in reversed(of.pop(None, []))]
    while waiting or of:
        # What is left is a circle of wholes and parts: it is opened anywhere.
        depth, box = waiting.pop() if waiting else (0, of[next(iter(of))].pop())
        yield depth, box
        waiting += [(depth + 1, child) for child in reversed(of.pop(box.key, []))]
        of = {whole: parts for whole, parts in of.items() if parts}


def _columns(chart: ChainMap, top: float) -> dict[str, object]:
    streams = []
    for code, name in chart.streams:
        if boxes := list(_families(box for box in chart.boxes if box.stream == code)):
            streams.append((name, boxes))
    shares = [1] * len(streams)
    while sum(shares) < COLUMNS and streams:
        tallest = max(range(len(streams)), key=lambda n: len(streams[n][1]) / shares[n])
        if len(streams[tallest][1]) / shares[tallest] <= ROWS:
            break
        shares[tallest] += 1
    pitch = min((WIDTH + GAP) / max(sum(shares), 1), WIDEST + GAP)
    names = {box.key: box.name for box in chart.boxes}
    heads, drawn, joints, x, bottom = [], [], [], 0.0, top
    for (name, boxes), share in zip(streams, shares, strict=True):
        width = share * pitch - GAP
        heads.append(_head(name, len(boxes), x, top, width))
        placed: dict[int, tuple[int, float, float]] = {}
        measured = [_measured(depth, box, pitch - GAP, names) for depth, box in boxes]
        aim = sum(one.tall + GAP for one in measured) / share
        column, y = 0, top + HEAD + GAP
        for (_depth, box), one in zip(boxes, measured, strict=True):
            if column < share - 1 and y - top - HEAD - GAP + one.tall / 2 > aim:
                column, y = column + 1, top + HEAD + GAP
            left = x + column * pitch + one.indent
            drawn.append(_placed(box, one, left, y))
            whole = placed.get(box.parent or 0)
            # What is nested deeper than is drawn says in words of what it is a part.
            if whole and whole[0] == column and left > whole[1]:
                joints.append(_joint(whole, left, y))
            placed[box.key] = (column, left, y + one.tall)
            y += one.tall + GAP
            bottom = max(bottom, y)
        x += width + GAP
    return {
        "desc": _("；").join(str(box["label"]) for box in drawn) or _("还没有环节"),
        "width": coordinate(WIDTH),
        "height": coordinate(max(bottom, top + 1)),
        "heads": heads,
        "boxes": drawn,
        "joints": joints,
    }


def _head(name: str, count: int, x: float, y: float, width: float) -> dict[str, object]:
    """An arrow to the right with the name of the stream."""
    right = x + width
    corners = ((x, y), (right - 12, y), (right, y + HEAD / 2), (right - 12, y + HEAD), (x, y + HEAD))
    return {
        "points": " ".join(f"{coordinate(a)},{coordinate(b)}" for a, b in corners),
        "words": _("%(stream)s · %(count)d 个环节") % {"stream": name, "count": count},
        "text_x": coordinate(x + PADDING),
        "baseline": coordinate(y + HEAD / 2 + 5),
    }


@dataclass(frozen=True, slots=True)
class Measured:
    """The lines of a box and the room that they take."""

    indent: float
    width: float
    tall: float
    lines: list[dict[str, object]]
    mark: list[str]


def _measured(depth: int, box: Box, column: float, names: dict[int, str]) -> Measured:
    """The lines of a box in a column of this width, and how tall they make it."""
    indent = INDENT * min(depth, 2)
    inner = column - indent - 2 * PADDING - 4
    part_of = names.get(box.parent or 0, "")
    lines: list[dict[str, object]] = []
    for text, kind in (
        (box.state_words, "state"),
        (box.name, "name"),
        (_("属于：%s") % part_of if part_of else "", "note"),
        (box.figures, "figures"),
        (box.gaps, "gaps"),
        (box.note, "note"),
    ):
        # The shape of the state stands before its word.
        size, room = (12, inner - (MARK + 6 if kind == "state" else 0)) if kind != "name" else (14, inner)
        lines += [{"text": line, "kind": kind, "size": size} for line in wrapped(text, room, size)]
    mark = wrapped(box.mark, inner - 12, 12)
    tall = 2 * PADDING + LINE * len(lines) + (LINE * len(mark) + 8 if mark else 0) - 2
    return Measured(indent, column - indent, tall, lines, mark)


def _placed(box: Box, one: Measured, x: float, y: float) -> dict[str, object]:
    line, tint, _shape = LOOKS[box.state]
    said = (box.figures, box.gaps, box.note, box.mark)
    words = _("，").join(part for part in (box.state_words, *said) if part)
    after = y + PADDING + LINE * len(one.lines)
    return {
        "href": box.href,
        "label": _("%(name)s：%(words)s") % {"name": box.name, "words": words},
        "mark": _mark(box.state, x + 4 + PADDING, y + PADDING + 1),
        "x": coordinate(x),
        "y": coordinate(y),
        "width": coordinate(one.width),
        "tall": coordinate(one.tall),
        "line": line,
        "tint": tint,
        "lines": [
            {
                **printed,
                "x": coordinate(x + 4 + PADDING + (MARK + 6 if printed["kind"] == "state" else 0)),
                "baseline": coordinate(y + PADDING + LINE * n + 12),
                "ink": MUTED if printed["kind"] == "note" else line if printed["kind"] == "state" else INK,
            }
            for n, printed in enumerate(one.lines)
        ],
        "tag": one.mark
        and {
            "x": coordinate(x + 4 + PADDING),
            "y": coordinate(after + 2),
            "width": coordinate(max(text_width(text, 12) for text in one.mark) + 12),
            "tall": coordinate(LINE * len(one.mark) + 4),
            "text_x": coordinate(x + 4 + PADDING + 6),
            "lines": [
                {"text": text, "baseline": coordinate(after + 2 + LINE * n + 15)}
                for n, text in enumerate(one.mark)
            ],
        },
    }


def _joint(whole: tuple[int, float, float], left: float, y: float) -> str:
    """From the foot of the whole down and to the side of its part."""
    spine = whole[1] + 6
    return " ".join(
        f"{coordinate(a)},{coordinate(b)}" for a, b in ((spine, whole[2]), (spine, y + 20), (left, y + 20))
    )
