"""Lists and pages of organisations, projects, consortia, key projects and problems."""

import csv
import io
from datetime import date
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from openpyxl import load_workbook

from accounts.models import Role, User
from common.listing import TwoEndedPaginator, disarmed
from enterprises.models import Organization
from projects.models import ChainProject
from tests import factories
from tests.pages import browser
from tests.worlds import world

pytestmark = pytest.mark.django_db

LISTS = (
    "enterprises:organization_list",
    "enterprises:institution_list",
    "projects:project_list",
    "projects:consortium_list",
    "projects:key_project_list",
    "projects:bottleneck_list",
)


@world
def officer() -> User:
    return factories.user(Role.OFFICER, factories.county())


@world
def foreign() -> User:
    """An officer of another province."""
    nation = factories.county().parent.parent.parent
    return factories.user(Role.OFFICER, factories.bureau("330000", "浙江省市场监督管理局", nation))


def make_rows(count: int) -> None:
    cast = factories.Cast()
    for _number in range(count):
        project = factories.project()
        factories.participation(cast.firm, project)
        factories.participation(factories.organization(), project, "leader")
        factories.consortium()
        factories.key_project(project)
        factories.institution()
        cast.filed(title=f"齿轮噪声超标{_number}")


# --- Lists -----------------------------------------------------------------------------------------------


@pytest.mark.any_database
def test_every_list_asks_as_often_for_20_rows_as_for_1(officer: User) -> None:
    def counts() -> dict[str, int]:
        client = browser(officer)
        found = {}
        for name in LISTS:
            client.get(reverse(name))  # fills caches of the process, and writes when the session was used
            with CaptureQueriesContext(connection) as queries:
                page = client.get(reverse(name))
            assert page.status_code == 200, name
            found[name] = len(queries)
        return found

    make_rows(1)
    few = counts()
    make_rows(19)
    assert counts() == few
    assert max(few.values()) <= 11


@pytest.mark.parametrize("name", LISTS)
def test_a_list_is_for_those_who_logged_in(name: str) -> None:
    answer = Client().get(reverse(name))
    assert answer.status_code == 302
    assert reverse("login") in answer["Location"]


@pytest.mark.parametrize("name", LISTS)
def test_an_empty_list_says_what_will_stand_there(name: str, officer: User) -> None:
    page = browser(officer).get(reverse(name)).content.decode()
    assert "empty-title" in page
    assert "这里将列出" in page


@pytest.mark.parametrize("name", [name for name in LISTS if "institution" not in name])
def test_rows_of_another_province_are_not_listed(name: str, officer: User, foreign: User) -> None:
    make_rows(1)
    assert "data-row>" in browser(officer).get(reverse(name)).content.decode()
    assert "data-row>" not in browser(foreign).get(reverse(name)).content.decode()


def test_institutions_are_open_to_every_bureau(foreign: User) -> None:
    lab = factories.institution("演示计量院")
    client = browser(foreign)
    assert "演示计量院" in client.get(reverse("enterprises:institution_list")).content.decode()
    assert client.get(reverse("enterprises:organization_detail", args=[lab.uscc])).status_code == 200


def test_filters_stand_in_the_address_and_as_chips(officer: User) -> None:
    kept = factories.organization("演示甲厂", size="small")
    factories.organization("演示乙厂", size="large")
    answer = browser(officer).get(reverse("enterprises:organization_list"), {"size": "small"})
    page = answer.content.decode()
    assert kept.name in page and "演示乙厂" not in page
    assert '<span class="chip-label">企业规模</span>小型' in page


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ({"bureau": "999999"}, "没有代码为“999999”的单位。"),
        ({"chain": "nope"}, "没有代码为“nope”的产业链"),
        ({"size": "huge"}, "“huge”不在可选项中，可选：large、medium、small、micro。"),
        ({"active_from": "31.12.2024"}, "日期应写作 2026-11-21 的样子。"),
    ],
)
def test_a_fault_in_the_address_is_named_and_shows_no_row(
    officer: User, query: dict[str, str], sentence: str
) -> None:
    firm = factories.organization()
    page = browser(officer).get(reverse("enterprises:organization_list"), query).content.decode()
    assert sentence in page.replace("&#x27;", "'")
    assert firm.name not in page


def test_the_bureau_filter_takes_the_subtree_and_offers_the_next_level() -> None:
    county = factories.county()
    province = county.parent.parent
    other = factories.bureau("320600", "南通市市场监督管理局", province)
    here, there = factories.organization("苏州厂", at=county), factories.organization("南通厂", at=other)
    client = browser(factories.user(Role.OFFICER, province))
    page = client.get(reverse("enterprises:organization_list"), {"bureau": "320500"}).content.decode()
    assert here.name in page and there.name not in page
    assert '<option value="320509"' in page


