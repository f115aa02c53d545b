"""Clocks over the holidays of three years, and what the system does when they have run out."""

from datetime import date, datetime, time, timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.utils import timezone

from accounts.models import Notice, Role
from projects import services
from projects.clock import about_clock, clock_of
from projects.models import Bottleneck
from projects.notices import tell_of_clocks
from projects.timekeeping import keep_time
from tests import factories
from tests.factories import Cast, S

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast() -> Cast:
    return Cast()


def noon(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time(12)))


def filed_on(cast: Cast, day: date) -> Bottleneck:
    row = factories.draft(cast.filer)
    services.move(row, "submit", by=cast.filer, at=noon(day))
    return row


# --- Working days ------------------------------------------------------------------------------------------


# Counted by hand from the holiday notices of the State Council: free days, and weekend days that are worked.
@pytest.mark.parametrize(
    ("filed", "amber", "due"),
    [
        # Spring Festival 2024: 10 to 17 February free, Sunday the 18th worked.
        (date(2024, 2, 8), date(2024, 2, 20), date(2024, 2, 21)),
        # National Day 2024: 1 to 7 October free, Sunday 29 September worked.
        (date(2024, 9, 27), date(2024, 10, 9), date(2024, 10, 10)),
        # Spring Festival 2025: 28 January to 4 February free, Sunday 26 January worked.
        (date(2025, 1, 24), date(2025, 2, 6), date(2025, 2, 7)),
        # National Day 2025: 1 to 8 October free, Sunday 28 September worked.
        (date(2025, 9, 26), date(2025, 10, 9), date(2025, 10, 10)),
        # Spring Festival 2026: 15 to 23 February free, Saturday the 14th worked.
        (date(2026, 2, 12), date(2026, 2, 25), date(2026, 2, 26)),
        # National Day 2026: 1 to 7 October free, Saturday the 10th worked.
        (date(2026, 9, 29), date(2026, 10, 10), date(2026, 10, 12)),
    ],
)
def test_five_working_days_over_a_holiday(cast: Cast, filed: date, amber: date, due: date) -> None:
    row = filed_on(cast, filed)
    assert (row.clock_started_on, row.clock_amber_on, row.clock_due_on) == (filed, amber, due)
    states = [clock_of(row, day)["state"] for day in (amber - timedelta(days=1), amber, due)]
    assert states == ["green", "amber", "amber"]
    assert clock_of(row, due + timedelta(days=1))["state"] == "red"
    assert list(Bottleneck.objects.due_soon_on(amber)) == [row]
    assert not Bottleneck.objects.due_soon_on(amber - timedelta(days=1)).exists()
    assert list(Bottleneck.objects.overdue_on(due + timedelta(days=1))) == [row]


def test_a_province_has_twice_as_long_for_its_review(cast: Cast) -> None:
    row = cast.bring_to(S.ACCEPTED, at=noon(date(2026, 3, 2)))
    assert row.clock_due_on == date(2026, 3, 9)
    data = {"high_grade": "PROV", "reason": "涉及全省。"}
    services.move(row, "escalate", by=cast.city_officer, data=data, at=noon(date(2026, 3, 3)))
    assert (row.handler, row.grade) == (cast.city.parent, "PROV")
    assert (row.clock_started_on, row.clock_due_on) == (date(2026, 3, 3), date(2026, 3, 17))


def test_a_review_goes_down_one_step_and_never_to_who_checked_the_filing(cast: Cast) -> None:
    row = cast.bring_to(S.ACCEPTED)
    province = factories.user(Role.OFFICER, cast.city.parent)
    with pytest.raises(PermissionDenied, match="下面没有"):
        services.move(row, "hand_down", by=cast.city_officer, data={"reason": "交县。"})
    services.move(
        row, "escalate", by=cast.city_officer, data={"high_grade": "NATION", "reason": "涉及全国。"}
    )
    services.move(row, "hand_down", by=province, data={"reason": "本市可以解决。"})
    assert row.handler == cast.city
    services.move(row, "escalate", by=cast.city_officer, data={"high_grade": "PROV", "reason": "涉及全省。"})
    with pytest.raises(ValidationError, match="须为国家级"):
        services.move(row, "escalate", by=province, data={"high_grade": "PROV", "reason": "上交。"})
    services.move(row, "hand_down", by=province, data={"reason": "本市可以解决。"})
    with pytest.raises(ValidationError, match="省级或国家级"):
        services.move(row, "escalate", by=cast.city_officer, data={"high_grade": "CITY", "reason": "上交。"})


# --- Extensions --------------------------------------------------------------------------------------------


