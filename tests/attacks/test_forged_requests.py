"""Requests made up by hand: keys of others in every parameter, fields that no form has, steps taken twice,
states and cookies that were forged, and where a redirect may lead."""

import json
import uuid
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import Grant, Role, User
from bulletins.forms import CompareForm
from enterprises.views import InstitutionList, OrganizationList
from portal.api import router
from projects.models import Bottleneck
from projects.views.lists import BottleneckList, ConsortiumList, KeyProjectList, ProjectList
from record.models import Event
from tests import factories
from tests.factories import Cast
from tests.pages import browser
from tests.worlds import world

pytestmark = pytest.mark.django_db
FOREIGN = "外省绝密"


@world
def cast() -> Cast:
    return Cast()


@world
def elsewhere() -> dict[str, Any]:
    """A firm of another province with a problem, a project, a consortium and a key project."""
    nation = factories.county().parent.parent.parent
    city = factories.bureau("440300", "深圳", factories.bureau("440000", "广东", nation))
    firm = factories.organization(f"{FOREIGN}公司", at=city)
    filer = factories.user(Role.FILER, firm, name=f"{FOREIGN}人")
    problem = factories.draft(filer, title=f"{FOREIGN}问题")
    factories.services.move(problem, "submit", by=filer)
    project = factories.project(city, name=f"{FOREIGN}项目")
    factories.consortium(firm, name=f"{FOREIGN}联合体")
    factories.key_project(project, lead=firm, name=f"{FOREIGN}攻关")
    return {
        "filer": filer,
        "problem": problem,
        "project": project,
        "keys": [
            firm.uscc,
            city.code,
            problem.code,
            str(problem.public_id),
            project.code,
            FOREIGN,
        ],
    }


# --- Keys of others -----------------------------------------------------------------------------------------

LISTS = {
    "enterprises:organization_list": OrganizationList,
    "enterprises:institution_list": InstitutionList,
    "projects:bottleneck_list": BottleneckList,
    "projects:project_list": ProjectList,
    "projects:consortium_list": ConsortiumList,
    "projects:key_project_list": KeyProjectList,
}


def told(body: bytes) -> list[str]:
    """Names of the other province in an answer; what was asked may stand there again."""
    return [
        word for word in ("公司", "问题", "项目", "联合体", "攻关") if f"{FOREIGN}{word}" in body.decode()
    ]


@pytest.mark.any_database
@pytest.mark.parametrize("name", LISTS)
def test_a_foreign_key_in_a_filter_of_a_list_finds_nothing(
    name: str, cast: Cast, elsewhere: dict[str, Any]
) -> None:
    client = browser(cast.city_officer)
    for parameter in (*LISTS[name].filterset_class.base_filters, "page", "sort", "columns"):
        for key in elsewhere["keys"]:
            response = client.get(reverse(name), {"export": "csv", parameter: key})
            body = b"".join(response) if response.streaming else response.content
            assert response.status_code in (200, 400), (parameter, key)
            assert not told(body), (parameter, key)


@pytest.mark.any_database
@pytest.mark.parametrize("prefix", [prefix for prefix, _view, _name in router.registry])
def test_a_foreign_key_in_a_parameter_of_the_api_finds_nothing(
    prefix: str, cast: Cast, elsewhere: dict[str, Any]
) -> None:
    view = next(view for name, view, _basename in router.registry if name == prefix)
    client = browser(cast.city_officer)
    filters = getattr(view, "filterset_class", None)
    names = filters.base_filters if filters else CompareForm.base_fields
    for parameter in (*names, "cursor", "sort", "page_size"):
        for key in elsewhere["keys"]:
            response = client.get(f"/api/v1/{prefix}/", {parameter: key})
            assert response.status_code in (200, 400, 403, 404), (parameter, key)
            assert not told(response.content), (parameter, key)


