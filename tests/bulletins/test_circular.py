"""What the paper says, from hand-counted rows (`domain.md` 5.6, 6.2)."""

from datetime import date

import pytest
from django.conf import settings
from django.core.management import call_command
from django.utils import translation

from bulletins import circular, paper, services
from bulletins.circular import growth, prose
from bulletins.indicators import CATALOGUE
from bulletins.models import Bulletin, Period
from bulletins.paper import Circular, Definitions, Figure, Paragraph, Section, Table
from common.qr import qr_code
from enterprises.models import Bureau
from tests.bulletins.ledger import (
    Tree,
    consortium,
    firm,
    key_project,
    problem,
    project,
    solved,
    takes_part,
)
from tests.worlds import world


@world
def tree() -> Tree:
    return Tree()


def composed(bureau: Bureau, code: str = "2024", before: str = "") -> Circular:
    for period_code in filter(None, (before, code)):
        period = services.get_period(period_code)
        if not period.is_frozen:
            services.freeze_now(period, None)
    bulletin = services.issue_bulletin(services.get_period(code), bureau, in_background=False)
    with translation.override("zh-hans"):
        return circular.compose(
            Bulletin.objects.select_related("bureau", "period", "snapshot__period").get(pk=bulletin.pk)
        )


def text(block: object) -> str:
    """All words of a block and of what lies in it."""
    if isinstance(block, Circular):
        return "".join(map(text, (*block.blocks, *block.attachments)))
    if isinstance(block, Section):
        return block.heading + "".join(map(text, block.blocks))
    if isinstance(block, Paragraph):
        return block.lead + block.text
    if isinstance(block, Definitions):
        return "".join(name + words for name, words in block.items)
    return str(block)


def tables(paper_: Circular) -> list[Table]:
    return [
        block
        for section in paper_.blocks
        for block in getattr(section, "blocks", ())
        if isinstance(block, Table)
    ]


def cell(value: object) -> str | None:
    return getattr(value, "text", value)  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("number", "words"),
    [(0, "0"), (952, "952"), (2087, "2,087"), (99_999, "99,999"), (180_000, "18万"), (181_592, "181,592")],
)
def test_running_text_says_ten_thousands_only_when_they_are_exact(number: int, words: str) -> None:
    assert prose(number) == words


@pytest.mark.parametrize(
    ("this", "last", "words"),
    [
        (None, 5, ""),
        (5, None, "上年同期没有报送"),
        (5, 0, "上年同期为零"),
        (0, 0, "上年同期为零"),
        (5, 5, "与上年同期持平"),
        (952, 610, "同比增长56.1%"),
        (0, 4, "同比下降100.0%"),
        (2, 3, "同比下降33.3%"),
        (10_125, 10_000, "同比增长1.3%"),
        (20, 10, "同比增长1倍"),
        (103, 10, "同比增长9.3倍"),
        (1_999, 1_000, "同比增长99.9%"),
    ],
)
def test_changes_are_said_as_the_rules_of_printing_ask(
    this: int | None, last: int | None, words: str
) -> None:
    with translation.override("zh-hans"):
        assert growth(this, last) == words


def test_the_national_sentence_has_the_seven_figures_in_the_published_order(tree: Tree) -> None:
    work = project(tree.huqiu)
    project(tree.dalian)
    consortium(tree.huqiu)
    takes_part(firm(), work, "leader")
    for _n in range(3):
        takes_part(firm(), work, "member")
    takes_part(firm(), work, "enabler")
    key_project(work)
    for _n in range(4):
        solved(tree.huqiu)
    paper_ = composed(tree.nation)
    assert (
        "2024年，全国共实施质量强链项目2个，组建质量技术创新联合体1个，参与的链主企业1家、链员企业3家、赋能机构1家，"
        "实施重点攻关项目1个，解决质量堵点卡点问题4个。"
    ) in text(paper_)
    figures = tables(paper_)[0]
    assert [cell(row.cells[2]) for row in figures.rows] == ["2", "1", "1", "3", "1", "1", "4"]
    assert "数据截至2024年12月31日24时" in text(paper_.blocks[0])


