"""A firm that nobody knows registers, prepares a problem, is verified, submits, and brings in a colleague."""

import re
from collections.abc import Callable
from datetime import date

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.core import mail
from django.core.cache import cache
from playwright.sync_api import Page, expect

from accounts import mailing
from accounts.models import Registration, Role, User
from enterprises.models import Division
from projects.models import Bottleneck
from tests import factories
from tests.factories import PASSWORD, credit_code

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
LONG = "梅雨-harbour-7-lantern"
NAME = "演示新申请有限公司"


@pytest.fixture
def officer() -> User:
    """The officer of the county, where the division and its bureau exist."""
    cache.clear()
    city = Division.objects.create(
        code="320500", name="苏州市", short_name="苏州", level=2, valid_from=date(2020, 1, 1)
    )
    county = factories.county()
    county.division = Division.objects.create(
        code="320509", name="吴江区", short_name="吴江区", level=3, parent=city, valid_from=date(2020, 1, 1)
    )
    county.save()
    factories.chain()
    return factories.user(Role.OFFICER, county, username="officer", name="县局经办")


def serious_faults(page: Page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [
        f"{fault['id']}: {node['html']}"
        for fault in found
        if fault["impact"] in ("serious", "critical")
        for node in fault["nodes"]
    ]


def go_on(page: Page, word: str = "继续") -> None:
    assert not serious_faults(page)
    page.get_by_role("button", name=word, exact=True).click()


def log_in(page: Page, username: str, password: str, address: str) -> Page:
    page.goto(f"/login/?next={address}")
    page.get_by_label("用户名").fill(username)
    page.get_by_label("密码").fill(password)
    page.get_by_role("button", name="登录").click()
    page.wait_for_url(f"**{address}")
    return page


def register(page: Page, code: str) -> None:
    page.goto("/join/")
    page.get_by_label("企业：填报质量堵点卡点问题").check()
    go_on(page, "开始")
    typed = page.get_by_label("统一社会信用代码")
    typed.press_sequentially(code[:-1].lower())
    expect(page.locator("#code-check")).to_contain_text("应为 18 位")
    typed.press_sequentially(code[-1].lower())
    expect(page.locator("#code-check")).to_contain_text(f"校验通过，将记为 {code}")
    go_on(page)
    page.get_by_label("名称").fill(NAME)
    page.get_by_label("企业", exact=True).check()
    go_on(page)
    page.get_by_label("查找县、市、区").press_sequentially("苏州 吴江")
    page.get_by_label("吴江区").check()
    go_on(page)
    expect(page.get_by_label("吴江区市场监督管理局")).to_be_checked()
    go_on(page)
    page.get_by_label("联系人姓名").fill("李申请")
    page.get_by_label("联系电话").fill("13800000022")
    page.get_by_label("邮箱").fill("li@example.cn")
    go_on(page)
    page.get_by_label("用户名").fill("lishenqing")
    page.locator("#id_password1").fill(LONG)
    page.locator("#id_password2").fill(LONG)
    go_on(page)
    go_on(page, "提交申请")
    page.wait_for_url("**/join/done/")
    expect(page.get_by_text("吴江区市场监督管理局")).to_be_visible()


def test_a_firm_registers_is_verified_and_submits(new_page: Callable[..., Page], officer: User) -> None:
    firm = new_page()
    register(firm, credit_code())
    applicant = User.objects.get(username="lishenqing")
    draft = factories.draft(applicant, organization=Registration.objects.get().organization)
    check = f"/bottlenecks/{draft.public_id}/edit/check/"
    firm.goto(check)
    expect(firm.get_by_text("吴江区市场监督管理局核实您的入驻申请后才能提交")).to_be_visible()
    assert firm.locator("button.btn-off").inner_text() == "提交"
    assert not serious_faults(firm)

    desk = log_in(new_page(), officer.username, PASSWORD, "/registrations/")
    desk.get_by_role("link", name=NAME).click()
    assert not serious_faults(desk)
    desk.get_by_role("button", name="核实通过").click()
    expect(desk.get_by_text(f"李申请可以代表{NAME}办理")).to_be_visible()

    firm.goto(check)
    firm.get_by_role("button", name="提交").click()
    expect(firm.get_by_text("DK-").first).to_be_visible()
    draft.refresh_from_db()
    assert (draft.status, draft.organization.name) == (Bottleneck.Status.SUBMITTED, NAME)

    firm.goto("/colleagues/")
    firm.get_by_label("同事的邮箱").fill("qian@example.cn")
    go_on(firm, "发送邀请")
    expect(firm.get_by_text("邀请邮件正在发往 qian@example.cn")).to_be_visible()
    mailing.send_due()
    address = re.findall(r"/join/invited/\S+", mail.outbox[-1].body)[0]
    # The colleague opens the mail on a phone.
    colleague = new_page(viewport={"width": 390, "height": 844})
    colleague.goto(address)
    colleague.get_by_label("姓名").fill("钱同事")
    colleague.get_by_label("用户名").fill("qiantongshi")
    colleague.locator("#id_password1").fill(LONG)
    colleague.locator("#id_password2").fill(LONG)
    go_on(colleague, "接受邀请")
    colleague.wait_for_url("**/workspace/")
    expect(colleague.get_by_text(draft.title)).to_be_visible()
