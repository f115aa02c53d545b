"""The transition table and the one function that carries a move out."""

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.management import call_command
from django.utils import timezone

from accounts.models import Role, User
from enterprises.models import Organization
from projects import services, workflow
from projects.models import Bottleneck, Transition
from projects.services import StaleRow
from projects.timeline import SENTENCES
from projects.workflow import MOVES, STATES, Party
from tests.factories import (
    MEASURE,
    STRAIGHT,
    Cast,
    at_once,
    bureau,
    draft,
    opinion,
    solution,
    user,
    verification,
)

S = Bottleneck.Status
STATUSES = tuple(S)
# `domain.md` 4.1 written down a second time: who may do what from where, and where it leads.
TABLE = {
    ("draft", "submit"): ("filer", "submitted"),
    ("submitted", "accept"): ("officer", "accepted"),
    ("submitted", "return"): ("officer", "returned"),
    ("submitted", "reject"): ("officer", "rejected"),
    ("submitted", "withdraw"): ("filer", "withdrawn"),
    ("returned", "submit"): ("filer", "submitted"),
    ("returned", "lapse"): ("system", "lapsed"),
    ("returned", "extend"): ("officer", "returned"),
    ("rejected", "appeal"): ("filer", "submitted"),
    ("submitted", "extend"): ("officer", "submitted"),
    ("submitted", "report_up"): ("system", "submitted"),
    ("returned", "withdraw"): ("filer", "withdrawn"),
    ("accepted", "return"): ("officer", "returned"),
    ("accepted", "merge"): ("officer", "merged"),
    ("accepted", "list"): ("officer", "listed"),
    ("accepted", "withdraw"): ("filer", "withdrawn"),
    ("accepted", "escalate"): ("officer", "accepted"),
    ("accepted", "hand_down"): ("officer", "accepted"),
    ("accepted", "extend"): ("officer", "accepted"),
    ("accepted", "report_up"): ("system", "accepted"),
    ("merged", "unmerge"): ("officer", "accepted"),
    ("merged", "follow"): ("system", "merged"),
    ("listed", "post"): ("officer", "posted"),
    ("posted", "award"): ("officer", "awarded"),
    ("posted", "no_taker"): ("officer", "listed"),
    ("posted", "extend"): ("officer", "posted"),
    ("posted", "report_up"): ("system", "posted"),
    ("awarded", "begin"): ("officer", "in_progress"),
    ("awarded", "extend"): ("officer", "awarded"),
    ("awarded", "report_up"): ("system", "awarded"),
    ("dispatched", "extend"): ("officer", "dispatched"),
    ("dispatched", "report_up"): ("system", "dispatched"),
    ("listed", "dispatch"): ("officer", "dispatched"),
    ("listed", "terminate"): ("officer", "terminated"),
    ("dispatched", "take"): ("institution", "in_progress"),
    ("dispatched", "decline"): ("institution", "listed"),
    ("in_progress", "file_solution"): ("institution", "solution_filed"),
    ("in_progress", "report"): ("institution", "in_progress"),
    ("in_progress", "extend"): ("officer", "in_progress"),
    ("in_progress", "report_up"): ("system", "in_progress"),
    ("in_progress", "give_up"): ("officer", "unsolvable"),
    ("in_progress", "suspend"): ("officer", "suspended"),
    ("unsolvable", "recheck"): ("officer", "unsolvable"),
    ("unsolvable", "relist"): ("officer", "listed"),
    ("unsolvable", "terminate"): ("officer", "terminated"),
    ("unsolvable", "report_up"): ("system", "unsolvable"),
    ("in_progress", "terminate"): ("officer", "terminated"),
    ("suspended", "resume"): ("officer", "in_progress"),
    ("suspended", "terminate"): ("officer", "terminated"),
    ("solution_filed", "confirm"): ("filer", "verification"),
    ("solution_filed", "confirm_partly"): ("filer", "verification"),
    ("solution_filed", "dispute"): ("filer", "in_progress"),
    ("solution_filed", "visit"): ("officer", "solution_filed"),
    ("solution_filed", "extend"): ("officer", "solution_filed"),
    ("verification", "extend"): ("officer", "verification"),
    ("verification", "report_up"): ("system", "verification"),
    ("partly", "verify"): ("verifier", "resolved"),
    ("verification", "verify"): ("verifier", "resolved"),
    ("verification", "verify_partly"): ("verifier", "partly"),
    ("verification", "rework"): ("verifier", "in_progress"),
    ("partly", "continue"): ("officer", "in_progress"),
    ("resolved", "reopen"): ("filer officer", "reopened"),
    ("resolved", "archive"): ("system", "archived"),
    ("reopened", "restart"): ("officer", "in_progress"),
    ("reopened", "extend"): ("officer", "reopened"),
    ("reopened", "report_up"): ("system", "reopened"),
} | {
    # Whoever handles it may be another bureau from one day to the next, as long as it is not over.
    (str(status), "boundary"): ("system", str(status))
    for status in S
    if status not in (S.DRAFT, *Bottleneck.ENDED)
}


