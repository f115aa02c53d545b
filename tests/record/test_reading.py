"""Who looked at a firm's restricted detail, who signed in and out, and what was refused."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from allauth.usersessions.models import UserSession
from celery import shared_task
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone
from rest_framework.authtoken.models import Token

from accounts import joining
from accounts.models import Grant, Invitation, Notice, Role, Substitution, User
from common.scope import note_miss
from portal.middleware import ActingMiddleware
from projects import services
from projects.models import Bottleneck
from projects.views import desk
from record import acting
from record import services as record_services
from record.models import Event, Untold
from record.telling import lines
from tests import factories
from tests.accounts.test_joining import said
from tests.pages import browser
from tests.worlds import world

pytestmark = pytest.mark.django_db


@world
def cast() -> factories.Cast:
    return factories.Cast()


@world
def row(cast):
    return cast.filed()


def reads() -> list[tuple]:
    rows = Event.objects.filter(kind="read").order_by("pk")
    return list(rows.values_list("actor__name", "entity", "firm"))


def page_of(row) -> str:
    return reverse("projects:bottleneck_detail", args=[row.public_id])


# --- Reading -----------------------------------------------------------------------------------------------


def test_somebody_outside_the_firm_who_opens_its_problem_is_recorded(cast, row):
    browser(cast.county_officer).get(page_of(row), REMOTE_ADDR="192.0.2.9")
    assert reads() == [("县局经办", "projects.bottleneck", cast.firm.uscc)]
    event = Event.objects.get(kind="read")
    assert (event.topic_row, event.office, event.address) == (str(row.pk), cast.county.code, "192.0.2.9")


def test_the_firms_own_people_are_not(cast, row):
    browser(cast.filer).get(page_of(row))
    assert reads() == []


def test_whom_the_row_is_hidden_from_reads_nothing(cast, row):
    stranger = factories.user(Role.FILER)
    assert browser(stranger).get(page_of(row)).status_code == 404
    assert reads() == []


def test_a_person_is_recorded_once_an_hour_per_row(cast, row, monkeypatch):
    for _n in range(3):
        browser(cast.county_officer).get(page_of(row))
    browser(cast.verifier).get(page_of(row))
    assert [name for name, *_ in reads()] == ["县局经办", "核验人"]
    later = timezone.localtime() + timedelta(hours=1)
    monkeypatch.setattr(record_services.timezone, "localtime", lambda *_moment: later)
    browser(cast.county_officer).get(page_of(row))
    assert [name for name, *_ in reads()] == ["县局经办", "核验人", "县局经办"]


def test_beside_the_list_on_the_form_of_a_move_and_by_the_interface_it_is_reading_too(cast, row):
    for path in (
        reverse("projects:desk") + f"?open={row.public_id}",
        reverse("projects:bottleneck_move", args=[row.public_id, "accept"]),
    ):
        browser(cast.county_officer).get(path)
        assert len(reads()) == 1
    key = Token.objects.create(user=cast.verifier).key
    answer = Client().get(f"/api/v1/bottlenecks/{row.public_id}/", headers={"Authorization": f"Token {key}"})
    assert answer.status_code == 200
    assert reads()[-1] == ("核验人", "projects.bottleneck", cast.firm.uscc)


def test_a_downloaded_file_is_told_on_the_page_of_its_problem(cast, row):
    services.move(row, "return", by=cast.county_officer, data={"reason": "补图", "gaps": gaps()})
    file = services.attach(row, factories.pdf(), by=cast.filer)
    answer = browser(cast.county_officer).get(reverse("projects:attachment", args=[file.public_id]))
    assert b"".join(answer.streaming_content)
    event = Event.objects.get(kind="read")
    assert (event.entity, event.topic_entity, event.topic_row) == (
        "projects.attachment",
        "projects.bottleneck",
        str(row.pk),
    )


def gaps() -> list[dict]:
    return [{"field": "symptom", "text": "请补充照片。"}]


def test_the_contact_of_an_organisation_is_read_by_those_who_see_it_in_full(cast):
    address = reverse("enterprises:organization_detail", args=[cast.firm.uscc])
    browser(cast.county_officer).get(address)
    assert reads() == [("县局经办", "enterprises.organization", cast.firm.uscc)]
    browser(factories.user(Role.AUDITOR, cast.county)).get(address)  # masked
    assert len(reads()) == 1


@pytest.mark.parametrize(
    "page", ["bottleneck", "measure", "transition", "organization", "enterprise", "event"]
)
def test_in_the_admin_site_it_is_reading_too_once_an_hour(cast, row, page):
    shown = {
        "bottleneck": ("projects", row),
        "measure": ("projects", row.measures.get()),
        "transition": ("projects", row.transitions.first()),
        "organization": ("enterprises", cast.firm),
        "enterprise": ("enterprises", cast.firm),
        "event": ("record", Event.objects.about(row).filter(entity="projects.bottleneck").first()),
    }
    app, opened = shown[page]
    client = browser(factories.user(Role.ADMINISTRATOR, cast.county, name="管理员"))
    for _n in range(2):
        assert client.get(reverse(f"admin:{app}_{page}_change", args=[opened.pk])).status_code == 200
    what = "enterprises.organization" if app == "enterprises" else "projects.bottleneck"
    assert reads() == [("管理员", what, cast.firm.uscc)]


def test_an_organisation_is_one_row_on_whichever_page_of_the_admin_site(cast):
    client = browser(factories.user(Role.ADMINISTRATOR, cast.county))
    for page in ("organization", "enterprise"):
        client.get(reverse(f"admin:enterprises_{page}_change", args=[cast.firm.pk]))
    client.get(reverse("admin:enterprises_organization_change", args=[cast.lab.pk]))
    client.get(reverse("admin:enterprises_institution_change", args=[cast.lab.pk]))
    assert [firm for *_, firm in reads()] == [cast.firm.uscc, cast.lab.uscc]


@pytest.mark.parametrize("page", ["registration", "invitation", "grant", "user"])
def test_who_acts_for_a_firm_is_detail_of_the_firm(cast, page):
    administrator = browser(factories.user(Role.ADMINISTRATOR, cast.county, name="管理员"))
    filers = cast.filer.grants.get()
    opened, entity = {
        "registration": (lambda: joining.apply(said(uscc=cast.firm.uscc)), "accounts.registration"),
        "invitation": (
            lambda: Invitation.objects.create(
                organization=cast.firm,
                email="qian@example.org",
                digest="0" * 64,
                invited_by=cast.filer,
                expires_at=timezone.now(),
            ),
            "accounts.invitation",
        ),
        "grant": (lambda: filers, "accounts.grant"),
        "user": (lambda: cast.filer, "accounts.grant"),
    }[page]
    address = reverse(f"admin:accounts_{page}_change", args=[opened().pk])
    for _n in range(2):
        assert administrator.get(address).status_code == 200
    assert reads() == [("管理员", entity, cast.firm.uscc)]


def test_who_works_for_a_bureau_is_nobodys_detail(cast):
    administrator = browser(factories.user(Role.ADMINISTRATOR, cast.county))
    grant = cast.county_officer.grants.get()
    for page, row in (("grant", grant), ("user", cast.county_officer)):
        assert administrator.get(reverse(f"admin:accounts_{page}_change", args=[row.pk])).status_code == 200
    assert reads() == []


def test_an_application_is_read_by_those_who_see_telephone_and_address(cast):
    registration = joining.apply(said(uscc=cast.firm.uscc))
    address = reverse("accounts:registration_detail", args=[registration.pk])
    browser(factories.user(Role.AUDITOR, cast.county)).get(address)
    assert reads() == []
    browser(cast.county_officer).get(address)
    assert reads() == [("县局经办", "accounts.registration", cast.firm.uscc)]


def test_an_event_in_full_is_reading_the_row_of_which_it_tells(cast, row):
    event = Event.objects.about(row).filter(entity="projects.bottleneck").first()
    address = reverse("record:event_detail", args=[event.pk])
    auditor = browser(factories.user(Role.AUDITOR, cast.county, name="督查员"))
    for _n in range(2):
        assert auditor.get(address).status_code == 200
    assert reads() == [("督查员", "projects.bottleneck", cast.firm.uscc)]
    told = Event.objects.get(kind="read")
    assert (told.topic_row, told.label) == (str(row.pk), row.title)


# --- Signing in and out ------------------------------------------------------------------------------------


def test_signing_in_and_out_are_recorded_where_the_person_works(cast):
    client = browser(cast.county_officer)
    client.post(reverse("logout"), REMOTE_ADDR="192.0.2.3")
    signed_in, signed_out = Event.objects.filter(kind__startswith="signed").order_by("pk")
    assert (signed_in.kind, signed_out.kind) == ("signed_in", "signed_out")
    assert (signed_out.actor, signed_out.office) == (cast.county_officer, cast.county.code)
    assert (signed_out.path, signed_out.address) == (cast.county.path, "192.0.2.3")


# --- Refused -----------------------------------------------------------------------------------------------


def refusals() -> list[Event]:
    return list(Event.objects.filter(kind="refused").order_by("pk"))


def test_a_forbidden_action_is_recorded_with_its_reason(cast, row):
    address = reverse("projects:bottleneck_move", args=[row.public_id, "accept"])
    assert browser(cast.filer).post(address, {"version": row.version}).status_code == 403
    (event,) = refusals()
    assert (event.actor, event.office) == (cast.filer, cast.firm.uscc)
    assert (event.entity, event.row) == ("projects:bottleneck_move", str(row.public_id))
    assert event.label == f"POST {address}"
    assert event.reason == "这一步由办理单位办理。"


def test_beside_the_list_the_reason_is_recorded_too(cast, row):
    address = reverse("projects:bottleneck_move", args=[row.public_id, "accept"])
    browser(cast.filer).get(address, headers={"HX-Request": "true", "HX-Target": "beside"})
    (event,) = refusals()
    assert event.reason == "这一步由办理单位办理。"


def test_the_interface_records_its_refusal_with_the_words_it_answered(cast, row):
    key = Token.objects.create(user=cast.filer).key
    answer = Client().post(
        f"/api/v1/bottlenecks/{row.public_id}/moves/accept/",
        {"version": row.version},
        headers={"Authorization": f"Token {key}"},
    )
    assert answer.status_code == 403
    (event,) = refusals()
    assert (event.actor, event.reason) == (cast.filer, answer.json()["error"]["message"])


def test_a_request_forged_elsewhere_is_recorded_by_its_address(cast):
    client = Client(enforce_csrf_checks=True)
    client.post(reverse("login"), {"login": "x", "password": "y"}, REMOTE_ADDR="192.0.2.66")
    (event,) = refusals()
    assert (event.actor, event.address, event.entity) == (None, "192.0.2.66", "login")


def test_the_same_refusal_is_told_once_a_minute_and_counted(cast, row, one_minute):
    address = reverse("projects:bottleneck_move", args=[row.public_id, "accept"])
    client = browser(cast.filer)
    for _n in range(5):
        client.post(address, {"version": row.version})
    assert (len(refusals()), Untold.objects.get().number) == (1, 4)


def test_looking_at_what_is_refused_does_not_hide_that_it_was_tried(cast, row, one_minute):
    address = reverse("projects:bottleneck_move", args=[row.public_id, "accept"])
    client = browser(cast.filer)
    client.get(address)
    client.post(address, {"version": row.version})
    assert [event.label.split()[0] for event in refusals()] == ["GET", "POST"]
    with acting.as_told_by(lambda: acting.Acting(actor_id=cast.filer.pk)):
        for reason in ("不行", "太多"):
            record_services.refused("page", "1", "POST", reason)
    assert [event.reason for event in refusals()][2:] == ["不行", "太多"]


@pytest.fixture
def one_minute(monkeypatch) -> None:
    monkeypatch.setattr(record_services, "_this_minute", lambda: "2026-11-22T10:00")


def refuse(number: int, actor: User | None, page: str = "page") -> None:
    with acting.as_told_by(lambda: acting.Acting(actor_id=actor and actor.pk, address="192.0.2.9")):
        for n in range(number):
            record_services.refused(f"{page}{n}" if actor is None else page, f"{n}", "POST", "不行")


@pytest.mark.parametrize("signed_in", [True, False])
def test_of_many_refusals_in_a_minute_the_first_are_told_and_the_others_counted(cast, one_minute, signed_in):
    most, actor = record_services.TOLD_PER_MINUTE, cast.filer if signed_in else None
    refuse(most, actor)
    assert (len(refusals()), Untold.objects.count()) == (most, 0)
    refuse(most + 7, actor)
    assert (len(refusals()), Untold.objects.get().number) == (most, most + 7), "repetitions as well"
    refuse(3, cast.county_officer)
    assert len(refusals()) == most + 3, "others are told as before"
    record_services.tell_untold()
    assert len(refusals()) == most + 3, "the minute is not over"
    for _twice in range(2):
        record_services.tell_untold(timezone.now() + timedelta(minutes=3))
    last = Event.objects.judged("test").filter(label__contains="未逐条").get()
    assert (last.actor, last.address, f"{most + 7} 次" in last.label) == (actor, "192.0.2.9", True)
    assert f"{most + 7} 次" in lines([last])[0].sentence and not Untold.objects.exists()


@shared_task(name="record.tests.tell")
def tell_as_a_worker() -> None:
    record_services.tell_untold(timezone.now() + timedelta(minutes=3))


@pytest.mark.parametrize("signed_in", [True, False])
def test_the_number_is_told_of_who_was_refused_and_not_of_the_worker(cast, one_minute, signed_in):
    who = acting.Acting(address="192.0.2.9")
    if signed_in:
        who = replace(who, actor_id=cast.verifier.pk, principal_id=cast.county_officer.pk, office="320505")
    with acting.as_told_by(lambda: who):
        for _twice in range(2):
            record_services.refused("page", "1", "POST", "不行")
    tell_as_a_worker.apply(throw=True)
    first, number = refusals()
    assert "1 次" in number.label
    for told in (first, number):
        assert (told.actor_id, told.principal_id, told.office) == (who.actor_id, who.principal_id, who.office)
        assert (told.address, told.job) == ("192.0.2.9", "")


@pytest.mark.django_db(transaction=True)
def test_refused_at_once_somebody_is_told_of_no_more_often_and_every_refusal_is_counted(one_minute):
    person, most = factories.user(), record_services.TOLD_PER_MINUTE
    with acting.as_told_by(lambda: acting.Acting(actor_id=person.pk)):
        for n in range(most - 2):
            record_services.refused("page", f"{n}", "POST", "不行")

    def two(first: int) -> None:
        with acting.as_told_by(lambda: acting.Acting(actor_id=person.pk)):
            for n in (first, first + 1):
                record_services.refused("page", f"{n}", "POST", "不行")

    factories.at_once(*(lambda first=first: two(first) for first in (100, 102, 104, 106)))
    assert (len(refusals()), Untold.objects.get().number) == (most, 6)


# --- Kept from rows that are outside -----------------------------------------------------------------------


def foreign(name: str, cast, row) -> str:
    """The address of a row that the city's officer of another province does not see."""
    draft = factories.draft(cast.filer)
    registration = joining.apply(said())
    officer = cast.county_officer.grants.get()
    stand_in = Substitution.objects.create(
        principal=cast.county_officer,
        substitute=cast.verifier,
        starts_on=timezone.localdate(),
        ends_on=timezone.localdate(),
    )
    notice = Notice.objects.create(user=cast.filer, source="x", details={}, at=timezone.now())
    return {
        "problem": page_of(row),
        "draft": page_of(draft),
        "draft to edit": reverse("projects:bottleneck_edit", args=[draft.public_id, "check"]),
        "draft to delete": reverse("projects:bottleneck_delete", args=[draft.public_id]),
        "organisation": reverse("enterprises:organization_detail", args=[cast.firm.uscc]),
        "registration": reverse("accounts:registration_detail", args=[registration.pk]),
        "grant": reverse("accounts:grant_end", args=[officer.pk]),
        "substitution": reverse("accounts:substitute_end", args=[stand_in.pk]),
        "notice": reverse("accounts:message", args=[notice.pk]),
        "interface": f"/api/v1/bottlenecks/{row.public_id}/",
        "admin problem": reverse("admin:projects_bottleneck_change", args=[row.pk]),
        "admin person": reverse("admin:accounts_user_change", args=[cast.county_officer.pk]),
        "admin password": reverse("admin:auth_user_password_change", args=[cast.county_officer.pk]),
    }[name]


