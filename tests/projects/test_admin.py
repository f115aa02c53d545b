"""The admin site: every model, its scope, its queries, and what nobody may type."""

import uuid
from datetime import date
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from rest_framework.authtoken.models import Token

from accounts.models import Grant, Invitation, Registration, Role, Substitution, User
from bulletins.models import Bulletin, Excuse, Period, Snapshot, StatValue, Submission
from enterprises.models import BoundaryChange, Bureau, Division, NumberSeries
from projects.models import Bottleneck, TwinJudgement
from tests import factories
from tests.pages import browser
from tests.worlds import world

pytestmark = pytest.mark.django_db

OURS = ("accounts", "enterprises", "projects", "bulletins")
# Parts of an organisation, a problem or a demand, on its page; mails on their way out, which are sealed; whom
# to call about a problem, which its page alone tells; what a person is told and how, which is its own; rows
# without one key for the admin, and counts.
ELSEWHERE = {
    # On the page of their whole.
    "BoundaryPart",
    # What a snapshot kept of the tree is read with its figures.
    "SnapshotUnit",
    "EvidenceAlarm",
    "ExpertOpinion",
    "FollowUp",
    "SpecStep",
    "SpecWait",
    "ListedRow",
    "Letter",
    "FreshGrams",
    "Gram",
    "GramCount",
    "OrganizationContact",
    "InstitutionProfile",
    "BottleneckContact",
    "Notice",
    "NoticeChoice",
    "CountedRow",
    "Wording",
    "Series",
    "Edition",
    "Lookup",
}
MODELS = [model for model in admin.site._registry if model._meta.app_label in (*OURS, "authtoken")]
READ_ONLY = (
    "projects.transition",
    "bulletins.statvalue",
    "bulletins.snapshot",
    "bulletins.bulletin",
    "bulletins.submission",
    "bulletins.excuse",
)


