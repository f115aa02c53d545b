"""Problems from the firm to "solved", to the bulletin and back, by six people in six browsers."""

import re
from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.utils import timezone
from playwright.sync_api import FilePayload, Page, expect

from accounts.models import Role, User
from bulletins import circular
from bulletins import services as periods
from bulletins.models import Period
from enterprises.models import Bureau
from projects import services, tasks
from projects.models import Bottleneck, InspectionReport
from projects.workflow import MOVES
from tests import factories
from tests.bulletins.test_circular import text
from tests.factories import PASSWORD, Cast

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
S = Bottleneck.Status
TITLE = "柔轮热处理后疲劳寿命离散过大"
SCAN = FilePayload(name="报告.pdf", mimeType="application/pdf", buffer=factories.pdf().read())


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


def test_six_people_solve_a_problem_and_the_bulletin_counts_it(
    cast: Cast, sit_down: Callable[..., Page], monkeypatch: pytest.MonkeyPatch
) -> None:
    known = cast.bring_to(S.RESOLVED, title=TITLE, product="谐波减速器柔轮")
    neighbour = filed_nearby(cast)
    row = factories.draft(cast.filer, title="", symptom="")
    detail = f"/bottlenecks/{row.public_id}/"
    statistician = sit_down(factories.user(Role.STATISTICIAN, cast.city.parent.parent), "/figures/")
    year = str(timezone.localdate().year)
    assert solved_in(statistician, year) == 1

    filer = sit_down(cast.filer, f"{detail}edit/happening/")
    describe(filer, detail, known, cast)
    assert state_of(row) == S.SUBMITTED

    county = sit_down(cast.county_officer, "/desk/")
    send_back(county, row)
    complete(filer, detail, row)
    county.goto("/desk/")
    accept(county, row)
    city = sit_down(cast.city_officer, "/desk/")
    keep_apart(city, row, neighbour)
    city.goto("/desk/?q=" + row.code)
    list_and_dispatch(city, row, cast)

    # The institution works on a phone.
    engineer = sit_down(cast.engineer, detail, viewport={"width": 390, "height": 844})
    take_and_report(engineer, row)
    lodge(engineer, "W2026-0101", cast)
    engineer.goto(detail)
    solve(engineer, row)
    for proof in row.evidence.order_by("pk"):
        tasks.verify_evidence(proof.pk)  # the worker
    # The one that was lodged is known; the verifier looks at the other.
    states = row.evidence.order_by("pk").values_list("verify_state", flat=True)
    assert list(states) == ["matched", "unverified"]

    confirm(filer, detail, row)
    # Not the one who accepted: another officer verifies.
    county.goto(f"/desk/area/?q={row.code}")
    county.get_by_role("link", name=TITLE).click()
    expect(county.locator("#beside").get_by_text("您经手过这个问题")).to_be_visible()
    verifier = sit_down(cast.verifier, f"/desk/?q={row.code}")
    verify(verifier, row)
    way = "submit return submit accept list dispatch take report file_solution confirm verify"
    assert list(row.transitions.values_list("move", flat=True)) == way.split()
    assert len(set(row.transitions.values_list("actor", flat=True))) == 5

    assert solved_in(statistician, year) == 2
    assert "解决质量堵点卡点问题2个" in words_of_bulletin(year, cast.city.parent.parent, monkeypatch)


def filed_nearby(cast: Cast) -> Bottleneck:
    """Another firm of the county has nearly the same problem in hand."""
    other = factories.user(Role.FILER, factories.organization("演示精密传动有限公司", at=cast.county))
    row = factories.draft(other, title="柔轮疲劳寿命离散过大")
    services.move(row, "submit", by=other)
    services.move(row, "accept", by=cast.county_officer)
    return row


def solved_in(page: Page, year: str) -> int:
    """What the page of figures says was solved, after the worker has rolled the year up."""
    periods.rollup_now(periods.get_period(year))
    page.goto(f"/figures/?period={year}")
    figure = page.locator(".figure", has_text="解决质量堵点卡点问题").locator(".figure-value a")
    return int(figure.inner_text())