@pytest.fixture
def stranger() -> User:
    elsewhere = factories.bureau("330000", "浙江省局", factories.bureau())
    person = factories.user(Role.ADMINISTRATOR, elsewhere, name="外省管理员")
    factories.grant(person, Role.OFFICER, elsewhere)
    return person


@pytest.mark.parametrize(
    ("name", "entity"),
    [
        ("problem", "projects.bottleneck"),
        ("draft", "projects.bottleneck"),
        ("draft to edit", "projects.bottleneck"),
        ("draft to delete", "projects.bottleneck"),
        ("organisation", "enterprises.organization"),
        ("registration", "accounts.registration"),
        ("grant", "accounts.grant"),
        ("substitution", "accounts.substitution"),
        ("notice", "accounts.notice"),
        ("interface", "projects.bottleneck"),
        ("admin problem", "projects.bottleneck"),
        ("admin person", "accounts.user"),
        ("admin password", "accounts.user"),
    ],
)
def test_whoever_asks_for_a_row_outside_is_told_once_a_day(cast, stranger, name, entity, monkeypatch):
    address, client = foreign(name, cast, cast.filed()), browser(stranger)
    for _n in range(2):
        assert client.get(address).status_code == 404
    (event,) = refusals()
    assert (event.actor, event.entity) == (stranger, entity)
    assert "不在其查看范围内" in event.reason
    if event.topic_entity == "projects.bottleneck":
        assert (event.path, event.firm) == (cast.county.path, cast.firm.uscc)
    assert reads() == []
    later = timezone.localdate() + timedelta(days=1)
    monkeypatch.setattr(record_services.timezone, "localdate", lambda *_moment: later)
    client.get(address)
    assert len(refusals()) == 2


