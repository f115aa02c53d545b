"""Nobody gives more than it holds, and nothing to itself; by page, by service and in the admin site."""

import re
from datetime import timedelta

import pytest
from allauth.core.context import request_context
from django.core.cache import cache
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.test import Client, RequestFactory
from django.urls import reverse, reverse_lazy
from django.utils import timezone

from accounts import granting, joining
from accounts.forms.people import NOBODY
from accounts.models import SUBSTITUTION_DAYS, Grant, Role, Substitution, User
from accounts.security.address import ask, change
from record import acting
from record.models import Event
from record.services import TOLD_PER_MINUTE, refused
from tests import factories
from tests.accounts.signing_in import mails
from tests.accounts.test_joining import said

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nobody_has_guessed():
    cache.clear()


def day(offset):
    return timezone.localdate() + timedelta(days=offset)


class People:
    """A city officer whose grant ends in thirty days, its administrator, and a newcomer."""

    def __init__(self):
        self.county = factories.county()
        self.city = self.county.parent
        self.province = self.city.parent
        self.robots, self.ships = factories.chain("C01", "工业机器人"), factories.chain("C02", "高技术船舶")
        self.officer = factories.user(name="市局经办")
        factories.grant(self.officer, Role.OFFICER, self.city, expires_on=day(30))
        self.specialist = factories.user(name="链上经办")
        factories.grant(self.specialist, Role.OFFICER, self.city, chain=self.robots)
        self.administrator = factories.user(Role.ADMINISTRATOR, self.city, name="市局管理员")
        self.newcomer = factories.user(username="newcomer", name="新来的", created_by=self.administrator)

    def grant(self, **fields):
        defaults = {"user": self.newcomer, "role": Role.OFFICER, "bureau": self.county, "expires_on": day(30)}
        return Grant(**(defaults | fields))


@pytest.fixture
def people():
    return People()


def login(person):
    client = Client()
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    return client


ALLOWED = {
    "officer: own unit": ("officer", lambda p: {"bureau": p.city}),
    "officer: below": ("officer", lambda p: {}),
    "officer: shorter": ("officer", lambda p: {"expires_on": day(1)}),
    "officer: one chain": ("officer", lambda p: {"chain": p.ships}),
    "specialist: the chain": ("specialist", lambda p: {"chain": p.robots, "expires_on": None}),
    "administrator: auditor": ("administrator", lambda p: {"role": Role.AUDITOR, "expires_on": None}),
    "administrator: administrator": ("administrator", lambda p: {"role": Role.ADMINISTRATOR}),
}
REFUSED = {
    "officer: above": ("officer", lambda p: {"bureau": p.province}, "bureau"),
    "officer: longer": ("officer", lambda p: {"expires_on": day(31)}, "expires_on"),
    "officer: for ever": ("officer", lambda p: {"expires_on": None}, "expires_on"),
    "officer: another role": ("officer", lambda p: {"role": Role.AUDITOR}, "role"),
    "officer: administration": ("officer", lambda p: {"role": Role.ADMINISTRATOR}, "role"),
    "officer: itself": ("officer", lambda p: {"user": p.officer}, "user"),
    "specialist: every chain": ("specialist", lambda p: {}, "chain"),
    "specialist: another chain": ("specialist", lambda p: {"chain": p.ships}, "chain"),
    "administrator: above": ("administrator", lambda p: {"bureau": p.province}, "bureau"),
    "administrator: itself": ("administrator", lambda p: {"user": p.administrator}, "user"),
}


@pytest.mark.parametrize("case", ALLOWED)
def test_what_may_be_given(people, case):
    who, fields = ALLOWED[case]
    giver = getattr(people, who)
    grant = granting.grant_role(giver, people.grant(**fields(people)))
    assert grant.granted_by == giver and grant in people.newcomer.grants_in_force


@pytest.mark.parametrize("case", REFUSED)
def test_what_may_not_be_given(people, case):
    who, fields, field = REFUSED[case]
    with pytest.raises(ValidationError) as refusal:
        granting.grant_role(getattr(people, who), people.grant(**fields(people)))
    assert list(refusal.value.message_dict) == [field]
    assert not people.newcomer.grants.exists()


