"""The desk: queues and their counts, the row beside, filters and order in the address, many rows at once."""

import re
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.models import Role
from common.workdays import add_workdays
from projects import services
from projects.clock import clock_of
from projects.forms.moves import default_due_on
from projects.models import Bottleneck
from projects.workflow import amber_day
from tests import factories
from tests.factories import Cast, S
from tests.pages import browser
from tests.worlds import world

pytestmark = pytest.mark.django_db

DESK = "/desk/"
BESIDE = {"HX-Request": "true", "HX-Target": "beside"}


@world
def cast():
    return Cast()


def codes(answer):
    return [line["row"].code for line in answer.context["rows"]]


def queue(user, name, **query):
    return codes(browser(user).get(reverse("projects:desk_queue", args=[name]), query))


def clock(row, started, due, **fields):
    amber = started and amber_day(started, due, in_workdays=row.status != S.IN_PROGRESS)
    days = {"clock_started_on": started, "clock_amber_on": amber, "clock_due_on": due}
    Bottleneck.objects.filter(pk=row.pk).update(**days, **fields)
    row.refresh_from_db()


# --- Queues -------------------------------------------------------------------------------------------------


def test_each_queue_holds_the_rows_that_wait_for_the_same(cast):
    bureau, firm = (S.SUBMITTED, S.ACCEPTED), (S.RETURNED, S.SOLUTION_FILED)
    lab, ended = (S.DISPATCHED, S.IN_PROGRESS), (S.RESOLVED, S.WITHDRAWN)
    rows = {status: cast.bring_to(status).code for status in (*bureau, *firm, *lab, *ended)}
    assert set(queue(cast.county_officer, "mine")) == {rows[S.SUBMITTED]}
    assert set(queue(cast.city_officer, "mine")) == {rows[S.ACCEPTED]}
    assert set(queue(cast.city_officer, "area")) == set(rows.values())
    assert set(queue(cast.city_officer, "firm")) == {rows[S.RETURNED], rows[S.SOLUTION_FILED]}
    assert set(queue(cast.city_officer, "institution")) == {rows[S.DISPATCHED], rows[S.IN_PROGRESS]}
    assert set(queue(cast.city_officer, "done")) == {rows[S.RESOLVED], rows[S.WITHDRAWN]}


def test_the_numbers_on_the_tabs_are_the_rows_behind_them(cast):
    for status in (S.SUBMITTED, S.ACCEPTED, S.SOLUTION_FILED, S.RESOLVED):
        cast.bring_to(status)
    client = browser(cast.city_officer)
    for tab in client.get(DESK).context["tabs"]:
        assert client.get(tab["href"]).context["page"].paginator.count == tab["number"]


def test_verification_waits_for_those_who_have_not_handled_the_problem(cast):
    row = cast.bring_to(S.VERIFICATION)
    province = factories.user(Role.OFFICER, cast.city.parent)
    nation = factories.user(Role.OFFICER, cast.city.parent.parent)
    assert queue(cast.verifier, "mine") == [row.code]
    assert queue(province, "mine") == [row.code]
    assert queue(cast.county_officer, "mine") == []
    assert queue(cast.city_officer, "mine") == []
    assert queue(nation, "mine") == []
    Bottleneck.objects.filter(pk=row.pk).update(grade="PROV")
    assert queue(cast.verifier, "mine") == []
    assert queue(province, "mine") == [row.code]


def test_drafts_and_void_rows_and_other_districts_are_not_on_the_desk(cast):
    factories.draft(cast.filer)
    void = cast.filed()
    Bottleneck.objects.filter(pk=void.pk).update(voided_at=timezone.now(), void_reason="重复")
    neighbour = factories.bureau("320506", "吴中区市场监督管理局", cast.city)
    filer = factories.user(Role.FILER, factories.organization(at=neighbour))
    elsewhere = factories.draft(filer)
    services.move(elsewhere, "submit", by=filer)
    assert queue(cast.county_officer, "area") == []
    assert queue(cast.city_officer, "area") == [elsewhere.code]