def extend(row: Bottleneck, by: Any, to: date, at: date) -> None:
    data = {"extended_to": to, "reason": "检测排期在下周。"}
    services.move(row, "extend", by=by, data=data, at=noon(at))


def test_a_limit_is_extended_twice_and_the_firms_own_once(cast: Cast) -> None:
    row = filed_on(cast, date(2026, 3, 2))
    for to in (date(2026, 3, 16), date(2026, 3, 20)):
        extend(row, cast.county_officer, to, date(2026, 3, 5))
        assert row.clock_due_on == to
    assert row.clock_started_on == date(2026, 3, 2)
    # Fourteen working days: the tenth of them.
    assert row.clock_amber_on == date(2026, 3, 16)
    with pytest.raises(PermissionDenied, match="已经延期 2 次"):
        extend(row, cast.county_officer, date(2026, 3, 27), date(2026, 3, 5))
    services.move(
        row, "return", by=cast.county_officer, data={"gaps": [{"field": "", "text": "补数据。"}]},
        at=noon(date(2026, 3, 6)),
    )  # fmt: skip
    assert row.extended_count == 0
    extend(row, cast.county_officer, date(2026, 3, 31), date(2026, 3, 9))
    with pytest.raises(PermissionDenied, match="已经延期 1 次"):
        extend(row, cast.county_officer, date(2026, 4, 10), date(2026, 3, 10))


@pytest.mark.parametrize("to", [date(2026, 3, 9), date(2026, 3, 4)])
def test_an_extension_ends_after_the_limit(cast: Cast, to: date) -> None:
    row = filed_on(cast, date(2026, 3, 2))
    assert row.clock_due_on == date(2026, 3, 9)
    with pytest.raises(ValidationError) as refusal:
        extend(row, cast.county_officer, to, date(2026, 3, 5))
    assert list(refusal.value.message_dict) == ["extended_to"]


def test_an_extension_of_the_work_moves_its_plan_date(cast: Cast) -> None:
    row = cast.bring_to(S.IN_PROGRESS)
    later = row.due_on + timedelta(days=20)
    services.move(row, "extend", by=cast.city_officer, data={"extended_to": later, "reason": "等待材料。"})
    assert (row.due_on, row.clock_due_on) == (later, later)


# --- What time does ----------------------------------------------------------------------------------------


def test_three_working_days_after_its_limit_a_late_problem_is_reported_upwards_once(cast: Cast) -> None:
    row = filed_on(cast, date(2024, 9, 24))
    assert row.clock_due_on == date(2024, 9, 30)
    # 8, 9 and 10 October are the next working days.
    assert keep_time(date(2024, 10, 9)) == 0
    assert keep_time(date(2024, 10, 10)) == 1
    assert keep_time(date(2024, 10, 10)) == keep_time(date(2024, 10, 20)) == 0
    row.refresh_from_db()
    assert (row.status, row.escalated_to) == (S.SUBMITTED, cast.city)
    [event] = row.transitions.filter(move="report_up")
    assert (event.actor, event.bureau, event.source, event.target) == (None, None, S.SUBMITTED, S.SUBMITTED)
    told = Notice.objects.filter(source=f"transition:{event.pk}")
    assert [notice.user for notice in told] == [cast.city_officer]
    assert "已超期上报苏州市市场监督管理局督办。" in about_clock(row)
    services.move(row, "accept", by=cast.county_officer)
    assert row.escalated_to is None


def test_a_job_that_was_late_does_the_same(cast: Cast) -> None:
    row = filed_on(cast, date(2024, 9, 24))
    assert keep_time(date(2024, 12, 2)) == 1
    row.refresh_from_db()
    assert row.escalated_to == cast.city


def test_what_waits_for_the_firm_is_not_the_bureaus_delay(cast: Cast) -> None:
    row = cast.bring_to(S.SOLUTION_FILED)
    with pytest.raises(PermissionDenied, match="还没有届满"):
        services.move(row, "visit", by=cast.city_officer, data={"reason": "已上门。"})
    days = dict.fromkeys(("clock_started_on", "clock_amber_on", "clock_due_on"), date(2026, 3, 2))
    Bottleneck.objects.filter(pk=row.pk).update(**days)
    row.refresh_from_db()
    assert "等待企业确认，办理时限暂停。" in about_clock(row)
    keep_time(date(2026, 6, 1))
    row.refresh_from_db()
    assert (row.status, row.escalated_to) == (S.SOLUTION_FILED, None)
    # Silence is no consent: the county visits the firm, and the answer stays the firm's own.
    with pytest.raises(PermissionDenied, match="提出企业"):
        services.move(row, "confirm", by=cast.city_officer)
    services.move(row, "visit", by=cast.city_officer, data={"reason": "已上门。"})
    assert row.status == S.SOLUTION_FILED


