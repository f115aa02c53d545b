"""Who hears that a bulletin is out."""

import pytest

from accounts import notices
from accounts.models import Notice, Role
from bulletins import services
from bulletins.models import Bulletin
from tests import factories
from tests.bulletins.ledger import Tree, firm, project, takes_part

pytestmark = pytest.mark.django_db


def test_officers_and_statisticians_of_the_unit_and_right_below_hear_of_it_once_it_is_issued():
    tree = Tree()
    takes_part(firm(), project(tree.huqiu), "leader")
    period = services.get_period("2024")
    services.freeze_now(period, None)
    people = {
        role: factories.user(role, bureau)
        for role, bureau in (
            (Role.OFFICER, tree.huqiu),
            (Role.STATISTICIAN, tree.suzhou),
            (Role.AUDITOR, tree.suzhou),
            (Role.ADMINISTRATOR, tree.jiangsu),
        )
    }
    elsewhere = factories.user(Role.OFFICER, tree.dalian)
    above = factories.user(Role.OFFICER, tree.nation)
    further_down = factories.user(Role.OFFICER, factories.bureau("320505001", "枫桥所", tree.huqiu))
    issuer = factories.user(Role.ADMINISTRATOR, tree.suzhou)
    writer = factories.user(Role.STATISTICIAN, tree.nation)
    draft = services.draft_bulletin(period, tree.suzhou, writer, in_background=False)
    services.approve(services.submit(draft, writer), factories.user(Role.STATISTICIAN, tree.nation))
    heard = Notice.objects.filter(details__what="bulletin")
    assert not heard.exists()
    services.issue(draft, issuer, in_background=False)
    told = {notice.user: notice for notice in heard}
    assert set(told) == {people[Role.OFFICER], people[Role.STATISTICIAN]}
    assert not {elsewhere, above, further_down, issuer, writer} & set(told)
    bulletin, notice = Bulletin.objects.get(), told[people[Role.OFFICER]]
    assert notices.sentence(notice) == f"{tree.suzhou.name}印发{bulletin.number}：{bulletin.title}。"
    assert notices.page(notice) == f"/bulletins/{bulletin.public_id}/"