@pytest.mark.parametrize("role", [Role.STATISTICIAN, Role.AUDITOR, Role.EXPERT, Role.FILER])
def test_other_roles_give_nothing(people, role):
    person = factories.user(role, None if role == Role.FILER else people.city)
    with pytest.raises(PermissionDenied):
        granting.grant_role(person, people.grant())
    client = login(person)
    for name in ("people", "grant_new", "substitute_new"):
        assert client.get(reverse(f"accounts:{name}")).status_code == 403


def test_a_substitute_passes_nothing_on(people):
    stand_in = factories.user(Role.AUDITOR, people.county)
    Substitution.objects.create(
        principal=people.officer, substitute=stand_in, starts_on=day(0), ends_on=day(1)
    )
    with pytest.raises(PermissionDenied):
        granting.grant_role(stand_in, people.grant())


def test_the_wider_of_two_own_grants_counts(people):
    factories.grant(people.officer, Role.OFFICER, people.county)
    granting.grant_role(people.officer, people.grant(expires_on=None))
    with pytest.raises(ValidationError):
        granting.grant_role(people.officer, people.grant(bureau=people.city, expires_on=None))


def test_the_same_is_not_given_twice_but_again_when_it_ran_out(people):
    granting.grant_role(people.officer, people.grant())
    with pytest.raises(ValidationError, match="已有同样的授权"):
        granting.grant_role(people.officer, people.grant())
    Grant.objects.filter(user=people.newcomer).update(starts_on=day(-9), expires_on=day(-1))
    granting.grant_role(people.officer, people.grant())
    assert Grant.objects.filter(user=people.newcomer, ended_at=None).count() == 1


def test_the_database_knows_nobody_who_gave_to_itself(people):
    with pytest.raises(IntegrityError), transaction.atomic():
        people.grant(user=people.officer, granted_by=people.officer, bureau=people.province).save()


# --- Ending -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("who", "allowed"), [("officer", True), ("administrator", True), ("specialist", False), ("peer", False)]
)
def test_a_grant_is_ended_by_who_gave_it_or_by_the_administrator(people, who, allowed):
    people.peer = factories.user(Role.OFFICER, people.city)
    grant = granting.grant_role(people.officer, people.grant())
    person = getattr(people, who)
    assert bool(granting.refusal_to_end(person, grant)) is not allowed
    if not allowed:
        with pytest.raises(PermissionDenied):
            granting.end_grant(person, grant)
        return
    granting.end_grant(person, grant)
    assert people.newcomer.grants_in_force == []
    with pytest.raises(ValidationError, match="已经终止"):
        granting.end_grant(person, grant)


# --- Substitutes ------------------------------------------------------------------------------------------


def substitution(principal, substitute, **fields):
    defaults = {"starts_on": day(0), "ends_on": day(5)}
    return Substitution(principal=principal, substitute=substitute, **(defaults | fields))


@pytest.fixture
def colleague(people):
    return factories.user(Role.AUDITOR, people.county, username="colleague", name="同事")


@pytest.mark.parametrize("who", ["officer", "administrator"])
def test_an_officer_or_its_administrator_names_the_substitute(people, colleague, who):
    granting.appoint_substitute(getattr(people, who), substitution(people.officer, colleague))
    lent = User.objects.get(pk=colleague.pk).grants_of(Role.OFFICER)
    assert [grant.principal for grant in lent] == [people.officer]


@pytest.mark.parametrize(("last", "allowed"), [(None, True), (5, True), (4, False)])
def test_an_administrator_lends_for_no_longer_than_its_own_grant_lasts(people, colleague, last, allowed):
    ends = None if last is None else day(last)
    people.administrator.grants.update(expires_on=ends)
    # A second one that lasts longer, but does not cover what is lent.
    factories.grant(people.administrator, Role.ADMINISTRATOR, people.county)
    row = substitution(people.officer, colleague, ends_on=day(5))
    if allowed:
        granting.appoint_substitute(people.administrator, row)
        return
    with pytest.raises(ValidationError, match=f"不能晚于您自己的授权失效的日期 {ends}") as refusal:
        granting.appoint_substitute(people.administrator, row)
    assert list(refusal.value.message_dict) == ["ends_on"]


