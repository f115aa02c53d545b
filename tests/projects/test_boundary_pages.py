"""The administrator's pages of boundary changes: asked for, looked at, planned, undone, carried out."""

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone

from accounts.models import Role
from common.scope import system_job
from enterprises.models import BoundaryChange, Bureau
from tests import factories
from tests.boundaries import change, part, planned
from tests.bulletins.ledger import Tree
from tests.pages import browser, text_of

pytestmark = pytest.mark.django_db
MERGER = {
    "sources": "320505，320509",
    "effective_on": "2026-07-01",
    "document": "演示〔2026〕1号",
    "code1": "320599",
    "name1": "新区市场监督管理局",
    "short_name1": "新区",
}


@pytest.fixture
def tree() -> Tree:
    return Tree()


@pytest.fixture
def client(tree: Tree) -> Any:
    return browser(factories.user(Role.ADMINISTRATOR, tree.suzhou))


def the_change() -> BoundaryChange:
    with system_job("test"):
        return BoundaryChange.objects.get()


def test_the_list_is_headed_in_the_plural(tree: Tree, client: Any) -> None:
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = "en"
    page = client.get("/boundaries/").content.decode()
    assert "Boundary changes</h1>" in page and "Boundary change<" not in page


def test_what_follows_is_shown_before_anything_is_stored(tree: Tree, client: Any) -> None:
    factories.organization(at=tree.huqiu)
    officer = factories.user(Role.OFFICER, tree.huqiu, name="李敏")
    page = client.post("/boundaries/new/merge/", MERGER)
    said = text_of(page)
    assert "虎丘区、吴江区合并设立新区" in said
    assert [(str(line.label), line.rows) for line in page.context["lines"]] == [("组织", 1)]
    assert officer.name in said and "到期终止，范围会变大" in said
    assert not BoundaryChange.objects.judged("test").exists()


def test_lists_and_maps_under_way_are_named_because_they_stay(tree: Tree, client: Any) -> None:
    for unit in (tree.huqiu, tree.binhu):
        factories.quality_list(unit)
        factories.quality_map(at=unit)
    factories.quality_map(at=tree.huqiu, version=2, status="published")
    page = client.post("/boundaries/new/merge/", MERGER)
    told = [(str(line.label), line.rows, line.named) for line in page.context["staying"]]
    assert told == [
        ("质量清单", 1, ("工业机器人质量问题清单第 1 版",)),
        ("质量图谱", 1, ("工业机器人质量图谱 虎丘区 第 1 版",)),
    ]
    said = text_of(page)
    assert "未发布的清单和图谱，留在原单位" in said and "工业机器人质量问题清单第 1 版" in said
    typed = {"sources": "320505", "name": "高新区市场监督管理局", "short_name": "高新区"}
    assert not client.post("/boundaries/new/rename/", MERGER | typed).context["staying"]


def test_confirmed_it_is_planned_and_on_its_day_carried_out(tree: Tree, client: Any) -> None:
    answer = client.post("/boundaries/new/merge/", MERGER | {"confirm": "1"}, follow=True)
    row = the_change()
    assert answer.redirect_chain[-1][0] == f"/boundaries/{row.pk}/"
    assert (row.state, row.summary) == ("planned", "虎丘区 + 吴江区 → 新区")
    done = client.post(f"/boundaries/{row.pk}/carry-out/", follow=True)
    assert "已经随之变动" in text_of(done)
    assert Bureau.objects.in_force().filter(code="320599").exists()


def test_every_kind_is_planned_by_its_form(tree: Tree, client: Any) -> None:
    base = {"effective_on": "2026-07-01", "document": "演示〔2026〕1号", "confirm": "1"}
    boss = browser(factories.user(Role.ADMINISTRATOR, tree.jiangsu))
    for kind, typed in (
        ("rename", {"sources": "320505", "name": "高新区市场监督管理局", "short_name": "高新区"}),
        ("move", {"sources": "320211", "superior": "320500"}),
        ("split", {"sources": "320509", "stays": "on", "code1": "320599", "name1": "新", "short_name1": "新",
                   "takes1": "320509"}),
    ):  # fmt: skip
        answer = boss.post(f"/boundaries/new/{kind}/", base | typed, follow=True)
        assert answer.status_code == 200, text_of(answer)
    with system_job("test"):
        kinds = set(BoundaryChange.objects.values_list("kind", flat=True))
    assert kinds == {"rename", "move", "split"}


