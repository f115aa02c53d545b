"""Figures opened to their rows, counted anew, and held against each other: what differs and by which rows."""

import csv
import io
import random
from datetime import date, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.cache import cache
from django.db import transaction
from django.db.models import F
from django.test import Client
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl import load_workbook

from accounts.models import Role, User
from bulletins import behind, comparison, figures, services
from bulletins.behind import Change, Differences, Place, Side
from bulletins.comparison import Comparison
from bulletins.indicators import CATALOGUE
from bulletins.models import Snapshot, StatValue
from bulletins.recount import Recount
from common.scope import Scope, system_job
from enterprises.models import Bureau, Organization
from projects.models import Bottleneck, ChainProject, Investment, Participation
from tests import factories
from tests.boundaries import change, part
from tests.bulletins.ledger import (
    Tree,
    firm,
    invested,
    key_project,
    problem,
    project,
    solved,
    takes_part,
)
from tests.bulletins.test_rollup import random_ledger
from tests.worlds import world

pytestmark = pytest.mark.django_db
S = Bottleneck.Status
QUICK = settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(autouse=True)
def nothing_remembered() -> None:
    cache.clear()


@world
def tree() -> Tree:
    """Of everything that is counted in some way, something in three counties."""
    tree = Tree()
    shared = firm(at=tree.huqiu)
    for unit, days in ((tree.huqiu, 10), (tree.wujiang, 30), (tree.binhu, 50)):
        work = project(unit)
        takes_part(shared, work)
        takes_part(firm(at=unit), work)
        invested(key_project(work), f"{days}000.50")
        solved(unit, date(2024, 6, 30), organization=shared)
        problem(unit, (S.SUBMITTED, date(2024, 5, 6)), (S.ACCEPTED, date(2024, 5, 8)))
    return tree


def freeze(reason: str = "") -> Snapshot:
    return services.freeze_now(services.get_period("2024"), None, reason)


@world
def frozen(tree: Tree) -> Snapshot:
    return freeze()


def of(user: User | None) -> Client:
    client = Client()
    if user:
        client.force_login(user)
    return client


def statistician(unit: Bureau) -> User:
    return factories.user(Role.STATISTICIAN, unit, name="统计员甲")


def text_of(response: Any) -> str:
    return response.content.decode()


def shared(tree: Tree) -> Any:
    """The firms that take part in more than one place."""
    return Participation.objects.filter(bureau=tree.binhu).values("organization")


def changes(code: str, unit: Bureau, before: Side, after: Side) -> list[Change]:
    with system_job("test"):
        return Differences(CATALOGUE[code], Place(unit), before, after).first()


def named(found: list[Change]) -> dict[str, set[int]]:
    return {kind: {change.row for change in found if change.kind == kind} for kind in behind.Kinds}


# --- Rows behind a figure ---------------------------------------------------------------------------------


@QUICK
@given(rnd=st.randoms(use_true_random=True))
def test_rows_kept_and_rows_of_now_make_every_figure_as_a_recount_does(rnd: random.Random) -> None:
    with transaction.atomic():
        units = random_ledger(rnd)
        snapshot = freeze()
        sides = Side(snapshot), Side(snapshot, now=True)
        for unit in units:
            stored, count = figures.of_unit(snapshot, unit), Recount(snapshot.period, unit)
            for code, indicator in CATALOGUE.items():
                for side in sides:
                    with system_job("test"):
                        made = side.figure(indicator, Place(unit))
                    assert behind.same(made, stored[code]), (code, unit, side.is_kept)
                    assert behind.same(made, count.figure(code)), (code, unit, side.is_kept)
        transaction.set_rollback(True)


def test_rows_make_the_figures_of_every_chain(tree: Tree) -> None:
    other = factories.chain("C02", "轴承")
    solved(tree.huqiu, chain=other)
    takes_part(firm(), project(tree.huqiu, other))
    snapshot = freeze()
    for chain in (factories.chain(), other):
        stored = figures.values(snapshot, [tree.jiangsu], chain=chain)[tree.jiangsu.pk]
        for code, indicator in CATALOGUE.items():
            with system_job("test"):
                made = Side(snapshot).figure(indicator, Place(tree.jiangsu, chain))
            assert behind.same(made, stored.get(code, figures.NOT_REPORTED)), (code, chain)


