"""Dashboards: the problems of now, one chain, two units or periods; every mark opens its rows."""

import csv
import io
from datetime import datetime, time, timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from accounts.models import Role, User
from bulletins import services
from projects.models import Bottleneck
from projects.now import AGES, Now
from tests import factories
from tests.bulletins.ledger import SPRING, Tree, problem, project, solved
from tests.worlds import world

pytestmark = pytest.mark.django_db
S = Bottleneck.Status
LACKING = (["MET"], ["MET", "STD"], ["TST"], [])


@pytest.fixture(autouse=True)
def nothing_remembered() -> None:
    cache.clear()


@world
def tree() -> Tree:
    """Problems of every age and state in two provinces, 2023 and 2024 published."""
    tree = Tree()
    today = timezone.localdate()
    robots, chips = factories.chain(), factories.chain("C02", "集成电路")
    edges = [days + more for days in AGES for more in (-1, 0)]
    for number, days in enumerate((0, *edges, 500)):
        at = timezone.make_aware(datetime.combine(today - timedelta(days), time(9)))
        row = problem(
            tree.huqiu if number % 3 else tree.dongcheng,
            (S.SUBMITTED, at.date()),
            chain=chips if number % 2 else robots,
            nqi_elements=LACKING[number % 4],
        )
        Bottleneck.objects.filter(pk=row.pk).update(submitted_at=at)
    for unit, n, chain in ((tree.huqiu, 7, robots), (tree.dongcheng, 6, chips), (tree.huqiu, 5, chips)):
        for _n in range(n):
            solved(unit, chain=chain)
    for _n in range(9):
        solved(tree.huqiu, SPRING.replace(year=2023), chain=robots)
    for code in ("2023", "2024"):
        services.freeze_now(services.get_period(code), None)
        services.publish(services.get_period(code), None)
    return tree


def of(user: User | None = None) -> Client:
    client = Client()
    if user:
        client.force_login(user)
    return client


def national(tree: Tree) -> Client:
    return of(factories.user(Role.OFFICER, tree.nation))


@pytest.mark.parametrize("query", ["bureau=000000", "bureau=320000", "bureau=000000&chain=C02"])
def test_every_mark_opens_as_many_rows_as_it_counts(tree: Tree, query: str) -> None:
    client = national(tree)
    now = client.get(f"/figures/?period=2024&{query}").context["now"]
    assert now.stages[0].count and now.stages[7].count
    assert sum(mark.count for mark in now.stages) == now.total
    assert sum(mark.count for mark in now.ages) == now.open > 0
    for mark in (*now.stages, *now.ages, *now.gaps):
        assert client.get(mark.href).context["page"].paginator.count == mark.count, mark


def test_a_problem_lacks_each_of_its_elements(tree: Tree) -> None:
    gaps = {mark.label: mark.count for mark in Now.of_unit(tree.nation).gaps}
    assert gaps == {"计量": 6, "标准": 3, "检验检测": 2, "认证": 0, "认可": 0}


@pytest.mark.parametrize(
    ("role", "seen"), [(None, False), (Role.FILER, False), (Role.OFFICER, True), (Role.AUDITOR, True)]
)
def test_what_stands_in_the_ledger_is_for_those_in_charge(tree: Tree, role: Any, seen: bool) -> None:
    user = role and factories.user(role, None if role == Role.FILER else tree.jiangsu)
    page = of(user).get("/figures/?period=2024&bureau=320000")
    assert bool(page.context["now"]) == seen
    assert ("现在的问题" in page.content.decode()) == seen
    assert not of(user).get("/figures/?period=2024&bureau=110000").context["now"]


def test_a_project_shows_its_own_problems(tree: Tree) -> None:
    work = project(tree.huqiu)
    row = solved(tree.huqiu)
    Bottleneck.objects.filter(pk=row.pk).update(project=work)
    page = of(factories.user(Role.OFFICER, tree.huqiu)).get(f"/projects/{work.code}/")
    assert page.context["now"].total == 1
    foreign = of(factories.user(Role.OFFICER, tree.dongcheng)).get(f"/projects/{work.code}/")
    assert foreign.status_code == 404


# --- One chain --------------------------------------------------------------------------------------------


