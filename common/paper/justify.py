"""Lines of Chinese set flush on both sides.

WeasyPrint justifies by widening spaces, and Chinese has none: every line that ends before a punctuation mark
or holds digits would end short. What is left of such a line is spread over its characters after the layout,
as `text-justify: inter-character` would.
"""

from __future__ import annotations

from typing import Any

from weasyprint import Page
from weasyprint.formatting_structure import boxes

# A last line with more room than this many characters stays as it is: it is the end of its paragraph.
LAST_LINE = 2.0
# So much room is left at most where a figure that cannot be broken goes to the next line.
BEFORE_A_FIGURE = 6.0


def justify(page: Page) -> None:
    for block in page._page_box.descendants():
        if isinstance(block, boxes.BlockContainerBox) and block.style["text_align_all"] == "justify":
            lines = [line for line in block.children if isinstance(line, boxes.LineBox)]
            for line in lines:
                room = block.content_box_x() + block.width - line.position_x - line.width
                most = LAST_LINE if line is lines[-1] else BEFORE_A_FIGURE
                if 0 < room < most * line.style["font_size"] and (length := _length(line)):
                    _spread(line, room / length, 0)


def _length(box: Any) -> int:
    """Characters in the line; 0 if something in it is no text."""
    if isinstance(box, boxes.TextBox):
        return len(box.text)
    if not isinstance(box, boxes.LineBox | boxes.InlineBox):
        return 0
    lengths = [_length(child) for child in box.children]
    return sum(lengths) if all(lengths) else 0


def _spread(box: Any, space: float, shift: float) -> float:
    """Moves the box by `shift` and widens it by `space` per character; gives the shift of what follows."""
    box.position_x += shift
    if isinstance(box, boxes.TextBox):
        style = box.style.copy()
        spacing = style["letter_spacing"]
        style["letter_spacing"] = (0 if spacing == "normal" else spacing) + space
        box.style = style
        added = space * len(box.text)
    else:
        added = 0.0
        for child in box.children:
            added = _spread(child, space, shift + added) - shift
    box.width += added
    return shift + added