@pytest.mark.parametrize("text", ["外省绝密", "外省", "DK-2024-440300", "ZLQL-2024-440300", "91320500MA"])
def test_search_tells_nothing_of_others(text: str, cast: Cast, elsewhere: dict[str, Any]) -> None:
    page = browser(cast.city_officer).get(reverse("search"), {"q": text}).content.decode()
    assert f"{FOREIGN}公司" not in page
    assert f"{FOREIGN}问题" not in page


def test_a_problem_is_not_merged_into_one_that_is_out_of_sight(cast: Cast, elsewhere: dict[str, Any]) -> None:
    row = cast.bring_to(Bottleneck.Status.ACCEPTED)
    client = browser(cast.city_officer)
    data = {"version": row.version, "master": elsewhere["problem"].code, "reason": "同类"}
    page = client.post(reverse("projects:bottleneck_move", args=[row.public_id, "merge"]), data)
    api = client.post(moves(row, "merge"), json.dumps(data), content_type="application/json")
    assert (page.status_code, api.status_code) == (200, 400)
    assert FOREIGN not in page.content.decode() + api.content.decode()
    row.refresh_from_db()
    assert row.status == Bottleneck.Status.ACCEPTED


def moves(row: Bottleneck, name: str) -> str:
    return reverse("api-bottleneck-moves", args=[row.public_id, name])


def test_nobody_files_for_an_organisation_of_others(cast: Cast, elsewhere: dict[str, Any]) -> None:
    client = browser(cast.filer)
    made_up = reverse("projects:bottleneck_edit", args=[uuid.uuid4(), "happening"])
    assert client.get(f"{made_up}?for={elsewhere['keys'][0]}").status_code == 404
    assert client.post(f"{made_up}?for={elsewhere['keys'][0]}", {"title": "x"}).status_code == 404
    theirs = reverse("projects:bottleneck_edit", args=[elsewhere["problem"].public_id, "happening"])
    assert client.post(f"{theirs}?for={cast.firm.uscc}", {"title": "x"}).status_code == 404


def test_measures_and_evidence_of_another_problem_are_not_touched(cast: Cast) -> None:
    row, other = (cast.bring_to(Bottleneck.Status.IN_PROGRESS) for _ in range(2))
    data = factories.solution(row) | {"version": row.version}
    data["after"][0] |= {"measure": other.measures.get().pk, "value_after": "96"}
    body = json.dumps(data, default=str)
    response = browser(cast.engineer).post(moves(row, "file_solution"), body, content_type="application/json")
    assert response.status_code == 400
    assert other.measures.get().value_after is None


def test_rows_of_others_in_a_selection_are_left_alone(cast: Cast, elsewhere: dict[str, Any]) -> None:
    theirs = elsewhere["problem"]
    data = {"move": "accept", "row": f"{theirs.public_id}:{theirs.version}"}
    client = browser(cast.county_officer)
    assert FOREIGN not in client.get(reverse("projects:desk_bulk"), data, follow=True).content.decode()
    client.post(reverse("projects:desk_bulk"), data)
    theirs.refresh_from_db()
    assert theirs.status == Bottleneck.Status.SUBMITTED
    opened = client.get(reverse("projects:desk"), {"open": str(theirs.public_id)})
    assert FOREIGN not in opened.content.decode()


def test_nobody_works_in_the_grant_of_another(cast: Cast) -> None:
    client = browser(cast.filer)
    theirs = Grant.objects.get(user=cast.county_officer)
    assert client.post(reverse("role_switch"), {"grant": theirs.pk}).status_code == 404
    session = client.session
    session["grant"] = theirs.pk
    session.save()
    assert client.get(reverse("projects:desk")).status_code == 403


# --- Fields that no form has --------------------------------------------------------------------------------

