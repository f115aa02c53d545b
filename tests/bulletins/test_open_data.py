"""Published figures for anybody: files, their card, filters, and what is not in them."""

import csv
import io
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from bulletins import services
from bulletins.open_data import COLUMNS
from bulletins.views import open_data
from tests import factories
from tests.bulletins.ledger import Tree, solved
from tests.worlds import world

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nothing_remembered() -> None:
    cache.clear()


@world
def tree() -> Tree:
    """Twelve problems solved in Jiangsu, eight of them of one chain, two in Beijing, nine in Dalian."""
    tree = Tree()
    chips = factories.chain("C02", "集成电路")
    for unit, n in ((tree.huqiu, 4), (tree.dongcheng, 2), (tree.dalian, 9)):
        for _n in range(n):
            solved(unit)
    for _n in range(8):
        solved(tree.binhu, chain=chips)
    services.freeze_now(services.get_period("2024"), None)
    services.publish(services.get_period("2024"), None)
    services.freeze_now(services.get_period("2025"), None)
    return tree


def rows(query: str = "") -> dict[tuple[str, str], dict[str, Any]]:
    told = Client().get(f"/open/2024/json/{query}").json()["rows"]
    return {(row["region"], row["indicator"]): row for row in told}


def test_the_files_say_the_same(tree: Tree) -> None:
    page = Client().get("/open/2024/csv/")
    assert page["Content-Type"] == "text/csv; charset=utf-8"
    assert '"2024.v1.csv"' in page["Content-Disposition"]
    table = list(csv.DictReader(io.StringIO(page.content.decode().removeprefix("\ufeff"))))
    assert tuple(table[0]) == COLUMNS
    assert len(table) == len(rows())
    for line in table:
        row = rows()[line["region"], line["indicator"]] if line is table[0] else None
        assert row is None or line["value"] == str(row["value"] if row["value"] is not None else "")
    nation = next(line for line in table if (line["region"], line["indicator"]) == ("000000", "I15"))
    assert (nation["value"], nation["unit"], nation["status"]) == ("23", "个", "told")


def test_small_figures_are_not_in_them(tree: Tree) -> None:
    told = {
        unit: (rows()[unit, "I15"]["value"], rows()[unit, "I15"]["status"])
        for unit in ("000000", "110000", "210000", "320000", "650000")
    }
    assert told == {
        "000000": (23, "told"),
        "110000": (None, "withheld"),
        "210000": (None, "withheld"),
        "320000": (12, "told"),
        "650000": (None, "not_reported"),
    }
    # Below what is withheld nothing is told.
    assert rows()["210200", "I15"]["status"] == "withheld"


def test_only_units_of_the_national_circular_are_in_them(tree: Tree) -> None:
    assert {unit for unit, _code in rows()} == {
        "000000", "110000", "210000", "210200", "320000", "650000", "660000",
    }  # fmt: skip
    answer = Client().get("/open/2024/json/?region=320505")
    assert answer.status_code == 400
    assert "公开数据只有全国" in answer.json()["error"]


def test_filters_pick_rows(tree: Tree) -> None:
    assert list(rows("?region=320000&indicator=I15")) == [("320000", "I15")]
    chips = rows("?region=000000&indicator=I15&chain=C02")["000000", "I15"]
    assert (chips["value"], chips["chain"], chips["chain_name"]) == (8, "C02", "集成电路")
    assert Client().get("/open/2024/json/?indicator=I99").status_code == 400
    assert Client().get("/open/2024/csv/?chain=nope").status_code == 400


def test_the_card_says_what_they_are(tree: Tree) -> None:
    card = Client().get("/open/2024/card/").json()
    assert card == Client().get("/open/2024/json/").json()["card"]
    assert card["period"] == {"code": "2024", "name": "2024年", "start": "2024-01-01", "end": "2024-12-31"}
    assert (card["version"], len(card["sha256"])) == (1, 64)
    assert card["licence"]["name"] == "CC BY 4.0"
    assert set(card["fields"]) == set(COLUMNS)
    known = {one["code"]: one for one in card["indicators"]}
    assert {code for _unit, code in rows()} == set(known)
    assert all(known["I15"][name] for name in ("name", "unit", "counted", "key", "time_rule", "place_rule"))
    for address in card["files"].values():
        assert Client().get(address.removeprefix("http://testserver")).status_code == 200


