"""Who is told what, once, and where it stands."""

import re
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone, translation

from accounts import mailing, notices
from accounts.granting import appoint_substitute, end_grant, end_substitution, grant_role
from accounts.models import BUREAU_ROLES, Grant, Notice, NoticeChoice, Role, Substitution
from accounts.tasks import forget_notices
from common import formats
from projects import services
from projects.models import Bottleneck
from projects.notices import Parties, tell_of_clocks
from tests import factories
from tests.accounts.signing_in import sign_in
from tests.factories import Cast
from tests.pages import browser

pytestmark = pytest.mark.django_db
S = Bottleneck.Status
Kind = Notice.Kind


@pytest.fixture
def cast():
    return Cast()


def told(user, kind=None):
    rows = user.notices.order_by("pk")
    return [notices.sentence(row) for row in (rows.filter(kind=kind) if kind else rows)]


def forget():
    Notice.objects.all().delete()


def notice(user, kind=Kind.ACCOUNT, source="", **fields):
    row = Notice(user=user, kind=kind, source=source or f"test:{Notice.objects.count()}", at=timezone.now())
    row.details = {"what": "acceptance", "organization": "演示减速器有限公司"}
    for name, value in fields.items():
        setattr(row, name, value)
    row.save()
    return row


# --- Steps of a problem ---


def test_a_filing_waits_for_the_officers_of_the_county_and_tells_the_colleagues_of_the_filer(cast):
    colleague = factories.user(Role.FILER, cast.firm)
    stranger = factories.user(Role.FILER, factories.organization())
    row = cast.filed()
    assert told(cast.county_officer) == told(cast.verifier)
    [sentence] = told(cast.county_officer, Kind.WAITING)
    assert sentence.startswith(
        f"问题 {row.code} 轮到您办理，{notices.day_of({'d': str(row.clock_due_on)}, 'd')}"
    )
    assert told(colleague, Kind.MOVED) == told(colleague) != []
    for person in (cast.filer, cast.city_officer, cast.engineer, stranger):
        assert told(person) == []


def test_whoever_is_to_act_is_told_that_and_not_the_progress_as_well(cast):
    row = cast.filed()
    forget()
    services.move(
        row, "return", by=cast.county_officer, data={"gaps": [{"field": "", "text": "附检测报告。"}]}
    )
    [sentence] = told(cast.filer)
    assert "轮到您办理" in sentence
    assert cast.filer.notices.get().kind == Kind.WAITING
    assert "检测报告" not in sentence


def test_a_step_tells_the_firm_what_was_done_and_what_comes_next_in_the_readers_language(cast):
    row = cast.bring_to(S.ACCEPTED)
    [progress] = cast.filer.notices.all()
    assert notices.sentence(progress) == (
        f"问题 {row.code}：已受理。办理单位复核级别与是否重复，列入清单、归并到同类问题，或提请上级复核。"
    )
    with translation.override("en"):
        assert "已受理" not in notices.sentence(progress)
    assert notices.page(progress) == f"/bottlenecks/{row.public_id}/"


def test_the_institution_is_told_what_waits_for_it_and_when_the_work_is_ended(cast):
    row = cast.bring_to(S.DISPATCHED)
    assert cast.engineer.notices.get().kind == Kind.WAITING
    cast.make(row, "take")
    forget()
    services.move(row, "terminate", by=cast.city_officer, data={"reason": "产品停产。"})
    assert "已终止" in told(cast.engineer, Kind.MOVED)[0]
    assert "停产" not in told(cast.engineer)[0]


def test_whoever_made_the_step_is_told_nothing_even_if_the_next_one_waits_for_the_same_desk(cast):
    another = factories.user(Role.OFFICER, cast.city)
    row = cast.bring_to(S.ACCEPTED)
    forget()
    cast.make(row, "list")
    assert told(cast.city_officer) == []
    assert len(told(another, Kind.WAITING)) == 1


