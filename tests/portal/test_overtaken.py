"""A bureau that ends while a step is being taken is told as such; what we do wrong is not."""

from collections.abc import Callable
from typing import Any
from unittest.mock import Mock

import pytest
from django.core.signals import got_request_exception
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import Role
from enterprises.models import Bureau
from enterprises.standing import overtaken
from projects import boundaries, services
from tests import factories
from tests.boundaries import merged, part, planned
from tests.bulletins.ledger import Tree
from tests.factories import Cast
from tests.pages import browser, text_of


def refused_by(store: Callable[[], Any]) -> IntegrityError:
    """What the database says when a transaction ends."""
    with pytest.raises(IntegrityError) as refused, transaction.atomic():
        store()
    return refused.value


@pytest.fixture
def ended(transactional_db: None) -> IntegrityError:
    """A row was stored for a bureau that has ended since it was read."""
    tree = Tree()
    read = factories.organization(at=tree.huqiu)
    merged(tree.huqiu, into=part("to", tree.wujiang))
    return refused_by(read.save)


@pytest.fixture
def dangling(transactional_db: None) -> IntegrityError:
    """A row was stored before the one that it names."""
    return refused_by(lambda: factories.organization(operating_division_id=10**9))


def test_a_bureau_that_ended_meanwhile_is_known_from_other_refusals(
    ended: IntegrityError, dangling: IntegrityError
) -> None:
    twice = refused_by(lambda: Bureau.objects.create(code="320500", level=1, parent=factories.bureau()))
    negative = refused_by(lambda: factories.organization(annual_output=-1))
    others = dangling, twice, negative, KeyError()
    assert [overtaken(it) for it in (ended, *others)] == [True, False, False, False, False]


def test_a_change_that_is_overtaken_by_a_row_is_told_so_too(transactional_db: None) -> None:
    firm = factories.organization(at=Tree().huqiu)
    firm.bureau.valid_to = timezone.localdate()
    assert overtaken(refused_by(firm.bureau.save))


@pytest.fixture
def give_up(monkeypatch: pytest.MonkeyPatch) -> Callable[[IntegrityError], Any]:
    """What a page answers that was refused so."""

    def answer(error: IntegrityError) -> Any:
        monkeypatch.setattr(boundaries, "cancel", Mock(side_effect=error))
        change = planned("rename", part("from", factories.county(), name="甲局", short_name="甲"))
        person = factories.user(Role.ADMINISTRATOR, factories.bureau())
        return browser(person, raise_request_exception=False).post(f"/boundaries/{change.pk}/cancel/")

    return answer


@pytest.fixture
def withdraw(monkeypatch: pytest.MonkeyPatch) -> Callable[[IntegrityError], Any]:
    """What a program is answered that was refused so."""

    def answer(error: IntegrityError) -> Any:
        row = Cast().filed()
        monkeypatch.setattr(services, "move", Mock(side_effect=error))
        return browser(row.filer, raise_request_exception=False).post(
            f"/api/v1/bottlenecks/{row.public_id}/moves/withdraw/",
            {"version": row.version, "reason": "不需要了"},
            content_type="application/json",
        )

    return answer


def test_whoever_is_overtaken_is_asked_to_go_back(ended: IntegrityError, give_up: Any) -> None:
    page = give_up(ended)
    assert page.status_code == 409
    assert "刚刚撤销或被他人改动，这一步没有保存" in text_of(page)


def test_a_program_that_is_overtaken_reads_so(ended: IntegrityError, withdraw: Any) -> None:
    answer = withdraw(ended)
    assert answer.status_code == 409
    assert answer.json()["error"] == {
        "code": "overtaken",
        "message": "所涉及的单位或记录刚刚撤销或被他人改动，没有保存。请重新读取后再提交。",
        "fields": {},
    }


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("way", ["give_up", "withdraw"])
@pytest.mark.parametrize("why", ["ended", "dangling"])
def test_the_operator_reads_of_either_and_is_called_for_faults_alone(
    request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture, way: str, why: str
) -> None:
    error, called = request.getfixturevalue(why), Mock()
    got_request_exception.connect(called)
    try:
        status = request.getfixturevalue(way)(error).status_code
    finally:
        got_request_exception.disconnect(called)
    (told,) = [it for it in caplog.records if it.exc_info and it.exc_info[1] is error]
    expected = (409, "WARNING", False) if why == "ended" else (500, "ERROR", True)
    assert (status, told.levelname, called.called) == expected
