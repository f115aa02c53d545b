"""Random walks through the transition table, legal and not: what holds for every problem at every moment."""

from collections import Counter
from itertools import pairwise
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from projects import services
from projects.models import Bottleneck, Transition
from projects.workflow import MOVES
from tests import factories
from tests.factories import Cast
from tests.projects.test_workflow import data_for, moment

PEOPLE = ("filer", "county_officer", "city_officer", "verifier", "engineer", None)
STEPS = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from([*MOVES]), st.sampled_from(PEOPLE)), min_size=10, max_size=40
)
REFUSALS = (PermissionDenied, ValidationError, services.StaleRow)


def attempt(cast: Cast, row: Bottleneck, name: str, who: str | None) -> Transition | None:
    data: dict[str, Any] = data_for(cast, row, name)
    try:
        return services.move(row, name, by=getattr(cast, who) if who else None, data=data, at=moment(name))
    except REFUSALS:
        return None


def likely(row: Bottleneck, name: str) -> str:
    """A move out of where the problem is, so that walks lead far: the drawn one where it fits."""
    fitting = [move.name for move in MOVES.values() if row.status in move.sources]
    if name in fitting or not fitting:
        return name
    return fitting[sum(map(ord, name)) % len(fitting)]


@pytest.mark.django_db
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=STEPS, led=st.booleans())
def test_any_walk_keeps_one_state_one_event_a_change_and_counts_that_agree(
    steps: list[tuple[int, str, str | None]], led: bool
) -> None:
    with transaction.atomic():
        cast = Cast()
        rows = [factories.draft(cast.filer) for _n in range(3)]
        states = {row.pk: "draft" for row in rows}
        events: Counter[int] = Counter()
        for index, drawn, who in steps:
            row = Bottleneck.objects.get(pk=rows[index].pk)
            name = likely(row, drawn) if led else drawn
            version = row.version
            event = attempt(cast, row, name, who)
            fresh = Bottleneck.objects.get(pk=row.pk)
            if event is None:
                assert (fresh.status, fresh.version) == (states[row.pk], version), "refused, and yet changed"
                continue
            assert event.source == states[row.pk]
            assert MOVES[name].leads_to(event.source) == event.target == fresh.status
            assert fresh.version == version + 1
            states[row.pk] = fresh.status
            events[row.pk] += 1
            # Children follow their master; each step of theirs is an event too.
            for child in fresh.merged_children.all():
                events[child.pk] = child.transitions.count()
        for row in Bottleneck.objects.filter(pk__in=states):
            steps_of = list(row.transitions.order_by("sequence"))
            assert row.status == states[row.pk]
            assert [step.sequence for step in steps_of] == [*range(1, events[row.pk] + 1)]
            assert (steps_of[-1].target if steps_of else "draft") == row.status
            assert all(a.target == b.source for a, b in pairwise(steps_of))
            assert (
                (row.clock_due_on is None) == (row.clock_amber_on is None) == (row.clock_started_on is None)
            )
        open_ones = Bottleneck.objects.filter(pk__in=states).open()
        ended = {str(status) for status in Bottleneck.ENDED} | {"draft"}
        assert open_ones.count() == sum(state not in ended for state in states.values())
        transaction.set_rollback(True)
