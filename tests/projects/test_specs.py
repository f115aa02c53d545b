"""Demands for standards and metrology specifications: their steps, the problems that wait, who sees what."""

import io
import re
from datetime import date, timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone
from openpyxl import load_workbook

from accounts.models import Notice, Role, User
from projects import services, specs
from projects.models import Bottleneck, SpecDemand, SpecStep, SpecWait
from projects.proof import missing_proof, offers_of, only_partly
from projects.services import StaleRow
from projects.specs import STEPS
from record.models import Event
from tests import factories
from tests.factories import Cast, at_once, bureau, committee, pdf, spec_demand, user
from tests.pages import browser, text_of

pytestmark = pytest.mark.django_db
S, D = Bottleneck.Status, SpecDemand.Status
PLAN, NUMBER = "20261234-T-604", {"metrology": "JJF 2001-2026", "standard": "GB/T 50001-2026"}
# The table once more: from where each step leads where.
TABLE = {
    "approve": (["proposed"], "approved"),
    "draft": (["approved"], "drafting"),
    "consult": (["drafting"], "consulting"),
    "redraft": (["consulting", "examined"], "drafting"),
    "examine": (["consulting"], "examined"),
    "report": (["examined"], "reported"),
    "publish": (["reported"], "published"),
    "review": (["published"], "reviewing"),
    "keep": (["reviewing"], "published"),
    "decline": (["proposed"], "declined"),
    "terminate": (
        ["approved", "drafting", "consulting", "examined", "reported", "published", "reviewing"],
        "terminated",
    ),
}
WAY = ("approve", "draft", "consult", "examine", "report", "publish")
AS_IN = {name: status for name, (_sources, status) in TABLE.items() if name in WAY}


@pytest.fixture
def cast() -> Cast:
    return Cast()


def problem(cast: Cast, status: str = S.ACCEPTED, gap: str = "cal_missing") -> Bottleneck:
    return cast.bring_to(status, nqi_gap=gap, nqi_elements=("MET", "STD"))


def values(kind: str = "metrology", **fields: Any) -> dict[str, Any]:
    return {
        "title": "柔轮疲劳试验台校准规范",
        "quantity": "扭矩",
        "range": "(1~500) N·m",
        "uncertainty": "0.5 %",
        "object": "试验台",
        "users": "减速器企业",
        "urgency": "urgent",
        "committee": committee(kind),
    } | fields


def data(demand: SpecDemand, name: str) -> dict[str, Any]:
    """Everything that the step needs."""
    everything = {
        "plan_no": PLAN,
        "published_no": NUMBER[demand.kind],
        "published_on": timezone.localdate(),
    }
    return {"reason": "委员会第 3 次会议。"} | {key: everything[key] for key in STEPS[name].needs}


def make(demand: SpecDemand, name: str, by: User, **changed: Any) -> SpecStep:
    return specs.move(demand, name, data(demand, name) | changed, by=by, version=demand.version)


def bring(demand: SpecDemand, status: str, by: User) -> SpecDemand:
    """The demand in any status."""
    extra = {"reviewing": (*WAY, "review"), "declined": ("decline",), "terminated": ("approve", "terminate")}
    for name in extra.get(status, WAY):
        if demand.status != status and demand.status in STEPS[name].sources:
            make(demand, name, by)
    assert demand.status == status
    return demand


# --- From a problem -----------------------------------------------------------------------------------------


def test_an_officer_makes_a_demand_of_a_gap_and_the_problem_waits_for_it(cast: Cast) -> None:
    row = problem(cast)
    demand = specs.propose(row, values(), by=cast.city_officer)
    assert demand.code == f"GFXQ-{timezone.localdate().year}-{cast.city.code}-0001"
    assert (demand.kind, demand.chain, demand.bureau) == ("metrology", row.chain, cast.city)
    wait = demand.waits.judged("test").get()
    assert (wait.bottleneck, wait.since) == (row, timezone.localdate())
    first = demand.steps.get()
    assert (first.move, first.target, first.actor) == ("propose", D.PROPOSED, cast.city_officer)