@pytest.fixture
def cast(db: None) -> Cast:
    return Cast()


def test_the_table_is_the_one_of_the_dossier():
    table = {
        (source, move.name): (" ".join(move.parties), move.leads_to(source))
        for move in MOVES.values()
        for source in move.sources
    }
    assert table == TABLE


@pytest.mark.any_database
def test_the_document_is_the_table(tmp_path: Path):
    call_command("workflow", "--output", str(tmp_path / "workflow.md"))
    written = (tmp_path / "workflow.md").read_text(encoding="utf-8")
    stored = (settings.BASE_DIR / "docs" / "workflow.md").read_text(encoding="utf-8")
    assert stored == written, "write it anew: manage.py workflow"


def test_every_status_says_whose_turn_it_is_and_every_move_has_its_sentence():
    assert set(STATES) == set(STATUSES)
    assert set(SENTENCES) == {*MOVES, "resubmit"}
    for status, state in STATES.items():
        assert (state.turn == Party.NOBODY) == (status in Bottleneck.ENDED)


def bring(cast: Cast, status: str) -> Bottleneck:
    """A problem of the cast in any status at all."""
    if status == S.DRAFT:
        return draft(cast.filer)
    if status == S.MERGED:
        master, row = cast.bring_to(S.ACCEPTED), cast.bring_to(S.ACCEPTED)
        services.move(row, "merge", by=cast.city_officer, data={"master": master, "reason": "同一缺口。"})
        return row
    return cast.bring_to(status)


def data_for(cast: Cast, row: Bottleneck, move: str) -> dict[str, Any]:
    """Everything that the move needs."""
    later = timezone.localdate() + timedelta(days=60)
    return {
        **solution(row),
        **verification(row),
        "reason_code": "dispute",
        "turn_to": "当地人民法院",
        "gaps": [{"field": "symptom", "text": "请补充。"}],
        "master": cast.bring_to(S.ACCEPTED) if move == "merge" else None,
        "grade": "CITY",
        "route": "DISP",
        "due_on": later,
        "closes_on": later,
        "extended_to": timezone.localdate() + timedelta(days=120),
        "high_grade": "PROV",
        "percent": 40,
        "opinion": "专家组认为材料尚不具备。",
        "leader": row.merged_into or row,
        "assigned_to": cast.lab,
    }


def state_of(row: Bottleneck) -> tuple[Any, ...]:
    """Everything a move could change, to see that a refused one changed nothing."""
    fresh = Bottleneck.objects.filter(pk=row.pk).values().get()
    return (
        fresh,
        list(row.transitions.values()),
        list(row.measures.values()),
        list(row.evidence.values()),
    )


# What only time allows, and how much of it has passed then.
LATER = dict.fromkeys(("visit", "lapse", "archive", "report_up"), timedelta(days=400))
LATER |= dict.fromkeys(("award", "no_taker"), timedelta(days=31))


def moment(move: str) -> datetime:
    return timezone.now() + LATER.get(move, timedelta())


def ready(cast: Cast, status: str, move: str) -> Bottleneck:
    """A problem in the status on which the move can be made: only a higher unit hands down a review."""
    row = bring(cast, status)
    if move == "hand_down":
        data = {"high_grade": "PROV", "reason": "涉及全省。"}
        services.move(row, "escalate", by=cast.city_officer, data=data)
    return row


