"""Typical cases of a bulletin: solved problems that their firms agreed to publish (`domain.md` 6.2, T5).

They are chosen when the draft is written and kept on its row, so that what was issued prints the same again.
"""

from typing import Any

from bulletins import trees
from bulletins.models import Bulletin, CountedRow
from projects.models import Bottleneck

SHOWN = 3
# A case is read, not studied: longer solutions end with a full stop before this.
LONGEST = 160


def choose(bulletin: Bulletin) -> list[dict[str, Any]]:
    """The cases that the printed figures counted as solved, the latest first."""
    counted = CountedRow.objects.filter(
        snapshot=bulletin.snapshot,
        base="solved",
        bureau__in=trees.within(bulletin.snapshot, bulletin.bureau),
    )
    rows = Bottleneck.objects.published().filter(pk__in=counted.values("row_id")).exclude(solution="")
    found = rows.select_related("chain").order_by("-resolved_at", "-pk")[:SHOWN]
    return [
        {
            "row": row.pk,
            "title": row.title,
            "chain": row.chain.name if row.chain else "",
            "solution": _short(row.solution),
        }
        for row in found
    ]


def still_agreed(kept: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those of them whose firms have not changed their mind since."""
    agreed = set(
        Bottleneck.objects.published()
        .filter(pk__in=[case["row"] for case in kept])
        .values_list("pk", flat=True)
    )
    return [case for case in kept if case["row"] in agreed]


def _short(text: str) -> str:
    words = " ".join(text.split())
    if len(words) <= LONGEST:
        return words if words.endswith(("。", "！", "；")) else f"{words}。"
    head = words[:LONGEST]
    end = max(head.rfind(mark) for mark in "。；")
    return f"{head[: end + 1].rstrip('；。')}。" if end > 0 else f"{head}……"