@pytest.mark.parametrize(
    ("gap", "status", "words"),
    [
        ("tst_missing", S.ACCEPTED, "缺口是"),
        ("", S.ACCEPTED, "缺口是"),
        ("cal_missing", S.TERMINATED, "不能再提出"),
        ("cal_missing", S.RESOLVED, "不能再提出"),
    ],
)
def test_only_an_open_problem_with_such_a_gap_grows_a_demand(
    cast: Cast, gap: str, status: str, words: str
) -> None:
    row = cast.bring_to(S.ACCEPTED, nqi_gap=gap)
    Bottleneck.objects.judged("test").filter(pk=row.pk).update(
        status=status,
        listed_at=timezone.now(),
        due_on=date(2027, 1, 1),
        list_owner=cast.city,
        route="DISP",
        grade="CITY",
        resolved_at=timezone.now(),
        result="bottleneck_solved",
    )
    row.refresh_from_db()
    with pytest.raises(PermissionDenied, match=words):
        specs.propose(row, values(), by=cast.city_officer)


def test_only_officers_of_the_line_make_demands(cast: Cast) -> None:
    row = problem(cast)
    stranger = user(Role.OFFICER, bureau("330000", parent=bureau()))
    for somebody in (cast.filer, cast.engineer, stranger, user(Role.AUDITOR, cast.city)):
        with pytest.raises(PermissionDenied, match="经办人"):
            specs.propose(row, values(), by=somebody)


def test_a_problem_waits_for_one_open_demand_at_a_time(cast: Cast) -> None:
    row = problem(cast)
    demand = specs.propose(row, values(), by=cast.city_officer)
    with pytest.raises(PermissionDenied, match=demand.code):
        specs.propose(row, values(), by=cast.city_officer)
    make(demand, "decline", cast.city_officer)
    specs.propose(row, values(), by=cast.city_officer)


def test_several_problems_wait_for_one_demand_and_one_can_leave(cast: Cast) -> None:
    demand = specs.propose(problem(cast), values(), by=cast.city_officer)
    other, standard = problem(cast, gap="met_missing"), problem(cast, gap="std_missing")
    assert specs.alike(other, cast.county_officer) == [demand], "county officers see the city's demand"
    specs.join(demand, other, by=cast.city_officer)
    assert demand.waits.judged("test").count() == 2
    with pytest.raises(ValidationError, match="类别与缺口相符"):
        specs.join(demand, standard, by=cast.city_officer)
    wait = other.spec_waits.get()
    with pytest.raises(PermissionDenied):
        specs.leave(wait, by=cast.filer)
    specs.leave(wait, by=cast.city_officer)
    assert not other.spec_waits.exists()


def test_nothing_joins_a_published_demand(cast: Cast) -> None:
    demand = bring(spec_demand(problem(cast)), D.PUBLISHED, cast.county_officer)
    with pytest.raises(ValidationError, match="尚未发布"):
        specs.join(demand, problem(cast), by=cast.city_officer)


def test_a_committee_gets_demands_of_its_own_kind_only(cast: Cast) -> None:
    with pytest.raises(ValidationError) as fault:
        specs.propose(problem(cast), values(committee=committee("standard")), by=cast.city_officer)
    assert "起草的是标准" in fault.value.message_dict["committee"][0]


# --- Steps --------------------------------------------------------------------------------------------------


def test_the_table_is_the_one_of_the_dossier() -> None:
    assert {name: ([*step.sources], step.target) for name, step in STEPS.items()} == TABLE


@pytest.mark.any_database
@pytest.mark.parametrize("status", list(D))
def test_from_every_status_the_steps_of_the_table_and_no_others(cast: Cast, status: str) -> None:
    officer = cast.county_officer
    for name, (sources, target) in TABLE.items():
        demand = bring(spec_demand(problem(cast)), status, officer)
        version, steps = demand.version, demand.steps.count()
        if status in sources:
            event = make(demand, name, officer)
            assert (event.source, event.target, demand.status) == (status, target, target)
            assert (demand.version, event.sequence, event.actor) == (version + 1, steps + 1, officer)
        else:
            with pytest.raises(StaleRow):
                make(demand, name, officer)
            demand.refresh_from_db()
            assert (demand.status, demand.version, demand.steps.count()) == (status, version, steps)


