"""The first page: what was published, what can be done without a name, and the way to one's own work."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils.html import strip_tags

from accounts.models import Role
from bulletins import services
from bulletins.models import Bulletin, Period
from tests import factories
from tests.bulletins.ledger import SPRING, Tree, firm, project, solved, takes_part
from tests.worlds import world

pytestmark = pytest.mark.django_db


@world
def tree() -> Tree:
    tree = Tree()
    work = project(tree.huqiu)
    for role in ("leader", "member", "enabler"):
        takes_part(firm(), work, role)
    for unit in (tree.huqiu, tree.huqiu, tree.corps):
        solved(unit)
    solved(tree.huqiu, SPRING.replace(year=2023))
    return tree


def publish(*codes: str) -> Period:
    for code in codes:
        services.freeze_now(services.get_period(code), None)
        period = services.publish(services.get_period(code), None)
    return period


def home(client: Client | None = None) -> Any:
    return (client or Client()).get("/")


def test_an_empty_portal_says_what_will_stand_here() -> None:
    text = home().content.decode()
    assert "还没有发布数据" in text
    assert "还没有印发通报" in text
    assert reverse("bulletins:verify") in text


def test_what_is_frozen_but_not_published_stays_inside(tree: Tree) -> None:
    services.freeze_now(services.get_period("2024"), None)
    assert "board" not in home().context


def test_the_seven_figures_of_the_latest_published_year(tree: Tree, settings: Any) -> None:
    settings.SMALL_CELLS_BELOW = 1
    publish("2023", "2024", "2025Q1")
    response = home()
    text = response.content.decode()
    assert "2024年，全国实施质量强链项目 1 个，提出问题 3 个，解决 3 个，比上年增长 2 倍。" in strip_tags(
        text
    )
    lines = response.context["board"].lines()
    assert [line.value for line in lines] == ["1", "—", "1", "1", "1", "—", "3"]
    for line in lines:
        assert f'href="{line.href}"' in text
        assert f'href="{line.how}"' in text
        # What a stranger sees there: the figure and how it is counted.
        assert Client().get(line.href).status_code == 200


def test_a_quarter_stands_in_while_there_is_no_year(tree: Tree) -> None:
    publish("2024Q1")
    assert "2024年第一季度，全国" in home().content.decode()


def test_each_tile_leads_to_its_region(tree: Tree, settings: Any) -> None:
    settings.SMALL_CELLS_BELOW = 1
    publish("2024")
    text = home().content.decode()
    for unit in (tree.jiangsu, tree.corps, tree.beijing):
        address = f"/figures/?period=2024&amp;bureau={unit.code}"
        assert f'<a href="{address}"' in text
        assert Client().get(address.replace("&amp;", "&")).status_code == 200
    assert 'aria-label="江苏 2 个"' in text
    assert 'aria-label="北京 —"' in text


def test_the_latest_bulletins_in_force_with_number_day_and_file(tree: Tree) -> None:
    period = publish("2024")
    services.draft_bulletin(period, tree.beijing, None)
    taken_back = services.issue_bulletin(period, tree.liaoning)
    services.withdraw(taken_back, None, "附件印错。")
    bulletin = services.print_now(services.issue_bulletin(period, tree.nation))
    text = home().content.decode()
    assert bulletin.number in text
    assert f"{bulletin.issued_on:%Y-%m-%d}" in text
    assert reverse("bulletins:bulletin_pdf", args=[bulletin.public_id]) in text
    assert Bulletin.objects.count() == 3
    assert tree.beijing.name + "关于" not in text
    assert taken_back.number not in text


@pytest.mark.parametrize(
    ("role", "way", "files"),
    [
        (Role.OFFICER, "/desk/", False),
        (Role.FILER, "/workspace/", True),
        (Role.INSTITUTION, "/workspace/", False),
    ],
)
def test_users_find_the_way_to_their_work(tree: Tree, role: Role, way: str, files: bool) -> None:
    client = Client()
    client.force_login(factories.user(role, tree.huqiu if role == Role.OFFICER else None))
    text = home(client).content.decode()
    assert f'class="btn btn-primary" href="{way}"' in text
    assert ('class="btn btn-plain" href="/bottlenecks/new/"' in text) == files
    assert "登录填报" not in text
    assert "登录填报" in home().content.decode()


@pytest.mark.any_database
@pytest.mark.parametrize("many", [False, True])
def test_the_page_costs_the_same_however_much_there_is(
    tree: Tree, many: bool, django_assert_num_queries: Any
) -> None:
    if many:
        for number in range(20):
            solved(factories.bureau(f"{420000 + number}", f"地区{number}", tree.nation))
    period = publish("2023", "2024")
    for unit in (tree.nation, tree.jiangsu, tree.beijing, tree.corps)[: 4 if many else 1]:
        services.issue_bulletin(period, unit)
    client = Client()
    # What is small in frozen figures is worked out once.
    home(client)
    with django_assert_num_queries(15):
        home(client)
    client.force_login(factories.user(Role.OFFICER, tree.huqiu))
    with django_assert_num_queries(18):
        home(client)
