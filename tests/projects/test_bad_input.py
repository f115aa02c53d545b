"""What goes wrong around a problem: races, lateness, lying clocks, people who leave, circles, false papers.

Each is answered by a sentence and leaves the problem whole.
"""

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import Notice, Role, User
from projects import followups, reports, services, twins
from projects.models import Bottleneck, Evidence, Transition, TwinJudgement
from projects.notices import tell_of_clocks
from projects.proof import verdict_of
from projects.services import StaleRow
from projects.timekeeping import keep_time
from projects.workflow import MOVES
from tests import factories
from tests.factories import Cast, at_once, draft, solution, user
from tests.projects.test_workflow import data_for, state_of

pytestmark = pytest.mark.django_db
S = Bottleneck.Status
GAPS = {"gaps": [{"field": "symptom", "text": "请写明时间。"}]}
MERGE = {"reason": "同一缺口。"}


@pytest.fixture
def cast() -> Cast:
    return Cast()


def noon(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time(12)))


def returned_on(cast: Cast, day: date) -> Bottleneck:
    row = draft(cast.filer)
    services.move(row, "submit", by=cast.filer, at=noon(day))
    services.move(row, "return", by=cast.county_officer, data=GAPS, at=noon(day))
    return row


# --- Two people at once ------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("status", "one", "other"),
    [
        (S.ACCEPTED, ("city_officer", "list"), ("filer", "withdraw")),
        (S.DISPATCHED, ("engineer", "take"), ("engineer", "decline")),
        (S.IN_PROGRESS, ("engineer", "file_solution"), ("city_officer", "suspend")),
        (S.IN_PROGRESS, ("city_officer", "extend"), ("city_officer", "terminate")),
        (S.SOLUTION_FILED, ("filer", "confirm"), ("filer", "dispute")),
        (S.VERIFICATION, ("verifier", "verify"), ("verifier", "rework")),
        (S.RESOLVED, ("filer", "reopen"), ("city_officer", "reopen")),
    ],
)
def test_of_two_who_looked_at_the_same_row_one_wins_and_the_other_is_told(
    status: str, one: tuple[str, str], other: tuple[str, str]
) -> None:
    cast = Cast()
    row = cast.bring_to(status)
    steps, version = row.transitions.count(), row.version

    def clicked(who: str, name: str) -> Callable[[], Transition]:
        copy, data = Bottleneck.objects.get(pk=row.pk), data_for(cast, row, name)
        return lambda: services.move(copy, name, by=getattr(cast, who), data=data, version=version)

    results = at_once(clicked(*one), clicked(*other))
    assert sorted(type(result).__name__ for result in results) == ["StaleRow", "Transition"]
    won, lost = sorted(results, key=lambda result: isinstance(result, StaleRow))
    assert str(MOVES[won.move].done) in str(lost) and "没有执行" in str(lost)
    row.refresh_from_db()
    assert (row.status, row.version, row.transitions.count()) == (won.target, version + 1, steps + 1)


# --- Out of order ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "who", "name"),
    [
        (S.SUBMITTED, "city_officer", "dispatch"),
        (S.ACCEPTED, "county_officer", "accept"),
        (S.LISTED, "engineer", "file_solution"),
        (S.IN_PROGRESS, "verifier", "verify"),
        (S.RESOLVED, "filer", "confirm"),
        (S.TERMINATED, "city_officer", "resume"),
    ],
)
def test_a_move_out_of_order_is_told_what_happened_last_and_where_the_problem_is(
    cast: Cast, status: str, who: str, name: str
) -> None:
    row = cast.bring_to(status)
    before, last = state_of(row), row.transitions.last()
    with pytest.raises(StaleRow) as refusal:
        services.move(row, name, by=getattr(cast, who), data=data_for(cast, row, name))
    assert str(MOVES[last.move].done) in str(refusal.value)
    assert f"“{row.get_status_display()}”" in str(refusal.value)
    assert state_of(row) == before


# --- Clocks that have run out ------------------------------------------------------------------------------


def test_an_answer_that_is_late_is_taken_until_the_problem_has_lapsed(cast: Cast) -> None:
    late, lapsed = (returned_on(cast, date(2026, 3, 2)) for _n in range(2))
    day = late.clock_due_on + timedelta(days=1)
    services.move(late, "submit", by=cast.filer, at=noon(day))
    assert late.status == S.SUBMITTED
    assert keep_time(day) == 1
    with pytest.raises(StaleRow, match="逾期未补正，已失效"):
        services.move(lapsed, "submit", by=cast.filer, at=noon(day))
    # What was written is not lost.
    again = services.refile(lapsed, by=cast.filer, public_id=factories.uuid.uuid4())
    assert (again.status, again.symptom) == (S.DRAFT, lapsed.symptom)