def test_officers_of_the_owning_bureau_and_above_record_steps_and_nobody_else(cast: Cast) -> None:
    at_city = specs.propose(problem(cast), values(), by=cast.city_officer)
    stranger = user(Role.OFFICER, bureau("330000", parent=bureau()))
    for somebody in (cast.county_officer, cast.filer, stranger, user(Role.AUDITOR, cast.city)):
        with pytest.raises(PermissionDenied, match="提出单位"):
            make(at_city, "approve", somebody)
    make(at_city, "approve", user(Role.OFFICER, cast.city.parent))


@pytest.mark.parametrize(
    ("status", "name", "key"),
    [
        ("proposed", "approve", "plan_no"),
        ("proposed", "approve", "reason"),
        ("reported", "publish", "published_no"),
        ("reported", "publish", "published_on"),
        ("proposed", "decline", "reason"),
    ],
)
def test_a_step_without_what_it_needs_is_refused_at_its_key(
    cast: Cast, status: str, name: str, key: str
) -> None:
    demand = bring(spec_demand(problem(cast)), status, cast.county_officer)
    with pytest.raises(ValidationError) as fault:
        make(demand, name, cast.county_officer, **{key: ""})
    assert list(fault.value.message_dict) == [key]
    demand.refresh_from_db()
    assert demand.status == status


@pytest.mark.parametrize(
    ("kind", "changed", "words"),
    [
        ("metrology", {"published_no": "GB/T 1-2020"}, "JJG 或 JJF"),
        ("standard", {"published_no": "JJF"}, "顺序号和年份"),
        ("metrology", {"published_on": timezone.localdate() + timedelta(days=1)}, "不能晚于今天"),
    ],
)
def test_what_is_published_has_a_number_of_the_usual_form_and_a_past_day(
    cast: Cast, kind: str, changed: dict[str, Any], words: str
) -> None:
    gap = "cal_missing" if kind == "metrology" else "std_missing"
    demand = bring(spec_demand(problem(cast, gap=gap), kind=kind), D.REPORTED, cast.county_officer)
    with pytest.raises(ValidationError, match=words):
        make(demand, "publish", cast.county_officer, **changed)


@pytest.mark.parametrize(
    ("fields", "constraint"),
    [
        ({"status": "approved"}, "spec_approved_has_plan"),
        ({"status": "published", "plan_no": "1"}, "spec_published_has_number"),
        ({"published_no": "GB 1-2020", "published_on": date(2020, 1, 1)}, "spec_published_has_number"),
        (
            {"status": "published", "plan_no": "1", "published_no": "GB 1-2020"},
            "spec_published_has_number",
        ),
        ({"status": "declined"}, "spec_ended_for_a_reason"),
        ({"end_reason": "不需要"}, "spec_ended_for_a_reason"),
        ({"uncertainty": ""}, "spec_metrology_says_how_exact"),
    ],
)
def test_the_database_keeps_impossible_rows_out(fields: dict[str, Any], constraint: str) -> None:
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        spec_demand(**fields)


def test_a_problem_is_linked_once(cast: Cast) -> None:
    row = problem(cast)
    demand = spec_demand(row)
    with pytest.raises(IntegrityError), transaction.atomic():
        SpecWait.objects.create(demand=demand, bottleneck=row, since=date(2026, 1, 1))


def test_a_page_that_is_older_than_the_demand_is_told_what_happened(cast: Cast) -> None:
    demand = spec_demand(problem(cast))
    old = demand.version
    make(demand, "approve", cast.county_officer)
    with pytest.raises(StaleRow, match="已立项"):
        specs.move(demand, "decline", {"reason": "不需要。"}, by=cast.county_officer, version=old)
    with pytest.raises(StaleRow):
        specs.revise(demand, {"title": "改名"}, by=cast.county_officer, version=old)