def test_a_step_that_falls_back_tells_nobody(cast):
    row = factories.draft(cast.filer)
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        services.move(row, "submit", by=cast.filer)
        raise ZeroDivisionError
    assert not Notice.objects.exists()


def test_without_officers_in_the_county_the_nearest_bureau_above_is_told(cast):
    for officer in (cast.county_officer, cast.verifier):
        officer.grants.update(ended_at=timezone.now())
    cast.filed()
    assert len(told(cast.city_officer, Kind.WAITING)) == 1


def test_an_officer_for_another_chain_hears_nothing_and_a_substitute_as_much_as_the_officer(cast):
    other = factories.user()
    factories.grant(other, Role.OFFICER, cast.county, chain=factories.chain("C02", "医疗装备"))
    standing_in = factories.user()
    today = timezone.localdate()
    Substitution.objects.create(
        principal=cast.county_officer, substitute=standing_in, starts_on=today, ends_on=today
    )
    cast.filed()
    assert told(other) == []
    assert told(standing_in) == told(cast.county_officer) != []


@pytest.mark.parametrize(
    ("role", "term", "works", "hears"),
    [
        (Role.FILER, (0, 0), True, True),
        (Role.COORDINATOR, (-1, 9), True, True),
        (Role.INSTITUTION, (-1, 9), True, False),
        (Role.FILER, (1, 9), True, False),
        (Role.FILER, (-2, -1), True, False),
        (Role.FILER, (-1, 9), False, False),
        (Role.OFFICER, (0, 0), True, True),
        (Role.OFFICER, (1, 9), True, False),
        (Role.OFFICER, (-2, -1), True, False),
        (Role.OFFICER, (-1, 9), False, False),
        (Role.AUDITOR, (-1, 9), True, False),
    ],
)
def test_of_firm_and_county_those_hear_of_a_filing_whose_role_it_concerns_today(
    cast, role, term, works, hears
):
    person = factories.user(is_active=works)
    starts, expires = (timezone.localdate() + timedelta(days=number) for number in term)
    unit = cast.county if role in BUREAU_ROLES else cast.firm
    factories.grant(person, role, unit, starts_on=starts, expires_on=expires)
    cast.filed()
    assert bool(told(person)) == hears


def test_an_institution_that_files_itself_hears_in_the_role_it_concerns(cast):
    """It is the firm of one problem and works on another; either is looked up at once."""
    agent = factories.user(Role.INSTITUTION, cast.firm)
    colleague = factories.user(Role.FILER, cast.firm)
    ours = cast.filed()
    theirs = Bottleneck(organization=factories.organization(), assigned_to=cast.firm, bureau=cast.county)
    parties = Parties([ours, theirs])
    assert parties.firm(ours) == {cast.filer.pk, colleague.pk}
    assert parties.institution(theirs) == {agent.pk}
    assert parties.institution(ours) == parties.firm(theirs) == set()


def test_whom_to_tell_is_one_question(cast, django_assert_num_queries):
    row = cast.bring_to(S.DISPATCHED)
    with django_assert_num_queries(1):
        parties = Parties([row])
    assert parties.firm(row) == {cast.filer.pk}
    assert parties.whose_turn(row) == parties.institution(row) == {cast.engineer.pk}


def test_verification_waits_for_those_only_who_may_verify(cast):
    cast.bring_to(S.VERIFICATION)
    assert any("核验" in sentence for sentence in told(cast.verifier, Kind.WAITING))
    assert not any("核验" in sentence for sentence in told(cast.county_officer))


def test_what_is_graded_for_the_province_waits_for_a_verifier_of_the_city(cast):
    another = factories.user(Role.OFFICER, cast.city)
    row = cast.bring_to(S.ACCEPTED)
    cast.make(row, "list", grade="PROV")
    for move in ("dispatch", "take", "file_solution"):
        cast.make(row, move)
    forget()
    cast.make(row, "confirm")
    assert [row.user for row in Notice.objects.filter(kind=Kind.WAITING)] == [another]