def test_soon_means_the_amber_rows_and_overdue_the_red_ones(cast):
    """The database and the drawing of the clock agree on every day of every kind of limit."""
    today = timezone.localdate()
    rows = []
    for back in range(12):
        start = today - timedelta(days=back)
        row = cast.bring_to(S.SUBMITTED)
        clock(row, start, add_workdays(start, 5))
        rows.append(row)
    for back in range(0, 100, 9):
        start = today - timedelta(days=back)
        row = cast.bring_to(S.IN_PROGRESS)
        clock(row, start, start + timedelta(days=80))
        rows.append(row)
    row = cast.bring_to(S.RETURNED)
    clock(row, today - timedelta(days=30), today - timedelta(days=10))
    colours = {row.code: clock_of(row)["state"] for row in rows}
    for name, colour in (("soon", "amber"), ("overdue", "red")):
        found = (
            Bottleneck.objects.overdue_on(today)
            if name == "overdue"
            else Bottleneck.objects.due_soon_on(today)
        )
        assert {row.code for row in found} == {code for code, other in colours.items() if other == colour}
        assert set(queue(cast.city_officer, name)) == {row.code for row in found}


# --- Filters, order, pages ----------------------------------------------------------------------------------


def test_what_was_reported_upwards_waits_at_the_desk_above(cast):
    row = cast.filed()
    Bottleneck.objects.filter(pk=row.pk).update(escalated_to=cast.city)
    assert queue(cast.city_officer, "reported") == [row.code]
    assert queue(cast.county_officer, "reported") == []


def test_the_most_urgent_clock_stands_first_and_headings_sort(cast):
    today = timezone.localdate()
    late, none, soon = (cast.filed(title=title) for title in ("丙", "甲", "乙"))
    clock(late, today, today + timedelta(days=9))
    clock(none, None, None)
    clock(soon, today, today + timedelta(days=2))
    client = browser(cast.county_officer)
    assert codes(client.get(DESK)) == [soon.code, late.code, none.code]
    assert codes(client.get(DESK, {"sort": "-clock"})) == [late.code, soon.code, none.code]
    assert codes(client.get(DESK, {"sort": "code"})) == [late.code, none.code, soon.code]
    assert codes(client.get(DESK, {"sort": "nonsense"})) == [soon.code, late.code, none.code]


@pytest.mark.parametrize(
    "query",
    [{"q": "柔轮"}, {"q": "演示减速器"}, {"urgency": "urgent"}, {"chain": "C01"}, {"status": "submitted"}],
)
def test_filters_stand_in_the_address(cast, query):
    row = cast.filed()
    other = cast.filed(
        title="轴承", urgency="normal", chain=factories.chain("C02", "轨道交通"), product="轴承"
    )
    services.move(other, "return", by=cast.county_officer, data={"gaps": [{"field": "", "text": "补。"}]})
    Bottleneck.objects.filter(pk=other.pk).update(organization=factories.organization("另一家"))
    assert queue(cast.county_officer, "area", **query) == [row.code]


def test_a_district_below_is_a_filter_of_the_city(cast):
    row = cast.filed()
    assert queue(cast.city_officer, "area", bureau=cast.county.code) == [row.code]
    neighbour = factories.bureau("320506", "吴中区市场监督管理局", cast.city)
    assert queue(cast.city_officer, "area", bureau=neighbour.code) == []


def test_a_search_by_number_and_credit_code_finds_the_row(cast):
    row = cast.filed()
    assert queue(cast.city_officer, "area", q=row.code) == [row.code]
    assert queue(cast.city_officer, "area", q=cast.firm.uscc) == [row.code]
    assert queue(cast.city_officer, "area", q="DK-1999") == []


# --- Beside the list ----------------------------------------------------------------------------------------


