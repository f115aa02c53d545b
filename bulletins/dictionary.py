"""The indicator dictionary as a document, generated from the catalogue (`docs/indicators.md`)."""

from django.utils import translation

from bulletins.indicators import BASES, CUMULATIVE_SINCE, DECLARED, DEFINITION_VERSION

HEAD = f"""# 指标口径

由 `manage.py indicators` 从指标目录（`bulletins/indicators.py`）生成，请勿手工修改。
口径版本 {DEFINITION_VERSION}。

各项规则的来源见领域说明 5.4。累计数自 {CUMULATIVE_SINCE} 起算；截止时点为期间最后一天 24:00（北京时间）；
测试和作废的记录不计；“—”为没有报送，0 为报送了、没有发生；
事件所在期间冻结之后才登记的，作为补报计入下一期间；比率保留分子和分母，分母为零时为“—”。
口径改变时在原口径旁另立新版本，按期间截止日适用；口径版本不同的期间不作比较。
"""
COLUMNS = (
    "代码", "指标", "单位", "性质", "怎样得出", "计什么", "去重标识", "时间规则", "归属规则", "行集", "版本",
    "适用",
)  # fmt: skip


def text() -> str:
    parts = [HEAD]
    with translation.override("zh-hans"):
        parts += [
            f"| {' | '.join(COLUMNS)} |",
            f"|{'---|' * len(COLUMNS)}",
        ]
        for line in DECLARED:
            counted = f"{line.counted}。{line.note}" if line.note else line.counted
            cells = (
                line.code,
                line.name,
                line.unit,
                line.nature.label,
                line.made,
                counted,
                line.key,
                line.time_rule,
                line.place_rule,
                "、".join(f"`{base}`" for base in line.bases) + (f" ÷ `{line.over}`" if line.over else ""),
                line.version,
                line.validity,
            )
            parts.append(f"| {' | '.join(str(cell) for cell in cells)} |")
    parts += ["", "行集（每个行集的查询见同一文件）：", ""]
    for base in BASES.values():
        dated = "按事件日期" if base.event else "按在册或时点"
        parts.append(
            f"- `{base.name}`：{dated}；单位 `{base.bureau}`，产业链 `{base.chain}`，标识 `{base.key}`"
            + (f"，数量 `{base.adds}`" if base.adds else "")
        )
    return "\n".join(parts) + "\n"
