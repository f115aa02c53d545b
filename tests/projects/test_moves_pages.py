"""The page of every move: its form comes from the table; nothing typed is lost, doubled or half written."""

import threading
from datetime import date, timedelta

import pytest
from django.conf import settings
from django.db import connection, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone, translation

from accounts.models import Role
from projects import services
from projects.forms.moves import REASONS, default_due_on
from projects.models import Bottleneck, Evidence
from projects.timeline import events_of
from projects.workflow import MOVES
from tests import factories
from tests.factories import Cast, S
from tests.pages import browser
from tests.worlds import world

pytestmark = pytest.mark.django_db

# From which state and by whom each move is made; the others are made on the straight way.
STARTS = {
    "withdraw": (S.SUBMITTED, "filer"),
    "accept": (S.SUBMITTED, "county_officer"),
    "return": (S.SUBMITTED, "county_officer"),
    "reject": (S.SUBMITTED, "county_officer"),
    "merge": (S.ACCEPTED, "city_officer"),
    "list": (S.ACCEPTED, "city_officer"),
    "dispatch": (S.LISTED, "city_officer"),
    "take": (S.DISPATCHED, "engineer"),
    "decline": (S.DISPATCHED, "engineer"),
    "file_solution": (S.IN_PROGRESS, "engineer"),
    "confirm": (S.SOLUTION_FILED, "filer"),
    "dispute": (S.SOLUTION_FILED, "filer"),
    "verify": (S.VERIFICATION, "verifier"),
    "verify_partly": (S.VERIFICATION, "verifier"),
    "rework": (S.VERIFICATION, "verifier"),
    "continue": (S.PARTLY, "city_officer"),
    "suspend": (S.IN_PROGRESS, "city_officer"),
    "resume": (S.SUSPENDED, "city_officer"),
    "reopen": (S.RESOLVED, "filer"),
    "restart": (S.REOPENED, "city_officer"),
    "terminate": (S.LISTED, "city_officer"),
    "appeal": (S.REJECTED, "filer"),
    "escalate": (S.ACCEPTED, "city_officer"),
    "unmerge": (S.MERGED, "city_officer"),
    "post": (S.LISTED, "city_officer"),
    "no_taker": (S.POSTED, "city_officer"),
    "award": (S.POSTED, "city_officer"),
    "begin": (S.AWARDED, "city_officer"),
    "report": (S.IN_PROGRESS, "engineer"),
    "confirm_partly": (S.SOLUTION_FILED, "filer"),
    "visit": (S.SOLUTION_FILED, "city_officer"),
    "give_up": (S.IN_PROGRESS, "city_officer"),
    "recheck": (S.UNSOLVABLE, "city_officer"),
    "relist": (S.UNSOLVABLE, "city_officer"),
    "extend": (S.ACCEPTED, "city_officer"),
    "hand_down": (S.ACCEPTED, "province_officer"),
}
# Nobody's page: the system makes them.
OF_THE_SYSTEM = {"lapse", "archive", "report_up", "follow", "boundary"}


def started(cast: Cast, name: str) -> Bottleneck:
    """A problem on which the move can be made."""
    status = STARTS[name][0]
    row = cast.bring_to(S.ACCEPTED if status == S.MERGED else status)
    if status == S.MERGED:
        data = {"master": cast.bring_to(S.ACCEPTED), "reason": "同一缺口。"}
        services.move(row, "merge", by=cast.city_officer, data=data)
    if name == "hand_down":
        cast.province_officer = factories.user(Role.OFFICER, cast.city.parent)
        data = {"high_grade": "PROV", "reason": "涉及全省。"}
        services.move(row, "escalate", by=cast.city_officer, data=data)
    if name in ("visit", "award", "no_taker"):
        past = timezone.localdate() - timedelta(days=1)
        days = {"clock_started_on": past, "clock_amber_on": past, "clock_due_on": past}
        Bottleneck.objects.filter(pk=row.pk).update(**days)
    return row


