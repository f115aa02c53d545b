"""Who asks to act for an organisation, what it may do until a bureau has verified it, and who decides."""

import re
import uuid
from datetime import date
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.test import Client
from django.utils import timezone

from accounts import joining
from accounts.models import Grant, Registration, Role, User
from enterprises.models import Division, Organization
from projects import services
from projects.models import Bottleneck
from tests import factories
from tests.factories import at_once, credit_code

pytestmark = pytest.mark.django_db
Status = Registration.Status
LONG = "梅雨-harbour-7-lantern"


@pytest.fixture(autouse=True)
def no_throttle() -> None:
    from django.core.cache import cache  # noqa: PLC0415

    cache.clear()


@pytest.fixture
def officer() -> User:
    return factories.user(Role.OFFICER, factories.county(), name="县局经办")


@pytest.fixture
def division() -> Division:
    """吴江 with the line above it; its bureau is the county of the factories."""
    above = None
    for level, (code, name) in enumerate(
        [("000000", "中国"), ("320000", "江苏省"), ("320500", "苏州市"), ("320509", "吴江区")]
    ):
        above = Division.objects.create(
            code=code, name=name, short_name=name, level=level, parent=above, valid_from=date(2020, 1, 1)
        )
    assert above is not None
    bureau = factories.county()
    bureau.division = above
    bureau.save()
    return above


def said(**fields: Any) -> joining.Application:
    """An application for an unknown firm."""
    defaults: dict[str, Any] = {
        "key": uuid.uuid4(),
        "uscc": credit_code(),
        "role": Role.FILER,
        "phone": "13800000002",
        "name": "演示新申请有限公司",
        "bureau": factories.county(),
        "account": {
            "username": f"new{uuid.uuid4().hex[:8]}",
            "password": "!",
            "name": "李申请",
            "email": "li@example.cn",
        },
    }
    return joining.Application(**(defaults | fields))


def claim(firm: Organization, **fields: Any) -> Registration:
    return joining.apply(said(uscc=firm.uscc, name=firm.name, bureau=None, **fields))


def again(user: User) -> User:
    """The user as the next request sees it."""
    return User.objects.get(pk=user.pk)


# --- Asking ------------------------------------------------------------------------------------------------


def test_an_unknown_organisation_waits_unseen_for_the_bureau_that_was_chosen(officer: User) -> None:
    row = joining.apply(said())
    assert (row.status, row.desk, row.is_claim) == (Status.PENDING, officer.grants_in_force[0].bureau, False)
    assert row.organization.status == Organization.Status.APPLYING
    nation = factories.user(Role.OFFICER, factories.bureau())
    administrator = factories.user(Role.ADMINISTRATOR, factories.bureau())
    for seer in (officer, nation, administrator, again(row.user)):
        assert not Organization.objects.visible_to(seer).filter(pk=row.organization.pk).exists()
        assert not Organization.objects.readable_by(seer).filter(pk=row.organization.pk).exists()


def test_a_known_organisation_is_claimed_and_not_doubled(officer: User) -> None:
    firm = factories.organization("演示减速器有限公司")
    row = claim(firm)
    assert (row.organization, row.is_claim, row.desk) == (firm, True, firm.bureau)
    assert Organization.objects.filter(uscc=firm.uscc).count() == 1


def test_the_same_application_twice_is_one() -> None:
    application = said()
    assert joining.apply(application) == joining.apply(application)
    assert Registration.objects.count() == 1 and User.objects.count() == 1


def test_two_who_ask_for_one_unknown_code_are_told_nothing_of_each_other(officer: User) -> None:
    first = joining.apply(said())
    second = joining.apply(said(uscc=first.organization.uscc, name="另一个名称"))
    assert second.organization == first.organization
    assert first.name not in (second.name, second.organization.name)
    assert any("另有 1 人申请" in text for text in joining.warnings_about(second))


