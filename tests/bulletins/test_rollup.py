"""The compiled SQL against the naive recount, and what readers see while it runs."""

import json
import random
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from django.conf import settings as portal_settings
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.db.models import F
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bulletins import figures, recount, rollup, services, tasks
from bulletins.indicators import BASES, CATALOGUE
from bulletins.models import CountedRow, Period, Snapshot, SnapshotUnit, StatValue
from common.jobs import Job
from enterprises.models import Bureau, Organization
from projects.models import Bottleneck, ChainProject, KeyProject
from tests import factories
from tests.bulletins.ledger import (
    Figures,
    Tree,
    benefits,
    consortium,
    firm,
    invested,
    key_project,
    problem,
    produced,
    project,
    quality_map,
    solved,
    takes_part,
)
from tests.worlds import world

S = Bottleneck.Status
STEPS = (
    S.SUBMITTED, S.ACCEPTED, S.LISTED, S.DISPATCHED, S.IN_PROGRESS, S.SOLUTION_FILED, S.VERIFICATION,
    S.RESOLVED, S.REOPENED,
)  # fmt: skip
MERGED_STEPS = (S.SUBMITTED, S.ACCEPTED, S.MERGED)
POSTED_STEPS = (S.SUBMITTED, S.ACCEPTED, S.LISTED, S.POSTED, S.AWARDED, S.IN_PROGRESS, S.RESOLVED)


def random_outcomes(
    rnd: random.Random, of: KeyProject, firms: list[Organization], day: Callable[[], date]
) -> None:
    """Money that firms booked for a key project, and results of its project, some of them its own."""
    for _n in range(rnd.randint(0, 2)):
        fen = rnd.randint(1, 10 ** rnd.randint(1, 13))
        invested(of, f"{fen // 100}.{fen % 100:02}", day(), organization=rnd.choice(firms))
    for number in rnd.sample(["GB/T 1-2024", "GB/T 2-2024", "JJF 3-2024"], rnd.randint(0, 3)):
        kind = rnd.choice(["standard", "certificate", "patent"])
        on = day() + timedelta(days=rnd.choice([0, 700]))
        produced(of.project, number, on, kind=kind, key_project=of if rnd.random() < 0.5 else None)


def random_demands(rnd: random.Random, units: list[Bureau], day: Callable[[], date]) -> None:
    """Demands whose standards and specifications were published, some of them twice or as a result too."""
    for number in rnd.choices(["GB/T 1-2024", "GB/T 2-2024", "JJF 3-2024"], k=rnd.randint(0, 3)):
        factories.spec_demand(
            kind=rnd.choice(["standard", "metrology"]),
            bureau=rnd.choice(units),
            status="published",
            plan_no="2026-1",
            published_no=number,
            published_on=day() + timedelta(days=700),
        )