def test_a_filing_that_is_not_completed_lapses_the_day_after(cast: Cast) -> None:
    row = filed_on(cast, date(2025, 1, 23))
    gaps = {"gaps": [{"field": "symptom", "text": "请写明时间。"}]}
    services.move(row, "return", by=cast.county_officer, data=gaps, at=noon(date(2025, 1, 24)))
    # 26 and 27 January, 5 to 8 and 10 to 13 February.
    assert row.clock_due_on == date(2025, 2, 13)
    assert keep_time(date(2025, 2, 13)) == 0
    assert keep_time(date(2025, 2, 14)) == 1
    row.refresh_from_db()
    assert (row.status, row.clock_due_on) == (S.LAPSED, None)


def test_what_is_solved_is_archived_when_it_can_no_longer_be_reopened(cast: Cast) -> None:
    row = cast.bring_to(S.RESOLVED)
    Bottleneck.objects.filter(pk=row.pk).update(resolved_at=noon(date(2024, 2, 29)))
    row.refresh_from_db()
    assert keep_time(date(2025, 2, 28)) == 0
    services.judge(row, services.MOVES["reopen"], cast.filer, noon(date(2025, 2, 28)))
    assert keep_time(date(2025, 3, 1)) == 1
    row.refresh_from_db()
    assert row.status == S.ARCHIVED
    assert list(Bottleneck.objects.filter(status__in=Bottleneck.SOLVED)) == [row]


def test_institutions_are_asked_for_the_report_of_the_month_once(cast: Cast) -> None:
    row = cast.bring_to(S.IN_PROGRESS, at=noon(date(2026, 3, 2)))
    Notice.objects.all().delete()
    keep_time(date(2026, 4, 4))
    assert not Notice.objects.exists()
    for day in (5, 6):
        keep_time(date(2026, 4, day))
    assert [notice.user for notice in Notice.objects.filter(source__startswith="report:")] == [cast.engineer]
    data = {"percent": 0, "reason": "样品已到。"}
    services.move(row, "report", by=cast.engineer, data=data, at=noon(date(2026, 5, 3)))
    keep_time(date(2026, 5, 6))
    assert Notice.objects.filter(source__startswith="report:").count() == 1


# --- Appeals and new filings ------------------------------------------------------------------------------


def test_a_refusal_is_appealed_once_and_to_the_level_above(cast: Cast) -> None:
    row = cast.bring_to(S.REJECTED)
    services.move(row, "appeal", by=cast.filer, data={"reason": "是工艺问题。"})
    assert (row.status, row.handler) == (S.SUBMITTED, cast.city)
    with pytest.raises(PermissionDenied):
        services.move(row, "accept", by=cast.county_officer)
    data = {"reason_code": "dispute", "reason": "仍属合同纠纷。", "turn_to": "当地人民法院"}
    services.move(row, "reject", by=cast.city_officer, data=data)
    with pytest.raises(PermissionDenied, match="申诉过一次"):
        services.move(row, "appeal", by=cast.filer, data={"reason": "再申诉。"})


def test_what_was_withdrawn_is_filed_again_with_everything_it_said(cast: Cast) -> None:
    row = cast.bring_to(S.WITHDRAWN)
    first = services.refile(row, by=cast.filer, public_id=factories.uuid.uuid4())
    again = services.refile(row, by=cast.filer, public_id=factories.uuid.uuid4())
    assert first == again
    assert (first.status, first.code, first.refiled_from) == (S.DRAFT, None, row)
    assert (first.title, first.symptom, first.help_wanted) == (row.title, row.symptom, row.help_wanted)
    assert [(m.metric, m.target, m.value_after) for m in first.measures.all()] == [
        (m.metric, m.target, None) for m in row.measures.all()
    ]
    assert first.contact.name == row.contact.name
    services.move(first, "submit", by=cast.filer)
    assert first.code != row.code
    for person, ended in ((cast.county_officer, row), (factories.user(Role.FILER), row)):
        with pytest.raises(PermissionDenied):
            services.refile(ended, by=person, public_id=factories.uuid.uuid4())
    with pytest.raises(ValidationError, match="撤回或逾期失效"):
        services.refile(first, by=cast.filer, public_id=factories.uuid.uuid4())


# --- Masters and children ----------------------------------------------------------------------------------