def test_the_region_table_has_a_total_ties_of_which_rows_and_the_corps_last(tree: Tree) -> None:
    for unit, number in ((tree.huqiu, 2), (tree.dongcheng, 2), (tree.dalian, 1)):
        for _n in range(number):
            solved(unit)
    table = tables(composed(tree.nation))[1]
    rows = [(cell(row.cells[0]), cell(row.cells[7]), row.cells[8], row.kind) for row in table.rows]
    assert rows == [
        ("全国", "5", "", "total"),
        ("北京市", "2", "并列1", "plain"),
        ("辽宁省", "1", "3", "plain"),
        ("大连市", "1", "", "of_which"),
        ("江苏省", "2", "并列1", "plain"),
        ("新疆维吾尔自治区", None, "—", "plain"),
        ("新疆兵团", None, "—", "plain"),
    ]


def test_the_sum_and_the_figure_without_repetition_are_printed_with_their_difference(tree: Tree) -> None:
    both = firm()
    takes_part(both, project(tree.huqiu))
    takes_part(both, project(tree.dongcheng))
    notes = " ".join(tables(composed(tree.nation))[1].notes)
    assert "链员企业各地区相加2家，全国去重后1家，相差1家" in notes


def test_changes_against_the_year_before_are_said(tree: Tree) -> None:
    project(tree.huqiu, start_on=date(2023, 5, 1))
    project(tree.huqiu)
    project(tree.huqiu)
    paper_ = composed(tree.nation, before="2023")
    assert "实施质量强链项目同比增长1倍" in text(paper_)
    row = tables(paper_)[0].rows[0]
    assert [cell(value) for value in row.cells] == ["实施质量强链项目", "个", "2", "1", "同比增长1倍"]


def test_a_year_that_was_not_frozen_is_marked_and_an_unknown_one_is_not_compared(tree: Tree) -> None:
    project(tree.huqiu)
    paper_ = composed(tree.nation)
    assert any("不作比较" in note for note in tables(paper_)[0].notes)
    assert "与上年同期相比" not in text(paper_)
    services.rollup_now(services.get_period("2023"))
    marked = tables(composed(tree.jiangsu))[0]
    assert any("尚未冻结" in note for note in marked.notes)


def test_gross_and_net_stand_side_by_side(tree: Tree) -> None:
    solved(tree.huqiu)
    problem(
        tree.huqiu,
        *[(state, date(2024, 3, 1)) for state in ("submitted", "accepted", "listed", "resolved")],
        ("reopened", date(2024, 5, 1)),
    )
    notes = " ".join(tables(composed(tree.nation))[0].notes)
    assert "期间反弹重开1个，净解决1个" in notes


def test_overdue_and_reopened_are_named_with_their_regions(tree: Tree) -> None:
    problem(
        tree.huqiu,
        ("submitted", date(2024, 11, 1)),
        dues={"submitted": date(2024, 11, 8)},
    )
    said = text(composed(tree.nation))
    assert "1个问题超过办理时限，较多的地区有江苏省（1个）" in said
    assert "江苏省有企业提出问题，本期没有解决的记录" in said
    assert "办结逾期问题" in said


def test_late_rows_are_footnoted(tree: Tree) -> None:
    services.freeze_now(services.get_period("2024Q1"), None)
    project(tree.huqiu, start_on=date(2024, 2, 1))
    notes = " ".join(tables(composed(tree.nation, "2024Q2"))[0].notes)
    assert "补报、计入本期的有：实施质量强链项目1个" in notes


def test_a_corrected_version_says_why(tree: Tree) -> None:
    period = services.get_period("2024")
    services.freeze_now(period, None)
    services.freeze_now(period, None, "漏报一项")
    opening = text(composed(tree.nation).blocks[0])
    assert "统计快照第2版" in opening
    assert "更正原因：漏报一项" in opening


