"""Live figures: brought up to date by what changed, they are those of a full roll-up and of a recount."""

import random
import re
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from django.conf import settings as portal_settings
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, models, transaction
from django.test import Client
from django.utils import timezone
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st

from accounts.models import Role
from bulletins import comparison, figures, live, recount, refresh, rollup, services, tasks
from bulletins.indicators import BASES, FOLLOWS, Base, Before, Span
from bulletins.models import CountedRow, Period, Snapshot, StatValue
from common.jobs import Job
from common.scope import system_job
from enterprises.models import Bureau, Organization
from projects.models import (
    Beneficiary,
    Bottleneck,
    ChainProject,
    Consortium,
    Investment,
    KeyProject,
    Participation,
    ProjectRegion,
    ProjectResult,
    QualityMap,
    SpecDemand,
    Transition,
)
from record import recording
from record.chain import seal_pending
from tests import factories
from tests.boundaries import change, founded, part
from tests.bulletins.ledger import (
    SPRING,
    Tree,
    add_events,
    benefits,
    firm,
    invested,
    key_project,
    noon,
    problem,
    produced,
    project,
    quality_map,
    solved,
    takes_part,
)
from tests.bulletins.test_rollup import random_ledger
from tests.worlds import world

S = Bottleneck.Status


def live_roll_up(period: Period) -> Snapshot:
    """A live roll-up of the period, counted in full."""
    row = Snapshot.objects.create(period=period, definition_version="2026.1", is_live=True)
    services.run_snapshot(row.pk)
    row.refresh_from_db()
    return row


def brought_up_to_date(snapshot: Snapshot) -> bool:
    """Whether no full roll-up was needed."""
    done = refresh.catch_up(snapshot)
    snapshot.save(update_fields=["basis"])
    return done


def stored(snapshot: Snapshot) -> list[tuple[Any, ...]]:
    values = StatValue.objects.filter(snapshot=snapshot)
    return sorted(
        values.values_list(
            "bureau__code", "indicator", "chain__code", "value", "numerator", "denominator", "late"
        ),
        key=repr,
    )


def kept(snapshot: Snapshot) -> set[tuple[Any, ...]]:
    rows = CountedRow.objects.filter(snapshot=snapshot)
    return set(rows.values_list("base", "row_id", "bureau", "chain", "key", "late", "amount"))


def any_of(rnd: random.Random, model: type[models.Model]) -> Any:
    rows = list(model._base_manager.order_by("pk"))
    return rnd.choice(rows) if rows else None


@system_job("test")
def edit(rnd: random.Random, units: list[Bureau]) -> None:
    """Something happens in the ledger, as the portal writes it: a row is saved or deleted, with its event."""
    day = date(2023, 7, 1) + timedelta(days=rnd.randint(0, 1000))
    happening: list[Callable[[], object]] = [
        lambda: _edit_project(rnd, units, day),
        lambda: _edit_participation(rnd, units, day),
        lambda: _edit_problem(rnd, units, day),
        lambda: _edit_firm(rnd, units),
        lambda: _edit_outcome(rnd, day),
        lambda: _add(rnd, units, day),
        lambda: _delete(rnd),
    ]
    # What the database refuses does not happen.
    with suppress(IntegrityError), transaction.atomic():
        rnd.choice(happening)()


def _edit_project(rnd: random.Random, units: list[Bureau], day: date) -> None:
    row = any_of(rnd, rnd.choice([ChainProject, KeyProject, Consortium, QualityMap, ProjectRegion]))
    match row:
        case ChainProject():
            row.bureau, row.is_test = rnd.choice(units), rnd.random() < 0.1
            row.status = rnd.choice([row.status, *ChainProject.BEGUN, "submitted"])
            row.is_cross_region = rnd.random() < 0.5
        case KeyProject():
            row.project = any_of(rnd, ChainProject)
            row.voided_at = timezone.now() if rnd.random() < 0.2 else None
            row.void_reason = "误报" if row.voided_at else ""
        case Consortium():
            row.bureau, row.founded_on, row.dissolved_on = rnd.choice(units), day, None
        case QualityMap():
            return  # published ones are frozen
        case ProjectRegion():
            taken = ProjectRegion.objects.filter(project=row.project).values_list("bureau", flat=True)
            free = [unit for unit in units if unit.pk not in taken]
            row.bureau = rnd.choice(free) if free else row.bureau
        case None:
            return
    row.save()