def problem_of(officer: User):
    """One that this officer handles."""
    firm = factories.organization("演示外省企业", at=officer.grants.get(role=Role.OFFICER).bureau)
    own = factories.draft(factories.user(Role.FILER, firm))
    services.move(own, "submit", by=own.filer)
    services.move(own, "accept", by=officer)
    return own


def open_at_the_desk(client, cast, row, own):
    return client.get(reverse("projects:desk"), {"open": str(row.public_id)})


def choose_at_the_desk(client, cast, row, own):
    return client.get(reverse("projects:desk_bulk"), {"move": "accept", "row": [str(row.public_id)]})


def search_by_number(client, cast, row, own):
    return client.get(reverse("search"), {"q": row.code.lower()})


def merge_into(client, cast, row, own):
    address = reverse("projects:bottleneck_move", args=[own.public_id, "merge"])
    return client.post(address, {"version": own.version, "master": row.code, "reason": "x"})


def merge_into_by_interface(client, cast, row, own):
    address = f"/api/v1/bottlenecks/{own.public_id}/moves/merge/"
    return client.post(address, {"version": own.version, "master": row.code}, content_type="application/json")


def switch_to(client, cast, row, own):
    return client.post(reverse("role_switch"), {"grant": cast.county_officer.grants.get().pk})