def words_of_bulletin(year: str, unit: Bureau, monkeypatch: pytest.MonkeyPatch) -> str:
    """The circular on the year, drafted when the year is over."""
    monkeypatch.setattr(Period, "cut_off", property(lambda _period: timezone.now() - timedelta(days=1)))
    period = periods.get_period(year)
    periods.freeze_now(period, None)
    draft = periods.draft_bulletin(period, unit, None, in_background=False)
    return text(circular.compose(draft))


def describe(page: Page, detail: str, known: Bottleneck, cast: Cast) -> None:
    """While the filer types, what was solved before appears, with how and by whom."""
    # Key by key, as people type: the first one may come before the page listens.
    page.get_by_label("题目").press_sequentially(TITLE, delay=20)
    related = page.locator(".related-list")
    expect(related.get_by_role("link", name=TITLE)).to_be_visible()
    expect(related).to_contain_text(known.code)
    expect(related).to_contain_text(f"由{cast.lab.name}解决")
    page.get_by_label("现象").fill("同批柔轮台架寿命相差一倍。")
    page.get_by_role("button", name="保存并继续").click()
    page.wait_for_url("**/edit/extent/")
    page.goto(f"{detail}edit/check/")
    page.get_by_role("button", name="提交").click()
    expect(page.locator(".receipt-code")).to_be_visible()


def send_back(page: Page, row: Bottleneck) -> None:
    """The county returns it with the keyboard, two gaps at once, one of them at its field."""
    expect(page.get_by_role("link", name=TITLE)).to_be_visible()
    page.keyboard.press("j")
    page.keyboard.press("r")
    page.locator("details.gap", has_text="现象").locator("summary").click()
    page.locator("[name='gap_symptom']").fill("请写明从什么时候开始。")
    page.get_by_label("其他缺项").fill("请附检测报告。")
    page.get_by_role("button", name="退回补正").click()
    expect(page.get_by_text("已退回补正")).to_be_visible()
    assert state_of(row) == S.RETURNED


def complete(page: Page, detail: str, row: Bottleneck) -> None:
    """The filer answers gap by gap and files again."""
    page.goto(f"{detail}edit/check/")
    expect(page.get_by_text("请您补正 2 处")).to_be_visible()
    page.get_by_role("link", name="请写明从什么时候开始。").click()
    page.get_by_label("现象").fill("今年 3 月起，同批柔轮台架寿命相差一倍。")
    page.get_by_role("button", name="保存").first.click()
    page.goto(f"{detail}edit/check/")
    expect(page.locator("ins")).to_have_text("今年 3 月起，同批柔轮台架寿命相差一倍。")
    answers = page.get_by_label("您的答复（可以不填）")
    answers.first.fill("已写明。")
    answers.last.fill("报告见附件。")
    page.get_by_role("button", name="重新提交").click()
    expect(page.locator(".receipt-code")).to_have_text(row.code or "")
    assert state_of(row) == S.SUBMITTED


def keep_apart(page: Page, row: Bottleneck, neighbour: Bottleneck) -> None:
    """The city looks at what is alike before it lists, and keeps both."""
    page.goto(f"/desk/?open={row.public_id}")
    page.locator("#beside").get_by_role("link", name="比对").click()
    expect(page.get_by_role("link", name=neighbour.code)).to_be_visible()
    page.get_by_role("radio", name="不是同一问题").check()
    page.get_by_label("理由").fill("两家的热处理工艺不同。")
    page.get_by_role("button", name="确定").click()
    expect(page.get_by_text(f"已判断 {neighbour.code} 和 {row.code}")).to_be_visible()
    assert state_of(row) == state_of(neighbour) == S.ACCEPTED


