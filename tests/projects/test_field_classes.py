"""What a reader who is no party of a problem reads of it: by every door the same fields, and no others."""

import csv
import io

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import Role
from projects.field_classes import FIELDS, FieldClass, open_to
from projects.models import Bottleneck
from record.models import Event
from tests import factories
from tests.worlds import world

pytestmark = pytest.mark.django_db
S = Bottleneck.Status

# A mark for the value of every field that can hold words.
MARKS = {
    "title": "题目标记",
    "solution": "办法标记",
    "product": "产品标记",
    "symptom": "现象标记",
    "effect": "影响标记",
    "cause_analysis": "原因标记",
    "tried_already": "尝试标记",
    "help_text": "帮助标记",
    "loss_basis": "依据标记",
    "organization": "演示标记企业",
    "assigned_to": "演示标记机构",
    "bureau": "吴江区市场监督管理局",
    "segment": "环节标记",
    "code": "DK-",
    "measures": "指标标记",
    "evidence": "证据标记",
    "attachments": "附件标记.png",
    "transitions": "经过标记",
    "contact": "138****0000",
}
NEVER = ("13800000000", "王敏", "人名标记")


def shared_problem(visibility="public", consent=True, status=S.RESOLVED):
    """A problem with a mark in every field, brought to a state and opened by its firm."""
    cast = factories.Cast()
    row = cast.bring_to(status)
    for relation in ("organization", "assigned_to"):
        other = getattr(row, relation)
        if other:
            other.name = MARKS[relation]
            other.save()
    row.segment.name = MARKS["segment"]
    row.segment.save()
    words = (
        "title",
        "solution",
        "product",
        "symptom",
        "effect",
        "cause_analysis",
        "tried_already",
        "help_text",
    )
    for name in (*words, "loss_basis"):
        setattr(row, name, MARKS[name])
    row.filer.name = "人名标记"
    row.filer.save()
    row.loss_estimate = 1
    row.visibility, row.consent_publish = visibility, consent
    row.save()
    row.measures.update(metric=MARKS["measures"])
    row.evidence.update(title=MARKS["evidence"])
    row.transitions.update(reason=MARKS["transitions"])
    row.attachments.create(
        file="attachments/00/none", name=MARKS["attachments"], size=1, mime="image/png", sha256="0" * 64
    )
    return row


@world
def row():
    return shared_problem()


def reader(kind):
    """Somebody far away, logged in: an officer, or a firm's filer."""
    if kind == FieldClass.GOVERNMENT:
        person = factories.user(
            Role.OFFICER, factories.bureau("330000", "浙江省局", factories.county() and factories.bureau())
        )
    else:
        person = factories.user(Role.FILER, factories.organization("演示远方有限公司"))
    client = Client()
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    return client


def texts(client, row, kind):
    """What each door says of the row."""
    folder = "shared" if kind == FieldClass.GOVERNMENT else "published"
    page = reverse(f"projects:{folder}_list")
    client.post(page, {"columns": ["code", "firm", "institution", "elements", "handler"]})
    export = b"".join(client.get(page, {"export": "csv"}).streaming_content).decode()
    api = f"/api/v1/{folder}-bottlenecks/"
    return {
        "page": client.get(reverse("projects:bottleneck_detail", args=[row.public_id])).content.decode(),
        "list": client.get(page).content.decode(),
        "export": export,
        "endpoint": client.get(api).content.decode(),
        "endpoint of one": client.get(f"{api}{row.public_id}/").content.decode(),
        "search": client.get(reverse("search"), {"q": MARKS["title"]}).content.decode(),
    }


def test_every_column_and_part_of_a_problem_has_a_class():
    columns = {field.name for field in Bottleneck._meta.fields}
    parts = {field.get_accessor_name() for field in Bottleneck._meta.related_objects if not field.hidden}
    assert columns | parts == set(FIELDS)


def test_classes_contain_each_other():
    assert open_to(FieldClass.PUBLIC) < open_to(FieldClass.GOVERNMENT) < open_to(FieldClass.PARTIES)


@pytest.mark.parametrize("kind", [FieldClass.GOVERNMENT, FieldClass.PUBLIC])
def test_by_no_door_does_a_reader_get_a_field_that_is_closed_to_it(row, kind):
    closed = [mark for name, mark in MARKS.items() if name not in open_to(kind)]
    for door, text in texts(reader(kind), row, kind).items():
        assert not [mark for mark in (*closed, *NEVER) if mark in text], door


@pytest.mark.parametrize("kind", [FieldClass.GOVERNMENT, FieldClass.PUBLIC])
def test_the_page_shows_every_field_that_is_open(row, kind):
    page = texts(reader(kind), row, kind)["page"]
    assert not [mark for name, mark in MARKS.items() if name in open_to(kind) and mark not in page]


def test_lists_and_endpoints_tell_the_columns_that_are_open(row):
    doors = texts(reader(FieldClass.GOVERNMENT), row, FieldClass.GOVERNMENT)
    for name in ("title", "code", "organization"):
        assert all(MARKS[name] in doors[door] for door in ("list", "export", "search")), name
    line = next(csv.reader(io.StringIO(doors["export"].splitlines()[1])))
    assert line[0] == MARKS["title"]
    assert "symptom" in doors["endpoint of one"] and "symptom" not in doors["endpoint"]


