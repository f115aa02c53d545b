import logging
import sys
from typing import Any

import pytest
from csp.constants import NONCE
from django.contrib.auth import get_user_model
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.http import HttpResponse
from django.test import Client, RequestFactory

from portal.logs import OneLineFormatter
from portal.middleware import ContentPolicyMiddleware


def policy(response: object) -> dict[str, str]:
    header = response.headers["Content-Security-Policy"]  # type: ignore[attr-defined]
    return dict(part.strip().split(" ", 1) for part in header.split(";"))


def test_pages_may_load_and_run_nothing_but_our_own_files(client: Client) -> None:
    assert policy(client.get("/healthz")) == {
        "default-src": "'self'",
        "img-src": "'self' data:",
        "object-src": "'none'",
        "base-uri": "'none'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
    }


def test_a_page_that_asks_for_a_nonce_has_it_in_its_policy(settings: Any) -> None:
    settings.CONTENT_SECURITY_POLICY = {"DIRECTIVES": {"script-src": [NONCE]}}
    middleware = ContentPolicyMiddleware(lambda request: HttpResponse(str(request.csp_nonce)))
    answer: Any = middleware(RequestFactory().get("/"))
    assert policy(answer)["script-src"] == f"'nonce-{answer.content.decode()}'"


@pytest.mark.django_db
def test_pages_for_developers_have_their_styles(client: Client, settings: Any) -> None:
    page = "/no-such-page"
    assert "default-src" in policy(client.get(page))
    settings.DEBUG = True
    assert "Content-Security-Policy" not in client.get(page).headers


@pytest.mark.django_db
def test_only_the_admin_has_a_looser_policy(client: Client) -> None:
    client.force_login(get_user_model().objects.create_superuser(username="admin", password="x"))
    admin = policy(client.get("/admin/"))
    assert admin["script-src"] == "'self' 'unsafe-eval'"
    assert admin["style-src"] == "'self' 'unsafe-inline'"
    assert admin["frame-ancestors"] == "'none'"
    assert "script-src" not in policy(client.get("/api/v1/docs/"))


@pytest.mark.django_db
def test_stored_files_have_no_public_address(client: Client) -> None:
    name = default_storage.save("probe.txt", ContentFile(b"x"))
    try:
        assert client.get(default_storage.url(name)).status_code == 404
    finally:
        default_storage.delete(name)


def test_a_log_record_stays_on_one_line() -> None:
    try:
        raise ValueError("two\nlines")
    except ValueError:
        record = logging.makeLogRecord({"msg": "a\r\nb", "exc_info": sys.exc_info()})
    text = OneLineFormatter("{message}", style="{").format(record)
    assert "\n" not in text
    assert "\r" not in text
    assert text.startswith("a ⏎ b ⏎ Traceback")


def test_the_schema_is_served(client: Client) -> None:
    response = client.get("/api/v1/schema/", HTTP_ACCEPT="application/json")
    assert response.status_code == 200
    assert response.json()["openapi"].startswith("3.")


@pytest.mark.django_db
@pytest.mark.parametrize(
    "address", ["/search/?q=a%00b", "/periods/%00/", "/figures/?bureau=%00", "/verify/%00/"]
)
def test_an_address_with_a_nul_is_refused_on_every_database(client: Client, address: str) -> None:
    client.force_login(get_user_model().objects.create_superuser(username="admin", password="x"))
    answer = client.get(address)
    assert answer.status_code == 400
    assert "无法理解这个请求" in answer.content.decode()


def test_a_program_is_told_so_in_the_form_of_every_failure(client: Client) -> None:
    answer = client.get("/api/v1/bulletins/?q=a%00b")
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "bad_request"
