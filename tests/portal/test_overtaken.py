"""What somebody else changed while a step was being taken is told as such."""

from collections.abc import Callable
from typing import Any
from unittest.mock import Mock

import pytest
from django.db import IntegrityError, transaction

from accounts.models import Role
from common.saving import overtaken
from enterprises.models import Bureau
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


def test_a_bureau_that_ended_meanwhile_is_known_from_other_refusals(ended: IntegrityError) -> None:
    twice = refused_by(lambda: Bureau.objects.create(code="320500", level=1, parent=factories.bureau()))
    negative = refused_by(lambda: factories.organization(annual_output=-1))
    assert [overtaken(it) for it in (ended, twice, negative, KeyError())] == [True, False, False, False]


def test_whoever_is_overtaken_is_asked_to_go_back(
    ended: IntegrityError, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(boundaries, "cancel", Mock(side_effect=ended))
    change = planned("rename", part("from", factories.county(), name="甲局", short_name="甲"))
    page = browser(factories.user(Role.ADMINISTRATOR, factories.bureau())).post(
        f"/boundaries/{change.pk}/cancel/"
    )
    assert page.status_code == 409
    assert "刚刚撤销或被他人改动，这一步没有保存" in text_of(page)


def test_a_program_that_is_overtaken_reads_so(ended: IntegrityError, monkeypatch: pytest.MonkeyPatch) -> None:
    row = Cast().filed()
    monkeypatch.setattr(services, "move", Mock(side_effect=ended))
    answer = browser(row.filer).post(
        f"/api/v1/bottlenecks/{row.public_id}/moves/withdraw/",
        {"version": row.version, "reason": "不需要了"},
        content_type="application/json",
    )
    assert answer.status_code == 409
    assert answer.json()["error"] == {
        "code": "overtaken",
        "message": "所涉及的单位或记录刚刚撤销或被他人改动，没有保存。请重新读取后再提交。",
        "fields": {},
    }