def test_a_move_costs_the_same_however_many_are_told(cast):
    def queries():
        with CaptureQueriesContext(
            connection,
        ) as captured:
            cast.filed()
        return sum("accounts_notice" in query["sql"] for query in captured)

    first = queries()
    for _more in range(10):
        factories.user(Role.FILER, cast.firm)
        factories.user(Role.OFFICER, cast.county)
    assert queries() == first + 1  # those who are told only; nobody was before


# --- Clocks ---


def test_a_clock_that_turns_amber_and_then_red_is_told_once_each_to_the_party_whose_turn_it_is(cast):
    row = cast.filed()
    forget()
    amber = row.clock_amber_on
    assert tell_of_clocks(row.clock_started_on) == 0
    assert tell_of_clocks(amber) == 1
    assert tell_of_clocks(amber) == 0
    [sentence] = told(cast.county_officer, Kind.AMBER)
    assert row.code in sentence and "核实" in sentence
    for late in (1, 1, 9):
        tell_of_clocks(amber + timedelta(days=late))
    assert len(told(cast.county_officer, Kind.RED)) == 1
    assert told(cast.filer) == told(cast.city_officer) == []


def test_the_next_clock_of_the_problem_is_told_anew(cast):
    row = cast.filed()
    tell_of_clocks(row.clock_due_on)
    services.move(row, "return", by=cast.county_officer, data={"gaps": [{"field": "", "text": "附报告。"}]})
    tell_of_clocks(row.clock_due_on + timedelta(days=1))
    assert len(told(cast.filer, Kind.RED)) == 1


def test_clocks_cost_the_same_for_one_and_for_many(cast):
    def queries(day):
        with CaptureQueriesContext(connection) as captured:
            tell_of_clocks(day)
        return sum(query["sql"].startswith("SELECT") for query in captured)

    row = cast.filed()
    one = queries(row.clock_due_on)
    for _more in range(3):
        cast.filed()
    forget()
    assert queries(row.clock_due_on) == one


def test_void_and_ended_problems_have_no_clock(cast):
    row = cast.filed()
    day = row.clock_due_on + timedelta(days=1)
    services.void(row, by=factories.user(Role.ADMINISTRATOR, cast.county), reason="重复录入。")
    assert tell_of_clocks(day) == 0


# --- Accounts ---


def test_a_grant_is_told_with_role_office_and_last_day(cast):
    person = factories.user()
    day = timezone.localdate() + timedelta(days=30)
    notices.tell_of_grant(factories.grant(person, Role.OFFICER, cast.county, expires_on=day))
    [sentence] = told(person)
    assert cast.county.name in sentence and "经办人员" in sentence and day.isoformat() in sentence


def test_giving_and_ending_a_role_and_a_substitution_tell_those_they_are_about(cast):
    boss, person = factories.user(Role.ADMINISTRATOR, cast.county), factories.user()
    today = timezone.localdate()
    given = grant_role(boss, Grant(user=person, role=Role.OFFICER, bureau=cast.county))
    standing_in = Substitution(
        principal=cast.county_officer, substitute=cast.verifier, starts_on=today, ends_on=today
    )
    appoint_substitute(cast.county_officer, standing_in)
    end_substitution(boss, standing_in)
    end_grant(boss, given)
    assert [sentence[:9] for sentence in told(person)] == ["您获得了新的授权：", "您的一项授权已结束"]
    assert told(cast.verifier) == [
        f"您被指定为同事的代理人，从 {formats.day_weekday(today)} 到 {formats.day_weekday(today)}。",
        "您为同事所作的代理已提前结束。",
    ]
    assert told(cast.county_officer) == ["他人为您所作的代理已提前结束。"]
    assert told(boss) == []


def test_a_new_device_is_told_in_the_portal_and_mailed_by_the_login_alone(cast):
    client = Client()
    for _again in range(2):
        sign_in(client, cast.filer.username)
        client.post("/logout/")
    [sentence] = told(cast.filer, Kind.ACCOUNT)
    assert "新设备上登录" in sentence
    assert cast.filer.notices.get().mailed_at


