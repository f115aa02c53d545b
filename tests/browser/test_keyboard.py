"""An officer clears ten rows of the desk without touching the mouse."""

import re
import time
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from projects.models import Bottleneck
from tests.browser.test_filing import login
from tests.factories import Cast

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
S = Bottleneck.Status


class Keyboard:
    """A page worked with keys alone; counts them."""

    def __init__(self, page: Page) -> None:
        self.page, self.pressed = page, 0

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)
        self.pressed += len(keys)

    def write(self, words: str) -> None:
        self.page.keyboard.type(words)

    def reach(self, name: str) -> None:
        while self.page.evaluate("document.activeElement.name") != name:
            assert self.pressed < 500, f"the keyboard does not reach {name}"
            self.press("Tab")

    def begin(self, move: str) -> None:
        """By the letter or number on its button; the form stands beside the list and has the focus."""
        button = self.page.locator(f"#beside a[href*='/moves/{move}/']")
        self.press(button.get_attribute("data-key") or "")
        expect(self.page.locator("#beside .move-form")).to_have_attribute("hx-post", re.compile(f"/{move}/$"))
        expect(self.page.locator("#beside :focus")).to_have_count(1)

    def accept(self) -> None:
        self.begin("accept")
        self.press("Enter")

    def send_back(self) -> None:
        self.begin("return")
        self.press("Enter", "Tab")
        self.write("请写全名。")
        self.press("Control+Enter")

    def reject(self) -> None:
        self.begin("reject")
        self.press("Space")
        self.reach("reason")
        self.write("属于合同纠纷。")
        self.reach("turn_to")
        self.write("当地人民法院")
        self.press("Control+Enter")

    def verify(self) -> None:
        self.begin("verify")
        self.press("Space")
        self.reach("result")
        self.press("Space")
        self.reach("reason")
        self.write("现场核对三批，均已达标。")
        self.press("Control+Enter")


def test_ten_rows_are_cleared_with_few_keys_and_without_loading_a_page(
    new_page: Callable[..., Page],
) -> None:
    cast = Cast()
    solved = [cast.bring_to(S.VERIFICATION) for _n in range(2)]
    filed = [cast.filed(title=f"第 {n} 个问题") for n in range(1, 9)]
    ways = dict.fromkeys(solved, (Keyboard.verify, S.RESOLVED))
    ways |= dict.fromkeys(filed[:5], (Keyboard.accept, S.ACCEPTED))
    ways |= dict.fromkeys(filed[5:7], (Keyboard.send_back, S.RETURNED))
    ways |= {filed[7]: (Keyboard.reject, S.REJECTED)}
    by_address = {str(row.public_id): row for row in ways}
    page = new_page()
    login(page, cast.verifier, "/desk/")
    loads: list[str] = []
    page.on("load", lambda loaded: loads.append(loaded.url))
    hands, began = Keyboard(page), time.monotonic()
    hands.press("j", "Enter")
    for left in range(10, 0, -1):
        expect(page.locator("[data-row]")).to_have_count(left)
        opened = page.locator("[data-opened]")
        row = by_address[opened.get_attribute("data-opened") or ""]
        act, state = ways[row]
        act(hands)
        expect(page.locator(f"[data-row-id='{row.public_id}']")).to_have_count(0)
        row.refresh_from_db()
        assert row.status == state
    expect(page.get_by_text("现在没有")).to_be_visible()
    assert not loads
    # A person needs some seconds for each key and sentence; ten minutes are six hundred.
    assert hands.pressed <= 60, hands.pressed
    assert time.monotonic() - began < 120
