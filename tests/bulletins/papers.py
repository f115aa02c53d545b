"""A circular of realistic size for the paper tests, typed by hand; figures of 2024 from `domain.md 5.1`."""

import datetime as dt
from zoneinfo import ZoneInfo

from bulletins.paper import (
    Attachment,
    Cell,
    Circular,
    Definitions,
    Figure,
    FigureRow,
    Paragraph,
    RegionRow,
    Section,
    Verification,
    figures_table,
    region_table,
)
from common.charts import TILE_PLACES, Bar, HorizontalBars, Tile, TileGrid
from common.printing import ranks

SENTENCE = (
    "2024年，全国共实施质量强链项目952个，组建质量技术创新联合体889个，参与的链主企业2,087家、链员企业18万家、"
    "质量技术服务机构2,952家，实施重点攻关项目3,176个，解决质量堵点卡点问题14,391个。"
)
FIGURES = ("952", "889", "2,087", "18万", "2,952", "3,176", "14,391")
URL = "https://portal.example.cn/verify/ZLTB-7K3M9-QXD2F-HA4TC/"
SOURCE = "质量强链工作门户，2024年度快照第1版"
INDICATORS = ("实施项目", "创新\n联合体", "链主企业", "链员企业", "服务机构", "重点攻关\n项目", "解决问题")
NAMES = {code: name for code, (_column, _row, name, _letters) in sorted(TILE_PLACES.items())}
SOLVED = {code: 12 + (index * 379) % 1100 for index, code in enumerate(NAMES)}
SOLVED["640000"] = SOLVED["630000"]