def test_a_bureau_that_is_late_still_decides_or_puts_it_off_to_a_day_to_come(cast: Cast) -> None:
    rows = [cast.bring_to(S.SUBMITTED, at=noon(date(2026, 3, 2))) for _n in range(2)]
    late = rows[0].clock_due_on + timedelta(days=20)
    services.move(rows[0], "accept", by=cast.county_officer, at=noon(late))
    assert rows[0].clock_started_on == late
    put_off = {"extended_to": late, "reason": "排队检测。"}
    with pytest.raises(ValidationError, match="晚于今天"):
        services.move(rows[1], "extend", by=cast.county_officer, data=put_off, at=noon(late))
    put_off["extended_to"] += timedelta(days=5)
    services.move(rows[1], "extend", by=cast.county_officer, data=put_off, at=noon(late))
    assert rows[1].clock_due_on == put_off["extended_to"]


def test_a_call_that_is_not_closed_is_not_awarded(cast: Cast) -> None:
    row = cast.bring_to(S.POSTED)
    data = {"assigned_to": cast.lab, "reason": "评审第一名。"}
    for name in ("award", "no_taker"):
        with pytest.raises(PermissionDenied, match="征集还没有截止"):
            services.move(row, name, by=cast.city_officer, data=data, at=noon(row.clock_due_on))


# --- The server's time is set back -------------------------------------------------------------------------


def test_no_step_is_dated_before_the_one_it_follows_and_limits_run_by_the_day(cast: Cast) -> None:
    ahead, today = date(2026, 3, 16), date(2026, 3, 2)
    row = cast.bring_to(S.SUBMITTED, at=noon(ahead))
    services.move(row, "accept", by=cast.county_officer, at=noon(today))
    assert [event.at for event in row.transitions.all()] == [noon(ahead)] * 2
    assert row.submitted_at == row.accepted_at == row.status_changed_at == noon(ahead)
    assert (row.clock_started_on, row.clock_due_on) == (today, date(2026, 3, 9))
    # A plan may end on a day that the wrong clock took for past.
    cast.make(row, "list", at=noon(today), due_on=date(2026, 3, 10))
    assert row.due_on == date(2026, 3, 10)


def test_a_job_that_runs_with_an_earlier_day_undoes_nothing_and_repeats_nothing(cast: Cast) -> None:
    reported = cast.bring_to(S.SUBMITTED, at=noon(date(2024, 9, 24)))
    lapsed = returned_on(cast, date(2024, 9, 2))
    running = returned_on(cast, date(2024, 9, 26))
    solved = cast.bring_to(S.RESOLVED)
    Bottleneck.objects.filter(pk=solved.pk).update(resolved_at=noon(date(2024, 7, 1)))
    day = date(2024, 10, 10)
    tell_of_clocks(day)
    assert (keep_time(day), followups.ask(day)) == (2, 1)
    rows = (reported, lapsed, running, solved)
    before, told = [state_of(row) for row in rows], Notice.objects.count()
    for earlier in (date(2024, 10, 9), date(2024, 10, 1)):
        assert (keep_time(earlier), followups.ask(earlier)) == (0, 0)
    assert (keep_time(day), followups.ask(day), tell_of_clocks(day)) == (0, 0, 0)
    assert [state_of(row) for row in rows] == before
    assert Notice.objects.count() == told
    assert [Bottleneck.objects.get(pk=row.pk).status for row in rows] == [
        S.SUBMITTED, S.LAPSED, S.RETURNED, S.RESOLVED,
    ]  # fmt: skip


# --- People who have left ----------------------------------------------------------------------------------


def leave(person: User) -> User:
    """The account is closed; read anew, as the next request does."""
    person.is_active = False
    person.save()
    return User.objects.get(pk=person.pk)