def mark_read(client, cast, row, own):
    notice = Notice.objects.create(user=cast.filer, source="x", details={}, at=timezone.now())
    return client.post(reverse("accounts:messages"), {"read": notice.pk})


def end_session(client, cast, row, own):
    session = UserSession.objects.create(user=cast.filer, ip="192.0.2.1", session_key="x" * 32)
    return client.post(reverse("usersessions_list"), {"session": session.pk})


def token_page(client, cast, row, own):
    Token.objects.create(user=cast.filer)
    return client.get(reverse("admin:authtoken_tokenproxy_change", args=[cast.filer.pk]))


@pytest.mark.parametrize(
    ("ask", "entity"),
    [
        (open_at_the_desk, "projects.bottleneck"),
        (choose_at_the_desk, "projects.bottleneck"),
        (search_by_number, "projects.bottleneck"),
        (merge_into, "projects.bottleneck"),
        (merge_into_by_interface, "projects.bottleneck"),
        (switch_to, "accounts.grant"),
        (mark_read, "accounts.notice"),
        (end_session, "usersessions.usersession"),
        (token_page, "authtoken.token"),
    ],
)
def test_whoever_names_a_row_outside_is_told_of_whatever_the_answer_was(cast, row, stranger, ask, entity):
    assert ask(browser(stranger), cast, row, problem_of(stranger)).status_code < 500
    (event,) = refusals()
    assert (event.actor, event.entity) == (stranger, entity)
    assert "不在其查看范围内" in event.reason