@pytest.mark.any_database
@pytest.mark.parametrize("place", ["nation", "jiangsu", "suzhou", "huqiu", "dongcheng", "dalian", "corps"])
@pytest.mark.parametrize("filled", [True, False])
def test_every_level_has_a_paper_with_figures_or_without(tree: Tree, place: str, filled: bool) -> None:
    bureau = getattr(tree, place)
    if filled:
        takes_part(firm(), project(bureau), "leader")
        solved(bureau)
    content = composed(bureau)
    page = paper.render_html(content)
    assert "None" not in page
    assert paper.render_pdf(page).startswith(b"%PDF-")
    if filled:
        blocks = [block for section in content.blocks for block in getattr(section, "blocks", ())]
        assert sum(isinstance(block, Figure) for block in blocks) >= 2
    else:
        assert "没有报送质量强链工作数据" in text(content)


@pytest.mark.any_database
@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("nation", "各省、自治区、直辖市和新疆生产建设兵团市场监管局（厅、委）"),
        ("jiangsu", "各市（州、盟、地区）市场监管局"),
        ("beijing", "各县（市、区、旗）市场监管局"),
        ("suzhou", "各县（市、区、旗）市场监管局"),
        ("huqiu", "各市场监管所，各有关单位"),
    ],
)
def test_papers_are_addressed_to_the_level_below(tree: Tree, place: str, words: str) -> None:
    assert composed(getattr(tree, place)).addressee == words


def test_every_indicator_is_defined_in_the_attachment(tree: Tree) -> None:
    content = composed(tree.nation)
    (definitions,) = content.attachments[1].blocks
    assert isinstance(definitions, Definitions)
    assert len(definitions.items) == len(CATALOGUE)
    assert [name for name, _words in definitions.items if "链主企业（" in name] == ["链主企业（家）"]


def test_one_solved_problem_less_is_one_less_on_paper(tree: Tree) -> None:
    for _n in range(3):
        solved(tree.huqiu)
    row = solved(tree.huqiu)
    row.delete()
    call_command("bulletin", "--period", "2024", "--freeze")
    bulletin = Bulletin.objects.get()
    with translation.override("zh-hans"):
        assert "解决质量堵点卡点问题3个" in circular.compose(bulletin).summary
    assert Period.objects.get(code="2024").is_frozen


def test_printed_figures_open_the_version_that_was_printed(tree: Tree) -> None:
    solved(tree.huqiu)
    first = composed(tree.jiangsu)
    services.freeze_now(services.get_period("2024"), None, "核对")
    second = composed_again(tree.jiangsu)
    for version, paper_ in ((1, first), (2, second)):
        printed = [*tables(paper_), *(block for one in paper_.attachments for block in one.blocks)]
        found = [table for table in printed if isinstance(table, Table)]
        assert len(found) == 3
        hrefs = {value.href for table in found for row in table.rows for value in row.cells if link(value)}
        base = f"{settings.PUBLIC_URL}/figures/2024/v{version}/"
        assert f"{base}320505/I15/" in hrefs or f"{base}320500/I15/" in hrefs
        assert all(href.startswith(base) for href in hrefs)
        # Beside each table a code that leads to all of its figures.
        assert {table.address for table in found} == {f"{base}320000/"}
        html = paper.render_html(paper_)
        assert html.count(str(qr_code(f"{base}320000/"))) == len(found)


def link(value: object) -> str:
    return getattr(value, "href", "")


def composed_again(bureau: Bureau) -> Circular:
    """A replacement, over the newest version."""
    old = Bulletin.objects.get(bureau=bureau)
    bulletin = services.issue(services.replace(old, None, "核对", in_background=False), None)
    with translation.override("zh-hans"):
        return circular.compose(
            Bulletin.objects.select_related("bureau", "period", "snapshot__period").get(pk=bulletin.pk)
        )


def test_the_first_year_of_all_has_no_year_before(tree: Tree) -> None:
    period = services.get_period("2000")
    services.freeze_now(period, None)
    bulletin = services.print_now(services.issue_bulletin(period, tree.jiangsu))
    assert bulletin.pdf
    assert not Period.objects.filter(code="1999").exists()