def _edit_participation(rnd: random.Random, units: list[Bureau], day: date) -> None:
    row = any_of(rnd, Participation)
    if row is None:
        return
    row.bureau = rnd.choice(units)
    role, project = rnd.choice(list(Participation.Role)), any_of(rnd, ChainProject)
    others = Participation.objects.filter(organization=row.organization, project=project, role=role)
    if not others.exists():
        row.role, row.project = role, project
    if rnd.random() < 0.3:
        row.left_on = row.joined_on + timedelta(rnd.randint(0, 300))
    row.save()


def _edit_problem(rnd: random.Random, units: list[Bureau], day: date) -> None:
    row = any_of(rnd, Bottleneck)
    if row is None:
        return
    match rnd.randint(0, 4):
        case 0:
            row.bureau, row.organization = rnd.choice(units), any_of(rnd, Organization)
        case 1:
            row.is_test = not row.is_test
        case 2 if row.list_owner_id:
            row.list_owner = rnd.choice(units)
        case 3 if row.merged_into_id is None and not row.merged_children.exists():
            others = [one for one in Bottleneck.objects.filter(merged_into=None) if one != row]
            row.merged_into = rnd.choice(others) if others else None
        case _:
            steps = [S.LISTED, S.RESOLVED, S.REOPENED, S.POSTED, S.AWARDED, S.IN_PROGRESS]
            last = row.transitions.last()
            day = max(day, timezone.localdate(last.at)) if last else day
            row.handler = rnd.choice(units)
            add_events(row, (rnd.choice(steps), day))
            row.refresh_from_db()
            row.title += "。"
    row.save()


def _edit_firm(rnd: random.Random, units: list[Bureau]) -> None:
    row = any_of(rnd, Organization)
    row.bureau, row.is_test = rnd.choice(units), rnd.random() < 0.3
    row.save()


def _edit_outcome(rnd: random.Random, day: date) -> None:
    row = any_of(rnd, rnd.choice([Investment, ProjectResult, SpecDemand, Beneficiary]))
    match row:
        case Investment():
            row.amount, row.booked_on = rnd.randint(1, 10**6), day
        case ProjectResult():
            free = {"GB/T 1-2024", "GB/T 2-2024", "JJF 3-2024"} - set(
                row.project.results.filter(kind=row.kind).values_list("number", flat=True)
            )
            row.number = rnd.choice([*sorted(free), row.number])
            row.published_on = day
        case SpecDemand():
            row.published_no, row.published_on = rnd.choice(["GB/T 1-2024", "JJF 3-2024"]), day
        case Beneficiary():
            taken = row.bottleneck.beneficiaries.values_list("organization", flat=True)
            free = Organization.objects.judged("test").exclude(pk__in=taken)
            row.organization = free.first() or row.organization
        case None:
            return
    row.save()


def _add(rnd: random.Random, units: list[Bureau], day: date) -> None:
    unit, organization = rnd.choice(units), any_of(rnd, Organization)
    match rnd.randint(0, 6):
        case 0:
            project(unit, start_on=day, regions=rnd.sample(units, 2) if rnd.random() < 0.5 else ())
        case 1:
            solved(unit, day, organization=organization)
        case 2:
            takes_part(firm(at=unit), any_of(rnd, ChainProject), rnd.choice(["leader", "member"]))
        case 3:
            of = key_project(any_of(rnd, ChainProject), day)
            invested(of, "1.5", day, organization=organization)
            produced(of.project, f"GB/T {rnd.randint(1, 9**9)}", day)
        case 4 if (row := any_of(rnd, Bottleneck)) and not row.beneficiaries.exists():
            benefits(organization, row)
        case 5:
            problem(unit, (S.SUBMITTED, day), organization=organization)
        case _:
            quality_map(unit, day)


