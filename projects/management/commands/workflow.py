"""Write the transition table as a document, with its diagram."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.utils import translation

from projects.models import Bottleneck
from projects.workflow import MOVES, STATES, Move, Party, State

S = Bottleneck.Status
HEAD = """# 堵点卡点问题的办理流程

由 `manage.py workflow` 从流程表（`projects/workflow.py`）生成，请勿手工修改。
规则的来源见领域说明第 4 章；各项时限在 `portal/settings.py` 中设置。

县区、市、省的核实和复核是同一个状态，由办理单位沿汇报关系上下移动，所以直辖市和兵团没有例外。
"""
CLOCKS = """## 时限

时限以工作日计（按国务院办公厅的节假日安排，含调休上班日），满七成转为预警，届满次日为超期；
超期满 %(late)d 个工作日由系统上报上一级单位。每个时限最多延期两次，补正为一次，都要写明理由。
退回补正、待企业确认、暂缓期间，办理单位的时限暂停。
"""


def text() -> str:
    with translation.override("zh-hans"):
        clocks = CLOCKS % {"late": settings.ESCALATE_AFTER_WORKING_DAYS}
        return "\n".join([HEAD, *_states(), "", clocks, *_moves(), "", *_diagram()]) + "\n"


def _line(*cells: Any) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def _states() -> Iterator[str]:
    yield "## 状态\n"
    yield _line("状态", "代码", "轮到谁", "时限", "下一步")
    yield _line(*["---"] * 5)
    for code, state in STATES.items():
        turn = "—" if state.turn == Party.NOBODY else Party(state.turn).label
        yield _line(S(code).label, f"`{code}`", turn, _limit(code, state), state.next_step)


def _limit(code: str, state: State) -> str:
    if state.until_plan_date:
        return "到解决期限"
    if state.until_named_day:
        return f"到征集截止日期，至少 {settings.POSTING_DAYS} 天"
    if state.months:
        return f"{state.months} 个月"
    if not state.limit:
        return "—"
    days = f"{settings.WORKING_DAY_LIMITS[state.limit]} 个工作日"
    if code == S.ACCEPTED:
        days += f"（省级及以上 {settings.WORKING_DAY_LIMITS['accepted_by_province']} 个）"
    return days


def _moves() -> Iterator[str]:
    yield "## 动作\n"
    yield _line("动作", "代码", "从", "到", "谁办", "须填", "可填", "条件")
    yield _line(*["---"] * 8)
    for move in MOVES.values():
        yield _line(
            move.label,
            f"`{move.name}`",
            "、".join(str(source.label) for source in move.sources),
            move.target.label if move.target else "（状态不变）",
            "或".join(str(party.label) for party in move.parties),
            _keys(move.needs),
            _keys(move.takes),
            "；".join(str(rule.words) for rule in (*move.conditions, *move.guards)) or "—",  # type: ignore[attr-defined]
        )


def _keys(keys: tuple[str, ...]) -> str:
    return "、".join(f"`{key}`" for key in keys) or "—"


def _diagram() -> Iterator[str]:
    """Ways between different states; of several that lead the same way, all labels."""
    yield "## 图\n"
    yield "```mermaid"
    yield "stateDiagram-v2"
    for code in STATES:
        yield f"  {code}: {S(code).label}"
    ways: dict[tuple[str, str], list[Move]] = {}
    for move in MOVES.values():
        for source in move.sources:
            if move.target:
                ways.setdefault((source, move.target), []).append(move)
    yield "  [*] --> draft"
    for (source, target), moves in ways.items():
        yield f"  {source} --> {target}: {'、'.join(str(move.label) for move in moves)}"
    for code in Bottleneck.ENDED:
        yield f"  {code} --> [*]"
    yield "```"


class Command(BaseCommand):
    help = __doc__ or ""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--output", type=Path, default=settings.BASE_DIR / "docs" / "workflow.md")

    def handle(self, *args: Any, **options: Any) -> None:
        options["output"].write_text(text(), encoding="utf-8")