@world
def cast():
    return Cast()


def address(row, name):
    return reverse("projects:bottleneck_move", args=[row.public_id, name])


def typed(row, name, cast):
    """What somebody types into the form of a move."""
    today = timezone.localdate()
    answers = {
        "reason": "写明理由。",
        "reason_code": "dispute",
        "turn_to": "当地人民法院",
        "grade": "CITY",
        "high_grade": "PROV",
        "route": "DISP",
        "due_on": default_due_on(today),
        "closes_on": today + timedelta(days=20),
        "extended_to": (row.clock_due_on or today) + timedelta(days=3),
        "percent": 40,
        "opinion": "专家组认为材料尚不具备。",
        "assigned_to": cast.lab.uscc,
        "result": "bottleneck_solved",
        "checked": [proof.pk for proof in row.evidence.all()],
    }
    fields = {key: answers[key] for key in MOVES[name].needs if key in answers} | {"version": row.version}
    match name:
        case "return":
            fields |= {"gap_symptom": "请写明从什么时候开始。", "gap_other": "请附检测报告。\n请附照片。"}
        case "merge":
            fields |= {"master": cast.filed(title="同一问题的主问题").code}
        case "file_solution":
            measure = row.measures.get()
            fields |= {
                "solution": "调整渗碳工艺窗口。",
                f"after_{measure.pk}_value": "96.5",
                f"after_{measure.pk}_on": today.isoformat(),
                "evidence-TOTAL_FORMS": "1",
                "evidence-INITIAL_FORMS": "0",
                "evidence-0-kind": "test_report",
                "evidence-0-element": "TST",
                "evidence-0-sample": "谐波减速器柔轮",
                "evidence-0-holder": "演示减速器有限公司",
                "evidence-0-title": "寿命试验报告",
                "evidence-0-number": "W2026-0001",
                "evidence-0-issuer": "演示检验检测院",
                "evidence-0-issued_on": today.isoformat(),
            }
    return fields


def test_every_move_of_the_table_is_tried_here():
    assert set(STARTS) == set(MOVES) - OF_THE_SYSTEM - {"submit"}
    assert set(REASONS) == {
        name for name, move in MOVES.items() if "reason" in (*move.needs, *move.takes)
    } - {"submit"}


@pytest.mark.parametrize("name", STARTS)
def test_a_move_is_made_from_its_page(cast, name):
    status, who = STARTS[name]
    row = started(cast, name)
    client = browser(getattr(cast, who))
    page = client.get(address(row, name))
    assert page.status_code == 200
    assert row.title in page.content.decode()
    answer = client.post(address(row, name), typed(row, name, cast), follow=True)
    row.refresh_from_db()
    assert row.status == MOVES[name].leads_to(status), answer.content.decode()
    assert str(MOVES[name].done) in answer.content.decode()
    assert row.transitions.last().move == name


@pytest.mark.any_database
@pytest.mark.parametrize("name", [name for name in STARTS if MOVES[name].needs])
def test_an_empty_form_is_sent_back_with_the_faults_at_their_fields(cast, name):
    status, who = STARTS[name]
    row = started(cast, name)
    answer = browser(getattr(cast, who)).post(
        address(row, name),
        {"version": row.version, "evidence-TOTAL_FORMS": "1", "evidence-INITIAL_FORMS": "0"},
    )
    assert answer.status_code == 200
    assert "error-summary" in answer.content.decode()
    assert row.transitions.last().target == status
    assert row.transitions.last().move != name


def test_the_gaps_are_kept_by_field(cast):
    row = cast.filed()
    browser(cast.county_officer).post(address(row, "return"), typed(row, "return", cast))
    assert row.transitions.last().details["gaps"] == [
        {"field": "symptom", "text": "请写明从什么时候开始。"},
        {"field": "", "text": "请附检测报告。"},
        {"field": "", "text": "请附照片。"},
    ]


