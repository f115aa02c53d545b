"""What chain projects set out to reach and how much of it they have, by the units of the bureau tree.

Counted at this moment; each number leads to the list of exactly these goals.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.core.cache import cache
from django.db.models import Count
from django.urls import reverse
from django.utils import timezone

from enterprises.models import Bureau, IndustryChain
from projects.models import ChainProject, ProjectGoal

REMEMBERED = 60
State = ProjectGoal.State


@dataclass(frozen=True)
class Goals:
    """The goals of a unit with all below it: how many are set, reached, and past their day without."""

    unit: Bureau
    total: int
    reached: int
    late: int
    chain: IndustryChain | None

    def _list(self, **more: str) -> str:
        query = {"bureau": self.unit.code} | ({"chain": self.chain.code} if self.chain else {}) | more
        return reverse("projects:goal_list", query=query)

    @property
    def total_href(self) -> str:
        return self._list()

    @property
    def reached_href(self) -> str:
        return self._list(state=State.REACHED.value)

    @property
    def late_href(self) -> str:
        return self._list(state=State.LATE.value)


def of_units(whole: Bureau, units: Iterable[Bureau], chain: IndustryChain | None = None) -> list[Goals]:
    """Of a unit and of units below it, for those whose scope covers it; counted once a minute."""
    key = f"goals:{whole.pk}:{chain.pk if chain else 0}:{timezone.localdate()}"
    counts: Any = cache.get_or_set(key, lambda: _count(whole, chain), REMEMBERED)
    return [_of(unit, counts, chain) for unit in (whole, *units)]


def _count(whole: Bureau, chain: IndustryChain | None) -> list[tuple[str, str, int]]:
    """Path of the bureau, state, and how many goals."""
    projects = ChainProject.objects.judged("those whose scope covers the unit").counted()
    projects = projects.filter(bureau__path__startswith=whole.path)
    if chain:
        projects = projects.filter(chain=chain)
    goals: Any = ProjectGoal.objects.judged("of these projects").filter(project__in=projects)
    rows = goals.with_state().order_by().values_list("project__bureau__path", "state")
    return list(rows.annotate(Count("pk")))


def _of(unit: Bureau, counts: list[tuple[str, str, int]], chain: IndustryChain | None) -> Goals:
    states: Counter[str] = Counter()
    for path, state, number in counts:
        if path.startswith(unit.path):
            states[state] += number
    return Goals(unit, sum(states.values()), states[State.REACHED], states[State.LATE], chain)