def test_children_are_solved_and_open_again_with_their_master(cast: Cast) -> None:
    master, child = cast.bring_to(S.ACCEPTED), cast.bring_to(S.ACCEPTED)
    data = {"master": master, "kind": "repeat", "reason": "同一缺口。"}
    services.move(child, "merge", by=cast.city_officer, data=data)
    with pytest.raises(ValidationError, match="已有其他问题归并"):
        other = cast.bring_to(S.ACCEPTED)
        services.move(master, "merge", by=cast.city_officer, data={"master": other, "reason": "同一缺口。"})
    for move in ("list", "dispatch", "take", "file_solution", "confirm", "verify"):
        cast.make(master, move)
    child.refresh_from_db()
    assert (child.status, child.result, child.resolved_at) == (S.MERGED, master.result, master.resolved_at)
    with pytest.raises(PermissionDenied, match="主问题已经解决"):
        services.move(child, "unmerge", by=cast.city_officer, data={"reason": "不同规格。"})
    services.move(master, "reopen", by=cast.filer, data={"reason": "又出现。"})
    followed = [event.details["state"] for event in child.transitions.filter(move="follow")]
    assert followed == [S.RESOLVED, S.REOPENED]
    services.move(child, "unmerge", by=cast.city_officer, data={"reason": "不同规格。"})
    assert (child.status, child.merged_into, child.result, child.resolved_at) == (S.ACCEPTED, None, "", None)


def test_a_problem_whose_master_is_given_up_goes_its_own_way(cast: Cast) -> None:
    master, child = cast.bring_to(S.ACCEPTED), cast.bring_to(S.ACCEPTED)
    services.move(child, "merge", by=cast.city_officer, data={"master": master, "reason": "同一缺口。"})
    services.move(master, "withdraw", by=cast.filer, data={"reason": "停产。"})
    services.move(child, "unmerge", by=cast.city_officer, data={"reason": "主问题已撤回。"})
    assert (child.status, child.merged_into) == (S.ACCEPTED, None)


def test_a_clock_that_was_put_off_is_told_of_anew(cast: Cast) -> None:
    row = filed_on(cast, date(2026, 3, 2))
    Notice.objects.all().delete()
    tell_of_clocks(row.clock_amber_on)
    extend(row, cast.county_officer, date(2026, 3, 20), date(2026, 3, 9))
    tell_of_clocks(row.clock_amber_on)
    amber = Notice.objects.filter(user=cast.county_officer, kind="amber")
    assert [notice.details["due"] for notice in amber.order_by("pk")] == ["2026-03-09", "2026-03-20"]


@pytest.mark.django_db(transaction=True)
def test_a_merger_undone_while_its_master_is_solved_leaves_both_whole() -> None:
    cast = Cast()
    master, child = cast.bring_to(S.ACCEPTED), cast.bring_to(S.ACCEPTED)
    services.move(child, "merge", by=cast.city_officer, data={"master": master, "reason": "同一缺口。"})
    for move in ("list", "dispatch", "take", "file_solution", "confirm"):
        cast.make(master, move)
    outcomes = factories.at_once(
        lambda: cast.make(master, "verify"),
        lambda: services.move(child, "unmerge", by=cast.city_officer, data={"reason": "不同规格。"}),
    )
    master.refresh_from_db()
    child.refresh_from_db()
    assert master.status == S.RESOLVED
    if isinstance(outcomes[1], PermissionDenied):
        assert (child.status, child.result) == (S.MERGED, master.result)
    else:
        assert (child.status, child.merged_into, child.result) == (S.ACCEPTED, None, "")
    for row in (master, child):
        assert row.transitions.last().target == row.status


def test_a_firm_that_says_partly_keeps_the_problem_from_being_struck_off(cast: Cast) -> None:
    row = cast.bring_to(S.SOLUTION_FILED)
    services.move(row, "confirm_partly", by=cast.filer, data={"reason": "大规格未达标。"})
    with pytest.raises(PermissionDenied, match="没有确认全部解决"):
        cast.make(row, "verify")
    services.move(row, "verify_partly", by=cast.verifier, data={"reason": "大规格继续。"})
    with pytest.raises(PermissionDenied, match="没有确认全部解决"):
        cast.make(row, "verify")


def test_money_is_never_claimed_without_its_formula(cast: Cast) -> None:
    row = cast.bring_to(S.VERIFICATION)
    cast.make(row, "verify", effect=(factories.Decimal("120000"), "每批少返工 3 万元 × 4 批，2026 年。"))
    assert (row.economic_effect, row.economic_basis[:3]) == (factories.Decimal("120000"), "每批少")
