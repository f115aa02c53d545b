"""Small figures, and those that would give them away, are told nobody outside the scope, on no surface."""

import csv
import io
from datetime import date
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.cache import cache
from django.test import Client

from accounts.models import Role, User
from bulletins import services
from bulletins.disclosure import Reader
from bulletins.indicators import CATALOGUE
from bulletins.models import Snapshot, StatValue
from projects.models import Bottleneck
from tests import factories
from tests.bulletins.ledger import Tree, consortium, firm, invested, key_project, project, solved
from tests.worlds import world

pytestmark = pytest.mark.django_db
STATED = {"000000": "40", "110000": "*", "210000": "20", "320000": "*"}


@pytest.fixture(autouse=True)
def nothing_remembered() -> None:
    cache.clear()


@world
def tree() -> Tree:
    """2024, published: two problems solved in Beijing, twenty in Liaoning, eighteen in three counties of
    Jiangsu; one firm paid in Beijing, six did in Jiangsu."""
    tree = Tree()
    for unit, n in (
        (tree.dongcheng, 2),
        (tree.dalian, 20),
        (tree.huqiu, 6),
        (tree.wujiang, 3),
        (tree.binhu, 9),
    ):
        for _n in range(n):
            solved(unit)
    invested(key_project(project(tree.dongcheng)), "7770000")
    for _n in range(6):
        invested(key_project(project(tree.huqiu)), "1000000")
    services.freeze_now(services.get_period("2024"), None)
    services.publish(services.get_period("2024"), None)
    return tree


def of(user: User | None = None) -> Client:
    client = Client()
    if user:
        client.force_login(user)
    return client


def officer(unit: Any) -> User:
    return factories.user(Role.OFFICER, unit)


def on_board(client: Client, unit: str = "000000") -> dict[str, str]:
    """Problems solved, by unit, as the page prints them."""
    board = client.get(f"/figures/?period=2024&bureau={unit}").context["board"]
    return {region.code: region.cells[6].value for region in board.regions} | {unit: board.total[6].value}


def by_api(client: Client, **asked: Any) -> dict[str, Any]:
    asked = {"period": "2024", "indicator": "I15", "page_size": 200} | asked
    rows = client.get("/api/v1/figures/", asked).json()["results"]
    return {row["bureau"]: "*" if row["withheld"] else row["value"] for row in rows if row["chain"] is None}


def test_a_board_hides_small_figures_and_the_smallest_other_from_strangers(tree: Tree) -> None:
    page = of().get("/figures/?period=2024&bureau=000000")
    assert STATED.items() <= on_board(of()).items()
    board = page.context["board"]
    # Neither a share, a rest nor a place tells of them.
    assert board.shares == {}
    assert not board.own or not board.own[6].value
    assert board.places[tree.beijing.pk].place is None
    assert "不向管辖范围以外的读者公开" in page.content.decode()
    row = next(csv.DictReader(io.StringIO(of().get("/figures/?period=2024&export=csv").content.decode()[1:])))
    assert row["解决质量堵点卡点问题（个）"] == "40"


@pytest.mark.parametrize("export", ["csv", "xlsx"])
def test_a_file_says_no_more_than_its_page(tree: Tree, export: str) -> None:
    answer = of().get(f"/figures/?period=2024&export={export}")
    assert answer.status_code == 200
    if export == "csv":
        rows = csv.DictReader(io.StringIO(answer.content.decode().removeprefix("\ufeff")))
        told = {row["单位代码"]: row["解决质量堵点卡点问题（个）"] for row in rows}
        assert STATED.items() <= told.items()


def test_who_covers_a_unit_reads_its_small_figures(tree: Tree) -> None:
    assert on_board(of(officer(tree.nation)))["110000"] == "2"
    at_home = officer(tree.jiangsu)
    assert on_board(of(at_home), "320000") == {"320200": "9", "320500": "9", "320000": "18"}
    assert on_board(of(at_home))["110000"] == "*"
    # Below what is hidden nothing is told, but for what one covers oneself.
    assert on_board(of(officer(tree.wuxi)), "320000") == {"320200": "9", "320500": "*", "320000": "*"}