@pytest.mark.parametrize("username", ["taken", "Not Allowed!"])
def test_a_user_name_that_is_taken_sounds_like_one_that_is_not_allowed(username: str) -> None:
    factories.user(username="taken")
    account = said().account | {"username": username}  # type: ignore[operator]
    with pytest.raises(ValidationError) as fault:
        joining.apply(said(account=account))
    assert fault.value.message_dict == {"username": ["这个用户名不能使用，请换一个。"]}
    assert not Registration.objects.exists() and not Organization.objects.exists()


def test_who_acts_for_the_organisation_already_need_not_ask() -> None:
    user = factories.user(Role.FILER)
    with pytest.raises(ValidationError, match="不需要再申请"):
        joining.apply(said(uscc=user.grants_in_force[0].organization.uscc, account=None), user)


def test_an_institution_says_what_it_is_able_to_do() -> None:
    with pytest.raises(ValidationError, match="机构要填写类型"):
        joining.apply(said(role=Role.INSTITUTION))


# --- Until verified ----------------------------------------------------------------------------------------


def test_drafts_of_an_applicant_are_seen_by_nobody_else_and_cannot_be_submitted(officer: User) -> None:
    firm = factories.organization()
    colleague = factories.user(Role.FILER, firm)
    older = factories.draft(colleague)
    row = claim(firm)
    applicant = again(row.user)
    draft = factories.draft(applicant, organization=firm)
    assert draft.is_provisional
    assert list(Bottleneck.objects.visible_to(applicant)) == [draft]
    assert list(Bottleneck.objects.visible_to(again(colleague))) == [older]
    with pytest.raises(PermissionDenied, match=f"{firm.bureau}核实您的入驻申请后才能提交"):
        services.move(draft, "submit", by=applicant)
    with pytest.raises(PermissionDenied):
        services.draft_for(applicant, factories.organization(), uuid.uuid4())

    joining.verify(row, by=officer)
    assert set(Bottleneck.objects.visible_to(again(colleague))) == {older, draft}
    draft.refresh_from_db()
    services.move(draft, "submit", by=again(applicant))
    assert draft.status == Bottleneck.Status.SUBMITTED


def test_after_a_refusal_drafts_stay_and_wait_for_the_next_application(officer: User) -> None:
    firm = factories.organization()
    row = claim(firm)
    applicant = again(row.user)
    draft = factories.draft(applicant, organization=firm)
    joining.refuse(row, by=officer, reason="请由授权人员申请。")
    with pytest.raises(PermissionDenied, match="未通过"):
        services.move(draft, "submit", by=again(applicant))
    with pytest.raises(PermissionDenied):
        services.draft_for(again(applicant), firm, uuid.uuid4())
    second = joining.apply(said(uscc=firm.uscc, name=firm.name, account=None), again(applicant))
    joining.verify(second, by=officer)
    draft.refresh_from_db()
    services.move(draft, "submit", by=again(applicant))


def test_an_applicant_sees_no_contact_of_the_organisation_that_it_claims(client: Client) -> None:
    firm = factories.organization()
    applicant = claim(firm).user
    client.force_login(again(applicant))
    page = client.get(f"/bottlenecks/{uuid.uuid4()}/edit/help/?for={firm.uscc}")
    assert page.status_code == 200
    assert "王敏" not in page.text and "13800000001" not in page.text
    assert "李申请" in page.text and "13800000002" in page.text
    assert client.get(f"/organizations/{firm.uscc}/").status_code == 404
    assert client.get("/organizations/").text.count(firm.uscc) == 0


# --- Deciding ----------------------------------------------------------------------------------------------