def test_a_rejection_keeps_what_was_typed_and_is_read_in_the_language_of_the_reader(cast):
    row = cast.filed()
    client = browser(cast.county_officer)
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = "en"
    client.post(address(row, "reject"), typed(row, "reject", cast))
    step = row.transitions.last()
    assert step.reason == "写明理由。"
    assert step.details == {"reason_code": "dispute", "turn_to": "当地人民法院"}
    with translation.override("zh-hans"):
        event = events_of(row)[0]
        sentence = str(event.sentence)
    assert sentence == "吴江区市场监督管理局不予受理：属于合同或消费纠纷"
    assert event.note == "写明理由。\n可以求助：当地人民法院"
    with translation.override("en"):
        assert events_of(row)[0].note == "写明理由。\nWhere to turn instead: 当地人民法院"


def test_the_plan_date_is_a_working_day_three_months_on():
    assert default_due_on(date(2026, 7, 15)) == date(2026, 10, 15)
    assert default_due_on(date(2026, 7, 3)) == date(2026, 10, 8)  # after the national holiday
    assert default_due_on(date(2025, 11, 30)) == date(2026, 2, 28)  # a make-up day


# --- A solution with its files ------------------------------------------------------------------------------


def test_scans_and_files_come_with_the_solution(cast):
    row = cast.bring_to(S.IN_PROGRESS)
    data = typed(row, "file_solution", cast) | {
        "evidence-0-file": factories.pdf(),
        "files": [factories.png("现场.png")],
    }
    browser(cast.engineer).post(address(row, "file_solution"), data)
    row.refresh_from_db()
    assert row.status == S.SOLUTION_FILED
    assert {attachment.name for attachment in row.attachments.all()} == {"报告.pdf", "现场.png"}
    assert row.evidence.get().attachment.name == "报告.pdf"


def test_a_file_that_is_not_what_it_says_is_refused_at_its_field(cast):
    row = cast.bring_to(S.IN_PROGRESS)
    data = typed(row, "file_solution", cast) | {"evidence-0-file": factories.png("报告.pdf")}
    page = browser(cast.engineer).post(address(row, "file_solution"), data).content.decode()
    assert "与文件名不符" in page
    assert "调整渗碳工艺窗口。" in page
    assert not row.attachments.exists() and not Evidence.objects.exists()


def test_too_many_files_are_refused_before_any_is_kept(cast):
    row = cast.bring_to(S.IN_PROGRESS)
    files = [factories.png(f"{n}.png", salt=bytes([n])) for n in range(11)]
    page = browser(cast.engineer).post(
        address(row, "file_solution"), typed(row, "file_solution", cast) | {"files": files}
    )
    assert "最多 10 个附件" in page.content.decode()
    assert not row.attachments.exists()


def test_another_row_of_evidence_is_asked_for_without_judging(cast):
    row = cast.bring_to(S.IN_PROGRESS)
    data = {
        "version": row.version,
        "solution": "写到一半",
        "evidence-TOTAL_FORMS": "1",
        "evidence-INITIAL_FORMS": "0",
        "add_evidence": "1",
    }
    page = browser(cast.engineer).post(address(row, "file_solution"), data).content.decode()
    assert "写到一半" in page and "evidence-1-number" in page
    assert "error-summary" not in page


def test_a_day_in_the_future_is_refused(cast):
    row = cast.bring_to(S.IN_PROGRESS)
    data = typed(row, "file_solution", cast)
    data["evidence-0-issued_on"] = (timezone.localdate() + timedelta(days=1)).isoformat()
    page = browser(cast.engineer).post(address(row, "file_solution"), data).content.decode()
    assert "不能晚于今天" in page