def who_makes(cast: Cast, row: Bottleneck, party: str) -> User | None:
    officers = {cast.county: cast.county_officer, cast.city: cast.city_officer}
    return {
        "filer": cast.filer,
        "institution": cast.engineer,
        "verifier": cast.verifier,
        "officer": officers.get(row.handler) or user(Role.OFFICER, row.handler),
        "system": None,
    }[party]


@pytest.mark.any_database
@pytest.mark.parametrize("status", STATUSES)
def test_every_move_by_every_party_agrees_with_the_table(cast: Cast, status: str):
    row = bring(cast, status)
    people = {
        "filer": cast.filer,
        "county officer": cast.county_officer,
        "city officer": cast.city_officer,
        "verifier": cast.verifier,
        "institution": cast.engineer,
        "auditor": user(Role.AUDITOR, bureau()),
        "foreign filer": user(Role.FILER),
        "foreign officer": user(Role.OFFICER, bureau("330000", parent=bureau())),
        "system": None,
    }
    may_be = {
        "filer": {"filer"},
        "county officer": {"officer", "verifier"},
        "city officer": {"officer", "verifier"},
        "verifier": {"officer", "verifier"},
        "institution": {"institution"},
        "system": {"system"},
    }
    city_works = row.handler == cast.city
    for move in MOVES.values():
        data, at = data_for(cast, row, move.name), moment(move.name)
        before = state_of(row)
        for who, person in people.items():
            party, _target = TABLE.get((status, move.name), ("", None))
            expected = not may_be.get(who, set()).isdisjoint(party.split())
            if "officer" in party and city_works and who in ("county officer", "verifier"):
                expected = False
            if party == "verifier" and who in ("county officer", "city officer"):
                expected = False  # they accepted and listed it
            if move.name == "hand_down":
                expected = False  # the city is the lowest that reviews
            assert workflow.judge(row, move, person, at).allowed == expected, (status, move.name, who)
            # A move that does not leave this status is stale for everybody alike: one person is enough.
            if not expected and (party or who == "filer"):
                with pytest.raises((PermissionDenied, StaleRow)):
                    services.move(row, move.name, by=person, data=data, at=at)
        assert state_of(row) == before
        for party in TABLE.get((status, move.name), ("", None))[0].split():
            _carried_out_by(party, cast, status, move.name)


def _carried_out_by(party: str, cast: Cast, status: str, name: str) -> None:
    """The right party makes the move on a fresh row, and it is recorded as the table says."""
    row, target = ready(cast, status, name), TABLE[status, name][1]
    person, steps, version = who_makes(cast, row, party), row.transitions.count(), row.version
    data = data_for(cast, row, name)
    event = services.move(row, name, by=person, data=data, version=version, at=moment(name))
    assert (row.status, event.source, event.target) == (target, status, target)
    assert (event.sequence, row.version, event.actor) == (steps + 1, version + 1, person)
    assert event.handler == row.handler
    assert event.clock_due_on == row.clock_due_on
    assert (row.clock_due_on is not None) == STATES[target].has_clock


@pytest.mark.parametrize("name", [move.name for move in MOVES.values() if move.needs])
def test_a_move_without_what_it_needs_leaves_nothing_behind(cast: Cast, name: str):
    row = ready(cast, MOVES[name].sources[0], name)
    person = who_makes(cast, row, MOVES[name].parties[0])
    whole, before = data_for(cast, row, name), state_of(row)
    for key in MOVES[name].needs:
        with pytest.raises(ValidationError) as refusal:
            services.move(row, name, by=person, data=whole | {key: None}, at=moment(name))
        assert list(refusal.value.message_dict) == [key]
        assert state_of(row) == before


def test_a_solution_that_leaves_a_metric_out_is_refused_whole(cast: Cast):
    row = cast.bring_to(S.IN_PROGRESS)
    before = state_of(row)
    with pytest.raises(ValidationError):
        cast.make(row, "file_solution", after=[{"measure": 0, "value_after": 1, "measured_after_on": None}])
    assert state_of(row) == before


def test_an_incomplete_draft_stays_a_draft(cast: Cast):
    row = draft(cast.filer, symptom="", nqi_elements=())
    row.measures.all().delete()
    with pytest.raises(ValidationError) as refusal:
        services.move(row, "submit", by=cast.filer)
    assert len(refusal.value.messages) == 3
    assert not row.transitions.exists()
    assert Bottleneck.objects.get(pk=row.pk).code is None