def test_all_rows_that_a_selection_names_are_told(cast, stranger):
    rows = [cast.filed(title=f"第 {n} 个问题") for n in range(desk.PER_PAGE)]
    chosen = {"move": "accept", "row": [str(row.public_id) for row in rows]}
    browser(stranger).get(reverse("projects:desk_bulk"), chosen)
    assert {event.row for event in refusals()} == {str(row.pk) for row in rows}


@pytest.mark.parametrize(("status", "told"), [(200, 0), (404, 2)])
def test_a_key_typed_beside_it_does_not_hide_what_a_failed_request_was_about(
    cast, row, stranger, status, told
):
    rows = [row, cast.filed()]

    def answer(request: HttpRequest) -> HttpResponse:
        note_miss(Bottleneck, public_id=UUID(int=7))
        for asked in rows:
            with pytest.raises(Bottleneck.DoesNotExist):
                Bottleneck.objects.visible_to(stranger).get(pk=asked.pk)
        return HttpResponse(status=status)

    request = RequestFactory().get("/")
    request.user, request.grant = stranger, stranger.grants_in_force[0]
    ActingMiddleware(answer)(request)
    assert [event.row for event in refusals()] == [str(asked.pk) for asked in rows[:told]]


def test_a_choice_outside_is_told_though_the_form_is_only_shown_again(cast, stranger):
    address = reverse("admin:accounts_grant_add")
    fields = {"organization": cast.firm.pk, "role": "filer", "starts_on": "2026-01-01"}
    assert browser(stranger).post(address, fields).status_code == 200
    (event,) = refusals()
    assert (event.entity, event.row) == ("enterprises.organization", str(cast.firm.pk))