def test_a_verified_firm_enters_the_ledger_with_what_its_applicant_said(officer: User) -> None:
    row = joining.apply(said())
    grant = joining.verify(row, by=officer)
    firm = Organization.objects.get(pk=row.organization.pk)
    assert (firm.status, firm.name, firm.bureau) == (Organization.Status.ACTIVE, row.name, row.bureau)
    assert firm.contact.contact_phone == "13800000002"
    assert (grant.user, grant.role, grant.is_manager, grant.granted_by) == (
        row.user,
        Role.FILER,
        True,
        officer,
    )
    assert Organization.objects.visible_to(officer).filter(pk=firm.pk).exists()
    assert (row.status, row.decided_by) == (Status.VERIFIED, officer)
    assert row.user.notices.get().details["verified"] is True


def test_a_verified_institution_has_its_profile(officer: User) -> None:
    abilities = {"kinds": ("TEST",), "nqi_elements": ("TST",), "cma_no": "210000000001"}
    row = joining.apply(said(role=Role.INSTITUTION, abilities=abilities))
    joining.verify(row, by=officer)
    assert row.organization.institution_profile.kinds == ("TEST",)


def test_the_second_of_an_organisation_is_no_manager(officer: User) -> None:
    firm = factories.organization()
    assert joining.verify(claim(firm), by=officer).is_manager
    second = claim(firm)
    assert any("已有管理员" in text for text in joining.warnings_about(second))
    assert not joining.verify(second, by=officer).is_manager


def test_of_two_who_asked_for_one_code_the_first_verified_is_the_ledger(officer: User) -> None:
    first = joining.apply(said(name="演示甲名有限公司"))
    elsewhere = factories.bureau("320506", "吴中区市场监督管理局", factories.county().parent)
    second = joining.apply(said(uscc=first.organization.uscc, name="演示乙名有限公司", bureau=elsewhere))
    joining.verify(first, by=officer)
    second = Registration.objects.select_related("organization__bureau").get(pk=second.pk)
    assert second.desk == factories.county()
    assert any("演示甲名有限公司" in text for text in joining.warnings_about(second))
    other_officer = factories.user(Role.OFFICER, elsewhere)
    with pytest.raises(PermissionDenied):
        joining.verify(second, by=other_officer)
    assert not Registration.objects.visible_to(other_officer).filter(pk=second.pk).exists()


@pytest.mark.parametrize("role", [Role.STATISTICIAN, Role.AUDITOR, Role.ADMINISTRATOR])
def test_only_officers_of_the_line_decide(role: str, officer: User) -> None:
    row = joining.apply(said())
    elsewhere = factories.user(Role.OFFICER, factories.bureau("330000", "浙江", factories.bureau()))
    for other in (factories.user(role, factories.county()), elsewhere, row.user):
        with pytest.raises(PermissionDenied):
            joining.verify(row, by=other)
        with pytest.raises(PermissionDenied):
            joining.refuse(row, by=other, reason="理由")
    city = factories.user(Role.OFFICER, factories.county().parent)
    joining.verify(row, by=city)


def test_a_refusal_says_why(officer: User) -> None:
    row = joining.apply(said())
    with pytest.raises(ValidationError, match="理由"):
        joining.refuse(row, by=officer, reason="  ")
    joining.refuse(row, by=officer, reason="名称与执照不符。")
    assert (row.status, row.reason) == (Status.REFUSED, "名称与执照不符。")
    assert not Grant.objects.filter(user=row.user).exists()


def test_what_was_decided_is_not_decided_again(officer: User) -> None:
    row = joining.apply(said())
    joining.refuse(row, by=officer, reason="名称与执照不符。")
    with pytest.raises(joining.DecidedAlready, match="县局经办已于"):
        joining.verify(row, by=officer)


@pytest.mark.django_db(transaction=True)
def test_of_two_officers_who_decide_at_once_one_wins(officer: User) -> None:
    row = joining.apply(said())
    other = factories.user(Role.OFFICER, factories.county())
    results = at_once(
        lambda: joining.verify(Registration.objects.get(pk=row.pk), by=again(officer)),
        lambda: joining.refuse(Registration.objects.get(pk=row.pk), by=again(other), reason="不符。"),
    )
    assert sum(isinstance(result, joining.DecidedAlready) for result in results) == 1, results
    row.refresh_from_db()
    assert Grant.objects.filter(user=row.user).exists() == (row.status == Status.VERIFIED)