@QUICK
@given(rnd=st.randoms(use_true_random=True))
def test_two_versions_differ_by_exactly_the_rows_that_were_edited(rnd: random.Random) -> None:
    with transaction.atomic():
        tree = Tree()
        counties = [tree.huqiu, tree.wujiang, tree.binhu, tree.dongcheng]
        rows = [solved(rnd.choice(counties)) for _n in range(8)]
        first = freeze()
        edited: dict[str, set[int]] = {kind: set() for kind in behind.Kinds}
        lost: dict[int, set[int]] = {unit.pk: set() for unit in counties}
        for row in rows:
            match rnd.choice(["void", "move", "other year", "title", "nothing"]):
                case "void":
                    fields: dict[str, Any] = {"voided_at": timezone.now(), "void_reason": "误报"}
                    kind = behind.Kinds.WENT
                case "other year":
                    row.transitions.update(at=F("at") - timedelta(400))
                    moments = ("submitted_at", "accepted_at", "listed_at", "resolved_at")
                    fields = {name: getattr(row, name) - timedelta(400) for name in moments}
                    kind = behind.Kinds.WENT
                case "move":
                    to = rnd.choice([unit for unit in counties if unit.pk != row.bureau_id])
                    fields, kind = {"bureau": to}, behind.Kinds.CHANGED
                case "title":
                    # What does not bear on the figure is no difference.
                    fields, kind = {"title": "改了标题"}, None
                case _:
                    continue
            Bottleneck.objects.filter(pk=row.pk).update(**fields)
            if kind:
                edited[kind].add(row.pk)
                lost[row.bureau_id].add(row.pk)
        edited[behind.Kinds.CAME] = {solved(rnd.choice(counties)).pk for _n in range(rnd.randint(0, 3))}
        second = freeze("核对")
        for after in (Side(second), Side(first, now=True)):
            assert named(changes("I15", tree.nation, Side(first), after)) == edited
            for unit in counties:
                # From where a row moves away, it went.
                found = named(changes("I15", unit, Side(first), after))
                assert found[behind.Kinds.WENT] == lost[unit.pk]
        backwards = named(changes("I15", tree.nation, Side(second), Side(first)))
        assert backwards[behind.Kinds.CAME] == edited[behind.Kinds.WENT]
        differs = {line.code for line in Comparison(first, second, tree.nation, EVERYTHING).lines()}
        assert ("I15" in differs) == any(edited.values())
        transaction.set_rollback(True)


@QUICK
@given(rnd=st.randoms(use_true_random=True))
def test_whatever_changes_in_a_ledger_is_named_as_a_recount_finds_it(rnd: random.Random) -> None:
    with transaction.atomic():
        units = random_ledger(rnd)
        first = freeze()
        before = {unit: Recount(first.period, unit) for unit in units}
        for model, field in ((Participation, "bureau"), (Bottleneck, "bureau"), (ChainProject, "bureau")):
            for row in model.objects.all():
                if rnd.random() < 0.3:
                    model.objects.filter(pk=row.pk).update(**{field: rnd.choice(units)})
        for row in Investment.objects.all()[:3]:
            Investment.objects.filter(pk=row.pk).update(amount=row.amount + 1)
        solved(rnd.choice(units), date(2024, 8, 1))
        kept, present = Side(first), Side(first, now=True)
        for unit in units:
            after = Recount(first.period, unit)
            for code, indicator in CATALOGUE.items():
                found = changes(code, unit, kept, present)
                for base in indicator.all_bases:
                    was, now = before[unit].rows[base], after.rows[base]
                    of_base = named([change for change in found if change.base == base])
                    assert of_base[behind.Kinds.CAME] == now.keys() - was.keys(), (code, unit)
                    assert of_base[behind.Kinds.WENT] == was.keys() - now.keys(), (code, unit)
                    otherwise = {
                        row
                        for row in was.keys() & now.keys()
                        if was[row] != now[row]
                        or before[unit].amounts[base].get(row) != after.amounts[base].get(row)
                    }
                    assert otherwise <= of_base[behind.Kinds.CHANGED] <= was.keys() & now.keys()
        transaction.set_rollback(True)


# --- Lines ------------------------------------------------------------------------------------------------


EVERYTHING = SimpleNamespace(is_authenticated=True, scope=Scope(everything=True))


def lines(before: Snapshot, after: Snapshot, unit: Bureau, **options: Any) -> list[tuple[str, ...]]:
    found = Comparison(before, after, unit, EVERYTHING, **options)
    return [
        (line.code, line.unit_code, line.before_text, line.after_text, line.difference_text, line.remark)
        for line in found.told(found.lines())
    ]


def test_lines_stand_by_how_much_they_differ(tree: Tree) -> None:
    first = freeze()
    Investment.objects.filter(amount="30000.50").update(amount="5030000.50")
    solved(tree.binhu)
    second = freeze("补登入账")
    found = [line for line in lines(first, second, tree.nation) if line[1] == "000000"]
    assert ("I24", "000000", "9.00", "509.00", "+500.00", "") in found
    assert ("I15", "000000", "3", "4", "+1", "") in found
    # It took as long as the others: their middle does not move.
    assert ("I20", "000000", "18.0", "18.0", "0.0", "记录数有变化") in found
    codes = [line[0] for line in found]
    assert codes.index("I24") < codes.index("I15")
    by_unit = {line[1] for line in lines(first, second, tree.nation, codes=["I15"])}
    assert by_unit == {"000000", "320000", "320200", "320211"}
    assert {line[1] for line in lines(first, second, tree.suzhou, codes=["I15", "I24"])} == {
        "320500",
        "320509",
    }


def test_a_ratio_differs_by_percentage_points_and_by_its_parts(tree: Tree) -> None:
    problem(
        tree.huqiu,
        (S.SUBMITTED, date(2024, 3, 1)),
        (S.ACCEPTED, date(2024, 3, 2)),
        (S.LISTED, date(2024, 3, 3)),
    )
    first = freeze()  # 3 of 4
    late = solved(tree.huqiu)  # 4 of 5
    second = freeze("补登")
    ratio = ("I19", "000000", "75.0", "80.0", "+5.0 个百分点", "")
    assert ratio in lines(first, second, tree.nation, codes=["I19"])
    Bottleneck.objects.filter(pk=late.pk).update(bureau=tree.wujiang)
    third = freeze("转办")
    # The same numbers by the same rows elsewhere: the nation differs by none, and its row is named.
    assert ("I19", "000000", "80.0", "80.0", "0.0 个百分点", "数相同，记录有进出") in lines(
        second, third, tree.nation, codes=["I19"]
    )


