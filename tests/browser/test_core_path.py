"""One problem from the firm to "solved" and back, by the hands of five people in five browsers."""

from collections.abc import Callable
from itertools import pairwise

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from accounts.models import Role, User
from projects.models import Bottleneck
from tests import factories
from tests.factories import PASSWORD, Cast

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
S = Bottleneck.Status
TITLE = "柔轮热处理后疲劳寿命离散过大"


@pytest.fixture
def cast() -> Cast:
    return Cast()


@pytest.fixture
def sit_down(new_page: Callable[..., Page]) -> Callable[..., Page]:
    """A person logs in on a machine of their own."""

    def log_in(user: User, address: str, **options: object) -> Page:
        page = new_page(**options)
        page.goto(f"/login/?next={address}")
        page.get_by_label("用户名").fill(user.username)
        page.get_by_label("密码").fill(PASSWORD)
        page.get_by_role("button", name="登录").click()
        page.wait_for_url(f"**{address}")
        return page

    return log_in


def state_of(row: Bottleneck) -> str:
    row.refresh_from_db()
    return row.status


def serious_faults(page: Page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [
        f"{fault['id']}: {node['html']}"
        for fault in found
        if fault["impact"] in ("serious", "critical")
        for node in fault["nodes"]
    ]


def test_five_people_solve_a_problem(cast: Cast, sit_down: Callable[..., Page]) -> None:
    row = factories.draft(cast.filer)
    detail = f"/bottlenecks/{row.public_id}/"

    filer = sit_down(cast.filer, f"{detail}edit/check/")
    filer.get_by_role("button", name="提交").click()
    expect(filer.get_by_text("DK-").first).to_be_visible()
    assert state_of(row) == S.SUBMITTED

    county = sit_down(cast.county_officer, "/desk/")
    accept(county, row)
    list_and_dispatch(sit_down(cast.city_officer, "/desk/"), row, cast)
    # The institution works on a phone.
    solve(sit_down(cast.engineer, detail, viewport={"width": 390, "height": 844}), row)

    filer.goto(detail)
    filer.get_by_role("link", name="确认已解决").click()
    expect(filer.get_by_text("达到目标")).to_be_visible()
    filer.get_by_role("button", name="确认已解决").click()
    expect(filer.get_by_text(f"企业已确认解决 {row.code}")).to_be_visible()

    # Not the one who accepted: another officer verifies.
    county.goto("/desk/area/")
    county.get_by_role("link", name=TITLE).click()
    expect(county.locator("#beside").get_by_text("您经手过这个问题")).to_be_visible()
    verify(sit_down(cast.verifier, "/desk/"), row)

    filer.goto(detail)
    filer.get_by_role("link", name="重开").click()
    filer.get_by_label("出现了什么新情况").fill("新批次又出现寿命离散。")
    filer.get_by_role("button", name="重开").click()
    expect(filer.get_by_text(f"已重开 {row.code}")).to_be_visible()
    assert state_of(row) == S.REOPENED
    way = "submit accept list dispatch take file_solution confirm verify reopen"
    assert list(row.transitions.values_list("move", flat=True)) == way.split()
    assert set(row.transitions.values_list("actor__name", flat=True)) == {
        "填报人",
        "县局经办",
        "市局经办",
        "机构经办",
        "核验人",
    }


def accept(page: Page, row: Bottleneck) -> None:
    """The county takes it with the keyboard: j for the row, Enter to open, a for accept, Enter."""
    row.refresh_from_db()
    expect(page.get_by_role("link", name=TITLE)).to_be_visible()
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.locator("#beside").get_by_text("同批柔轮台架寿命相差一倍。")).to_be_visible()
    page.keyboard.press("a")
    expect(page.locator("#beside").get_by_role("button", name="受理")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_text(f"已受理 {row.code}")).to_be_visible()
    assert state_of(row) == S.ACCEPTED