@pytest.mark.django_db(transaction=True)
def test_of_two_verified_at_once_one_becomes_manager(officer: User) -> None:
    first = joining.apply(said())
    second = joining.apply(said(uscc=first.organization.uscc))
    rows = [Registration.objects.get(pk=row.pk) for row in (first, second)]
    results = at_once(*(lambda row=row: joining.verify(row, by=again(officer)) for row in rows))
    assert sorted(grant.is_manager for grant in results) == [False, True]


@pytest.mark.django_db(transaction=True)
def test_a_double_click_makes_one_account_and_one_application() -> None:
    factories.county()
    application = said()
    first, second = at_once(*[lambda: joining.apply(application)] * 2)
    assert first == second and User.objects.count() == 1


# --- Pages -------------------------------------------------------------------------------------------------

PERSON = {"person": "李申请", "phone": "１３８００００００２２", "email": "Li@Example.cn"}
ACCOUNT = {"username": "lishenqing", "password1": LONG, "password2": LONG}


def go(client: Client, step: str, **data: Any) -> Any:
    address = "/join/" if step == "start" else f"/join/{step}/"
    response = client.post(address, data)
    assert response.status_code == 302, response.text
    return response


def go_to_the_end(client: Client, code: str) -> None:
    go(client, "start", role="filer")
    assert go(client, "code", uscc=code)["Location"] == "/join/organization/"
    go(client, "organization", name="演示新申请有限公司", legal_form="enterprise")
    go(client, "division", division="320509")
    page = client.get("/join/bureau/")
    assert re.search(r'value="320509" checked', page.text)
    go(client, "bureau", bureau="320509")
    go(client, "person", **PERSON)
    assert go(client, "account", **ACCOUNT)["Location"] == "/join/check/"


def test_a_firm_registers_page_by_page(client: Client, division: Division, officer: User) -> None:
    code = credit_code()
    wide = "".join(chr(ord(c) + 0xFEE0) for c in code.lower())
    go_to_the_end(client, f" {wide} ")
    check = client.get("/join/check/").text
    for text in (code, "演示新申请有限公司", "江苏省 苏州市 吴江区", "li@example.cn", "lishenqing"):
        assert text in check
    assert LONG not in check and LONG not in str(dict(client.session))
    done = client.post("/join/check/", follow=True)
    assert done.redirect_chain[-1][0] == "/join/done/"
    assert "吴江区市场监督管理局" in done.text and "最迟" in done.text
    row = Registration.objects.get()
    assert (row.user.username, row.phone, row.division) == ("lishenqing", "13800000022", division)
    assert row.user.check_password(LONG)
    assert "入驻申请待核实" in client.get("/workspace/").text
    assert client.get("/bottlenecks/new/").status_code == 200


def test_of_a_known_organisation_only_the_name_is_shown(client: Client, division: Division) -> None:
    firm = factories.organization("演示减速器有限公司", address="鲈乡南路 1 号", legal_rep="张法人")
    go(client, "start", role="filer")
    assert go(client, "code", uscc=firm.uscc)["Location"] == "/join/claim/"
    page = client.get("/join/claim/").text
    assert firm.name in page
    for secret in (firm.address, firm.legal_rep, firm.bureau.name, "王敏", "13800000001"):
        assert secret not in page
    assert go(client, "claim", is_ours="no")["Location"] == "/join/code/"
    go(client, "code", uscc=firm.uscc)
    go(client, "claim", is_ours="yes")
    go(client, "person", **PERSON)
    go(client, "account", **ACCOUNT)
    client.post("/join/check/")
    assert Registration.objects.get().organization == firm


