"""The stock of listed problems: what was there, what came, what went, and that it closes."""

import random
from collections import Counter
from datetime import date, timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bulletins import identities, services, stock
from bulletins.models import Period
from enterprises.models import Bureau
from projects.models import Bottleneck, Transition
from tests.bulletins.ledger import SPRING, Tree, problem, solved
from tests.bulletins.test_rollup import random_ledger
from tests.worlds import world

pytestmark = pytest.mark.django_db
S = Bottleneck.Status
ON_THE_LIST = {
    "listed", "dispatched", "posted", "awarded", "in_progress", "suspended", "unsolvable", "solution_filed",
    "verification", "partly", "reopened",
}  # fmt: skip


@world
def tree() -> Tree:
    return Tree()


def naive(period: Period, unit: Bureau) -> Counter[str]:
    """Counted by walking through the events of one problem after the other."""
    found: Counter[str] = Counter()
    for row in Bottleneck.objects.filter(submitted_at__isnull=False, is_test=False, voided_at=None):
        owner = row.list_owner
        if row.organization.is_test or owner is None or not owner.path.startswith(unit.path):
            continue
        events = list(row.transitions.order_by("sequence"))
        for name, moment in (("opening", period.starts), ("closing", period.cut_off)):
            past = [event.target for event in events if event.at < moment]
            found[name] += bool(past) and past[-1] in ON_THE_LIST and row.submitted_at < moment
        for event in events:
            was, now = event.source in ON_THE_LIST, event.target in ON_THE_LIST
            if was != now and period.starts <= event.at < period.cut_off:
                found[event.target] += 1
    return found


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(rnd=st.randoms(use_true_random=True), code=st.sampled_from(["2024", "2024Q1", "2024H2", "2024-05"]))
def test_any_ledger_has_the_stock_that_a_walk_through_its_events_finds(rnd: random.Random, code: str) -> None:
    with transaction.atomic():
        units = random_ledger(rnd)
        period = services.get_period(code)
        for unit in units:
            balance, walked = stock.balance(period, unit), naive(period, unit)
            assert vars(balance) == {name: walked[name] for name in vars(balance)}
            assert balance.reckoned == balance.closing
        assert stock.unbalanced(period) == []
        transaction.set_rollback(True)


def test_what_was_listed_and_what_came_less_what_went_is_what_is_listed(tree: Tree) -> None:
    before, later = date(2023, 11, 1), date(2024, 9, 1)
    listed = [(S.SUBMITTED, before), (S.ACCEPTED, before), (S.LISTED, before)]
    problem(tree.huqiu, *listed)
    problem(tree.huqiu, *listed, (S.TERMINATED, SPRING))
    problem(tree.huqiu, *listed, (S.RESOLVED, SPRING), (S.REOPENED, later))
    solved(tree.huqiu)
    problem(tree.wujiang, (S.SUBMITTED, SPRING), (S.ACCEPTED, SPRING), (S.LISTED, SPRING))
    balance = stock.balance(services.get_period("2024"), tree.suzhou)
    assert vars(balance) == {
        "opening": 3, "listed": 2, "reopened": 1, "resolved": 2, "terminated": 1, "withdrawn": 0,
        "merged": 0, "closing": 3,
    }  # fmt: skip
    assert stock.balance(services.get_period("2024"), tree.wujiang).closing == 1


@pytest.mark.parametrize("gone", [S.LISTED, S.RESOLVED])
def test_an_event_that_is_missing_is_named_and_stops_the_freeze(tree: Tree, gone: str) -> None:
    solved(tree.huqiu)
    row = problem(
        tree.wujiang,
        *[(status, SPRING) for status in (S.SUBMITTED, S.ACCEPTED, S.LISTED, S.RESOLVED)],
        (S.ARCHIVED, SPRING + timedelta(days=9)),
    )
    Transition.objects.filter(bottleneck=row, target=gone).delete()
    period = services.get_period("2024")
    assert stock.unbalanced(period) == stock.unbalanced(period, tree.wujiang) == [row.code]
    assert stock.unbalanced(period, tree.huqiu) == []
    with pytest.raises(ValidationError, match=f"清单存量不平衡.*{row.code}"):
        services.freeze_now(period, None)


def test_a_row_voided_since_the_last_freeze_is_told_of_and_stops_nothing(tree: Tree) -> None:
    row = problem(tree.huqiu, (S.SUBMITTED, SPRING), (S.ACCEPTED, SPRING), (S.LISTED, SPRING))
    first = services.freeze_now(services.get_period("2024Q1"), None)
    assert first.warnings == []
    assert services.freeze_now(services.get_period("2024Q2"), None).warnings == []
    Bottleneck.objects.filter(pk=row.pk).update(voided_at=timezone.now(), void_reason="误报")
    snapshot = services.freeze_now(services.get_period("2024Q3"), None)
    assert len(snapshot.warnings) == 1
    assert (
        f"期初在清单问题 0 个，与2024年第二季度期末的 1 个不同，这些问题后来有变动：{row.code}"
        in snapshot.warnings[0]
    )
    assert identities.breaches(snapshot) == []
