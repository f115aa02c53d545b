"""From the click on a period to the printed bulletin, whose numbers are those of the ledger."""

import io
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.db import connection
from playwright.sync_api import Page, expect
from pypdf import PdfReader, PdfWriter

from accounts.models import Role, User
from bulletins import services
from bulletins.models import Bulletin
from tests import factories
from tests.bulletins.ledger import Tree, consortium, firm, key_project, project, solved, takes_part
from tests.conftest import Worker
from tests.factories import PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
# Printing takes seconds, on a busy machine many; a test that gives up early helps nobody.
SOON = 90_000
# 2024 in Shanghai, in the time that databases keep.
YEAR = "'2023-12-31 16:00:00' AND {at} < '2024-12-31 16:00:00'"
# Each figure as the circular words it, and counted without the portal's own queries.
COUNTED = {
    "实施质量强链项目{n}个": """
        SELECT COUNT(*) FROM projects_chainproject
        WHERE start_on BETWEEN '2024-01-01' AND '2024-12-31' AND status IN ('executing', 'accepted')""",
    "组建质量技术创新联合体{n}个": """
        SELECT COUNT(*) FROM projects_consortium WHERE founded_on BETWEEN '2024-01-01' AND '2024-12-31'""",
    "参与的链主企业{n}家": """
        SELECT COUNT(DISTINCT organization_id) FROM projects_participation
        WHERE role = 'leader' AND joined_on <= '2024-12-31'""",
    "链员企业{n}家": """
        SELECT COUNT(DISTINCT organization_id) FROM projects_participation
        WHERE role = 'member' AND joined_on <= '2024-12-31'""",
    "赋能机构{n}家": """
        SELECT COUNT(DISTINCT organization_id) FROM projects_participation
        WHERE role = 'enabler' AND joined_on <= '2024-12-31'""",
    "实施重点攻关项目{n}个": """
        SELECT COUNT(*) FROM projects_keyproject WHERE contract_on BETWEEN '2024-01-01' AND '2024-12-31'""",
    "解决质量堵点卡点问题{n}个": f"""
        SELECT COUNT(DISTINCT bottleneck_id) FROM projects_transition
        WHERE target = 'resolved' AND at >= {YEAR.format(at="at")}""",
}


@pytest.fixture
def tree() -> Tree:
    tree = Tree()
    leader, members = firm(), [firm() for _n in range(12)]
    labs = [firm() for _n in range(3)]
    for unit in (tree.huqiu, tree.binhu, tree.dalian, tree.corps):
        work = project(unit)
        takes_part(leader, work, "leader")
        for member in members:
            takes_part(member, work)
        key_project(work)
        for lab in labs:
            takes_part(lab, work, "enabler")
    consortium(tree.suzhou)
    for unit, number in ((tree.huqiu, 5), (tree.dalian, 4), (tree.beijing, 2), (tree.corps, 1)):
        for _n in range(number):
            solved(unit)
    return tree