@pytest.mark.parametrize("who", ["specialist", "peer", "foreign"])
def test_nobody_else_does(people, colleague, who):
    people.peer = factories.user(Role.OFFICER, people.city)
    people.foreign = factories.user(Role.ADMINISTRATOR, people.county)
    with pytest.raises(PermissionDenied):
        granting.appoint_substitute(getattr(people, who), substitution(people.officer, colleague))


def test_an_administrator_does_not_make_itself_a_substitute(people):
    with pytest.raises(ValidationError, match="不能指定自己"):
        granting.appoint_substitute(people.administrator, substitution(people.officer, people.administrator))


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"starts_on": day(-1)}, "starts_on"),
        ({"starts_on": day(9), "ends_on": day(8)}, "__all__"),
        ({"starts_on": day(5), "ends_on": day(9)}, "starts_on"),
        ({"starts_on": day(9), "ends_on": day(101)}, "__all__"),
    ],
    ids=["in the past", "backwards", "twice", "too long"],
)
def test_terms_that_are_refused(people, colleague, fields, field):
    granting.appoint_substitute(people.officer, substitution(people.officer, colleague))
    with pytest.raises(ValidationError) as refusal:
        granting.appoint_substitute(people.officer, substitution(people.officer, colleague, **fields))
    assert list(refusal.value.message_dict) == [field]


def test_a_quarter_is_not_too_long(people, colleague):
    granting.appoint_substitute(people.officer, substitution(people.officer, colleague, ends_on=day(91)))


@pytest.mark.parametrize("last", [0, 91, 92, 400])
def test_the_database_knows_no_longer_term_and_says_so_in_words(people, colleague, last):
    row = substitution(people.officer, colleague, ends_on=day(last))
    if last < SUBSTITUTION_DAYS:
        row.full_clean()
        row.save()
        return
    with pytest.raises(ValidationError, match=f"一次代理最长 {SUBSTITUTION_DAYS} 天"):
        row.full_clean()
    with pytest.raises(IntegrityError), transaction.atomic():
        row.save()


def test_a_term_that_is_too_long_is_refused_on_the_page(people, colleague):
    values = {"substitute": "colleague", "starts_on": day(0), "ends_on": day(92)}
    answer = login(people.officer).post(SUBSTITUTE_NEW, values)
    assert answer.status_code == 400 and "一次代理最长 92 天" in answer.content.decode()


@pytest.mark.parametrize("role", [Role.FILER, Role.EXPERT, None])
def test_people_outside_the_bureaus_stand_in_for_nobody(people, role):
    outsider = factories.user(role) if role else people.newcomer
    with pytest.raises(ValidationError, match="在岗人员"):
        granting.appoint_substitute(people.officer, substitution(people.officer, outsider))


@pytest.mark.parametrize(
    ("who", "allowed"), [("officer", True), ("colleague", True), ("administrator", True), ("peer", False)]
)
def test_both_people_and_the_administrator_end_a_substitution(people, colleague, who, allowed):
    people.peer, people.colleague = factories.user(Role.OFFICER, people.city), colleague
    row = granting.appoint_substitute(people.officer, substitution(people.officer, colleague))
    if not allowed:
        with pytest.raises(PermissionDenied):
            granting.end_substitution(getattr(people, who), row)
        return
    granting.end_substitution(getattr(people, who), row)
    with pytest.raises(ValidationError, match="已经结束"):
        granting.end_substitution(getattr(people, who), row)


# --- Pages --------------------------------------------------------------------------------------------------


def posted(people, **fields):
    values = {
        "user": "newcomer",
        "role": Role.OFFICER.value,
        "bureau": people.county.code,
        "chain": "",
        "starts_on": day(0).isoformat(),
        "expires_on": day(30).isoformat(),
    }
    return values | fields


