"""Random trees, grants and rows: no surface tells of a row outside a scope that is reckoned here anew, no
sequence of grants passes on more than the givers hold, and no total reveals what is hidden."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from accounts import granting
from accounts.models import BUREAU_ROLES, SEEING_ROLES, Grant, Role, Substitution, User
from bulletins.services import get_period, rollup_now
from common.scope import system_job
from enterprises.models import Bureau, Organization
from projects.models import Bottleneck
from tests import factories

pytestmark = pytest.mark.any_database

SESSION_BACKEND = "django.contrib.auth.backends.ModelBackend"
EXAMPLES = settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    # A country takes a second to look at; what fails is printed as it is, not made smaller.
    phases=[Phase.generate],
    database=None,
    suppress_health_check=list(HealthCheck),
)
PEOPLE = 4
TODAY = timezone.localdate()
# Of a grant: whether it is in force today, by first and last day.
DAYS = {
    "in force": (TODAY - timedelta(days=9), None),
    "last day": (TODAY - timedelta(days=9), TODAY),
    "over": (TODAY - timedelta(days=9), TODAY - timedelta(days=1)),
    "not yet": (TODAY + timedelta(days=1), None),
}


@dataclass(frozen=True)
class GivenGrant:
    person: int
    role: str
    place: int
    chain: int | None
    days: str

    @property
    def holds(self) -> bool:
        return self.days in ("in force", "last day")


@dataclass(frozen=True)
class Country:
    """``parents[n]`` is the bureau over bureau n + 1; rows are (bureau, chain, whether it is a draft)."""

    parents: tuple[int, ...]
    grants: tuple[GivenGrant, ...]
    lent: tuple[tuple[int, int, bool], ...]
    rows: tuple[tuple[int, int, bool], ...]

    def above(self, bureau: int) -> Iterator[int]:
        """The bureau and all over it."""
        while True:
            yield bureau
            if bureau == 0:
                return
            bureau = self.parents[bureau - 1]

    def held_by(self, person: int) -> list[GivenGrant]:
        own = [grant for grant in self.grants if grant.person == person and grant.holds]
        if not any(grant.role in SEEING_ROLES for grant in own):
            return own
        lenders = {lender for lender, substitute, running in self.lent if substitute == person and running}
        return own + [
            grant
            for grant in self.grants
            if grant.person in lenders and grant.role == Role.OFFICER and grant.holds
        ]

    def sees(self, person: int, row: tuple[int, int, bool], organization: int | None = None) -> bool:
        """The rule of `domain.md` 2.2, said once more and in another way than the querysets say it."""
        bureau, chain, is_draft = row
        for grant in self.held_by(person):
            if grant.role in BUREAU_ROLES:
                reaches = grant.place in self.above(bureau) and grant.chain in (None, chain)
                if grant.role in SEEING_ROLES and reaches and not is_draft:
                    return True
            elif grant.place == organization:
                return True
        return False


@st.composite
def countries(draw: Any) -> Country:
    bureaus = draw(st.integers(2, 7))
    parents: list[int] = []
    level = [0]
    for number in range(1, bureaus):
        parent = draw(st.sampled_from([one for one in range(number) if level[one] < Bureau.Level.OUTPOST]))
        parents.append(parent)
        level.append(level[parent] + 1)
    rows = draw(
        st.lists(
            st.tuples(st.integers(0, bureaus - 1), st.integers(0, 1), st.booleans()), min_size=2, max_size=6
        )
    )
    grants = {}
    for _number in range(draw(st.integers(1, 6))):
        role = draw(st.sampled_from([*BUREAU_ROLES, Role.FILER]))
        place = draw(st.integers(0, (len(rows) if role == Role.FILER else bureaus) - 1))
        limited = role in (Role.OFFICER, Role.AUDITOR) and draw(st.booleans())
        one = GivenGrant(
            draw(st.integers(0, PEOPLE - 1)),
            role,
            place,
            draw(st.integers(0, 1)) if limited else None,
            draw(st.sampled_from(list(DAYS))),
        )
        grants[one.person, role, place, one.chain] = one
    lent = [
        one
        for one in draw(
            st.lists(
                st.tuples(st.integers(0, PEOPLE - 1), st.integers(0, PEOPLE - 1), st.booleans()), max_size=3
            )
        )
        if one[0] != one[1]
    ]
    return Country(tuple(parents), tuple(grants.values()), tuple(lent), tuple(rows))


@dataclass
class Built:
    people: list[User] = field(default_factory=list)
    bureaus: list[Bureau] = field(default_factory=list)
    firms: list[Organization] = field(default_factory=list)
    problems: list[Bottleneck] = field(default_factory=list)


def build(country: Country) -> Built:
    built = Built(people=[factories.user() for _number in range(PEOPLE)])
    for number in range(len(country.parents) + 1):
        parent = built.bureaus[country.parents[number - 1]] if number else None
        code = f"{number:02d}0000"
        built.bureaus.append(factories.bureau(code, f"局{number}", parent))
    chains = [factories.chain("C01", "甲链"), factories.chain("C02", "乙链")]
    for number, (place, chain, is_draft) in enumerate(country.rows):
        at = built.bureaus[place]
        firm = Organization.objects.create(uscc=factories.credit_code(), name=f"〔企业{number}〕", bureau=at)
        filed = (
            {} if is_draft else {"code": f"DK-2024-{at.code}-{number:05d}", "submitted_at": timezone.now()}
        )
        values = factories.filing_values(chain=chains[chain], title=f"〔问题{number}〕")
        status = "draft" if is_draft else "submitted"
        built.firms.append(firm)
        built.problems.append(
            Bottleneck.objects.create(
                organization=firm, bureau=at, handler=at, status=status, **values, **filed
            )
        )
    for one in country.grants:
        starts_on, expires_on = DAYS[one.days]
        place = built.firms[one.place] if one.role == Role.FILER else built.bureaus[one.place]
        factories.grant(
            built.people[one.person],
            one.role,
            place,
            chain=None if one.chain is None else chains[one.chain],
            starts_on=starts_on,
            expires_on=expires_on,
        )
    for lender, substitute, running in country.lent:
        Substitution.objects.create(
            principal=built.people[lender],
            substitute=built.people[substitute],
            starts_on=TODAY - timedelta(days=9),
            ends_on=TODAY if running else TODAY - timedelta(days=1),
        )
    return built


def told(client: Client, address: str, **query: str) -> tuple[str, Any]:
    response = client.get(address, query)
    assert response.status_code in (200, 302, 403), (address, response.status_code)
    body = b"".join(response) if response.streaming else response.content
    return body.decode(), response


@pytest.mark.django_db
@EXAMPLES
@given(country=countries())
def test_no_surface_tells_of_a_row_outside_the_scope(country: Country) -> None:
    with transaction.atomic():
        built = build(country)
        with system_job("the test"):
            rollup_now(get_period(str(TODAY.year)))
        for person, user in enumerate(built.people):
            visible = {
                f"〔问题{number}〕"
                for number, row in enumerate(country.rows)
                if country.sees(person, row, number)
            }
            hidden = {f"〔问题{number}〕" for number in range(len(country.rows))} - visible
            look(User.objects.get(pk=user.pk), built, visible, hidden)
        transaction.set_rollback(True)


def look(user: User, built: Built, visible: set[str], hidden: set[str]) -> None:
    """Every surface that speaks of problems, as one person."""
    client = Client()
    client.force_login(user, SESSION_BACKEND)
    lists = reverse("projects:bottleneck_list")
    for address, query in (
        (lists, {}),
        (reverse("projects:workspace"), {}),
        (reverse("projects:desk_queue", args=["area"]), {}),
        (reverse("search"), {"q": "问题"}),
        (reverse("projects:shared_list"), {}),
        (reverse("projects:twins"), {}),
        *(
            (reverse("bulletins:figure_rows", args=[TODAY.year, unit.code, code]), {})
            for unit in built.bureaus
            for code in ("I12", "I18")
        ),
        (reverse("admin:projects_bottleneck_changelist"), {}),
        (
            reverse("admin:autocomplete"),
            {
                "app_label": "projects",
                "model_name": "keyproject",
                "field_name": "bottlenecks",
                "term": "问题",
            },
        ),
    ):
        body, _response = told(client, address, **query)
        assert not {title for title in hidden if title in body}, address

    _body, page = told(client, lists)
    assert page.context["page"].paginator.count == len(visible), "the total of the list"
    exported, _response = told(client, lists, export="csv")
    lines = list(csv.reader(io.StringIO(exported.lstrip("\ufeff"))))[1:]
    assert {title for title in visible | hidden if title in exported} == visible
    assert len(lines) == len(visible), "the lines of the export"

    answer = client.get("/api/v1/bottlenecks/").json()
    assert {row["title"] for row in answer["results"]} == visible
    assert answer["count"] == len(visible), "the total of the API"

    for number, row in enumerate(built.problems):
        seen = f"〔问题{number}〕" in visible
        for address in (
            reverse("projects:bottleneck_detail", args=[row.public_id]),
            reverse("api-bottleneck-detail", args=[row.public_id]),
        ):
            # A draft of one's own leads on to where it is written.
            assert client.get(address).status_code in ((200, 302) if seen else (404,)), address


# --- Granting -----------------------------------------------------------------------------------------------

STEPS = st.lists(
    st.tuples(
        st.integers(0, PEOPLE - 1),
        st.integers(0, PEOPLE - 1),
        st.sampled_from(BUREAU_ROLES),
        st.integers(0, 6),
        st.sampled_from([None, 0, 1]),
        st.sampled_from([None, TODAY, TODAY + timedelta(days=400)]),
    ),
    max_size=8,
)


def reach(user: User) -> set[tuple[int, int]]:
    """Everything a person sees: bureaus with a chain."""
    scope = User.objects.get(pk=user.pk).scope
    chains = [factories.chain("C01").pk, factories.chain("C02").pk]
    return {
        (bureau.pk, chain)
        for bureau in Bureau.objects.all()
        for chain in chains
        if scope.covers(bureau, chain)
    }


@pytest.mark.django_db
@EXAMPLES
@given(country=countries(), steps=STEPS)
def test_no_sequence_of_granting_passes_on_more_than_the_givers_hold(country: Country, steps: Any) -> None:
    with transaction.atomic():
        built = build(country)
        chains = [factories.chain("C01"), factories.chain("C02")]
        with system_job("the test"):
            everybody = set().union(*(reach(user) for user in built.people))
            for giver, taker, role, place, chain, until in steps:
                by, to = (User.objects.get(pk=built.people[one].pk) for one in (giver, taker))
                before = reach(by)
                grant = Grant(
                    user=to,
                    role=role,
                    bureau=built.bureaus[place % len(built.bureaus)],
                    chain=None if chain is None else chains[chain],
                    starts_on=date(2020, 1, 1),
                    expires_on=until,
                )
                had = reach(to)
                try:
                    with transaction.atomic():
                        granting.grant_role(by, grant)
                except (PermissionDenied, ValidationError):
                    continue
                assert giver != taker, "nobody gives to itself"
                assert reach(by) == before, "nobody widens the own scope"
                assert reach(to) - had <= before, "nobody gives more than it holds"
            assert set().union(*(reach(user) for user in built.people)) <= everybody
        transaction.set_rollback(True)
