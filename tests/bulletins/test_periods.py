"""Period codes, freezing, correcting, publishing, and who may."""

import threading
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection
from django.utils import timezone, translation

from accounts.models import BUREAU_ROLES, Role
from bulletins import figures, periods, services, tasks
from bulletins.models import Period, Snapshot
from common.jobs import MAX_ATTEMPTS, Job, LeaseLost
from projects.models import Evidence, Transition
from tests import factories
from tests.bulletins.ledger import Tree, key_project, project, prove, solved
from tests.worlds import world

SHANGHAI = ZoneInfo("Asia/Shanghai")


@world
def tree() -> Tree:
    return Tree()


@pytest.mark.parametrize(
    ("code", "kind", "first", "last", "name"),
    [
        ("2024", "year", date(2024, 1, 1), date(2024, 12, 31), "2024年"),
        ("2024H1", "half", date(2024, 1, 1), date(2024, 6, 30), "2024年上半年"),
        ("2024H2", "half", date(2024, 7, 1), date(2024, 12, 31), "2024年下半年"),
        ("2024Q1", "quarter", date(2024, 1, 1), date(2024, 3, 31), "2024年第一季度"),
        ("2024Q4", "quarter", date(2024, 10, 1), date(2024, 12, 31), "2024年第四季度"),
        ("2024-02", "month", date(2024, 2, 1), date(2024, 2, 29), "2024年2月"),
        ("2023-12", "month", date(2023, 12, 1), date(2023, 12, 31), "2023年12月"),
        (" 2024q3 ", "quarter", date(2024, 7, 1), date(2024, 9, 30), "2024年第三季度"),
    ],
)
def test_codes_say_kind_days_and_name(code: str, kind: str, first: date, last: date, name: str) -> None:
    spec = periods.parse(code)
    assert (spec.kind, spec.start_on, spec.end_on, periods.name(spec.code)) == (kind, first, last, name)


@pytest.mark.parametrize(
    "code", ["", "24", "2024-13", "2024-1", "2024Q0", "2024Q5", "2024H3", "２０２４", "1999"]
)
def test_other_codes_are_refused_with_what_would_be_accepted(code: str) -> None:
    with pytest.raises(ValidationError, match="2024Q3"):
        periods.parse(code)


def test_the_cut_off_is_midnight_in_shanghai_after_the_last_day(tree: Tree) -> None:
    period = services.get_period("2024")
    assert period.starts == datetime(2024, 1, 1, tzinfo=SHANGHAI)
    assert period.cut_off == datetime(2025, 1, 1, tzinfo=SHANGHAI)
    assert services.get_period("2024") == period


def test_freezing_keeps_time_person_and_version(tree: Tree) -> None:
    by = factories.user(Role.STATISTICIAN, tree.nation)
    snapshot = services.freeze_now(services.get_period("2024"), by)
    period = Period.objects.get()
    assert (period.status, period.frozen_by, snapshot.version) == (Period.Status.FROZEN, by, 1)
    assert period.frozen_at is not None
    assert figures.current(period) == snapshot


def test_freezing_twice_is_refused_and_a_reason_makes_a_corrected_version(tree: Tree) -> None:
    period = services.get_period("2024")
    first = services.freeze_now(period, None)
    frozen_at = Period.objects.get().frozen_at
    with pytest.raises(ValidationError, match="写明原因"):
        services.request_freeze(period, None)
    project(tree.huqiu)
    second = services.freeze_now(period, None, "漏报一项")
    assert (second.version, second.reason) == (2, "漏报一项")
    assert figures.of_unit(first, tree.nation)["I01"].value is None
    assert figures.of_unit(second, tree.nation)["I01"].value == 1
    assert figures.current(period) == second
    # Late rows are judged by the first freeze.
    assert Period.objects.get().frozen_at == frozen_at


def test_a_period_is_not_frozen_before_its_cut_off(tree: Tree) -> None:
    period = services.get_period(str(timezone.localdate().year))
    with pytest.raises(ValidationError, match="24:00 才截止"):
        services.request_freeze(period, None)
    assert not Snapshot.objects.exists()


def test_asking_twice_is_one_job(tree: Tree) -> None:
    period = services.get_period("2024")
    assert services.request_freeze(period, None) == services.request_freeze(period, None)
    assert services.request_rollup(period) == services.request_rollup(period)
    assert Snapshot.objects.count() == 2


def test_a_roll_up_asked_for_before_the_freeze_does_not_come_after_it(tree: Tree) -> None:
    period = services.get_period("2024")
    late = services.request_rollup(period)
    services.freeze_now(period, None)
    with pytest.raises(ValidationError, match="冻结"):
        services.run_snapshot(late.pk)
    late.refresh_from_db()
    assert late.job_state == Job.State.FAILED
    assert "冻结" in late.error


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("place", ["nation", "jiangsu"])
def test_only_the_nations_administrators_and_statisticians_freeze_and_publish(
    tree: Tree, role: Role, place: str
) -> None:
    user = factories.user(role, getattr(tree, place) if role in BUREAU_ROLES else factories.organization())
    allowed = place == "nation" and role in (Role.ADMINISTRATOR, Role.STATISTICIAN)
    period = services.get_period("2024")
    assert services.may_freeze(user) is allowed
    if allowed:
        services.freeze_now(period, user)
        assert services.publish(period, user).status == Period.Status.PUBLISHED
    else:
        with pytest.raises(PermissionDenied):
            services.request_freeze(period, user)
        with pytest.raises(PermissionDenied):
            services.publish(period, user)
        assert not Snapshot.objects.exists()