def serious_faults(page: Page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [
        f"{fault['id']}: {node['html']}"
        for fault in found
        if fault["impact"] in ("serious", "critical")
        for node in fault["nodes"]
    ]


def counted(sql: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()[0]


def words(document: bytes) -> str:
    """The running text of a PDF, without the spaces and line ends of its setting and the page numbers."""
    pages = PdfReader(io.BytesIO(document)).pages
    return re.sub(r"—\d+—", "", re.sub(r"\s", "", "".join(page.extract_text() for page in pages)))


def signed_in(page: Page, user: User, address: str) -> Page:
    """The page at an address of the portal, which may say the host as well."""
    page.goto(f"/login/?next={urlsplit(address).path}")
    page.get_by_label("用户名").fill(user.username)
    page.get_by_label("密码").fill(PASSWORD)
    page.get_by_role("button", name="登录").click()
    return page


def test_from_the_click_to_the_printed_bulletin(
    tree: Tree,
    new_page: Callable[..., Page],
    celery_worker_factory: Callable[[str], Worker],
    tmp_path: Path,
) -> None:
    author, signer = (factories.user(Role.ADMINISTRATOR, tree.nation) for _n in range(2))
    celery_worker_factory("filesystem://localhost")
    page = signed_in(new_page(), author, "/periods/")

    page.get_by_label("期间代码").fill("2024")
    # Its day to be frozen is long over: there is no time left to confirm it.
    page.get_by_label("逐级确认").uncheck()
    page.get_by_role("button", name="建立").click()
    page.get_by_role("button", name="汇总").click()
    # The bar is exchanged for the page once the worker is done, without a hand being moved.
    expect(page.get_by_text("最近一次汇总")).to_be_visible(timeout=SOON)
    page.get_by_role("link", name="冻结", exact=True).click()
    page.get_by_role("button", name="冻结，不能撤销").click()
    expect(page.get_by_text("数字不再随台账变动")).to_be_visible(timeout=SOON)
    page.get_by_role("link", name="发布").click()
    page.get_by_role("button", name="发布").click()
    expect(page.get_by_text("2024年的数据已发布")).to_be_visible()

    page.get_by_role("link", name="拟通报").click()
    page.get_by_role("button", name="生成草稿").click()
    expect(page.locator("iframe.paper")).to_be_visible(timeout=SOON)
    page.get_by_role("link", name="改稿").click()
    page.get_by_role("textbox", name="总体情况：补充").fill("各地要把没有解决的问题落实到人。")
    page.locator("#block-overall-more").get_by_role("button", name="保存这一段").click()
    expect(page.locator("#block-overall-more").get_by_role("status")).to_be_visible()
    page.get_by_role("link", name="改完了，去送审").click()
    page.get_by_role("button", name="送审").click()
    expect(page.get_by_text("已送审，审核人会收到消息。")).to_be_visible()
    # Whoever had a hand in it sees why it is for others to judge.
    expect(page.get_by_role("button", name="审核通过")).to_have_attribute("aria-disabled", "true")

    page = signed_in(new_page(), signer, page.url)
    page.get_by_role("button", name="审核通过").click()
    page.get_by_role("link", name="签发", exact=True).click()
    page.get_by_role("button", name="签发").click()
    expect(page.locator("iframe.paper")).to_be_visible(timeout=SOON)
    bulletin = Bulletin.objects.get()
    with page.expect_download() as download:
        page.get_by_role("link", name="下载 PDF").first.click()
    assert download.value.suggested_filename == f"{bulletin.number}.pdf"
    document = Path(download.value.path()).read_bytes()

    text = words(document)
    assert bulletin.number in text
    assert "草稿" not in text
    assert "各地要把没有解决的问题落实到人。" in text
    for phrase, sql in COUNTED.items():
        number = counted(sql)
        assert number
        assert phrase.format(n=number) in text

    reader = new_page()
    for address in ("/", "/figures/", f"/bulletins/{bulletin.public_id}/", "/verify/"):
        reader.goto(address)
        assert serious_faults(reader) == [], address
    check_paper(reader, document, bulletin, tmp_path)


def check_paper(page: Page, document: bytes, bulletin: Bulletin, folder: Path) -> None:
    """Somebody without an account holds the paper against the portal."""

    def verify(name: str, content: bytes) -> None:
        path = folder / name
        path.write_bytes(content)
        page.goto("/verify/")
        page.get_by_label("PDF 文件").set_input_files(path)
        page.get_by_role("button", name="核验").click()

    verify("原件.pdf", document)
    expect(page.get_by_role("heading", name="真实，未被改动")).to_be_visible()
    expect(page.get_by_text(bulletin.number)).to_be_visible()
    assert serious_faults(page) == []

    copy = PdfWriter(clone_from=io.BytesIO(document))
    copy.add_metadata({"/Subject": "解决质量堵点卡点问题13个"})
    changed = io.BytesIO()
    copy.write(changed)
    verify("改过的.pdf", changed.getvalue())
    expect(page.get_by_role("heading", name="内容与原件不一致")).to_be_visible()
    assert serious_faults(page) == []

    page.goto("/verify/")
    page.get_by_label("核验码").fill(bulletin.verification_code.lower())
    page.get_by_role("button", name="核验").click()
    page.wait_for_url(f"**/verify/{bulletin.verification_code}/")
    expect(page.get_by_role("heading", name="确有这份通报，现行有效")).to_be_visible()


def test_phones_read_the_figures_without_pushing_the_page_aside(
    tree: Tree, new_page: Callable[..., Page]
) -> None:
    services.freeze_now(services.get_period("2024"), None)
    services.publish(services.get_period("2024"), None)
    page = new_page(viewport={"width": 390, "height": 844})
    for address in (
        "/",
        "/figures/",
        "/figures/2024/320000/I15/",
        "/figures/definitions/",
        "/bulletins/",
        "/verify/",
    ):
        page.goto(address)
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width == 390, address
    page.goto("/")
    page.get_by_role("link", name="江苏 5 个").click()
    expect(page.get_by_role("heading", name="江苏省2024年数据")).to_be_visible()