GRANT_NEW, SUBSTITUTE_NEW = reverse_lazy("accounts:grant_new"), reverse_lazy("accounts:substitute_new")


def confirm(client, address, values):
    """Fill the form in, then confirm what is shown; gives both answers."""
    shown = client.post(address, values)
    assert shown.status_code == 200, shown.context["form"].errors
    return shown, client.post(address, values | {"confirm": shown.context["shown"]}, follow=True)


def test_an_officer_gives_a_role_on_the_page_and_ends_it(people):
    client = login(people.officer)
    _shown, answer = confirm(client, GRANT_NEW, posted(people))
    assert "已授权：新来的" in answer.content.decode()
    grant = people.newcomer.grants.get()
    assert grant.granted_by == people.officer
    client.post(reverse("accounts:grant_end", args=[grant.pk]))
    grant.refresh_from_db()
    assert grant.ended_at


def test_to_whom_and_what_is_shown_before_it_is_given(people):
    factories.grant(people.newcomer, Role.EXPERT, people.county)
    factories.grant(people.newcomer, Role.EXPERT, factories.bureau("330000", "浙江省局", factories.bureau()))
    client = login(people.officer)
    page = client.post(GRANT_NEW, posted(people, chain="C01")).content.decode()
    for words in ("授权给新来的？", "经办人员", "吴江区市场监督管理局", "工业机器人", f"{day(30):%Y-%m-%d}"):
        assert words in page
    assert "专家 · " in page and "浙江" not in page
    assert (
        not people.newcomer.grants.filter(role=Role.OFFICER).exists() and not people.newcomer.notices.exists()
    )


def test_what_was_filled_in_can_be_changed(people):
    page = login(people.officer).post(GRANT_NEW, posted(people, expires_on=day(3).isoformat(), change="1"))
    assert page.context["form"]["user"].value() == "newcomer"
    assert page.context["form"]["expires_on"].value() == day(3).isoformat()


def test_nobody_else_than_shown_receives_it(people):
    people.newcomer.email = "desk@example.org"
    people.newcomer.save()
    client, values = login(people.officer), posted(people, user="Desk@example.org")
    shown = client.post(GRANT_NEW, values).context["shown"]
    User.objects.filter(pk=people.newcomer.pk).update(email="")
    successor = factories.user(email="desk@example.org", name="接替的人")
    answer = client.post(GRANT_NEW, values | {"confirm": shown})
    assert "授权给接替的人？" in answer.content.decode()
    assert not Grant.objects.filter(user__in=(people.newcomer, successor)).exists()


@pytest.mark.parametrize(
    "who", ["nobody", "newcomer@example.org", "gone", "filer", "desk@example.org", "filer@example.org"]
)
def test_who_is_unknown_and_who_may_not_receive_it_sound_alike(people, who):
    factories.user(username="gone", email="newcomer@example.org", is_active=False)
    factories.user(Role.FILER, username="filer", email="filer@example.org")
    for _n in range(2):
        factories.user(email="desk@example.org")
    answer = login(people.officer).post(GRANT_NEW, posted(people, user=who))
    assert answer.status_code == 400
    assert answer.context["form"].errors == {"user": [str(NOBODY)]}


@pytest.mark.parametrize("who", ["newcomer", "nobody"])
def test_beside_another_fault_nothing_tells_whether_somebody_exists(people, who):
    values = posted(people, user=who, bureau="320000")
    errors = login(people.officer).post(GRANT_NEW, values).context["form"].errors
    assert list(errors) == ["bureau"]


def test_guessing_names_comes_to_an_end_and_stands_in_the_record(people, settings):
    client = login(people.officer)
    for number in range(20):
        assert client.post(GRANT_NEW, posted(people, user=f"guess{number}")).status_code == 400
    for address in (GRANT_NEW, SUBSTITUTE_NEW):
        values = posted(people) | {"substitute": "newcomer", "ends_on": day(2)}
        answer = client.post(address, values)
        assert answer.status_code == 429 and "请稍后再试" in answer.content.decode()
    assert login(people.specialist).post(GRANT_NEW, posted(people, chain="C01")).status_code == 200
    told = Event.objects.judged("test").filter(kind="refused", actor=people.officer)
    assert told.filter(reason__contains="账号不存在").values("row").distinct().count() == 20
    assert "guess" not in str(list(told.values()))


