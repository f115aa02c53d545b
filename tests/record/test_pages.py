"""The history of a row in plain sentences, the search of auditors, and who looked at a firm's detail."""

import re

import pytest
from django.db import connection
from django.urls import reverse

from accounts.models import Role
from projects import services
from record import chain
from record.access import lookers_for
from record.models import Event
from record.telling import lines
from tests import factories
from tests.pages import browser
from tests.worlds import world

pytestmark = pytest.mark.django_db


@world
def cast() -> factories.Cast:
    return factories.Cast()


def page_of(row) -> str:
    return reverse("projects:bottleneck_detail", args=[row.public_id])


def words(answer) -> str:
    """The text of a page without its markup."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode()))


def told(event: Event) -> list[tuple[str, str, str]]:
    (line,) = lines([event])
    return [(change.label, change.before, change.after) for change in line.changes]


# --- Sentences ---------------------------------------------------------------------------------------------


def test_a_line_says_who_did_what_for_which_office(cast):
    row = cast.filed()
    services.move(row, "accept", by=cast.county_officer)
    (line,) = lines([Event.objects.about(row).first()])
    assert line.sentence == f"修改堵点卡点问题“{row.title}”"
    assert (line.who, line.office) == ("县局经办", cast.county.name)
    assert ("状态", "待核实", "已受理") in told(line.event)
    assert ("当前办理单位", cast.county.name, cast.city.name) in told(line.event)


def test_values_stand_in_words_as_people_read_them(cast):
    firm = cast.firm
    firm.tags, firm.annual_output, firm.is_test = ("XJR", "ZJTX"), "1200000.50", True
    firm.founded_on, firm.former_names = "2015-03-02", ["旧名甲", "旧名乙"]
    firm.save()
    assert told(Event.objects.first()) == [
        ("曾用名", "", "旧名甲、旧名乙"),
        ("成立日期", "", "2015-03-02"),
        ("企业称号", "", "专精特新、小巨人"),
        ("年产值（元）", "", "1200000.5"),
        ("测试数据", "否", "是"),
    ]


def test_what_is_personal_is_told_as_changed_only(cast):
    cast.firm.contact.contact_phone = "13912345678"
    cast.firm.contact.save()
    (line,) = lines([Event.objects.first()])
    assert [(change.label, change.is_hidden, change.after) for change in line.changes] == [
        ("联系电话", True, "")
    ]


def test_a_substitute_is_named_with_the_officer_whose_place_it_takes(cast):
    event = Event(kind="changed", actor=cast.verifier, principal=cast.county_officer)
    (line,) = lines([event])
    assert line.who == "核验人（代县局经办）"


def test_fields_and_models_that_are_no_more_are_told_by_their_bare_names(cast):
    event = Event(kind="changed", entity="gone.model", before={"a": 1}, after={"a": 2})
    (line,) = lines([event])
    assert (line.sentence, line.changes[0].label, line.changes[0].after) == ("修改gone.model", "a", "2")
    event = Event(kind="changed", entity="projects.bottleneck", after={"gone": "x", "chain": 0})
    assert told(event) == [("产业链", "", "#0"), ("gone", "", "x")]


def test_many_lines_cost_a_few_queries(cast, django_assert_max_num_queries):
    row = cast.bring_to("resolved")
    events = list(Event.objects.about(row).with_people())
    assert len(events) > 10
    with django_assert_max_num_queries(9):
        lines(events)


# --- The history of a row ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reader", "sees"),
    [("county_officer", True), ("city_officer", True), ("filer", False), ("engineer", False)],
)
def test_the_history_of_a_problem_is_for_those_over_its_bureau(cast, reader, sees):
    row = cast.bring_to("dispatched")
    answer = browser(getattr(cast, reader)).get(page_of(row))
    assert answer.status_code == 200
    assert ("修改记录" in words(answer)) is sees


def test_every_kind_of_row_shows_its_history_to_its_bureau(cast):
    officer = factories.user(Role.OFFICER, cast.county.parent.parent)
    project = factories.project(at=cast.county)
    pages = [
        reverse("enterprises:organization_detail", args=[cast.firm.uscc]),
        reverse("projects:project_detail", args=[project.code]),
        reverse("projects:consortium_detail", args=[factories.consortium(lead=cast.firm).code]),
        reverse("projects:key_project_detail", args=[factories.key_project(on=project, lead=cast.lab).code]),
    ]
    for page in pages:
        assert "修改记录" in words(browser(officer).get(page)), page


def test_a_long_history_is_continued_in_the_search_of_those_who_may_search(cast):
    for employees in range(30):
        cast.firm.employees = employees
        cast.firm.save()
    address = reverse("enterprises:organization_detail", args=[cast.firm.uscc])
    link = f"{reverse('record:event_list')}?topic=enterprises.organization%3A{cast.firm.pk}"
    auditor = browser(factories.user(Role.AUDITOR, cast.county))
    assert link in auditor.get(address).content.decode()
    assert link not in browser(cast.county_officer).get(address).content.decode()
    assert auditor.get(link).context["page"].paginator.count >= 30


# --- The search --------------------------------------------------------------------------------------------


@pytest.fixture
def auditor(cast):
    return browser(factories.user(Role.AUDITOR, cast.county, name="督查员"))


def found(client, **query) -> int:
    answer = client.get(reverse("record:event_list"), query)
    assert answer.status_code == 200
    return answer.context["page"].paginator.count


@pytest.mark.parametrize("role", [Role.AUDITOR, Role.ADMINISTRATOR])
def test_auditors_and_administrators_search_the_record_of_their_subtree(cast, role):
    cast.filed()
    elsewhere = factories.bureau("440000", "广东省市场监督管理局", factories.bureau())
    here, there = (browser(factories.user(role, at)) for at in (cast.county, elsewhere))
    assert found(here, entity="projects.bottleneck") > 0
    assert found(there, entity="projects.bottleneck") == 0
    assert found(browser(factories.user(role, factories.bureau()))) == Event.objects.count()


@pytest.mark.parametrize("reader", ["filer", "county_officer", "engineer"])
@pytest.mark.parametrize("page", ["list", "event"])
def test_others_are_refused_the_search_with_the_reason(cast, reader, page):
    address = (
        reverse("record:event_list")
        if page == "list"
        else reverse("record:event_detail", args=[Event.objects.first().pk])
    )
    answer = browser(getattr(cast, reader)).get(address)
    assert answer.status_code == 403
    assert "操作记录由督查人员和管理员查阅。" in words(answer)


def test_an_event_outside_the_subtree_is_not_found(cast, auditor):
    factories.organization(at=factories.bureau("440000", "广东省市场监督管理局", factories.bureau()))
    event = Event.objects.filter(entity="enterprises.organization").first()
    assert auditor.get(reverse("record:event_detail", args=[event.pk])).status_code == 404


def test_the_search_finds_by_person_row_kind_office_and_day(cast, auditor):
    row = cast.filed()
    services.move(row, "accept", by=cast.county_officer)
    all_of_it = found(auditor)
    assert found(auditor, q="县局经办") == Event.objects.filter(actor=cast.county_officer).count()
    assert 0 < found(auditor, q=row.title[:6]) < all_of_it
    assert found(auditor, kind="deleted") == 0
    assert found(auditor, kind=["changed", "created"]) > 0
    assert found(auditor, office=cast.county.code) > 0
    assert found(auditor, topic=f"projects.bottleneck:{row.pk}") == Event.objects.about(row).count()
    assert found(auditor, topic="nonsense") == 0
    assert found(auditor, day_to="2020-01-01") == 0
    assert found(auditor, day_from="2020-01-01") == all_of_it
    assert "有 1 处需要修改" in words(auditor.get(reverse("record:event_list"), {"day_from": "gestern"}))


def test_an_event_in_full_shows_before_and_after_and_its_place_in_the_chain(cast, auditor):
    cast.firm.size = "small"
    cast.firm.save()
    event = Event.objects.get(entity="enterprises.organization", kind="changed")
    address = reverse("record:event_detail", args=[event.pk])
    assert "几秒后封存" in words(auditor.get(address))
    chain.seal_pending()
    page = words(auditor.get(address))
    assert "企业规模 — 小型" in page
    assert event.seal.hash in page


def test_what_is_found_is_exported(cast, auditor):
    cast.filed()
    export = auditor.get(reverse("record:event_list"), {"export": "csv"})
    assert "修改堵点卡点问题" in b"".join(export.streaming_content).decode()


@pytest.mark.parametrize("model", ["event", "seal", "dayroot"])
def test_administrators_look_at_the_record_in_the_admin_site_and_type_nothing(cast, model):
    cast.filed()
    chain.seal_pending()
    client = browser(factories.user(Role.ADMINISTRATOR, cast.county))
    assert client.get(reverse(f"admin:record_{model}_changelist")).status_code == 200
    assert client.get(reverse(f"admin:record_{model}_add")).status_code == 403
    if model == "event":
        event = Event.objects.filter(path=cast.county.path).first()
        page = reverse("admin:record_event_change", args=[event.pk])
        assert client.get(page).status_code == 200
        assert client.post(page, {"reason": "x"}).status_code == 403
        assert client.post(reverse("admin:record_event_delete", args=[event.pk])).status_code == 403


# --- Who looked --------------------------------------------------------------------------------------------


def test_a_firm_sees_who_looked_at_its_problem_and_from_which_office(cast):
    row = cast.filed()
    browser(cast.county_officer).get(page_of(row))
    firm = browser(cast.filer)
    for page in (page_of(row), reverse("record:who_looked")):
        text = words(firm.get(page))
        assert "县局经办" in text
        assert cast.county.name in text


def test_a_firm_sees_nothing_of_who_looked_at_others(cast):
    other = factories.user(Role.FILER, factories.organization(at=cast.county))
    row = cast.filed()
    browser(cast.county_officer).get(page_of(row))
    answer = browser(other).get(reverse("record:who_looked"))
    assert answer.context["page"].paginator.count == 0
    assert "还没有人看过" in words(answer)


def test_who_looked_is_found_by_the_index_of_looks_alone(cast):
    if connection.vendor == "postgresql":  # would read a table this small from end to end
        connection.cursor().execute("SET LOCAL enable_seqscan = off")
    assert "event_firm_read" in lookers_for(cast.filer).explain()


def test_an_officer_has_no_page_of_lookers(cast):
    assert browser(cast.county_officer).get(reverse("record:who_looked")).status_code == 403
    assert "谁看过" not in words(browser(cast.county_officer).get(page_of(cast.filed())))
