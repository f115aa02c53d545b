"""The API: scope, filters, pages, one form of failure, and moves."""

import json
import re
from datetime import date
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from drf_spectacular.generators import SchemaGenerator
from rest_framework.authtoken.models import Token

from accounts.models import Role, User
from bulletins.models import Period
from common.formats import money
from enterprises.models import Organization
from projects.models import Bottleneck
from tests import factories
from tests.worlds import world

pytestmark = pytest.mark.django_db

S = Bottleneck.Status
ENDPOINTS = (
    "bureaus",
    "chains",
    "organizations",
    "institutions",
    "projects",
    "participations",
    "consortia",
    "key-projects",
    "bottlenecks",
    "bulletins",
    "periods",
)
SCOPED = ("organizations", "projects", "participations", "consortia", "key-projects", "bottlenecks")


def as_user(user: User) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


@world
def cast() -> factories.Cast:
    return factories.Cast()


@world
def foreign() -> User:
    nation = factories.county().parent.parent.parent
    return factories.user(Role.OFFICER, factories.bureau("330000", "浙江省市场监督管理局", nation))


def make_rows(cast: factories.Cast, count: int) -> None:
    for _number in range(count):
        project = factories.project()
        factories.participation(factories.organization(), project)
        factories.consortium()
        factories.key_project(project)
        factories.institution()
        cast.filed()


def test_what_a_firm_paid_is_read_by_itself_and_its_bureaus_and_the_sum_tells_it_to_nobody(
    cast: factories.Cast,
) -> None:
    project = factories.project(at=cast.city)
    key_project = factories.key_project(project)
    firms = [cast.firm, factories.organization(), factories.organization()]
    filers = [cast.filer, *(factories.user(Role.FILER, firm) for firm in firms[1:])]
    for firm in firms:
        factories.participation(firm, project)

    def paid(by: User) -> tuple[list[str], str | None, bool]:
        """Whose payments the user reads in the API, the sum there, and whether the page says it."""
        client = as_user(User.objects.get(pk=by.pk))
        said = results(client, f"key-projects/{key_project.code}")
        page = client.get(f"/key-projects/{key_project.code}/").content.decode()
        return [row["organization"] for row in said["investments"]], said["invested"], money(total) in page

    for count, firm in enumerate(firms, 1):
        key_project.investments.create(
            organization=firm, amount=count * 10_000, booked_on=date(2024, 5, 6), voucher="记-1"
        )
        total = Decimal(f"{sum(range(1, count + 1)) * 10_000}.00")
        everybody = [one.uscc for one in firms[:count]]
        # Whoever knows all but one knows that one by the sum.
        for filer, own in zip(filers, firms, strict=True):
            mine = [own.uscc] if own.uscc in everybody else []
            is_told = count - len(mine) != 1
            assert paid(filer) == (mine, str(total) if is_told else None, is_told)
        assert paid(cast.city_officer) == (everybody, str(total), True)


def results(client: Client, path: str, **query: Any) -> dict[str, Any]:
    answer = client.get(f"/api/v1/{path}/", query)
    assert answer.status_code == 200, answer.content
    return answer.json()


def error_of(answer: Any, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.content
    body = answer.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"code", "message", "fields"}
    return body["error"]


@pytest.mark.any_database
def test_every_endpoint_asks_as_often_for_20_rows_as_for_1(cast: factories.Cast) -> None:
    def counts() -> dict[str, int]:
        client = as_user(cast.county_officer)
        results(client, ENDPOINTS[0])  # writes when the session was used, as once a minute
        found = {}
        for path in ENDPOINTS:
            with CaptureQueriesContext(connection) as queries:
                results(client, path)
            found[path] = len(queries)
        return found

    make_rows(cast, 1)
    few = counts()
    make_rows(cast, 19)
    assert counts() == few
    assert max(few.values()) <= 6


@pytest.mark.parametrize("path", [*ENDPOINTS, "figures"])
def test_without_a_login_nothing_is_answered(path: str) -> None:
    error_of(Client().get(f"/api/v1/{path}/"), 401)


@pytest.mark.parametrize("path", SCOPED)
def test_rows_of_another_province_are_not_answered(path: str, cast: factories.Cast, foreign: User) -> None:
    make_rows(cast, 1)
    assert results(as_user(cast.county_officer), path)["count"] > 0
    assert results(as_user(foreign), path)["count"] == 0


def test_a_foreign_row_is_not_found(cast: factories.Cast, foreign: User) -> None:
    row, project = cast.filed(), factories.project()
    for path in (
        f"bottlenecks/{row.public_id}",
        f"projects/{project.code}",
        f"organizations/{cast.firm.uscc}",
    ):
        assert as_user(cast.county_officer).get(f"/api/v1/{path}/").status_code == 200
        assert error_of(as_user(foreign).get(f"/api/v1/{path}/"), 404)["code"] == "not_found"