def test_numbers_are_gapless_in_spite_of_refused_filings(cast: Cast):
    first, refused, second = draft(cast.filer), draft(cast.filer, symptom=""), draft(cast.filer)
    services.move(first, "submit", by=cast.filer)
    with pytest.raises(ValidationError):
        services.move(refused, "submit", by=cast.filer)
    services.move(second, "submit", by=cast.filer)
    assert [int(row.code[-5:]) for row in (first, second)] == [1, 2]
    assert first.code == f"DK-{timezone.localdate().year}-320509-00001"


def test_a_returned_problem_keeps_number_and_first_filing_day(cast: Cast):
    row = cast.bring_to(S.RETURNED)
    code, submitted_at = row.code, row.submitted_at
    services.move(row, "submit", by=cast.filer)
    assert (row.code, row.submitted_at) == (code, submitted_at)


def test_the_second_of_two_submits_changes_nothing_and_says_what_happened(cast: Cast):
    row = draft(cast.filer)
    twin = Bottleneck.objects.get(pk=row.pk)
    services.move(row, "submit", by=cast.filer, version=row.version)
    before = state_of(row)
    with pytest.raises(StaleRow, match="待核实"):
        services.move(twin, "submit", by=cast.filer, version=twin.version)
    assert state_of(row) == before


def test_a_page_that_is_older_than_the_row_is_stale(cast: Cast):
    row = cast.bring_to(S.RETURNED)
    old = row.version
    services.revise(row, by=cast.filer, version=old, values={"symptom": "自 3 月起。"})
    with pytest.raises(StaleRow):
        services.move(row, "submit", by=cast.filer, version=old)


def test_who_worked_on_a_problem_may_not_verify_it(cast: Cast):
    row = cast.bring_to(S.VERIFICATION)
    with pytest.raises(PermissionDenied, match="经手"):
        services.move(row, "verify", by=cast.county_officer, data=verification(row))
    cast.make(row, "verify")
    assert row.status == S.RESOLVED
    assert row.resolved_at is not None


def test_a_county_cannot_strike_off_above_city_grade(cast: Cast):
    row = cast.bring_to(S.ACCEPTED)
    cast.make(row, "list", grade="PROV")
    for move in ("dispatch", "take", "file_solution", "confirm"):
        cast.make(row, move)
    of_city = user(Role.OFFICER, cast.city)
    opinion(row, of_city)
    with pytest.raises(PermissionDenied, match="县级"):
        cast.make(row, "verify")
    services.move(row, "verify", by=of_city, data=verification(row))
    assert row.status == S.RESOLVED


def test_without_matching_evidence_nothing_is_solved(cast: Cast):
    row = cast.bring_to(S.VERIFICATION)
    row.evidence.update(verify_state="mismatch")
    with pytest.raises(PermissionDenied, match="不符"):
        cast.make(row, "verify")
    row.evidence.all().delete()
    with pytest.raises(PermissionDenied, match="没有证据"):
        cast.make(row, "verify")


def test_evidence_that_was_not_looked_at_is_no_proof(cast: Cast):
    row = cast.bring_to(S.IN_PROGRESS)
    data = solution(row)
    data["evidence"].append(data["evidence"][0] | {"number": "W2026-0002"})
    services.move(row, "file_solution", by=cast.engineer, data=data)
    cast.make(row, "confirm")
    before = state_of(row)
    looked_at = row.evidence.first()
    with pytest.raises(ValidationError) as refusal:
        cast.make(row, "verify", checked=[looked_at.pk])
    assert list(refusal.value.message_dict) == ["checked"]
    assert state_of(row) == before
    cast.make(row, "verify")
    assert {proof.verify_state for proof in row.evidence.all()} == {"matched"}


def test_a_missed_target_is_no_solution(cast: Cast):
    row = cast.bring_to(S.IN_PROGRESS)
    services.move(row, "file_solution", by=cast.engineer, data=solution(row, after="80"))
    cast.make(row, "confirm")
    with pytest.raises(ValidationError, match="没有达到目标"):
        cast.make(row, "verify")
    cast.make(row, "verify", result="service_done")
    assert row.result == "service_done"