def test_the_interface_tells_what_the_board_does(tree: Tree) -> None:
    stranger = of(factories.user(Role.FILER))
    told = by_api(stranger, level="1") | by_api(stranger, level="0")
    assert {code: "*" if told[code] == "*" else str(told[code]) for code in STATED} == STATED
    assert set(by_api(stranger, bureau="320000").values()) == {"*"}
    assert by_api(of(officer(tree.jiangsu)), bureau="320500") == {"320500": 9, "320505": 6, "320509": 3}


def test_rows_for_chains_are_sent_only_where_they_may_be_told(tree: Tree) -> None:
    def units(client: Client) -> set[str]:
        asked = {"period": "2024", "indicator": "I15", "page_size": 200}
        rows = client.get("/api/v1/figures/", asked).json()["results"]
        return {row["bureau"] for row in rows if row["chain"]}

    assert units(of(factories.user(Role.FILER))) == {"000000", "210000"}
    assert units(of(officer(tree.suzhou))) == {"000000", "210000", "320500", "320505", "320509"}


@pytest.mark.parametrize("unit", ["110000", "320000"])
def test_a_passport_and_its_recount_withhold_the_same(tree: Tree, unit: str) -> None:
    for address in (f"/figures/2024/v1/{unit}/I15/", f"/figures/2024/v1/{unit}/I15/recount/"):
        assert of().get(address).context["headline"].text == "*"
        told = of(factories.user(Role.FILER)).get(address).context
        assert told["headline"].text == "*"
        assert not told.get("is_counted")
    stranger = of(factories.user(Role.FILER))
    assert stranger.get(f"/api/v1/passports/2024.1/{unit}/I15/").json()["figure"] is None
    assert stranger.get(f"/api/v1/passports/2024.1/{unit}/I15/recount/").json()["figure"] is None


def test_a_comparison_withholds_what_either_version_does(tree: Tree) -> None:
    solved(tree.dongcheng)
    services.freeze_now(services.get_period("2024"), None, "更正")
    asked = "before=2024.1&after=2024.2&indicator=I15&same=on"
    lines = of(factories.user(Role.FILER)).get(f"/api/v1/comparisons/?{asked}").json()["results"]
    assert {line["bureau"] for line in lines if line["withheld"]} >= {"110000", "320000", "110101", "320505"}
    assert all(line["before"]["value"] is line["difference"] is None for line in lines if line["withheld"])
    page = of(factories.user(Role.FILER)).get(f"/figures/compare/?{asked}&export=csv").content.decode()
    by_unit = {row["单位代码"]: row for row in csv.DictReader(io.StringIO(page.removeprefix("\ufeff")))}
    assert (by_unit["110000"]["基准版"], by_unit["210000"]["基准版"]) == ("*", "20")


def compared(client: Client, asked: str, surface: str) -> list[tuple[str, ...]]:
    """Unit, indicator, both sides and the difference of each line."""
    if surface == "api":
        lines = client.get(f"/api/v1/comparisons/?{asked}&page_size=200").json()["results"]
        return [
            (
                line["bureau"],
                line["indicator"],
                *(str(line[side]["value"]) for side in ("before", "after")),
                str(line["difference"]),
            )
            for line in lines
        ]
    page = client.get(f"/figures/compare/?{asked}&export=csv").content.decode().removeprefix("\ufeff")
    rows = csv.reader(io.StringIO(page))
    return [(row[0], row[2], *row[6:9]) for row in rows][1:]