def test_what_an_officer_leaves_behind_waits_for_the_others_of_the_bureau(cast: Cast) -> None:
    row = cast.filed()
    left = leave(cast.county_officer)
    before = state_of(row)
    with pytest.raises(PermissionDenied, match="这一步由办理单位办理"):
        services.move(row, "accept", by=left)
    assert state_of(row) == before
    Notice.objects.all().delete()
    services.move(row, "return", by=cast.verifier, data=GAPS)
    services.move(row, "submit", by=cast.filer)
    told = Notice.objects.filter(kind="waiting", details__code=row.code)
    assert {notice.user for notice in told} == {cast.filer, cast.verifier}
    leave(cast.verifier)
    other = cast.filed()
    told = Notice.objects.filter(kind="waiting", details__code=other.code)
    assert [notice.user for notice in told] == [cast.city_officer], "the nearest bureau above hears of it"


def test_who_has_left_loses_the_open_page_and_changes_nothing(cast: Cast, client: Client) -> None:
    row = cast.filed()
    client.force_login(cast.county_officer)
    address = reverse("projects:bottleneck_move", args=[row.public_id, "accept"])
    assert client.get(address).status_code == 200
    leave(cast.county_officer)
    answer = client.post(address, {"version": row.version})
    assert answer.status_code == 302 and answer.url.startswith(reverse("login"))
    row.refresh_from_db()
    assert row.status == S.SUBMITTED


@pytest.mark.parametrize("status", [S.DRAFT, S.RETURNED, S.SOLUTION_FILED])
def test_a_colleague_goes_on_with_what_a_filer_left_behind(cast: Cast, client: Client, status: str) -> None:
    colleague = user(Role.FILER, cast.firm, name="同事")
    row = draft(cast.filer) if status == S.DRAFT else cast.bring_to(status)
    left = leave(cast.filer)
    name, data = ("dispute", {"reason": "仍不稳定。"}) if status == S.SOLUTION_FILED else ("submit", {})
    with pytest.raises(PermissionDenied, match="提出企业"):
        services.move(row, name, by=left, data=data)
    client.force_login(colleague)
    assert row.title in client.get(reverse("projects:workspace")).content.decode()
    page = client.get(reverse("projects:bottleneck_detail", args=[row.public_id]), follow=True)
    assert page.status_code == 200
    services.move(row, name, by=colleague, data=data)
    assert row.transitions.last().actor == colleague


def test_nothing_is_handed_over_to_somebody_who_has_left(cast: Cast) -> None:
    colleague = leave(user(Role.FILER, cast.firm, name="同事"))
    row = draft(cast.filer)
    with pytest.raises(ValidationError, match="只能转交给为本企业填报的同事"):
        services.hand_over(row, to=colleague, by=cast.filer)
    row.refresh_from_db()
    assert row.filer == cast.filer


def test_who_stands_in_the_record_is_closed_and_not_deleted(cast: Cast, client: Client) -> None:
    row = cast.bring_to(S.ACCEPTED)
    client.force_login(user(is_superuser=True))
    person = cast.county_officer
    page = client.post(reverse("admin:accounts_user_delete", args=[person.pk]), {"post": "yes"})
    assert "办理记录" in page.content.decode()
    assert User.objects.filter(pk=person.pk).exists()
    leave(person)
    detail = client.get(reverse("admin:projects_bottleneck_change", args=[row.pk]))
    assert detail.status_code == 200
    client.force_login(cast.city_officer)
    told = client.get(reverse("projects:bottleneck_detail", args=[row.public_id])).content.decode()
    assert person.name in told


def test_what_waits_for_an_institution_whose_people_left_is_told_upwards_and_taken_up_by_a_successor(
    cast: Cast,
) -> None:
    row = cast.bring_to(S.DISPATCHED, at=noon(date(2026, 3, 2)))
    left = leave(cast.engineer)
    with pytest.raises(PermissionDenied, match="承担机构"):
        services.move(row, "take", by=left, data={"reason": "承接。"})
    assert keep_time(row.clock_due_on + timedelta(days=7)) == 1
    row.refresh_from_db()
    assert row.escalated_to == cast.city.parent
    services.move(row, "take", by=user(Role.INSTITUTION, cast.lab), data={"reason": "继任者承接。"})
    assert row.status == S.IN_PROGRESS


# --- Masters and circles -----------------------------------------------------------------------------------