def test_a_row_opens_beside_the_list_and_after_a_move_the_next(cast):
    first, second = cast.filed(title="第一条"), cast.filed(title="第二条")
    client = browser(cast.county_officer)
    panel = client.get(DESK, {"open": first.public_id}, headers=BESIDE)
    assert "<html" not in panel.content.decode()
    assert "第一条" in panel.content.decode() and "第二条" not in panel.content.decode()
    assert panel["HX-Replace-Url"] == f"{DESK}?open={first.public_id}"
    accept = next(a for a in panel.context["opened"]["actions"]["allowed"] if a["key"] == "a")
    query = parse_qs(panel.context["opened"]["next"])
    form = client.get(f"{accept['href']}?{panel.context['opened']['next']}", headers=BESIDE).content.decode()
    assert "<html" not in form and "hx-post" in form
    answer = client.post(accept["href"], {"version": first.version, "next": query["next"][0]}, headers=BESIDE)
    assert str(second.public_id) in answer["HX-Location"]
    page = client.get(urlsplit(query["next"][0]).path, parse_qs(urlsplit(query["next"][0]).query))
    assert page.context["opened"]["bottleneck"] == second
    assert first.code in page.content.decode()  # the flash message


def test_the_last_row_of_the_list_is_followed_by_the_one_before(cast):
    first, second = cast.filed(), cast.filed()
    opened = browser(cast.county_officer).get(DESK, {"open": second.public_id}).context["opened"]
    assert str(first.public_id) in opened["next"]


def test_what_may_not_be_seen_does_not_open(cast):
    stranger = factories.user(Role.FILER)
    foreign = factories.draft(stranger)
    client = browser(cast.county_officer)
    assert client.get(DESK, {"open": foreign.public_id}).context["opened"] is None
    assert client.get(DESK, {"open": "nonsense"}).context["opened"] is None


def test_a_refused_move_beside_the_list_says_why(cast):
    row = cast.bring_to(S.VERIFICATION)
    url = reverse("projects:bottleneck_move", args=[row.public_id, "verify"])
    answer = browser(cast.county_officer).get(url, headers=BESIDE)
    assert answer.status_code == 403
    assert "您经手过这个问题" in answer.content.decode() and "<html" not in answer.content.decode()


@pytest.mark.parametrize("name", ["list", "merge", "return"])
def test_a_form_beside_the_list_repeats_no_id_of_the_page(cast, name):
    """A label of the form would otherwise tick a filter."""
    row = cast.bring_to(S.ACCEPTED)
    client = browser(cast.city_officer)
    form = client.get(reverse("projects:bottleneck_move", args=[row.public_id, name]), headers=BESIDE)
    ids = [re.findall(r' id="([^"]+)"', answer.content.decode()) for answer in (client.get(DESK), form)]
    assert len(ids[1]) == len(set(ids[1])) > 3
    assert not set(ids[0]) & set(ids[1])


# --- Who sits at it -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", [Role.STATISTICIAN, Role.AUDITOR, Role.ADMINISTRATOR])
def test_who_only_reads_has_no_inbox_and_no_buttons(cast, role):
    row = cast.filed()
    answer = browser(factories.user(role, cast.city)).get(DESK, {"open": row.public_id})
    page = answer.content.decode()
    assert "只读" in page and codes(answer) == [row.code]
    assert answer.context["bulk"] == [] and "待我办理" not in page
    assert answer.context["opened"]["actions"]["allowed"] == []


def test_the_desk_is_for_bureaus(cast):
    answer = browser(cast.filer).get(DESK)
    assert answer.status_code == 403 and "市场监管部门使用" in answer.content.decode()
    assert Client().get(DESK).status_code == 302
    assert (
        browser(cast.county_officer).get(reverse("projects:desk_queue", args=["nonsense"])).status_code == 404
    )


def test_who_has_two_desks_sees_the_chosen_one(cast):
    row = cast.bring_to(S.ACCEPTED)
    other = factories.grant(cast.county_officer, Role.OFFICER, cast.city)
    client = browser(cast.county_officer)
    assert codes(client.get(DESK)) == [row.code]  # the wider desk first
    county = cast.county_officer.grants.exclude(pk=other.pk).get()
    answer = client.post("/role/", {"grant": county.pk}, follow=True)
    assert answer.context["grant"] == county and codes(answer) == []


# --- Many rows at once --------------------------------------------------------------------------------------

BULK = "/desk/bulk/"


