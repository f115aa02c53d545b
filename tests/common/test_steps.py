"""A step on a page that may be refused: what is told, and what follows."""

from typing import Any

import pytest
from django.contrib import messages
from django.contrib.messages.storage.cookie import CookieStorage
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest
from django.test import RequestFactory

from common.steps import refusals_told

pytestmark = pytest.mark.any_database


class Stale(Exception):
    pass


@pytest.fixture
def request_() -> HttpRequest:
    made: Any = RequestFactory().post("/")
    made._messages = CookieStorage(made)
    return made


def take(request: HttpRequest, fault: Exception | None) -> list[tuple[str, str]]:
    with refusals_told(request, Stale):
        if fault:
            raise fault
        messages.success(request, "已办理。")
    return [(message.level_tag, str(message)) for message in messages.get_messages(request)]


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (None, ("success", "已办理。")),
        (ValidationError("期间已冻结。"), ("error", "期间已冻结。")),
        (ValidationError(["缺依据。", "缺日期。"]), ("error", "缺依据。 缺日期。")),
        (ValidationError({"reason": "请写明原因。"}), ("error", "请写明原因。")),
        (Stale("别人刚刚改动过。"), ("error", "别人刚刚改动过。")),
    ],
)
def test_a_step_says_that_it_was_taken_or_why_not(
    request_: HttpRequest, fault: Exception | None, told: tuple[str, str]
) -> None:
    assert take(request_, fault) == [told]


def test_what_is_no_refusal_of_a_step_goes_on_up(request_: HttpRequest) -> None:
    for fault in (PermissionDenied("无权"), KeyError("x")):
        with pytest.raises(type(fault)):
            take(request_, fault)
