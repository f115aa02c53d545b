"""The wording of a block with its figures locked, as an editor types it."""

import pytest

from bulletins import wording
from bulletins.wording import drafted

pytestmark = pytest.mark.any_database

TEXT = (
    "2024年，全国共实施质量强链项目952个，链员企业18万家，同比增长9.3倍；解决率71.4%（14,391/20,156），"
    f"居前的有{wording.lock('江苏（1,203个，并列第1）')}。数据截至2024年12月31日24时。"
)


def test_a_draft_falls_apart_into_words_and_figures() -> None:
    block = drafted(TEXT)
    assert block.figures == (
        "2024年", "952", "18万", "同比增长9.3倍", "71.4%", "14,391", "20,156", "江苏（1,203个，并列第1）",
        "2024年12月31日24时",
    )  # fmt: skip
    assert block.template.startswith("⟦1⟧，全国共实施质量强链项目⟦2⟧个，链员企业⟦3⟧家，⟦4⟧；")
    assert block.text == TEXT.replace(wording.LOCKED, "").replace(wording.FREED, "")


def test_words_are_changed_around_the_figures_which_may_move() -> None:
    block = drafted("解决问题12个，其中清单内解决5个。")
    typed = "清单内解决⟦2:5⟧个，\r\n全部解决 ⟦1:12⟧ 个。"
    assert block.faults(typed) == []
    assert block.read(typed) == "清单内解决⟦2⟧个， 全部解决 ⟦1⟧ 个。"
    assert block.fill(block.read(typed)) == "清单内解决5个， 全部解决 12 个。"
    assert block.read(block.shown) == block.template


@pytest.mark.parametrize(
    ("typed", "fault"),
    [
        ("解决问题⟦1:12⟧个。", "缺少锁定的数字 ⟦2:5⟧"),
        ("解决⟦1:12⟧个、⟦2:5⟧个、⟦1:12⟧个。", "⟦1:12⟧ 出现了不止一次"),
        ("解决⟦1:12⟧个、⟦2:5⟧个、⟦3:7⟧个。", "没有 ⟦3⟧"),
        ("解决⟦1:13⟧个、⟦2:5⟧个。", "是“12”，不能改成“13”"),
        ("解决⟦1:12⟧个、⟦2:5⟧个，比上月多3个。", "“3个”是手工输入的数字"),
        ("解决⟦1:12⟧个、⟦2:5⟧个，合格率９８％。", "“９８"),
        ("解决⟦1:12⟧个、⟦2:5⟧个，另有⟧。", "⟦ ⟧ 一起保留"),
        ("解决⟦1:12⟧个、⟦2:5⟧个" + "，好" * 1001, "超过 2000 字"),
        ("解决⟦1:12⟧⟦2:5⟧个。", "⟦1⟧ 和 ⟦2⟧ 连在一起"),
        ("解决⟦1:12⟧,⟦2:5⟧个。", "⟦1⟧ 和 ⟦2⟧ 连在一起"),
        ("解决⟦1:12⟧\u200b ⟦2:5⟧个。", "⟦1⟧ 和 ⟦2⟧ 连在一起"),
        ("解决⟦1:12⟧万个、⟦2:5⟧个。", "旁边的“万”"),
        ("解决⟦1:12⟧个、⟦2:5⟧ 成。", "旁边的“成”"),
        ("解决百分之⟦1:12⟧、⟦2:5⟧个。", "旁边的“百分之”"),
        ("解决-⟦1:12⟧个、⟦2:5⟧个。", "旁边的“-”"),
        ("解决⟦1:12⟧个、⟦2:5⟧个，N14391万元。", "“14391万”是手工输入"),
        ("解决⟦1:12⟧个、⟦2:5⟧个，第95项。", "“95项”是手工输入"),
        ("解决⟦1:12⟧个、⟦2:5⟧个，GB 952个。", "手工输入"),
        ("解决⟦1:12⟧个、⟦2:5⟧个，共①个。", "“①”是手工输入"),
        ("解决⟦1:12⟧个、⟦2:5⟧个，½。", "“½”是手工输入"),
        ("解决⟦1:12⟧个、⟦2:5⟧个，Ⅻ个。", "“Ⅻ”是手工输入"),
        ("解决⟦1:12⟧个、⟦2:5⟧个⟦" + "9" * 5000 + "⟧", "超过 2000 字"),
    ],
)
def test_no_figure_is_lost_typed_or_made_up(typed: str, fault: str) -> None:
    faults = drafted("解决问题12个，其中清单内解决5个。").faults(typed)
    assert len(faults) == 1
    assert fault in faults[0]


@pytest.mark.parametrize(
    "typed",
    [
        "各地要于2025年3月31日前报送。",
        "按照国市监质发〔2024〕12号和GB/T 19001—2016的要求，依据办法第12条，于6月底前完成。",
        "执行GB 7258-2017、DB32/T 4321—2022、JB/T 5000.1、T/CAS 500—2021和总局公告2024年第12号。",
        "万众一心，三个方面同时推进。",
    ],
)
def test_dates_documents_and_standards_are_typed(typed: str) -> None:
    assert drafted("").faults(typed) == []


def test_what_the_draft_joins_may_stay_joined() -> None:
    block = drafted(f"投入约12万元（占比-5%），{wording.lock('江苏')}成效好，2024年5个。")
    assert block.faults(block.shown) == []
    assert drafted("解决3/4。").faults("解决 ⟦1:3⟧/⟦2:4⟧。") == []


def test_the_base_of_an_edit_says_all_but_the_sizes() -> None:
    def said(text: str) -> str:
        return drafted(text).base

    assert said("解决9,500个，同比增长56.1%。") == said("解决18万个，同比增长9.3倍。")
    assert said("同比增长5%。") != said("同比下降5%。")
    assert said(f"{wording.lock('江苏（5个）')}。") != said(f"{wording.lock('浙江（5个）')}。")
    assert said("各地要认真核对。") == "各地要认真核对。"


def test_brackets_of_ours_in_a_name_are_no_placeholders() -> None:
    block = drafted("⟦9⟧号车间的问题已解决。")
    assert block.text == "〔9〕号车间的问题已解决。"
    assert block.figures == ("9",)


def test_markup_and_formulas_are_words() -> None:
    typed = "<script>alert(a)</script> =cmd|' /C calc'!A"
    assert drafted("").faults(typed) == []
    assert drafted("").fill(drafted("").read(typed)) == typed