def test_a_token_is_as_good_as_a_login(cast: factories.Cast) -> None:
    token = Token.objects.create(user=cast.county_officer)
    client = Client(headers={"Authorization": f"Token {token.key}"})
    assert results(client, "organizations")["count"] == Organization.objects.count()
    wrong = Client(headers={"Authorization": "Token wrong"})
    assert error_of(wrong.get("/api/v1/organizations/"), 401)["code"] == "authentication_failed"


def test_pages_follow_one_another_without_gap_or_double(cast: factories.Cast) -> None:
    for number in range(7):
        factories.organization(f"演示厂{number % 2}")
    client = as_user(cast.county_officer)
    seen: list[str] = []
    page = results(client, "organizations", sort="-name", page_size=3)
    while True:
        seen += [row["uscc"] for row in page["results"]]
        assert page["count"] == Organization.objects.count()
        if not page["next"]:
            break
        page = client.get(page["next"]).json()
    assert seen == list(Organization.objects.order_by("-name", "-id").values_list("uscc", flat=True))


@pytest.mark.parametrize(("asked", "given"), [("", 50), ("7", 7), ("100000", 200)])
def test_no_client_can_ask_for_everything_at_once(asked: str, given: int, cast: factories.Cast) -> None:
    for number in range(205):
        factories.chain(f"X{number:03d}", f"链{number}")
    page = results(as_user(cast.county_officer), "chains", page_size=asked)
    assert len(page["results"]) == given


def test_the_filters_are_those_of_the_page(cast: factories.Cast) -> None:
    factories.organization("小厂", size="small")
    page = results(as_user(cast.county_officer), "organizations", size="small", bureau="320000")
    assert [row["name"] for row in page["results"]] == ["小厂"]
    error = error_of(as_user(cast.county_officer).get("/api/v1/organizations/?bureau=9"), 400)
    assert "没有代码为“9”的单位" in error["fields"]["bureau"][0]


def test_contact_data_is_left_out(cast: factories.Cast) -> None:
    row = cast.filed()
    client = as_user(cast.county_officer)
    for path in ("organizations", f"organizations/{cast.firm.uscc}", f"bottlenecks/{row.public_id}"):
        body = client.get(f"/api/v1/{path}/").content.decode()
        assert "13800000" not in body and "王敏" not in body


def test_a_problem_tells_its_record_and_what_may_be_done(cast: factories.Cast) -> None:
    row = cast.bring_to(S.RESOLVED)
    body = as_user(cast.filer).get(f"/api/v1/bottlenecks/{row.public_id}/").json()
    assert [step["move"] for step in body["transitions"]][:2] == ["submit", "accept"]
    assert body["moves"] == ["reopen"]
    assert body["measures"] and body["evidence"]
    assert body["resolved_at"].endswith("Z")


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("organizations/?sort=nope", 400, "invalid"),
        ("organizations/?cursor=a", 404, "not_found"),
        ("participations/?cursor=cD1hYmM%3D", 404, "not_found"),
        ("figures/", 400, "invalid"),
        ("figures/?period=1999", 400, "invalid"),
        ("nowhere/", 404, "not_found"),
        ("bottlenecks/not-a-uuid/", 404, "not_found"),
    ],
)
def test_every_failure_has_one_form(path: str, status: int, code: str, cast: factories.Cast) -> None:
    assert error_of(as_user(cast.county_officer).get(f"/api/v1/{path}"), status)["code"] == code