def test_the_board_of_a_chain_counts_that_chain(tree: Tree) -> None:
    page = national(tree).get("/figures/?period=2024&bureau=000000&chain=C02")
    board = page.context["board"]
    assert page.context["heading"] == "全国2024年数据（集成电路）"
    assert {region.name: region.cells[6].value for region in board.regions if region.rank != "—"} == {
        "北京市": "6", "江苏省": "5", "辽宁省": "0", "大连市": "0",
        "新疆维吾尔自治区": "0", "新疆生产建设兵团": "0",
    }  # fmt: skip
    assert board.total[6].value == "11"
    for cell in (*board.total, *board.regions[0].cells):
        assert cell.href.endswith("?chain=C02")
        assert national(tree).get(cell.href).context["chain"].code == "C02"
    assert "chain=C02" in board.regions[0].href
    assert board.chains == []


def test_the_board_of_a_chain_tells_strangers_no_small_figure(tree: Tree) -> None:
    solved(tree.dalian, chain=tree_chain("C02"))
    services.freeze_now(services.get_period("2024"), None, "补登")
    board = of().get("/figures/?period=2024&bureau=000000&chain=C02").context["board"]
    told = {region.name: region.cells[6].value for region in board.regions}
    # Beijing has the smallest other total; what it has of each chain is hidden with it.
    assert [told[name] for name in ("辽宁省", "北京市", "江苏省")] == ["*", "*", "5"]


def tree_chain(code: str) -> Any:
    return Bottleneck.objects.judged("a test").filter(chain__code=code).first().chain  # type: ignore[union-attr]


# --- Beside each other ------------------------------------------------------------------------------------


def pairs(client: Client, query: str) -> dict[str, tuple[str, str, str]]:
    beside = client.get(f"/figures/?{query}").context["beside"]
    return {pair.indicator.code: (pair.one.value, pair.other.value, pair.difference) for pair in beside.pairs}


def test_two_units_stand_beside_each_other(tree: Tree) -> None:
    found = pairs(national(tree), "period=2024&bureau=320000&against=110000")
    assert found["I15"] == ("12", "6", "+6")
    page = national(tree).get("/figures/?period=2024&bureau=320000&against=110000")
    assert page.context["beside"].labels == ["江苏省", "北京市"]
    for pair in page.context["beside"].pairs:
        for side in (pair.one, pair.other):
            assert national(tree).get(side.href).status_code == 200


def test_two_periods_stand_beside_each_other(tree: Tree) -> None:
    page = national(tree).get("/figures/?period=2024&bureau=320000&then=2023")
    assert page.context["beside"].labels == ["2024年", "2023年"]
    assert pairs(national(tree), "period=2024&bureau=320000&then=2023")["I15"] == ("12", "9", "+3")


def test_nothing_beside_itself(tree: Tree) -> None:
    assert national(tree).get("/figures/?period=2024&bureau=320000&against=320000").context["beside"] is None


def test_what_one_may_not_read_is_not_put_beside(tree: Tree) -> None:
    services.freeze_now(services.get_period("2025"), None)
    query = "/figures/?period=2024&bureau=320000"
    assert of(factories.user(Role.FILER)).get(f"{query}&then=2025").status_code == 403
    assert of().get(f"{query}&against=320505").status_code == 302
    assert of(factories.user(Role.OFFICER, tree.jiangsu)).get(f"{query}&then=2025").status_code == 200


def test_a_withheld_figure_has_no_difference(tree: Tree) -> None:
    solved(tree.dalian)
    services.freeze_now(services.get_period("2024"), None, "补登")
    found = pairs(of(), "period=2024&bureau=320000&against=210000")
    assert found["I15"] == ("12", "*", "—")


@pytest.mark.parametrize("fault", ["against=999999", "then=2031", "then=x", "chain=nope"])
def test_a_fault_in_the_address_is_said_at_its_field(tree: Tree, fault: str) -> None:
    page = of().get(f"/figures/?period=2024&bureau=000000&{fault}")
    assert page.status_code == 400
    assert list(page.context["form"].errors) == [fault.partition("=")[0]]


def test_the_file_holds_what_the_page_shows(tree: Tree) -> None:
    query = "/figures/?period=2024&bureau=320000&chain=C02&then=2023"
    text = national(tree).get(f"{query}&export=csv").content.decode().removeprefix("\ufeff")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(row["单位"], row["期间"], row["产业链"]) for row in (rows[0], rows[-1])] == [
        ("江苏省", "2024", "集成电路"), ("江苏省", "2023", "集成电路"),
    ]  # fmt: skip
    assert [row["解决质量堵点卡点问题（个）"] for row in (rows[0], rows[-1])] == ["5", "0"]