def region_rows() -> list[RegionRow]:
    rows = [RegionRow("全国", ("952", "889", "2,087", "180,000", "2,952", "3,176", "14,391"), kind="total")]
    places = dict(
        zip(
            SOLVED,
            ranks([None if code == "660000" else solved for code, solved in SOLVED.items()]),
            strict=True,
        )
    )
    for code, name in NAMES.items():
        if code == "660000":
            rows.append(RegionRow("新疆生产建设兵团", (None,) * 7, places[code]))
            continue
        solved = SOLVED[code]
        values = (solved // 15, solved // 16, solved // 7, solved * 12, solved // 5, solved // 4, solved)
        rows.append(RegionRow(name, tuple(f"{value:,}" for value in values), places[code]))
        if code == "440000":
            rows.append(RegionRow("广州市", ("9", "8", "20", "1,640", "28", "31", "140"), kind="of_which"))
            rows.append(RegionRow("深圳市", ("11", "9", "26", "2,210", "35", "40", "188"), kind="of_which"))
    return rows


def circular(*, issued: bool = True, **changes: object) -> Circular:
    top = sorted(SOLVED.items(), key=lambda item: -item[1])[:12]
    seven = zip(
        (
            "质量强链项目",
            "质量技术创新联合体",
            "链主企业",
            "链员企业",
            "质量技术服务机构",
            "重点攻关项目",
            "解决质量堵点卡点问题",
        ),
        ("个", "个", "家", "家", "家", "个", "个"),
        ("952", "889", "2,087", "180,000", "2,952", "3,176", "14,391"),
        ("610", "520", "1,204", "96,310", "1,870", "1,902", "7,655"),
        ("增长56.1%", "增长71.0%", "增长73.3%", "增长86.9%", "增长57.9%", "增长67.0%", "增长88.0%"),
        strict=True,
    )
    values: dict[str, object] = {
        "mark": "全国质量强链工作推进办公室文件",
        "issuer": "全国质量强链工作推进办公室",
        "number": "质强链办〔2025〕3号",
        "title": "全国质量强链工作推进办公室关于2024年全国质量强链工作进展情况的通报",
        "addressee": "各省、自治区、直辖市和新疆生产建设兵团市场监督管理局（厅、委）",
        "date": dt.date(2025, 1, 22),
        "created": dt.datetime(2025, 1, 20, 9, 30, tzinfo=ZoneInfo("Asia/Shanghai")),
        "verification": Verification("ZLTB-7K3M9-QXD2F-HA4TC", URL),
        "issued": issued,
        "summary": SENTENCE,
        "keywords": ("质量强链", "通报", "2024年"),
        "note": "此件公开发布",
        "copies_to": (
            "国务院有关部门办公厅（室），各省、自治区、直辖市和新疆生产建设兵团质量强国建设工作领导小组办公室"
        ),
        "blocks": (
            Paragraph(
                "按照质量强链工作年度安排，现将2024年全国质量强链工作进展情况通报如下。数据截至2024年12月31日24时，"
                "经县、市、省三级逐级审核后冻结。总体看，项目实施和问题解决均快于上年，但地区之间进度不平衡。"
            ),
            Section(
                "总体情况",
                (
                    Paragraph(SENTENCE),
                    figures_table(
                        "2024年质量强链主要指标",
                        [
                            FigureRow(
                                name, unit, value, previous, change, href="https://portal.example.cn/figures/"
                            )
                            for name, unit, value, previous, change in seven
                        ],
                        notes=("链主企业、链员企业、服务机构按统一社会信用代码去重计数。",),
                        source=SOURCE,
                    ),
                ),
            ),
            Section(
                "主要做法和成效",
                (
                    Section(
                        "摸清链条底数。",
                        (
                            Paragraph(
                                "各地围绕重点产业链绘制质量图谱，编制问题清单、项目清单和政策清单，把堵点卡点落到"
                                "具体环节、具体产品和具体指标上，做到底数清、责任明、可核查。"
                            ),
                        ),
                    ),
                    Section(
                        "组织联合攻关。",
                        (
                            Paragraph(
                                "由链主企业牵头，联合上下游企业和计量、标准、检验检测、认证认可机构组建创新联合体，"
                                "通过揭榜挂帅等方式开展攻关，成果经企业确认、他人复核后方可销号。"
                            ),
                            Section("明确目标值和完成时限，逐项派发到承担机构。"),
                            Section("建立证据档案，报告、证书、标准编号一并归档。"),
                        ),
                    ),
                ),
            ),
            Section(
                "分地区进展",
                (
                    Paragraph("各地区主要指标见表2，解决质量堵点卡点问题数的分布和前12位地区见图1、图2。"),
                    region_table(
                        "2024年各地区质量强链主要指标",
                        INDICATORS,
                        region_rows(),
                        rank_title="解决\n排名",
                        unit="个、家",
                        notes=("“—”表示未报送；“其中”各行不另计入合计。", "跨区域项目计入牵头地区。"),
                        source=SOURCE,
                    ),
                    Figure(
                        TileGrid(
                            "2024年各地区解决质量堵点卡点问题数",
                            tuple(
                                Tile(code, None if code == "660000" else solved, f"{solved:,}")
                                for code, solved in SOLVED.items()
                            ),
                            unit="个",
                        ),
                        source=SOURCE,
                    ),
                    Figure(
                        HorizontalBars(
                            "2024年解决质量堵点卡点问题数前12位地区",
                            tuple(Bar(NAMES[code], solved, f"{solved:,}") for code, solved in top),
                            unit="个",
                        )
                    ),
                ),
            ),
            Section(
                "存在问题",
                (
                    Paragraph(
                        "部分地区受理后派发偏慢，个别联合体未开展实质性攻关，少数证据材料不完整，报送不及时。"
                    ),
                ),
            ),
            Section(
                "下一步工作要求",
                (
                    Section(
                        "压实责任。",
                        (Paragraph("各地要于2025年3月31日前对逾期事项逐项提出整改措施。"),),
                        run_in=True,
                    ),
                    Section(
                        "严格核验。", (Paragraph("未经企业确认和他人复核的，不得计入解决数。"),), run_in=True
                    ),
                    Section(
                        "按时报送。", (Paragraph("季度数据于次月第10个工作日前完成审核。"),), run_in=True
                    ),
                ),
            ),
        ),
        "attachments": (
            Attachment(
                "指标口径说明",
                (
                    Definitions(
                        (
                            ("质量强链项目", "报告期内经批准并开始实施的质量强链项目数，按项目编号计数。"),
                            ("链主企业", "报告期内任一日在项目中担任链主的企业，按统一社会信用代码去重。"),
                            (
                                "解决质量堵点卡点问题",
                                "报告期内经企业确认并由他人复核的问题数，合并的只计一次。",
                            ),
                        )
                    ),
                ),
            ),
            Attachment("进度偏慢地区名单", (Paragraph("本期无进度偏慢地区。"),)),
        ),
    }
    return Circular(**(values | changes))  # type: ignore[arg-type]


__all__ = ["FIGURES", "INDICATORS", "SENTENCE", "URL", "Cell", "circular", "region_rows"]