def registered(verified: bool, **fields):
    """Somebody who opened the account itself and gave an address of its own choice."""
    row = joining.apply(said(account={"password": "!", "name": "张三", **fields}))
    if verified:
        joining.verify(row, by=factories.user(Role.OFFICER, factories.county()))
        Grant.objects.filter(user=row.user).update(ended_at=timezone.now())
    return row.user


@pytest.mark.parametrize("verified", [False, True])
def test_by_an_address_that_somebody_only_claims_to_have_nobody_is_found(people, verified):
    registered(verified, username="zhangsan", email="zhang@gov.example")
    answer = login(people.officer).post(GRANT_NEW, posted(people, user="zhang@gov.example"))
    assert answer.context["form"].errors == {"user": [str(NOBODY)]}


def proven_by_link(people):
    person = registered(True, username="zhangsan", email="zhang@home.example")
    with request_context(RequestFactory().get("/")):
        ask(person, "zhang@gov.example")
        token = re.search(r"/account/email/([^/\s]+)/", mails()[-1].body)[1]
        assert change(User.objects.get(pk=person.pk), token)
    return person


def invited_there(people):
    firm = factories.organization("演示邀请企业")
    manager = factories.user()
    factories.grant(manager, Role.FILER, firm, is_manager=True)
    address = []
    row = joining.invite(firm, by=manager, email="zhang@gov.example", role=Role.FILER, link=address.append)
    person = joining.accept(row, account={"username": "zhangsan", "password": "!", "name": "张三"})
    Grant.objects.filter(user=person).update(ended_at=timezone.now())
    return person


def registered_by_an_administrator(people):
    address = reverse("admin:accounts_user_change", args=[people.newcomer.pk])
    form = {"grants-TOTAL_FORMS": "0", "grants-INITIAL_FORMS": "0", "is_active": "on"}
    form |= {"username": "newcomer", "name": "新来的", "email": "zhang@gov.example"}
    User.objects.filter(pk=people.newcomer.pk).update(has_unproven_address=True)
    assert login(people.administrator).post(address, form).status_code == 302
    return people.newcomer


@pytest.mark.parametrize("way", [proven_by_link, invited_there, registered_by_an_administrator])
def test_by_an_address_that_somebody_has_the_person_is_found(people, way):
    person = way(people)
    answer = login(people.officer).post(GRANT_NEW, posted(people, user="Zhang@gov.example"))
    assert answer.status_code == 200 and answer.context["form"].instance.user == person
    assert "已验证，或由管理员登记" in answer.text


def test_named_by_its_login_name_somebody_is_shown_with_the_address_in_doubt(people):
    registered(True, username="zhangsan", email="zhang@gov.example")
    page = login(people.officer).post(GRANT_NEW, posted(people, user="zhangsan")).text
    assert "授权给张三？" in page and "未经验证，不能说明是何人" in page and "zhang@gov.example" not in page


@pytest.mark.parametrize("role", [Role.OFFICER, Role.EXPERT])
def test_whom_nobody_has_verified_receives_no_bureau_role(people, role):
    stranger = registered(False, username="zhangsan", email="zhang@gov.example")
    answer = login(people.administrator).post(GRANT_NEW, posted(people, user="zhangsan", role=role.value))
    assert answer.context["form"].errors == {"user": [str(NOBODY)]}
    with pytest.raises(ValidationError, match="尚未核实是何人"):
        granting.grant_role(people.administrator, people.grant(user=stranger, role=role))
    address = reverse("admin:accounts_grant_add")
    fields = {"user": stranger.pk, "role": role.value, "bureau": people.county.pk, "starts_on": day(0)}
    assert "尚未核实是何人" in login(people.administrator).post(address, fields).text
    assert not stranger.grants.exists()


