"""Every change of a watched row leaves an event: who, for whom, from where, before, after, why."""

import pytest
from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.models import F, Value
from django.urls import reverse
from django.utils import timezone

from common.scope import system_job
from enterprises.models import Division, Enterprise, Organization, OrganizationContact
from enterprises.services import load_divisions
from projects import services
from projects.models import KeyProject, Measure
from record import acting, recording
from record.models import Event
from tests import factories
from tests.pages import browser
from tests.worlds import world

pytestmark = pytest.mark.django_db


@world
def cast() -> factories.Cast:
    return factories.Cast()


def last(entity: str = "") -> Event:
    rows = Event.objects.all()
    return (rows.filter(entity=entity) if entity else rows).first()


# --- What is told of a change ------------------------------------------------------------------------------


def test_a_change_tells_the_changed_fields_only_with_their_values_before_and_after(cast):
    row = cast.firm
    row.size, row.employees = "small", 12
    row.save()
    event = last()
    assert (event.kind, event.entity, event.row) == ("changed", "enterprises.organization", str(row.pk))
    assert event.before == {}
    assert event.after == {"size": "small", "employees": 12}
    row.employees = None
    row.save()
    assert (last().before, last().after) == ({"employees": 12}, {})


def test_a_row_saved_unchanged_leaves_no_event(cast):
    before = Event.objects.count()
    cast.firm.save()
    Organization.objects.get(pk=cast.firm.pk).save()
    assert Event.objects.count() == before


def test_a_sign_in_that_notes_its_time_on_the_user_is_no_change(cast):
    before = Event.objects.filter(kind="changed").count()
    cast.filer.last_login = timezone.now()
    cast.filer.save(update_fields=["last_login"])
    assert Event.objects.filter(kind="changed").count() == before


def test_numbers_typed_as_text_are_no_change(cast):
    row = factories.draft(cast.filer)
    measure = row.measures.get()
    before = Event.objects.count()
    measure.target = "95"
    measure.save()
    assert Event.objects.count() == before


def test_rows_stored_together_are_told_one_by_one_as_if_they_had_been_saved(cast):
    row = factories.draft(cast.filer)
    shared = {"bottleneck": row, "unit": "%", "value_now": 90}
    Measure(metric="一", target=95, **shared).save()
    saved = last("projects.measure")
    recording.add([Measure(metric="二", target=95, **shared), Measure(metric="三", target=95, **shared)])
    second, first = Event.objects.filter(entity="projects.measure", pk__gt=saved.pk)
    keys = dict(row.measures.values_list("metric", "pk"))
    assert [(it.kind, it.row, it.topic_row) for it in (first, second)] == [
        ("created", str(keys["二"]), saved.topic_row),
        ("created", str(keys["三"]), saved.topic_row),
    ]
    assert first.after == saved.after and (first.path, first.firm) == (saved.path, saved.firm)
    recording.add([])
    assert last("projects.measure") == second


def test_a_value_that_the_database_computes_is_told_as_it_came_out(cast):
    Organization.objects.filter(pk=cast.firm.pk).update(employees=3)
    cast.firm.employees = F("employees") + Value(1)
    cast.firm.save(update_fields=["employees"])
    assert (last().before, last().after) == ({"employees": 3}, {"employees": 4})


def test_a_new_row_and_a_deleted_row_tell_all_they_hold(cast):
    row = factories.organization("演示轴承有限公司", at=cast.county)
    created = last("enterprises.organization")
    assert created.kind == "created"
    assert created.after["name"] == "演示轴承有限公司"
    row.delete()
    deleted = last("enterprises.organization")
    assert deleted.kind == "deleted"
    assert deleted.before == created.after


def test_a_row_whose_pointer_is_emptied_by_the_deleting_of_another_is_told_as_changed(cast):
    row = cast.bring_to("solution_filed")
    file = services.attach(row, factories.pdf(), by=cast.filer)
    evidence = row.evidence.first()
    evidence.attachment = file
    evidence.save()
    key = file.pk
    file.delete()
    event = last("projects.evidence")
    assert (event.kind, event.row, event.before, event.after) == (
        "changed", str(evidence.pk), {"attachment": key}, {}
    )  # fmt: skip
    evidence.refresh_from_db()
    assert evidence.attachment is None


def test_a_business_seen_through_a_proxy_is_recorded_as_the_organisation_it_is(cast):
    row = Enterprise.objects.get(pk=cast.firm.pk)
    row.size = "large"
    row.save()
    assert last().entity == "enterprises.organization"