@pytest.mark.parametrize("surface", ["api", "csv"])
@pytest.mark.parametrize("more", ["", "&same=on", "&by_chain=on", "&by_chain=on&same=on"])
def test_neither_place_nor_presence_of_a_line_tells_of_what_is_withheld(
    tree: Tree, surface: str, more: str
) -> None:
    """Jiangsu's county has a problem less or not: strangers read the same, but for the nation's line."""
    stranger, home = of(factories.user(Role.FILER)), of(officer(tree.nation))
    told = {}
    for version in (2, 3):
        if version == 3:
            Bottleneck.objects.filter(bureau=tree.wujiang).update(bureau=tree.huqiu)
            cache.clear()
        services.freeze_now(services.get_period("2024"), None, "更正")
        asked = f"before=2024.1&after=2024.{version}&indicator=I15{more}"
        lines = compared(stranger, asked, surface)
        assert lines == sorted(lines)
        told[version] = [line for line in lines if line[0] != "000000"]
    assert told[2] == told[3]
    assert {line[0] for line in compared(home, asked, surface)} >= {"320505", "320509"}
    if more == "&same=on":
        assert {line[0]: line[2] for line in told[3]}["320505"] in ("None", "*")


def test_of_a_withheld_line_it_is_not_told_whether_rows_differ(tree: Tree) -> None:
    services.freeze_now(services.get_period("2024"), None, "更正")
    stranger = of(factories.user(Role.FILER))
    pages = [stranger.get("/figures/compare/2024.1/2024.2/110000/I15/").content.decode()]
    solved(tree.dongcheng)
    services.freeze_now(services.get_period("2024"), None, "更正")
    pages.append(stranger.get("/figures/compare/2024.1/2024.3/110000/I15/").content.decode())
    assert all("记录完全相同" not in page and "变动的记录" not in page for page in pages)


def test_a_comparison_looks_up_what_lies_over_its_units_at_once(
    tree: Tree, django_assert_max_num_queries: Any
) -> None:
    services.freeze_now(services.get_period("2024"), None, "更正")
    stranger = of(factories.user(Role.FILER))
    for address in (
        "/api/v1/comparisons/?before=2024.1&after=2024.2&same=on&indicator=I15",
        "/api/v1/figures/?period=2024&indicator=I15",
    ):
        stranger.get(address)
        with django_assert_max_num_queries(24) as asked:
            stranger.get(address)
        of_units = [one["sql"] for one in asked if '"bulletins_snapshotunit"."code" IN' in one["sql"]]
        assert len(of_units) <= 2, of_units


def test_what_came_late_is_told_of_things_alone(tree: Tree) -> None:
    """A number of fen is no number of payers."""
    late = dict.fromkeys(CATALOGUE, 7)
    StatValue._base_manager.filter(bureau=tree.nation, chain=None, indicator__in=late).update(late=7)
    snapshot = Snapshot.objects.get(period__code="2024", version=1)
    told = Reader(AnonymousUser()).of_unit(snapshot, tree.nation)
    assert told["I15"].late == 7
    assert {told[code].late for code in ("I19", "I20", "I22S", "I24")} == {0}


def test_money_rests_on_those_who_paid_it(tree: Tree) -> None:
    """Jiangsu's six payers would be told, but for Beijing's one."""

    def money(client: Client) -> list[str]:
        board = client.get("/figures/?period=2024&by=I24").context["board"]
        return [board.printed(unit, "I24") for unit in (tree.beijing, tree.jiangsu)]

    assert money(of()) == ["*", "*"]
    assert money(of(officer(tree.nation))) == ["777.00", "600.00"]


def again() -> Snapshot:
    snapshot = services.freeze_now(services.get_period("2024"), None, "更正")
    cache.clear()
    return snapshot


def by_version(unit: Any, code: str) -> dict[int, bool]:
    """Whether strangers are told the figure, by version."""
    reader = Reader(AnonymousUser())
    versions = Snapshot.objects.frozen().filter(period__code="2024").select_related("period")
    return {one.version: not reader.withholds(one, code, unit) for one in versions}


def test_versions_hide_together_what_any_of_them_does(tree: Tree) -> None:
    """Beijing's two become twelve; with them the second version would tell what hid them in the first."""
    for _n in range(10):
        solved(tree.dongcheng)
    again()
    for unit in (tree.beijing, tree.jiangsu):
        assert by_version(unit, "I15") == {1: False, 2: False}
    assert by_version(tree.liaoning, "I15") == {1: True, 2: True}