def test_a_day_long_past_is_refused_at_its_field(cast):
    row = cast.bring_to(S.IN_PROGRESS)
    field = f"after_{row.measures.get().pk}_on"
    data = typed(row, "file_solution", cast) | {field: "0001-01-01", "evidence-0-issued_on": "0001-01-01"}
    form = browser(cast.engineer).post(address(row, "file_solution"), data).context["form"]
    wrong = ["日期早于 1949-10-01，请核对年份。"]
    assert (form.errors, form.evidence.errors) == ({field: wrong}, [{"issued_on": wrong}])


# --- Verification -------------------------------------------------------------------------------------------


def test_every_evidence_is_checked_and_marked(cast):
    row = cast.bring_to(S.VERIFICATION)
    data = typed(row, "verify", cast)
    client = browser(cast.verifier)
    page = client.post(address(row, "verify"), data | {"checked": []}).content.decode()
    assert "error-summary" in page
    client.post(address(row, "verify"), data)
    assert row.evidence.get().verify_state == Evidence.VerifyState.MATCHED


def test_a_missed_target_is_not_solved(cast):
    row = cast.bring_to(S.IN_PROGRESS)
    services.move(row, "file_solution", by=cast.engineer, data=factories.solution(row, after="80"))
    cast.make(row, "confirm")
    client = browser(cast.verifier)
    page = client.post(address(row, "verify"), typed(row, "verify", cast)).content.decode()
    assert "没有达到目标" in page and "台架寿命达标率" in page
    row.refresh_from_db()
    assert row.status == S.VERIFICATION
    client.post(address(row, "verify"), typed(row, "verify", cast) | {"result": "service_done"})
    row.refresh_from_db()
    assert row.result == "service_done"


# --- Whom a problem is given to, and into what it is merged -----------------------------------------------


def test_institutions_that_fit_come_first(cast):
    standards = factories.institution("演示标准化研究院")
    standards.institution_profile.nqi_elements = ("STD",)
    standards.institution_profile.save()
    row = cast.bring_to(S.LISTED)
    client = browser(cast.city_officer)
    page = client.get(address(row, "dispatch")).content.decode()
    assert page.index(cast.lab.name) < page.index(standards.name)
    assert "在办 0 件" in page
    found = client.get(reverse("projects:institution_choices", args=[row.public_id]), {"q": "标准化"})
    assert standards.name in found.content.decode() and cast.lab.name not in found.content.decode()
    by_code = client.get(address(row, "dispatch"), {"q": standards.uscc[:12]}).content.decode()
    assert standards.name in by_code


def test_institutions_are_looked_up_by_the_handling_officer_only(cast):
    row = cast.bring_to(S.LISTED)
    url = reverse("projects:institution_choices", args=[row.public_id])
    assert browser(cast.filer).get(url).status_code == 403
    assert browser(factories.user(Role.FILER)).get(url).status_code == 404


def test_a_firm_without_abilities_is_no_institution(cast):
    row = cast.bring_to(S.LISTED)
    data = typed(row, "dispatch", cast) | {"assigned_to": cast.firm.uscc}
    page = browser(cast.city_officer).post(address(row, "dispatch"), data).content.decode()
    assert "没有这家机构" in page
    row.refresh_from_db()
    assert row.status == S.LISTED


def test_the_master_is_looked_at_before_merging(cast):
    row, master = cast.bring_to(S.ACCEPTED), cast.bring_to(S.ACCEPTED, title="另一家企业的同一问题")
    client = browser(cast.city_officer)
    page = client.get(address(row, "merge")).content.decode()
    assert master.code in page  # same chain and gap
    page = client.post(
        address(row, "merge"),
        {"version": row.version, "master": master.code, "look": "", "reason": "写到一半"},
    ).content.decode()
    assert "另一家企业的同一问题" in page and "写到一半" in page and "error-summary" not in page
    outside = Cast.__new__(Cast)
    outside_firm = factories.organization(at=factories.bureau("330000", "浙江省局", factories.bureau()))
    outside.filer = factories.user(Role.FILER, outside_firm)
    foreign = factories.draft(outside.filer)
    services.move(foreign, "submit", by=outside.filer)
    page = client.post(
        address(row, "merge"), {"version": row.version, "master": foreign.code, "reason": "相同"}
    ).content.decode()
    assert "在您的范围内没有这个编号的问题" in page


