"""Signing in as people do it: the second factor from its first day on, and over an identity service."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.cache import cache
from playwright.sync_api import Page, expect

from accounts.models import Role, User
from tests import factories
from tests.accounts import identity_service
from tests.accounts.identity_service import Service
from tests.accounts.signing_in import code_of, next_period

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def quick_cache(settings: Any) -> None:
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    cache.clear()


@pytest.fixture
def officer() -> User:
    return factories.user(Role.OFFICER, username="county")


@pytest.fixture
def service(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with identity_service.running() as service:
        settings.SOCIALACCOUNT_PROVIDERS = service.settings()
        yield service


def sign_in(page: Page, to: str = "/desk/") -> None:
    page.goto(f"/login/?next={to}")
    page.get_by_label("用户名").fill("county")
    page.get_by_label("密码").fill(factories.PASSWORD)
    page.get_by_role("button", name="登录", exact=True).click()


def test_an_officer_sets_up_the_second_factor_and_signs_in_with_it(
    new_page: Callable[..., Page], officer: User, settings: Any
) -> None:
    settings.REQUIRE_SECOND_FACTOR = True
    page = new_page()
    sign_in(page)
    expect(page.get_by_role("heading", name="启用两步验证")).to_be_visible()
    expect(page.get_by_text("您的角色要求两步验证，启用后才能继续工作")).to_be_visible()
    # The picture is drawn although the content policy is strict.
    drawn = page.get_by_alt_text("验证器的二维码").evaluate("picture => picture.naturalWidth")
    assert drawn > 0
    secret = page.locator("#secret").inner_text()
    page.get_by_label("验证码").fill(code_of(secret))
    page.get_by_role("button", name="启用", exact=True).click()
    expect(page.locator(".codes li")).to_have_count(10)
    page.get_by_role("link", name="已保存好，继续").click()
    page.goto("/desk/")
    expect(page.get_by_role("heading", name="工作台")).to_be_visible()

    next_period()
    elsewhere = new_page()
    sign_in(elsewhere)
    elsewhere.get_by_label("验证码").fill(code_of(secret))
    elsewhere.get_by_role("button", name="登录", exact=True).click()
    expect(elsewhere.get_by_role("heading", name="工作台")).to_be_visible()

    elsewhere.goto("/account/sessions/")
    elsewhere.get_by_role("button", name="退出其他所有设备").click()
    page.goto("/account/")
    expect(page.get_by_role("button", name="登录", exact=True)).to_be_visible()


def test_an_officer_links_an_identity_and_signs_in_with_it(
    new_page: Callable[..., Page], officer: User, service: Service
) -> None:
    page = new_page()
    sign_in(page, "/account/linked/")
    page.get_by_role("button", name="关联“江苏省局统一身份”").click()
    expect(page.get_by_text("统一身份已关联。")).to_be_visible()

    elsewhere = new_page()
    elsewhere.goto("/login/?next=/desk/")
    elsewhere.get_by_role("button", name="用“江苏省局统一身份”登录").click()
    expect(elsewhere.get_by_role("heading", name="工作台")).to_be_visible()
    assert service.refusals == []
