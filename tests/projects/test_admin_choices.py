"""Relations in the admin site: what may be named there is what the administrator sees."""

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import Role
from projects.models import Participation
from tests import factories
from tests.worlds import world

pytestmark = pytest.mark.django_db


@world
def foreign():
    """An organisation and a project of another province."""
    unit = factories.bureau("330000", "浙江省局", factories.bureau())
    return factories.organization("外省厂", at=unit), factories.project(unit)


@pytest.fixture
def client():
    client = Client()
    person = factories.user(Role.ADMINISTRATOR, factories.county().parent)
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    return client


def values(**fields):
    own = {"role": "member", "bureau": factories.county().pk, "joined_on": "2024-04-01", "left_on": ""}
    return own | {name: getattr(value, "pk", value) for name, value in fields.items()}


@pytest.mark.parametrize("name", ["organization", "project"])
def test_a_guessed_key_is_refused_and_its_name_not_told(client, foreign, name):
    fields = {"organization": factories.organization(), "project": factories.project()}
    strangers = dict(zip(("organization", "project"), foreign, strict=True))
    address = reverse("admin:projects_participation_add")
    page = client.post(address, values(**(fields | {name: strangers[name]})))
    assert page.status_code == 200 and page.context["adminform"].form.errors[name]
    assert str(strangers[name]) not in page.content.decode()
    assert client.post(address, values(**fields)).status_code == 302
    assert Participation.objects.count() == 1


def test_a_filter_by_a_guessed_key_does_not_tell_its_name(client, foreign):
    own = factories.project(name="本市项目")
    for project, told in ((own, True), (foreign[1], False)):
        address = reverse("admin:projects_participation_changelist")
        page = client.get(address, {"project__id__exact": project.pk}).content.decode()
        assert (project.name in page) is told


def test_the_links_of_a_key_project_are_shown_and_kept(client):
    cast = factories.Cast()
    row = factories.key_project()
    row.bottlenecks.add(cast.filed())
    page = client.get(reverse("admin:projects_keyproject_change", args=[row.pk]))
    assert page.status_code == 200 and "柔轮热处理后疲劳寿命离散过大" in page.content.decode()


def test_what_stands_in_the_row_may_stay(client, foreign):
    row = factories.participation(foreign[0], factories.project())
    address = reverse("admin:projects_participation_change", args=[row.pk])
    fields = {"organization": foreign[0], "project": row.project, "left_on": "2025-01-01"}
    assert client.post(address, values(**fields)).status_code == 302
    row.refresh_from_db()
    assert row.left_on


def test_an_inline_refuses_a_guessed_key_and_keeps_what_stands_there(client, foreign):
    consortium = factories.consortium()
    row = consortium.memberships.create(organization=foreign[0], role="member", joined_on="2024-06-01")
    lead = consortium.memberships.get(role="lead")
    address = reverse("admin:projects_consortium_change", args=[consortium.pk])
    fields = client.get(address).context["adminform"].form.initial
    data = {name: value for name, value in fields.items() if value not in (None, False, "")}
    data |= {"memberships-TOTAL_FORMS": 3, "memberships-INITIAL_FORMS": 2}
    for place, member in enumerate((lead, row)):
        data |= {
            f"memberships-{place}-{name}": value
            for name, value in {
                "id": member.pk,
                "consortium": consortium.pk,
                "organization": member.organization_id,
                "role": member.role,
                "joined_on": member.joined_on,
            }.items()
        }
    new = {"consortium": consortium.pk, "role": "member", "joined_on": "2024-06-01"}
    stranger = factories.organization("外省二厂", at=foreign[0].bureau)
    for organization, status in ((stranger, 200), (factories.organization(), 302)):
        tried = {f"memberships-2-{name}": value for name, value in new.items()}
        tried["memberships-2-organization"] = organization.pk
        page = client.post(address, data | tried)
        assert page.status_code == status, page.context and page.context["errors"]
    assert consortium.memberships.count() == 3