def test_cheap_refusals_do_not_hide_whom_somebody_tried_to_name(people):
    client = login(people.officer)
    with acting.as_told_by(lambda: acting.Acting(actor_id=people.officer.pk)):
        for number in range(TOLD_PER_MINUTE + 1):
            refused("page", str(number), "GET /", "不行")
    client.post(GRANT_NEW, posted(people, user="guess"))
    assert Event.objects.judged("test").filter(kind="refused", reason__contains="账号不存在").count() == 1


def test_names_that_are_right_use_nothing_up_and_are_told_as_looked_up(people):
    client = login(people.officer)
    for _n in range(22):
        assert client.post(GRANT_NEW, posted(people)).status_code == 200
    [event] = Event.objects.judged("test").filter(kind="read")
    assert (event.actor, event.entity, event.row) == (
        people.officer,
        "accounts.user",
        str(people.newcomer.pk),
    )


def test_what_would_fail_fails_before_it_is_shown(people):
    client = login(people.officer)
    confirm(client, GRANT_NEW, posted(people))
    answer = client.post(GRANT_NEW, posted(people))
    assert answer.status_code == 400 and "已有同样的授权" in answer.content.decode()


@pytest.mark.parametrize("who", ["nobody", "outsider", "expert"])
def test_who_cannot_stand_in_sounds_like_nobody(people, who):
    factories.user(Role.FILER, username="outsider")
    factories.user(Role.EXPERT, people.county, username="expert")
    values = {"substitute": who, "starts_on": day(0), "ends_on": day(2)}
    answer = login(people.officer).post(SUBSTITUTE_NEW, values)
    assert answer.context["form"].errors == {"substitute": [str(NOBODY)]}


def test_an_administrator_does_not_learn_of_officers_elsewhere(people, colleague):
    factories.user(Role.OFFICER, people.province, username="above")
    for principal in ("above", "nobody"):
        values = {"principal": principal, "substitute": "colleague", "starts_on": day(0), "ends_on": day(2)}
        answer = login(people.administrator).post(SUBSTITUTE_NEW, values)
        assert answer.context["form"].errors == {"principal": [str(NOBODY)]}


@pytest.mark.parametrize(
    "fields",
    [
        {"user": "nobody"},
        {"bureau": "320000"},
        {"role": "auditor"},
        {"expires_on": ""},
        {"starts_on": "2020-01-01"},
        {"granted_by": "1", "user": ""},
    ],
    ids=["unknown person", "above", "role", "no end", "past", "nobody"],
)
def test_the_page_says_what_is_wrong_and_stores_nothing(people, fields):
    answer = login(people.officer).post(reverse("accounts:grant_new"), posted(people, **fields))
    assert answer.status_code == 400 and answer.context["form"].errors
    assert not people.newcomer.grants.exists()


def test_the_list_shows_what_one_oversees_and_nothing_else(people):
    foreign = factories.user(name="外省经办")
    factories.grant(foreign, Role.OFFICER, factories.bureau("330000", "浙江省局", factories.bureau()))
    auditor = factories.user(Role.AUDITOR, people.county, name="督查")
    for person, seen in ((people.officer, False), (people.administrator, True)):
        page = login(person).get(reverse("accounts:people")).content.decode()
        assert "市局经办" in page and "外省经办" not in page
        assert ("督查人员" in page.split("<tbody>")[1]) is seen
        address = reverse("accounts:grant_end", args=[auditor.grants.get().pk])
        assert login(person).get(address).status_code == (200 if seen else 404)


@pytest.mark.parametrize(("text", "found"), [("链上", 1), ("nobody", 0), ("", 2)])
def test_people_are_found_by_name(people, text, found):
    page = login(people.officer).get(reverse("accounts:people"), {"q": text})
    assert page.context["page"].paginator.count == found


def test_a_specialist_oversees_its_chain_only(people):
    page = login(people.specialist).get(reverse("accounts:people"))
    assert page.context["page"].paginator.count == 1