@pytest.mark.parametrize(
    "address", ["/open/2025/csv/", "/open/2031/json/", "/open/2024/xml/", "/open/x/csv/"]
)
def test_what_was_not_published_is_not_there(tree: Tree, address: str) -> None:
    assert Client().get(address).status_code == 404


def test_a_correction_is_a_new_version(tree: Tree) -> None:
    before = Client().get("/open/2024/json/")
    for _n in range(3):
        solved(tree.huqiu)
    services.freeze_now(services.get_period("2024"), None, "补登")
    after = Client().get("/open/2024/json/")
    assert (after.json()["card"]["version"], after.json()["card"]["reason"]) == (2, "补登")
    assert before["ETag"] != after["ETag"]


def test_what_has_not_changed_is_not_sent_again(tree: Tree) -> None:
    first = Client().get("/open/2024/csv/")
    again = Client().get("/open/2024/csv/", headers={"If-None-Match": first["ETag"]})
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", first["ETag"])
    part = Client().get("/open/2024/csv/?region=000000", headers={"If-None-Match": first["ETag"]})
    assert part.status_code == 200
    assert first["Access-Control-Allow-Origin"] == "*"


def test_what_is_told_by_other_rules_is_another_file(tree: Tree, settings: Any) -> None:
    first = Client().get("/open/2024/card/")["ETag"]
    settings.SMALL_CELLS_BELOW = 6
    other = Client().get("/open/2024/card/", headers={"If-None-Match": first})
    settings.OPEN_DATA_LICENCE = "开放数据许可"
    third = Client().get("/open/2024/card/", headers={"If-None-Match": other["ETag"]})
    assert (other.status_code, third.status_code) == (200, 200)
    assert len({first, other["ETag"], third["ETag"]}) == 3


def test_the_card_says_what_is_withheld(tree: Tree) -> None:
    told = Client().get("/open/2024/card/").json()["privacy"]
    assert "1 至 4 的计数" in told and "不足 5 家单位的金额和用时" in told and "0 照列" in told


@pytest.mark.any_database
def test_the_page_asks_no_more_for_more_periods(tree: Tree, django_assert_num_queries: Any) -> None:
    with CaptureQueriesContext(connection) as asked:
        Client().get("/open/")
    for code in ("2021", "2022", "2023"):
        services.freeze_now(services.get_period(code), None)
        services.publish(services.get_period(code), None)
    with django_assert_num_queries(len(asked)):
        page = Client().get("/open/")
    assert [period.code for period, _version, _files in page.context["sets"]] == [
        "2024",
        "2023",
        "2022",
        "2021",
    ]


def test_who_takes_without_end_is_asked_to_wait(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_data, "FILES_PER_MINUTE", 2)
    answers = [Client().get("/open/2024/card/") for _n in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[-1]["Retry-After"] == "60"


def test_the_page_leads_to_every_file(tree: Tree) -> None:
    page = Client().get("/open/")
    text = page.content.decode()
    for kind in ("csv", "json", "card"):
        assert f'href="/open/2024/{kind}/"' in text
    assert "/open/2025/" not in text
    assert "CC BY 4.0" in text
    assert Client().get(page.context["example"].removeprefix("http://testserver")).status_code == 200


def test_before_anything_is_published_the_page_says_what_will_stand_there() -> None:
    factories.bureau("000000", "全国")
    assert "还没有发布数据" in Client().get("/open/").content.decode()


def test_the_file_costs_the_same_for_few_regions_and_many(
    tree: Tree, django_assert_max_num_queries: Any
) -> None:
    for number in range(20):
        factories.bureau(f"{420000 + number}", f"地区{number}", tree.nation)
    Client().get("/open/2024/json/")
    with django_assert_max_num_queries(8):
        assert timezone.now() and Client().get("/open/2024/json/").status_code == 200
