"""An officer's substitute: sees and does what the officer may, on the days named, with both names kept."""

from datetime import date, timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import Role, Substitution, User
from enterprises.models import Bureau
from projects import services
from projects.models import Bottleneck
from projects.timeline import events_of
from projects.workflow import MOVES, judge
from tests import factories
from tests.worlds import world

pytestmark = pytest.mark.django_db
S = Bottleneck.Status


@world
def cast():
    return factories.Cast()


def far_bureau():
    """One of the lowest level, so that what is lent comes before the own role."""
    return factories.bureau("650102", "天山区市场监督管理所", factories.bureau(), level=Bureau.Level.OUTPOST)


def lent(person):
    return [grant for grant in person.grants_in_force if grant.principal]


def stand_in(principal, substitute=None, first=-1, last=1, **fields):
    """An auditor of a far bureau stands in for the principal from yesterday until tomorrow."""
    today = timezone.localdate()
    substitute = substitute or factories.user(Role.AUDITOR, far_bureau(), name="代班人")
    Substitution.objects.create(
        principal=principal,
        substitute=substitute,
        starts_on=today + timedelta(days=first),
        ends_on=today + timedelta(days=last),
        **fields,
    )
    for person in (principal, substitute):
        for name in ("grants_in_force", "scope"):
            person.__dict__.pop(name, None)
    return substitute


def test_a_substitute_handles_what_the_officer_handles_and_both_names_stand_in_the_record(cast):
    row = cast.bring_to(S.SUBMITTED)
    substitute = stand_in(cast.county_officer)
    assert row in Bottleneck.objects.visible_to(substitute)
    event = services.move(row, "accept", by=substitute)
    assert (event.actor, event.principal, event.bureau) == (substitute, cast.county_officer, cast.county)
    assert events_of(row)[0].actor == "代班人（代县局经办）"


@pytest.mark.parametrize(
    "term",
    [
        {"first": 1, "last": 2},
        {"first": -2, "last": -1},
        {"ended_at": timezone.now()},
    ],
    ids=["not yet", "over", "ended early"],
)
def test_outside_its_days_a_substitution_lends_nothing(cast, term):
    row = cast.bring_to(S.SUBMITTED)
    substitute = stand_in(cast.county_officer, **term)
    assert row not in Bottleneck.objects.visible_to(substitute)
    with pytest.raises(PermissionDenied):
        services.move(row, "accept", by=substitute)


def test_an_officer_who_left_lends_nothing(cast):
    cast.county_officer.is_active = False
    cast.county_officer.save()
    assert lent(stand_in(cast.county_officer)) == []


def test_a_grant_of_the_officer_that_ran_out_is_not_lent(cast):
    cast.county_officer.grants.update(expires_on=timezone.localdate() - timedelta(days=1))
    assert lent(stand_in(cast.county_officer)) == []


def test_what_was_lent_is_not_lent_on(cast):
    middle = stand_in(cast.county_officer)
    assert lent(stand_in(middle)) == []


@pytest.mark.parametrize("role", [Role.ADMINISTRATOR, Role.STATISTICIAN, Role.AUDITOR, Role.EXPERT])
def test_only_the_work_of_an_officer_is_lent(cast, role):
    principal = factories.user(role, cast.county)
    substitute = stand_in(principal)
    assert lent(substitute) == [] and not substitute.is_administrator


@pytest.mark.parametrize(
    "own",
    [None, {"ended_at": timezone.now()}, {"expires_on": date(2024, 1, 1)}, {"role": Role.EXPERT}],
    ids=["none", "ended", "run out", "expert"],
)
def test_nothing_is_lent_to_whoever_works_for_no_bureau(cast, own):
    substitute = stand_in(cast.county_officer)
    assert lent(substitute)
    if own is None:
        substitute.grants.all().delete()
    else:
        substitute.grants.update(**own)
    substitute = User.objects.get(pk=substitute.pk)
    assert lent(substitute) == [] and not substitute.scope.bureau_paths


def test_the_firms_of_an_officer_are_not_lent(cast):
    factories.grant(cast.county_officer, Role.FILER, cast.firm)
    assert not stand_in(cast.county_officer).acts_for(cast.firm.pk, Role.FILER)


def test_grants_cost_one_query_and_lenders_another_however_many_there_are(cast, django_assert_num_queries):
    with django_assert_num_queries(1):
        assert [str(grant.bureau) for grant in cast.verifier.grants_in_force] == [str(cast.county)]
    substitute = stand_in(cast.county_officer)
    stand_in(cast.city_officer, substitute)
    with django_assert_num_queries(2):
        grants = substitute.grants_in_force
        assert [grant.principal for grant in grants] == [cast.city_officer, cast.county_officer, None]
        assert [str(grant.bureau) for grant in grants]


def test_an_own_grant_speaks_before_a_lent_one(cast):
    row = cast.bring_to(S.SUBMITTED)
    stand_in(cast.county_officer, cast.verifier)
    assert services.move(row, "accept", by=cast.verifier).principal is None


# --- Another person verifies ------------------------------------------------------------------------------


def test_the_substitute_of_a_handler_does_not_verify_in_its_name(cast):
    row = cast.bring_to(S.VERIFICATION)
    substitute = stand_in(cast.county_officer)
    choice = judge(row, MOVES["verify"], substitute)
    assert choice.refusal == "您或您所代的县局经办经手过这个问题，核验须由另一名人员进行。"
    assert judge(row, MOVES["verify"], stand_in(cast.verifier)).allowed


def test_a_substitute_verifies_in_the_own_name_what_the_officer_handled(cast):
    row = cast.bring_to(S.VERIFICATION)
    stand_in(cast.county_officer, cast.verifier)
    choice = judge(row, MOVES["verify"], cast.verifier)
    assert choice.allowed and choice.grant.principal is None


@pytest.mark.parametrize("who", ["substitute", "county_officer"])
def test_after_a_substitute_has_handled_a_problem_neither_verifies(cast, who):
    cast.substitute = stand_in(cast.county_officer)
    factories.grant(cast.substitute, Role.OFFICER, cast.county)
    row = cast.bring_to(S.VERIFICATION)
    row.transitions.filter(move="accept").update(actor=cast.substitute, principal=cast.county_officer)
    assert not judge(row, MOVES["verify"], getattr(cast, who)).allowed
    assert judge(row, MOVES["verify"], cast.verifier).allowed


def test_the_desk_offers_no_verification_to_the_substitute_of_a_handler(cast):
    row = cast.bring_to(S.VERIFICATION)
    for principal, offered in ((cast.county_officer, False), (cast.verifier, True)):
        client = Client()
        client.force_login(stand_in(principal))
        page = client.get(reverse("projects:desk"))
        assert (row in [line["row"] for line in page.context["rows"]]) is offered


def test_the_menu_says_whose_substitute_one_is(cast):
    client = Client()
    client.force_login(stand_in(cast.county_officer))
    assert "经办人员，代县局经办" in client.get(reverse("projects:desk")).content.decode()


@pytest.mark.parametrize("fault", ["oneself", "backwards"])
def test_the_database_refuses(cast, fault):
    faults = {
        "oneself": {"substitute": cast.county_officer},
        "backwards": {"first": 1, "last": 0},
    }
    with pytest.raises(IntegrityError), transaction.atomic():
        stand_in(cast.county_officer, **faults[fault])