def test_what_it_says_is_changed_as_long_as_the_committee_works(cast: Cast) -> None:
    demand = spec_demand(problem(cast))
    specs.revise(demand, {"title": "新的名称"}, by=cast.county_officer, version=demand.version)
    assert (demand.title, demand.version) == ("新的名称", 2)
    bring(demand, D.PUBLISHED, cast.county_officer)
    with pytest.raises(PermissionDenied):
        specs.revise(demand, {"title": "又改"}, by=cast.county_officer, version=demand.version)


@pytest.mark.django_db(transaction=True)
def test_of_two_who_decide_at_once_one_wins_and_the_other_reads_what_happened() -> None:
    cast = Cast()
    demand = spec_demand(problem(cast))
    other = user(Role.OFFICER, cast.county)
    copies = [SpecDemand.objects.judged("test").get(pk=demand.pk) for _n in range(2)]
    answers = at_once(
        lambda: make(copies[0], "approve", cast.county_officer),
        lambda: make(copies[1], "decline", other),
    )
    assert sorted(type(answer).__name__ for answer in answers) == ["SpecStep", "StaleRow"]
    demand.refresh_from_db()
    assert demand.steps.get().target == demand.status and demand.version == 2


@pytest.mark.django_db(transaction=True)
def test_of_two_demands_made_of_one_problem_at_once_one_stays() -> None:
    cast = Cast()
    row = problem(cast)
    given = values()
    answers = at_once(*(lambda: specs.propose(row, given, by=cast.city_officer) for _n in range(4)))
    assert sorted(type(answer).__name__ for answer in answers) == [*["PermissionDenied"] * 3, "SpecDemand"]
    assert row.spec_waits.count() == 1


# --- Who hears, and what counts as evidence ----------------------------------------------------------------


def told(step: str) -> dict[int, str]:
    return {
        notice.user_id: notice.kind
        for notice in Notice.objects.filter(details__what="demand", details__step=step)
    }


def test_publishing_tells_everybody_whose_problem_waits(cast: Cast) -> None:
    at_work, ended = problem(cast, S.IN_PROGRESS), problem(cast, S.TERMINATED)
    demand = bring(spec_demand(at_work, ended), D.REPORTED, cast.county_officer)
    assert told("approve") and not told("draft")
    make(demand, "publish", cast.county_officer)
    heard = told("publish")
    assert heard[cast.filer.pk] == heard[cast.engineer.pk] == Notice.Kind.MOVED
    assert heard[cast.city_officer.pk] == Notice.Kind.WAITING and cast.county_officer.pk not in heard
    rows = Notice.objects.filter(details__step="publish")
    assert {notice.details["code"] for notice in rows} == {at_work.code}, "the ended problem waits no more"
    page = text_of(browser(cast.filer).get("/messages/"))
    assert f"问题 {at_work.code} 等待的计量技术规范已发布：JJF 2001-2026" in page


def test_withdrawal_is_told_even_to_those_whose_problem_was_solved_by_it(cast: Cast) -> None:
    row = problem(cast, S.IN_PROGRESS)
    demand = bring(spec_demand(row), D.PUBLISHED, cast.county_officer)
    filed = factories.solution(row) | {
        "evidence": [
            {
                "kind": "metrology",
                "element": "MET",
                "title": "校准规范",
                "number": demand.published_no,
                "issuer": demand.committee.name,
                "issued_on": demand.published_on,
            }
        ]
    }
    services.move(row, "file_solution", by=cast.engineer, data=filed)
    cast.make(row, "confirm")
    cast.make(row, "verify")
    make(demand, "terminate", cast.county_officer)
    assert cast.filer.pk in told("terminate")
    assert "JJF 2001-2026 已废止" in text_of(browser(cast.filer).get("/messages/"))


@pytest.fixture
def merged(cast: Cast) -> tuple[Bottleneck, Bottleneck, User]:
    """A problem at work, one of another firm that was merged into it, and the filer of that."""
    master, child = problem(cast), problem(cast)
    firm = factories.organization("演示同类企业有限公司", at=cast.county)
    filer = user(Role.FILER, firm)
    Bottleneck.objects.judged("test").filter(pk=child.pk).update(organization=firm, filer=filer)
    services.move(child, "merge", by=cast.city_officer, data={"master": master, "reason": "同一缺口。"})
    for move in ("list", "dispatch", "take"):
        cast.make(master, move)
    return master, child, filer


