"""What an institution does for firms: the problems it took, its reports and its key projects.

Counted at this moment, of the rows that the reader may see and of no others; each mark leads to just these.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from itertools import pairwise
from statistics import median
from typing import Any, NamedTuple

from django.db.models import Count
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from accounts.models import User
from common import charts, formats
from common.workdays import add_months
from enterprises.models import Bureau, IndustryChain, NqiElement, Organization
from projects.models import Bottleneck, InspectionReport, KeyProject
from projects.now import Mark, Now, bars, problems_address
from projects.querysets import BottleneckQuerySet

# Quarters of the trend, this one included.
QUARTERS = 8
# More bars than these are read in the table beside them.
BARS = 12
Result = Bottleneck.Result


def visible(organization: Organization, user: User) -> bool:
    """Whether there is a board of the institution for this reader: for its own people, and for bureaus."""
    return user.scope.is_of_bureau or organization.pk in user.scope.organization_ids


class Problem(NamedTuple):
    """What is counted of a problem."""

    status: str
    chain_id: int
    path: str
    nqi_elements: Iterable[str]
    listed_at: Any
    accepted_at: Any
    resolved_at: Any

    @property
    def is_solved(self) -> bool:
        return self.status in Bottleneck.SOLVED


FIELDS = (
    "status",
    "chain",
    "bureau__path",
    "nqi_elements",
    "listed_at",
    "accepted_at",
    "resolved_at",
)


def quarters(today: date) -> list[tuple[date, date]]:
    """First and last days of the quarters of the trend, the oldest first."""
    this = today.month - (today.month - 1) % 3
    starts = [add_months(date(today.year, this, 1), 3 * number) for number in range(1 - QUARTERS, 2)]
    return [(first, after - timedelta(1)) for first, after in pairwise(starts)]


@dataclass(frozen=True)
class Group:
    """Marks that stand together in one table, and in one part of a file."""

    heading: str
    marks: list[Mark]
    unit: str

    @property
    def drawing(self) -> SafeString:
        return bars(self.heading, self.marks[:BARS])


class Board:
    """The problems of ``rows``; ``query`` is the filter of the list of problems that picks the same ones,
    ``bureau`` the unit that it names."""

    def __init__(
        self,
        institution: Organization,
        user: User,
        rows: BottleneckQuerySet,
        query: Mapping[str, Any],
        bureau: Bureau | None = None,
    ) -> None:
        self.institution, self.user, self.bureau = institution, user, bureau
        self.now = Now(rows, {**query, "institution": institution.uscc})
        self.rows, self.query = self.now.rows, self.now.query

    @cached_property
    def problems(self) -> list[Problem]:
        return [Problem(*row) for row in self.rows.values_list(*FIELDS)]

    @cached_property
    def solved(self) -> list[Problem]:
        return [row for row in self.problems if row.is_solved]

    def _list(self, **more: Any) -> str:
        return problems_address(self.query, **more)

    # --- In numbers ---

    @cached_property
    def figures(self) -> list[Mark]:
        return [
            Mark(_("承担问题"), len(self.problems), self._list()),
            Mark(_("在办"), self.now.open, self._list(stage="open")),
            Mark(_("已解决"), len(self.solved), self._list(stage="solved")),
            Mark(
                _("按期解决"),
                self.rows.solved_in_time().count(),
                self._list(in_time="on"),
                _("以最后期限为准，含经批准的延期"),
            ),
            Mark(_("解决后实测达标"), self.rows.proved().count(), self._list(proved="on")),
            *self.challenges,
        ]

    @cached_property
    def challenges(self) -> list[Mark]:
        taken = list(self.rows.challenged().values_list("status", "result"))
        return [
            Mark(_("揭榜"), len(taken), self._list(challenged="on")),
            Mark(
                _("揭榜后已解决"),
                sum(status in Bottleneck.SOLVED and result == Result.SOLVED for status, result in taken),
                self._list(challenged="on", stage="solved", result=Result.SOLVED.value),
            ),
        ]

    @cached_property
    def days(self) -> float | None:
        """The median of the calendar days from acceptance to striking off, by the solved problems."""
        waited = [
            (timezone.localdate(row.resolved_at) - timezone.localdate(row.accepted_at)).days
            for row in self.solved
            if row.accepted_at
        ]
        return median(waited) if waited else None

    @property
    def days_href(self) -> str:
        return self._list(stage="solved")

    # --- By what ---

    @cached_property
    def elements(self) -> Group:
        counts = Counter(element for row in self.problems for element in set(row.nqi_elements or ()))
        marks = [
            Mark(str(label), counts[code], self._list(element=code)) for code, label in NqiElement.choices
        ]
        return self._group(_("所缺的质量基础设施要素"), sorted(marks, key=lambda mark: -mark.count))

    @cached_property
    def chains(self) -> Group:
        names = IndustryChain.objects.in_bulk({row.chain_id for row in self.problems})
        return self._counted(
            _("服务的产业链"),
            lambda row: row.chain_id,
            lambda key: (names[key].name, names[key].code),
            "chain",
        )

    @cached_property
    def regions(self) -> Group:
        """By province; what the nation's bureau itself accepted is of no region."""
        asked = self.bureau.code if self.bureau and self.bureau.level > Bureau.Level.NATIONAL else ""
        names = {row.code: row.short_name for row in Bureau.objects.filter(level=Bureau.Level.PROVINCE)}
        return self._counted(
            _("服务的地区"),
            lambda row: next(iter(row.path.split("/")[1:-1]), None),
            lambda key: (names[key], asked or key),
            "bureau",
        )

    def _counted(
        self,
        heading: str,
        key_of: Callable[[Problem], Any],
        told: Callable[[Any], tuple[str, str]],
        parameter: str,
    ) -> Group:
        """By one property of the problems, the most first; its value in the list's filter is the code."""
        counts: Counter[Hashable] = Counter(key_of(row) for row in self.problems)
        counts.pop(None, None)
        found = sorted(((*told(key), n) for key, n in counts.items()), key=lambda row: (-row[2], row[1]))
        return self._group(
            heading, [Mark(name, n, self._list(**{parameter: code})) for name, code, n in found]
        )

    def _group(self, heading: str, marks: list[Mark]) -> Group:
        return Group(heading, marks, pgettext("unit of count", "个"))

    # --- Quarter by quarter ---

    @cached_property
    def taken_by_quarter(self) -> Group:
        return self._by_quarter(_("每季度列入清单的问题"), "listed", self.problems)

    @cached_property
    def solved_by_quarter(self) -> Group:
        return self._by_quarter(_("每季度解决的问题"), "resolved", self.solved, stage="solved")

    def _by_quarter(self, heading: str, event: str, rows: list[Problem], **more: str) -> Group:
        moments = [getattr(row, f"{event}_at") for row in rows]
        days = [timezone.localdate(moment) for moment in moments if moment]
        marks = []
        for first, last in quarters(self.now.today):
            span = {f"{event}_from": str(first), f"{event}_to": str(last)}
            number = sum(first <= day <= last for day in days)
            marks.append(Mark(f"{first.year}Q{first.month // 3 + 1}", number, self._list(**span, **more)))
        return self._group(heading, marks)

    @property
    def trends(self) -> list[tuple[Group, SafeString]]:
        return [(group, _columns(group)) for group in (self.taken_by_quarter, self.solved_by_quarter)]

    # --- Beside the problems ---

    @cached_property
    def reports(self) -> Group:
        rows = InspectionReport.objects.visible_to(self.user).filter(institution=self.institution)
        return self._by_status(
            _("登记的检验检测报告"), rows, "report_list", {"institution": self.institution.uscc},
            pgettext("reports", "份"),
        )  # fmt: skip

    @cached_property
    def key_projects(self) -> Group:
        rows = KeyProject.objects.visible_to(self.user).counted().filter(lead=self.institution)
        return self._by_status(
            _("牵头的重点攻关项目"), rows, "key_project_list", {"q": self.institution.uscc},
            pgettext("unit of count", "个"),
        )  # fmt: skip

    def _by_status(self, heading: str, rows: Any, name: str, query: Mapping[str, str], unit: str) -> Group:
        counts = dict(rows.order_by().values_list("status").annotate(Count("pk")))
        marks = [Mark(_("合计"), sum(counts.values()), reverse(f"projects:{name}", query=query))]
        for code, label in rows.model.Status.choices:
            if counts.get(code):
                href = reverse(f"projects:{name}", query={**query, "status": code})
                marks.append(Mark(str(label), counts[code], href))
        return Group(heading, marks, unit)

    @property
    def beside(self) -> list[Group]:
        """What is no problem, and not filtered as they are."""
        return [self.reports, self.key_projects]

    # --- Everything at once ---

    @property
    def groups(self) -> list[Group]:
        """All that the page shows."""
        return [
            self._group(_("问题"), self.figures),
            self._group(_("问题所处的状态"), self.now.stages),
            self._group(_("在办问题提交了多久"), self.now.ages),
            self._group(_("在办问题所缺的要素"), self.now.gaps),
            self.elements,
            self.chains,
            self.regions,
            self.taken_by_quarter,
            self.solved_by_quarter,
            *self.beside,
        ]


def _columns(group: Group) -> SafeString:
    return charts.render(
        charts.Columns(
            group.heading,
            tuple(
                charts.Bar(mark.label, mark.count, formats.count(mark.count), mark.href)
                for mark in group.marks
            ),
            unit=group.unit,
            width=charts.NARROW,
        )
    )