def random_ledger(rnd: random.Random) -> list[Bureau]:
    """A small tree of any shape with rows at every level of it."""
    units = [factories.bureau()]
    for number in range(1, rnd.randint(4, 10)):
        parent = rnd.choice([unit for unit in units if unit.level < 4])
        units.append(factories.bureau(f"{number:06d}", f"单位{number}", parent))
    chains = [factories.chain(), factories.chain("C02", "轴承")]
    firms = [firm(at=rnd.choice(units), is_test=rnd.random() < 0.15) for _n in range(3)]

    def day() -> date:
        return date(2023, 7, 1) + timedelta(days=rnd.randint(0, 700))

    def never() -> dict[str, Any]:
        draw = rnd.random()
        if draw < 0.05:
            return {"is_test": True}
        return {"voided_at": timezone.now(), "void_reason": "误报"} if draw < 0.1 else {}

    projects = []
    for _n in range(rnd.randint(3, 8)):
        start = date(2023, 7, 1) + timedelta(days=rnd.randint(0, 450))
        projects.append(
            project(
                rnd.choice(units),
                rnd.choice(chains),
                start_on=start,
                status="executing" if rnd.random() < 0.7 else rnd.choice(list(ChainProject.Status)),
                closed_on=start + timedelta(rnd.randint(0, 300)) if rnd.random() < 0.3 else None,
                regions=rnd.sample(units, min(len(units), 3)) if rnd.random() < 0.5 else (),
                **never(),
            )
        )
    for work in projects:
        for organization in firms:
            for role in ("leader", "member", "enabler"):
                if rnd.random() < 0.7:
                    joined = work.start_on + timedelta(rnd.randint(0, 60))
                    left = joined + timedelta(rnd.randint(0, 300)) if rnd.random() < 0.2 else None
                    takes_part(
                        organization, work, role, bureau=rnd.choice(units), joined_on=joined, left_on=left
                    )
        contract = day()
        accepted = contract + timedelta(rnd.randint(0, 300)) if rnd.random() < 0.5 else None
        key = key_project(work, contract, accepted_on=accepted, **never())
        random_outcomes(rnd, key, firms, day)
    for _n in range(rnd.randint(0, 4)):
        quality_map(
            rnd.choice(units),
            day(),
            chain=rnd.choice(chains),
            sheet_count=rnd.randint(1, 9),
            is_counted_copy=rnd.random() < 0.6,
        )
    random_demands(rnd, units, day)
    problems: list[Bottleneck] = []
    for _n in range(rnd.randint(0, 4)):
        founded = day()
        gone = founded + timedelta(rnd.randint(0, 400)) if rnd.random() < 0.4 else None
        consortium(rnd.choice(units), founded, dissolved_on=gone, chain=rnd.choice(chains), **never())
    for _n in range(rnd.randint(0, 6)):
        when, events = day(), []
        master = rnd.choice(problems) if problems and rnd.random() < 0.3 else None
        steps = MERGED_STEPS if master else rnd.choice((STEPS, POSTED_STEPS))
        for status in steps if master else steps[: rnd.randint(1, len(steps))]:
            events.append((status, when))
            when += timedelta(days=rnd.randint(0, 90))
        row = problem(
            rnd.choice(units),
            *events,
            merged_into=master,
            route=rnd.choice(["CHAL", "DISP"]),
            chain=rnd.choice(chains),
            organization=rnd.choice(firms),
            handlers={status: rnd.choice(units) for status, _day in events},
            dues={
                status: date(2024, 1, 1) + timedelta(rnd.randint(0, 400))
                for status, _day in events
                if rnd.random() < 0.7
            },
            **never(),
        )
        if not master:
            problems.append(row)
        for organization in rnd.sample(firms, rnd.randint(0, 2)):
            benefits(organization, row)
    return units


@pytest.mark.django_db
@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    rnd=st.randoms(use_true_random=True),
    code=st.sampled_from(["2024", "2024Q1", "2024H2", "2024-05", "2026"]),
)
def test_any_tree_and_ledger_roll_up_to_what_a_recount_finds(rnd: random.Random, code: str) -> None:
    with transaction.atomic():
        units = random_ledger(rnd)
        snapshot = services.rollup_now(services.get_period(code))
        for unit in units:
            assert recount.differences(snapshot, unit) == []
        # A bureau moves with all below it, and nothing else needs to be told.
        movable = [unit for unit in units if unit.level > 1]
        if movable:
            moved = Bureau.objects.get(pk=rnd.choice(movable).pk)
            moved.parent = units[0]
            moved.save()
            snapshot = services.rollup_now(services.get_period(code))
            for unit in Bureau.objects.all():
                assert recount.differences(snapshot, unit) == []
        transaction.set_rollback(True)