def test_rows_that_are_linked_many_to_many_are_told_from_either_side(cast):
    problem = cast.filed()
    task = factories.key_project(lead=cast.lab)
    task.bottlenecks.add(problem)
    assert (last().entity, last().after) == ("projects.keyproject", {"bottlenecks": [problem.pk]})
    problem.key_projects.remove(task)
    assert (last().entity, last().row) == ("projects.keyproject", str(task.pk))
    assert last().before == {"bottlenecks": [problem.pk]}
    assert not KeyProject.bottlenecks.through.objects.exists()


def test_personal_data_never_stand_in_the_record(cast):
    contact = cast.firm.contact
    contact.contact_phone = "13912345678"
    contact.save()
    assert last().after == {"contact_phone": "***"}
    person = factories.user(name="李秀英", email="li@example.org")
    person.set_password("another-long-password")
    person.save()
    person.delete()
    told = str(list(Event.objects.values()))
    for secret in ("13912345678", "13800000001", "王敏", "李秀英", "li@example.org", person.username, "md5$"):
        assert secret not in told


def test_an_event_is_told_on_the_page_of_the_row_to_which_it_belongs(cast):
    row = factories.draft(cast.filer)
    told = {event.entity for event in Event.objects.about(row)}
    assert told == {"projects.bottleneck", "projects.bottleneckcontact", "projects.measure"}
    event = last("projects.measure")
    assert (event.path, event.firm) == (cast.county.path, cast.firm.uscc)


def test_a_moved_organisation_belongs_where_it_came_to(cast):
    cast.firm.bureau = cast.city
    cast.firm.save()
    assert last().path == cast.city.path
    assert (last().before, last().after) == ({"bureau": cast.county.pk}, {"bureau": cast.city.pk})


# --- Row and event together --------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("write", ["save", "delete"])
def test_row_and_event_stand_or_fall_together_even_outside_a_transaction(monkeypatch, write):
    row = factories.organization()
    contact = OrganizationContact.objects.get(organization=row)
    events = Event.objects.count()
    monkeypatch.setattr(recording, "store", lambda *args, **kwargs: 1 / 0)
    contact.contact_name = "新联系人"
    with pytest.raises(ZeroDivisionError):
        getattr(contact, write)()
    assert not connection.in_atomic_block
    assert OrganizationContact.objects.get(organization=row).contact_name == "王敏"
    assert Event.objects.count() == events


def test_what_is_rolled_back_leaves_no_event(cast):
    events = Event.objects.count()
    with pytest.raises(ValidationError), transaction.atomic():
        cast.firm.size = "large"
        cast.firm.save()
        raise ValidationError("no")
    assert Event.objects.count() == events


def test_events_are_appended_never_changed():
    factories.organization()
    event = Event.objects.first()
    event.reason = "anders"
    with pytest.raises(Exception, match=r"(?i)unique"), transaction.atomic():
        event.save()
    for change in (event.delete, Event.objects.all().delete, lambda: Event.objects.update(reason="x")):
        with pytest.raises(TypeError):
            change()


# --- Who, for whom, from where, why ------------------------------------------------------------------------


def test_a_request_tells_who_acts_in_which_office_and_from_where(cast):
    row = factories.draft(cast.filer)
    address = reverse("projects:bottleneck_edit", args=[row.public_id, "check"])
    browser(cast.filer).post(address, {"version": row.version}, REMOTE_ADDR="192.0.2.7")
    row.refresh_from_db()
    assert row.status == "submitted"
    event = Event.objects.about(row).filter(entity="projects.bottleneck").first()
    assert (event.actor, event.office, event.address) == (cast.filer, cast.firm.uscc, "192.0.2.7")


def test_a_service_called_without_a_request_is_the_work_of_whom_it_names(cast):
    row = cast.filed()
    assert {event.actor for event in Event.objects.about(row)} == {cast.filer}


def test_a_move_is_told_with_its_reason_and_the_office_whose_grant_allowed_it(cast):
    row = cast.filed()
    gaps = [{"field": "title", "text": "请写明产品型号。"}]
    services.move(row, "return", by=cast.county_officer, data={"reason": "材料不全", "gaps": gaps})
    event = Event.objects.about(row).first()
    assert (event.actor, event.office, event.reason) == (cast.county_officer, cast.county.code, "材料不全")


def test_evidence_found_in_order_is_told_one_by_one(cast):
    row = cast.bring_to("resolved")
    told = Event.objects.about(row).filter(entity="projects.evidence", kind="changed")
    assert [event.after["verify_state"] for event in told] == ["matched", "pending"]


def test_another_person_in_the_same_request_acts_without_the_office_of_the_first(cast):
    with acting.on_behalf(cast.filer, cast.filer.grants_in_force[0]):
        with acting.on_behalf(cast.county_officer):
            assert acting.now().office == ""
        assert acting.now().office == cast.firm.uscc


