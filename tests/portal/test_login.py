import pytest
from django.contrib.auth import get_user_model
from django.test import Client, RequestFactory
from pytest_django import Settings

from common.throttle import client_address

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def people() -> None:
    for name in ("li", "wang"):
        get_user_model().objects.create_user(username=name, password="right")


def attempt(client: Client, username: str, password: str = "wrong", address: str = "10.0.0.1") -> int:
    data = {"username": username, "password": password}
    return client.post("/login/", data, REMOTE_ADDR=address).status_code


def test_a_right_password_logs_in(client: Client) -> None:
    assert attempt(client, "li", "right") == 302
    assert client.session["_auth_user_id"]


def test_after_five_failures_the_name_is_locked_from_that_address_only(client: Client) -> None:
    assert [attempt(client, "li") for _ in range(5)] == [200, 200, 200, 200, 429]
    assert attempt(client, "li", "right") == 429
    assert attempt(client, "wang", "right") == 302, "a colleague in the same office"
    assert attempt(Client(), "li", "right", address="10.0.0.2") == 302, "the same person elsewhere"


def test_the_locked_page_says_why_and_keeps_the_name(client: Client) -> None:
    for _ in range(5):
        response = client.post("/login/", {"username": "li", "password": "wrong"})
    assert "请 15 分钟后再试" in response.content.decode()
    assert 'value="li"' in response.content.decode()


def test_a_success_forgets_the_failures(client: Client) -> None:
    assert [attempt(client, "li") for _ in range(4)] == [200] * 4
    assert attempt(client, "li", "right") == 302
    assert [attempt(Client(), "li") for _ in range(4)] == [200] * 4


@pytest.mark.parametrize(
    ("trusted", "expected"),
    [(False, "192.0.2.1"), (True, "203.0.113.9")],
)
def test_the_forwarded_address_counts_only_behind_a_trusted_proxy(
    trusted: bool, expected: str, settings: Settings, rf: RequestFactory
) -> None:
    settings.TRUST_PROXY = trusted
    request = rf.get("/", REMOTE_ADDR="192.0.2.1", HTTP_X_FORWARDED_FOR="198.51.100.7, 203.0.113.9")
    assert client_address(request) == expected