def test_organisations_by_their_part_in_projects() -> None:
    county = factories.county()
    leader, member = factories.organization("链主厂"), factories.organization("链员厂")
    project = factories.project(county)
    factories.participation(leader, project, "leader")
    factories.participation(leader, project, "member")
    factories.participation(member, project, "member", left_on=date(2024, 6, 30))

    def found(**asked: Any) -> set[str]:
        return set(Organization.objects.taking_part(**asked).values_list("name", flat=True))

    assert found(role="leader") == {"链主厂"}
    assert found(role="member") == {"链员厂"}, "whoever leads a project is not also its member"
    assert found(role="member", active_from=date(2024, 7, 1)) == set()
    assert found(role="member", active_from=date(2024, 6, 30)) == {"链员厂"}
    assert found(active_to=date(2024, 3, 31)) == set()
    ChainProject.objects.update(is_test=True)
    assert found(role="leader") == set()


def test_sorting_by_a_heading_and_back(officer: User) -> None:
    for name, employees in (("甲", 30), ("乙", 10), ("丙", None)):
        factories.organization(name, employees=employees)
    client = browser(officer)
    address = reverse("enterprises:organization_list")
    client.post(address, {"columns": ["employees"]})

    def names(sort: str) -> list[str]:
        listed = client.get(address, {"sort": sort, "export": "csv"})
        rows = csv.reader(io.StringIO(b"".join(listed.streaming_content).decode("utf-8-sig")))
        return [row[0] for row in rows][1:]

    assert names("employees") == ["乙", "甲", "丙"], "blanks stand last"
    assert names("-employees") == ["甲", "乙", "丙"], "on both sides"


def test_every_page_is_complete_from_either_end(officer: User) -> None:
    for number in range(7):
        factories.organization(f"演示厂{number}")
    keys = Organization.objects.order_by("name", "pk").values_list("pk", flat=True)
    pages = TwoEndedPaginator(keys, 3)
    assert [key for number in pages.page_range for key in pages.page(number).object_list] == list(keys)
    address = reverse("enterprises:organization_list")
    assert browser(officer).get(address, {"page": "999"}).status_code == 200


def test_the_last_page_is_read_from_the_end() -> None:
    for number in range(5):
        factories.organization(f"演示厂{number}")
    pages = TwoEndedPaginator(Organization.objects.order_by("name", "pk").values_list("pk", flat=True), 2)
    assert pages.count == 5
    with CaptureQueriesContext(connection) as queries:
        pages.page(3)
    assert "DESC" in queries[0]["sql"] and "OFFSET" not in queries[0]["sql"]


def test_the_choice_of_columns_is_remembered(officer: User) -> None:
    factories.organization(employees=1234)
    client = browser(officer)
    address = reverse("enterprises:organization_list")
    assert "1,234" not in client.get(address).content.decode()
    client.post(f"{address}?size=", {"columns": ["employees"]})
    page = client.get(address).content.decode()
    assert "1,234" in page
    assert 'data-label="登记状态"' not in page


def test_the_export_is_what_is_seen_and_no_formula(officer: User) -> None:
    factories.organization("=HYPERLINK(1)", size="small", employees=12)
    factories.organization("大厂", size="large")
    client = browser(officer)
    address = reverse("enterprises:organization_list")
    answer = client.get(address, {"size": "small", "export": "csv"})
    body = b"".join(answer.streaming_content)
    assert body.startswith(b"\xef\xbb\xbf")
    head, row = csv.reader(io.StringIO(body.decode("utf-8-sig")))
    assert head[:3] == ["名称", "统一社会信用代码", "所属单位"]
    assert row[0] == "'=HYPERLINK(1)"
    assert "filename" in answer["Content-Disposition"]

    book = load_workbook(io.BytesIO(client.get(address, {"size": "small", "export": "xlsx"}).content))
    cell = book.active["A2"]
    assert (cell.value, cell.data_type) == ("=HYPERLINK(1)", "s")


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@a", "\tx"])
def test_formulas_are_disarmed(text: str) -> None:
    assert disarmed(text) == f"'{text}"
    assert disarmed("平常的字") == "平常的字"


def test_search_by_name_code_and_credit_code(officer: User) -> None:
    firm = factories.organization("演示轴承厂")
    project = factories.project(name="轴承强链项目")
    factories.participation(firm, project)
    factories.project(name="别的项目")
    client = browser(officer)
    for text in ("轴承", project.code.lower(), firm.uscc):
        page = client.get(reverse("projects:project_list"), {"q": text}).content.decode()
        assert project.name in page and "别的项目" not in page


def test_void_and_test_rows_are_not_listed(officer: User) -> None:
    factories.project(name="测试项目", is_test=True)
    page = browser(officer).get(reverse("projects:project_list")).content.decode()
    assert "测试项目" not in page


# --- Pages of one thing ------------------------------------------------------------------------------------