def test_a_page_before_its_turn_leads_to_the_first_without_an_answer(client: Client) -> None:
    assert client.get("/join/check/")["Location"] == "/join/"
    go(client, "start", role="filer")
    assert client.get("/join/person/")["Location"] == "/join/code/"
    assert client.post("/join/check/")["Location"] == "/join/code/"
    assert client.get("/join/nowhere/").status_code == 404


def test_another_code_asks_again_what_follows_from_it(client: Client, division: Division) -> None:
    go_to_the_end(client, credit_code())
    firm = factories.organization()
    assert go(client, "code", uscc=firm.uscc)["Location"] == "/join/claim/"
    assert client.get("/join/check/")["Location"] == "/join/claim/"


def test_whether_codes_are_known_is_told_slowly(client: Client) -> None:
    go(client, "start", role="filer")
    answers = [client.post("/join/code/", {"uscc": credit_code()}).status_code for _try in range(8)]
    assert answers == [302] * 6 + [429] * 2


def test_typing_a_code_tells_what_is_wrong_with_it_and_nothing_of_who_is_known(client: Client) -> None:
    firm = factories.organization()
    known = client.get("/join/code/check/", {"uscc": firm.uscc}).text
    unknown = client.get("/join/code/check/", {"uscc": (other := credit_code())}).text
    assert known.replace(firm.uscc, "") == unknown.replace(other, "")
    assert "校验通过" in known
    assert "应为 18 位" in client.get("/join/code/check/", {"uscc": "9132"}).text
    assert client.get("/join/code/check/", {"uscc": firm.uscc.lower()}).text.count(firm.uscc) == 1


def test_a_taken_user_name_shows_only_when_all_is_submitted(client: Client, division: Division) -> None:
    factories.user(username="lishenqing", email="li@example.cn")
    go_to_the_end(client, credit_code())
    answer = client.post("/join/check/")
    assert answer.status_code == 422 and "这个用户名不能使用，请换一个。" in answer.text
    assert "邮箱" not in re.findall(r'class="error-summary".*?</div>', answer.text, re.S)[0]
    go(client, "account", **ACCOUNT | {"username": "lishenqing2"})
    client.post("/join/check/")
    assert Registration.objects.get().user.username == "lishenqing2"


@pytest.mark.parametrize("password", ["short", "lishenqing2026", "123456789012345"])
def test_weak_passwords_are_refused(client: Client, division: Division, password: str) -> None:
    go_to_the_end(client, credit_code())
    answer = client.post("/join/account/", ACCOUNT | {"password1": password, "password2": password})
    assert answer.status_code == 422


def test_somebody_with_an_account_is_asked_for_no_other(client: Client, division: Division) -> None:
    user = factories.user(Role.FILER)
    client.force_login(user)
    firm = factories.organization()
    go(client, "start", role="filer")
    go(client, "code", uscc=firm.uscc)
    go(client, "claim", is_ours="yes")
    assert go(client, "person", phone="13800000003")["Location"] == "/join/check/"
    client.post("/join/check/")
    assert Registration.objects.get().user == user


def test_people_of_bureaus_do_not_join(client: Client, officer: User) -> None:
    client.force_login(officer)
    assert client.get("/join/").status_code == 403


def test_the_search_offers_divisions_by_any_part_of_their_place(client: Client, division: Division) -> None:
    assert "吴江区" in client.get("/join/units/division/", {"q": "苏州 吴江"}).text
    assert "吴江区" not in client.get("/join/units/division/", {"q": "吴中"}).text
    assert client.get("/join/units/nothing/").status_code == 404


def test_the_desk_lists_what_waits_and_counts_it(client: Client, officer: User) -> None:
    row = joining.apply(said())
    client.force_login(officer)
    page = client.get("/registrations/")
    assert row.name in page.text
    assert re.search(r'入驻申请</span><span class="nav-count">1<', page.text)
    detail = f"/registrations/{row.pk}/"
    assert "13800000002" in client.get(detail).text
    client.post(f"{detail}verify/")
    row.refresh_from_db()
    assert row.status == Status.VERIFIED
    assert client.post(f"{detail}verify/").status_code == 409
    assert row.name in client.get("/registrations/?status=decided").text


