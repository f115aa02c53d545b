"""The map of a chain in a real browser: by keyboard, on a phone, and with words that fit their boxes."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from enterprises.models import ChainSegment
from projects.models import Bottleneck
from tests.factories import PASSWORD, Cast, chain

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
LONG = "面向新能源汽车动力电池系统的高镍三元正极材料前驱体与单晶化烧结及表面包覆改性工艺"


@pytest.fixture
def cast() -> Cast:
    cast, segments = Cast(), chain().segments
    ChainSegment.objects.bulk_create(
        ChainSegment(chain=chain(), stream="mid", name=f"{LONG}{n}", position=9) for n in range(9)
    )
    cast.bring_to(Bottleneck.Status.SUBMITTED, segment=segments.get(stream="up"))
    return cast


def opened(page: Page, cast: Cast) -> Page:
    page.goto("/login/?next=/chains/C01/")
    page.get_by_label("用户名").fill(cast.county_officer.username)
    page.get_by_label("密码").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "/login/" not in url)
    return page


def test_the_rows_of_a_segment_are_reached_by_keyboard(page: Page, cast: Cast) -> None:
    opened(page, cast)
    for _press in range(80):
        page.keyboard.press("Tab")
        focus = page.evaluate("document.activeElement.getAttribute('aria-label') || ''")
        if focus.startswith("工业机器人核心零部件："):
            break
    assert "在办 1，已解决 0" in focus
    page.keyboard.press("Enter")
    page.wait_for_url("**/bottlenecks/?**segment=**")
    expect(page.locator("tr[data-row]")).to_have_count(1)


def test_words_of_the_browser_fit_their_boxes(page: Page, cast: Cast) -> None:
    opened(page, cast)
    outside = page.evaluate(
        """() => [...document.querySelectorAll('.chain-map g')].flatMap(group => {
            const box = group.querySelector(':scope > rect[rx="3"]');
            if (!box) return [];
            const edge = box.getBBox();
            return [...group.querySelectorAll(':scope > text')].filter(text => {
                const words = text.getBBox();
                return words.x < edge.x || words.x + words.width > edge.x + edge.width
                    || words.y < edge.y || words.y + words.height > edge.y + edge.height;
            }).map(text => text.textContent);
        })"""
    )
    assert page.locator(".chain-map a").count() == 12
    assert outside == []
    faults = [
        one for one in Axe().run(page).response["violations"] if one["impact"] in ("serious", "critical")
    ]
    assert faults == []


def test_on_a_phone_a_list_stands_in_place_of_the_drawing(page: Page, cast: Cast) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    opened(page, cast)
    expect(page.locator(".chain-map")).to_be_hidden()
    expect(page.get_by_role("link", name="工业机器人核心零部件在办 1 个")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == 390
