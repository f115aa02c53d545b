"""Ratios, medians, money and what came of the work: I19 to I25, counted by hand (`domain.md` 5.4)."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone

from accounts.models import Role
from bulletins import circular, figures, identities, indicators, recount, services
from bulletins.dashboard import Board, snapshots_before
from bulletins.disclosure import Reader
from bulletins.figures import Value
from bulletins.indicators import CATALOGUE
from bulletins.models import Period
from enterprises.models import Bureau
from projects.models import Bottleneck, SpecDemand
from tests import factories
from tests.bulletins.ledger import (
    SPRING,
    Figures,
    Tree,
    add_events,
    benefits,
    challenge,
    consortium,
    firm,
    invested,
    key_project,
    noon,
    problem,
    produced,
    project,
    quality_map,
    solved,
)
from tests.worlds import world

pytestmark = pytest.mark.django_db
S = Bottleneck.Status
NEVER: list[dict[str, Any]] = [
    {"is_test": True},
    {"voided_at": timezone.now(), "void_reason": "误报"},
]


@world
def tree() -> Tree:
    return Tree()


def on(month: int, day: int) -> date:
    return date(2024, month, day)


# --- I19 --------------------------------------------------------------------------------------------------


def test_the_rate_is_what_was_solved_of_what_was_listed_before_or_in_the_period(tree: Tree) -> None:
    filed = (S.SUBMITTED, on(1, 5)), (S.ACCEPTED, on(1, 6))
    problem(tree.huqiu, *filed, (S.LISTED, on(2, 1)), (S.RESOLVED, on(5, 1)))
    problem(tree.huqiu, *filed, (S.LISTED, on(4, 2)))
    problem(tree.wujiang, *filed, (S.LISTED, on(2, 1)), (S.IN_PROGRESS, on(3, 1)))
    # Neither: ended before, listed after, never listed.
    problem(tree.huqiu, *filed, (S.LISTED, on(2, 1)), (S.RESOLVED, on(3, 1)))
    problem(tree.huqiu, *filed, (S.LISTED, on(7, 1)))
    problem(tree.huqiu, *filed)
    # A service is no solution, and nothing to be left out of the list.
    problem(tree.huqiu, *filed, (S.LISTED, on(4, 3)), (S.RESOLVED, on(5, 1)), result="service_done")
    count = Figures("2024Q2")
    assert count.stored("I19", tree.huqiu) == Value(numerator=1, denominator=3)
    assert count.stored("I19", tree.suzhou) == Value(numerator=1, denominator=4)
    assert count.stored("I19", tree.suzhou, factories.chain()) == Value(numerator=1, denominator=4)
    assert (count.text("I19", tree.huqiu), count.text("I19", tree.suzhou)) == ("33.3", "25.0")


def reader(tree: Tree) -> Reader:
    return Reader(factories.user(Role.STATISTICIAN, tree.nation))


def test_the_interface_gives_a_rate_with_what_it_is_made_of(tree: Tree, client: Client) -> None:
    for state in (S.RESOLVED, S.IN_PROGRESS, S.IN_PROGRESS):
        filed = (S.SUBMITTED, on(4, 1)), (S.ACCEPTED, on(4, 2)), (S.LISTED, on(4, 3))
        problem(tree.huqiu, *filed, (state, on(5, 1)))
    Figures("2024Q2")
    client.force_login(factories.user(Role.STATISTICIAN, tree.huqiu))
    asked = {"period": "2024Q2", "bureau": tree.huqiu.code, "page_size": 200}
    rows = client.get("/api/v1/figures/", asked).json()["results"]
    told = {row["indicator"]: row | {"definition": "?"} for row in rows if row["chain"] is None}
    of = {"period": "2024Q2", "version": 0, "bureau": tree.huqiu.code, "bureau_name": "虎丘区", "chain": None}
    of |= {"definition": "?", "late": 0, "withheld": False}
    nothing = {"numerator": None, "denominator": None}
    assert told["I15"] == of | nothing | {"indicator": "I15", "unit": "个", "value": 1}
    rate_of_three = {"numerator": 1, "denominator": 3}
    assert told["I19"] == of | rate_of_three | {"indicator": "I19", "unit": "%", "value": 33.3}


def test_a_rate_to_nothing_is_blank_and_differs_from_no_report(tree: Tree) -> None:
    problem(tree.huqiu, (S.SUBMITTED, SPRING), (S.ACCEPTED, SPRING))
    count = Figures()
    assert count.stored("I19", tree.huqiu) == Value(numerator=0, denominator=0)
    assert count.stored("I19", tree.beijing) == Value()
    assert count.text("I19", tree.huqiu) == count.text("I19", tree.beijing) == "—"


def test_what_is_solved_late_stands_above_and_below_the_line(tree: Tree) -> None:
    problem(tree.huqiu, (S.SUBMITTED, on(1, 5)), (S.LISTED, on(2, 1)))
    services.freeze_now(services.get_period("2024Q1"), None)
    solved(tree.huqiu, on(3, 20))
    count = Figures("2024Q2")
    assert count.stored("I19", tree.huqiu) == Value(late=1, numerator=1, denominator=2)


def test_a_freeze_is_refused_when_more_is_solved_than_was_listed(tree: Tree) -> None:
    solved(tree.huqiu)
    snapshot = Figures().snapshot
    assert identities.breaches(snapshot) == []
    snapshot.values.filter(indicator="I19", bureau=tree.huqiu).update(denominator=0)
    assert identities.breaches(snapshot) == ["“清单问题解决率”的分子大于分母的单位：虎丘区。"]


# --- I20 --------------------------------------------------------------------------------------------------


def took(at: Any, days: int, **fields: Any) -> Bottleneck:
    """Solved so many days after it was accepted."""
    done = on(6, 30)
    begun = done.fromordinal(done.toordinal() - days)
    return problem(
        at, (S.SUBMITTED, begun), (S.ACCEPTED, begun), (S.LISTED, begun), (S.RESOLVED, done), **fields
    )


def test_the_median_is_the_middle_one_or_between_the_two_in_the_middle_at_every_level(tree: Tree) -> None:
    for at, days in (
        (tree.huqiu, 10),
        (tree.huqiu, 21),
        (tree.wujiang, 100),
        (tree.binhu, 4),
        (tree.binhu, 5),
    ):
        took(at, days)
    count = Figures()
    # Half days: 15.5 days between 10 and 21.
    assert count.stored("I20", tree.huqiu) == Value(31, denominator=2)
    assert [count.text("I20", unit) for unit in (tree.huqiu, tree.wujiang, tree.suzhou, tree.jiangsu)] == [
        "15.5", "100.0", "21.0", "10.0",
    ]  # fmt: skip
    assert count.stored("I20", tree.nation).denominator == 5


def test_days_are_those_of_the_calendar_in_shanghai(tree: Tree) -> None:
    accepted = noon(on(5, 1)).replace(hour=23, minute=30)
    verified = noon(on(5, 2)).replace(hour=0, minute=30)
    events = (S.SUBMITTED, on(5, 1)), (S.ACCEPTED, on(5, 1)), (S.LISTED, on(5, 1)), (S.RESOLVED, on(5, 2))
    problem(tree.huqiu, *events, moments={S.ACCEPTED: accepted, S.RESOLVED: verified})
    assert Figures().text("I20", tree.huqiu) == "1.0"


def test_without_a_solution_there_is_no_median(tree: Tree) -> None:
    took(tree.huqiu, 9, result="consultation_only")
    took(tree.huqiu, 9, is_test=True)
    count = Figures()
    assert count.stored("I20", tree.huqiu) == Value(denominator=0)
    assert count.text("I20", tree.huqiu) == "—"


# --- I21 --------------------------------------------------------------------------------------------------


def test_beneficiaries_are_those_who_filed_what_was_solved_or_merged_and_those_named(tree: Tree) -> None:
    first, second, third = (firm(at=tree.huqiu) for _n in range(3))
    elsewhere = firm(at=tree.beijing)
    master = solved(tree.huqiu, organization=first)
    problem(tree.binhu, (S.SUBMITTED, SPRING), (S.MERGED, SPRING), merged_into=master, organization=second)
    # Twice the same firm, and one of another province: each counts at home.
    benefits(first, master)
    benefits(third, master)
    benefits(elsewhere, master)
    solved(tree.huqiu, organization=first)
    # Not solved, or not in this year.
    problem(tree.huqiu, (S.SUBMITTED, SPRING), organization=firm(at=tree.huqiu))
    solved(tree.huqiu, on=date(2023, 5, 1), organization=firm(at=tree.huqiu))
    benefits(firm(at=tree.huqiu, is_test=True), master)
    count = Figures()
    assert [count("I21", unit) for unit in (tree.huqiu, tree.binhu, tree.jiangsu, tree.nation)] == [
        3,
        0,
        3,
        4,
    ]
    assert count("I21", tree.beijing) == 1


# --- I22 --------------------------------------------------------------------------------------------------


def test_maps_are_counted_in_copies_and_in_sheets(tree: Tree) -> None:
    quality_map(tree.jiangsu, sheet_count=3)
    quality_map(tree.jiangsu, sheet_count=2, is_counted_copy=False)
    quality_map(tree.jiangsu, on=date(2023, 12, 31), sheet_count=9)
    factories.quality_map(at=tree.jiangsu, drawn_on=SPRING, sheet_count=9)  # a draft
    count = Figures()
    assert (count("I22", tree.jiangsu), count("I22S", tree.jiangsu)) == (1, 5)
    assert (count("I22", tree.beijing), count("I22S", tree.beijing)) == (None, None)


# --- I23 --------------------------------------------------------------------------------------------------


def test_one_number_counts_once_however_many_projects_produced_it(tree: Tree) -> None:
    here, there = project(tree.huqiu), project(tree.beijing)
    produced(here, "GB/T 1-2024")
    produced(there, "GB/T 1-2024")
    produced(there, "JJF 7-2024", kind="metrology")
    # A patent is no standard, a plan has no number, and last year's counted then.
    produced(here, "ZL2024", kind="patent")
    here.results.create(kind="standard", title="计划中的标准", due_on=SPRING)
    produced(here, "GB/T 2-2023", date(2023, 3, 1))
    count = Figures()
    assert [count("I23", unit) for unit in (tree.huqiu, tree.beijing, tree.nation)] == [1, 2, 2]


@pytest.mark.parametrize("never", NEVER, ids=["test", "void"])
def test_results_of_test_and_void_projects_never_count(tree: Tree, never: dict[str, Any]) -> None:
    produced(project(tree.huqiu, **never), "GB/T 1-2024")
    work = project(tree.huqiu)
    produced(work, "GB/T 2-2024", key_project=key_project(work, **never))
    assert Figures()("I23", tree.huqiu) == 0


def test_a_result_is_entered_once_with_number_and_date_together(tree: Tree) -> None:
    work = project(tree.huqiu)
    produced(work, "GB/T 1-2024")
    for number, day in (("GB/T 1-2024", SPRING), ("GB/T 3-2024", None), ("", SPRING)):
        with pytest.raises(IntegrityError), transaction.atomic():
            produced(work, number, day)  # type: ignore[arg-type]
    foreign = produced(work, "GB/T 4-2024")
    foreign.key_project = key_project(project(tree.huqiu))
    with pytest.raises(ValidationError, match="不属于该质量强链项目"):
        foreign.full_clean()
    foreign.key_project, foreign.number = None, "七号"
    with pytest.raises(ValidationError, match="标准号由代号"):
        foreign.full_clean()


LATER = date(2026, 3, 20)


def published(at: Bureau, number: str, on: date, **fields: Any) -> SpecDemand:
    more = {"status": "published", "plan_no": "2026-1", "published_no": number, "published_on": on}
    return factories.spec_demand(bureau=at, **more | fields)


def test_i23_counts_numbers_published_for_demands_without_their_being_typed_again(tree: Tree) -> None:
    published(tree.huqiu, "JJF 9001-2026", LATER)
    published(tree.binhu, "JJF 9001-2026", LATER)
    published(tree.suzhou, "GB/T 9002-2026", LATER, kind="standard")
    produced(project(tree.beijing), "GB/T 9002-2026", LATER)
    produced(project(tree.huqiu), "GB/T 9003-2026", LATER)
    factories.spec_demand(bureau=tree.huqiu)
    count = Figures("2026")
    # The standard counts where the project is that recorded it, the specification once in each unit.
    assert [count("I23", unit) for unit in (tree.huqiu, tree.binhu, tree.suzhou, tree.jiangsu)] == [
        2,
        1,
        2,
        2,
    ]
    assert [count("I23", unit) for unit in (tree.beijing, tree.nation)] == [1, 3]


def test_the_rows_of_i23_are_two_lists(tree: Tree) -> None:
    demand = published(tree.huqiu, "JJF 9001-2026", LATER)
    result = produced(project(tree.huqiu), "GB/T 9003-2026", LATER)
    services.rollup_now(services.get_period("2026"))
    client = Client()
    client.force_login(factories.user(Role.OFFICER, tree.huqiu))
    first = client.get("/figures/2026/320505/I23/")
    second = client.get("/figures/2026/320505/I23/?rows=specdemand")
    for page, shown, other in ((first, result.number, demand.title), (second, demand.title, result.number)):
        text = page.content.decode()
        assert shown in text
        assert other not in text
        assert "?rows=specdemand" in text
        assert page.context["totals"]["things"] == page.context["totals"]["rows"] == 2
        assert page.context["hidden"] == 0
        assert not page.context["drifted"]


def test_i23_counts_a_demand_when_the_result_of_its_number_does_not_count(tree: Tree) -> None:
    published(tree.huqiu, "GB/T 9002-2026", LATER, kind="standard")
    produced(project(tree.beijing, is_test=True), "GB/T 9002-2026", LATER)
    assert Figures("2026")("I23", tree.nation) == 1


def test_i23_of_periods_before_2026_counts_as_it_did(tree: Tree) -> None:
    published(tree.huqiu, "JJF 9001-2025", date(2025, 5, 6))
    produced(project(tree.huqiu), "GB/T 9003-2025", date(2025, 5, 6))
    services.freeze_now(services.get_period("2025"), None)
    assert Figures("2025", figures.current(services.get_period("2025")))("I23", tree.huqiu) == 1
    # Nor does the new rule call late what the old one left out.
    assert (Figures("2026")("I23", tree.huqiu), Figures("2026").late("I23", tree.huqiu)) == (0, 0)
    assert not figures.comparable(
        "I23", Figures("2026").snapshot, figures.current(services.get_period("2025"))
    )


def test_i23_does_not_count_again_what_a_project_records_after_the_freeze(tree: Tree) -> None:
    published(tree.huqiu, "JJF 9001-2026", date(2026, 2, 6))
    services.freeze_now(services.get_period("2026Q1"), None)
    produced(project(tree.huqiu), "JJF 9001-2026", date(2026, 2, 6), kind="metrology")
    assert Figures("2026Q2")("I23", tree.huqiu) == 0


# --- I24 --------------------------------------------------------------------------------------------------


def test_money_is_added_to_the_cent_and_printed_in_ten_thousands(tree: Tree) -> None:
    work = key_project(project(tree.huqiu))
    for amount in ("0.10", "0.20", "999999999999.99", "1.15"):
        invested(work, amount)
    invested(work, "5.00", date(2025, 1, 1))
    task = key_project(project(tree.huqiu), kind="landmark_task")
    invested(task, "7.00")
    invested(work, "7.00", organization=firm(is_test=True))
    count = Figures()
    assert count.stored("I24", tree.huqiu).value == 100_000_000_000_144
    indicator = CATALOGUE["I24"]
    assert figures.number(indicator, count.stored("I24", tree.huqiu)) == Decimal("1000000000001.44")
    assert count.text("I24", tree.suzhou) == "100,000,000.00"


def test_money_booked_after_the_freeze_is_late_money(tree: Tree) -> None:
    work = key_project(project(tree.huqiu))
    invested(work, "12345.67")
    services.freeze_now(services.get_period("2024Q1"), None)
    invested(work, "20000.00")
    count = Figures("2024Q2")
    assert count.stored("I24", tree.huqiu) == Value(2_000_000, late=2_000_000)
    line = figures.headline(count.snapshot, tree.huqiu, ["I24"])[0]
    assert (line.text, line.late_text) == ("2.00", "2.00")


def test_an_amount_that_changed_since_the_freeze_is_named(tree: Tree) -> None:
    row = invested(key_project(project(tree.huqiu)), "100.00")
    snapshot = services.freeze_now(services.get_period("2024"), None)
    assert recount.differences(snapshot, tree.huqiu) == []
    row.amount = Decimal("100.01")
    row.save()
    (found,) = recount.differences(snapshot, tree.huqiu)
    assert (found.code, found.stored, found.counted) == ("I24", Value(10_000), Value(10_001))
    assert found.came == found.went == (row.pk,)


# --- I25 --------------------------------------------------------------------------------------------------


def test_items_are_posted_taken_and_solved_at_the_body_that_posted_them(tree: Tree) -> None:
    by_city = {S.POSTED: tree.suzhou}
    challenge(tree.huqiu, on(3, 1), handlers=by_city)
    challenge(tree.huqiu, on(3, 1), on(4, 20), handlers=by_city)
    challenge(tree.huqiu, on(3, 1), on(4, 20), on(9, 1), handlers=by_city)
    challenge(tree.huqiu, date(2023, 3, 1), date(2023, 4, 20), on(9, 1), handlers=by_city)
    # The team failed, another institution was sent.
    end = {"resolved_at": noon(on(9, 1)), "result": "bottleneck_solved"}
    sent = challenge(tree.huqiu, on(3, 1), on(4, 20), handlers=by_city, **end)
    add_events(sent, (S.LISTED, on(5, 1)), (S.DISPATCHED, on(5, 2)), (S.RESOLVED, on(9, 1)))
    # A service is no solution.
    challenge(tree.huqiu, on(3, 1), on(4, 20), on(9, 1), result="service_done", handlers=by_city)
    count = Figures()
    assert [count(code, tree.suzhou) for code in ("I25", "I25T", "I25A")] == [5, 4, 2]
    assert [count(code, tree.huqiu) for code in ("I25", "I25T", "I25A")] == [0, 0, 0]


# --- Ranks and versions -----------------------------------------------------------------------------------


def test_a_small_denominator_keeps_a_unit_out_of_the_ranking_and_not_off_the_page(
    tree: Tree, settings: Any
) -> None:
    for unit, n in ((tree.suzhou, 2), (tree.wuxi, 1)):
        for _n in range(n):
            solved(unit)
    settings.RANKING_LEAST_DENOMINATOR = 2
    board = Board(Figures().snapshot, tree.jiangsu, reader(tree), by="I19")
    assert [(line.name, line.rank, line.cells[-1].value) for line in board.regions] == [
        ("无锡市", "—", "100.0"),
        ("苏州市", "1", "100.0"),
    ]
    assert board.ranking is not None
    assert "无锡市" not in board.ranking


@pytest.fixture
def changed_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    """From 2025 on "filed" counts what was accepted, by a second version of its definition."""
    old = replace(CATALOGUE["I12"], valid_to=date(2024, 12, 31))
    new = replace(CATALOGUE["I12"], version="2", bases=("accepted",), valid_from=date(2025, 1, 1))
    others = tuple(one for one in indicators.DECLARED if one.code != "I12")
    monkeypatch.setattr(indicators, "DECLARED", (*others, old, new))
    monkeypatch.setitem(CATALOGUE, "I12", new)


@pytest.mark.usefixtures("changed_rule")
def test_each_period_is_counted_by_the_definition_in_force_on_its_last_day(tree: Tree) -> None:
    problem(tree.huqiu, (S.SUBMITTED, SPRING))
    problem(tree.huqiu, (S.SUBMITTED, date(2025, 3, 1)))
    problem(tree.huqiu, (S.SUBMITTED, date(2025, 3, 1)), (S.ACCEPTED, date(2025, 3, 2)))
    before, now = Figures("2024"), Figures("2025")
    assert (before("I12", tree.huqiu), now("I12", tree.huqiu)) == (1, 1)
    assert [count.snapshot.definitions["I12"] for count in (before, now)] == ["1", "2"]
    assert [figures.definitions(count.snapshot)["I12"].version for count in (before, now)] == ["1", "2"]
    assert before.snapshot.definitions["I13"] == now.snapshot.definitions["I13"] == "1"


@pytest.mark.usefixtures("changed_rule")
def test_figures_of_two_definitions_are_never_compared(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    for code in ("2023", "2024", "2025"):
        problem(tree.huqiu, (S.SUBMITTED, date(int(code), 3, 1)), (S.ACCEPTED, date(int(code), 3, 2)))
        snapshot = Figures(code).snapshot
    lines = {line.indicator.code: line for line in figures.headline(snapshot, tree.huqiu, ["I12", "I13"])}
    assert (lines["I12"].value, lines["I12"].previous) == (1, 1)
    assert lines["I12"].change.text == "口径不同，不作比较"
    assert lines["I13"].change.text == "与上年持平"
    # The trend breaks off where the rule changed, and says so.
    monkeypatch.setattr("bulletins.dashboard.HEADLINES", ("I12", "I13"))
    board = Board(
        snapshot,
        tree.huqiu,
        reader(tree),
        by="I13",
        series=snapshots_before(snapshot.period, Period.objects.all()),
    )
    series = {code: [figure.value for figure in told] for code, told in board.series.items()}
    assert series == {"I12": [None, None, 1], "I13": [1, 1, 1]}


@pytest.mark.parametrize(
    ("this", "last", "words"),
    [
        (Decimal(50), Decimal(40), "同比提高10.0个百分点"),
        (Decimal(50), None, "上年同期没有比率"),
        (None, Decimal(1), ""),
    ],
)
def test_a_bulletin_says_points_of_rates(this: Decimal | None, last: Decimal | None, words: str) -> None:
    assert circular.points(this, last) == words


def test_a_consortium_does_not_make_other_ledgers_report(tree: Tree) -> None:
    consortium(tree.beijing)
    count = Figures()
    assert [count(code, tree.beijing) for code in ("I21", "I22", "I23", "I24", "I25")] == [None] * 5