def changelist(model: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


@world
def city_admin() -> User:
    return factories.user(Role.ADMINISTRATOR, factories.county().parent)


@world
def superuser() -> User:
    return factories.user(is_superuser=True, is_staff=True)


def make_rows(count: int) -> None:
    """Rows of every model."""
    cast = factories.Cast()
    nation = factories.county().parent.parent.parent
    for _number in range(count):
        number = Period.objects.count()
        row = cast.bring_to(Bottleneck.Status.SOLUTION_FILED)
        factories.services.attach(row, factories.png(), by=cast.filer)
        TwinJudgement.objects.create(
            first=row,
            second=cast.filed(),
            verdict="apart",
            reason="型号不同。",
            by=cast.city_officer,
            bureau=cast.city,
            at=timezone.now(),
        )
        project = factories.project()
        project.goals.create(indicator="合格率", unit="%", target=98, due_on=date(2025, 12, 31))
        project.region_links.create(bureau=nation)
        factories.participation(factories.organization(), project)
        factories.consortium()
        key_project = factories.key_project(project)
        project.results.create(kind="patent", title="测量装置")
        key_project.investments.create(
            organization=cast.firm, amount=10_000, booked_on=date(2024, 5, 6), voucher="记-1"
        )
        row.beneficiaries.create(organization=cast.firm, agreed_on=date(2024, 5, 6))
        factories.report()
        factories.spec_demand(row)
        factories.quality_list(chain=factories.chain(f"L{number:02d}", f"清单链{number}"))
        factories.instrument()
        chain = factories.chain(f"A{number:02d}", f"链{number}")
        factories.quality_map(chain)
        factories.bureau(f"4{number:05d}", f"局{number}", nation)
        period = Period.objects.create(
            code=str(1900 + number),
            kind="year",
            start_on=date(1900 + number, 1, 1),
            end_on=date(1900 + number, 12, 31),
        )
        snapshot = Snapshot.objects.create(period=period, definition_version="1")
        StatValue.objects.create(snapshot=snapshot, indicator="I01", bureau=nation, chain=chain, value=1)
        now = timezone.now()
        Submission.objects.create(
            period=period,
            bureau=cast.county,
            counted_at=now,
            submitted_at=now,
            submitted_by=cast.county_officer,
        )
        Excuse.objects.create(
            bureau=cast.county, period=period, reason="洪灾停工", given_at=now, given_by=cast.city_officer
        )
        Bulletin.objects.create(
            bureau=nation, period=period, snapshot=snapshot, title="通报", verification_code=f"V{number}"
        )
        joining = {"organization": cast.firm, "role": Role.FILER}
        Registration.objects.create(
            user=factories.user(), bureau=cast.county, name=cast.firm.name, key=uuid.uuid4(), **joining
        )
        Invitation.objects.create(
            email=f"{number}@example.org",
            digest=f"{number:064d}",
            invited_by=cast.filer,
            expires_at=timezone.now(),
            **joining,
        )
        Substitution.objects.create(
            principal=cast.city_officer,
            substitute=factories.user(),
            starts_on=date(2024, 1, 1),
            ends_on=date(2024, 1, 7),
        )
        NumberSeries.objects.create(prefix=f"X-{number}")
        Token.objects.create(user=factories.user(Role.FILER, cast.firm))
        BoundaryChange.objects.create(
            kind="merge", effective_on=date(2026, 7, 1), document="文", planned_by=factories.user()
        )
        Division.objects.create(
            code=f"9{number:05d}", name="区", short_name="区", level=1, valid_from=date(2020, 1, 1)
        )


@world
def one_of_each() -> None:
    make_rows(1)


def test_every_model_stands_in_the_admin_site() -> None:
    ours = {model.__name__ for name in OURS for model in apps.get_app_config(name).get_models()}
    assert ours - {model.__name__ for model in MODELS} == ELSEWHERE


@pytest.mark.any_database
def test_a_changelist_asks_as_often_for_20_rows_as_for_1(superuser: User, one_of_each: None) -> None:
    client = browser(superuser)

    def count(model: Any) -> int:
        with CaptureQueriesContext(connection) as queries:
            answer = client.get(changelist(model))
        assert answer.status_code == 200, model
        assert answer.context["cl"].result_list, model
        return len(queries)

    for model in MODELS:
        client.get(changelist(model))
    few = {model.__name__: count(model) for model in MODELS}
    make_rows(19)
    assert {model.__name__: count(model) for model in MODELS} == few
    assert max(few.values()) <= 13


def test_every_changelist_is_searched_and_every_row_opens(city_admin: User, one_of_each: None) -> None:
    client = browser(city_admin)
    for model in MODELS:
        assert client.get(changelist(model), {"q": "a"}).status_code == 200, model
        for row in client.get(changelist(model)).context["cl"].result_list[:1]:
            key = row.user_id if model.__name__ == "TokenProxy" else row.pk
            name = f"admin:{model._meta.app_label}_{model._meta.model_name}_change"
            assert client.get(reverse(name, args=[key])).status_code == 200, model


@pytest.mark.parametrize("role", [Role.OFFICER, Role.STATISTICIAN, Role.AUDITOR])
def test_other_roles_stay_outside(role: str) -> None:
    client = browser(factories.user(role, factories.county(), is_staff=True))
    assert client.get(reverse("admin:index")).status_code == 302


def test_the_first_page_says_what_needs_a_hand(city_admin: User) -> None:
    cast = factories.Cast()
    row = cast.filed()
    Bottleneck.objects.filter(pk=row.pk).update(
        clock_started_on=date(2019, 12, 2), clock_amber_on=date(2019, 12, 30), clock_due_on=date(2020, 1, 1)
    )
    page = browser(city_admin).get(reverse("admin:index")).content.decode()
    assert "超期问题" in page and "管理范围内的数据" in page


def test_an_administrator_sees_the_own_subtree_only(city_admin: User) -> None:
    nation = factories.county().parent.parent.parent
    other = factories.bureau("330000", "浙江省局", nation)
    here, there = factories.project(), factories.project(at=other)
    page = browser(city_admin).get(changelist(type(here))).content.decode()
    assert here.code in page and there.code not in page
    stranger = factories.user(Role.OFFICER, other, username="stranger")
    client = browser(city_admin)
    assert "stranger" not in client.get(changelist(User)).content.decode()
    assert client.get(reverse("admin:accounts_user_change", args=[stranger.pk])).status_code == 404


def test_other_roles_lend_nothing_to_the_admin_site(city_admin: User) -> None:
    nation = factories.county().parent.parent.parent
    factories.grant(city_admin, Role.OFFICER, nation)
    there = factories.project(at=factories.bureau("330000", "浙江省局", nation))
    page = browser(User.objects.get(pk=city_admin.pk)).get(changelist(type(there))).content.decode()
    assert there.code not in page


def grant_form(user: User, role: str, bureau: Any) -> dict[str, Any]:
    return {"user": user.pk, "role": role, "bureau": bureau.pk, "starts_on": "2024-01-01"}


def test_nobody_grants_more_than_is_under_the_own_administration(city_admin: User) -> None:
    city = factories.county().parent
    client, person = browser(city_admin), factories.user(created_by=city_admin)
    address = reverse("admin:accounts_grant_add")
    page = client.post(address, grant_form(person, Role.ADMINISTRATOR, city.parent)).content.decode()
    assert "不在您的管理范围内" in page
    assert not person.grants.exists()
    client.post(address, grant_form(person, Role.OFFICER, factories.county()))
    assert person.grants.get().role == Role.OFFICER


def test_a_guessed_user_or_organisation_is_refused_and_not_named(city_admin: User) -> None:
    other = factories.bureau("330000", "浙江省局", factories.bureau())
    client, address = browser(city_admin), reverse("admin:accounts_grant_add")
    stranger = factories.user(Role.OFFICER, other, name="外省经办")
    page = client.post(address, grant_form(stranger, Role.OFFICER, factories.county())).content.decode()
    assert "没有这条记录，或它不在您的管理范围内。" in page and "外省经办" not in page
    assert stranger.grants.count() == 1
    firm, person = factories.organization("外省厂", at=other), factories.user(created_by=city_admin)
    form = {"user": person.pk, "role": Role.FILER, "organization": firm.pk, "starts_on": "2024-01-01"}
    page = client.post(address, form).content.decode()
    assert "没有这条记录，或它不在您的管理范围内。" in page and "外省厂" not in page
    assert not person.grants.exists()
    page = client.post(reverse("admin:authtoken_tokenproxy_add"), {"user": stranger.pk})
    assert page.context["adminform"].form.errors["user"] and "外省经办" not in page.content.decode()
    assert not Token.objects.exists()


def test_a_grant_is_ended_although_its_user_serves_elsewhere_too(city_admin: User) -> None:
    person = factories.user(Role.OFFICER, factories.bureau("330000", "浙江省局", factories.bureau()))
    here = factories.grant(person, Role.OFFICER, factories.county())
    form = grant_form(person, Role.OFFICER, factories.county()) | {"expires_on": "2024-06-30"}
    address = reverse("admin:accounts_grant_change", args=[here.pk])
    assert browser(city_admin).post(address, form).status_code == 302
    here.refresh_from_db()
    assert here.expires_on == date(2024, 6, 30)


@pytest.mark.parametrize(
    ("field", "inside", "outside"),
    [
        ("bureau", {"320500", "320509"}, {"000000", "320000", "330000"}),
        ("user", {"里人"}, {"外人"}),
        ("organization", {"苏州厂"}, {"外省厂"}),
    ],
)
def test_what_is_offered_for_a_grant_lies_under_the_own_administration(
    field: str, inside: set[str], outside: set[str], city_admin: User
) -> None:
    other = factories.bureau("330000", "330000 局", factories.bureau())
    factories.user(Role.OFFICER, factories.county(), name="里人")
    factories.user(Role.OFFICER, other, name="外人")
    factories.organization("苏州厂")
    factories.organization("外省厂", at=other)
    query = {"app_label": "accounts", "model_name": "grant", "field_name": field, "term": ""}
    answer = browser(city_admin).get(reverse("admin:autocomplete"), query).json()
    offered = [row["text"] for row in answer["results"]]
    if field == "bureau":
        offered = list(
            Bureau.objects.filter(pk__in=[row["id"] for row in answer["results"]]).values_list(
                "code", flat=True
            )
        )
    assert inside <= set(offered)
    assert not outside & set(offered)


def test_a_local_administrator_makes_no_superuser(city_admin: User) -> None:
    person = factories.user(Role.OFFICER, factories.county())
    form = {
        "username": person.username,
        "name": person.name,
        "is_active": "on",
        "is_superuser": "on",
        "grants-TOTAL_FORMS": 0,
        "grants-INITIAL_FORMS": 0,
    }
    browser(city_admin).post(reverse("admin:accounts_user_change", args=[person.pk]), form)
    person.refresh_from_db()
    assert not person.is_superuser


def test_a_row_that_would_leave_the_scope_is_not_saved(city_admin: User) -> None:
    nation = factories.county().parent.parent.parent
    firm = factories.organization("苏州厂")
    form = {
        "uscc": firm.uscc,
        "name": "改名",
        "former_names": "[]",
        "legal_form": "enterprise",
        "bureau": nation.pk,
        "status": "active",
        **{
            f"{prefix}-{name}": 0
            for prefix in ("contact", "institution_profile")
            for name in ("TOTAL_FORMS", "INITIAL_FORMS")
        },
    }
    address = reverse("admin:enterprises_organization_change", args=[firm.pk])
    assert browser(city_admin).post(address, form).status_code == 403
    firm.refresh_from_db()
    assert firm.name == "苏州厂"


@pytest.mark.parametrize("name", READ_ONLY)
def test_what_services_write_is_not_typed(name: str, superuser: User, one_of_each: None) -> None:
    app, model = name.split(".")
    row = apps.get_model(name)._default_manager.first()
    client = browser(superuser)
    assert client.get(reverse(f"admin:{app}_{model}_add")).status_code == 403
    change = reverse(f"admin:{app}_{model}_change", args=[row.pk])
    assert client.get(change).status_code == 200
    assert client.post(change, {}).status_code == 403
    assert (
        client.post(reverse(f"admin:{app}_{model}_delete", args=[row.pk]), {"post": "yes"}).status_code == 403
    )


def test_whom_to_call_about_a_problem_stands_on_its_page_only(city_admin: User) -> None:
    """Administrators are no party: there alone it is decided who reads the number in full."""
    row = factories.Cast().filed()
    client = browser(city_admin)
    assert client.get(f"/admin/projects/bottleneckcontact/{row.pk}/change/").status_code == 404
    page = client.get(reverse("admin:projects_bottleneck_change", args=[row.pk])).content.decode()
    assert "13800000000" not in page
    client.force_login(factories.user(Role.AUDITOR, row.bureau))
    page = client.get(reverse("projects:bottleneck_detail", args=[row.public_id])).content.decode()
    assert "13800000000" not in page and "138****0000" in page


def test_states_are_not_typed(superuser: User) -> None:
    row = factories.Cast().filed()
    client = browser(superuser)
    for name, pk in (
        ("bottleneck", row.pk),
        ("chainproject", factories.project().pk),
        ("consortium", factories.consortium().pk),
        ("keyproject", factories.key_project().pk),
    ):
        page = client.get(reverse(f"admin:projects_{name}_change", args=[pk])).content.decode()
        assert 'name="status"' not in page
        assert 'name="version"' not in page


def test_who_may_see_a_problem_and_what_it_says_is_the_firms_business(superuser: User) -> None:
    row = factories.Cast().filed()
    before = Bottleneck.objects.filter(pk=row.pk).values().get()
    address = reverse("admin:projects_bottleneck_change", args=[row.pk])
    client = browser(superuser)
    form = client.get(address).context["adminform"].form
    assert set(form.fields) == {"is_test", "project"}
    inlines = {
        f"{name}-{part}": 0
        for name in ("measures", "evidence", "alarms", "opinions", "follow_ups", "attachments", "transitions")
        for part in ("TOTAL_FORMS", "INITIAL_FORMS")
    }
    typed = {"visibility": "public", "title": "改题", "status": "resolved", "consent_publish": "on"}
    assert client.post(address, typed | inlines | {"is_test": "on"}).status_code == 302
    after = Bottleneck.objects.filter(pk=row.pk).values().get()
    changed = {name for name in before if before[name] != after[name]}
    assert changed - {"updated_at", "version"} == {"is_test"}


# --- Numbers that no key can be -----------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["9" * 30, "9223372036854775808", "-9223372036854775809", "²"])
def test_a_row_with_an_impossible_key_is_absent(key: str, superuser: User) -> None:
    client = browser(superuser)
    for model in MODELS:
        for page in ("change", "delete", "history"):
            name = f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}"
            assert client.get(reverse(name, args=[key])).status_code in (404, 403), (model, page)