def addresses() -> list[str]:
    project = factories.project()
    factories.participation(factories.organization(), project, "leader")
    project.goals.create(
        indicator="合格率", unit="%", base=90, target=98, reached=94, due_on=date(2025, 12, 31)
    )
    key_project = factories.key_project(project)
    consortium = factories.consortium()
    return [
        reverse("projects:project_detail", args=[project.code]),
        reverse("projects:key_project_detail", args=[key_project.code]),
        reverse("projects:consortium_detail", args=[consortium.code]),
        reverse("enterprises:organization_detail", args=[factories.organization().uscc]),
    ]


def test_a_foreign_row_is_not_found(officer: User, foreign: User) -> None:
    for address in addresses():
        assert browser(officer).get(address).status_code == 200
        assert browser(foreign).get(address).status_code == 404


def test_a_project_page_pages_its_parties_by_role(officer: User) -> None:
    project = factories.project()
    for _number in range(25):
        factories.participation(factories.organization(), project)
    client = browser(officer)
    address = reverse("projects:project_detail", args=[project.code])
    first = client.get(address).content.decode()
    assert first.count('class="cell-sub">91') == 20
    second = client.get(address, {"role": "member", "page": 2}).content.decode()
    assert second.count('class="cell-sub">91') == 5


@pytest.mark.any_database
def test_a_project_page_asks_as_often_for_20_parties_as_for_1(officer: User) -> None:
    project = factories.project()
    client = browser(officer)
    address = reverse("projects:project_detail", args=[project.code])
    counts = []
    for more in (1, 19):
        for _number in range(more):
            factories.participation(factories.organization(), project)
            factories.key_project(project)
        client.get(address)
        with CaptureQueriesContext(connection) as queries:
            client.get(address)
        counts.append(len(queries))
    # One more: the number of key projects is counted once there are too many to show.
    assert counts[1] - counts[0] <= 1


def test_goals_and_milestones_show_how_far_they_are(officer: User) -> None:
    project_page, key_page, *_rest = addresses()
    client = browser(officer)
    assert "50.0%" in client.get(project_page).content.decode()
    page = client.get(key_page).content.decode()
    assert "40.0%" in page
    assert "已逾期" in page


def test_regions_of_a_cross_region_project(officer: User) -> None:
    other = factories.bureau("330000", "浙江省市场监督管理局", factories.county().parent.parent.parent)
    project = factories.project(is_cross_region=True, tier="cross_region")
    project.region_links.create(bureau=other)
    address = reverse("projects:project_detail", args=[project.code])
    page = browser(officer).get(address).content.decode()
    assert "浙江省市场监督管理局" in page and "牵头" in page and "参与" in page
    assert browser(factories.user(Role.OFFICER, other)).get(address).status_code == 200


def test_contacts_are_masked_outside_the_parties(officer: User, foreign: User) -> None:
    lab = factories.institution()
    address = reverse("enterprises:organization_detail", args=[lab.uscc])
    assert "13800000001" in browser(officer).get(address).content.decode()
    page = browser(foreign).get(address).content.decode()
    assert "138****0001" in page and "13800000001" not in page
    assert "王*" in page and "王敏" not in page
    own = factories.user(Role.INSTITUTION, lab)
    assert "13800000001" in browser(own).get(address).content.decode()


def test_an_organisation_page_names_its_parts_and_problems(officer: User) -> None:
    cast = factories.Cast()
    project = factories.project()
    factories.participation(cast.firm, project, "leader")
    problem = cast.filed()
    page = (
        browser(officer)
        .get(reverse("enterprises:organization_detail", args=[cast.firm.uscc]))
        .content.decode()
    )
    assert project.name in page and "链主企业" in page and problem.code in page


@pytest.mark.parametrize("name", ["submitted_from", "submitted_to", "resolved_from", "resolved_to"])
@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
def test_a_day_at_the_end_of_the_calendar_is_refused_at_its_field(officer, name, day):
    for address in ("/bottlenecks/", "/api/v1/bottlenecks/"):
        answer = browser(officer).get(address, {name: day})
        assert answer.status_code in (200, 400)
        assert "日期应在 1900 年到 2199 年之间" in answer.content.decode()


@pytest.mark.parametrize("role", [Role.AUDITOR, Role.STATISTICIAN, Role.ADMINISTRATOR])
def test_contacts_are_masked_for_those_who_only_read(officer: User, role: Role) -> None:
    lab = factories.institution()
    address = reverse("enterprises:organization_detail", args=[lab.uscc])
    reader = factories.user(role, lab.bureau)
    assert "13800000001" in browser(officer).get(address).content.decode()
    page = browser(reader).get(address).content.decode()
    assert "138****0001" in page and "13800000001" not in page


def test_nobody_joins_before_being_founded() -> None:
    firm = factories.organization(founded_on=date(2020, 5, 1))
    row = factories.participation(firm, factories.project(), joined_on=date(2020, 5, 1))
    row.full_clean()
    row.joined_on = date(2020, 4, 30)
    with pytest.raises(ValidationError) as refusal:
        row.full_clean()
    assert refusal.value.message_dict == {
        "joined_on": ["早于该组织的成立日期 2020-05-01，请填写当天或以后的日期。"]
    }