def take_and_report(page: Page, row: Bottleneck) -> None:
    page.get_by_role("link", name="承接", exact=True).click()
    page.get_by_label("承接计划").fill("热处理实验室负责，两个月内完成。")
    page.get_by_role("button", name="承接").click()
    expect(page.get_by_text(f"已承接 {row.code}")).to_be_visible()
    page.get_by_role("link", name="报告进展").click()
    page.get_by_label("完成比例").fill("60")
    page.get_by_label("本月进展").fill("两批样品已完成台架试验。")
    page.get_by_role("button", name="报告进展").click()
    expect(page.get_by_text(f"已报告进展 {row.code}")).to_be_visible()


def lodge(page: Page, number: str, cast: Cast) -> None:
    """The institution lodges what its report says, so that the evidence can be compared."""
    page.goto("/reports/new/")
    for label, value in (
        ("报告编号", number),
        ("委托单位", cast.firm.name),
        ("样品名称", "谐波减速器柔轮"),
        ("检测方法", "GB/T 30819-2014"),
        ("检测结论", "所检项目符合要求。"),
        ("签发日期", "2026-06-01"),
    ):
        page.get_by_label(label).fill(value)
    page.get_by_label("报告文件").set_input_files(SCAN)
    page.get_by_role("button", name="登记").click()
    expect(page.get_by_text(number).first).to_be_visible()
    assert InspectionReport.objects.get().report_no == number


def test_a_merged_problem_follows_its_master_through_suspension_solution_and_reopening(
    cast: Cast, sit_down: Callable[..., Page]
) -> None:
    master, child = cast.bring_to(S.ACCEPTED), filed_nearby(cast)
    city = sit_down(cast.city_officer, f"/desk/twins/{child.public_id}/")
    city.get_by_role("radio", name="归并到主问题").check()
    city.get_by_role("radio", name=master.code or "").check()
    city.get_by_label("理由").fill("同一热处理缺口。")
    city.get_by_role("button", name="确定").click()
    expect(city.get_by_text("归并到主问题").first).to_be_visible()
    assert state_of(child) == S.MERGED
    other = sit_down(child.filer, f"/bottlenecks/{child.public_id}/")

    def neighbour_reads(state: str) -> None:
        other.reload()
        expect(other.locator(".notice", has_text="主问题现在的状态")).to_contain_text(state)

    for name in ("list", "dispatch", "take"):
        cast.make(master, name)
    neighbour_reads("攻关中")
    decide(city, master, "suspend", "等待试验设备到位，预计下月。")
    neighbour_reads("暂缓")
    decide(city, master, "resume", "设备已到位，继续试验。")
    for name in ("file_solution", "confirm"):
        cast.make(master, name)
    verify(sit_down(cast.verifier, f"/desk/?q={master.code}"), master)
    neighbour_reads("已解决")
    child.refresh_from_db()
    assert (child.status, child.result) == (S.MERGED, "bottleneck_solved")

    decide(sit_down(cast.filer, "/workspace/"), master, "reopen", "新批次又出现寿命离散。")
    neighbour_reads("反弹重开")
    decide(city, master, "restart", "换一种渗碳工艺。")
    for name in ("file_solution", "confirm", "verify"):
        cast.make(master, name)
    neighbour_reads("已解决")
    followed = child.transitions.filter(move="follow").values_list("details__state", flat=True)
    assert list(followed) == [S.RESOLVED, S.REOPENED, S.RESOLVED]


def decide(page: Page, row: Bottleneck, name: str, reason: str) -> None:
    """One move that asks a reason, from the page of the problem."""
    move = MOVES[name]
    page.goto(f"/bottlenecks/{row.public_id}/")
    page.get_by_role("link", name=str(move.label), exact=True).click()
    page.locator("[name=reason]").fill(reason)
    page.get_by_role("button", name=str(move.label), exact=True).click()
    expect(page.get_by_text(f"{move.done} {row.code}")).to_be_visible()
    assert state_of(row) == move.target