def test_what_waits_goes_on_waiting_when_it_is_merged_and_its_master_is_at_work(
    cast: Cast, merged: tuple[Bottleneck, Bottleneck, User]
) -> None:
    master, child, filer = merged
    demand = bring(spec_demand(child), D.REPORTED, cast.county_officer)
    officer = browser(cast.city_officer)
    assert child.code in text_of(officer.get("/spec-demands/waiting/"))
    assert demand.code in text_of(officer.get(f"/bottlenecks/{master.public_id}/"))
    Notice.objects.all().delete()
    make(demand, "publish", cast.county_officer)
    heard = {
        (notice.user_id, notice.details["code"], notice.kind)
        for notice in Notice.objects.filter(details__step="publish")
    }
    assert heard == {
        (filer.pk, child.code, Notice.Kind.MOVED),
        (cast.filer.pk, master.code, Notice.Kind.MOVED),
        (cast.engineer.pk, master.code, Notice.Kind.MOVED),
        (cast.city_officer.pk, master.code, Notice.Kind.WAITING),
    }
    form = browser(cast.engineer).get(f"/bottlenecks/{master.public_id}/moves/file_solution/")
    assert 'value="JJF 2001-2026"' in form.content.decode()


@pytest.mark.parametrize("end", ["terminated", "resolved"])
def test_what_was_merged_waits_no_more_when_its_master_is_at_its_end(
    cast: Cast, merged: tuple[Bottleneck, Bottleneck, User], end: str
) -> None:
    master, child, filer = merged
    demand = spec_demand(child)
    if end == "resolved":
        solved = {"status": end, "result": "bottleneck_solved", "resolved_at": timezone.now()}
        Bottleneck.objects.judged("test").filter(pk=master.pk).update(**solved)
    else:
        services.move(master, "terminate", by=cast.city_officer, data={"reason": "产品停产。"})
    assert child.code not in text_of(browser(cast.city_officer).get("/spec-demands/waiting/"))
    make(demand, "approve", cast.county_officer)
    assert filer.pk not in told("approve")


def test_a_declined_demand_is_told_as_such(cast: Cast) -> None:
    row = problem(cast, S.IN_PROGRESS)
    make(spec_demand(row), "decline", cast.county_officer)
    assert "没有被委员会采纳" in text_of(browser(cast.filer).get("/messages/"))


def test_a_published_standard_is_offered_as_evidence_and_a_plan_as_a_part(cast: Cast) -> None:
    row = problem(cast, S.IN_PROGRESS, gap="std_missing")
    demand = spec_demand(row, kind="standard")
    assert not offers_of(row, [demand])
    bring(demand, D.DRAFTING, cast.county_officer)
    (offer,) = offers_of(row, [demand])
    assert (offer.kind, offer.number, offer.is_partial) == ("standard_plan", PLAN, True)
    bring(demand, D.PUBLISHED, cast.county_officer)
    (offer,) = offers_of(row, [demand])
    assert (offer.kind, offer.number, offer.is_partial) == ("standard", NUMBER["standard"], False)
    make(demand, "terminate", cast.county_officer)
    assert not offers_of(row, [demand])


def test_what_is_offered_counts_as_the_table_of_evidence_says(cast: Cast) -> None:
    row = problem(cast, S.IN_PROGRESS, gap="std_missing")
    demand = bring(spec_demand(row, kind="standard"), D.DRAFTING, cast.county_officer)
    plan = offers_of(row, [demand])[0].values() | {"issued_on": timezone.localdate()}
    proof = row.evidence.create(**plan)
    assert "附草案" in missing_proof(row)
    proof.attachment = services.attach(row, pdf(), by=cast.engineer)
    proof.save()
    assert not missing_proof(row) and only_partly(row)
    bring(demand, D.PUBLISHED, cast.county_officer)
    row.evidence.create(**offers_of(row, [demand])[0].values())
    assert not missing_proof(row) and not only_partly(row)