# --- Trend ------------------------------------------------------------------------------------------------


def test_the_trend_leads_to_the_figure_of_each_period(tree: Tree) -> None:
    board = national(tree).get("/figures/?period=2024&bureau=320000").context["board"]
    for code, value in (("2023", "9"), ("2024", "12")):
        assert f'href="/figures/{code}/v1/320000/I15/" aria-label="{code} {value} 个"' in board.trend


def test_one_period_is_no_trend(tree: Tree) -> None:
    assert national(tree).get("/figures/?period=2023&bureau=320000").context["board"].trend is None


# --- Goals ------------------------------------------------------------------------------------------------


def goal(at: Any, target: int, reached: int | None, days: int = 30, **fields: Any) -> None:
    due = timezone.localdate() + timedelta(days)
    project(at, **fields.pop("of", {})).goals.create(
        indicator="合格率", unit="%", target=target, reached=reached, due_on=due, **fields
    )


def with_goals(tree: Tree) -> None:
    goal(tree.huqiu, 98, 98)
    goal(tree.huqiu, 98, 97)
    goal(tree.wujiang, 98, None, -1)
    goal(tree.dongcheng, 5, 4, base=20, of={"chain": tree_chain("C02")})
    goal(tree.dongcheng, 5, 6, -1, base=20)
    goal(tree.dongcheng, 5, 5, of={"is_test": True})


def told(page: Any) -> dict[str, tuple[int, int, int]]:
    return {one.unit.short_name: (one.total, one.reached, one.late) for one in page.context["goals"]}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("bureau=000000", {"全国": (5, 2, 2), "江苏省": (3, 1, 1), "北京市": (2, 1, 1), "辽宁省": (0, 0, 0)}),
        ("bureau=320500", {"苏州市": (3, 1, 1), "虎丘区": (2, 1, 0), "吴江区": (1, 0, 1)}),
        ("bureau=000000&chain=C02", {"全国": (1, 1, 0), "江苏省": (0, 0, 0), "北京市": (1, 1, 0)}),
    ],
)
def test_a_unit_shows_what_projects_set_out_to_reach_and_leads_to_these_goals(
    tree: Tree, query: str, expected: dict[str, tuple[int, int, int]]
) -> None:
    with_goals(tree)
    client = national(tree)
    page = client.get(f"/figures/?period=2024&{query}")
    assert told(page).items() >= expected.items()
    for one in page.context["goals"]:
        for number, href in (
            (one.total, one.total_href), (one.reached, one.reached_href), (one.late, one.late_href),
        ):  # fmt: skip
            assert client.get(href).context["page"].paginator.count == number, href


def test_a_unit_without_goals_says_so(tree: Tree) -> None:
    page = national(tree).get("/figures/?period=2024&bureau=000000").content.decode()
    assert "全国和下级单位的项目还没有设定可测量的目标。" in page
    with_goals(tree)
    cache.clear()
    assert page.count("没有设定目标") == 0
    page = national(tree).get("/figures/?period=2024&bureau=000000").content.decode()
    assert page.count("没有设定目标") == 4


@pytest.mark.parametrize(
    ("role", "at", "seen"),
    [
        (None, "", False),
        (Role.FILER, "", False),
        (Role.OFFICER, "dongcheng", False),
        (Role.OFFICER, "jiangsu", True),
        (Role.AUDITOR, "nation", True),
    ],
)
def test_goals_are_for_those_in_charge(tree: Tree, role: Any, at: str, seen: bool) -> None:
    with_goals(tree)
    client = of(role and factories.user(role, getattr(tree, at) if at else None))
    query = "/figures/?period=2024&bureau=320000"
    assert bool(client.get(query).context["goals"]) == seen
    rows = list(csv.DictReader(io.StringIO(client.get(f"{query}&export=csv").content.decode())))
    assert [row.get("项目目标，现在（项）") for row in rows[:1]] == (["3"] if seen else [None])


def test_one_reads_the_goals_of_projects_that_one_may_open(tree: Tree) -> None:
    with_goals(tree)
    for unit, number in ((tree.huqiu, 2), (tree.jiangsu, 3), (tree.nation, 5)):
        page = of(factories.user(Role.OFFICER, unit)).get("/goals/")
        assert page.context["page"].paginator.count == number
    assert of(factories.user(Role.FILER)).get("/goals/").context["page"].paginator.count == 0
