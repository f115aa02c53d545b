"""Problems as they stand in the ledger at this moment: how many in each state, how old, for want of what.

Each mark leads to the list of exactly the rows that it counts.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cached_property
from typing import Any

from django.core.cache import cache
from django.db.models import Case, Count, Value, When
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext

from common import charts, formats
from enterprises.models import Bureau, IndustryChain, NqiElement
from projects.models import Bottleneck, ChainProject
from projects.querysets import BottleneckQuerySet

Status = Bottleneck.Status
# The states in the order of a problem's life, as many as can be told apart in one drawing.
STAGES: tuple[tuple[str | Promise, tuple[str, ...]], ...] = (
    (gettext_lazy("待核实、补正"), (Status.SUBMITTED, Status.RETURNED)),
    (gettext_lazy("已受理"), (Status.ACCEPTED,)),
    (gettext_lazy("列入清单"), (Status.LISTED,)),
    (gettext_lazy("已派单、发榜"), (Status.DISPATCHED, Status.POSTED, Status.AWARDED)),
    (gettext_lazy("攻关中"), (Status.IN_PROGRESS, Status.REOPENED, Status.PARTLY)),
    (gettext_lazy("暂缓、暂无法解决"), (Status.SUSPENDED, Status.UNSOLVABLE)),
    (gettext_lazy("待确认、核验中"), (Status.SOLUTION_FILED, Status.VERIFICATION)),
    (gettext_lazy("已解决"), Bottleneck.SOLVED),
    (
        gettext_lazy("其他结束"),
        (Status.TERMINATED, Status.WITHDRAWN, Status.REJECTED, Status.LAPSED),
    ),
)
# Ages of open problems in days since they were first submitted; the last has no end.
AGES = (30, 90, 180, 365)
REMEMBERED = 60


@dataclass(frozen=True)
class Mark:
    """What is counted, how many of it, the list of these rows, and what to know about it."""

    label: str
    count: int
    href: str
    note: str = ""


class Now:
    """The problems of ``rows``; ``query`` is the filter of the list that picks the same ones."""

    def __init__(self, rows: BottleneckQuerySet, query: Mapping[str, Any], today: date | None = None) -> None:
        self.query = {**query, "masters": "on"}
        self.today = today or timezone.localdate()
        self.rows = rows.counted().masters().exclude(status=Status.DRAFT).order_by()

    @classmethod
    def of_unit(cls, bureau: Bureau, chain: IndustryChain | None = None) -> "Now":
        """Of a unit with all below it, for those whose scope covers it; counted once a minute."""
        rows = Bottleneck.objects.judged("those whose scope covers the unit")
        rows = rows.filter(bureau__path__startswith=bureau.path)
        query = {"bureau": bureau.code}
        if chain:
            rows, query = rows.filter(chain=chain), query | {"chain": chain.code}
        found = cls(rows, query)
        key = f"now:{bureau.pk}:{chain.pk if chain else 0}:{found.today}"
        found.__dict__["_counts"] = cache.get_or_set(key, found._count, REMEMBERED)
        return found

    @classmethod
    def of_project(cls, project: ChainProject, user: Any) -> "Now":
        """Of a project, as far as the reader sees them."""
        rows = Bottleneck.objects.visible_to(user).filter(project=project)
        return cls(rows, {"project": project.code})

    @cached_property
    def _counts(self) -> list[tuple[str, int, tuple[str, ...], int]]:
        return self._count()

    def _count(self) -> list[tuple[str, int, tuple[str, ...], int]]:
        """State, band of age, missing elements, and how many: the database reads the rows once."""
        bands = [
            When(submitted_at__gte=_begin(self.today - timedelta(days - 1)), then=Value(band))
            for band, days in enumerate(AGES)
        ]
        rows: Any = self.rows.annotate(band=Case(*bands, default=Value(len(AGES))))
        return list(rows.values_list("status", "band", "nqi_elements").annotate(Count("pk")))

    @cached_property
    def total(self) -> int:
        return sum(n for *_told, n in self._counts)

    @cached_property
    def open(self) -> int:
        return sum(n for status, _band, _elements, n in self._counts if status not in Bottleneck.ENDED)

    @cached_property
    def stages(self) -> list[Mark]:
        of_status: Counter[str] = Counter()
        for status, _band, _elements, n in self._counts:
            of_status[status] += n
        return [
            Mark(str(label), sum(of_status[status] for status in states), self._list(status=list(states)))
            for label, states in STAGES
        ]

    @cached_property
    def ages(self) -> list[Mark]:
        """Of the open ones, the youngest first."""
        of_band: Counter[int] = Counter()
        for status, band, _elements, n in self._counts:
            if status not in Bottleneck.ENDED:
                of_band[band] += n
        marks = []
        for band, (over, upto) in enumerate(zip((0, *AGES), (*AGES, None), strict=True)):
            days: dict[str, str] = {}
            if over:
                days["submitted_to"] = f"{self.today - timedelta(over)}"
            if upto:
                days["submitted_from"] = f"{self.today - timedelta(upto - 1)}"
            marks.append(Mark(_age(over, upto), of_band[band], self._list(stage="open", **days)))
        return marks

    @cached_property
    def gaps(self) -> list[Mark]:
        """Of the open ones, by the element of the quality infrastructure that is missing, the most first."""
        of_element: Counter[str] = Counter()
        for status, _band, elements, n in self._counts:
            if status not in Bottleneck.ENDED:
                of_element.update(dict.fromkeys(elements or (), n))
        marks = [
            Mark(str(label), of_element[code], self._list(stage="open", element=code))
            for code, label in NqiElement.choices
        ]
        return sorted(marks, key=lambda mark: -mark.count)

    def _list(self, **more: Any) -> str:
        return problems_address(self.query, **more)

    # --- Drawn ---

    @property
    def flow(self) -> SafeString:
        unit = pgettext("unit of count", "个")
        segments = tuple(
            charts.Segment(mark.label, mark.count, formats.count(mark.count), mark.href)
            for mark in self.stages
        )
        return charts.render(charts.Flow(_("问题所处的状态"), segments, unit=unit))

    @property
    def ageing(self) -> SafeString:
        return bars(_("在办问题提交了多久"), self.ages)

    @property
    def lacking(self) -> SafeString:
        return bars(_("在办问题所缺的质量基础设施要素"), self.gaps)


def problems_address(query: Mapping[str, Any], **more: Any) -> str:
    """The list of problems by a filter and more of it; of two spans of days their common part."""
    for name in more.keys() & query.keys():
        if name.endswith("_from"):
            more[name] = max(more[name], query[name])
        elif name.endswith("_to"):
            more[name] = min(more[name], query[name])
    return reverse("projects:bottleneck_list", query={**query, **more})


def bars(title: str, marks: list[Mark]) -> SafeString:
    """One bar for each mark, in the order given."""
    bars = tuple(charts.Bar(mark.label, mark.count, formats.count(mark.count), mark.href) for mark in marks)
    return charts.render(
        charts.HorizontalBars(title, bars, unit=pgettext("unit of count", "个"), width=charts.NARROW)
    )


def _begin(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


def _age(over: int, upto: int | None) -> str:
    if upto is None:
        return _("%(days)d 天以上") % {"days": over}
    if not over:
        return _("%(days)d 天以内") % {"days": upto}
    return _("%(first)d 至 %(last)d 天") % {"first": over + 1, "last": upto}