def test_a_chain_of_merges_is_refused_at_both_ends(cast: Cast) -> None:
    first, middle, last = (cast.bring_to(S.ACCEPTED) for _n in range(3))
    services.move(middle, "merge", by=cast.city_officer, data=MERGE | {"master": last})
    rows = (first, middle, last)
    before = [state_of(row) for row in rows]
    for child, master, words in (
        (first, middle, "自身未被归并"),
        (last, first, "已有其他问题归并到本问题"),
        (last, middle, "自身未被归并"),
        (first, first, "另一个"),
    ):
        with pytest.raises(ValidationError, match=words):
            services.move(child, "merge", by=cast.city_officer, data=MERGE | {"master": master})
        if child != master:
            with pytest.raises((ValidationError, StaleRow)):
                twins.judge(child, master, "same", by=cast.city_officer, reason="同一缺口。", master=master)
    assert [state_of(row) for row in rows] == before
    assert not TwinJudgement.objects.exists(), "a refused verdict leaves nothing"


@pytest.mark.django_db(transaction=True)
def test_of_three_problems_merged_in_a_circle_at_once_no_chain_is_left() -> None:
    cast = Cast()
    rows = [cast.bring_to(S.ACCEPTED) for _n in range(3)]
    copies = [Bottleneck.objects.get(pk=row.pk) for row in rows]

    def merge(child: int, master: int) -> Callable[[], Transition]:
        data = MERGE | {"master": copies[master]}
        return lambda: services.move(rows[child], "merge", by=cast.city_officer, data=data)

    results = at_once(merge(0, 1), merge(1, 2), merge(2, 0))
    assert all(isinstance(result, Transition | ValidationError) for result in results)
    merged = Bottleneck.objects.filter(status=S.MERGED)
    assert merged.count() == sum(isinstance(result, Transition) for result in results) >= 1
    assert not merged.filter(merged_into__status=S.MERGED).exists()


def test_what_is_merged_follows_its_master_through_reopening_and_a_second_solution(cast: Cast) -> None:
    master, child = (cast.bring_to(S.ACCEPTED) for _n in range(2))
    services.move(child, "merge", by=cast.city_officer, data=MERGE | {"master": master})
    for name in ("list", "dispatch", "take", "file_solution", "confirm", "verify"):
        cast.make(master, name)
    with pytest.raises(StaleRow, match="已归并"):
        services.move(child, "reopen", by=cast.filer, data={"reason": "又出现。"})
    services.move(master, "reopen", by=cast.filer, data={"reason": "又出现。"})
    restart = {"due_on": timezone.localdate() + timedelta(days=30), "reason": "换一种工艺。"}
    services.move(master, "restart", by=cast.city_officer, data=restart)
    for name in ("file_solution", "confirm", "verify"):
        cast.make(master, name)
    child.refresh_from_db()
    assert (child.status, child.merged_into, child.result) == (S.MERGED, master, master.result)
    assert child.resolved_at == master.resolved_at
    followed = child.transitions.filter(move="follow")
    assert [event.details["state"] for event in followed] == [S.RESOLVED, S.REOPENED, S.RESOLVED]
    assert Bottleneck.objects.masters().filter(result="bottleneck_solved").get() == master


# --- Papers of something else ------------------------------------------------------------------------------


def test_a_report_of_another_sample_blocks_raises_the_alarm_and_is_exchanged_for_the_right_one(
    cast: Cast,
) -> None:
    number = factories.report(cast.lab, sample="行星减速机", issued_on=timezone.localdate()).report_no
    row = cast.bring_to(S.IN_PROGRESS)

    def filed_with(**said: Any) -> Evidence:
        data = solution(row)
        data["evidence"][0] |= {"number": number} | said
        services.move(row, "file_solution", by=cast.engineer, data=data)
        services.move(row, "confirm", by=cast.filer)
        return row.evidence.get()

    false = filed_with(sample="谐波减速器柔轮")
    with pytest.raises(PermissionDenied, match=f"核对不符：{number}"):
        cast.make(row, "verify")
    false.refresh_from_db()
    assert false.verify_state == Evidence.VerifyState.MISMATCH
    assert "样品与登记的不同" in verdict_of(false)
    told = {notice.user for notice in Notice.objects.filter(details__what="contradicted")}
    assert told == {cast.city_officer}, "the desk that handles it"
    services.move(row, "rework", by=cast.verifier, data={"reason": "报告是另一样品的。"})
    right = factories.report(cast.lab, issued_on=timezone.localdate())
    true = filed_with(number=right.report_no, sample=right.sample)
    assert reports.verify_evidence(true) == Evidence.VerifyState.MATCHED
    cast.make(row, "verify")
    assert row.status == S.RESOLVED