def test_a_service_works_for_its_by_wherever_it_stands(cast):
    @acting.by_whom
    def service(row, by=None, *, note=""):
        return acting.now().actor_id, row, note

    someone = cast.filer
    assert service(1, someone, note="x") == (someone.pk, 1, "x")
    assert service(note="x", by=someone, row=1) == (someone.pk, 1, "x")
    assert service(1, None) == service(1) == (None, 1, "")


def test_a_command_is_told_as_the_job(monkeypatch):
    monkeypatch.setattr("sys.argv", ["manage.py", "load_divisions", "--year", "2023"])
    factories.organization()
    assert (last().actor, last().job) == (None, "manage.py load_divisions")


def test_a_bulk_load_leaves_one_event_that_says_what_came(cast):
    load_divisions()
    (event,) = Event.objects.filter(entity="enterprises.division")
    assert (event.kind, event.label, event.row) == ("created", "divisions-2023.csv", "")
    assert event.after == {"rows": Division.objects.count()}
    load_divisions()
    assert Event.objects.filter(entity="enterprises.division").count() == 1


def test_a_system_job_is_told_by_its_name():
    with system_job("take over"):
        factories.organization()
    assert (last().actor, last().job) == (None, "take over")


@pytest.mark.parametrize("text", ["", "unix:", "1.2.3", "a" * 300])
def test_what_is_no_address_is_left_out(text):
    assert acting.address(text) is None


def test_every_watched_field_exists():
    for watched in recording.WATCHED.values():
        names = {field.name for field in watched.model._meta.get_fields()}
        assert watched.hidden | watched.ignored <= names, watched.model
        watched.model._base_manager.values_list(*watched.path, *watched.firm).first()


def test_every_business_model_is_watched_or_stands_here_with_its_reason():
    unwatched = {
        "bulletins.countedrow": "follows from its snapshot",
        "bulletins.snapshotunit": "the tree as it stood, with its snapshot",
        "bulletins.statvalue": "follows from its snapshot",
        "enterprises.numberseries": "a counter",
        "projects.transition": "appended with the change of its problem",
        "accounts.notice": "tells of events",
        "accounts.noticechoice": "a person's own choice of mails",
        "accounts.letter": "on its way out, and gone once it is sent",
        "projects.specstep": "appended with the change of its demand",
        "projects.evidencealarm": "appended with the change of its evidence",
        "projects.gram": "an index of what its problem says",
        "projects.freshgrams": "what that index has not taken in yet",
        "bulletins.lookup": "counts how often documents are checked, and by nobody's name",
        "projects.gramcount": "counted from that index",
    }
    ours = {
        model._meta.label_lower
        for app in ("enterprises", "accounts", "projects", "bulletins")
        for model in apps.get_app_config(app).get_models()
        if not model._meta.proxy
    }
    watched = {watched.entity for watched in recording.WATCHED.values()}
    assert ours - watched == set(unwatched)


# --- Drafts ------------------------------------------------------------------------------------------------


def test_what_stands_in_a_draft_never_stands_in_the_record(cast):
    row = factories.draft(cast.filer, title="草稿的标题", symptom="草稿里的现象描述")
    row.symptom = "改过的现象描述"
    row.save()
    measure = row.measures.get()
    measure.metric = "改过的指标名"
    measure.save()
    row = type(row).objects.get(pk=row.pk)
    file = services.attach(row, factories.pdf("不外传的图纸.pdf"), by=cast.filer)
    services.detach(file, by=cast.filer)
    told = str([(event.label, event.before, event.after) for event in Event.objects.about(row)])
    for secret in ("草稿", "改过的", factories.MEASURE["metric"], "不外传的图纸"):
        assert secret not in told
    assert last("projects.measure").after == {"metric": "***"}
    services.discard(row, by=cast.filer)
    assert set(last("projects.bottleneck").before.values()) == {"***"}
    assert last("projects.bottleneck").label == ""


def test_filing_tells_what_was_filed_and_nothing_of_how_it_came_about(cast):
    row = factories.draft(cast.filer, title="草稿的标题")
    row.title = "填报时的标题"
    row.save()
    services.move(row, "submit", by=cast.filer)
    told = Event.objects.about(row)
    filing = next(event for event in told if event.entity == "projects.bottleneck")
    assert (filing.kind, filing.label, filing.before) == ("changed", "填报时的标题", {})
    assert (filing.after["status"], filing.after["title"]) == ("submitted", "填报时的标题")
    assert "草稿的标题" not in str([(event.label, event.before, event.after) for event in told])