# --- Which rows --------------------------------------------------------------------------------------------


@pytest.mark.any_database
@pytest.mark.parametrize(
    ("visibility", "consent", "status", "by_bureaus", "by_firms"),
    [
        ("parties", True, S.RESOLVED, False, False),
        ("government", True, S.RESOLVED, True, False),
        ("public", False, S.RESOLVED, True, False),
        ("public", True, S.RESOLVED, True, True),
        ("public", True, S.IN_PROGRESS, True, False),
        ("public", True, S.SUBMITTED, False, False),
        ("public", True, S.RETURNED, False, False),
        ("public", True, S.REJECTED, False, False),
        ("public", True, S.WITHDRAWN, False, False),
    ],
)
def test_who_reads_a_problem_of_others(visibility, consent, status, by_bureaus, by_firms):
    row = shared_problem(visibility, consent, status)
    for kind, expected in ((FieldClass.GOVERNMENT, by_bureaus), (FieldClass.PUBLIC, by_firms)):
        client = reader(kind)
        page = client.get(reverse("projects:bottleneck_detail", args=[row.public_id]))
        assert page.status_code == (200 if expected else 404), kind
        found = client.get(reverse("search"), {"q": MARKS["title"]}).content.decode()
        assert (f"<mark>{MARKS['title']}</mark>" in found) is expected


@pytest.mark.parametrize(
    "change", [{"is_test": True}, {"voided_at": "2026-01-01T00:00Z", "void_reason": "误填"}]
)
def test_what_does_not_count_is_not_shared(row, change):
    Bottleneck.objects.filter(pk=row.pk).update(**change)
    assert not Bottleneck.objects.shared().exists() and not Bottleneck.objects.published().exists()


def test_a_party_reads_its_problem_in_full_on_the_same_page(row):
    client = Client()
    client.force_login(row.filer, backend="django.contrib.auth.backends.ModelBackend")
    page = client.get(reverse("projects:bottleneck_detail", args=[row.public_id])).content.decode()
    assert MARKS["evidence"] in page and "13800000000" in page


def test_an_expert_reads_what_everybody_reads():
    row = shared_problem("government")
    person = factories.user(Role.EXPERT, factories.bureau())
    assert row not in Bottleneck.objects.shared_with(person)
    row.visibility = "public"
    row.save()
    assert row in Bottleneck.objects.shared_with(person)


# --- What a closed field does not answer --------------------------------------------------------------------


@pytest.mark.parametrize("text", [MARKS["organization"], MARKS["product"], "DK-2026"])
def test_what_a_reader_may_not_see_it_does_not_find(row, text):
    client = reader(FieldClass.PUBLIC)
    assert MARKS["title"] not in client.get(reverse("search"), {"q": text}).content.decode()
    assert client.get(reverse("search"), {"q": row.code}).status_code == 200
    listed = client.get(reverse("projects:published_list"), {"q": text})
    assert listed.context["page"].paginator.count == 0
    assert client.get("/api/v1/published-bottlenecks/", {"q": text}).json()["count"] == 0


@pytest.mark.parametrize("name", ["organization", "bureau", "handler", "project", "overdue_on", "grade"])
def test_filters_by_closed_fields_do_nothing(row, name):
    client = reader(FieldClass.PUBLIC)
    assert client.get("/api/v1/published-bottlenecks/", {name: "330000"}).json()["count"] == 1


@pytest.mark.parametrize("sort", ["firm", "-handler", "submitted"])
def test_sorting_by_a_closed_column_does_nothing(row, sort):
    page = reader(FieldClass.PUBLIC).get(reverse("projects:published_list"), {"sort": sort})
    assert page.status_code == 200 and "提出企业" not in [head.label for head in page.context["headings"]]


def test_attachments_of_a_shared_problem_stay_with_the_parties(row):
    address = reverse("projects:attachment", args=[row.attachments.get().public_id])
    for kind in (FieldClass.GOVERNMENT, FieldClass.PUBLIC):
        assert reader(kind).get(address).status_code == 404


def test_the_list_shared_among_bureaus_is_refused_to_firms_with_the_reason():
    client = reader(FieldClass.PUBLIC)
    page = client.get(reverse("projects:shared_list"))
    assert page.status_code == 403 and "供市场监管部门查阅" in page.content.decode()
    assert client.get("/api/v1/shared-bottlenecks/").status_code == 403


def test_a_bureau_that_reads_a_shared_problem_is_told_to_the_firm_and_a_firm_is_not(row):
    address = reverse("projects:bottleneck_detail", args=[row.public_id])
    reads = Event.objects.filter(kind=Event.Kind.READ)
    reader(FieldClass.PUBLIC).get(address)
    assert not reads.exists()
    reader(FieldClass.GOVERNMENT).get(address)
    assert reads.count() == 1