def test_an_open_period_is_not_published(tree: Tree) -> None:
    with pytest.raises(ValidationError, match="还没有冻结"):
        services.publish(services.get_period("2024"), None)


# --- Identities -------------------------------------------------------------------------------------------


def refused(words: str, *rows: str) -> None:
    """The freeze of 2024 fails with these words and rows, and leaves the period open."""
    period = services.get_period("2024")
    with pytest.raises(ValidationError) as failure:
        services.freeze_now(period, None)
    text = " ".join(failure.value.messages)
    assert words in text
    for row in rows:
        assert row in text
    period.refresh_from_db()
    assert period.status == Period.Status.OPEN
    assert Snapshot.objects.get().job_state == Job.State.FAILED
    assert not Snapshot.objects.get().values.exists()


def test_solved_without_evidence_is_named_and_stops_the_freeze(tree: Tree) -> None:
    solved(tree.huqiu)
    row = solved(tree.huqiu, proved=False)
    refused("没有证据", str(row.code))
    prove(row)
    services.freeze_now(services.get_period("2024"), None)
    # The failed attempt has not used up a version.
    assert Snapshot.objects.get().version == 1


def test_solved_without_a_verifier_is_named(tree: Tree) -> None:
    row = solved(tree.huqiu)
    Transition.objects.filter(bottleneck=row, target="resolved").update(actor=None)
    refused("没有核验人", str(row.code))


def test_evidence_that_does_not_match_is_named(tree: Tree) -> None:
    row = solved(tree.huqiu)
    prove(row, verify_state=Evidence.VerifyState.MISMATCH)
    refused("核对不符", str(row.code))


def test_accepted_without_contract_is_named(tree: Tree) -> None:
    row = key_project(project(tree.huqiu), date(2024, 8, 1), accepted_on=date(2024, 7, 1))
    refused("没有签约日期", row.code)


def test_projects_outside_the_nation_are_named(tree: Tree) -> None:
    stray = factories.bureau("990000", "外部", level=0)
    row = project(stray)
    refused("不相等", row.code)


def test_many_rows_are_named_by_the_first_and_their_number(tree: Tree) -> None:
    for _n in range(12):
        solved(tree.huqiu, proved=False)
    refused("等 12 项")


def test_sentences_follow_the_readers_language(tree: Tree) -> None:
    with translation.override("en"), pytest.raises(ValidationError):
        periods.parse("2024Q9")


# --- Jobs -------------------------------------------------------------------------------------------------


def test_a_job_whose_worker_died_is_done_by_another_and_once(tree: Tree) -> None:
    project(tree.huqiu)
    snapshot = services.request_freeze(services.get_period("2024"), None)
    dead = Snapshot.objects.claim(snapshot.pk)
    assert dead is not None
    assert services.run_snapshot(snapshot.pk) is False
    Snapshot.objects.update(lease_until=timezone.now())
    assert services.run_snapshot(snapshot.pk) is True
    assert services.run_snapshot(snapshot.pk) is False
    # The dead one wakes up and finds that the job is no longer its own.
    with pytest.raises(LeaseLost):
        dead.finish(row_hash="")
    snapshot.refresh_from_db()
    assert snapshot.job_state == Job.State.DONE
    assert figures.of_unit(snapshot, tree.nation)["I01"].value == 1


def test_the_sweep_rings_for_lying_jobs_and_gives_up_hopeless_ones(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    rung: list[int] = []
    monkeypatch.setattr(services, "ring", lambda task, pk: rung.append(pk))
    snapshot = services.request_rollup(services.get_period("2024"), in_background=False)
    services.sweep()
    assert rung == [snapshot.pk]
    Snapshot.objects.update(attempts=MAX_ATTEMPTS)
    services.sweep()
    snapshot.refresh_from_db()
    assert rung == [snapshot.pk]
    assert snapshot.job_state == Job.State.FAILED
    assert snapshot.error


def test_no_broker_costs_time_only(
    tree: Tree, settings: Any, django_capture_on_commit_callbacks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*args: object, **options: object) -> None:
        raise OSError("no broker")

    monkeypatch.setattr(tasks.roll_up, "apply_async", away)
    with django_capture_on_commit_callbacks(execute=True):
        snapshot = services.request_rollup(services.get_period("2024"))
    assert Snapshot.objects.lying().get() == snapshot


@pytest.mark.django_db(transaction=True)
def test_two_people_who_freeze_at_once_make_one_version() -> None:
    tree = Tree()
    project(tree.huqiu)
    period = services.get_period("2024")
    barrier, outcomes = threading.Barrier(4), []

    def person() -> None:
        try:
            barrier.wait()
            outcomes.append(services.freeze_now(period, None).version)
        except ValidationError as refusal:
            outcomes.append(refusal.messages[0])
        finally:
            connection.close()

    people = [threading.Thread(target=person) for _n in range(4)]
    for thread in people:
        thread.start()
    for thread in people:
        thread.join()
    assert len(outcomes) == 4
    assert all(outcome == 1 or "冻结" in str(outcome) for outcome in outcomes)
    assert [snapshot.version for snapshot in Snapshot.objects.filter(version__gt=0)] == [1]