@pytest.mark.parametrize(
    "query", [{name: "9" * 30} for name in ("id__in", "bottleneck__id__exact", "bureau__id__exact", "p")]
)
def test_a_filter_by_an_impossible_number_breaks_no_list(query: dict[str, str], superuser: User) -> None:
    client = browser(superuser)
    for model in MODELS:
        assert client.get(changelist(model), query).status_code in (200, 302, 400), model


def test_an_impossible_choice_is_refused(superuser: User) -> None:
    client = browser(superuser)
    form = {"user": "9" * 30, "role": Role.OFFICER, "bureau": "9" * 30, "starts_on": "2024-01-01"}
    assert client.post(reverse("admin:accounts_grant_add"), form).status_code in (200, 400)
    selected = {"action": "delete_selected", "_selected_action": ["9" * 30]}
    assert client.post(changelist(Grant), selected).status_code in (200, 302, 400)
    assert not Grant.objects.exists()


# --- Actions ---------------------------------------------------------------------------------------------


def void(client: Client, row: Any, **more: str) -> Any:
    return client.post(
        changelist(type(row)), {"action": "void", "_selected_action": [row.pk], **more}, follow=True
    )


def test_a_row_is_struck_out_with_a_reason(city_admin: User) -> None:
    project, client = factories.project(), browser(city_admin)
    page = void(client, project).content.decode()
    assert project.name in page and "作废原因" in page
    void(client, project, confirm="1", reason=" ")
    project.refresh_from_db()
    assert project.voided_at is None, "no reason, no deed"
    assert "已作废 1 条记录" in void(client, project, confirm="1", reason="重复登记").content.decode()
    project.refresh_from_db()
    assert project.void_reason == "重复登记" and project.voided_at <= timezone.now()
    assert "已经作废" in void(client, project, confirm="1", reason="再来").content.decode()


