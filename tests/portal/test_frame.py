"""What stands around every page: assets, fault pages, login, language, the choice of a role."""

import base64
import hashlib
from pathlib import Path

import pytest
from bootstrap_wrapper import get_bootstrap_dir
from django.conf import settings
from django.test import Client
from django.urls import reverse

from accounts.models import Grant, Role, User
from enterprises.models import Bureau

# As published by the project for version 5.3.8.
PUBLISHED = {
    "css/bootstrap.min.css": "sRIl4kxILFvY47J16cr9ZwB07vP4J8+LH7qKQnuqkuIAvNWLzeN8tE5YBujZqJLB",
    "js/bootstrap.bundle.min.js": "FKyoEForCGlyvwx9Hj09JcYn3nv7wiPVlz7YYwJrWVcXK/BmnVDxM+D2scQbITxI",
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_bootstrap_is_the_published_one(name):
    digest = hashlib.sha384((Path(get_bootstrap_dir()) / name).read_bytes()).digest()
    assert base64.b64encode(digest).decode() == PUBLISHED[name]


def test_templates_hold_no_inline_style_or_script():
    for template in (settings.BASE_DIR / "templates").rglob("*.html"):
        if "paper" in template.parts:
            continue
        source = template.read_text()
        assert " style=" not in source, template
        assert "<style" not in source, template
        assert " onclick=" not in source, template
        assert "<script>" not in source, template


@pytest.mark.django_db
def test_a_missing_page_says_the_way_back(client):
    response = client.get("/no-such-page/")
    assert response.status_code == 404
    text = response.content.decode()
    assert "没有找到这个页面" in text
    assert 'href="/"' in text


@pytest.mark.django_db
def test_a_stale_form_says_what_to_do():
    response = Client(enforce_csrf_checks=True).post("/login/", {"username": "a", "password": "b"})
    assert response.status_code == 403
    assert "页面已经过期，内容没有提交" in response.content.decode()


@pytest.mark.django_db
def test_the_login_page_keeps_the_way_and_the_name(client):
    response = client.post("/login/", {"username": "nobody", "password": "wrong", "next": "/desk/"})
    text = response.content.decode()
    assert 'role="alert"' in text
    assert 'value="nobody"' in text
    assert 'name="next" value="/desk/"' in text


@pytest.mark.django_db
def test_the_language_is_switched_and_kept(client):
    response = client.post("/language/", {"language": "en", "next": "/login/"})
    assert response["Location"] == "/login/"
    assert '<html lang="en">' in client.get("/login/").content.decode()


@pytest.fixture
def officer(db):
    """A user with two desks: the national one and a province's."""
    nation = Bureau.objects.create(code="000000", name="总局", short_name="全国", level=0, path="000000/")
    province = Bureau.objects.create(
        code="320000", name="江苏省局", short_name="江苏", level=1, parent=nation, path="000000/320000/"
    )
    user = User.objects.create_user("officer", "", "secret", name="经办")
    Grant.objects.create(user=user, role=Role.STATISTICIAN, bureau=nation)
    Grant.objects.create(user=user, role=Role.OFFICER, bureau=province)
    return user


def test_the_chosen_role_stays_until_its_grant_ends(officer, client):
    national, provincial = officer.grants_in_force
    client.force_login(officer)
    assert client.get("/no-such-page/").context["grant"] == national
    response = client.post("/role/", {"grant": provincial.pk})
    assert response["Location"] == reverse("projects:desk")
    response = client.get("/no-such-page/")
    assert response.context["grant"] == provincial
    assert response.context["shell"] == "base_desk.html"
    provincial.delete()
    assert client.get("/no-such-page/").context["grant"] == national


def test_a_foreign_role_is_not_found(officer, client):
    stranger = User.objects.create_user("stranger", "", "secret", name="旁人")
    client.force_login(stranger)
    assert client.post("/role/", {"grant": officer.grants_in_force[0].pk}).status_code == 404
    assert client.get("/no-such-page/").context["shell"] == "base_public.html"


@pytest.mark.django_db
def test_a_foreign_host_name_is_a_bad_request_and_no_fault_of_ours():
    answer = Client(raise_request_exception=False).get("/", headers={"host": "portal.invalid"})
    assert answer.status_code == 400
    assert "无法理解这个请求" in answer.content.decode()