def test_many_rows_are_previewed_and_then_accepted_one_by_one(cast):
    ready, also, done = cast.filed(), cast.filed(), cast.bring_to(S.ACCEPTED)
    client = browser(cast.county_officer)
    rows = [str(row.public_id) for row in (ready, also, done)]
    preview = client.get(BULK, {"move": "accept", "row": rows})
    outcomes = {outcome.row.code: outcome for outcome in preview.context["outcomes"]}
    assert not outcomes[ready.code].refusal and "已受理" in outcomes[done.code].refusal
    assert "受理这 2 条" in preview.content.decode()
    tokens = [outcomes[row.code].token for row in (ready, also)]
    # Meanwhile a colleague returns one of them.
    services.move(also, "return", by=cast.verifier, data={"gaps": [{"field": "", "text": "请补检测报告。"}]})
    answer = client.post(BULK, {"move": "accept", "row": tokens})
    results = {outcome.row.code: outcome for outcome in answer.context["outcomes"]}
    assert results[ready.code].done
    assert "已退回补正" in results[also.code].refusal
    ready.refresh_from_db()
    assert ready.status == S.ACCEPTED
    again = client.post(BULK, {"move": "accept", "row": [tokens[0]]})
    assert again.context["outcomes"][0].done
    assert ready.transitions.filter(move="accept").count() == 1


def test_many_rows_are_listed_with_one_plan(cast):
    rows = [cast.bring_to(S.ACCEPTED) for _ in range(2)]
    bare = cast.bring_to(S.ACCEPTED)
    bare.measures.all().delete()
    client = browser(cast.city_officer)
    preview = client.get(BULK, {"move": "list", "row": [str(row.public_id) for row in (*rows, bare)]})
    tokens = [outcome.token for outcome in preview.context["outcomes"] if not outcome.refusal]
    assert len(tokens) == 2 and "量化的现值和目标值" in preview.content.decode()
    faulty = client.post(BULK, {"move": "list", "row": tokens})
    assert "error-summary" in faulty.content.decode()
    plan = {"grade": "CITY", "route": "DISP", "due_on": default_due_on(timezone.localdate())}
    client.post(BULK, {"move": "list", "row": tokens} | plan)
    assert {row.status for row in Bottleneck.objects.filter(pk__in=[row.pk for row in rows])} == {S.LISTED}


def test_many_rows_are_dispatched_to_one_institution(cast):
    rows = [cast.bring_to(S.LISTED) for _ in range(2)]
    client = browser(cast.city_officer)
    preview = client.get(BULK, {"move": "dispatch", "row": [str(row.public_id) for row in rows]})
    assert cast.lab.name in preview.content.decode()
    tokens = [outcome.token for outcome in preview.context["outcomes"]]
    client.post(BULK, {"move": "dispatch", "row": tokens, "assigned_to": cast.lab.uscc})
    assert Bottleneck.objects.filter(assigned_to=cast.lab, status=S.DISPATCHED).count() == 2


def test_a_selection_of_nothing_or_of_foreign_rows_leads_back(cast):
    foreign = factories.draft(factories.user(Role.FILER))
    client = browser(cast.county_officer)
    for rows in ([], ["nonsense"], [str(foreign.public_id)]):
        assert client.get(BULK, {"move": "accept", "row": rows})["Location"] == DESK
    assert client.get(BULK, {"move": "terminate", "row": [str(foreign.public_id)]}).status_code == 404


# --- Cost ---------------------------------------------------------------------------------------------------


def queries(client, url, **extra):
    with CaptureQueriesContext(
        connection,
    ) as captured:
        assert client.get(url, **extra).status_code == 200
    return len(captured)


@pytest.mark.any_database
def test_the_desk_costs_the_same_for_one_row_and_for_twenty(cast):
    first = cast.filed()
    client = browser(cast.county_officer)
    url, opened = reverse("projects:desk_queue", args=["mine"]), f"{DESK}?open={first.public_id}"
    bulk = f"{BULK}?move=accept&row={first.public_id}"
    client.get(opened, headers=BESIDE)  # the first look is written into the record
    one = [queries(client, url), queries(client, opened, headers=BESIDE), queries(client, bulk)]
    rows = [cast.filed() for _ in range(19)]
    bulk += "".join(f"&row={row.public_id}" for row in rows)
    twenty = [queries(client, url), queries(client, opened, headers=BESIDE), queries(client, bulk)]
    assert one == twenty
    assert one[0] <= 17 and one[1] <= 20 and one[2] <= 9
