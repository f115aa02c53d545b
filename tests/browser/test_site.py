import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser


def test_the_api_docs_are_served_from_here_under_the_strict_policy(page: Page) -> None:
    hosts = set()
    page.on("request", lambda request: hosts.add(request.url.split("/")[2] if "//" in request.url else ""))
    page.goto("/api/v1/docs/")
    expect(page.locator(".swagger-ui .info .title")).to_contain_text("质量强链工作门户接口")
    assert len(hosts - {""}) == 1