def _delete(rnd: random.Random) -> None:
    models_ = [ProjectRegion, Participation, Investment, ProjectResult, SpecDemand, Beneficiary, Consortium]
    if row := any_of(rnd, rnd.choice(models_)):
        row.delete()


@pytest.mark.django_db
@settings(
    max_examples=25,
    deadline=None,
    phases=[Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    seed=st.integers(0, 2**32),
    code=st.sampled_from(["2024", "2024Q1", "2024H2", "2024-05", "2026"]),
)
def test_any_changes_bring_live_figures_to_what_a_full_roll_up_and_a_recount_find(
    seed: int, code: str
) -> None:
    rnd = random.Random(seed)  # noqa: S311
    with transaction.atomic():
        units = random_ledger(rnd)
        period = services.get_period(code)
        if code == "2024Q1" and rnd.random() < 0.5:
            services.freeze_now(services.get_period("2023Q4"), None)
        seal_pending()
        following = live_roll_up(period)
        for _round in range(3):
            for _n in range(rnd.randint(0, 6)):
                edit(rnd, units)
            if rnd.random() < 0.7:
                seal_pending()
            assert brought_up_to_date(following)
            again = live_roll_up(period)
            assert stored(following) == stored(again)
            assert kept(following) == kept(again)
        for unit in units:
            assert recount.differences(following, unit) == []
        transaction.set_rollback(True)


def _split(rnd: random.Random, one: Bureau, number: int) -> list[Any]:
    """Half of the firms go to one new bureau; the rest stays, or goes to another one."""
    firms = list(Organization.objects.filter(bureau=one).values_list("uscc", flat=True))
    stays = rnd.random() < 0.5
    gone = founded(str(number), takes=firms[: len(firms) // 2] or [one.code])
    return [part("from", one, stays=stays), *([] if stays else [founded(str(number + 1))]), gone]


@system_job("test")
def change_boundaries(rnd: random.Random) -> bool:
    """Bureaus merge, split, move or are renamed; whether they did, for not all of it can be."""
    units = list(Bureau.objects.in_force().filter(level__gt=0).order_by("pk"))
    one, other = rnd.sample(units, 2)
    number = 990_000 + Bureau.objects.count()
    named = {"name": f"新名{number}局", "short_name": f"新名{number}"}
    happening: dict[str, Callable[[], tuple[str, list[Any]]]] = {
        "merge": lambda: ("merge", [part("from", one), part("from", other), founded(str(number))]),
        "absorb": lambda: ("merge", [part("from", one), part("to", other)]),
        "split": lambda: ("split", _split(rnd, one, number)),
        "move": lambda: ("move", [part("from", one), part("to", other)]),
        "rename": lambda: ("rename", [part("from", one, **named)]),
    }
    kind, parts = happening[rnd.choice(list(happening))]()
    try:
        change(kind, *parts)
    except ValidationError:
        return False
    return True


@pytest.mark.django_db
@settings(
    max_examples=15,
    deadline=None,
    phases=[Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(seed=st.integers(0, 2**32), code=st.sampled_from(["2024", "2024H2", "2026"]))
def test_after_any_changes_of_boundaries_live_figures_are_those_of_a_full_roll_up_and_a_recount(
    seed: int, code: str
) -> None:
    rnd = random.Random(seed)  # noqa: S311
    with transaction.atomic():
        random_ledger(rnd)
        period = services.get_period(code)
        seal_pending()
        following = live_roll_up(period)
        changed = 0
        for _round in range(4):
            if change_boundaries(rnd):
                changed += 1
                seal_pending()
                if not brought_up_to_date(following):
                    rollup.store(following)
                    following.basis = refresh.basis(period)
            units = list(Bureau.objects.in_force().order_by("pk"))
            for _n in range(rnd.randint(0, 4)):
                edit(rnd, units)
            assert brought_up_to_date(following)
            again = live_roll_up(period)
            assert stored(following) == stored(again)
            assert kept(following) == kept(again)
        for unit in Bureau.objects.in_force():
            assert recount.differences(following, unit) == []
        ended = Bureau.objects.filter(valid_to__isnull=False)
        assert not StatValue.objects.filter(snapshot=following, bureau__in=ended).exists()
        event(f"{changed} changes")
        transaction.set_rollback(True)


def tables_of(base: Base) -> set[str]:
    """The tables that the rows of a base are counted from."""
    before = Before(date(2023, 1, 1), date(2023, 12, 31), 1, (2,), frozenset(BASES))
    span = Span(date(2024, 1, 1), date(2024, 12, 31), (before,), (3,))
    return set(re.findall(r'(?:FROM|JOIN) "(\w+)"', str(base.counted(span).query)))


@pytest.mark.parametrize("name", BASES)
def test_a_base_is_counted_anew_when_any_ledger_changes_that_it_reads(name: str) -> None:
    model = BASES[name].model
    followed = {one._meta.db_table for one in (model, *FOLLOWS[model])}
    # Events come with a change of their problem; frozen neighbours are looked at apart.
    known = {Transition._meta.db_table, CountedRow._meta.db_table}
    assert tables_of(BASES[name]) - known <= followed
    assert all(one in recording.WATCHED for one in (model, *FOLLOWS[model]))


@world
def tree() -> Tree:
    tree = Tree()
    seal_pending()
    return tree


def value(snapshot: Snapshot, code: str, unit: Bureau) -> int | None:
    return figures.of_unit(snapshot, unit)[code].value


def at(snapshot: Snapshot, moment: datetime) -> None:
    """The roll-up was finished then."""
    Snapshot.objects.filter(pk=snapshot.pk).update(finished_at=moment, created_at=moment)


def a_while_ago() -> datetime:
    return timezone.now() - timedelta(minutes=1)


def test_blank_becomes_zero_and_a_number_and_blank_again(tree: Tree) -> None:
    following = live_roll_up(services.get_period("2024"))
    assert value(following, "I12", tree.huqiu) is None
    row = problem(tree.huqiu, (S.SUBMITTED, date(2023, 5, 1)))
    assert brought_up_to_date(following)
    assert (value(following, "I12", tree.huqiu), value(following, "I12", tree.wujiang)) == (0, None)
    row.submitted_at = noon(date(2024, 5, 1))
    row.save()
    assert brought_up_to_date(following)
    assert (value(following, "I12", tree.huqiu), value(following, "I12", tree.nation)) == (1, 1)
    row.is_test = True
    row.save()
    assert brought_up_to_date(following)
    assert value(following, "I12", tree.nation) is None
    assert not StatValue.objects.filter(snapshot=following, chain__isnull=False).exists()


@pytest.mark.parametrize("leaves", [True, False])
def test_a_firm_that_leads_a_project_no_more_is_its_member_again(tree: Tree, leaves: bool) -> None:
    of, other, both = project(tree.huqiu), project(tree.huqiu), firm()
    leader = takes_part(both, of, "leader")
    takes_part(both, of, "member")
    seal_pending()
    following = live_roll_up(services.get_period("2024"))
    assert value(following, "I07", tree.nation) == 0
    if leaves:
        leader.delete()
    else:
        # It leads still, in the same place and chain.
        leader.project = other
        leader.save()
    assert brought_up_to_date(following)
    assert value(following, "I07", tree.nation) == 1


def test_only_what_changed_is_counted_again(tree: Tree) -> None:
    project(tree.huqiu)
    following = live_roll_up(services.get_period("2024"))
    untouched = StatValue.objects.filter(snapshot=following, bureau=tree.liaoning)
    # Whoever counted everything would put this right.
    untouched.update(late=7)
    project(tree.wujiang)
    assert brought_up_to_date(following)
    assert set(untouched.values_list("late", flat=True)) == {7}
    assert value(following, "I01", tree.suzhou) == 2


def test_nothing_is_done_where_nothing_changed(tree: Tree) -> None:
    firm(at=tree.huqiu)
    following = live_roll_up(services.get_period("2024"))
    seal_pending()
    assert brought_up_to_date(following)
    assert not refresh.is_behind(following)
    # A look at a row and a change of what is not counted bring nothing about.
    tree.huqiu.chains.create(code="X", name="新链", klass="future", valid_from=SPRING)
    assert not refresh.is_behind(following)
    project(tree.huqiu)
    assert refresh.is_behind(following)


def _moves(tree: Tree) -> None:
    tree.huqiu.parent = tree.wuxi
    tree.huqiu.save()


def _founds(tree: Tree) -> None:
    factories.bureau("320506", "吴中区", tree.suzhou)


def _freezes_the_year_before(tree: Tree) -> None:
    services.freeze_now(services.get_period("2023"), None)


def _loads(tree: Tree) -> None:
    recording.loaded(ChainProject, 1000, "demo")


@pytest.mark.parametrize("happens", [_moves, _founds, _freezes_the_year_before, _loads])
def test_what_is_no_change_of_a_row_has_everything_counted(
    tree: Tree, happens: Callable[[Tree], None]
) -> None:
    project(tree.huqiu)
    period = services.get_period("2024")
    following = live_roll_up(period)
    seal_pending()
    happens(tree)
    assert not brought_up_to_date(following)
    Snapshot.objects.filter(pk=following.pk).update(job_state=Job.State.QUEUED, attempts=0)
    seal_pending()
    services.run_snapshot(following.pk)
    following.refresh_from_db()
    assert brought_up_to_date(following)
    assert stored(following) == stored(services.rollup_now(period))


def test_a_new_name_of_a_bureau_changes_no_figure(tree: Tree) -> None:
    following = live_roll_up(services.get_period("2024"))
    tree.huqiu.name = "虎丘区局"
    tree.huqiu.save()
    assert brought_up_to_date(following)


def test_once_a_day_everything_is_counted(tree: Tree) -> None:
    """So that nothing written past the record stays unseen."""
    following = live_roll_up(services.get_period("2024"))
    following.basis["day"] = "2024-01-01"
    assert not brought_up_to_date(following)


def test_two_live_roll_ups_take_turns_and_readers_of_one_go_on_reading_it(tree: Tree) -> None:
    period = services.get_period("2024")
    project(tree.huqiu)
    live.follow()
    first = period.snapshots.get()
    services.run_snapshot(first.pk)
    at(first, a_while_ago())
    project(tree.huqiu)
    live.follow()
    second = period.snapshots.exclude(pk=first.pk).get()
    # Until the second is there the first is read.
    assert figures.current(period) == first
    services.run_snapshot(second.pk)
    assert figures.current(period) == second
    assert (value(first, "I01", tree.nation), value(second, "I01", tree.nation)) == (1, 2)
    # The first may still be read: nothing is written into it yet.
    project(tree.huqiu)
    live.follow()
    assert set(period.snapshots.all()) == {first, second}
    assert set(period.snapshots.values_list("job_state", flat=True)) == {Job.State.DONE}
    at(second, a_while_ago())
    live.follow()
    first.refresh_from_db()
    assert first.job_state == Job.State.QUEUED
    assert figures.current(period) == second
    services.run_snapshot(first.pk)
    assert figures.current(period) == first
    assert (value(first, "I01", tree.nation), value(second, "I01", tree.nation)) == (3, 2)


def test_whoever_reads_during_a_refresh_sees_the_old_whole(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    period = services.get_period("2024")
    for _n in range(2):
        at(live_roll_up(period), a_while_ago())
        project(tree.huqiu)
    before, seen = stored(figures.current(period)), []
    catch_up = refresh.catch_up

    def catch_up_and_look(snapshot: Snapshot) -> bool:
        done = catch_up(snapshot)
        seen.append(stored(figures.current(period)))
        return done

    monkeypatch.setattr(refresh, "catch_up", catch_up_and_look)
    live.follow()
    services.run_snapshot(period.snapshots.get(job_state=Job.State.QUEUED).pk)
    assert seen == [before]
    assert stored(figures.current(period)) == stored(services.rollup_now(period)) != before


def test_a_refresh_that_fails_leaves_the_figures_and_is_counted_anew_later(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    period = services.get_period("2024")
    for _n in range(2):
        at(live_roll_up(period), a_while_ago())
        project(tree.huqiu)
    read = figures.current(period)
    with monkeypatch.context() as patched:
        patched.setattr(refresh.rollup, "report", lambda *args: 1 / 0)
        live.follow()
        failed = period.snapshots.get(job_state=Job.State.QUEUED)
        with pytest.raises(ZeroDivisionError):
            services.run_snapshot(failed.pk)
    assert figures.current(period) == read
    live.follow()
    failed.refresh_from_db()
    assert failed.job_state == Job.State.FAILED
    Snapshot.objects.filter(pk=failed.pk).update(created_at=timezone.now() - timedelta(hours=1))
    live.follow()
    services.run_snapshot(failed.pk)
    assert figures.current(period) == failed
    assert value(failed, "I01", tree.nation) == 2


def test_periods_that_are_open_and_have_begun_follow_and_others_do_not(tree: Tree) -> None:
    services.freeze_now(services.get_period("2023"), None)
    services.get_period(str(timezone.localdate().year + 1))
    services.get_period("2024")
    Snapshot._base_manager.filter(version=0).delete()
    live.follow()
    assert [row.period.code for row in Snapshot.objects.filter(version=0)] == ["2024"]
    live.follow()
    assert Snapshot.objects.filter(version=0).count() == 1
    beat = portal_settings.CELERY_BEAT_SCHEDULE["follow"]
    assert beat["task"] == tasks.follow.name
    # Sealed or not, and with its turn missed: within a minute.
    assert beat["schedule"] <= 30 >= live.STILL_READ.seconds


def test_live_roll_ups_stay_until_their_period_is_frozen(tree: Tree) -> None:
    period = services.get_period("2024")
    rows = [live_roll_up(period) for _n in range(2)]
    more = services.rollup_now(period)
    for row in (*rows, more):
        at(row, timezone.now() - timedelta(hours=1))
    at(rows[1], timezone.now() - timedelta(minutes=59))
    services.discard_superseded()
    assert set(period.snapshots.all()) == set(rows)
    services.freeze_now(period, None)
    services.discard_superseded()
    assert [row.version for row in period.snapshots.all()] == [1]
    assert set(CountedRow.objects.values_list("snapshot__version", flat=True)) <= {1}


def national(tree: Tree) -> Client:
    client = Client()
    client.force_login(factories.user(Role.ADMINISTRATOR, tree.nation))
    return client


def rests(period: Period, since: int = 1) -> None:
    """What is read has been read for a while, in minutes."""
    for minutes, row in enumerate(period.snapshots.filter(version=0).readable(), start=since):
        at(row, timezone.now() - timedelta(minutes=minutes))


def takes_its_turn(period: Period) -> None:
    """A live roll-up of the period is brought up to date by the system."""
    rests(period)
    project(Bureau.objects.get(code="320505"))
    live.follow()
    services.run_snapshot(period.snapshots.get(version=0, job_state=Job.State.QUEUED).pk)


def test_what_a_freeze_found_stays_on_the_page_while_figures_follow(tree: Tree) -> None:
    period = services.get_period("2024")
    live_roll_up(period)
    failed = Snapshot.objects.create(
        period=period, version=1, definition_version="2026.1", job_state=Job.State.FAILED, error="期初不平。"
    )
    takes_its_turn(period)
    takes_its_turn(period)
    client = national(tree)
    assert "期初不平。" in client.get("/periods/2024/").content.decode()
    assert "上次冻结没有成功" in client.get("/periods/").content.decode()
    # A turn that is being taken keeps nobody from freezing, and hides nothing.
    rests(period)
    project(tree.huqiu)
    live.follow()
    page = client.get("/periods/2024/").content.decode()
    assert "期初不平。" in page
    assert "任务正在进行" not in page
    assert "/progress/" not in page
    assert list(period.snapshots.jobs()) == [failed]


def test_a_freeze_under_way_is_what_the_page_shows_and_nothing_follows_meanwhile(tree: Tree) -> None:
    period = services.get_period("2024")
    live_roll_up(period)
    takes_its_turn(period)
    freeze = services.request_freeze(period, None, in_background=False)
    rests(period)
    project(tree.huqiu)
    live.follow()
    assert not period.snapshots.filter(version=0, job_state=Job.State.QUEUED).exists()
    # One that somebody has asked for does not hide it either.
    Snapshot.objects.create(period=period, definition_version="2026.1")
    assert period.snapshots.jobs().first() == freeze
    assert "正在冻结" in national(tree).get("/periods/2024/").content.decode()


def test_a_turn_that_failed_is_told_of(tree: Tree) -> None:
    period = services.get_period("2024")
    live_roll_up(period)
    takes_its_turn(period)
    assert not period.snapshots.jobs().exists()
    Snapshot.objects.filter(pk=figures.current(period).pk).update(job_state=Job.State.FAILED)
    assert "上次汇总失败" in national(tree).get("/periods/").content.decode()


def test_of_two_live_roll_ups_the_one_that_is_read_is_compared(tree: Tree) -> None:
    period = services.get_period("2024")
    for _turn in range(3):
        live_roll_up(period) if period.snapshots.count() < 2 else takes_its_turn(period)
        assert comparison.offered() == [figures.current(period)]


def turn(period: Period, since: int = 1) -> Snapshot:
    """What is read after `follow` was run once more."""
    rests(period, since)
    live.follow()
    for row in period.snapshots.filter(version=0, job_state=Job.State.QUEUED):
        services.run_snapshot(row.pk)
    return figures.current(period)


def test_a_count_of_everything_is_not_undone_by_the_next_refresh(tree: Tree) -> None:
    of = project(tree.huqiu)
    period = services.get_period("2024")
    seal_pending()
    for _n in range(2):
        live_roll_up(period)
    # Put right past the record, as an operator does.
    ChainProject._base_manager.filter(pk=of.pk).update(is_test=True)
    assert value(services.rollup_now(period), "I01", tree.nation) is None
    assert value(turn(period), "I01", tree.nation) is None
    project(tree.wujiang)
    assert [value(turn(period), "I01", tree.nation) for _turn in range(2)] == [1, 1]


def test_a_count_of_everything_leaves_one_under_way_alone(tree: Tree) -> None:
    period = services.get_period("2024")
    running, queued = live_roll_up(period), live_roll_up(period)
    Snapshot.objects.filter(pk=running.pk).update(job_state=Job.State.RUNNING)
    Snapshot.objects.filter(pk=queued.pk).update(job_state=Job.State.QUEUED)
    services.rollup_now(period)
    for row in (running, queued):
        row.refresh_from_db()
    assert (bool(running.basis), queued.basis) == (True, {})


def test_pages_of_figures_are_all_of_the_roll_up_of_the_first(tree: Tree) -> None:
    for unit in (tree.huqiu, tree.wujiang):
        project(unit)
    period = services.get_period("2024")
    seal_pending()
    for _n in range(2):
        live_roll_up(period)
    client = national(tree)
    first = client.get("/api/v1/figures/", {"period": "2024", "page_size": 100}).json()
    rows, page = list(first["results"]), first
    while page["next"]:
        # The one that is read takes turns with the other between the pages.
        takes_its_turn(period)
        page = client.get(page["next"]).json()
        rows += page["results"]
    named = [(row["indicator"], row["bureau"], row["chain"]) for row in rows]
    assert len(named) == first["count"] > 200
    assert len(set(named)) == len(named)

    # Once everything was counted anew, or frozen, the pages are begun again.
    second = first["next"]
    assert client.get(second).status_code == 200
    Snapshot.objects.filter(period=period).update(basis={"counted": 1})
    assert client.get(second).status_code == 404
    first = client.get("/api/v1/figures/", {"period": "2024", "page_size": 100}).json()
    services.freeze_now(period, None)
    assert client.get(first["next"]).status_code == 404
    for mark in ("x", "9" * 30, "1-x", "-"):
        assert client.get("/api/v1/figures/", {"period": "2024", "snapshot": mark}).status_code == 404


def test_a_wrong_chain_can_be_deleted_once_both_live_roll_ups_have_left_it(tree: Tree) -> None:
    wrong, right = factories.chain("X1", "误设链"), factories.chain("X2", "正确链")
    of = project(tree.huqiu, wrong)
    period = services.get_period("2024")
    seal_pending()
    for _n in range(2):
        live_roll_up(period)
    of.chain = right
    of.save()
    seal_pending()
    newest = turn(period)
    # The other one stands by, and is left as it is while changes may come.
    assert turn(period) == newest
    with pytest.raises(models.ProtectedError):
        wrong.delete()
    assert turn(period, since=6) != newest
    wrong.delete()
    # Once is enough; the event of the deletion is of no ledger.
    newest = figures.current(period)
    assert turn(period, since=6) == newest


def test_a_year_that_papers_only_compare_with_follows_when_somebody_asks_for_it(tree: Tree) -> None:
    project(tree.huqiu)
    period = services.get_period("2024")
    services.freeze_now(period, None)
    services.print_now(services.issue_bulletin(period, tree.suzhou))
    earlier = Period.objects.get(code="2023")
    services.request_rollup(earlier, None)
    live.follow()
    assert not earlier.snapshots.filter(is_live=True).exists()
    earlier.snapshots.filter(job_state=Job.State.QUEUED).delete()
    asked = services.request_rollup(earlier, factories.user(Role.STATISTICIAN, tree.nation))
    services.run_snapshot(asked.pk)
    assert turn(earlier).is_live


@pytest.mark.parametrize("part", ["day", "neighbours", "definitions"])
def test_what_a_roll_up_rests_on_is_asked_though_no_row_changed(tree: Tree, part: str) -> None:
    of = project(tree.huqiu)
    period = services.get_period("2024")
    seal_pending()
    following = live_roll_up(period)
    assert turn(period) == following
    ChainProject._base_manager.filter(pk=of.pk).update(is_test=True)
    following.basis[part] = "another"
    following.save()
    turns = [turn(period), turn(period)]
    assert following not in turns
    assert value(turns[0], "I01", tree.nation) is None
    # Counted once, and at rest again.
    assert turns[0] == turns[1]


@pytest.mark.django_db(transaction=True)
def test_a_change_whose_transaction_ends_late_is_not_missed() -> None:
    """Its event has the lower number, and comes to light after a later one was counted."""
    tree = Tree()
    mine, other = project(tree.huqiu), project(tree.huqiu)
    seal_pending()
    period = services.get_period("2024")
    following = live_roll_up(period)
    if connection.vendor == "sqlite":
        return  # of two who write one waits for the other
    changed, counted = threading.Event(), threading.Event()

    def slow() -> None:
        try:
            with transaction.atomic():
                mine.is_test = True
                mine.save()
                changed.set()
                counted.wait(30)
        finally:
            connection.close()

    thread = threading.Thread(target=slow)
    thread.start()
    changed.wait(30)
    other.is_test = True
    other.save()
    seal_pending()
    with rollup.consistent_moment():
        assert brought_up_to_date(following)
    assert value(following, "I01", tree.nation) == 1
    counted.set()
    thread.join()
    seal_pending()
    with rollup.consistent_moment():
        assert brought_up_to_date(following)
    assert value(following, "I01", tree.nation) is None