def test_a_plan_for_a_metrology_specification_proves_nothing(cast: Cast) -> None:
    row = problem(cast, S.IN_PROGRESS)
    assert not offers_of(row, [bring(spec_demand(row), D.DRAFTING, cast.county_officer)])


def test_the_form_of_the_solution_has_the_number_filled_in(cast: Cast) -> None:
    row = problem(cast, S.IN_PROGRESS)
    demand = bring(spec_demand(row), D.PUBLISHED, cast.county_officer)
    page = browser(cast.engineer).get(f"/bottlenecks/{row.public_id}/moves/file_solution/").content.decode()
    assert 'value="JJF 2001-2026"' in page and demand.committee.name in page


# --- Pages --------------------------------------------------------------------------------------------------


def test_an_officer_makes_a_demand_on_the_pages_and_leads_it_to_its_number(cast: Cast) -> None:
    row, one = problem(cast), committee(name="全国演示计量技术委员会")
    client = browser(cast.city_officer)
    page = client.get(f"/bottlenecks/{row.public_id}/")
    assert "可以请技术委员会立项" in text_of(page)
    address = f"/bottlenecks/{row.public_id}/spec-demand/"
    form = client.get(address).content.decode()
    assert "谐波减速器校准规范" in form and "台架寿命达标率：现值 68，目标不低于 95 %" in form
    empty = client.post(address, values() | {"committee": one.code, "uncertainty": ""})
    assert empty.status_code == 400 and not SpecDemand.objects.judged("test").exists()
    made = client.post(address, values() | {"committee": one.code}, follow=True)
    demand = SpecDemand.objects.judged("test").get()
    assert demand.code in text_of(made) and row.code in text_of(made) and one.contact_email in text_of(made)
    for name in WAY:
        page = client.get(f"/spec-demands/{demand.code}/moves/{name}/")
        assert page.status_code == 200
        sent = data(demand, name) | {"version": demand.version}
        page = client.post(f"/spec-demands/{demand.code}/moves/{name}/", sent, follow=True)
        demand.refresh_from_db()
        assert demand.status == AS_IN[name], text_of(page)
    text = text_of(client.get(f"/spec-demands/{demand.code}/"))
    assert "JJF 2001-2026" in text and "已公开征求意见" in text and "委员会第 3 次会议" in text


def test_faults_stand_at_their_fields_and_an_old_page_is_told(cast: Cast) -> None:
    demand = bring(spec_demand(problem(cast)), D.REPORTED, cast.county_officer)
    client, address = browser(cast.county_officer), f"/spec-demands/{demand.code}/moves/publish/"
    sent = data(demand, "publish") | {"version": demand.version}
    wrong = client.post(address, sent | {"published_no": "JJF 9"})
    assert wrong.status_code == 400 and "由 JJG 或 JJF" in text_of(wrong)
    old = client.post(address, sent | {"version": 1})
    assert old.status_code == 400 and "您的操作没有执行" in text_of(old)
    edit = f"/spec-demands/{demand.code}/edit/"
    typed = values() | {"committee": demand.committee.code}
    assert "您的修改没有保存" in text_of(client.post(edit, typed | {"version": 1}))
    client.post(edit, typed | {"version": demand.version, "title": "改后的名称"})
    demand.refresh_from_db()
    assert demand.title == "改后的名称"
    assert client.get(f"/spec-demands/{demand.code}/moves/nothing/").status_code == 404


def test_a_problem_joins_and_leaves_a_demand_on_the_pages(cast: Cast) -> None:
    demand, row = spec_demand(problem(cast)), problem(cast)
    client = browser(cast.city_officer)
    assert demand.title in text_of(client.get(f"/bottlenecks/{row.public_id}/spec-demand/"))
    address = f"/bottlenecks/{row.public_id}/spec-demand/join/"
    assert "请选择一张需求单" in text_of(client.post(address, {"demand": "GFXQ"}, follow=True))
    page = client.post(address, {"demand": demand.code}, follow=True)
    assert row.code in text_of(page)
    assert client.post(address, {"demand": demand.code}).status_code == 403
    client.post(f"/spec-demands/waiting/{row.spec_waits.get().pk}/leave/")
    assert not row.spec_waits.exists()


