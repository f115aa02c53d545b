"""How the people of an organisation bring in colleagues and let them go."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.core.cache import cache
from django.core.exceptions import PermissionDenied, ValidationError
from django.test import Client
from django.utils import timezone

from accounts import joining, mailing
from accounts.models import Grant, Invitation, Role, User
from enterprises.models import Organization
from record.models import Event
from tests import factories
from tests.factories import at_once

pytestmark = pytest.mark.django_db
LONG = "梅雨-harbour-7-lantern"


@pytest.fixture(autouse=True)
def no_throttle() -> None:
    cache.clear()


@pytest.fixture
def firm() -> Organization:
    return factories.organization("演示减速器有限公司")


@pytest.fixture
def manager(firm: Organization) -> User:
    person = factories.user(name="赵经理")
    factories.grant(person, Role.FILER, firm, is_manager=True)
    return person


@pytest.fixture
def guest() -> Client:
    """The browser of the one who is invited."""
    return Client()


def link(secret: str) -> str:
    return f"http://testserver/join/invited/{secret}/"


def invite(firm: Organization, by: User, **fields: Any) -> tuple[Invitation, str]:
    """An invitation, and the path of the link in its mail, which a worker has sent."""
    row = joining.invite(
        firm, by=by, link=link, **({"email": "qian@example.cn", "role": Role.FILER} | fields)
    )
    mailing.send_due()
    row.refresh_from_db()
    return row, last_link()


def last_link() -> str:
    return re.findall(r"http://testserver(/join/invited/\S+)", mail.outbox[-1].body)[0]


def again(user: User) -> User:
    return User.objects.get(pk=user.pk)


ACCOUNT = {"person": "钱同事", "username": "qiantongshi", "password1": LONG, "password2": LONG}


# --- Inviting ----------------------------------------------------------------------------------------------


def test_a_colleague_opens_an_account_by_the_link(firm: Organization, manager: User, guest: Client) -> None:
    row, address = invite(firm, manager, email="Qian@Example.cn")
    assert mail.outbox[-1].to == ["qian@example.cn"] and row.sent_at
    assert firm.name in guest.get(address).text
    answer = guest.post(address, ACCOUNT, follow=True)
    assert answer.redirect_chain[-1][0] == "/workspace/"
    colleague = User.objects.get(username="qiantongshi")
    assert (colleague.name, colleague.email) == ("钱同事", "qian@example.cn")
    assert colleague.check_password(LONG) and colleague.acts_for(firm.pk, Role.FILER)
    grant = Grant.objects.get(user=colleague)
    assert not grant.is_manager and grant.granted_by == manager


def test_somebody_with_an_account_accepts_with_it(firm: Organization, manager: User, guest: Client) -> None:
    _row, address = invite(firm, manager)
    person = factories.user(Role.FILER)
    guest.force_login(person)
    guest.post(address)
    assert again(person).acts_for(firm.pk, Role.FILER)


def test_the_secret_of_a_link_is_not_kept(firm: Organization, manager: User) -> None:
    row, address = invite(firm, manager)
    secret = address.split("/")[3]
    assert secret not in str(Invitation.objects.filter(pk=row.pk).values().get())


def test_a_link_works_once(firm: Organization, manager: User, guest: Client) -> None:
    _row, address = invite(firm, manager)
    guest.post(address, ACCOUNT)
    other = Client()
    assert other.get(address).status_code == 410
    assert other.post(address, ACCOUNT | {"username": "other"}).status_code == 410
    assert not User.objects.filter(username="other").exists()


@pytest.mark.django_db(transaction=True)
def test_of_two_who_use_a_link_at_once_one_is_let_in(firm: Organization, manager: User) -> None:
    row, _address = invite(firm, manager)
    people = [factories.user(), factories.user()]
    results = at_once(*(lambda person=person: joining.accept(row, user=person) for person in people))
    assert sum(isinstance(result, joining.DecidedAlready) for result in results) == 1, results
    assert Grant.objects.filter(organization=firm, user__in=people).count() == 1


@pytest.mark.parametrize("closed", ["expired", "withdrawn", "sent anew", "inviter gone", "inviter inactive"])
def test_a_link_that_is_closed_lets_nobody_in(
    firm: Organization, manager: User, guest: Client, closed: str
) -> None:
    row, address = invite(firm, manager)
    assert guest.get(address).status_code == 200
    match closed:
        case "expired":
            Invitation.objects.filter(pk=row.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
        case "withdrawn":
            joining.withdraw(row, by=manager)
        case "sent anew":
            joining.resend(row, by=manager, link=link)
        case "inviter gone":
            Grant.objects.filter(user=manager).update(ended_at=timezone.now())
        case "inviter inactive":
            User.objects.filter(pk=manager.pk).update(is_active=False)
    answer = guest.post(address, ACCOUNT)
    assert answer.status_code == (404 if closed == "sent anew" else 410)
    assert not User.objects.filter(username="qiantongshi").exists()
    if closed == "sent anew":
        mailing.send_due()
        assert guest.post(last_link(), ACCOUNT).status_code == 302


def test_a_made_up_link_is_no_page(guest: Client) -> None:
    assert guest.get("/join/invited/made-up/").status_code == 404


def test_one_address_is_invited_once_and_then_sent_anew(firm: Organization, manager: User) -> None:
    row, _address = invite(firm, manager)
    with pytest.raises(ValidationError, match="已经邀请过"):
        invite(firm, manager)
    joining.withdraw(row, by=manager)
    invite(firm, manager)


def test_nobody_gives_a_role_that_it_does_not_hold(firm: Organization, manager: User) -> None:
    assert joining.roles_to_pass_on(manager, firm.pk) == [Role.FILER]
    for role in (Role.COORDINATOR, Role.SECRETARY, Role.INSTITUTION, Role.OFFICER):
        with pytest.raises(PermissionDenied):
            invite(firm, manager, role=role)


def test_a_colleague_stays_no_longer_than_the_one_who_invited(firm: Organization) -> None:
    until = timezone.localdate() + timedelta(days=30)
    manager = factories.user()
    factories.grant(manager, Role.FILER, firm, is_manager=True, expires_on=until)
    row, _address = invite(firm, manager)
    person = factories.user()
    joining.accept(row, user=person)
    assert Grant.objects.get(user=person).expires_on == until


def test_a_role_is_passed_on_by_the_managers_grant_that_holds_it(firm: Organization) -> None:
    """Neither another grant of the manager nor the end of another counts."""
    until = timezone.localdate() + timedelta(days=30)
    manager = factories.user()
    factories.grant(manager, Role.FILER, firm, is_manager=True, expires_on=until)
    factories.grant(manager, Role.SECRETARY, firm, is_manager=True)
    factories.grant(manager, Role.COORDINATOR, firm)
    assert joining.roles_to_pass_on(manager, firm.pk) == [Role.FILER, Role.SECRETARY]
    row, _address = invite(firm, manager)
    person = factories.user()
    joining.accept(row, user=person)
    assert Grant.objects.get(user=person).expires_on == until


def test_a_grant_that_begins_later_is_replaced_by_one_of_today(firm: Organization, manager: User) -> None:
    person = factories.user()
    factories.grant(person, Role.FILER, firm, starts_on=timezone.localdate() + timedelta(days=9))
    row, _address = invite(firm, manager)
    joining.accept(row, user=person)
    assert again(person).acts_for(firm.pk, Role.FILER)


def test_an_officer_joins_no_firm(firm: Organization, manager: User, guest: Client) -> None:
    officer = factories.user(Role.OFFICER, firm.bureau)
    row, address = invite(firm, manager)
    guest.force_login(officer, backend="django.contrib.auth.backends.ModelBackend")
    assert "不能同时担任" in guest.post(address).text
    row.refresh_from_db()
    assert row.accepted_at is None and not again(officer).acts_for(firm.pk, Role.FILER)


def test_nobody_accepts_the_own_invitation(firm: Organization, manager: User) -> None:
    row, _address = invite(firm, manager)
    with pytest.raises(ValidationError, match="您发出的邀请"):
        joining.accept(row, user=manager)


# --- Removing, managing ------------------------------------------------------------------------------------


def test_a_removed_colleague_is_out_at_once(firm: Organization, manager: User, client: Client) -> None:
    colleague = factories.user(Role.FILER, firm)
    draft = factories.draft(colleague)
    client.force_login(colleague)
    address = f"/bottlenecks/{draft.public_id}/edit/check/"
    assert client.get(address).status_code == 200
    joining.remove(firm, colleague, by=manager)
    assert client.get(address).status_code == 404
    assert not again(colleague).acts_for(firm.pk, Role.FILER)


def test_open_invitations_go_with_the_one_who_sent_them(firm: Organization, manager: User) -> None:
    second = factories.user()
    factories.grant(second, Role.FILER, firm, is_manager=True)
    row, _address = invite(firm, second)
    joining.remove(firm, second, by=manager)
    row.refresh_from_db()
    assert row.withdrawn_at


def test_the_last_manager_stays(firm: Organization, manager: User) -> None:
    factories.user(Role.FILER, firm)
    with pytest.raises(PermissionDenied, match="至少要有一名管理员"):
        joining.remove(firm, manager, by=manager)
    assert again(manager).acts_for(firm.pk, Role.FILER)


@pytest.mark.django_db(transaction=True)
def test_of_two_managers_who_remove_each_other_at_once_one_stays(firm: Organization, manager: User) -> None:
    second = factories.user()
    factories.grant(second, Role.FILER, firm, is_manager=True)
    results = at_once(
        lambda: joining.remove(firm, second, by=again(manager)),
        lambda: joining.remove(firm, manager, by=again(second)),
    )
    assert sum(isinstance(result, PermissionDenied) for result in results) == 1, results
    assert joining.managers(firm).count() == 1


def test_a_colleague_is_made_manager(firm: Organization, manager: User) -> None:
    colleague = factories.user(Role.FILER, firm)
    joining.make_manager(firm, colleague, by=manager)
    joining.remove(firm, manager, by=again(colleague))
    assert [grant.user for grant in joining.managers(firm)] == [colleague]


def test_only_a_manager_of_the_organisation_does_any_of_it(firm: Organization, manager: User) -> None:
    colleague = factories.user(Role.FILER, firm)
    stranger = factories.user()
    factories.grant(stranger, Role.FILER, factories.organization(), is_manager=True)
    officer = factories.user(Role.OFFICER, firm.bureau)
    row, _address = invite(firm, manager)
    for other in (colleague, stranger, officer):
        for attempt in (
            lambda other=other: invite(firm, other, email="x@example.cn"),
            lambda other=other: joining.resend(row, by=other, link=link),
            lambda other=other: joining.withdraw(row, by=other),
            lambda other=other: joining.remove(firm, colleague, by=other),
            lambda other=other: joining.make_manager(firm, colleague, by=other),
        ):
            with pytest.raises(PermissionDenied):
                attempt()


# --- Pages -------------------------------------------------------------------------------------------------


def test_the_page_of_the_manager(firm: Organization, manager: User, client: Client) -> None:
    colleague = factories.user(Role.FILER, firm, name="孙同事")
    client.force_login(manager)
    assert "同事</span>" in client.get("/workspace/").text
    page = client.get("/colleagues/").text
    assert "孙同事" in page and "唯一的管理员" in page
    client.post("/colleagues/", {"email": "qian@example.cn", "role": "filer"})
    row = Invitation.objects.get()
    page = client.get("/colleagues/").text
    assert "qian@example.cn" in page and "邮件等待发送" in page
    assert client.post("/colleagues/", {"email": "qian@example.cn", "role": "filer"}).status_code == 422
    assert client.post("/colleagues/", {"email": "x@example.cn", "role": "officer"}).status_code == 422
    client.post(f"/colleagues/invitations/{row.pk}/", {"withdraw": "1"})
    assert client.post(f"/colleagues/invitations/{row.pk}/", {"resend": "1"}, follow=True).status_code == 200
    assert mailing.send_due() == 0, "nothing is mailed of what was withdrawn"
    client.post(f"/colleagues/{colleague.pk}/", {"manage": "1"})
    assert joining.managers(firm).count() == 2
    assert "移出" in client.get(f"/colleagues/{colleague.pk}/").text
    client.post(f"/colleagues/{colleague.pk}/")
    assert not again(colleague).acts_for(firm.pk, Role.FILER)


def test_who_removes_somebody_twice_is_told_so_and_accused_of_nothing(
    firm: Organization, manager: User, client: Client
) -> None:
    colleague = factories.user(Role.FILER, firm, name="孙同事")
    client.force_login(manager)
    for said in ("孙同事已移出本组织", "孙同事已经不在本组织"):
        assert said in client.post(f"/colleagues/{colleague.pk}/", follow=True).text
    assert not Event.objects.judged("test").filter(kind="refused").exists()


def test_others_find_no_such_page_and_no_foreign_rows(
    firm: Organization, manager: User, client: Client
) -> None:
    row, _address = invite(firm, manager)
    stranger = factories.user()
    factories.grant(stranger, Role.FILER, factories.organization(), is_manager=True)
    client.force_login(stranger)
    assert client.post(f"/colleagues/invitations/{row.pk}/", {"withdraw": "1"}).status_code == 404
    assert client.post(f"/colleagues/{manager.pk}/").status_code == 404
    for other in (factories.user(Role.FILER, firm), factories.user(Role.OFFICER, firm.bureau)):
        client.force_login(other)
        assert client.get("/colleagues/").status_code == 403
