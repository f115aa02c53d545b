"""A board on paper: A4, what was asked for in its head, nothing to click, nothing torn apart."""

import io
import re
import unicodedata
from collections.abc import Callable

import pytest
from playwright.sync_api import Page
from pypdf import PdfReader

from accounts.models import Role
from bulletins import services
from tests import factories
from tests.browser.test_bulletin import signed_in
from tests.bulletins.ledger import Tree, project, solved

pytestmark = pytest.mark.browser
A4 = (595, 842)


def printed(page: Page) -> list[str]:
    """The words of each page, without spaces."""
    document = PdfReader(io.BytesIO(page.pdf(prefer_css_page_size=True)))
    assert {tuple(round(edge) for edge in sheet.mediabox[2:]) for sheet in document.pages} == {A4}
    # Fonts draw some characters as radicals.
    texts = (unicodedata.normalize("NFKC", sheet.extract_text()) for sheet in document.pages)
    return [re.sub(r"\s", "", text) for text in texts]


def test_the_board_of_a_unit_on_paper(new_page: Callable[..., Page]) -> None:
    tree = Tree()
    for number in range(40):
        factories.bureau(f"{330000 + number}", f"地区{number}", tree.nation)
    project(tree.huqiu).goals.create(indicator="合格率", unit="%", target=98, due_on="2027-01-01")
    for year in ("2023", "2024"):
        for _n in range(6):
            solved(tree.huqiu, services.get_period(year).end_on)
        services.freeze_now(services.get_period(year), None)
        services.publish(services.get_period(year), None)
    page = signed_in(new_page(), factories.user(Role.OFFICER, tree.nation), "/figures/")
    page.goto("/figures/?period=2024&bureau=000000&then=2023&by=I10")
    sheets = printed(page)
    whole = "".join(sheets)
    assert "全国2024年数据,按实施重点攻关项目排位次·对比2024年与2023年" in sheets[0]
    for control in ("看成表格", "导出", "查看", "退出", "换单位和期间"):
        assert control not in whole, control
    # A table goes on under the same head, and is added up once, where it ends.
    assert sum("地区位次实施质量强链项目个" in sheet for sheet in sheets) == 2
    assert len(re.findall("合计1", whole)) == 1
    for heading, drawn in (("现在的问题", "待核实、补正"), ("在办问题所缺的要素", "计量")):
        (sheet,) = [sheet for sheet in sheets if heading in sheet]
        assert drawn in sheet[sheet.index(heading) :], heading


def test_the_board_of_an_institution_on_paper(new_page: Callable[..., Page]) -> None:
    tree = Tree()
    lab = factories.institution("演示计量院", at=tree.suzhou)
    for number in range(3):
        solved(tree.huqiu, assigned_to=lab, chain=factories.chain(f"C{number}", f"链{number}"))
    page = signed_in(new_page(), factories.user(Role.INSTITUTION, lab), "/workspace/")
    page.goto(f"/institutions/{lab.uscc}/?bureau=320500")
    sheets = printed(page)
    assert "演示计量院看板" in sheets[0] and "受理单位(含下级)苏州市" in sheets[0]
    assert "看成表格" not in "".join(sheets) and "更多筛选" not in "".join(sheets)
    for heading, drawn in (("服务的产业链", "链0"), ("服务的地区", "江苏省"), ("每季度解决的问题", "Q4")):
        (sheet,) = [sheet for sheet in sheets if heading in sheet]
        assert drawn in sheet[sheet.index(heading) :], heading