def list_and_dispatch(page: Page, row: Bottleneck, cast: Cast) -> None:
    """The city puts it on the list and finds an institution, beside the list."""
    beside = page.locator("#beside")
    page.get_by_role("link", name=TITLE).click()
    beside.get_by_role("link", name="列入清单").click()
    beside.get_by_label("派单", exact=True).check()
    beside.get_by_role("button", name="列入清单").click()
    expect(page.get_by_text(f"已列入清单 {row.code}")).to_be_visible()
    page.get_by_role("link", name=TITLE).click()
    beside.get_by_role("link", name="派单").click()
    with page.expect_response("**/institutions/**"):
        # Key by key, as people type: the first one may come before the page listens.
        beside.get_by_role("searchbox").press_sequentially(cast.lab.name, delay=60)
    beside.get_by_role("radio", name=cast.lab.name).check()
    beside.get_by_role("button", name="派单").click()
    expect(page.get_by_text(f"已派单 {row.code}")).to_be_visible()
    assert state_of(row) == S.DISPATCHED


def solve(page: Page, row: Bottleneck) -> None:
    """The institution takes it and files a solution with two proofs and a scan."""
    page.get_by_role("link", name="承接", exact=True).click()
    page.get_by_label("承接计划").fill("热处理实验室负责，两个月内完成。")
    page.get_by_role("button", name="承接").click()
    expect(page.get_by_text(f"已承接 {row.code}")).to_be_visible()
    page.get_by_role("link", name="提交解决办法").click()
    page.get_by_label("解决办法").fill("调整渗碳工艺窗口，增加残余应力检测。")
    page.get_by_label("解决后的值").fill("96.5")
    page.get_by_label("测得日期").fill("2026-06-01")
    fill_evidence(page, 0, "W2026-0001")
    page.get_by_role("button", name="再加一项证据").click()
    fill_evidence(page, 1, "Q/JS 12-2026")
    page.locator("[name='evidence-0-file']").set_input_files(
        {"name": "报告.pdf", "mimeType": "application/pdf", "buffer": factories.pdf().read()}
    )
    page.get_by_role("button", name="提交解决办法").click()
    expect(page.get_by_text(f"已提交解决办法 {row.code}")).to_be_visible()
    assert row.evidence.count() == 2 and row.attachments.get().name == "报告.pdf"


def verify(page: Page, row: Bottleneck) -> None:
    """Another officer looks at the proofs; a forgotten one is asked for before it is solved."""
    beside = page.locator("#beside")
    page.get_by_role("link", name=TITLE).click()
    beside.get_by_role("link", name="核验通过").click()
    beside.get_by_role("radio", name="堵点卡点已解决").check()
    beside.get_by_role("textbox", name="核验意见").fill("现场抽检三批，寿命达标率 96.5%。")
    beside.get_by_role("button", name="核验通过").click()
    expect(beside.get_by_text("有 1 处需要修改")).to_be_visible()
    for box in beside.get_by_role("checkbox").all():
        box.check()
    beside.get_by_role("button", name="核验通过").click()
    expect(page.get_by_text(f"已核验解决 {row.code}")).to_be_visible()
    assert state_of(row) == S.RESOLVED and row.result == "bottleneck_solved"


def fill_evidence(page: Page, number: int, code: str) -> None:
    proof = page.locator("[data-formset-row]").nth(number)
    proof.get_by_label("证据类型").select_option("test_report")
    proof.get_by_label("要素").select_option("TST")
    proof.get_by_label("样品名称").fill("谐波减速器柔轮")
    proof.get_by_label("委托单位或持有人").fill("演示减速器有限公司")
    proof.get_by_label("证据名称").fill("寿命试验报告")
    proof.get_by_label("编号").fill(code)
    proof.get_by_label("出具单位").fill("演示检验检测院")
    proof.get_by_label("出具日期").fill("2026-06-01")


def test_after_a_move_the_next_row_opens(cast: Cast, sit_down: Callable[..., Page]) -> None:
    rows = [cast.filed(title=f"第 {n} 个问题") for n in range(1, 4)]
    page = sit_down(cast.county_officer, "/desk/")
    opened = page.locator("[data-opened]")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    for row, following in pairwise(rows):
        expect(opened).to_have_attribute("data-opened", str(row.public_id))
        page.keyboard.press("a")
        expect(page.get_by_role("button", name="受理", exact=True)).to_be_focused()
        page.keyboard.press("Enter")
        expect(opened).to_have_attribute("data-opened", str(following.public_id))
    expect(page.locator("[data-row][aria-selected='true']")).to_contain_text("第 3 个问题")
    page.keyboard.press("r")
    page.locator("details.gap", has_text="现象").locator("summary").click()
    page.locator("[name='gap_symptom']").fill("请写明从什么时候开始。")
    page.get_by_role("button", name="退回补正").click()
    expect(page.get_by_text("已退回补正")).to_be_visible()
    assert state_of(rows[2]) == S.RETURNED