def test_the_desk_refuses_with_a_reason_that_the_applicant_reads(client: Client, officer: User) -> None:
    row = joining.apply(said())
    client.force_login(officer)
    address = f"/registrations/{row.pk}/refuse/"
    assert client.post(address, {"reason": ""}).status_code == 422
    assert client.post(address, {"reason": "请由授权人员申请。"}).status_code == 302
    client.force_login(again(row.user))
    assert "请由授权人员申请。" in client.get("/workspace/").text


def test_others_than_the_line_find_no_application(client: Client, officer: User) -> None:
    row = joining.apply(said())
    strangers = [
        factories.user(Role.OFFICER, factories.bureau("330000", "浙江", factories.bureau())),
        factories.user(Role.FILER),
        again(row.user),
    ]
    for stranger in strangers:
        client.force_login(stranger)
        for address in ("", "verify/", "refuse/"):
            answer = client.post(f"/registrations/{row.pk}/{address}", {"reason": "x"})
            assert answer.status_code in (404, 405)
        assert client.get(f"/registrations/{row.pk}/").status_code == 404
    client.force_login(factories.user(Role.AUDITOR, factories.county()))
    page = client.get(f"/registrations/{row.pk}/")
    assert "138****0002" in page.text and "13800000002" not in page.text
    assert client.post(f"/registrations/{row.pk}/verify/").status_code == 403


def test_how_long_the_bureau_has_is_said_in_working_days() -> None:
    row = joining.apply(said())
    row.created_at = timezone.make_aware(timezone.datetime(2026, 11, 20, 9))
    assert row.due_on == date(2026, 11, 27)


# --- Meanwhile at a bureau ----------------------------------------------------------------------------------


def at_a_bureau(row: Registration, beside: bool) -> None:
    """The applicant comes to a bureau; ``beside`` what it holds for the firm, as rows from before may say."""
    if beside:
        factories.grant(row.user, Role.FILER, row.organization)
    factories.grant(row.user, Role.STATISTICIAN, factories.county().parent)


@pytest.mark.parametrize("beside", [False, True])
def test_who_came_to_a_bureau_meanwhile_is_not_verified(officer: User, client: Client, beside: bool) -> None:
    row = claim(factories.organization())
    at_a_bureau(row, beside)
    held = Grant.objects.filter(user=row.user).count()
    with pytest.raises(PermissionDenied, match="不能同时代表企业或机构"):
        joining.verify(row, by=officer)
    client.force_login(officer)
    page = client.get(f"/registrations/{row.pk}/").content.decode()
    assert "不能同时代表企业或机构" in page and f"/registrations/{row.pk}/verify/" not in page
    answer = client.post(f"/registrations/{row.pk}/verify/")
    assert answer.status_code == 403 and "不能同时代表企业或机构" in answer.content.decode()
    row.refresh_from_db()
    assert (row.status, Grant.objects.filter(user=row.user).count()) == (Status.PENDING, held)
    joining.refuse(row, by=officer, reason="已到市场监管部门工作。")
    assert row.status == Status.REFUSED


@pytest.mark.parametrize("role", [Role.EXPERT, None])
def test_experts_and_who_has_left_the_bureau_are_verified(officer: User, client: Client, role: str) -> None:
    row = claim(factories.organization())
    if role:
        factories.grant(row.user, role, factories.county())
    else:
        factories.grant(row.user, Role.STATISTICIAN, factories.county(), ended_at=timezone.now())
    client.force_login(officer)
    assert client.post(f"/registrations/{row.pk}/verify/").status_code == 302
    assert again(row.user).acts_for(row.organization_id, Role.FILER)