@pytest.mark.django_db
@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(rnd=st.randoms(use_true_random=True))
def test_frozen_quarters_and_late_rows_agree_with_a_recount(rnd: random.Random) -> None:
    with transaction.atomic():
        units = random_ledger(rnd)
        first = services.freeze_now(services.get_period("2024Q1"), None)
        more = [project(rnd.choice(units), start_on=date(2024, 2, 1)) for _n in range(2)]
        more[0].delete()
        late = [solved(rnd.choice(units), date(2024, 3, 1))]
        if rnd.random() < 0.5:
            services.freeze_now(services.get_period("2024Q2"), None)
            late.append(solved(rnd.choice(units), rnd.choice([date(2024, 3, 2), date(2024, 5, 2)])))
        if rnd.random() < 0.3:
            services.freeze_now(services.get_period("2024Q1"), None, "更正")
        codes = ["2024Q1", "2024Q2", "2024Q3", "2024Q4"]
        rows = []
        for code in codes:
            period = services.get_period(code)
            snapshot = figures.current(period) if period.is_frozen else services.rollup_now(period)
            assert snapshot is not None
            if period.is_frozen:
                counted = CountedRow.objects.filter(snapshot=snapshot, base="solved")
                rows += counted.values_list("row_id", flat=True)
                continue
            for unit in units:
                assert recount.differences(snapshot, unit) == []
            rows += recount.Recount(period, units[0]).rows["solved"]
        # Whichever quarter takes what came late, exactly one does.
        assert all(rows.count(row.pk) == 1 for row in late)
        assert StatValue.objects.get(snapshot=first, indicator="I01", bureau=units[0], chain=None).value in (
            None,
            CountedRow.objects.filter(snapshot=first, base="projects").count(),
        )
        transaction.set_rollback(True)


@world
def tree() -> Tree:
    return Tree()


def test_a_frozen_snapshot_keeps_the_rows_it_counted(tree: Tree) -> None:
    one, other = solved(tree.huqiu), solved(tree.binhu)
    member = firm()
    seat = takes_part(member, project(tree.huqiu))
    snapshot = services.freeze_now(services.get_period("2024"), None)
    kept = CountedRow.objects.filter(snapshot=snapshot, base="solved")
    assert {(row.row_id, row.bureau_id) for row in kept} == {
        (one.pk, tree.huqiu.pk),
        (other.pk, tree.binhu.pk),
    }
    assert CountedRow.objects.get(snapshot=snapshot, base="members").key == member.pk
    assert CountedRow.objects.get(snapshot=snapshot, base="members").row_id == seat.pk
    assert set(CountedRow.objects.values_list("base", flat=True)) <= set(BASES)


def test_a_recount_of_a_frozen_figure_names_the_rows_that_came_and_went(tree: Tree) -> None:
    gone = solved(tree.huqiu)
    snapshot = services.freeze_now(services.get_period("2024"), None)
    Bottleneck.objects.filter(pk=gone.pk).update(is_test=True)
    came = solved(tree.wujiang)
    found = {line.code: line for line in recount.differences(snapshot, tree.suzhou)}
    assert found["I15"].came == (came.pk,)
    assert found["I15"].went == (gone.pk,)
    # One came and one went: the number is the same, the rows are not.
    assert found["I15"].stored.value == found["I15"].counted.value == 1