def test_the_same_event_is_told_once(cast):
    grant = cast.filer.grants.get()
    for _again in range(2):
        notices.tell_of_grant(grant)
    assert len(told(cast.filer)) == 1


# --- The inbox ---


def test_the_inbox_shows_the_unread_first_and_nothing_of_others(cast):
    now = timezone.now()
    notice(cast.filer, at=now, read_at=now, details={"what": "acceptance", "organization": "读过的公司"})
    notice(
        cast.filer, at=now - timedelta(days=3), details={"what": "acceptance", "organization": "没读的公司"}
    )
    notice(cast.engineer, details={"what": "acceptance", "organization": "别人的公司"})
    page = browser(cast.filer).get("/messages/").content.decode()
    assert page.index("没读的公司") < page.index("读过的公司")
    assert "别人的公司" not in page
    assert 'href="/messages/"' in page


def test_an_empty_inbox_says_what_will_stand_there(cast):
    assert "还没有消息" in browser(cast.filer).get("/messages/").content.decode()


def test_the_inbox_can_be_narrowed_to_a_kind_and_paged(cast):
    for _each in range(30):
        notice(cast.filer)
    notice(cast.filer, Kind.RED, details={"what": "acceptance", "organization": "只此一条"})
    client = browser(cast.filer)
    assert "只此一条" in client.get("/messages/?kind=red").content.decode()
    assert "只此一条" not in client.get("/messages/?kind=account").content.decode()
    assert "没有这一类消息" in client.get("/messages/?kind=amber").content.decode()
    assert len(client.get("/messages/?page=2").context["lines"]) == 6
    assert client.get("/messages/?kind=nonsense&page=x").status_code == 200


def test_the_rail_counts_the_unread_in_one_query_however_many(cast):
    client = browser(cast.county_officer)

    def queries():
        with CaptureQueriesContext(connection) as captured:
            response = client.get("/messages/")
        return len(captured), re.findall(r'href="/messages/".*?</a>', response.content.decode())[-1]

    notice(cast.county_officer)
    few, rail = queries()
    assert '<span class="nav-count">1</span>' in rail
    for _each in range(20):
        notice(cast.county_officer)
    many, rail = queries()
    assert '<span class="nav-count">21</span>' in rail
    assert many == few


def test_a_message_leads_to_its_page_and_is_read_then(cast):
    row = cast.filed()
    message = cast.county_officer.notices.get()
    response = browser(cast.county_officer).get(f"/messages/{message.pk}/")
    assert response.headers["Location"] == f"/bottlenecks/{row.public_id}/"
    message.refresh_from_db()
    assert message.read_at


def test_one_message_is_marked_read_and_unread_again(cast):
    message, other = notice(cast.filer), notice(cast.filer)
    client = browser(cast.filer)
    assert client.post("/messages/?kind=account", {"read": message.pk}).headers["Location"] == (
        "/messages/?kind=account"
    )
    assert [row.pk for row in cast.filer.notices.filter(read_at=None)] == [other.pk]
    tabs = client.get("/messages/").context["tabs"]
    assert {str(tab["label"]): tab["number"] for tab in tabs if tab["number"]} == {"全部": 1, "账户和权限": 1}
    client.post("/messages/", {"unread": message.pk})
    assert cast.filer.notices.filter(read_at=None).count() == 2


def test_all_that_are_listed_are_marked_read(cast):
    notice(cast.filer)
    red, foreign = notice(cast.filer, Kind.RED), notice(cast.engineer)
    client = browser(cast.filer)
    client.post("/messages/?kind=red", {"read": ""})
    assert cast.filer.notices.filter(read_at=None).count() == 1
    client.post("/messages/", {"read": ""})
    assert not cast.filer.notices.filter(read_at=None).exists()
    red.refresh_from_db()
    foreign.refresh_from_db()
    assert red.read_at and foreign.read_at is None