# --- Somebody came first ------------------------------------------------------------------------------------


def test_a_stale_form_tells_who_did_what_and_keeps_the_text(cast):
    row = cast.filed()
    data = typed(row, "return", cast)
    cast.make(row, "accept")
    answer = browser(cast.county_officer).post(address(row, "return"), data)
    # Accepted meanwhile and now with the city: the county can no longer return it.
    page = answer.content.decode()
    assert answer.status_code == 409
    assert "吴江区市场监督管理局已于" in page and "已受理" in page
    assert "请写明从什么时候开始。" in page and "请附检测报告。" in page
    row.refresh_from_db()
    assert row.status == S.ACCEPTED


def test_a_stale_form_that_still_may_be_sent_stands_again_as_typed(cast):
    row = cast.bring_to(S.IN_PROGRESS)
    data = typed(row, "suspend", cast) | {"reason": "等待设备到位。"}
    Bottleneck.objects.filter(pk=row.pk).update(version=row.version + 1)
    client = browser(cast.city_officer)
    answer = client.post(address(row, "suspend"), data)
    assert answer.status_code == 409
    assert "等待设备到位。" in answer.content.decode() and "您的操作还没有执行" in answer.content.decode()
    answer = client.post(address(row, "suspend"), data | {"version": row.version + 1})
    assert answer.status_code == 302


def test_a_page_opened_too_late_says_what_happened(cast):
    row = cast.bring_to(S.ACCEPTED)
    answer = browser(cast.county_officer).get(address(row, "accept"))
    assert answer.status_code == 409
    assert "已受理" in answer.content.decode()