def test_the_filer_reads_on_its_problem_what_it_waits_for_and_no_more(cast: Cast) -> None:
    row = problem(cast)
    demand = bring(spec_demand(row, users="只给系统内看的说明"), D.APPROVED, cast.county_officer)
    client = browser(cast.filer)
    text = text_of(client.get(f"/bottlenecks/{row.public_id}/"))
    for words in (demand.title, PLAN, "立项", demand.committee.name, "已等 0 天"):
        assert words in text
    assert "只给系统内看的说明" not in text and "委员会第 3 次会议" not in text
    assert "提出规范需求" not in text
    assert client.get(f"/spec-demands/{demand.code}/").status_code == 404
    for address in ("/spec-demands/", "/spec-demands/waiting/"):
        assert client.get(address).status_code == 403
    assert client.get("/api/v1/spec-demands/").json()["count"] == 0


def test_a_bureau_below_reads_the_demand_and_of_the_waiting_problems_its_own(cast: Cast) -> None:
    ours = problem(cast)
    next_county = bureau("320505", "虎丘区市场监督管理局", cast.city)
    firm = factories.organization("演示邻区公司", at=next_county)
    theirs = services.draft_for(user(Role.FILER, firm), firm, factories.uuid.uuid4())
    theirs.code, theirs.title = "DK-2026-320505-00009", "邻区的题目"
    for name, value in factories.filing_values(title="邻区的题目", nqi_gap="cal_missing").items():
        setattr(theirs, name, value)
    theirs.status, theirs.submitted_at = "accepted", timezone.now()
    theirs.save()
    demand = spec_demand(ours, theirs, bureau=cast.city)
    county = browser(cast.county_officer)
    text = text_of(county.get(f"/spec-demands/{demand.code}/"))
    assert ours.code in text and "邻区的题目" not in text and "另有 1 个不在您查看范围内" in text
    assert "邻区的题目" not in text_of(county.get("/spec-demands/waiting/"))
    assert county.get(f"/api/v1/spec-demands/{demand.code}/").json()["waiting"] == [ours.code]
    link = f'href="/spec-demands/{demand.code}/"'
    assert link in county.get(f"/bottlenecks/{ours.public_id}/").content.decode()
    assert link not in browser(cast.filer).get(f"/bottlenecks/{ours.public_id}/").content.decode()
    city = text_of(browser(cast.city_officer).get(f"/spec-demands/{demand.code}/"))
    assert "邻区的题目" in city and "另有" not in city
    of_next = browser(user(Role.OFFICER, next_county))
    assert of_next.get(f"/spec-demands/{spec_demand(ours).code}/").status_code == 404, "of a sibling"


def test_the_page_of_a_demand_counts_who_waits_as_the_list_does(cast: Cast) -> None:
    at_work, ended = problem(cast), problem(cast, S.TERMINATED)
    demand = spec_demand(at_work, ended)
    client, address = browser(cast.county_officer), f"/spec-demands/{demand.code}/"
    text = text_of(client.get(address))
    assert at_work.code in text and ended.code not in text and "另有" not in text
    assert client.get(f"/api/v1{address}").json()["waiting"] == [at_work.code]


def test_the_page_of_a_decided_demand_says_who_has_waited(cast: Cast) -> None:
    rows = [problem(cast), problem(cast, S.TERMINATED)]
    demand = spec_demand(*rows)
    make(demand, "decline", cast.county_officer)
    client, address = browser(cast.county_officer), f"/spec-demands/{demand.code}/"
    page = client.get(address)
    text = text_of(page)
    assert "曾等待的问题" in text and all(row.code in text for row in rows)
    assert "已等" not in text and "/spec-demands/waiting/?q=" not in page.content.decode()