def test_a_problem_is_reopened_within_twelve_months_only(cast: Cast):
    row = cast.bring_to(S.RESOLVED)
    year_on = row.resolved_at + timedelta(days=367)
    with pytest.raises(PermissionDenied, match="12 个月"):
        services.move(row, "reopen", by=cast.filer, data={"reason": "又出现。"}, at=year_on)
    services.move(
        row, "reopen", by=cast.filer, data={"reason": "又出现。"}, at=row.resolved_at + timedelta(days=300)
    )
    assert row.status == S.REOPENED


def test_a_plan_date_is_not_in_the_past(cast: Cast):
    row = cast.bring_to(S.ACCEPTED)
    with pytest.raises(ValidationError, match="早于今天"):
        cast.make(row, "list", due_on=timezone.localdate() - timedelta(days=1))


def test_a_problem_is_merged_only_into_a_living_master(cast: Cast):
    row, master, merged = cast.bring_to(S.ACCEPTED), cast.bring_to(S.ACCEPTED), bring(cast, S.MERGED)
    for target in (row, merged, draft(cast.filer), cast.bring_to(S.REJECTED)):
        with pytest.raises(ValidationError, match="归并"):
            services.move(row, "merge", by=cast.city_officer, data={"master": target, "reason": "同一缺口。"})
    services.move(row, "merge", by=cast.city_officer, data={"master": master, "reason": "同一缺口。"})
    assert (row.status, row.merged_into) == (S.MERGED, master)
    assert list(Bottleneck.objects.masters().filter(pk__in=[row.pk, master.pk])) == [master]


@pytest.mark.parametrize(("key", "day"), [("after", "measured_after_on"), ("evidence", "issued_on")])
def test_nothing_is_measured_or_proved_in_the_future(cast: Cast, key: str, day: str):
    row = cast.bring_to(S.IN_PROGRESS)
    data = solution(row)
    data[key][0][day] = timezone.localdate() + timedelta(days=1)
    with pytest.raises(ValidationError) as refusal:
        services.move(row, "file_solution", by=cast.engineer, data=data)
    assert list(refusal.value.message_dict) == [key]


@pytest.mark.parametrize(
    ("founded", "day", "words"),
    [(None, date(1, 1, 1), "1949-10-01"), (date(2020, 5, 1), date(2020, 4, 30), "2020-05-01")],
)
def test_nothing_is_measured_before_the_firm_was_founded(
    cast: Cast, founded: date | None, day: date, words: str
):
    Organization.objects.filter(pk=cast.firm.pk).update(founded_on=founded)
    row = cast.bring_to(S.IN_PROGRESS)
    data = solution(row)
    data["after"][0]["measured_after_on"] = day
    with pytest.raises(ValidationError, match=words) as refusal:
        services.move(row, "file_solution", by=cast.engineer, data=data)
    assert list(refusal.value.message_dict) == ["after"]
    new = draft(cast.filer)
    metric = MEASURE | {"measured_on": day}
    with pytest.raises(ValidationError, match=words):
        services.revise(new, by=cast.filer, version=new.version, values={}, measures=[metric])


def test_no_proof_is_older_than_the_state(cast: Cast):
    Organization.objects.filter(pk=cast.firm.pk).update(founded_on=date(2020, 5, 1))
    row = cast.bring_to(S.IN_PROGRESS)
    data = solution(row)
    data["evidence"][0]["issued_on"] = date(1949, 9, 30)
    with pytest.raises(ValidationError, match="1949-10-01") as refusal:
        services.move(row, "file_solution", by=cast.engineer, data=data)
    assert list(refusal.value.message_dict) == ["evidence"]
    data["evidence"][0]["issued_on"] = date(1990, 1, 1)
    services.move(row, "file_solution", by=cast.engineer, data=data)


def test_of_two_problems_merged_into_each_other_one_after_the_other_one_stays(cast: Cast):
    one, other = cast.bring_to(S.ACCEPTED), cast.bring_to(S.ACCEPTED)
    as_chosen = Bottleneck.objects.get(pk=one.pk)
    services.move(one, "merge", by=cast.city_officer, data={"master": other, "reason": "同一缺口。"})
    with pytest.raises(ValidationError):
        services.move(
            other, "merge", by=cast.city_officer, data={"master": as_chosen, "reason": "同一缺口。"}
        )
    other.refresh_from_db()
    assert other.status == S.ACCEPTED


