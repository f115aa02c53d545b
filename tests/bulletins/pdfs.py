"""Reads a PDF as an eye does: texts and strokes with their places, in millimetres from the upper left."""

from dataclasses import dataclass
from io import BytesIO
from typing import Any

from pypdf import PageObject, PdfReader

MM = 25.4 / 72
HEIGHT = 297.0


@dataclass(frozen=True)
class Span:
    text: str
    x: float
    baseline: float
    size: float  # points


@dataclass(frozen=True)
class Box:
    x: float
    y: float
    width: float
    height: float


def read(pdf: bytes) -> PdfReader:
    return PdfReader(BytesIO(pdf))


def text(page: PageObject) -> str:
    return page.extract_text()


def spans(page: PageObject) -> list[Span]:
    found: list[Span] = []

    def visit(text: str, cm: list[float], tm: list[float], _font: Any, size: float) -> None:
        if text.strip():
            x = tm[4] * cm[0] + tm[5] * cm[2] + cm[4]
            y = tm[4] * cm[1] + tm[5] * cm[3] + cm[5]
            found.append(Span(text.strip(), x * MM, HEIGHT - y * MM, size * abs(tm[3] * cm[3])))

    page.extract_text(visitor_text=visit)
    return found


def boxes(page: PageObject) -> list[Box]:
    found: list[Box] = []

    def visit(operator: bytes, operands: list[Any], cm: list[float], _tm: list[float]) -> None:
        if operator == b"re":
            x, y, width, height = (float(value) for value in operands)
            top = HEIGHT - (y * cm[3] + cm[5]) * MM
            found.append(Box((x * cm[0] + cm[4]) * MM, top, width * cm[0] * MM, height * abs(cm[3]) * MM))

    page.extract_text(visitor_operand_before=visit)
    return found


def strokes(page: PageObject) -> list[tuple[float, float, float]]:
    """Horizontal strokes as x, y, length."""
    found: list[tuple[float, float, float]] = []
    at = (0.0, 0.0)

    def visit(operator: bytes, operands: list[Any], cm: list[float], _tm: list[float]) -> None:
        nonlocal at
        if operator in (b"m", b"l"):
            x, y = (float(value) for value in operands)
            point = (x * cm[0] + cm[4]) * MM, HEIGHT - (y * cm[3] + cm[5]) * MM
            if operator == b"l" and abs(point[1] - at[1]) < 0.001:
                found.append((at[0], at[1], point[0] - at[0]))
            at = point

    page.extract_text(visitor_operand_before=visit)
    return found


def glyphs(page: PageObject) -> list[int]:
    """Glyph numbers shown on the page; 0 is the box that stands for a missing one."""
    found: list[int] = []
    for operands, operator in page.get_contents().operations:  # type: ignore[union-attr]
        if operator in (b"Tj", b"TJ"):
            parts = operands[0] if operator == b"TJ" else [operands[0]]
            for part in parts:
                if not isinstance(part, int | float):
                    raw = part if isinstance(part, bytes) else part.original_bytes
                    found += [int.from_bytes(raw[at : at + 2], "big") for at in range(0, len(raw), 2)]
    return found