def test_an_officer_of_one_chain_sees_demands_of_this_chain(cast: Cast) -> None:
    ours, other = spec_demand(problem(cast)), spec_demand(chain=factories.chain("C02", "集成电路"))
    person = user()
    factories.grant(person, Role.OFFICER, cast.county, chain=ours.chain)
    assert list(SpecDemand.objects.visible_to(person)) == [ours]
    assert other not in SpecDemand.objects.visible_to(person)


def test_the_address_of_a_committee_is_masked_for_those_who_do_not_write_to_it(cast: Cast) -> None:
    demand = spec_demand(problem(cast))
    address = f"/spec-demands/{demand.code}/"
    assert "secretary@example.org" in text_of(browser(cast.county_officer).get(address))
    auditor = text_of(browser(user(Role.AUDITOR, cast.county)).get(address))
    assert "secretary@" not in auditor and "s***@example.org" in auditor


def test_the_list_is_filtered_searched_and_sorted(cast: Cast) -> None:
    first, second = spec_demand(problem(cast)), spec_demand(problem(cast, gap="std_missing"), kind="standard")
    bring(first, D.APPROVED, cast.county_officer)
    client = browser(cast.county_officer)

    def found(query: str) -> list[str]:
        text = text_of(client.get(f"/spec-demands/?{query}"))
        return [demand.code for demand in (first, second) if demand.code in text]

    assert found("") == [first.code, second.code]
    assert found("kind=standard") == [second.code]
    assert found("status=approved") == [first.code]
    assert found(f"q={PLAN}") == [first.code] and found(f"q={second.title}") == [second.code]
    text = text_of(client.get("/spec-demands/?sort=title"))
    assert text.index(first.code) < text.index(second.code)


def test_the_list_begins_with_what_will_stand_there() -> None:
    client = browser(user(Role.OFFICER, factories.county()))
    assert "可以在问题页面提出规范需求" in text_of(client.get("/spec-demands/"))
    assert "没有在等标准或规范的问题" in text_of(client.get("/spec-demands/waiting/"))


def test_who_waits_for_which_plan_is_grouped_with_the_days_and_given_as_a_workbook(cast: Cast) -> None:
    early, late, none_yet = problem(cast), problem(cast), problem(cast)
    demand = bring(spec_demand(early, late), D.APPROVED, cast.county_officer)
    demand.waits.judged("test").filter(bottleneck=early).update(
        since=timezone.localdate() - timedelta(days=40)
    )
    spec_demand(none_yet)
    published = bring(spec_demand(problem(cast)), D.PUBLISHED, cast.county_officer)
    client = browser(cast.county_officer)
    html = client.get("/spec-demands/waiting/").content.decode()
    heads = re.findall(r'scope="rowgroup">([^<]*)<', html)
    assert heads == ["尚未立项", PLAN]
    assert html.index(none_yet.code) < html.index(early.code) < html.index(late.code)
    assert published.code not in html
    assert "rowgroup" not in client.get("/spec-demands/waiting/?sort=-days").content.decode()
    answer = client.get("/spec-demands/waiting/?export=xlsx&sort=-days")
    rows = list(load_workbook(io.BytesIO(answer.content)).active.values)
    head = rows[0]
    assert [row[head.index("已等天数")] for row in rows[1:]] == [40, 0, 0] or [
        row[head.index("已等天数")] for row in rows[1:]
    ] == [0, 0, 40]
    assert {row[head.index("计划号")] for row in rows[1:]} == {PLAN, "尚未立项"}


def test_every_change_of_a_demand_is_recorded(cast: Cast) -> None:
    demand = specs.propose(problem(cast), values(), by=cast.city_officer)
    make(demand, "approve", cast.city_officer)
    events = Event.objects.judged("test").filter(topic_entity="projects.specdemand", topic_row=str(demand.pk))
    assert {event.entity for event in events} == {"projects.specdemand", "projects.specwait"}
    changed = events.get(kind=Event.Kind.CHANGED)
    assert changed.after["plan_no"] == PLAN and changed.reason == "委员会第 3 次会议。"
    assert changed.path == cast.city.path and changed.actor == cast.city_officer