def test_only_institutions_are_charged_with_problems(cast: Cast):
    row = cast.bring_to(S.LISTED)
    with pytest.raises(ValidationError, match="赋能机构"):
        cast.make(row, "dispatch", assigned_to=cast.firm)


def test_an_institution_that_declines_sees_the_problem_no_more(cast: Cast):
    row = cast.bring_to(S.DISPATCHED)
    services.move(row, "decline", by=cast.engineer, data={"reason": "没有设备。"})
    assert (row.status, row.assigned_to) == (S.LISTED, None)
    assert not Bottleneck.objects.visible_to(cast.engineer).filter(pk=row.pk).exists()


# --- Two people at once ------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_of_two_officers_who_decide_at_once_one_wins_and_the_other_reads_what_happened():
    cast = Cast()
    row = cast.filed()
    other = user(Role.OFFICER, cast.county)
    copies = [Bottleneck.objects.get(pk=row.pk) for _ in range(2)]
    results = at_once(
        lambda: services.move(copies[0], "accept", by=cast.county_officer, version=row.version),
        lambda: services.move(
            copies[1],
            "reject",
            by=other,
            data={"reason_code": "dispute", "reason": "合同纠纷。", "turn_to": "当地人民法院"},
            version=row.version,
        ),
    )
    assert sorted(type(result).__name__ for result in results) == ["StaleRow", "Transition"]
    lost = next(result for result in results if isinstance(result, StaleRow))
    won = next(result for result in results if isinstance(result, Transition))
    assert str(MOVES[won.move].done) in str(lost)
    row.refresh_from_db()
    assert row.status == won.target
    assert row.transitions.count() == 2


@pytest.mark.django_db(transaction=True)
def test_of_many_submits_at_once_one_files_and_one_number_is_used():
    cast = Cast()
    row = draft(cast.filer)
    copies = [Bottleneck.objects.get(pk=row.pk) for _ in range(6)]
    results = at_once(*(lambda c=copy: services.move(c, "submit", by=cast.filer) for copy in copies))
    assert [type(result).__name__ for result in results].count("Transition") == 1
    assert all(isinstance(result, Transition | StaleRow) for result in results)
    later = cast.filed()
    assert int(later.code[-5:]) == 2


@pytest.mark.django_db(transaction=True)
def test_many_filings_at_once_get_different_numbers():
    cast = Cast()
    rows = [draft(cast.filer) for _ in range(6)]
    results = at_once(*(lambda r=row: services.move(r, "submit", by=cast.filer) for row in rows))
    assert all(isinstance(result, Transition) for result in results)
    numbers = Bottleneck.objects.filter(pk__in=[row.pk for row in rows]).values_list("code", flat=True)
    assert sorted(int(code[-5:]) for code in numbers) == [1, 2, 3, 4, 5, 6]


@pytest.mark.django_db(transaction=True)
def test_two_saves_of_a_draft_at_once_do_not_overwrite_each_other():
    cast = Cast()
    row = draft(cast.filer)
    results = at_once(
        lambda: services.revise(row, by=cast.filer, version=row.version, values={"symptom": "甲"}),
        lambda: services.revise(row, by=cast.filer, version=row.version, values={"symptom": "乙"}),
    )
    assert sorted(type(result).__name__ for result in results) == ["Bottleneck", "StaleRow"]


@pytest.mark.django_db(transaction=True)
def test_of_two_problems_merged_into_each_other_at_once_one_stays():
    cast = Cast()
    pair = [cast.bring_to(S.ACCEPTED) for _ in range(2)]
    copies = [Bottleneck.objects.get(pk=row.pk) for row in pair]

    def merge(child: Bottleneck, master: Bottleneck) -> Transition:
        return services.move(
            child, "merge", by=cast.city_officer, data={"master": master, "reason": "同一缺口。"}
        )

    results = at_once(lambda: merge(pair[0], copies[1]), lambda: merge(pair[1], copies[0]))
    assert sorted(type(result).__name__ for result in results) == ["Transition", "ValidationError"]
    assert sorted(Bottleneck.objects.values_list("status", flat=True)) == [S.ACCEPTED, S.MERGED]


def test_the_straight_way_is_walked_to_its_end(cast: Cast):
    row = cast.bring_to(S.RESOLVED)
    assert [step.move for step in row.transitions.all()] == list(STRAIGHT)
