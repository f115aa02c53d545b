"""Filing in a real browser: with the keyboard alone, and resumed on another machine."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from projects import services
from projects.models import Bottleneck
from tests.factories import PASSWORD, PNG, Cast, chain, draft, png

S = Bottleneck.Status
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def login(page: Page, person: Any, to: str = "/workspace/") -> None:
    page.goto(f"/login/?next={to}")
    page.get_by_label("用户名").fill(person.username)
    page.get_by_label("密码").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "/login/" not in url)


def tab_to(page: Page, name: str) -> None:
    """Press Tab until the control with this name has the focus, if it has not."""
    for _ in range(80):
        if page.evaluate("document.activeElement.name || ''") == name:
            return
        page.keyboard.press("Tab")
    pytest.fail(f"The keyboard does not reach {name}.")


def press_button(page: Page, words: str) -> None:
    """Press Tab until the button or link with these words has the focus, then Enter."""
    for _ in range(80):
        page.keyboard.press("Tab")
        if page.evaluate("(document.activeElement.innerText || '').trim()") == words:
            page.keyboard.press("Enter")
            return
    pytest.fail(f"The keyboard does not reach “{words}”.")


def choose(page: Page, downs: int) -> None:
    """Choose in a select or group of radio buttons with the arrow keys."""
    for _ in range(downs):
        page.keyboard.press("ArrowDown")


def test_a_problem_is_filed_with_the_keyboard_alone(page: Page):
    cast = Cast()
    chain()
    login(page, cast.filer)
    press_button(page, "填报问题")
    page.wait_for_url("**/bottlenecks/new/")
    press_button(page, "开始填报")
    page.wait_for_url("**/edit/happening/**")
    expect(page.locator("[name=product]")).to_be_focused()
    page.keyboard.type("谐波减速器")
    tab_to(page, "chain")
    with page.expect_response("**/segments/**"):
        choose(page, 1)
    expect(page.locator("#id_segment option")).to_have_count(4)
    tab_to(page, "segment")
    choose(page, 1)
    tab_to(page, "title")
    page.keyboard.type("柔轮热处理后疲劳寿命离散过大")
    tab_to(page, "choke")
    page.keyboard.press("Space")
    tab_to(page, "symptom")
    page.keyboard.type("同批柔轮台架寿命相差一倍。")
    page.keyboard.press("Control+Enter")

    page.wait_for_url("**/edit/extent/")
    expect(page.locator("[name=measure-0-metric]")).to_be_focused()
    for name, text in (
        ("measure-0-metric", "寿命达标率"),
        ("measure-0-value_now", "68"),
        ("measure-0-unit", ""),
        ("measure-0-comparison", ""),
        ("measure-0-target", "95"),
        ("effect", "每批约三成返工。"),
    ):
        tab_to(page, name)
        page.keyboard.type(text) if text else choose(page, 1)
    tab_to(page, "urgency")
    page.keyboard.press("Space")
    press_button(page, "保存并继续")

    page.wait_for_url("**/edit/help/")
    tab_to(page, "cause")
    page.keyboard.press("Space")
    tab_to(page, "help_wanted")
    page.keyboard.press("Space")
    page.keyboard.press("Control+Enter")

    page.wait_for_url("**/edit/check/")
    page.keyboard.press("Control+Enter")
    page.wait_for_url("**/submitted/")
    row = Bottleneck.objects.get()
    assert row.status == S.SUBMITTED
    expect(page.locator(".receipt-code")).to_have_text(row.code)
    expect(page.get_by_text(cast.county.name).first).to_be_visible()
    assert row.measures.get().target == 95
    assert row.contact.phone == "13800000001"


def test_a_draft_is_resumed_in_a_second_browser(new_page: Callable[..., Page]):
    cast = Cast()
    chain()
    office, phone = new_page(), new_page(viewport={"width": 390, "height": 800})
    login(office, cast.filer)
    office.get_by_role("link", name="填报问题").first.click()
    office.get_by_role("link", name="开始填报").click()
    office.get_by_label("题目").fill("柔轮热处理后疲劳寿命离散过大")
    office.get_by_label("产业链", exact=False).first.select_option(label="工业机器人")
    expect(office.locator("[data-autosave-status]")).to_have_text(re.compile(r"^已保存 \d\d:\d\d$"))
    with office.expect_response("**/autosave/**"):
        office.get_by_label("现象").fill("同批柔轮台架寿命相差一倍。")
    assert Bottleneck.objects.count() == 1

    login(phone, cast.filer)
    phone.get_by_role("link", name="柔轮热处理后疲劳寿命离散过大", exact=True).click()
    phone.locator(".section-head a").first.click()
    expect(phone.get_by_label("现象")).to_have_value("同批柔轮台架寿命相差一倍。")
    phone.get_by_label("现象").fill("在手机上接着写。")
    phone.get_by_role("button", name="保存并返回核对").click()
    phone.wait_for_url("**/edit/check/")

    office.get_by_label("现象").fill("办公室的窗口还开着。")
    expect(office.locator("[data-autosave-status]")).to_contain_text("另一个窗口")
    office.get_by_role("button", name="保存并继续").click()
    expect(office.get_by_role("heading", name="发生了什么")).to_be_visible()
    expect(office.locator(".conflict td").first).to_have_text("在手机上接着写。")
    expect(office.get_by_label("现象")).to_have_value("办公室的窗口还开着。")
    office.get_by_role("button", name="用我填写的").click()
    office.wait_for_url("**/edit/extent/")
    assert Bottleneck.objects.get().symptom == "办公室的窗口还开着。"


def test_a_save_that_is_under_way_is_no_conflict_with_the_button(page: Page):
    cast = Cast()
    row = draft(cast.filer)
    login(page, cast.filer, f"/bottlenecks/{row.public_id}/edit/happening/")
    page.route("**/autosave/**", lambda route: (page.wait_for_timeout(300), route.continue_()))
    page.get_by_label("现象").fill("第一句。")
    with page.expect_request("**/autosave/**"):
        pass
    page.get_by_label("现象").fill("第一句。第二句。")
    page.get_by_role("button", name="保存并继续").click()
    page.wait_for_url("**/edit/extent/")
    row.refresh_from_db()
    assert row.symptom == "第一句。第二句。"


def test_files_are_dropped_and_pasted(page: Page):
    cast = Cast()
    row = draft(cast.filer)
    login(page, cast.filer, f"/bottlenecks/{row.public_id}/edit/help/")
    give = """([type, name, bytes]) => {
        const data = new DataTransfer();
        data.items.add(new File([new Uint8Array(bytes)], name, {type: "image/png"}));
        const event = type === "drop"
            ? new DragEvent("drop", {dataTransfer: data, bubbles: true, cancelable: true})
            : new ClipboardEvent("paste", {clipboardData: data, bubbles: true, cancelable: true});
        document.querySelector("[data-filedrop]").dispatchEvent(event);
    }"""
    page.evaluate(give, ["drop", "拖入.png", list(PNG)])
    page.evaluate(give, ["paste", "粘贴.png", list(PNG + b"x")])
    expect(page.locator(".filedrop-list li")).to_have_count(2)
    page.get_by_role("button", name="保存并继续").click()
    page.wait_for_url("**/edit/check/")
    assert sorted(row.attachments.values_list("name", flat=True)) == ["拖入.png", "粘贴.png"]
    expect(page.get_by_role("link", name="拖入.png")).to_be_visible()


def test_more_metrics_are_called_up_one_after_another(page: Page):
    cast = Cast()
    row = draft(cast.filer)
    login(page, cast.filer, f"/bottlenecks/{row.public_id}/edit/extent/")
    expect(page.locator("[name=measure-1-metric]")).to_be_hidden()
    page.get_by_text("再填一项指标（第 2 项）").click()
    expect(page.locator("[name=measure-1-metric]")).to_be_visible()
    expect(page.locator("[name=measure-2-metric]")).to_be_hidden()


def test_without_script_a_problem_can_be_filed(new_page: Callable[..., Page]):
    cast = Cast()
    chain()
    page = new_page(java_script_enabled=False)
    login(page, cast.filer)
    page.get_by_role("link", name="填报问题").first.click()
    page.get_by_role("link", name="开始填报").click()
    page.get_by_label("产品").fill("谐波减速器")
    page.locator("[name=chain]").select_option(label="工业机器人")
    page.get_by_role("button", name="列出这条产业链的环节").click()
    page.locator("[name=segment]").select_option(label="工业机器人本体制造")
    page.get_by_label("题目").fill("柔轮断裂")
    page.get_by_label("卡点").check()
    page.get_by_label("现象").fill("断裂。")
    page.get_by_role("button", name="保存并继续").click()
    page.locator("[name=measure-0-metric]").fill("寿命")
    page.locator("[name=measure-0-value_now]").fill("1")
    page.locator("[name=measure-0-unit]").select_option("h")
    page.locator("[name=measure-0-comparison]").select_option("ge")
    page.locator("[name=measure-0-target]").fill("2")
    page.locator("[name=effect]").fill("停产。")
    page.get_by_label("特急").check()
    page.get_by_role("button", name="保存并继续").click()
    page.get_by_label("质量技术").check()
    page.get_by_label("派单").check()
    page.get_by_role("button", name="保存并继续").click()
    page.get_by_role("button", name="提交", exact=True).click()
    expect(page.locator(".receipt-code")).to_have_text(Bottleneck.objects.get().code)


def serious_faults(page: Page) -> list[str]:
    result = Axe().run(page)
    return [
        f"{page.url} {fault['id']}: {node['html'][:200]}"
        for fault in result.response["violations"]
        if fault["impact"] in ("serious", "critical")
        for node in fault["nodes"]
    ]


@pytest.mark.parametrize("width", [1366, 390])
def test_the_pages_of_filing_have_no_serious_accessibility_fault(new_page: Callable[..., Page], width: int):
    cast = Cast()
    sketch = draft(cast.filer, symptom="")
    returned, done = cast.bring_to(S.RETURNED), cast.bring_to(S.RESOLVED)
    services.attach(returned, png(), by=cast.filer)
    filed = cast.filed()
    # The checker's script is no part of the page: it needs the content policy out of its way.
    page = new_page(viewport={"width": width, "height": 800}, bypass_csp=True)
    login(page, cast.filer)
    faults = []
    for address in (
        "/workspace/",
        "/bottlenecks/new/",
        *(
            f"/bottlenecks/{sketch.public_id}/edit/{step}/"
            for step in ("happening", "extent", "help", "check")
        ),
        f"/bottlenecks/{sketch.public_id}/delete/",
        f"/bottlenecks/{returned.public_id}/edit/happening/",
        f"/bottlenecks/{returned.public_id}/",
        f"/bottlenecks/{filed.public_id}/submitted/",
        f"/bottlenecks/{done.public_id}/",
    ):
        page.goto(address)
        faults += serious_faults(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, (
            f"{address} is wider than the screen"
        )
    assert not faults, "\n".join(faults)
