"""The counting rules of `domain.md` 5.4 on rows counted by hand; each test says its rule."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from bulletins import services
from bulletins.figures import net_solved, of_unit, regions
from bulletins.indicators import CATALOGUE
from bulletins.models import StatValue
from projects.models import Bottleneck, ChainProject
from tests import factories
from tests.bulletins.ledger import (
    SPRING,
    Figures,
    Tree,
    add_events,
    consortium,
    firm,
    key_project,
    problem,
    project,
    solved,
    takes_part,
)
from tests.worlds import world

pytestmark = pytest.mark.django_db
S = Bottleneck.Status
SHANGHAI = ZoneInfo("Asia/Shanghai")
UTC = ZoneInfo("UTC")


@world
def tree() -> Tree:
    return Tree()


# --- Rule 1 -----------------------------------------------------------------------------------------------


def test_rule_1_a_firm_is_counted_once_at_each_level_and_the_sum_of_the_parts_is_more(tree: Tree) -> None:
    both = firm()
    takes_part(both, project(tree.huqiu))
    takes_part(both, project(tree.wujiang))
    takes_part(both, project(tree.binhu))
    takes_part(firm(), project(tree.binhu))
    count = Figures()
    assert [count("I07", unit) for unit in (tree.huqiu, tree.wujiang, tree.binhu)] == [1, 1, 2]
    assert [count("I07", unit) for unit in (tree.suzhou, tree.wuxi)] == [1, 2]
    assert count("I07", tree.jiangsu) == 2
    assert count("I07", tree.nation) == 2
    assert count("I08", tree.nation) == 4


def test_rule_1_a_firm_in_two_projects_of_one_unit_counts_once_there(tree: Tree) -> None:
    leader = firm()
    takes_part(leader, project(tree.huqiu), "leader")
    takes_part(leader, project(tree.huqiu), "leader")
    count = Figures()
    assert (count("I05", tree.huqiu), count("I06", tree.huqiu)) == (1, 2)
    assert (count("I05", tree.nation), count("I06", tree.nation)) == (1, 2)


def test_rule_1_a_firm_of_two_chains_counts_once_in_each_chain_and_once_in_all(tree: Tree) -> None:
    robots, bearings = factories.chain(), factories.chain("C02", "轴承")
    both = firm()
    takes_part(both, project(tree.huqiu, robots))
    takes_part(both, project(tree.wujiang, bearings))
    count = Figures()
    assert count("I07", tree.suzhou, robots) == 1
    assert count("I07", tree.suzhou, bearings) == 1
    assert count("I07", tree.suzhou) == 1


def test_rule_1_holds_whatever_the_order_in_which_bureaus_were_founded(tree: Tree) -> None:
    youngest = factories.bureau("320506", "吴中区", tree.suzhou)
    everywhere = firm()
    for unit in (tree.huqiu, tree.binhu, youngest, tree.suzhou):
        takes_part(everywhere, project(unit))
    count = Figures()
    assert [count("I07", unit) for unit in (tree.suzhou, tree.wuxi, tree.jiangsu)] == [1, 1, 1]
    assert [count("I08", unit) for unit in (tree.suzhou, tree.wuxi, tree.jiangsu)] == [3, 1, 4]


def test_rule_1_institutions_are_distinct_like_firms(tree: Tree) -> None:
    laboratory = factories.institution()
    takes_part(laboratory, project(tree.huqiu), "enabler")
    takes_part(laboratory, project(tree.dongcheng), "enabler")
    count = Figures()
    assert [count("I09", unit) for unit in (tree.jiangsu, tree.beijing, tree.nation)] == [1, 1, 1]


def test_rule_1_rows_of_a_unit_itself_count_with_those_below_it(tree: Tree) -> None:
    member = firm()
    takes_part(member, project(tree.jiangsu))
    takes_part(member, project(tree.huqiu))
    takes_part(firm(), project(tree.nation))
    count = Figures()
    assert [count("I07", unit) for unit in (tree.huqiu, tree.jiangsu, tree.nation)] == [1, 1, 2]


# --- Rule 2 -----------------------------------------------------------------------------------------------


def test_rule_2_leader_here_and_member_there_counts_in_both_and_once_in_the_union(tree: Tree) -> None:
    one = firm()
    takes_part(one, project(tree.huqiu), "leader")
    takes_part(one, project(tree.wujiang), "member")
    takes_part(firm(), project(tree.binhu), "member")
    count = Figures()
    assert [count(code, tree.jiangsu) for code in ("I05", "I07", "I07U")] == [1, 2, 2]
    assert [count(code, tree.suzhou) for code in ("I05", "I07", "I07U")] == [1, 1, 1]
    assert [count(code, tree.huqiu) for code in ("I05", "I07", "I07U")] == [1, 0, 1]


def test_rule_2_a_member_that_leads_the_same_project_is_no_member(tree: Tree) -> None:
    one, work = firm(), project(tree.huqiu)
    takes_part(one, work, "leader")
    takes_part(one, work, "member")
    count = Figures()
    assert [count(code, tree.huqiu) for code in ("I05", "I07", "I08", "I07U")] == [1, 0, 0, 1]


def test_rule_2_who_led_the_same_project_before_the_period_is_a_member_now(tree: Tree) -> None:
    one, work = firm(), project(tree.huqiu, start_on=date(2023, 2, 1))
    takes_part(one, work, "leader", left_on=date(2023, 12, 31))
    takes_part(one, work, "member", joined_on=date(2024, 1, 1))
    count = Figures()
    assert (count("I05", tree.huqiu), count("I07", tree.huqiu)) == (0, 1)


# --- Rule 3 -----------------------------------------------------------------------------------------------


def test_rule_3_a_cross_region_project_counts_for_its_lead_and_as_joined_for_the_others(tree: Tree) -> None:
    project(tree.jiangsu, regions=[tree.jiangsu, tree.liaoning, tree.beijing], tier="cross_region")
    project(tree.liaoning)
    count = Figures()
    assert [count("I01", u) for u in (tree.nation, tree.jiangsu, tree.liaoning, tree.beijing)] == [
        2,
        1,
        1,
        None,
    ]
    assert [count("I01L", u) for u in (tree.nation, tree.jiangsu, tree.liaoning)] == [1, 1, 0]
    assert [count("I01P", u) for u in (tree.jiangsu, tree.liaoning, tree.beijing)] == [0, 1, 1]
    assert count("I01P", tree.nation) == 1


def test_rule_3_firms_count_where_the_bureau_that_admitted_them_is(tree: Tree) -> None:
    work = project(tree.jiangsu, regions=[tree.liaoning])
    takes_part(firm(), work, "member", bureau=tree.dalian)
    takes_part(firm(), work, "leader")
    count = Figures()
    assert (count("I07", tree.liaoning), count("I07", tree.jiangsu)) == (1, 0)
    assert (count("I05", tree.liaoning), count("I05", tree.jiangsu)) == (0, 1)


# --- Rules 4 and 5 ----------------------------------------------------------------------------------------


def test_rule_4_a_planned_city_is_part_of_its_province_and_never_added(tree: Tree) -> None:
    project(tree.dalian)
    project(tree.liaoning)
    count = Figures()
    assert [count("I01", unit) for unit in (tree.dalian, tree.liaoning, tree.nation)] == [1, 2, 2]
    rows = regions(count.snapshot, tree.nation)
    assert rows.index(tree.dalian) == rows.index(tree.liaoning) + 1
    assert sum(count("I01", unit) or 0 for unit in rows if unit.parent_id == tree.nation.pk) == 2


def test_rule_5_the_corps_is_a_row_of_its_own_and_xinjiang_excludes_it(tree: Tree) -> None:
    project(tree.corps)
    project(tree.corps)
    project(tree.xinjiang)
    count = Figures()
    assert [count("I01", unit) for unit in (tree.xinjiang, tree.corps, tree.nation)] == [1, 2, 3]
    assert regions(count.snapshot, tree.nation)[-1] == tree.corps


# --- Rule 6 -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("moment", "year"),
    [
        (datetime(2024, 12, 31, 23, 59, 59, tzinfo=SHANGHAI), "2024"),
        (datetime(2025, 1, 1, 0, 0, 0, tzinfo=SHANGHAI), "2025"),
        (datetime(2024, 12, 31, 15, 59, 59, tzinfo=UTC), "2024"),
        (datetime(2024, 12, 31, 16, 0, 0, tzinfo=UTC), "2025"),
    ],
)
def test_rule_6_the_cut_off_is_midnight_in_shanghai(tree: Tree, moment: datetime, year: str) -> None:
    day = moment.astimezone(SHANGHAI).date()
    problem(tree.huqiu, (S.SUBMITTED, day), moments={S.SUBMITTED: moment})
    for code in ("2024", "2025"):
        assert Figures(code)("I12", tree.huqiu) == (1 if code == year else None if code < year else 0)


def test_rule_6_months_quarters_halves_and_years_count_the_days_they_hold(tree: Tree) -> None:
    for day in (date(2024, 1, 1), date(2024, 3, 31), date(2024, 4, 1), date(2024, 6, 30), date(2024, 7, 1)):
        project(tree.huqiu, start_on=day)
    codes = ("2024-01", "2024-03", "2024Q1", "2024Q2", "2024H1", "2024H2", "2024")
    assert [Figures(code)("I01", tree.huqiu) for code in codes] == [1, 1, 2, 2, 4, 1, 5]


def test_rule_6_a_row_entered_after_the_freeze_counts_in_the_next_period_as_late(tree: Tree) -> None:
    solved(tree.huqiu, date(2024, 2, 20))
    frozen = services.freeze_now(services.get_period("2024Q1"), None)
    solved(tree.huqiu, date(2024, 3, 1))
    solved(tree.huqiu, date(2024, 5, 5))
    count = Figures("2024Q2")
    assert (count("I15", tree.huqiu), count.late("I15", tree.huqiu)) == (2, 1)
    assert (count("I15", tree.nation), count.late("I15", tree.nation)) == (2, 1)
    assert Figures("2024Q1", frozen)("I15", tree.huqiu) == 1
    # The year is not frozen: there nothing is late.
    year = Figures("2024")
    assert (year("I15", tree.huqiu), year.late("I15", tree.huqiu)) == (3, 0)


def test_rule_6_a_late_row_is_counted_by_one_period_only(tree: Tree) -> None:
    project(tree.huqiu, start_on=date(2024, 1, 10))
    services.freeze_now(services.get_period("2024Q1"), None)
    project(tree.huqiu, start_on=date(2024, 1, 20))
    second = services.freeze_now(services.get_period("2024Q2"), None)
    assert Figures("2024Q2", second).late("I01", tree.huqiu) == 1
    assert Figures("2024Q3")("I01", tree.huqiu) == 0
    # A correction of the first quarter does not take it back either.
    corrected = services.freeze_now(services.get_period("2024Q1"), None, "核对归属")
    assert Figures("2024Q1", corrected)("I01", tree.huqiu) == 1


def test_rule_6_a_date_filled_in_after_the_freeze_is_late_too(tree: Tree) -> None:
    row = key_project(project(tree.huqiu), None, status="approved")
    services.freeze_now(services.get_period("2024Q1"), None)
    row.contract_on, row.status = SPRING, "running"
    row.save()
    count = Figures("2024Q2")
    assert (count("I10", tree.huqiu), count.late("I10", tree.huqiu)) == (1, 1)


# --- Rule 7 -----------------------------------------------------------------------------------------------


def test_rule_7_cumulative_figures_begin_where_the_indicator_says(tree: Tree) -> None:
    consortium(tree.huqiu, date(2023, 12, 31))
    consortium(tree.huqiu, date(2024, 1, 1))
    consortium(tree.huqiu, date(2025, 6, 1))
    consortium(tree.huqiu, date(2025, 6, 1), status="dissolved", dissolved_on=date(2025, 9, 1))
    assert [Figures(code)("I03", tree.huqiu) for code in ("2023", "2024", "2025Q2")] == [1, 1, 2]
    assert [Figures(code)("I04", tree.huqiu) for code in ("2023", "2024", "2025Q2", "2025")] == [
        None,
        1,
        3,
        2,
    ]
    assert [Figures(code)("I04D", tree.huqiu) for code in ("2024", "2025Q2", "2025")] == [0, 0, 1]


# --- Rule 8 -----------------------------------------------------------------------------------------------


def test_rule_8_a_merged_problem_counts_with_its_master(tree: Tree) -> None:
    master = solved(tree.huqiu)
    problem(tree.huqiu, (S.SUBMITTED, SPRING), (S.ACCEPTED, SPRING), (S.MERGED, SPRING), merged_into=master)
    count = Figures()
    assert count("I12", tree.huqiu) == 2
    assert count("I13", tree.huqiu) == 1
    assert count("I15", tree.huqiu) == 1


def test_rule_8_solved_is_gross_and_net_stands_beside_it(tree: Tree) -> None:
    solved(tree.huqiu)
    path = [(S.SUBMITTED, SPRING), (S.ACCEPTED, SPRING), (S.LISTED, SPRING), (S.RESOLVED, SPRING)]
    problem(tree.huqiu, *path, (S.REOPENED, date(2024, 8, 1)))
    count = Figures()
    assert (count("I15", tree.huqiu), count("I17", tree.huqiu)) == (2, 1)
    assert net_solved(of_unit(count.snapshot, tree.huqiu)) == 1
    # Solved and reopened in different quarters: each in its own.
    assert [Figures(q)("I15", tree.huqiu) for q in ("2024Q1", "2024Q3")] == [2, 0]
    assert [Figures(q)("I17", tree.huqiu) for q in ("2024Q1", "2024Q3")] == [0, 1]


def test_rule_8_a_problem_solved_twice_in_a_period_counts_once(tree: Tree) -> None:
    path = [(S.SUBMITTED, SPRING), (S.ACCEPTED, SPRING), (S.LISTED, SPRING), (S.RESOLVED, date(2024, 4, 1))]
    problem(tree.huqiu, *path, (S.REOPENED, date(2024, 6, 1)), (S.RESOLVED, date(2024, 9, 1)))
    assert Figures("2024")("I15", tree.huqiu) == 1
    assert [Figures(q)("I15", tree.huqiu) for q in ("2024Q2", "2024Q3")] == [1, 1]


def test_rule_8_past_snapshots_stay_as_they_were(tree: Tree) -> None:
    row = solved(tree.huqiu)
    frozen = services.freeze_now(services.get_period("2024"), None)
    Bottleneck.objects.filter(pk=row.pk).update(voided_at=timezone.now(), void_reason="误报")
    assert Figures("2024", frozen)("I15", tree.huqiu) == 1


# --- Rule 9 -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("never", [{"is_test": True}, {"voided_at": timezone.now(), "void_reason": "误报"}])
def test_rule_9_test_and_void_rows_never_count(tree: Tree, never: dict[str, object]) -> None:
    bad = project(tree.huqiu, **never)
    takes_part(firm(), bad, "leader")
    takes_part(firm(), bad, "member")
    key_project(bad)
    key_project(project(tree.binhu), **never)
    consortium(tree.huqiu, **never)
    solved(tree.huqiu, **never)
    count = Figures()
    assert {
        code: value
        for code, value in StatValue.objects.filter(
            snapshot=count.snapshot, bureau=tree.huqiu, chain=None
        ).values_list("indicator", "value")
        if value is not None
    } == {}
    assert (count("I01", tree.nation), count("I10", tree.nation)) == (1, None)


def test_rule_9_a_test_firm_never_counts(tree: Tree) -> None:
    work, test = project(tree.huqiu), firm(is_test=True)
    for role in ("leader", "member", "enabler"):
        takes_part(test, work, role)
    solved(tree.huqiu, organization=test)
    count = Figures()
    assert [count(code, tree.nation) for code in ("I05", "I07", "I09", "I12", "I15")] == [None] * 5


# --- Rule 10 ----------------------------------------------------------------------------------------------


def test_rule_10_a_deregistered_firm_counts_for_the_periods_in_which_it_was_active(tree: Tree) -> None:
    gone = firm(status="deregistered")
    work = project(tree.huqiu, start_on=date(2023, 5, 1))
    takes_part(gone, work, left_on=date(2024, 1, 1))
    assert [Figures(code)("I07", tree.huqiu) for code in ("2022", "2023", "2024", "2024Q1", "2024Q2")] == [
        None,
        1,
        1,
        1,
        0,
    ]


def test_rule_10_nobody_is_active_in_a_project_that_has_ended_or_not_begun(tree: Tree) -> None:
    takes_part(firm(), project(tree.huqiu, start_on=date(2023, 5, 1), closed_on=date(2023, 12, 31)))
    takes_part(firm(), project(tree.huqiu, status="approved"))
    takes_part(firm(), project(tree.huqiu, start_on=date(2024, 5, 1), closed_on=date(2024, 6, 1)))
    assert [Figures(code)("I07", tree.huqiu) for code in ("2023", "2024", "2024Q3")] == [1, 1, 0]


# --- Rule 11 ----------------------------------------------------------------------------------------------


def test_rule_11_not_reported_is_blank_and_reported_none_is_zero(tree: Tree) -> None:
    project(tree.huqiu, start_on=date(2023, 5, 1))
    count = Figures()
    assert [count("I01", unit) for unit in (tree.huqiu, tree.suzhou, tree.jiangsu, tree.nation)] == [0] * 4
    assert [count("I01", unit) for unit in (tree.wujiang, tree.binhu, tree.corps)] == [None] * 3
    # It keeps projects, but none of the other ledgers.
    assert [count(code, tree.huqiu) for code in ("I03", "I05", "I10", "I15")] == [None] * 4


def test_rule_11_rows_after_the_cut_off_do_not_make_a_report(tree: Tree) -> None:
    project(tree.huqiu, start_on=date(2025, 5, 1))
    assert Figures("2024")("I01", tree.huqiu) is None
    assert Figures("2025")("I01", tree.huqiu) == 1


def test_rule_11_every_unit_has_a_value_for_every_indicator(tree: Tree) -> None:
    count = Figures()
    rows = StatValue.objects.filter(snapshot=count.snapshot)
    assert rows.count() == 13 * len(CATALOGUE)
    assert not rows.filter(value__isnull=False).exists()


# --- Rule 12 ----------------------------------------------------------------------------------------------


def test_rule_12_a_moved_bureau_counts_under_its_new_parent_and_frozen_figures_stay(tree: Tree) -> None:
    member = firm()
    takes_part(member, project(tree.wujiang))
    takes_part(member, project(tree.binhu))
    frozen = services.freeze_now(services.get_period("2024Q1"), None)
    tree.wujiang.parent = tree.wuxi
    tree.wujiang.save()
    now, then = Figures("2024"), Figures("2024Q1", frozen)
    assert [now("I07", unit) for unit in (tree.suzhou, tree.wuxi, tree.jiangsu)] == [None, 1, 1]
    assert [then("I07", unit) for unit in (tree.suzhou, tree.wuxi, tree.jiangsu)] == [1, 1, 1]
    assert [now("I08", unit) for unit in (tree.suzhou, tree.wuxi, tree.jiangsu)] == [None, 2, 2]


# --- Rule 13 ----------------------------------------------------------------------------------------------


def test_rule_13_each_status_word_has_its_own_date(tree: Tree) -> None:
    problem(
        tree.huqiu,
        (S.SUBMITTED, date(2024, 1, 5)),
        (S.ACCEPTED, date(2024, 4, 5)),
        (S.LISTED, date(2024, 7, 5)),
        (S.RESOLVED, date(2024, 10, 5)),
    )
    quarters = [Figures(f"2024Q{number}") for number in (1, 2, 3, 4)]
    table = {
        code: [quarter(code, tree.huqiu) for quarter in quarters]
        for code in ("I12", "I13", "I14", "I15", "I16")
    }
    assert table == {
        "I12": [1, 0, 0, 0],
        "I13": [0, 1, 0, 0],
        "I14": [0, 0, 1, 0],
        "I15": [0, 0, 0, 1],
        "I16": [0, 0, 0, 1],
    }


def test_rule_13_projects_filed_or_approved_are_not_yet_implemented(tree: Tree) -> None:
    for status in ChainProject.Status:
        project(tree.huqiu, status=status)
    count = Figures()
    # executing, acceptance, accepted, failed, terminated
    assert (count("I01", tree.huqiu), count("I02", tree.huqiu)) == (5, 5)


def test_rule_13_implemented_and_completed_key_projects_have_two_dates(tree: Tree) -> None:
    key_project(project(tree.huqiu), date(2024, 2, 1), accepted_on=date(2024, 11, 1))
    assert [Figures(q)("I10", tree.huqiu) for q in ("2024Q1", "2024Q4")] == [1, 0]
    assert [Figures(q)("I11", tree.huqiu) for q in ("2024Q1", "2024Q4")] == [0, 1]


# --- What the single indicators say -----------------------------------------------------------------------


def test_weak_kinds_of_solved_are_kept_apart(tree: Tree) -> None:
    solved(tree.huqiu)
    solved(tree.huqiu, result="service_done")
    solved(tree.huqiu, result="consultation_only")
    assert Figures()("I15", tree.huqiu) == 1


def test_tasks_of_landmark_projects_are_counted_apart_from_key_projects(tree: Tree) -> None:
    work = project(tree.huqiu)
    key_project(work, kind="cross_region")
    key_project(work, kind="landmark_task", accepted_on=date(2024, 11, 1))
    count = Figures()
    assert (count("I10", tree.huqiu), count("I11", tree.huqiu)) == (1, 0)


def test_listed_is_how_it_stood_at_the_cut_off_and_counts_for_the_owner_of_the_list(tree: Tree) -> None:
    problem(
        tree.huqiu,
        (S.SUBMITTED, SPRING),
        (S.ACCEPTED, SPRING),
        (S.LISTED, SPRING),
        (S.DISPATCHED, date(2024, 12, 31)),
        (S.RESOLVED, date(2025, 1, 1)),
        list_owner=tree.suzhou,
    )
    count = Figures("2024")
    assert (count("I14", tree.suzhou), count("I14", tree.huqiu)) == (1, 0)
    assert Figures("2025")("I14", tree.suzhou) == 0


def test_overdue_is_red_at_the_cut_off_and_counts_for_the_bureau_that_handled_it_then(tree: Tree) -> None:
    path = [(S.SUBMITTED, date(2024, 12, 1)), (S.ACCEPTED, date(2024, 12, 5))]
    where = {S.SUBMITTED: tree.huqiu, S.ACCEPTED: tree.suzhou, S.LISTED: tree.jiangsu}
    red = {S.SUBMITTED: date(2024, 12, 8), S.ACCEPTED: date(2024, 12, 30)}
    problem(tree.huqiu, *path, (S.LISTED, date(2025, 1, 20)), dues=red, handlers=where)
    problem(tree.huqiu, *path, dues=red | {S.ACCEPTED: date(2024, 12, 31)}, handlers=where)
    problem(tree.huqiu, *path, (S.RETURNED, date(2024, 12, 6)), dues={S.RETURNED: date(2024, 12, 20)})
    problem(tree.huqiu, (S.SUBMITTED, date(2024, 12, 1)), dues=red)
    count = Figures("2024")
    assert [count("I18", unit) for unit in (tree.huqiu, tree.suzhou, tree.jiangsu)] == [1, 2, 2]
    # On the day after, the second one is red too; the first has gone on.
    assert Figures("2025-01")("I18", tree.jiangsu) == 2


def test_drafts_and_returned_filings_count_by_their_first_submission(tree: Tree) -> None:
    Bottleneck.objects.create(organization=firm(), bureau=tree.huqiu, handler=tree.huqiu)
    path = [(S.SUBMITTED, date(2024, 1, 5)), (S.RETURNED, date(2024, 1, 8)), (S.SUBMITTED, date(2024, 5, 1))]
    problem(tree.huqiu, *path)
    assert [Figures(q)("I12", tree.huqiu) for q in ("2024Q1", "2024Q2")] == [1, 0]


def test_all_chains_together_are_what_the_chains_hold(tree: Tree) -> None:
    robots, bearings = factories.chain(), factories.chain("C02", "轴承")
    for chain, number in ((robots, 2), (bearings, 3)):
        for _n in range(number):
            solved(tree.huqiu, SPRING + timedelta(days=number), chain=chain)
    count = Figures()
    assert [count("I15", tree.nation, chain) for chain in (robots, bearings, None)] == [2, 3, 5]
    # Where nothing was counted, a chain has no row.
    assert count("I15", tree.corps, robots) is None


# --- Rule 6: what comes after the freeze -------------------------------------------------------------------


def test_rule_6_of_two_open_periods_the_next_one_takes_what_comes_late(tree: Tree) -> None:
    services.freeze_now(services.get_period("2024Q1"), None)
    services.get_period("2024Q2")
    project(tree.huqiu, start_on=date(2024, 1, 20))
    assert [Figures(code).late("I01", tree.huqiu) for code in ("2024Q2", "2024Q3")] == [1, 0]
    services.freeze_now(services.get_period("2024Q2"), None)
    project(tree.huqiu, start_on=date(2024, 1, 25))
    assert Figures("2024Q3").late("I01", tree.huqiu) == 1


def test_rule_6_a_correction_takes_nothing_that_a_later_period_has_counted_late(tree: Tree) -> None:
    for code in ("2024Q1", "2024Q2"):
        services.freeze_now(services.get_period(code), None)
    project(tree.huqiu, start_on=date(2024, 1, 20))
    third = services.freeze_now(services.get_period("2024Q3"), None)
    assert Figures("2024Q3", third).late("I01", tree.huqiu) == 1
    for code in ("2024Q1", "2024Q2"):
        corrected = services.freeze_now(services.get_period(code), None, "核对归属")
        assert not Figures(code, corrected)("I01", tree.huqiu), code


def test_rule_6_a_row_counted_before_its_late_event_counts_again(tree: Tree) -> None:
    """Solved in one frozen quarter and again in the next: each solution is an event of its own."""
    path = [(S.SUBMITTED, SPRING), (S.ACCEPTED, SPRING), (S.LISTED, SPRING), (S.RESOLVED, SPRING)]
    row = problem(tree.huqiu, *path)
    for code in ("2024Q1", "2024Q2"):
        services.freeze_now(services.get_period(code), None)
    add_events(row, (S.REOPENED, date(2024, 4, 10)), (S.RESOLVED, date(2024, 5, 10)))
    count = Figures("2024Q3")
    assert (count("I15", tree.huqiu), count.late("I15", tree.huqiu)) == (1, 1)


def test_rule_6_what_was_open_to_doubt_at_the_freeze_and_is_decided_later_is_late(tree: Tree) -> None:
    """Recorded by the freeze is what the freeze has counted: a row voided by mistake comes back late."""
    row = project(tree.huqiu, start_on=date(2024, 1, 20), voided_at=timezone.now(), void_reason="误作废")
    services.freeze_now(services.get_period("2024Q1"), None)
    row.voided_at, row.void_reason = None, ""
    row.save()
    assert Figures("2024Q2").late("I01", tree.huqiu) == 1