def test_the_second_click_has_no_effect_and_says_so(cast):
    row = cast.filed()
    client, data = browser(cast.county_officer), typed(row, "accept", cast)
    client.post(address(row, "accept"), data)
    answer = client.post(address(row, "accept"), data, follow=True)
    assert answer.redirect_chain[-1][0] == reverse("projects:bottleneck_detail", args=[row.public_id])
    assert "您已经办过" in answer.content.decode()
    assert row.transitions.filter(move="accept").count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_two_who_click_at_once_one_wins(cast):
    row = cast.filed()
    other = factories.user(Role.OFFICER, cast.county)
    answers = []
    gate = threading.Barrier(2)

    def click(user):
        try:
            client = browser(user)
            gate.wait()
            answers.append(client.post(address(row, "accept"), {"version": row.version}).status_code)
        finally:
            connection.close()

    threads = [threading.Thread(target=click, args=[user]) for user in (cast.county_officer, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [302, 409]
    assert row.transitions.filter(move="accept").count() == 1


@pytest.mark.parametrize("version", ["9" * 5000, "٣", "-1", "x", ""])
def test_a_version_that_is_none_is_a_stale_form(cast, version):
    row = cast.filed()
    answer = browser(cast.county_officer).post(address(row, "accept"), {"version": version})
    assert answer.status_code == 409
    row.refresh_from_db()
    assert row.status == S.SUBMITTED


@pytest.mark.parametrize(
    ("status", "name", "fields"),
    [
        (S.ACCEPTED, "merge", {"master": "\0"}),
        (S.LISTED, "dispatch", {"assigned_to": "\0"}),
        (S.LISTED, "dispatch", {"assigned_to": "", "q": "\0"}),
    ],
)
def test_a_nul_in_a_choice_is_no_fault_of_ours(cast, status, name, fields):
    row = cast.bring_to(status)
    answer = browser(cast.city_officer).post(address(row, name), {"version": row.version, **fields})
    assert answer.status_code == 200
    row.refresh_from_db()
    assert row.status == status


# --- Who may ------------------------------------------------------------------------------------------------


def test_a_move_of_another_party_is_refused_with_the_reason(cast):
    row = cast.filed()
    for answer in (
        browser(cast.filer).get(address(row, "accept")),
        browser(cast.filer).post(address(row, "accept"), {"version": row.version}),
    ):
        assert answer.status_code == 403
        assert "这一步由办理单位办理" in answer.content.decode()
    row.refresh_from_db()
    assert row.status == S.SUBMITTED


def test_the_one_who_handled_it_does_not_verify(cast):
    row = cast.bring_to(S.VERIFICATION)
    answer = browser(cast.county_officer).get(address(row, "verify"))
    assert answer.status_code == 403
    assert "您经手过这个问题" in answer.content.decode()


def test_foreign_and_unknown_addresses_are_not_found(cast):
    row = cast.filed()
    stranger = browser(factories.user(Role.FILER))
    assert stranger.get(address(row, "withdraw")).status_code == 404
    assert stranger.post(address(row, "withdraw"), {"version": row.version}).status_code == 404
    assert browser(cast.filer).get(address(row, "explode")).status_code == 404
    assert Client().get(address(row, "accept")).status_code == 302


def test_submit_has_its_own_page(cast):
    row = factories.draft(cast.filer)
    answer = browser(cast.filer).get(address(row, "submit"))
    assert answer["Location"] == reverse("projects:bottleneck_edit", args=[row.public_id, "check"])


def test_who_loses_sight_by_a_move_lands_on_the_own_pages(cast):
    row = cast.bring_to(S.DISPATCHED)
    answer = browser(cast.engineer).post(
        address(row, "decline"), {"version": row.version, "reason": "没有这项能力。"}, follow=True
    )
    assert answer.status_code == 200
    assert answer.redirect_chain[-1][0] == reverse("projects:workspace")
    assert row.code in answer.content.decode()


def test_after_a_move_one_goes_on_to_an_address_of_this_site_only(cast):
    row = cast.bring_to(S.IN_PROGRESS)
    client = browser(cast.city_officer)
    data = typed(row, "suspend", cast)
    answer = client.post(address(row, "suspend"), data | {"next": "https://example.org/"})
    assert answer["Location"] == reverse("projects:bottleneck_detail", args=[row.public_id])
    page = client.get(f"{address(row, 'resume')}?next=javascript:alert(1)").content.decode()
    assert 'href="javascript' not in page and 'value="javascript' not in page


def test_what_has_a_way_back_offers_it(cast):
    row = cast.bring_to(S.IN_PROGRESS)
    answer = browser(cast.city_officer).post(
        address(row, "suspend"), typed(row, "suspend", cast), follow=True
    )
    page = answer.content.decode()
    assert "撤销（恢复）" in page and address(row, "resume") in page


# --- Cost ---------------------------------------------------------------------------------------------------


def test_a_move_page_costs_the_same_for_one_and_for_many(cast, django_assert_max_num_queries):
    def queries(row):
        client = browser(cast.verifier)
        with transaction.atomic(), CountQueries() as count:
            assert client.get(address(row, "verify")).status_code == 200
        return count.n

    few = cast.bring_to(S.VERIFICATION)
    many = cast.bring_to(S.VERIFICATION)
    for n in range(19):
        Evidence.objects.create(
            bottleneck=many,
            element="TST",
            title=f"报告 {n}",
            number=f"N{n}",
            issuer="演示检验检测院",
            issued_on=timezone.localdate(),
        )
    assert queries(few) == queries(many) <= 16


class CountQueries:
    """How many statements a block sends."""

    def __enter__(self):
        self.n = 0
        self._wrapper = connection.execute_wrapper(self._run)
        self._wrapper.__enter__()
        return self

    def _run(self, execute, sql, params, many, context):
        self.n += 1
        return execute(sql, params, many, context)

    def __exit__(self, *exc):
        self._wrapper.__exit__(*exc)