def test_what_one_may_not_end_says_why(people):
    grant = people.specialist.grants.get()
    client = login(people.officer)
    address = reverse("accounts:grant_end", args=[grant.pk])
    assert "由授权人本人终止" in client.get(address).content.decode()
    assert client.post(address).status_code == 403


def test_an_officer_names_its_substitute_on_the_page(people, colleague):
    client = login(people.officer)
    values = {"substitute": "colleague", "starts_on": day(0), "ends_on": day(2), "reason": "休假"}
    shown, answer = confirm(client, SUBSTITUTE_NEW, values)
    assert "由同事代市局经办办理？" in shown.content.decode() and "督查人员 · " in shown.content.decode()
    assert "由同事代市局经办办理" in answer.content.decode()
    row = Substitution.objects.get()
    assert (row.principal, row.substitute) == (people.officer, colleague)
    client.post(reverse("accounts:substitute_end", args=[row.pk]))
    row.refresh_from_db()
    assert row.ended_at


def test_an_officer_does_not_name_the_substitute_of_another_by_a_forged_field(people, colleague):
    values = {"principal": people.specialist.username, "substitute": "colleague"}
    values |= {"starts_on": day(0), "ends_on": day(2)}
    confirm(login(people.officer), SUBSTITUTE_NEW, values)
    assert Substitution.objects.get().principal == people.officer


def test_an_administrator_names_the_substitute_of_an_officer(people, colleague):
    values = {"principal": people.officer.username, "substitute": "colleague"}
    values |= {"starts_on": day(0), "ends_on": day(2)}
    confirm(login(people.administrator), SUBSTITUTE_NEW, values)
    assert Substitution.objects.get().principal == people.officer


# --- Admin site ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"expires_on": ""}, "不能晚于您自己的授权失效的日期"),
        ({"user": "administrator"}, ""),
        ({}, None),
    ],
    ids=["longer", "itself", "allowed"],
)
def test_the_admin_site_keeps_the_same_bounds(people, fields, sentence):
    people.administrator.grants.update(expires_on=day(30))
    values = {
        "user": people.newcomer.pk,
        "role": "auditor",
        "bureau": people.county.pk,
        "organization": "",
        "chain": "",
        "starts_on": day(0),
        "expires_on": day(30),
    } | fields
    if values["user"] == "administrator":
        values["user"] = people.administrator.pk
    before = Grant.objects.count()
    page = login(people.administrator).post(reverse("admin:accounts_grant_add"), values)
    if sentence is None:
        assert Grant.objects.latest("pk").granted_by == people.administrator
        return
    assert sentence in page.content.decode() and Grant.objects.count() == before


def test_an_administrator_sets_no_password_of_a_person_who_stands_in_elsewhere(people, colleague):
    client = login(people.administrator)
    address = reverse("admin:accounts_user_change", args=[colleague.pk])
    assert client.get(address).status_code == 200
    foreign = factories.user(Role.OFFICER, people.province)
    Substitution.objects.create(principal=foreign, substitute=colleague, starts_on=day(0), ends_on=day(1))
    assert client.get(address).status_code == 404


def test_nobody_oversees_firms_and_acts_for_one(people):
    filer = factories.user(Role.FILER)
    with pytest.raises(ValidationError, match="不能同时担任"):
        granting.grant_role(people.administrator, people.grant(user=filer))
    granting.grant_role(people.administrator, people.grant(user=filer, role=Role.EXPERT))
    firm = factories.organization()
    officer = factories.user(Role.OFFICER, people.county)
    values = {"user": officer.pk, "role": "filer", "organization": firm.pk, "starts_on": day(0)}
    page = login(people.administrator).post(reverse("admin:accounts_grant_add"), values)
    assert "不能同时担任" in page.content.decode() and officer.grants.count() == 1
    officer.grants.update(ended_at=timezone.now())
    factories.grant(officer, Role.EXPERT, people.county)
    page = login(people.administrator).post(reverse("admin:accounts_grant_add"), values)
    assert page.status_code == 302