FORGED = {
    "status": "resolved",
    "code": "DK-2024-000000-99999",
    "organization": "1",
    "organization_id": "1",
    "bureau": "1",
    "handler": "1",
    "filer": "1",
    "assigned_to": "1",
    "is_test": "on",
    "voided_at": "2020-01-01",
    "result": "bottleneck_solved",
    "grade": "NATION",
    "resolved_at": "2020-01-01",
    "public_id": str(uuid.uuid4()),
    "id": "1",
    "pk": "1",
}
KEPT = (
    "public_id",
    "status",
    "code",
    "organization_id",
    "bureau_id",
    "handler_id",
    "filer_id",
    "assigned_to_id",
    "is_test",
    "voided_at",
    "result",
    "grade",
    "resolved_at",
)


@pytest.mark.parametrize("step", ["happening", "extent", "help"])
@pytest.mark.parametrize("name", ["edit", "autosave"])
def test_a_step_of_the_filing_takes_its_own_fields_only(name: str, step: str, cast: Cast) -> None:
    row = factories.draft(cast.filer)
    before = Bottleneck.objects.filter(pk=row.pk).values(*KEPT).get()
    address = reverse(f"projects:bottleneck_{name}", args=[row.public_id, step])
    response = browser(cast.filer).post(address, FORGED | {"version": row.version, "title": "改"})
    assert response.status_code < 500
    assert Bottleneck.objects.filter(pk=row.pk).values(*KEPT).get() == before


def test_a_move_by_api_takes_its_own_fields_only(cast: Cast) -> None:
    row = cast.filed()
    before = Bottleneck.objects.filter(pk=row.pk).values(*KEPT).get()
    body = json.dumps(FORGED | {"grade": "NATION", "version": row.version, "by": 1, "at": "2020-01-01"})
    client = browser(cast.county_officer)
    response = client.post(moves(row, "accept"), body, content_type="application/json")
    assert response.status_code < 500
    after = Bottleneck.objects.filter(pk=row.pk).values(*KEPT).get()
    changed = {name for name in KEPT if after[name] != before[name]}
    assert changed <= {"status"}
    assert after["status"] in (Bottleneck.Status.SUBMITTED, Bottleneck.Status.ACCEPTED)


def test_nobody_raises_itself_by_the_forms_of_the_own_account(cast: Cast) -> None:
    client = browser(cast.filer)
    forged = {"is_superuser": "on", "is_staff": "on", "role": "administrator", "bureau": cast.county.pk}
    for name in ("accounts:message_choices", "account_change_password", "set_language", "role_switch"):
        assert client.post(reverse(name), forged).status_code < 500
    person = User.objects.get(pk=cast.filer.pk)
    assert not (person.is_superuser or person.is_staff or person.is_administrator)
    assert [grant.role for grant in person.grants_in_force] == [Role.FILER]


# --- Twice, late, and forged --------------------------------------------------------------------------------


def test_a_request_sent_twice_is_carried_out_once(cast: Cast) -> None:
    row = cast.filed()
    client = browser(cast.county_officer)
    address = reverse("projects:bottleneck_move", args=[row.public_id, "accept"])
    data = {"version": row.version, "reason": ""}
    assert [client.post(address, data).status_code for _ in range(3)] == [302, 302, 302]
    assert row.transitions.filter(move="accept").count() == 1
    assert Event.objects.filter(entity="projects.transition", topic_row=str(row.pk)).count() <= 2


def test_a_request_from_before_is_refused_after_the_row_moved_on(cast: Cast) -> None:
    row = cast.filed()
    version = row.version
    cast.make(row, "accept")
    data = json.dumps({"version": version, "reason_code": "dispute", "reason": "x", "turn_to": "y"})
    client = browser(cast.county_officer)
    assert client.post(moves(row, "reject"), data, content_type="application/json").status_code == 409
    row.refresh_from_db()
    assert row.status == Bottleneck.Status.ACCEPTED


