"""The stock of listed problems over a period (`domain.md` 5.4): what was on the lists when it began, what
came, what went, and what is on them at its cut-off.

Stocks are told by the last event before a moment, flows by the events between. They agree when every problem
came and went by an event that is told of; an event that is missing, or a way on or off a list that the
identity does not name, shows as a difference. A problem counts for the unit that owns its list now.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.db.models import Case, Count, F, IntegerField, OuterRef, Q, QuerySet, Subquery, Sum, Value, When
from django.db.models.functions import Coalesce

from bulletins.indicators import BASES, ON_LIST, Span
from bulletins.models import Period
from common.scope import system_job
from enterprises.models import Bureau
from projects.models import Bottleneck, Transition

S = Bottleneck.Status
CAME = (S.LISTED, S.REOPENED)
WENT = (S.RESOLVED, S.TERMINATED, S.WITHDRAWN, S.MERGED)
ONTO = Q(target__in=CAME) & ~Q(source__in=ON_LIST)
OFF = Q(target__in=WENT, source__in=ON_LIST)
SIGN = Case(When(ONTO, then=1), default=-1, output_field=IntegerField())
OWNER = "bottleneck__list_owner"


@dataclass(frozen=True)
class Balance:
    """The problems on a unit's lists; ``closing`` is counted, not reckoned."""

    opening: int
    listed: int
    reopened: int
    resolved: int
    terminated: int
    withdrawn: int
    merged: int
    closing: int

    @property
    def reckoned(self) -> int:
        """What closing has to be."""
        gone = self.resolved + self.terminated + self.withdrawn + self.merged
        return self.opening + self.listed + self.reopened - gone


def on_list(day: date) -> QuerySet[Bottleneck]:
    """The problems that stood on a list when a day ended."""
    return BASES["listed"].rows(Span(day, day)).order_by()


def _problems(period: Period) -> QuerySet[Bottleneck]:
    return BASES["filed"].rows(Span(period.start_on, period.end_on)).order_by()


def _moves(period: Period) -> QuerySet[Transition]:
    """Events of the period that put a counted problem on a list or took it off."""
    within = Q(at__gte=period.starts, at__lt=period.cut_off)
    moves = Transition.objects.filter(ONTO | OFF, within, bottleneck__in=_problems(period))
    return moves.order_by()


def _owned(rows: QuerySet[Any], owner: str, unit: Bureau | None) -> QuerySet[Any]:
    return rows.filter(**{f"{owner}__in": Bureau.objects.within(unit).values("pk")}) if unit else rows


def _day_before(period: Period) -> date:
    return period.start_on - timedelta(days=1)


@system_job("stock of the lists")
def balance(period: Period, unit: Bureau | None = None) -> Balance:
    """The stock of the whole country, or of the lists of a unit and those below it."""
    moves = _owned(_moves(period), OWNER, unit)
    flows = dict(moves.values_list("target").annotate(n=Count("pk")))
    return Balance(
        opening=_owned(on_list(_day_before(period)), "list_owner", unit).count(),
        **{str(status): flows.get(status, 0) for status in (*CAME, *WENT)},
        closing=_owned(on_list(period.end_on), "list_owner", unit).count(),
    )


@system_job("stock of the lists")
def unbalanced(period: Period, unit: Bureau | None = None) -> list[str]:
    """The codes of the problems by which the stock of some list does not close; empty when all do.

    Lists are compared as wholes, and only those that differ are looked through row by row.
    """
    left: Counter[int | None] = Counter()
    for rows, owner, amount in (
        (on_list(_day_before(period)), "list_owner", Count("pk")),
        (_moves(period), OWNER, Sum(SIGN)),
    ):
        left.update(dict(_owned(rows, owner, unit).values_list(owner).annotate(n=amount)))
    closing = _owned(on_list(period.end_on), "list_owner", unit)
    left.subtract(dict(closing.values_list("list_owner").annotate(n=Count("pk"))))
    wrong = [owner for owner, number in left.items() if number]
    if not wrong:
        return []
    owned = Q(list_owner__in=[owner for owner in wrong if owner is not None])
    if None in wrong:
        owned |= Q(list_owner__isnull=True)
    moved = _moves(period).filter(bottleneck=OuterRef("pk")).values("bottleneck")
    rows = _problems(period).annotate(
        before=_one_if(on_list(_day_before(period))),
        moved=Coalesce(Subquery(moved.annotate(n=Sum(SIGN)).values("n")), 0),
        after=_one_if(on_list(period.end_on)),
    )
    found = rows.filter(owned).exclude(after=F("before") + F("moved")).order_by("code")
    return [code or "" for code in found.values_list("code", flat=True)]


def _one_if(rows: QuerySet[Bottleneck]) -> Case:
    return Case(When(pk__in=rows.values("pk"), then=1), default=Value(0), output_field=IntegerField())