def test_where_rows_changed_places_the_line_is_listed_though_the_number_is_the_same(tree: Tree) -> None:
    gone = solved(tree.huqiu)
    first = freeze()
    Bottleneck.objects.filter(pk=gone.pk).update(is_test=True)
    solved(tree.huqiu)
    second = freeze("换了一项")
    expected = ("I15", "320505", "2", "2", "0", "数相同，记录有进出")
    assert expected in lines(first, second, tree.huqiu, codes=["I15"])
    assert expected in lines(first, second, tree.huqiu, codes=["I15"], chain=factories.chain())
    assert lines(first, second, tree.wujiang, codes=["I15"]) == []
    everything = lines(first, second, tree.wujiang, differing=False)
    assert len(everything) == len(CATALOGUE)
    assert {line[4] for line in everything} <= {"0", "0.0", "0.00", "—", "0.0 个百分点"}


def test_blank_is_not_zero_and_a_chain_without_rows_counts_none(tree: Tree) -> None:
    first = freeze()
    solved(tree.dongcheng, chain=factories.chain("C02", "轴承"))
    second = freeze("补报")
    blank = ("I15", "110101", "—", "1", "—", "一边未报送")
    assert blank in lines(first, second, tree.dongcheng, codes=["I15"])
    of_chain = ("I15", "110101", "0", "1", "+1", "")
    assert lines(first, second, tree.dongcheng, codes=["I15"], by_chain=True) == [of_chain]


def test_two_versions_of_a_definition_are_not_compared(tree: Tree) -> None:
    first = freeze()
    solved(tree.huqiu)
    second = freeze("补登")
    Snapshot._base_manager.filter(pk=first.pk).update(definitions={**first.definitions, "I15": "0"})
    first.refresh_from_db()
    found = lines(first, second, tree.nation)
    assert {line[4:] for line in found if line[0] == "I15"} == {("—", "口径不同，不作比较")}
    # They stand last: nobody knows by how much they differ.
    assert found[-1][0] == "I15"
    page = of(statistician(tree.nation)).get("/figures/compare/?before=2024.1&after=2024.2")
    assert "下列指标两版口径不同，不作比较" in text_of(page)
    assert "口径版本 0 与 1" in text_of(page)
    rows = of(statistician(tree.nation)).get("/figures/compare/2024.1/2024.2/000000/I15/")
    assert "两版按不同的口径统计，不作比较" in text_of(rows)
    assert "变动的记录" not in text_of(rows)


def test_what_differs_between_frozen_versions_is_remembered_and_of_working_ones_counted_anew(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = freeze()
    solved(tree.huqiu)
    second = freeze("补登")
    before = lines(first, second, tree.nation)
    monkeypatch.setattr(comparison, "_differing", None)
    assert lines(first, second, tree.nation) == before
    with pytest.raises(TypeError):
        lines(first, services.rollup_now(services.get_period("2025")), tree.nation)


# --- Pages ------------------------------------------------------------------------------------------------


@world
def corrected(tree: Tree) -> tuple[Snapshot, Snapshot]:
    """2024, published; of Huqiu one solved problem was moved to Wujiang and one came to Binhu."""
    first = freeze()
    services.publish(services.get_period("2024"), None)
    moved = Bottleneck.objects.filter(bureau=tree.huqiu, status=S.RESOLVED).get()
    Bottleneck.objects.filter(pk=moved.pk).update(bureau=tree.wujiang)
    solved(tree.binhu, title="补登的问题")
    return first, freeze("更正转办和漏登的问题")


def test_the_page_names_the_row_of_each_line(tree: Tree, corrected: Any) -> None:
    client = of(statistician(tree.nation))
    page = client.get("/figures/compare/?bureau=320000&indicator=I15")
    # By default the newest version against the one before it.
    assert [side.code for side in page.context["sides"]] == ["2024.1", "2024.2"]
    assert "更正转办和漏登的问题" in text_of(page)
    hrefs = {line.unit_code: href for line, href in page.context["lines"]}
    assert hrefs.keys() == {"320000", "320200", "320211", "320500", "320505", "320509"}
    rows = client.get(hrefs["320000"])
    told = [(row.kind, row.unit, row.why) for row in rows.context["changes"].described]
    assert told == [("新增", "滨湖区", "新计入"), ("变动", "吴江区", "单位：虎丘区 → 吴江区")]
    there = client.get(hrefs["320509"]).context["changes"].described
    assert [(row.kind, row.why) for row in there] == [("新增", "原计入 虎丘区 · 工业机器人")]
    away = client.get(hrefs["320505"]).context["changes"].described
    assert [(row.kind, row.why) for row in away] == [("减少", "改计入 吴江区 · 工业机器人")]


def test_rows_are_named_within_the_scope_and_counted_outside(tree: Tree, corrected: Any) -> None:
    address = "/figures/compare/2024.1/2024.2/000000/I15/"
    city = of(factories.user(Role.OFFICER, tree.wuxi)).get(address)
    assert [row.unit for row in city.context["changes"].described] == ["滨湖区"]
    # How many others there are would tell of other units.
    assert (city.context["changes"].hidden, city.context["changes"].counts) == (0, [])
    assert "只列您的范围内的记录" in text_of(city)
    assert 'class="change change-came">新增 <b>' not in text_of(city)
    firm_reads = of(factories.user(Role.FILER)).get(address)
    assert firm_reads.context["changes"].described == []
    assert "补登的问题" not in text_of(firm_reads)
    assert of(None).get(address).status_code == 302


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_what_is_seen_can_be_taken_along(tree: Tree, corrected: Any, kind: str) -> None:
    client = of(statistician(tree.nation))
    page = "/figures/compare/?before=2024.1&after=2024.2&bureau=320505"
    lines_file = table(client.get(f"{page}&export={kind}"), kind)
    assert lines_file[0][:4] == ["单位代码", "单位", "指标代码", "指标"]
    i15 = next(row for row in lines_file if row[2] == "I15")
    assert [str(cell) for cell in i15[6:9]] == ["1", "0", "-1"]
    rows = table(client.get(f"/figures/compare/2024.1/2024.2/320000/I15/?export={kind}"), kind)
    assert rows[0] == ["变动", "记录", "编号", "计入单位", "怎么变的"]
    assert rows[1][:2] == ["新增", "补登的问题"]


def table(response: Any, kind: str) -> list[list[Any]]:
    assert response.status_code == 200
    assert f".{kind}" in response["Content-Disposition"]
    if kind == "csv":
        return list(csv.reader(io.StringIO(response.content.decode("utf-8-sig"))))
    sheet = load_workbook(io.BytesIO(response.content)).active
    return [list(row) for row in sheet.iter_rows(values_only=True)]


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("before=2024.9", "没有“2024.9”这一版快照"),
        ("before=2024", "没有“2024”这一版快照"),
        ("before=abc", "“ABC”不是期间代码"),
        ("before=2024.1&after=2024.1", "两边是同一版，请另选一版。"),
        ("bureau=999999", "没有代码为“999999”的单位"),
        ("indicator=I99", "I99"),
        ("chain=C99", "没有代码为“C99”的产业链"),
    ],
)
def test_a_fault_in_the_address_is_said_at_its_field(
    tree: Tree, corrected: Any, query: str, sentence: str
) -> None:
    page = of(statistician(tree.nation)).get(f"/figures/compare/?{query}")
    assert page.status_code == 400
    assert sentence in text_of(page)