def test_money_that_lies_between_two_versions_is_not_told_of_a_few(tree: Tree) -> None:
    for _n in range(6):
        invested(key_project(project(tree.dongcheng)), "1000000")
    again()
    invested(key_project(project(tree.dongcheng)), "770000")
    again()
    # Seven payers came since the first version, one since the second.
    assert by_version(tree.nation, "I24") == {1: True, 2: False, 3: True}
    assert of().get("/figures/2024/v2/000000/I24/").context["headline"].text == "*"
    assert of().get("/figures/2024/v3/000000/I24/").context["headline"].text == "2,054.00"


def test_a_sum_and_its_terms_are_hidden_together(tree: Tree) -> None:
    for unit in (tree.dongcheng, tree.dalian, tree.binhu):
        for _n in range(8):
            consortium(unit)
    for unit in (tree.dongcheng, *[tree.dalian] * 5, *[tree.binhu] * 6):
        consortium(unit, status="dissolved", dissolved_on=date(2024, 9, 1))
    again()
    told = {code: by_version(tree.beijing, code)[2] for code in ("I03", "I04", "I04D")}
    assert told == {"I03": False, "I04": False, "I04D": False}
    assert by_version(tree.jiangsu, "I04")[2]


def test_days_are_told_of_five_organisations_and_not_of_five_problems(tree: Tree) -> None:
    """Dalian's twenty are of twenty firms; in Xinjiang one firm waited nine times."""
    one = firm(at=tree.xinjiang)
    for _n in range(9):
        solved(tree.xinjiang, organization=one)
    again()
    assert not by_version(tree.xinjiang, "I20")[2]
    assert by_version(tree.nation, "I20")[2]


def test_rows_for_chains_are_left_out_by_where_they_are(
    tree: Tree, django_assert_max_num_queries: Any
) -> None:
    """And not by their keys, of which a statement takes 65,535."""
    asked = {"period": "2024", "page_size": 200, "chain": factories.chain().code}
    stranger = of(factories.user(Role.FILER))
    with django_assert_max_num_queries(100) as queries:
        told = [row for row in stranger.get("/api/v1/figures/", asked).json()["results"] if row["chain"]]
    assert told
    assert not [
        one for one in queries if '"bulletins_statvalue"."id" IN' in one["sql"] and "NOT" in one["sql"]
    ]
    reader = Reader(AnonymousUser())
    snapshot = Snapshot.objects.select_related("period").get(period__code="2024", version=1)
    stored = StatValue.objects.filter(snapshot=snapshot, chain__isnull=False, bureau__level__lte=1)
    expected = {
        row.pk
        for row in stored.select_related("bureau", "chain")
        if reader.withholds(snapshot, row.indicator, row.bureau, row.chain)
    }
    assert {row.pk for row in stored.filter(reader.withheld_for_chains(snapshot))} == expected
    assert expected


def test_a_ratio_is_hidden_with_its_numerator(tree: Tree) -> None:
    stranger = of(factories.user(Role.FILER))
    hidden = {code for code, value in by_api(stranger, indicator="I16", level="1").items() if value == "*"}
    assert hidden <= {
        code for code, value in by_api(stranger, indicator="I19", level="1").items() if value == "*"
    }


def test_unpublished_figures_of_the_year_before_are_told_to_nobody_outside(tree: Tree) -> None:
    services.freeze_now(services.get_period("2023"), None)
    headline = of().get("/figures/2024/v1/210000/I15/").context["headline"]
    assert (headline.text, headline.previous_text) == ("20", "*")


def test_every_stored_figure_is_judged(tree: Tree) -> None:
    """A walk over all units and indicators: what is told to strangers is never small."""
    stranger = of(factories.user(Role.FILER))
    for code in CATALOGUE:
        told = by_api(stranger, indicator=code)
        stored = dict(
            StatValue.objects.filter(snapshot__period__code="2024", indicator=code, chain=None).values_list(
                "bureau__code", "value"
            )
        )
        small = {unit for unit, value in stored.items() if value and value < 5}
        assert all(told[unit] == "*" for unit in small & told.keys()), code