def test_a_colleague_was_quicker(cast: Cast, sit_down: Callable[..., Page]) -> None:
    row = cast.bring_to(S.IN_PROGRESS)
    page = sit_down(cast.city_officer, "/desk/area/")
    page.get_by_role("link", name=TITLE).click()
    beside = page.locator("#beside")
    beside.get_by_role("link", name="暂缓").click()
    beside.get_by_label("暂缓原因").fill("等待试验设备到位，预计下月。")
    cast.make(row, "file_solution")
    beside.get_by_role("button", name="暂缓").click()
    expect(beside.get_by_text("已提交解决办法")).to_be_visible()
    expect(beside.locator("textarea[readonly]")).to_have_value("等待试验设备到位，预计下月。")


def test_a_selection_is_accepted_at_once(cast: Cast, sit_down: Callable[..., Page]) -> None:
    rows = [cast.filed(title=f"第 {n} 个问题") for n in range(1, 4)]
    page = sit_down(cast.county_officer, "/desk/")
    expect(page.locator("[data-bulk]")).to_be_hidden()
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.get_by_label(f"选择 {rows[1].code}").check()
    expect(page.get_by_text("已选 2 条")).to_be_visible()
    page.get_by_role("button", name="批量受理").click()
    page.get_by_role("button", name="受理这 2 条").click()
    expect(page.get_by_role("heading", name="已受理 2 条，共 2 条")).to_be_visible()
    assert [state_of(row) for row in rows] == [S.ACCEPTED, S.ACCEPTED, S.SUBMITTED]


def test_the_desk_works_without_scripts(cast: Cast, sit_down: Callable[..., Page]) -> None:
    row = cast.bring_to(S.LISTED)
    page = sit_down(cast.city_officer, "/desk/", java_script_enabled=False)
    page.get_by_role("link", name=TITLE).click()
    page.get_by_role("link", name="派单", exact=True).click()
    page.get_by_role("searchbox").last.fill(cast.lab.uscc)
    page.get_by_role("button", name="查找").click()
    page.get_by_role("radio", name=cast.lab.name).check()
    page.get_by_role("button", name="派单").click()
    expect(page.get_by_text(f"已派单 {row.code}")).to_be_visible()


@pytest.mark.parametrize("width", [1366, 390])
def test_no_serious_fault_of_accessibility(cast: Cast, sit_down: Callable[..., Page], width: int) -> None:
    submitted, accepted = cast.filed(), cast.bring_to(S.ACCEPTED)
    listed, working, verified = (cast.bring_to(s) for s in (S.LISTED, S.IN_PROGRESS, S.VERIFICATION))
    seats = {
        cast.county_officer: [
            f"/desk/?open={submitted.public_id}",
            f"/desk/bulk/?move=accept&row={submitted.public_id}",
        ]
        + [f"/bottlenecks/{submitted.public_id}/moves/{name}/" for name in ("return", "reject")],
        cast.city_officer: [
            f"/bottlenecks/{accepted.public_id}/moves/list/",
            f"/bottlenecks/{accepted.public_id}/moves/merge/",
            f"/bottlenecks/{listed.public_id}/moves/dispatch/",
        ],
        cast.engineer: [f"/bottlenecks/{working.public_id}/moves/file_solution/"],
        cast.verifier: [f"/bottlenecks/{verified.public_id}/moves/verify/"],
    }
    for user, addresses in seats.items():
        page = sit_down(user, "/healthz", viewport={"width": width, "height": 800})
        for address in addresses:
            page.goto(address)
            assert not serious_faults(page), address
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), address


def test_the_other_desk_is_one_click_away(cast: Cast, sit_down: Callable[..., Page]) -> None:
    factories.grant(cast.county_officer, Role.OFFICER, cast.city)
    page = sit_down(cast.county_officer, "/desk/")
    page.get_by_text(cast.city.name).first.click()
    page.get_by_role("button", name=cast.county.name).click()
    expect(page.locator("summary.brand-role")).to_contain_text(cast.county.name)