def test_a_wrong_method_and_our_own_fault_have_the_same_form(
    cast: factories.Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = as_user(cast.county_officer)
    assert error_of(client.delete("/api/v1/organizations/"), 405)["code"] == "method_not_allowed"
    monkeypatch.setattr("enterprises.api.OrganizationViewSet.list", lambda *args, **kwargs: 1 / 0)
    error = error_of(client.get("/api/v1/organizations/"), 500)
    assert error["message"] == "系统出错，已记录，请稍后再试。"


# --- Moves -----------------------------------------------------------------------------------------------


def send(user: User, row: Bottleneck, name: str, **data: Any) -> Any:
    address = f"/api/v1/bottlenecks/{row.public_id}/moves/{name}/"
    return as_user(user).post(
        address, json.dumps({"version": row.version, **data}), content_type="application/json"
    )


def test_the_straight_way_by_api(cast: factories.Cast) -> None:
    row = cast.filed()
    measure = row.measures.get()

    def step(user: User, name: str, **data: Any) -> None:
        answer = send(user, row, name, **data)
        assert answer.status_code == 201, answer.content
        row.refresh_from_db()

    step(cast.county_officer, "accept")
    step(cast.city_officer, "list", grade="CITY", route="DISP", due_on="2099-12-31")
    step(cast.city_officer, "dispatch", assigned_to=cast.lab.uscc)
    step(cast.engineer, "take", reason="由热处理实验室承接。")
    proof = {
        "kind": "method",
        "element": "TST",
        "title": "报告",
        "number": "T-1",
        "issuer": "院",
        "issued_on": "2024-05-01",
    }
    step(
        cast.engineer,
        "file_solution",
        solution="改进热处理。",
        after=[{"measure": measure.pk, "value_after": "96", "measured_after_on": "2024-05-01"}],
        evidence=[proof],
    )
    step(cast.filer, "confirm")
    checked = list(row.evidence.values_list("pk", flat=True))
    step(cast.verifier, "verify", result="bottleneck_solved", reason="现场核对。", checked=checked)
    assert row.status == S.RESOLVED


def test_moves_are_refused_with_a_reason(cast: factories.Cast) -> None:
    row = cast.filed()
    error = error_of(send(cast.filer, row, "accept"), 403)
    assert error["code"] == "forbidden" and "办理单位" in error["message"]
    error = error_of(send(cast.county_officer, row, "return"), 400)
    assert error["fields"] == {"gaps": ["这一项必须填写。"]}
    assert error_of(send(cast.county_officer, row, "nope"), 404)["code"] == "not_found"
    old = row.version
    assert send(cast.county_officer, row, "accept").status_code == 201
    row.version = old
    error = error_of(send(cast.county_officer, row, "reject", reason="x", reason_code="dispute"), 409)
    assert error["code"] == "stale" and "已于" in error["message"]
    row.refresh_from_db()
    assert row.status == S.ACCEPTED and row.transitions.count() == 2


def test_a_move_of_a_foreign_problem_is_not_found(cast: factories.Cast, foreign: User) -> None:
    error_of(send(foreign, cast.filed(), "accept"), 404)


def test_what_a_move_says_is_kept_as_people_read_it(cast: factories.Cast) -> None:
    row = cast.filed()
    answer = send(cast.county_officer, row, "return", gaps=[{"text": "请\u202e附\u200b报告\0。"}])
    assert answer.status_code == 201, answer.content
    assert row.transitions.latest("pk").details["gaps"] == [{"field": "", "text": "请附报告。"}]
    error = error_of(send(cast.county_officer, cast.filed(), "return", gaps=[{"text": "\u200b"}]), 400)
    assert "不能为空" in str(error["fields"])


@pytest.mark.parametrize("field", ["nonsense", "consent_publish", 7])
def test_a_gap_points_to_a_field_of_the_filing(field: Any, cast: factories.Cast) -> None:
    row = cast.filed()
    error = error_of(send(cast.county_officer, row, "return", gaps=[{"field": field, "text": "缺"}]), 400)
    sentence = error["fields"]["gaps"][0]
    assert f"“{field}”不在可选项中" in sentence and "symptom" in sentence
    gaps = [{"field": "symptom", "text": "请写明时间。"}, {"text": "请附报告。"}]
    answer = send(cast.county_officer, row, "return", gaps=gaps)
    assert answer.status_code == 201, answer.content
    assert answer.json()["details"]["gaps"] == [gaps[0], {"field": "", "text": "请附报告。"}]


# --- What programs and probes send -------------------------------------------------------------------------

STRANGE = ("9" * 30, "0000-00-00", "9999-12-31", "²", "\u202e\x01😀" + "x" * 3000)
TOO_LONG = {
    "zh-hans": "最多 1000 个字，现在是 1001 个，请删减。",
    "en": "At most 1000 characters; there are 1001 now. Please shorten it.",
}
CSRF_SENTENCES = {"zh-hans": "请求头 X-CSRFToken", "en": "the header X-CSRFToken"}


def reads() -> list[tuple[str, list[str]]]:
    """Every address that is read, with its query parameters."""
    paths = SchemaGenerator().get_schema(public=True)["paths"]
    return [
        (path, [one["name"] for one in described["get"].get("parameters", []) if one["in"] == "query"])
        for path, described in sorted(paths.items())
        if "get" in described and "/schema/" not in path
    ]


def test_strange_values_in_an_address_break_nothing(cast: factories.Cast) -> None:
    make_rows(cast, 1)
    Period.objects.create(code="2024", kind="year", start_on=date(2024, 1, 1), end_on=date(2024, 12, 31))
    client = as_user(cast.county_officer)
    for path, names in reads():
        for value in STRANGE:
            whole = re.sub(r"{\w+}", quote(value, safe=""), path)
            if whole != path:
                assert client.get(whole).status_code == 404, (path, value)
            for name in names:
                query = {"period": "2024"} if "figures" in path else {}
                answer = client.get(path, query | {name: [value, value]})
                assert answer.status_code in (200, 400, 404), (path, name, value)
                assert "x" * 100 not in answer.content.decode(), (
                    "a refusal quotes no more than a reader needs"
                )


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "null",
        "[]",
        "7",
        '"x"',
        "\ud7ff",
        *(
            json.dumps({"version": 1, **data})
            for data in (
                {"version": 10**30},
                {"version": "1e400"},
                {"version": []},
                {"gaps": {"field": "symptom"}},
                {"gaps": [[], None, {"field": [], "text": {}}]},
                {"gaps": [{"field": "symptom", "text": "a\0b"}]},
                {"gaps": [{"field": "symptom", "text": "\ud800"}]},
                {"gaps": []},
                {"reason": "x" * 5000},
                {"due_on": "0000-00-00"},
                {"due_on": "9999-12-31", "grade": "CITY", "route": "DISP"},
                {"due_on": "0001-01-01", "grade": [], "route": {}},
                {"master": "\0", "reason": "a"},
                {"master": 10**30, "reason": "a"},
                {"assigned_to": "ſ" * 18},
                {"reason_code": {}, "reason": None},
                {"checked": [-1, None, "x"]},
                {"after": [{"measure": 10**30, "value_after": "NaN", "measured_after_on": "9999-12-31"}]},
                {"after": [{"measure": 10**30, "value_after": "1e400", "measured_after_on": ""}]},
                {"evidence": [{"element": None, "issued_on": 20240101}]},
            )
        ),
    ],
)
def test_strange_bodies_break_nothing(body: str, cast: factories.Cast) -> None:
    row = cast.filed()
    client = as_user(cast.county_officer)
    for name in ("return", "reject", "merge", "list"):
        answer = client.post(
            f"/api/v1/bottlenecks/{row.public_id}/moves/{name}/", body, content_type="application/json"
        )
        assert answer.status_code in (201, 400, 403, 409), (name, answer.content)
    Bottleneck.objects.get(pk=row.pk).full_clean()