def test_a_fault_is_told_beside_what_was_typed(tree: Tree, client: Any) -> None:
    for typed, why in (
        ({"sources": "320505 999999"}, "没有代码为 999999 的现设单位"),
        ({"code1": "320505", "name1": "", "short_name1": ""}, "不能同时是原单位和新单位"),
        ({"sources": "320211"}, "由其上级单位的管理员办理"),
        ({"document": ""}, "必填"),
    ):
        page = client.post("/boundaries/new/merge/", MERGER | typed)
        assert page.status_code == 400
        assert why in text_of(page) or why == "必填"
    assert client.get("/boundaries/new/nonsense/").status_code == 404


def test_a_plan_is_given_up_on_its_page(tree: Tree, client: Any) -> None:
    row = planned(
        "merge", part("from", tree.huqiu), part("to", tree.wujiang), on=timezone.localdate() + timedelta(9)
    )
    page = client.get(f"/boundaries/{row.pk}/")
    assert "取消这项变更" in text_of(page) and "现在办理" not in text_of(page)
    client.post(f"/boundaries/{row.pk}/cancel/")
    assert the_change().state == "cancelled"


def test_plans_are_for_those_over_a_unit_and_history_is_for_everybody(tree: Tree) -> None:
    plan = planned("rename", part("from", tree.huqiu, name="甲局", short_name="甲"))
    history = change("rename", part("from", tree.wujiang, name="乙局", short_name="乙"))
    inside, outside = (browser(factories.user(Role.OFFICER, unit)) for unit in (tree.huqiu, tree.wuxi))
    assert [who.get(f"/boundaries/{plan.pk}/").status_code for who in (inside, outside)] == [200, 404]
    assert [who.get(f"/boundaries/{history.pk}/").status_code for who in (inside, outside)] == [200, 200]
    assert "甲" in text_of(inside.get("/boundaries/"))
    assert "虎丘区 → 甲" not in text_of(outside.get("/boundaries/"))


def test_the_notice_of_a_change_leads_to_its_page(tree: Tree) -> None:
    officer = factories.user(Role.OFFICER, tree.huqiu)
    row = change("merge", part("from", tree.huqiu), part("to", tree.wujiang))
    said = text_of(browser(officer).get("/messages/"))
    assert "虎丘区合并为吴江区" in said and "已终止" in said
    assert row.state == "done"


def test_a_form_offers_no_unit_that_has_ended(tree: Tree) -> None:
    change("merge", part("from", tree.huqiu), part("to", tree.wujiang))
    client = browser(factories.user(Role.ADMINISTRATOR, tree.nation))
    typed = {"user": "x", "role": "officer", "bureau": "320505", "starts_on": "2026-11-01"}
    assert "已撤销，现由吴江区（320509）办理" in text_of(client.post("/people/grants/new/", typed))


def test_of_a_change_that_was_given_up_meanwhile_nobody_reads_that_it_took_effect(
    tree: Tree, client: Any
) -> None:
    row = planned("merge", part("from", tree.huqiu), part("to", tree.wujiang))
    client.post(f"/boundaries/{row.pk}/cancel/")
    said = text_of(client.post(f"/boundaries/{row.pk}/carry-out/", follow=True))
    assert "这项区划变更已经生效或取消" in said
    assert "已经随之变动" not in said
    assert the_change().state == "cancelled"


def test_how_many_records_followed_is_told_to_whoever_covers_the_units(tree: Tree) -> None:
    firm = factories.organization(at=tree.huqiu)
    row = change("merge", part("from", tree.huqiu), part("to", tree.wujiang))
    assert row.moved == {"enterprises.organization": [1, 0]}
    for role, at, sees in (
        (Role.FILER, firm, False),
        (Role.OFFICER, tree.wuxi, False),
        (Role.OFFICER, tree.wujiang, True),
        (Role.OFFICER, tree.suzhou, True),
    ):
        page = browser(factories.user(role, at)).get(f"/boundaries/{row.pk}/")
        said = text_of(page)
        assert "虎丘区并入吴江区" in said and "演示〔2026〕1号" in said
        assert (bool(page.context["moved"]), "随之变动的记录" in said) == (sees, sees)
    elsewhere = browser(factories.user(Role.ADMINISTRATOR, tree.wuxi))
    said = text_of(elsewhere.get(f"/admin/enterprises/boundarychange/{row.pk}/change/"))
    assert "演示〔2026〕1号" in said and "随之变动的记录" not in said
