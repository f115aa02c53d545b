import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import Role, User
from tests import factories
from tests.worlds import world

pytestmark = pytest.mark.django_db


def search(user: User, text: str) -> tuple[int, str]:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    answer = client.get(reverse("search"), {"q": text})
    return answer.status_code, answer.content.decode() or answer["Location"]


@world
def officer() -> User:
    return factories.user(Role.OFFICER, factories.county())


def test_hits_are_grouped_by_kind(officer: User) -> None:
    cast = factories.Cast()
    cast.filed(title="轴承早期疲劳剥落")
    project = factories.project(name="轴承强链项目")
    factories.consortium(name="轴承创新联合体")
    factories.key_project(project, name="轴承攻关")
    factories.organization("演示轴承厂")
    _status, page = search(officer, "轴承")
    for heading in ("堵点卡点问题", "质量强链项目", "质量技术创新联合体", "重点攻关项目", "企业和机构"):
        assert f"<h2>{heading}</h2>" in page
    assert page.count("<mark>轴承</mark>") >= 5


def test_only_what_is_in_scope_is_found() -> None:
    factories.project(name="轴承强链项目")
    nation = factories.county().parent.parent.parent
    stranger = factories.user(Role.OFFICER, factories.bureau("330000", "浙江省市场监督管理局", nation))
    _status, page = search(stranger, "轴承")
    assert "在您的范围内没有找到“轴承”" in page


def test_more_hits_than_shown_lead_to_the_list(officer: User) -> None:
    for number in range(6):
        factories.project(name=f"轴承项目{number}")
    _status, page = search(officer, "轴承")
    assert page.count("data-row>") == 5
    assert f"{reverse('projects:project_list')}?q=%E8%BD%B4%E6%89%BF" in page


def test_a_full_number_opens_its_page(officer: User) -> None:
    project, firm = factories.project(), factories.organization()
    status, address = search(officer, project.code.lower())
    assert (status, address) == (302, reverse("projects:project_detail", args=[project.code]))
    status, address = search(officer, firm.uscc)
    assert (status, address) == (302, reverse("enterprises:organization_detail", args=[firm.uscc]))


def test_text_is_shown_as_text(officer: User) -> None:
    factories.project(name="<b>轴承</b>")
    _status, page = search(officer, "<b>")
    assert "<b>" not in page
    assert "<mark>&lt;b&gt;</mark>" in page


def test_an_empty_box_says_what_it_finds(officer: User) -> None:
    status, page = search(officer, "  ")
    assert status == 200
    assert "按名称、编号或信用代码查找" in page


def test_search_is_for_those_who_logged_in() -> None:
    assert Client().get(reverse("search")).status_code == 302