@pytest.mark.parametrize("language", ["zh-hans", "en"])
def test_a_refusal_is_a_sentence_in_the_language_of_the_user(language: str, cast: factories.Cast) -> None:
    row = cast.filed()
    client = as_user(cast.county_officer)
    client.cookies["django_language"] = language
    address = f"/api/v1/bottlenecks/{row.public_id}/moves/reject/"
    body = json.dumps({"version": row.version, "reason": "长" * 1001, "reason_code": "dispute"})
    error = error_of(client.post(address, body, content_type="application/json"), 400)
    assert error["fields"] == {"reason": [TOO_LONG[language]]}
    careful = Client(enforce_csrf_checks=True)
    careful.cookies = client.cookies
    error = error_of(careful.post(address, body, content_type="application/json"), 403)
    assert error["code"] == "csrf_failed" and CSRF_SENTENCES[language] in error["message"]
    error = error_of(client.get("/api/v1/organizations/", {"bureau": "x" * 3000, "chain": "x" * 3000}), 400)
    assert all(len(sentences[0]) < 150 for sentences in error["fields"].values())


# --- Schema ------------------------------------------------------------------------------------------------


def test_the_schema_is_valid_and_complete(tmp_path: Any, cast: factories.Cast) -> None:
    target = tmp_path / "schema.json"
    call_command(
        "spectacular", "--fail-on-warn", "--validate", "--format", "openapi-json", "--file", str(target)
    )
    paths = json.loads(target.read_text())["paths"]
    assert {f"/api/v1/{name}/" for name in (*ENDPOINTS, "figures")} <= set(paths)
    names = {parameter["name"] for parameter in paths["/api/v1/organizations/"]["get"]["parameters"]}
    assert {"q", "bureau", "size", "role", "sort", "cursor", "page_size"} <= names
    client = as_user(cast.county_officer)
    assert client.get("/api/v1/docs/").status_code == 200
    assert client.get("/api/v1/schema/").status_code == 200


def test_an_id_that_no_database_can_hold_is_refused(cast: factories.Cast) -> None:
    row = cast.bring_to(S.VERIFICATION)
    facts = {"result": "bottleneck_solved", "reason": "现场核对。"}
    error = error_of(send(cast.verifier, row, "verify", checked=[10**30], **facts), 400)
    assert list(error["fields"]) == ["checked"]