def test_periods_are_rolled_up_and_refusals_are_read(superuser: User) -> None:
    factories.county()
    period = Period.objects.create(
        code="2024", kind="year", start_on=date(2024, 1, 1), end_on=date(2024, 12, 31)
    )
    client = browser(superuser)

    def act(name: str) -> str:
        form = {"action": name, "_selected_action": [period.pk]}
        return client.post(changelist(Period), form, follow=True).content.decode()

    assert "已开始汇总" in act("roll_up")
    assert period.snapshots.get().job_state == Snapshot.State.QUEUED
    assert "由总局的管理员或统计员办理" in act("freeze"), "a superuser holds no office"
    factories.grant(superuser, Role.ADMINISTRATOR, factories.bureau())
    assert "已开始冻结" in act("freeze")
    assert Grant.objects.filter(user=superuser).exists()


def test_a_period_is_added_by_its_code_alone(superuser):
    add = reverse("admin:bulletins_period_add")
    refused = browser(superuser).post(add, {"code": "abc", "kind": "year", "start_on": "2030-01-01"})
    assert refused.status_code == 200
    assert "不是期间代码" in refused.content.decode()
    assert browser(superuser).post(add, {"code": "2030q1", "kind": "year"}).status_code == 302
    period = Period.objects.get()
    assert (period.code, period.kind) == ("2030Q1", Period.Kind.QUARTER)
    assert (period.start_on, period.end_on) == (date(2030, 1, 1), date(2030, 3, 31))


@pytest.mark.parametrize("model", ["qualitylist", "qualitymap"])
def test_what_other_bureaus_published_is_whole_for_their_own_administrators_alone(model: str) -> None:
    county = factories.county()
    elsewhere = factories.bureau("320505", "虎丘", county.parent)
    drawn = factories.quality_map(at=county, status="published", is_public=True)
    sealed = {"status": "published", "published_at": timezone.now(), "digest": "0" * 64}
    approved = {"approved_by": factories.user(), "approved_at": timezone.now()}
    row = {"qualitymap": drawn, "qualitylist": factories.quality_list(county, **sealed, **approved)}[model]
    page = reverse(f"admin:projects_{model}_change", args=[row.pk])
    rows = reverse(f"admin:projects_{model}_changelist")
    for place, status in ((county, 200), (county.parent, 200), (elsewhere, 404)):
        client = browser(factories.user(Role.ADMINISTRATOR, place))
        assert client.get(page).status_code == status
        assert (f"/{row.pk}/change/" in client.get(rows).content.decode()) == (status == 200)