def test_messages_of_others_are_nowhere_to_be_found(cast):
    foreign = notice(cast.engineer)
    client = browser(cast.filer)
    assert client.get(f"/messages/{foreign.pk}/").status_code == 404
    for key in (foreign.pk, "x", "9" * 30):
        assert client.post("/messages/", {"read": key}).status_code == 404
    foreign.refresh_from_db()
    assert foreign.read_at is None
    assert Client().get("/messages/").status_code == 302


# --- Choices ---


def test_a_choice_is_kept_for_each_kind_and_the_rest_comes_daily(cast):
    client = browser(cast.filer)
    page = client.get("/messages/choices/").content.decode()
    assert page.count('value="daily"') == page.count("checked") == len(Kind)
    chosen = dict.fromkeys(Kind.values, "daily") | {"red": "at_once", "bulletin": "off"}
    for _again in range(2):
        client.post("/messages/choices/", chosen)
    assert dict(cast.filer.notice_choices.values_list("kind", "mail")) == chosen
    assert not cast.engineer.notice_choices.exists()


def test_an_unknown_choice_is_refused(cast):
    client = browser(cast.filer)
    response = client.post("/messages/choices/", dict.fromkeys(Kind.values, "daily") | {"red": "hourly"})
    assert response.status_code == 200
    assert not NoticeChoice.objects.exists()


def test_the_link_of_a_mail_stops_all_mails_without_a_login_and_only_when_posted(cast):
    mailing.choose(cast.filer, {"red": "at_once"})
    client = Client(enforce_csrf_checks=True)
    address = f"/messages/stop/{mailing.token_for(cast.filer)}/"
    assert client.get(address).status_code == 200
    assert cast.filer.notice_choices.get().mail == "at_once"
    response = client.post(address, {"List-Unsubscribe": "One-Click"})
    assert "已停止消息邮件" in response.content.decode()
    assert set(cast.filer.notice_choices.values_list("kind", "mail")) == {
        (kind, "off") for kind in Kind.values
    }
    assert not NoticeChoice.objects.exclude(user=cast.filer).exists()


def test_a_forged_link_stops_nothing(cast):
    token = mailing.token_for(cast.filer)
    for forged in (token[:-1] + ("a" if token[-1] != "a" else "b"), f"{cast.filer.pk}", "x:y:z"):
        assert Client().post(f"/messages/stop/{forged}/").status_code == 404
    assert not NoticeChoice.objects.exists()


# --- What is kept -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("days", "read", "kept"), [(181, True, False), (179, True, True), (181, False, True), (900, False, True)]
)
def test_what_was_read_is_kept_for_half_a_year_and_what_was_not_read_stays(days, read, kept):
    told = timezone.now() - timedelta(days=days)
    user = factories.user()
    Notice.objects.create(
        user=user, kind=Kind.ACCOUNT, source="x", details={}, at=told, read_at=told if read else None
    )
    forget_notices()
    assert user.notices.exists() is kept


def test_how_long_is_a_setting(settings):
    settings.NOTICE_KEEP_DAYS = 90
    told = timezone.now() - timedelta(days=91)
    user = factories.user()
    Notice.objects.create(user=user, kind=Kind.ACCOUNT, source="x", details={}, at=told, read_at=told)
    assert notices.forget() == 1


def test_a_red_clock_of_which_the_notice_is_deleted_is_not_told_again(cast, settings):
    row = cast.filed()
    told = row.clock_due_on + timedelta(days=1)
    assert tell_of_clocks(told) > 0
    Notice.objects.all().delete()
    assert tell_of_clocks(told + timedelta(days=settings.NOTICE_KEEP_DAYS)) == 0
    assert tell_of_clocks(told + timedelta(days=9)) > 0, "nobody has been told yet, as far as it knows"


def test_the_scheduler_forgets_once_a_day(settings):
    entry = settings.CELERY_BEAT_SCHEDULE["notices"]
    assert (entry["task"], entry["schedule"]) == (forget_notices.name, 24 * 3600)