@pytest.mark.parametrize("lent", [False, True])
def test_a_role_that_one_held_a_moment_ago_is_no_foreign_row(cast, stranger, lent):
    person = stranger if lent else cast.county_officer
    grant = cast.county_officer.grants.get()
    if lent:
        term = {"starts_on": "2026-01-01", "ends_on": "2026-01-02"}
        Substitution.objects.create(principal=cast.county_officer, substitute=person, **term)
    else:
        Grant.objects.filter(pk=grant.pk).update(ended_at=timezone.now())
    assert browser(person).post(reverse("role_switch"), {"grant": grant.pk}).status_code == 404
    assert refusals() == []


def test_a_search_for_words_or_for_what_one_sees_asks_for_nothing_outside(cast, row, stranger):
    for user, text in ((stranger, row.title), (cast.county_officer, row.code), (stranger, "no-such-number")):
        browser(user).get(reverse("search"), {"q": text})
    assert refusals() == []


def test_of_a_draft_that_somebody_guesses_the_title_is_not_told(cast, row, stranger):
    browser(stranger).get(foreign("draft", cast, row))
    assert [event.label for event in refusals()] == [""]


@pytest.mark.parametrize(
    "address",
    [
        f"/bottlenecks/{UUID(int=7)}/",
        "/people/grants/999999/end/",
        "/messages/999999/",
        "/organizations/91320500MA0000000X/",
        f"/api/v1/bottlenecks/{UUID(int=7)}/",
        "/admin/accounts/user/999999/change/",
        "/admin/accounts/user/strange/change/",
        "/admin/accounts/user/99999999999999999999999/change/",
        "/no-such-page/",
    ],
)
def test_what_does_not_exist_leaves_no_trace(cast, stranger, address):
    assert browser(stranger).get(address).status_code == 404
    assert refusals() == []


def test_what_one_sees_elsewhere_is_no_foreign_row(cast, stranger):
    own = stranger.grants.get(role=Role.OFFICER).bureau
    over = factories.grant(factories.user(), Role.OFFICER, own, ended_at=timezone.now())
    assert browser(stranger).get(reverse("accounts:grant_end", args=[over.pk])).status_code == 404
    assert refusals() == []


def test_visitors_are_sent_to_the_login_and_told_nowhere(cast, row):
    Client().get(page_of(row))
    assert refusals() == []


def test_an_auditor_of_the_row_finds_who_asked_for_it_and_its_history_is_not_filled(cast, row, stranger):
    browser(stranger).get(page_of(row))
    auditor = browser(factories.user(Role.AUDITOR, cast.county))
    page = auditor.get(reverse("record:event_list"), {"kind": "refused"}).content.decode()
    assert f"操作被拒绝：堵点卡点问题“{row.title}”" in page and "外省管理员" in page
    assert "外省管理员" not in browser(cast.county_officer).get(page_of(row)).content.decode()
