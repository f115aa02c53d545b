"""Which rows of the ledger a grant opens: whole subtrees, one chain of a subtree, one organisation."""

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction

from accounts.models import Role
from bulletins.indicators import DEFINITION_VERSION
from bulletins.models import Bulletin, Snapshot
from bulletins.services import get_period
from enterprises.models import Bureau, Organization
from projects import services
from projects.models import Bottleneck, ChainProject, Consortium, KeyProject, Participation
from projects.workflow import MOVES, judge
from tests import factories
from tests.worlds import world

pytestmark = pytest.mark.django_db
S = Bottleneck.Status


class Ledger:
    """Two chains in one county: a row of each kind of each, and a firm that is on no chain."""

    def __init__(self):
        self.cast = factories.Cast()
        self.robots, self.ships = factories.chain("C01", "工业机器人"), factories.chain("C02", "高技术船舶")
        self.idle = factories.organization("演示无链有限公司")
        self.rows = {}
        for chain in (self.robots, self.ships):
            firm = factories.organization(f"演示{chain.name}有限公司")
            project = factories.project(chain=chain)
            filer = factories.user(Role.FILER, firm)
            problem = factories.draft(filer, chain=chain)
            services.move(problem, "submit", by=filer)
            self.rows[chain] = [
                project,
                factories.participation(firm, project),
                factories.consortium(firm, chain=chain),
                factories.key_project(project, lead=firm),
                problem,
                firm,
            ]

    def seen_by(self, user):
        models = (ChainProject, Participation, Consortium, KeyProject, Bottleneck, Organization)
        return [row for model in models for row in model.objects.visible_to(user)]


@world
def ledger():
    return Ledger()


def limited(chain, role=Role.OFFICER, at=None):
    person = factories.user()
    factories.grant(person, role, at or factories.county(), chain=chain)
    return person


@pytest.mark.parametrize("level", ["000000", "320000", "320500", "320509"])
@pytest.mark.parametrize("role", [Role.OFFICER, Role.AUDITOR])
def test_a_grant_for_one_chain_opens_the_rows_of_that_chain_alone(ledger, role, level):
    seen = ledger.seen_by(limited(ledger.robots, role, Bureau.objects.get(code=level)))
    assert all(row in seen for row in ledger.rows[ledger.robots])
    assert not any(row in seen for row in ledger.rows[ledger.ships])
    assert ledger.idle not in seen


def test_a_grant_for_one_chain_does_not_reach_the_chain_elsewhere(ledger):
    elsewhere = factories.bureau("320506", parent=factories.county().parent)
    assert ledger.seen_by(limited(ledger.robots, at=elsewhere)) == []


def test_a_chain_beside_a_whole_subtree_adds_the_chain_only(ledger):
    elsewhere = factories.bureau("320506", parent=factories.county().parent)
    person = limited(ledger.robots)
    factories.grant(person, Role.OFFICER, elsewhere)
    seen = ledger.seen_by(person)
    assert ledger.rows[ledger.robots][0] in seen and ledger.rows[ledger.ships][0] not in seen


def test_a_draft_puts_its_firm_on_no_chain(ledger):
    filer = factories.user(Role.FILER, ledger.idle)
    draft = factories.draft(filer, chain=ledger.robots)
    person = limited(ledger.robots)
    assert ledger.idle not in Organization.objects.visible_to(person)
    services.move(draft, "submit", by=filer)
    assert ledger.idle in Organization.objects.visible_to(person)


def test_a_project_that_a_subtree_joins_is_open_to_its_chain_only(ledger):
    joined = factories.bureau("330000", "浙江省市场监督管理局", factories.bureau())
    ledger.rows[ledger.robots][0].regions.add(joined)
    for chain, expected in ((ledger.robots, 1), (ledger.ships, 0)):
        person = limited(chain, at=joined)
        assert ChainProject.objects.visible_to(person).count() == expected
        assert KeyProject.objects.visible_to(person).count() == expected


def test_an_officer_for_one_chain_moves_rows_of_it_and_no_others(ledger):
    person = limited(ledger.robots)
    own, other = ledger.rows[ledger.robots][4], ledger.rows[ledger.ships][4]
    assert judge(own, MOVES["accept"], person).allowed
    with pytest.raises(PermissionDenied, match="这一步由办理单位办理"):
        services.move(other, "accept", by=person)
    services.move(own, "accept", by=person)


def test_contact_data_stand_in_full_for_the_officer_of_the_chain(ledger):
    own, other = ledger.rows[ledger.robots][4], ledger.rows[ledger.ships][4]
    person = limited(ledger.robots)
    assert own.contact_for(person).phone == "13800000000"
    assert other.contact_for(person).phone == "138****0000"


def test_drafts_of_bulletins_speak_of_every_chain_and_are_closed_to_readers_of_one(ledger):
    period = get_period("2024")
    snapshot = Snapshot.objects.create(period=period, definition_version=DEFINITION_VERSION)
    draft = Bulletin.objects.create(
        period=period, bureau=factories.county(), snapshot=snapshot, title="通报", verification_code="0" * 16
    )
    whole = factories.user(Role.AUDITOR, factories.county())
    assert list(Bulletin.objects.visible_to(whole)) == [draft]
    assert not Bulletin.objects.visible_to(limited(ledger.robots, Role.AUDITOR)).exists()


@pytest.mark.parametrize("role", [Role.STATISTICIAN, Role.ADMINISTRATOR])
def test_figures_and_administration_are_not_limited_to_a_chain(role):
    with pytest.raises(IntegrityError), transaction.atomic():
        limited(factories.chain(), role)


def test_an_expert_opens_nothing_by_being_one(ledger):
    for chain in (None, ledger.robots):
        assert ledger.seen_by(limited(chain, Role.EXPERT)) == []


def test_a_secretary_reads_the_consortia_of_its_organisation_and_whom_they_unite(ledger):
    lead = factories.organization()
    consortium, other = factories.consortium(lead), factories.consortium()
    member = factories.organization()
    consortium.memberships.create(organization=member, role="member", joined_on=consortium.founded_on)
    for firm in (lead, member):
        secretary = factories.user(Role.SECRETARY, firm)
        assert list(Consortium.objects.visible_to(secretary)) == [consortium]
        assert consortium.memberships.count() == 2
    assert other not in Consortium.objects.visible_to(factories.user(Role.SECRETARY, member))


def test_the_lead_reads_its_consortium_before_it_has_members():
    lead = factories.organization()
    consortium = factories.consortium(lead)
    consortium.memberships.all().delete()
    assert list(Consortium.objects.visible_to(factories.user(Role.SECRETARY, lead))) == [consortium]
