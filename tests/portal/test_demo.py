"""The demo data: they count to what their scale declares, and every life in them is a legal one."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from datetime import date, timedelta
from io import StringIO
from itertools import pairwise

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.db.models import Count, F, Sum
from django.utils import timezone

from accounts.models import Grant, Notice, Role, User
from accounts.notices import sentence
from bulletins import figures, services
from bulletins.checking import State, verify
from bulletins.collecting import confirmed
from bulletins.indicators import HEADLINES
from bulletins.models import Bulletin, Lookup, Period, Series, StatValue, Submission, Wording
from common import uscc
from common.workdays import add_workdays
from enterprises.models import Bureau, InstitutionProfile, NumberSeries, Organization
from portal.demo import people
from portal.demo.checks import Document
from portal.demo.days import Days
from portal.demo.figures import publish
from portal.demo.load import load
from portal.demo.places import share_out
from portal.demo.scales import SCALES
from projects.models import (
    Attachment,
    Bottleneck,
    ChainProject,
    Consortium,
    Evidence,
    InspectionReport,
    KeyProject,
    Measure,
    Participation,
    Transition,
)
from projects.workflow import MOVES, clock_of_state

SMALL = SCALES["small"]
S = Bottleneck.Status


def quiet(_name: str) -> AbstractContextManager[None]:
    return nullcontext()


@pytest.fixture(scope="module")
def demo(django_db_setup: None, django_db_blocker) -> Iterator[None]:
    """The small demo, for all tests of this module, gone afterwards."""
    with django_db_blocker.unblock(), transaction.atomic():
        load("small", 1, timezone.localdate(), "a password", quiet)
        publish(timezone.localdate(), quiet)
        yield
        transaction.set_rollback(True)


def one(sql: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()[0]


# 2024 begins and ends at midnight in Shanghai, eight hours before it does in UTC.
YEAR = "BETWEEN '2024-01-01' AND '2024-12-31'"
YEAR_UTC = ">= '2023-12-31 16:00:00' AND {0} < '2024-12-31 16:00:00'"
COUNTED = "{0}.is_test = {1} AND {0}.voided_at IS NULL"
ACTIVE = "a.joined_on <= '2024-12-31' AND (a.left_on IS NULL OR a.left_on >= '2024-01-01')"


def counted(alias: str) -> str:
    return COUNTED.format(alias, "FALSE" if connection.vendor == "postgresql" else "0")


def test_projects_of_2024(demo: None) -> None:
    begun = "('executing', 'acceptance', 'accepted', 'failed', 'terminated')"
    assert SMALL.year_2024.projects == one(
        f"SELECT count(*) FROM projects_chainproject p WHERE p.start_on {YEAR}"
        f" AND p.status IN {begun} AND {counted('p')}"
    )


def test_consortia_of_2024(demo: None) -> None:
    assert SMALL.year_2024.consortia == one(
        f"SELECT count(*) FROM projects_consortium c WHERE c.founded_on {YEAR} AND {counted('c')}"
    )


@pytest.mark.parametrize(
    ("role", "expected"),
    [("leader", SMALL.leaders), ("enabler", SMALL.institutions), ("member", SMALL.members)],
)
def test_organisations_of_2024(demo: None, role: str, expected: int) -> None:
    found = one(
        f"""
        SELECT count(DISTINCT a.organization_id)
        FROM projects_participation a JOIN projects_chainproject p ON p.id = a.project_id
        WHERE a.role = '{role}' AND {ACTIVE} AND {counted("p")}
        AND ('{role}' <> 'member' OR NOT EXISTS (
            SELECT 1 FROM projects_participation l WHERE l.role = 'leader'
            AND l.project_id = a.project_id AND l.organization_id = a.organization_id))
        """
    )
    assert found == expected


def test_key_projects_of_2024(demo: None) -> None:
    assert SMALL.year_2024.key_projects == one(
        f"SELECT count(*) FROM projects_keyproject k WHERE k.contract_on {YEAR}"
        f" AND k.kind <> 'landmark_task' AND {counted('k')}"
    )


def test_problems_solved_in_2024(demo: None) -> None:
    assert SMALL.year_2024.solved == one(
        f"SELECT count(*) FROM projects_bottleneck b WHERE b.resolved_at {YEAR_UTC.format('b.resolved_at')}"
        f" AND b.result = 'bottleneck_solved' AND b.merged_into_id IS NULL AND {counted('b')}"
    )
    # The events say the same, also for what was reopened meanwhile.
    assert SMALL.year_2024.solved == one(
        "SELECT count(DISTINCT b.id)"
        " FROM projects_bottleneck b JOIN projects_transition t ON t.bottleneck_id = b.id"
        f" WHERE t.target = 'resolved' AND t.at {YEAR_UTC.format('t.at')} AND b.result = 'bottleneck_solved'"
        f" AND {counted('b')}"
    )


def test_published_figures_are_the_declared_ones(demo: None) -> None:
    nation = Bureau.objects.get(code="000000")
    printed = {}
    for code in ("2023", "2024"):
        period = Period.objects.get(code=code)
        assert period.status == Period.Status.PUBLISHED
        snapshot = figures.current(period)
        assert snapshot is not None
        printed[code] = {
            name: value.value for name, value in figures.values(snapshot, [nation])[nation.pk].items()
        }
    year = SMALL.year_2024
    assert [printed["2024"][code] for code in HEADLINES] == [
        year.projects,
        year.consortia,
        SMALL.leaders,
        SMALL.members,
        SMALL.institutions,
        year.key_projects,
        year.solved,
    ]
    assert printed["2023"]["I15"] == SMALL.year_2023.solved


def test_units_without_rows_have_no_figure(demo: None) -> None:
    snapshot = figures.current(Period.objects.get(code="2024"))
    assert snapshot is not None
    found = StatValue.objects.filter(snapshot=snapshot, chain=None, indicator="I15")
    assert found.filter(bureau__level=Bureau.Level.PROVINCE, value=None).exists()
    assert found.filter(bureau__level=Bureau.Level.PROVINCE, value__gt=0).exists()


def test_bulletins_are_issued_and_later_periods_left_open(demo: None) -> None:
    circulars = Bulletin.objects.filter(kind=Bulletin.Kind.CIRCULAR)
    issued = circulars.filter(status=Bulletin.Status.ISSUED).values_list("period__code", "bureau__code")
    assert sorted(issued) == [
        ("2023", "000000"),
        ("2023", "330000"),
        ("2024", "000000"),
        ("2024", "320000"),
        ("2024", "440000"),
    ]
    assert Period.objects.filter(status=Period.Status.OPEN, kind=Period.Kind.YEAR).exists()


def test_the_bulletin_desk_shows_each_state_and_kind(demo: None) -> None:
    assert set(Bulletin.objects.values_list("status", flat=True)) == set(Bulletin.Status.values)
    assert set(Bulletin.objects.values_list("kind", flat=True)) == set(Bulletin.Kind.values)
    assert Wording.objects.filter(text__contains="演示：").exists()
    assert Series.objects.filter(approved_at__isnull=True).exists()


def test_rows_that_must_not_count_are_there(demo: None) -> None:
    for model in (ChainProject, Consortium, KeyProject, Bottleneck):
        assert model.objects.filter(is_test=True).exists(), model
        assert model.objects.filter(voided_at__isnull=False).exists(), model
    for result in (Bottleneck.Result.SERVICE, Bottleneck.Result.CONSULTATION):
        assert Bottleneck.objects.filter(result=result, resolved_at__year=2024).exists()
    assert KeyProject.objects.filter(kind=KeyProject.Kind.LANDMARK_TASK).count() == SMALL.landmark_tasks


def test_distinct_and_participations_differ(demo: None) -> None:
    for role in (Participation.Role.LEADER, Participation.Role.MEMBER):
        parts = Participation.objects.filter(role=role, project__start_on__year=2024)
        assert parts.count() > parts.values("organization").distinct().count()
    leaders = Participation.objects.filter(role="leader").values("organization")
    assert Participation.objects.filter(role="member", organization__in=leaders).exists()


def test_every_state_occurs(demo: None) -> None:
    found = set(Bottleneck.objects.values_list("status", flat=True))
    assert found == set(Bottleneck.Status.values)


def test_every_life_is_a_legal_walk(demo: None) -> None:
    events = defaultdict(list)
    for event in Transition.objects.order_by("bottleneck", "sequence"):
        events[event.bottleneck_id].append(event)
    rows = Bottleneck.objects.select_related("bureau", "handler").all()
    assert set(events) == set(rows.exclude(status=S.DRAFT).values_list("pk", flat=True))
    bureaus = {bureau.pk: bureau for bureau in Bureau.objects.all()}
    moves_seen = set()
    for row in rows.exclude(status=S.DRAFT):
        walk = events[row.pk]
        assert [event.sequence for event in walk] == list(range(1, len(walk) + 1))
        assert walk[0].source == S.DRAFT
        assert walk[-1].target == row.status
        assert walk[-1].at == row.status_changed_at
        assert walk[-1].handler_id == row.handler_id
        assert walk[-1].clock_due_on == row.clock_due_on
        assert row.version == len(walk) + 1
        for before, after in pairwise(walk):
            assert before.target == after.source
            assert before.at < after.at
        handler = row.bureau_id
        for event in walk:
            move = MOVES[event.move]
            moves_seen.add(event.move)
            assert event.source in move.sources
            assert event.target == move.leads_to(event.source)
            if move.name in ("archive", "lapse", "boundary"):
                assert (event.actor, event.bureau_id, event.organization_id) == (None, None, None)
                continue
            assert (event.bureau_id is None) != (event.organization_id is None)
            if event.organization_id is None:
                unit = row.bureau if "verifier" in move.parties else bureaus[handler]
                assert unit.path.startswith(bureaus[event.bureau_id].heir.path)
            handler = event.handler_id
            if event.target != S.IN_PROGRESS and move.name != "report":
                named = event.details.get("closes_on")
                clock = clock_of_state(
                    Bottleneck(handler=bureaus[handler]),
                    event.target,
                    timezone.localdate(event.at),
                    date.fromisoformat(named) if named else None,
                )
                assert event.clock_due_on == (clock.due_on if clock else None)
            for key in set(move.needs) & {
                "gaps",
                "reason_code",
                "turn_to",
                "master",
                "grade",
                "route",
                "due_on",
                "assigned_to",
            }:
                assert event.details[key]
            if "reason" in move.needs:
                assert event.reason
    # What takes an ended limit, a change of mind or a merged twin stands in no demo.
    assert moves_seen == set(MOVES) - {"unmerge", "follow", "visit", "extend", "report_up", "boundary"}


def test_actors_hold_the_grant_by_which_they_acted(demo: None) -> None:
    held = {
        (grant.user_id, grant.bureau_id, grant.organization_id)
        for grant in Grant.objects.filter(starts_on__lte=timezone.localdate())
    }
    for event in Transition.objects.exclude(move__in=("archive", "lapse", "boundary")):
        assert (event.actor_id, event.bureau_id, event.organization_id) in held


def test_nobody_verified_what_he_handled(demo: None) -> None:
    handled = defaultdict(set)
    for bottleneck, actor, move in Transition.objects.order_by("bottleneck", "sequence").values_list(
        "bottleneck", "actor", "move"
    ):
        if move.startswith(("verify", "rework")):
            assert actor not in handled[bottleneck]
        elif move in {
            "accept",
            "list",
            "dispatch",
            "restart",
            "continue",
            "take",
            "file_solution",
            "confirm",
        }:
            handled[bottleneck].add(actor)


def test_solved_rows_have_evidence_and_reach_their_targets(demo: None) -> None:
    solved = Bottleneck.objects.filter(status=S.RESOLVED, result=Bottleneck.Result.SOLVED)
    assert not solved.filter(evidence__isnull=True).exists()
    assert not Evidence.objects.filter(bottleneck__in=solved).exclude(verify_state="matched").exists()
    for measure in Measure.objects.filter(bottleneck__in=solved):
        assert measure.is_met
    assert not Bottleneck.objects.filter(measures__isnull=True).exists()


def test_merged_rows_point_at_a_master_that_was_open(demo: None) -> None:
    merged = Bottleneck.objects.filter(status=S.MERGED).select_related("merged_into")
    assert merged.exists()
    for row in merged:
        at = row.transitions.get(move="merge").at
        assert row.merged_into.accepted_at < at
        ended = row.merged_into.transitions.filter(target__in=Bottleneck.ENDED).order_by("-sequence").first()
        assert ended is None or ended.at > at


def test_codes_are_gapless_and_their_series_goes_on(demo: None) -> None:
    numbers = defaultdict(list)
    codes = [
        *Bottleneck.objects.exclude(code=None).order_by("submitted_at").values_list("code", flat=True),
        *ChainProject.objects.order_by("pk").values_list("code", flat=True),
        *Consortium.objects.order_by("pk").values_list("code", flat=True),
        *KeyProject.objects.order_by("pk").values_list("code", flat=True),
    ]
    for code in codes:
        prefix, number = code.rsplit("-", 1)
        numbers[prefix].append(int(number))
    assert all(sorted(found) == list(range(1, len(found) + 1)) for found in numbers.values())
    series = dict(NumberSeries.objects.values_list("prefix", "last"))
    bulletins = {prefix for prefix in series if prefix.startswith(("TB-", "JB-"))}
    assert series.keys() - bulletins == numbers.keys()
    assert all(series[prefix] == len(found) for prefix, found in numbers.items())
    assert all(code.startswith(("DK-2", "ZLQL-2", "LHT-2", "GG-2")) for code in codes)


def test_credit_codes_are_right_and_recognisable(demo: None) -> None:
    for code in Organization.objects.values_list("uscc", flat=True):
        uscc.validate(code)
        assert code[8:11] == "DEM"


def test_everything_is_labelled(demo: None) -> None:
    for model in (Organization, ChainProject, Consortium, KeyProject):
        assert not model.objects.exclude(name__startswith="演示·").exists(), model
    assert not Bottleneck.objects.exclude(title__endswith="（演示）").exists()
    assert not User.objects.exclude(name__startswith="演示").exists()


def test_milestones_add_up_and_lie_inside_their_project(demo: None) -> None:
    rows = KeyProject.objects.annotate(steps=Count("milestones"), total=Sum("milestones__weight"))
    assert set(rows.values_list("total", flat=True)) == {100}
    assert set(rows.values_list("steps", flat=True)) == {2, 3, 4}
    assert not rows.filter(milestones__due_on__gt=F("end_on")).exists()
    assert not rows.filter(start_on__lt=F("project__start_on")).exists()
    assert not rows.filter(bottlenecks__isnull=True).exists()


def test_founded_before_joined(demo: None) -> None:
    assert not Participation.objects.filter(joined_on__lt=F("organization__founded_on")).exists()
    assert not Participation.objects.filter(joined_on__lt=F("project__start_on")).exists()
    assert not Bottleneck.objects.filter(submitted_at__date__lt=F("organization__founded_on")).exists()


def test_fields_pass_the_checks_of_the_forms(demo: None) -> None:
    """A sample of each table, field by field as a form would check it."""
    for model in (
        Organization,
        InstitutionProfile,
        ChainProject,
        Consortium,
        KeyProject,
        Bottleneck,
        Measure,
    ):
        for row in model.objects.order_by("pk")[::37]:
            row.full_clean(validate_unique=False, validate_constraints=False)


def test_some_units_report_nothing(demo: None) -> None:
    served = set(Participation.objects.values_list("bureau", flat=True))
    served |= set(Bottleneck.objects.values_list("bureau", flat=True))
    assert Bureau.objects.filter(level=Bureau.Level.PROVINCE).exclude(pk__in=served).exists()
    corps = Bureau.objects.get(code="660000")
    assert ChainProject.objects.filter(bureau__path__startswith=corps.path).exists()
    assert not ChainProject.objects.filter(bureau__path__startswith=corps.path, start_on__year=2023).exists()


def test_cross_region_projects_are_joined_by_others(demo: None) -> None:
    rows = ChainProject.objects.filter(is_cross_region=True)
    assert rows.exists()
    for row in rows:
        assert row.regions.exists()
        assert not row.regions.filter(pk=row.bureau_id).exists()


def test_attachments_are_real_files(demo: None) -> None:
    rows = Attachment.objects.all()
    assert rows.count() >= SMALL.files
    for row in rows:
        content = row.file.read()
        row.file.close()
        assert len(content) == row.size
        assert content.startswith(b"%PDF" if row.mime == "application/pdf" else b"\x89PNG")


def test_accounts_sit_on_related_rows(demo: None) -> None:
    assert list(User.objects.exclude(password="!").values_list("username", flat=True)) == [
        account.username for account in people.ACCOUNTS
    ]
    assert User.objects.get(username="admin").check_password("a password")
    grants = {
        grant.user.username: grant
        for grant in Grant.objects.filter(user__username__in=[a.username for a in people.ACCOUNTS])
    }
    firm = grants["filer"].organization
    assert firm.bureau == grants["county"].bureau
    assert firm.bureau.path.startswith(grants["city"].bureau.path)
    assert grants["city"].bureau.path.startswith(grants["province"].bureau.path)
    shared = ChainProject.objects.filter(participations__organization=firm)
    shared = shared.filter(participations__organization=grants["leader"].organization)
    assert shared.filter(participations__organization=grants["institution"].organization).exists()

    states = Counter(firm.bottlenecks.values_list("status", flat=True))
    for status in (S.DRAFT, S.RETURNED, S.SOLUTION_FILED, S.IN_PROGRESS, S.VERIFICATION, S.RESOLVED):
        assert states[status], status
    work = Counter(grants["institution"].organization.assigned_bottlenecks.values_list("status", flat=True))
    assert work[S.DISPATCHED] + work[S.IN_PROGRESS] >= 3
    led = KeyProject.objects.filter(lead=grants["institution"].organization)
    assert set(led.values_list("status", flat=True)) == {"accepted", "running"}
    assert Bottleneck.objects.open().filter(bureau=firm.bureau).count() >= SMALL.county_open
    assert Grant.objects.filter(
        user__username="statistician", role=Role.STATISTICIAN, bureau__level=0
    ).exists()


def test_who_administers_a_firm_of_the_merged_districts_is_told(demo: None) -> None:
    told = Notice.objects.filter(details__what="boundary_firm")
    managed = Grant.objects.filter(is_manager=True, organization__bureau__code="320699")
    assert 0 < told.count() == managed.count()
    assert "归演示·南通市通崇区市场监督管理局管辖" in sentence(told[0])


def test_clocks_are_mixed(demo: None) -> None:
    today = timezone.localdate()
    county = Bottleneck.objects.open().filter(bureau__code=people.COUNTY)
    assert county.overdue_on(today).exists()
    assert county.filter(clock_due_on__gte=today).exists()


def fingerprint() -> list[int | str]:
    """A count and the sum of some columns of each table, enough to tell two loads apart."""
    with connection.cursor() as cursor:
        found = []
        for sql in (
            "SELECT uscc, name FROM enterprises_organization ORDER BY id",
            "SELECT public_id, code, status, title, clock_due_on FROM projects_bottleneck ORDER BY id",
            "SELECT bottleneck_id, sequence, at, actor_id, details FROM projects_transition ORDER BY id",
            "SELECT project_id, organization_id, role, joined_on FROM projects_participation ORDER BY id",
            "SELECT code, name, contract_on FROM projects_keyproject ORDER BY id",
        ):
            cursor.execute(sql)
            found.append(repr(cursor.fetchall()))
    return found


@pytest.mark.any_database
@pytest.mark.django_db
def test_same_seed_same_data() -> None:
    found = []
    for seed in (7, 7, 8):
        with transaction.atomic():
            load("small", seed, date(2026, 6, 30), "", quiet)
            found.append(fingerprint())
            transaction.set_rollback(True)
    assert found[0] == found[1]
    assert found[0] != found[2]


@pytest.mark.django_db
@pytest.mark.parametrize("today", [date(2025, 2, 3), date(2027, 1, 12)])
def test_2024_counts_the_same_on_any_day(today: date) -> None:
    load("small", 1, today, "", quiet)
    solved = Bottleneck.objects.counted().filter(
        transitions__target=S.RESOLVED, transitions__at__year=2024, result=Bottleneck.Result.SOLVED
    )
    assert solved.distinct().count() == SMALL.year_2024.solved
    assert not Transition.objects.filter(at__date__gt=today).exists()


@pytest.mark.django_db
def test_the_command_leaves_data_alone() -> None:
    User.objects.create_user("somebody", name="某人", email="")
    output = StringIO()
    call_command("demo", "--scale", "small", stdout=output)
    assert "已有数据" in output.getvalue()
    assert not Organization.objects.exists()


def test_the_command_lists_the_accounts_without_a_password(settings) -> None:
    settings.DEMO_PASSWORD = ""
    output = StringIO()
    call_command("demo", "--accounts", stdout=output)
    assert "密码" not in output.getvalue()
    for account in people.ACCOUNTS:
        assert account.username in output.getvalue()


def test_the_command_refuses_in_production(settings) -> None:
    settings.PRODUCTION = True
    with pytest.raises(CommandError, match="生产"):
        call_command("demo", "--scale", "small")


def test_days_agree_with_the_calendar() -> None:
    days = Days(date(2026, 10, 9))
    for n in range(0, days.today, 13):
        day = date.fromisoformat(days.iso[n])
        for status in ("submitted", "verification"):
            due = days.add_workdays(n, settings.WORKING_DAY_LIMITS[status])
            assert date.fromisoformat(days.iso[due]) == add_workdays(day, settings.WORKING_DAY_LIMITS[status])
    assert days.iso[days.workday_at_or_before(Days.of(date(2026, 10, 5)))] == "2026-09-30"
    assert date.fromisoformat(days.iso[1]) - date.fromisoformat(days.iso[0]) == timedelta(days=1)


def test_shares_add_up() -> None:
    assert share_out(100, [1, 1, 1]) == [34, 33, 33]
    assert share_out(10, [5, 3, 2], least=1) == [5, 3, 2]
    assert sum(share_out(952, [3.4, 11.2, 0.25, 8.6], least=1)) == 952


def test_what_bureaus_confirmed_is_what_the_roll_up_counts(demo: None) -> None:
    rows = list(Submission.objects.judged("test").select_related("period", "bureau"))
    assert {row.status for row in rows} == {"submitted", "approved", "returned"}
    with transaction.atomic():
        services.rollup_now(rows[0].period)
        snapshot = figures.current(rows[0].period)
        assert snapshot
        for row in rows:
            assert row.figures == confirmed(snapshot, row.bureau), row.bureau
        transaction.set_rollback(True)
    assert any(number for row in rows for number in row.figures["I15"])


def test_every_issued_bulletin_and_lodged_report_was_checked(demo: None) -> None:
    issued = Bulletin.objects.public().values_list("verification_code", flat=True)
    lodged = InspectionReport.objects.judged("test")
    told = {*issued, *lodged.values_list("verification_code", flat=True)}
    looked = Lookup.objects.exclude(code="")
    assert set(looked.values_list("code", flat=True)) == told
    assert set(lodged.values_list("status", flat=True)) == {"valid", "replaced", "withdrawn"}
    assert set(Lookup.objects.values_list("state", flat=True)) == {
        "genuine", "altered", "replaced", "withdrawn", "unknown",
    }  # fmt: skip
    for code in told:
        verdict, today = verify(code=code), timezone.localdate()
        states = set(looked.filter(code=code).exclude(state="altered").values_list("day", "state"))
        # All of them were issued or lodged today, and ended today if they did.
        assert states == {(today, "genuine"), (today, verdict.state)}


def test_nothing_is_looked_up_before_it_is_there_nor_said_to_have_ended_before_it_did() -> None:
    begun = date(2026, 3, 2)
    ended = Document("ZLTB", begun, date(2026, 3, 5), State.WITHDRAWN)
    days = [begun + timedelta(n) for n in range(-1, 5)]
    assert [ended.said_on(day) for day in days] == [
        (), ("genuine",), ("genuine",), ("genuine",), ("genuine", "withdrawn"), ("withdrawn",),
    ]  # fmt: skip
    assert ended._replace(ended=None, state=State.GENUINE).said_on(days[-1]) == ("genuine",)