def accept(page: Page, row: Bottleneck) -> None:
    """The county takes it with the keyboard: j for the row, Enter to open, a for accept, Enter."""
    row.refresh_from_db()
    expect(page.get_by_role("link", name=TITLE)).to_be_visible()
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.locator("#beside").get_by_text("同批柔轮台架寿命相差一倍。").first).to_be_visible()
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
    """The institution files a solution with measured values, two proofs and a scan."""
    page.get_by_role("link", name="提交解决办法").click()
    page.get_by_label("解决办法").fill("调整渗碳工艺窗口，增加残余应力检测。")
    page.get_by_label("解决后的值").fill("96.5")
    page.get_by_label("测得日期").fill("2026-06-01")
    fill_evidence(page, 0, "W2026-0101")
    page.get_by_role("button", name="再加一项证据").click()
    fill_evidence(page, 1, "W2026-0102")
    page.locator("[name='evidence-0-file']").set_input_files(SCAN)
    page.get_by_role("button", name="提交解决办法").click()
    expect(page.get_by_text(f"已提交解决办法 {row.code}")).to_be_visible()
    assert row.evidence.count() == 2 and row.attachments.get().name == "报告.pdf"


def confirm(page: Page, detail: str, row: Bottleneck) -> None:
    """The firm compares with the target and says yes."""
    page.goto(detail)
    page.get_by_role("link", name="确认已解决").click()
    expect(page.get_by_text("达到目标")).to_be_visible()
    page.get_by_role("button", name="确认已解决").click()
    expect(page.get_by_text(f"企业已确认解决 {row.code}")).to_be_visible()


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


def test_keys_act_on_the_chosen_row_and_once(cast: Cast, sit_down: Callable[..., Page]) -> None:
    rows = {str(row.public_id): row for row in (cast.bring_to(S.IN_PROGRESS) for _n in range(2))}
    page = sit_down(cast.city_officer, "/desk/area/")
    opened, form = page.locator("[data-opened]"), page.locator("#beside .move-form")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    first = rows.pop(page.locator("[data-row]").first.get_attribute("data-row-id") or "")
    (second,) = rows.values()
    expect(opened).to_have_attribute("data-opened", str(first.public_id))
    suspend = page.locator("#beside a[href*='/moves/suspend/']")
    key = suspend.get_attribute("data-key") or ""
    assert key.isdecimal()
    # The first stands open, the second is chosen.
    page.keyboard.press("j")
    page.keyboard.press(key)
    page.wait_for_timeout(300)
    expect(opened).to_have_attribute("data-opened", str(first.public_id))
    page.keyboard.press("Enter")
    expect(opened).to_have_attribute("data-opened", str(second.public_id))
    page.keyboard.press(key)
    expect(form).to_have_attribute("hx-post", re.compile(f"{second.public_id}/moves/suspend/"))
    reason = form.get_by_label("暂缓原因")
    reason.fill("等待试验设备到位，预计下月。")
    held = {"key": "Enter", "ctrlKey": True, "repeat": True, "bubbles": True}
    reason.dispatch_event("keydown", held)
    page.wait_for_timeout(300)
    assert state_of(second) == S.IN_PROGRESS
    reason.press("Control+Enter")
    expect(page.get_by_text(f"已暂缓 {second.code}")).to_be_visible()
    assert (state_of(first), state_of(second)) == (S.IN_PROGRESS, S.SUSPENDED)


def test_a_letter_reaches_no_other_row_than_the_chosen_one(cast: Cast, sit_down: Callable[..., Page]) -> None:
    accepted, at_work = cast.bring_to(S.ACCEPTED), cast.bring_to(S.IN_PROGRESS)
    page = sit_down(cast.city_officer, "/desk/area/")
    letter = page.locator(f"[data-row-id='{accepted.public_id}'] [data-key]").first.get_attribute("data-key")
    chosen = page.locator(f"[data-row-id='{at_work.public_id}'][aria-selected='true']")
    page.keyboard.press("j")
    if not chosen.count():
        page.keyboard.press("j")
    expect(chosen).to_have_count(1)
    page.keyboard.press(letter or "")
    page.wait_for_timeout(300)
    expect(page.locator("#beside .move-form")).to_have_count(0)


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