def test_a_second_roll_up_replaces_the_first_only_when_it_is_done(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    period = services.get_period("2024")
    project(tree.huqiu)
    first = services.rollup_now(period)
    project(tree.huqiu)
    seen = []
    store = rollup.store

    def store_and_look(snapshot: Snapshot) -> None:
        store(snapshot)
        seen.append(figures.current(period))

    monkeypatch.setattr(rollup, "store", store_and_look)
    second = services.rollup_now(period)
    assert seen == [first]
    assert figures.current(period) == second


def test_a_roll_up_that_fails_leaves_nothing_and_readers_keep_the_old_one(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    period = services.get_period("2024")
    first = services.rollup_now(period)

    def broken(*args: object) -> None:
        raise RuntimeError("disk full")

    project(tree.huqiu)
    monkeypatch.setattr(rollup, "report", broken)
    snapshot = services.request_rollup(period)
    with pytest.raises(RuntimeError):
        services.run_snapshot(snapshot.pk)
    snapshot.refresh_from_db()
    assert snapshot.job_state == Job.State.FAILED
    assert not snapshot.values.exists()
    assert figures.current(period) == first


def test_superseded_roll_ups_go_after_a_while(tree: Tree) -> None:
    period = services.get_period("2024")
    snapshots = [services.rollup_now(period) for _n in range(3)]
    services.discard_superseded()
    assert period.snapshots.count() == 3
    Snapshot._base_manager.update(finished_at=timezone.now() - timedelta(hours=1))
    services.discard_superseded()
    assert list(period.snapshots.all()) == [snapshots[-1]]
    assert snapshots[-1].values.exists()
    frozen = services.freeze_now(period, None)
    Snapshot._base_manager.update(finished_at=timezone.now() - timedelta(hours=1))
    services.discard_superseded()
    assert list(period.snapshots.all()) == [frozen]


def test_the_same_rows_give_the_same_hash(tree: Tree) -> None:
    project(tree.huqiu)
    solved(tree.binhu)
    period = services.get_period("2024")
    first = services.freeze_now(period, None)
    second = services.freeze_now(period, None, "核对")
    assert len(first.row_hash) == 64
    assert first.row_hash == second.row_hash
    project(tree.huqiu)
    assert services.freeze_now(period, None, "补一项").row_hash != first.row_hash


def test_digests_tell_what_was_changed_past_the_models(tree: Tree) -> None:
    project(tree.huqiu)
    period = services.get_period("2024")
    snapshot = services.freeze_now(period, None)
    assert rollup.is_untouched(snapshot)
    CountedRow._base_manager.filter(snapshot=snapshot, base="projects").update(bureau=tree.binhu)
    assert snapshot.row_hash == rollup.digest(snapshot)
    assert not rollup.is_untouched(snapshot)
    second = services.freeze_now(period, None, "核对")
    StatValue._base_manager.filter(snapshot=second, indicator="I01", bureau=tree.nation).update(value=2)
    assert not rollup.is_untouched(second)


@pytest.mark.parametrize("what", ["unit", "coverage"])
def test_units_and_coverage_of_a_frozen_version_are_sealed_too(tree: Tree, what: str) -> None:
    snapshot = services.freeze_now(services.get_period("2024"), None)
    assert rollup.is_untouched(snapshot)
    if what == "unit":
        kept = SnapshotUnit._base_manager.filter(snapshot=snapshot, bureau=tree.huqiu)
        kept.update(parent=tree.wuxi, path="000000/320000/320200/320505/")
    else:
        Snapshot._base_manager.filter(pk=snapshot.pk).update(coverage={"missing": ["320505"]})
    snapshot.refresh_from_db()
    assert not rollup.is_untouched(snapshot)
    # Frozen before units were sealed.
    snapshot.frame_hash = ""
    assert rollup.is_untouched(snapshot)


def test_what_was_altered_is_found_at_night_and_by_the_command(
    tree: Tree, capsys: Any, caplog: pytest.LogCaptureFixture
) -> None:
    project(tree.huqiu)
    first = services.freeze_now(services.get_period("2024"), None)
    services.freeze_now(services.get_period("2023"), None)
    services.rollup_now(services.get_period("2025"))
    asked = ("figures", "--period", "2024", "--recount")
    call_command(*asked, "--format", "json")
    assert json.loads(capsys.readouterr().out)["digests_hold"] is True
    assert services.check_frozen() == []
    # Late rows are in no figure that a recount compares.
    StatValue._base_manager.filter(snapshot=first, indicator="I01", bureau=tree.huqiu).update(late=1)
    with pytest.raises(SystemExit):
        call_command(*asked)
    assert "摘要不符" in capsys.readouterr().out
    assert portal_settings.CELERY_BEAT_SCHEDULE["frozen"]["task"] == tasks.check_frozen.name
    tasks.check_frozen()
    assert "snapshot 2024.1 is not what was frozen" in caplog.text


@pytest.mark.parametrize("kept", [Snapshot, StatValue, CountedRow])
def test_what_is_frozen_is_neither_changed_nor_deleted_nor_added_to(tree: Tree, kept: Any) -> None:
    project(tree.huqiu)
    period = services.get_period("2024")
    working = services.rollup_now(period)
    frozen = services.freeze_now(period, None)
    rows = kept.objects.filter(**({"pk": frozen.pk} if kept is Snapshot else {"snapshot": frozen}))
    for refused in (
        rows.first().save,
        rows.first().delete,
        rows.delete,
        lambda: rows.update(**{"version" if kept is Snapshot else "late": 3}),
    ):
        with pytest.raises(ValidationError, match="冻结的快照不能修改"):
            refused()
    if kept is not Snapshot:
        with pytest.raises(ValidationError, match="冻结的快照不能修改"):
            kept.objects.bulk_create([rows.first()])
        moved = rows.first()
        moved.snapshot = working
        added = kept.objects.filter(snapshot=working)
        if kept is StatValue:
            for refused in (
                moved.save,
                moved.delete,
                lambda: added.update(snapshot=frozen),
                lambda: added.update(snapshot_id=frozen.pk),
            ):
                with pytest.raises(ValidationError, match="冻结的快照不能修改"):
                    refused()
            with pytest.raises(TypeError, match="name the snapshot"):
                added.update(snapshot=F("snapshot"))
    assert rollup.is_untouched(frozen)
    StatValue.objects.filter(snapshot=working).update(late=0)
    StatValue.objects.filter(snapshot=working).delete()
    working.delete()


def test_no_temporary_table_stays_behind(tree: Tree) -> None:
    services.rollup_now(services.get_period("2024"))
    services.rollup_now(services.get_period("2024"))
    temporary = {
        "sqlite": "SELECT COUNT(*) FROM sqlite_temp_master WHERE name LIKE 'rollup_%%'",
        "postgresql": "SELECT COUNT(*) FROM pg_class WHERE relname LIKE 'rollup_%%' AND relpersistence = 't'",
    }
    with connection.cursor() as cursor:
        cursor.execute(temporary[connection.vendor], [])
        assert cursor.fetchone() == (0,)


def test_the_number_of_statements_does_not_grow_with_units_or_rows(tree: Tree) -> None:
    period = services.get_period("2024")

    def statements() -> int:
        with CaptureQueriesContext(connection) as captured:
            services.rollup_now(period)
        return len(captured)

    few = statements()
    for unit in (tree.huqiu, tree.wujiang, tree.binhu, tree.dongcheng, tree.corps):
        takes_part(firm(), project(unit))
        solved(unit)
    assert statements() == few


# --- Commands ---------------------------------------------------------------------------------------------


def test_commands_roll_up_print_and_recount(tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    takes_part(firm(), project(tree.huqiu), "leader")
    call_command("rollup", "--period", "2024Q1")
    assert Period.objects.get().code == "2024Q1"
    capsys.readouterr()
    call_command("figures", "--period", "2024Q1", "--bureau", "320000", "--format", "json", "--recount")
    report = json.loads(capsys.readouterr().out)
    values = {line["code"]: line["value"] for line in report["figures"]}
    assert (report["bureau"], values["I01"], values["I05"], values["I15"]) == ("320000", 1, 1, None)
    assert set(values) == set(CATALOGUE)
    assert report["differences"] == []
    project(tree.huqiu)
    with pytest.raises(SystemExit) as stop:
        call_command("figures", "--period", "2024Q1", "--recount")
    assert stop.value.code == 1
    assert "I01" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("rollup", "--period", "2024Q5"), "不是期间代码"),
        (("figures", "--period", "2024", "--bureau", "999999"), "没有代码为“999999”的单位"),
        (("figures", "--period", "2024"), "还没有汇总"),
        (("bulletin", "--period", "2024"), "还没有冻结"),
    ],
)
def test_commands_say_what_would_be_accepted(tree: Tree, arguments: tuple[str, ...], words: str) -> None:
    with pytest.raises(CommandError, match=words):
        call_command(*arguments)


def test_a_frozen_period_is_not_rolled_up_again(tree: Tree) -> None:
    period = services.get_period("2024")
    services.freeze_now(period, None)
    with pytest.raises(ValidationError, match=r"已于.*冻结"):
        services.request_rollup(period)
    with pytest.raises(CommandError, match=r"已于.*冻结"):
        call_command("rollup", "--period", "2024")
    assert Figures("2024", figures.current(period))("I01", tree.nation) is None