def test_a_figure_of_one_version_leads_to_other_periods(tree: Tree) -> None:
    solved(tree.huqiu, date(2023, 6, 30))
    services.freeze_now(services.get_period("2023"), None)
    freeze()
    client = of(statistician(tree.nation))
    figure = client.get("/figures/2024/v1/320505/I15/")
    assert "与别的版本或期间比较" in text_of(figure)
    page = client.get(figure.context["others_href"])
    # Without another version the year before is what it is held against.
    assert [side.code for side in page.context["sides"]] == ["2023.1", "2024.1"]
    assert {line.code for line, _href in page.context["lines"]} <= {"I15"}


def test_before_there_are_two_versions_the_page_says_what_will_stand_here(tree: Tree) -> None:
    assert "还没有可以比较的两版" in text_of(of(statistician(tree.nation)).get("/figures/compare/"))


def test_what_one_may_not_read_is_not_offered_and_not_compared(tree: Tree) -> None:
    freeze()
    solved(tree.huqiu)
    freeze("补登")
    county = of(factories.user(Role.OFFICER, tree.huqiu))
    query = "before=2024.1&after=2024.2"
    assert county.get(f"/figures/compare/?{query}").status_code == 200
    assert county.get(f"/figures/compare/?{query}&bureau=320000").status_code == 403
    assert county.get("/figures/compare/2024.1/2024.2/320505/I15/").status_code == 200
    assert county.get("/figures/compare/2024.1/2024.2/320000/I15/").status_code == 403
    assert "还没有可以比较的两版" in text_of(county.get("/figures/compare/?bureau=320000"))


@pytest.mark.parametrize(
    "address",
    [
        "/figures/compare/2024.1/2024.1/000000/I15/",
        "/figures/compare/2024.1/2024.7/000000/I15/",
        "/figures/compare/2024.1/2024.2/999999/I15/",
        "/figures/compare/2024.1/2024.2/000000/I99/",
        "/figures/2024/v7/000000/I15/",
        "/figures/2024/v7/000000/",
        "/figures/2024/v7/000000/I15/recount/",
        "/figures/2024/v1/000000/I99/recount/",
        "/figures/2019/v1/000000/",
    ],
)
def test_what_is_not_there_is_not_found(tree: Tree, corrected: Any, address: str) -> None:
    assert of(statistician(tree.nation)).get(address).status_code == 404


# --- The passport -----------------------------------------------------------------------------------------


def test_a_passport_stays_with_its_version_and_names_its_successor(tree: Tree, corrected: Any) -> None:
    client = of(statistician(tree.nation))
    old = client.get("/figures/2024/v1/320505/I15/")
    assert (old.context["headline"].value, old.context["totals"]["rows"]) == (1, 1)
    assert "已由第 2 版更正，原因：更正转办和漏登的问题。" in text_of(old)
    assert old.context["newest_href"] == "/figures/2024/v2/320505/I15/"
    new = client.get(old.context["newest_href"])
    assert (new.context["headline"].value, new.context["totals"]["rows"]) == (0, 0)
    assert "已由" not in text_of(new)
    assert client.get(new.context["compare_href"]).status_code == 200
    # The address without a version tells the newest.
    assert client.get("/figures/2024/320505/I15/").context["snapshot"].version == 2
    assert "http://testserver/figures/2024/v1/320505/I15/" in text_of(old)