def test_a_session_that_was_signed_out_opens_nothing_any_more(cast: Cast) -> None:
    client = browser(cast.filer)
    kept = client.cookies["sessionid"].value
    client.post(reverse("logout"))
    thief = Client()
    thief.cookies["sessionid"] = kept
    assert thief.get(reverse("projects:workspace")).status_code == 302
    assert thief.get("/api/v1/bottlenecks/").status_code == 401


@pytest.mark.parametrize("value", ["x", "../../etc/passwd", "'; DROP TABLE", "0" * 32, "é" * 200, "a" * 5000])
def test_a_made_up_session_is_nobodys(value: str) -> None:
    client = Client()
    client.cookies["sessionid"] = value
    assert client.get(reverse("projects:workspace")).status_code == 302


@pytest.mark.parametrize("header", ["Token x", "Token", "Bearer é", "Token " + "a" * 9000, "Basic Og=="])
def test_a_made_up_token_is_nobodys(header: str) -> None:
    assert Client().get("/api/v1/bottlenecks/", headers={"Authorization": header}).status_code == 401


@pytest.mark.parametrize("version", ["-1", "0", "99999999999999999999", "x", "", "1e3", "²"])
def test_a_forged_version_moves_nothing(version: str, cast: Cast) -> None:
    row = cast.filed()
    address = reverse("projects:bottleneck_move", args=[row.public_id, "accept"])
    assert browser(cast.county_officer).post(address, {"version": version}).status_code == 409
    row.refresh_from_db()
    assert row.status == Bottleneck.Status.SUBMITTED


# --- Where a redirect leads ---------------------------------------------------------------------------------

OUTSIDE = [
    "https://evil.example/",
    "//evil.example/",
    "/\\evil.example",
    "\\\\evil.example",
    "///evil.example",
    "https:evil.example",
    "javascript:alert(1)",
    "/\t/evil.example",
    " //evil.example",
    "http://testserver@evil.example/",
    "https://testserver.evil.example/",
]


@pytest.mark.parametrize("address", OUTSIDE)
def test_no_redirect_leads_outside(address: str, cast: Cast) -> None:
    row = cast.filed()
    client = browser(cast.county_officer)
    move = reverse("projects:bottleneck_move", args=[row.public_id, "accept"])
    answers = [
        Client().post(
            reverse("login"),
            {"username": cast.filer.username, "password": factories.PASSWORD, "next": address},
        ),
        Client().get(reverse("login"), {"next": address}),
        client.get(reverse("login"), {"next": address}),
        client.post(reverse("set_language"), {"language": "en", "next": address}),
        client.post(reverse("set_language"), {"language": "en"}, headers={"Referer": address}),
        client.post(move, {"version": row.version, "next": address}),
        client.get(f"{move}?next={address}"),
        client.get(reverse("account_reauthenticate"), {"next": address}),
        client.post(reverse("logout"), {"next": address}),
    ]
    for response in answers:
        assert response.status_code < 500
        assert "evil" not in response.get("Location", "") and "javascript" not in response.get("Location", "")
        assert 'href="javascript:' not in response.content.decode()


@pytest.mark.parametrize("host", ["evil.example", "testserver:80@evil.example", "testserver.evil.example"])
def test_a_foreign_host_is_refused(host: str) -> None:
    assert Client().get(reverse("home"), headers={"Host": host}).status_code == 400


# --- What was refused ---------------------------------------------------------------------------------------


def test_each_refused_try_leaves_a_record(cast: Cast) -> None:
    row = cast.filed()
    client = browser(cast.filer)
    client.post(moves(row, "accept"), json.dumps({"version": row.version}), content_type="application/json")
    client.post(reverse("projects:bottleneck_move", args=[row.public_id, "accept"]), {"version": row.version})
    client.get(reverse("projects:desk"))
    refused = Event.objects.filter(kind=Event.Kind.REFUSED, actor=cast.filer)
    assert refused.count() == 3
    assert all(event.reason for event in refused)