def test_every_figure_of_a_version_is_three_clicks_away(
    tree: Tree, corrected: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bulletins.views.comparison.RECOUNTS_PER_MINUTE", 100)
    client = of(None)
    paper = client.get("/figures/2024/v1/000000/")
    assert [line.indicator.code for line in paper.context["board"].all_lines] == list(CATALOGUE)
    for line in paper.context["board"].all_lines:
        assert line.href == f"/figures/2024/v1/000000/{line.indicator.code}/"
        assert f'href="{line.href}"' in text_of(paper)
        passport = client.get(line.href)
        assert passport.context["recount_href"] == f"{line.href}recount/"
        assert client.get(passport.context["recount_href"]).status_code == 200
    assert "/figures/2024/v1/320000/" in text_of(paper)


def test_the_figure_of_a_chain_has_its_own_passport(tree: Tree) -> None:
    solved(tree.huqiu, chain=factories.chain("C02", "轴承"))
    freeze()
    client = of(statistician(tree.nation))
    page = client.get("/figures/2024/v1/000000/I15/?chain=C02")
    assert page.context["headline"].value == page.context["totals"]["rows"] == 1
    assert "（轴承）" in page.context["heading"]
    assert page.context["recount_href"] == "/figures/2024/v1/000000/I15/recount/?chain=C02"
    assert client.get(page.context["recount_href"]).context["recounted"].now.value == 1
    nothing = client.get("/figures/2024/v1/000000/I10/?chain=C02")
    assert nothing.context["headline"].value == 0


@pytest.mark.parametrize("code", list(CATALOGUE))
def test_counted_anew_every_figure_says_the_same(tree: Tree, frozen: Snapshot, code: str) -> None:
    client = of(statistician(tree.nation))
    for unit in ("000000", "320500", "110000"):
        page = client.get(f"/figures/2024/v1/{unit}/{code}/recount/")
        assert page.context["recounted"].agrees
        assert page.context["recounted"].is_whole
        assert "结果与这个数一致" in text_of(page)


def test_counted_anew_each_kind_of_figure_names_its_rows(tree: Tree) -> None:
    freeze()
    gone = Bottleneck.objects.filter(bureau=tree.huqiu, status=S.RESOLVED).get()
    Bottleneck.objects.filter(pk=gone.pk).update(voided_at=timezone.now(), void_reason="误报")
    solved(tree.binhu, date(2024, 9, 30))
    Investment.objects.filter(amount="10000.50").update(amount="20000.50")
    Participation.objects.filter(bureau=tree.huqiu).exclude(organization__in=shared(tree)).get().delete()
    client = of(statistician(tree.nation))

    def counted(code: str) -> tuple[Any, ...]:
        page = client.get(f"/figures/2024/v1/000000/{code}/recount/")
        assert not page.context["recounted"].agrees
        assert "不一致" in text_of(page)
        found = page.context["changes"]
        return (
            page.context["headline"].text,
            page.context["recounted"].now_text,
            *[n for _kind, _label, n in found.counts],
            [(row.kind, row.part, row.why) for row in found.described],
        )

    # A count: one gone, one come.
    assert counted("I15") == ("3", "3", 1, 1, 0, [("新增", "", "新计入"), ("减少", "", "已作废")])
    # Distinct: the firm took part there only; its row is not there any more to be named.
    assert counted("I07") == ("4", "3", 0, 1, 0, [])
    # A ratio: above and below the line.
    parts = {(row[0], row[1]) for row in counted("I19")[-1]}
    assert parts == {("新增", "分子"), ("新增", "分母"), ("减少", "分子"), ("减少", "分母")}
    # A median and money: other rows, another amount.
    assert counted("I20")[:5] == ("18.0", "18.0", 1, 1, 0)
    assert counted("I24") == ("9.00", "10.00", 0, 0, 1, [("变动", "", "数量：1.00 → 2.00")])


def test_strangers_read_the_verdict_and_no_more(tree: Tree, corrected: Any) -> None:
    solved(tree.huqiu, title="冻结以后的问题")
    address = "/figures/2024/v2/000000/I15/recount/"
    public = of(None).get(address)
    assert "不一致" in text_of(public)
    assert "changes" not in public.context
    assert "按现在的台账重算</th>" not in text_of(public)
    assert "冻结以后的问题" not in text_of(public)
    huqiu = factories.user(Role.OFFICER, tree.huqiu)
    at_home = of(huqiu).get("/figures/2024/v2/320505/I15/recount/")
    assert "冻结以后的问题" in text_of(at_home)
    assert [n for _kind, _label, n in at_home.context["changes"].counts] == [1, 0, 0]
    # A figure that one's scope does not cover is like a stranger's.
    for user in (huqiu, factories.user(Role.OFFICER, tree.dongcheng), factories.user(Role.FILER)):
        abroad = of(user).get(address)
        assert "不一致" in text_of(abroad)
        assert "changes" not in abroad.context
        assert "recounted" not in abroad.context
        assert "按现在的台账重算</th>" not in text_of(abroad)
        api = of(user).get("/api/v1/passports/2024.2/000000/I15/recount/").json()
        assert (api["verdict"], api["now"], api["changes"]) == ("differs", None, None)
        assert api["figure"] is None
    assert of(None).get("/figures/2024/v2/320505/I15/recount/").status_code == 302


def test_a_snapshot_whose_rows_do_not_make_its_figure_says_so(tree: Tree) -> None:
    snapshot = freeze()
    StatValue._base_manager.filter(snapshot=snapshot, indicator="I15").update(value=9)
    page = of(statistician(tree.nation)).get("/figures/2024/v1/000000/I15/recount/")
    assert "快照可能被改动" in text_of(page)
    other = of(statistician(tree.nation)).get("/figures/2024/v1/000000/I12/recount/")
    assert "快照可能被改动" not in text_of(other)


def test_an_open_figure_is_counted_anew_by_its_number(tree: Tree) -> None:
    services.rollup_now(services.get_period("2024"))
    client = of(statistician(tree.nation))
    page = client.get("/figures/2024/000000/I15/")
    assert page.context["recount_href"] == "/figures/2024/000000/I15/recount/"
    assert client.get(page.context["recount_href"]).context["recounted"].agrees
    solved(tree.huqiu)
    later = client.get(page.context["recount_href"])
    assert not later.context["recounted"].agrees
    assert "冻结之前不留存计入的记录" in text_of(later)


def test_by_a_former_definition_nothing_is_counted_anew(tree: Tree) -> None:
    snapshot = freeze()
    Snapshot._base_manager.filter(pk=snapshot.pk).update(definitions={**snapshot.definitions, "I15": "0"})
    page = of(statistician(tree.nation)).get("/figures/2024/v1/000000/I15/recount/")
    assert "不能用现在的口径重算" in text_of(page)
    assert "recounted" not in page.context


@pytest.mark.parametrize(
    "address", ["/figures/2024/v2/000000/I15/recount/", "/figures/compare/?before=2024.1&after=2024.2"]
)
def test_who_counts_without_end_is_asked_to_wait(
    tree: Tree, corrected: Any, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setattr("bulletins.views.comparison.RECOUNTS_PER_MINUTE", 2)
    monkeypatch.setattr("bulletins.views.comparison.COMPARISONS_PER_MINUTE", 2)
    client = of(statistician(tree.nation))
    assert [client.get(address).status_code for _n in range(3)] == [200, 200, 429]
    later = client.get(address)
    assert later["Retry-After"] == "60"
    assert "请一分钟后再试" in text_of(later)
    assert client.get("/figures/2024/v2/000000/I15/").status_code == 200


def test_money_of_a_single_firm_outside_the_scope_is_told_nowhere(tree: Tree) -> None:
    one = invested(key_project(project(tree.dongcheng)), "8880000")
    freeze()
    Investment.objects.filter(pk=one.pk).update(amount="9990000")
    freeze("更正金额")
    services.publish(services.get_period("2024"), None)
    abroad = factories.user(Role.OFFICER, tree.binhu)
    for client, at in (
        (of(abroad), "110101"),
        (of(factories.user(Role.FILER)), "110101"),
        (of(None), "110000"),
    ):
        passport = client.get(f"/figures/2024/v2/{at}/I24/")
        assert "不向管辖范围以外的读者公开" in text_of(passport)
        recounted = client.get(f"/figures/2024/v2/{at}/I24/recount/")
        for page in (passport, recounted):
            assert "999.00" not in text_of(page)
            assert "888.00" not in text_of(page)
        assert "计入记录" not in text_of(passport)
    for client in (of(abroad), of(factories.user(Role.FILER))):
        # The nation has other firms, but only this one changed.
        for unit in ("110101", "000000"):
            for address in (
                f"/figures/compare/2024.1/2024.2/{unit}/I24/",
                f"/figures/compare/?before=2024.1&after=2024.2&bureau={unit}&indicator=I24",
                f"/figures/compare/?before=2024.1&after=2024.2&bureau={unit}&indicator=I24&export=csv",
                f"/api/v1/comparisons/?before=2024.1&after=2024.2&bureau={unit}&indicator=I24",
            ):
                answer = client.get(address)
                assert answer.status_code == 200
                for told in ("999", "888", "111.00", "897.00", "1,008.00"):
                    assert told not in text_of(answer).replace('"?', ""), (address, told)
        assert client.get("/api/v1/passports/2024.2/110101/I24/").json()["figure"] is None
        assert client.get("/api/v1/passports/2024.2/110101/I24/recount/").json()["figure"] is None
        assert client.get("/api/v1/passports/2024.2/000000/I24/").json()["figure"] is None
    at_home = of(factories.user(Role.OFFICER, tree.dongcheng))
    assert "999.00" in text_of(at_home.get("/figures/2024/v2/110101/I24/"))
    assert "+111.00" in text_of(at_home.get("/figures/compare/2024.1/2024.2/110101/I24/"))


@pytest.mark.parametrize("code", list(CATALOGUE))
def test_the_rows_behind_every_figure_are_searched(tree: Tree, frozen: Snapshot, code: str) -> None:
    client = of(statistician(tree.nation))
    page = client.get(f"/figures/2024/v1/000000/{code}/")
    for tab in page.context["lists"]:
        address = f"{tab['href']}{'&' if '?' in tab['href'] else '?'}q=" + "没有这样的"
        assert client.get(address).context["page"].paginator.count == 0


def test_rows_of_money_are_found_by_project_firm_and_voucher(tree: Tree) -> None:
    freeze()
    client = of(statistician(tree.nation))
    row = Investment.objects.order_by("pk").first()
    assert row is not None
    for words in (row.key_project.code, row.organization.uscc):
        found = client.get("/figures/2024/v1/000000/I24/", {"q": words}).context["page"]
        assert found.paginator.count == 1, words


def test_no_more_rows_leave_the_database_than_are_listed(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    freeze()
    gone = list(Bottleneck.objects.filter(status=S.RESOLVED).order_by("pk"))
    Bottleneck.objects.filter(pk=gone[0].pk).update(voided_at=timezone.now(), void_reason="误报")
    Bottleneck.objects.filter(pk=gone[1].pk).update(bureau=tree.dongcheng)
    for _n in range(4):
        solved(tree.huqiu)
    freeze("补登")
    for most, kinds in (
        (3, ["came"] * 3),
        (5, ["came"] * 4 + ["went"]),
        (6, ["came"] * 4 + ["went", "changed"]),
    ):
        monkeypatch.setattr("bulletins.passports.CHANGES_LISTED", most)
        found = of(statistician(tree.nation)).get("/figures/compare/2024.1/2024.2/000000/I15/")
        changes = found.context["changes"]
        assert [change.kind for change in changes._listed] == kinds
        assert [n for _kind, _label, n in changes.counts] == [4, 1, 1]
        assert changes.is_cut == (most < 6)


def test_strangers_verdicts_are_counted_once_in_some_minutes(
    tree: Tree, corrected: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = "/figures/2024/v2/000000/I15/recount/"
    first = of(None).get(address)
    monkeypatch.setattr("bulletins.passports.recount", None)
    assert of(None).get(address).context["verdict"] == first.context["verdict"]
    with pytest.raises(TypeError):
        of(statistician(tree.nation)).get(address)


def test_a_unit_that_moved_in_the_tree_is_no_tampering(tree: Tree) -> None:
    snapshot = freeze()
    services.publish(services.get_period("2024"), None)
    change("move", part("from", tree.huqiu), part("to", tree.dongcheng.parent))
    for client in (of(None), of(statistician(tree.nation))):
        page = text_of(client.get("/figures/2024/v1/320000/I15/recount/"))
        assert "冻结以后区划有变更" in page
        assert "快照可能被改动" not in page
    cache.clear()
    StatValue._base_manager.filter(snapshot=snapshot, indicator="I15", bureau=tree.jiangsu).update(value=9)
    assert "快照可能被改动" in text_of(of(None).get("/figures/2024/v1/320000/I15/recount/"))


def test_reasons_are_those_of_the_later_side(tree: Tree) -> None:
    services.freeze_now(services.get_period("2023"), None)
    first = freeze()
    money, now = Investment.objects.all()[0], timezone.now()
    Organization.objects.filter(participations__bureau=tree.binhu).update(is_test=True)
    ChainProject.objects.filter(pk=money.key_project.project_id).update(voided_at=now, void_reason="误报")
    client = of(statistician(tree.nation))
    for code, why in (("I24", "已作废"), ("I07", "已标为测试")):
        page = client.get(f"/figures/2024/v1/000000/{code}/recount/")
        assert {row.why for row in page.context["changes"].described} == {why}, code
    Organization.objects.update(is_test=False)
    # Rows of which the wrong is known only after the later side went for another reason.
    row = Bottleneck.objects.filter(status=S.RESOLVED, bureau=tree.binhu).get()
    row.transitions.update(at=F("at") - timedelta(800))
    moments = ("submitted_at", "accepted_at", "listed_at", "resolved_at")
    Bottleneck.objects.filter(pk=row.pk).update(
        **{name: getattr(row, name) - timedelta(800) for name in moments}
    )
    freeze("更正日期")
    Bottleneck.objects.filter(pk=row.pk).update(voided_at=timezone.now(), void_reason="误报")
    page = client.get("/figures/compare/2024.1/2024.2/000000/I15/")
    assert [one.why for one in page.context["changes"].described] == ["不再符合口径"]
    page = client.get(f"/figures/compare/2023.1/{first.code}/000000/I15/")
    assert {one.why for one in page.context["changes"].described} == {"计入的期间不同"}


def test_a_working_roll_up_is_read_only_while_its_period_is_open(tree: Tree) -> None:
    services.rollup_now(services.get_period("2024"))
    client = of(statistician(tree.nation))
    assert client.get("/api/v1/passports/2024.0/000000/I15/").status_code == 200
    freeze()
    assert client.get("/api/v1/passports/2024.0/000000/I15/").status_code == 404
    assert client.get("/figures/compare/2024.0/2024.1/000000/I15/").status_code == 404


def test_a_tab_keeps_the_chain_and_the_way_to_sign_in_keeps_the_query(tree: Tree) -> None:
    freeze()
    services.publish(services.get_period("2024"), None)
    chain = factories.chain().code
    code = "I22"
    page = of(statistician(tree.nation)).get(f"/figures/2024/v1/000000/{code}/?chain={chain}")
    for tab in page.context["lists"]:
        assert f"chain={chain}" in tab["href"]
    public = of(None).get(f"/figures/2024/v1/000000/{code}/?chain={chain}&sort=unit")
    assert public.context["login_href"].count("&") == 0
    assert "%26sort%3Dunit" in public.context["login_href"]


# --- Cost -------------------------------------------------------------------------------------------------

QUERIES = {
    "/figures/2024/v2/000000/": 14,
    "/figures/2024/v2/000000/I07/": 17,
    "/figures/2024/v2/000000/I07/recount/": 23,
    "/figures/compare/?before=2024.1&after=2024.2": 20,
    "/figures/compare/2024.1/2024.2/000000/I15/": 25,
}


@pytest.mark.any_database
@pytest.mark.parametrize("many", [False, True])
def test_pages_cost_the_same_for_one_row_and_for_twenty(
    tree: Tree, many: bool, django_assert_num_queries: Any
) -> None:
    freeze()
    for _n in range(20 if many else 1):
        work = project(tree.huqiu, factories.chain(f"C{_n + 10}", f"链{_n}"))
        takes_part(firm(), work)
        solved(tree.huqiu, chain=work.chain)
    freeze("补登")
    client = of(statistician(tree.nation))
    for address, expected in QUERIES.items():
        with django_assert_num_queries(expected):
            assert client.get(address).status_code == 200


# --- API --------------------------------------------------------------------------------------------------


def test_the_api_tells_what_the_pages_do(tree: Tree, corrected: Any) -> None:
    client = of(statistician(tree.nation))
    passport = client.get("/api/v1/passports/2024.1/320505/I15/").json()
    assert passport["figure"] == {"value": 1.0, "numerator": None, "denominator": None}
    assert (passport["version"], passport["newest_version"], passport["definition"]) == (1, 2, "1")
    assert passport["page"] == "http://testserver/figures/2024/v1/320505/I15/"
    assert len(passport["sha256"]) == len(passport["rows_sha256"]) == 64
    ratio = client.get("/api/v1/passports/2024.2/000000/I19/").json()
    assert ratio["figure"] == {"value": 100.0, "numerator": 4, "denominator": 4}
    recounted = client.get("/api/v1/passports/2024.1/320505/I15/recount/").json()
    assert (recounted["verdict"], recounted["kept_rows_agree"]) == ("differs", True)
    assert (recounted["figure"]["value"], recounted["now"]["value"]) == (1.0, 0.0)
    (row,) = recounted["changes"]["rows"]
    assert (row["kind"], row["why"]) == ("went", "改计入 吴江区 · 工业机器人")
    assert client.get("/api/v1/passports/2024.2/320505/I15/recount/").json()["verdict"] == "same"
    page = client.get("/api/v1/comparisons/?before=2024.1&after=2024.2&indicator=I15&page_size=2").json()
    assert page["count"] == 7
    assert [line["bureau"] for line in page["results"]] == ["000000", "320000"]
    assert [line["difference"] for line in page["results"]] == [1.0, 1.0]
    assert "page=2" in page["next"]
    rows = client.get("/api/v1/comparisons/2024.1/2024.2/000000/I15/").json()
    assert (rows["came"], rows["went"], rows["changed"], rows["hidden"]) == (1, 0, 1, 0)
    abroad = of(factories.user(Role.OFFICER, tree.dongcheng))
    rows = abroad.get("/api/v1/comparisons/2024.1/2024.2/000000/I15/").json()
    assert (rows["came"], rows["changed"], rows["hidden"], rows["rows"]) == (None, None, None, [])
    assert rows["cut"] is False


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("passports/2024.7/000000/I15/", 404),
        ("passports/2024.1/999999/I15/", 404),
        ("passports/2024.1/000000/I99/", 404),
        ("passports/2024.1/000000/I99/recount/", 404),
        ("passports/2024.1/000000/I15/?chain=C99", 400),
        ("comparisons/?before=2024.9", 400),
        ("comparisons/2024.1/2024.9/000000/I15/", 404),
        ("comparisons/2024.1/2024.2/000000/I99/", 404),
    ],
)
def test_the_api_says_what_is_not_there(tree: Tree, corrected: Any, address: str, status: int) -> None:
    answer = of(statistician(tree.nation)).get(f"/api/v1/{address}")
    assert answer.status_code == status
    assert answer.json()["error"]["message"]


def test_the_api_is_as_closed_and_as_patient_as_the_pages(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    freeze()
    solved(tree.huqiu)
    freeze("补登")
    county = of(factories.user(Role.OFFICER, tree.huqiu))
    assert county.get("/api/v1/passports/2024.1/320505/I15/").status_code == 200
    for address in (
        "passports/2024.1/320000/I15/",
        "passports/2024.1/320000/I15/recount/",
        "comparisons/2024.1/2024.2/320000/I15/",
        "comparisons/?before=2024.1&after=2024.2&bureau=320000",
    ):
        refused = county.get(f"/api/v1/{address}")
        assert refused.status_code == 403
        assert "尚未发布" in refused.json()["error"]["message"]
    monkeypatch.setattr("bulletins.api.ASKED_PER_MINUTE", 1)
    asked = [county.get("/api/v1/passports/2024.1/320505/I15/recount/") for _n in range(2)]
    assert [answer.status_code for answer in asked] == [200, 429]


API_QUERIES = {
    "/api/v1/passports/2024.2/000000/I07/": 8,
    "/api/v1/passports/2024.2/000000/I07/recount/": 18,
    "/api/v1/comparisons/?before=2024.1&after=2024.2": 17,
    "/api/v1/comparisons/2024.1/2024.2/000000/I15/": 16,
}


@pytest.mark.any_database
@pytest.mark.parametrize("many", [False, True])
def test_the_api_costs_the_same_for_one_row_and_for_twenty(
    tree: Tree, many: bool, django_assert_num_queries: Any
) -> None:
    freeze()
    for _n in range(20 if many else 1):
        work = project(tree.huqiu, factories.chain(f"C{_n + 10}", f"链{_n}"))
        takes_part(firm(), work)
        solved(tree.huqiu, chain=work.chain)
    freeze("补登")
    client = of(statistician(tree.nation))
    for address, expected in API_QUERIES.items():
        with django_assert_num_queries(expected):
            assert client.get(address).status_code == 200
