"""Counts the figures of one unit anew, row by row in plain Python, to prove those that SQL has stored.

Written after the words of `domain.md` 5.4 and not after the catalogue's queries: what both agree on is right.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.db.models import Q

from bulletins.figures import NOT_REPORTED, Value, of_unit
from bulletins.indicators import Indicator, Kind, bases_of, in_force
from bulletins.models import CountedRow, Period, Snapshot
from enterprises.models import Bureau, Organization
from projects.models import (
    Beneficiary,
    Bottleneck,
    ChainProject,
    Consortium,
    Investment,
    KeyProject,
    Participation,
    ProjectRegion,
    ProjectResult,
    QualityMap,
    SpecDemand,
    Transition,
)

SHANGHAI = ZoneInfo("Asia/Shanghai")
BEGUN = {"executing", "acceptance", "accepted", "failed", "terminated"}
OFF_LIST = {
    "draft", "submitted", "returned", "rejected", "withdrawn", "lapsed", "accepted", "merged", "resolved",
    "archived", "terminated",
}  # fmt: skip
CLOCK_STANDS = {
    "draft", "rejected", "withdrawn", "lapsed", "merged", "resolved", "archived", "terminated", "returned",
    "solution_filed", "suspended",
}  # fmt: skip
SINCE = date(2024, 1, 1)
OF_PROJECTS = ("bureau", "status", "is_cross_region", "start_on", "closed_on", "is_test", "voided_at")
OF_THE_PROJECT = ("project__bureau", "project__is_test", "project__voided_at")
OF_PROBLEMS = (
    "bureau", "organization", "merged_into", "list_owner", "result", "route", "submitted_at", "accepted_at",
    "listed_at",
)  # fmt: skip


class Event(NamedTuple):
    """One line of a problem's record."""

    day: date
    source: str
    target: str
    handler: int
    due: date | None


class Frozen(NamedTuple):
    """A frozen period before: the rows that it or a later one has counted for it, and those that it counted
    late for others, by base."""

    start: date
    end: date
    bases: frozenset[str]
    rows: dict[str, set[int]]
    came_late: dict[str, set[int]]


@dataclass(frozen=True)
class Difference:
    """A figure that is stored otherwise than it is counted now, and the rows that came or went since.

    A row that adds another amount than it did has gone and come.
    """

    indicator: Indicator
    stored: Value
    counted: Value
    came: tuple[int, ...] = ()
    went: tuple[int, ...] = ()

    @property
    def code(self) -> str:
        return self.indicator.code


def differences(snapshot: Snapshot, bureau: Bureau) -> list[Difference]:
    """What of a unit's stored figures no longer agrees with the ledger; of frozen ones, by which rows."""
    count = Recount(snapshot.period, bureau)
    stored = of_unit(snapshot, bureau)
    kept: dict[str, set[tuple[int, int]]] = defaultdict(set)
    for base, row, amount in CountedRow.objects.filter(snapshot=snapshot, bureau__in=count.units).values_list(
        "base", "row_id", "amount"
    ):
        kept[base].add((row, amount))
    found = []
    for code, indicator in count.definitions.items():
        before, now = stored.get(code, NOT_REPORTED), count.figure(code)
        came: set[int] = set()
        went: set[int] = set()
        if snapshot.version:
            for base in indicator.all_bases:
                rows = {(row, count.amounts[base].get(row, 1)) for row in count.rows[base]}
                came |= {row for row, _amount in rows - kept[base]}
                went |= {row for row, _amount in kept[base] - rows}
        if before.stated != now.stated or came or went:
            found.append(Difference(indicator, before, now, tuple(sorted(came)), tuple(sorted(went))))
    return found


class Recount:
    """The rows of a unit's subtree that count in a period, by the names of the catalogue's bases."""

    def __init__(self, period: Period, bureau: Bureau) -> None:
        self.start, self.end = period.start_on, period.end_on
        self.units = self._subtree(bureau)
        self.everywhere = bureau.level == Bureau.Level.NATIONAL
        self.definitions = in_force(period.end_on)
        self.rows: dict[str, dict[int, int]] = defaultdict(dict)
        self.amounts: dict[str, dict[int, int]] = defaultdict(dict)
        self.reporting: set[str] = set()
        self.test_firms = set(Organization.objects.filter(is_test=True).values_list("pk", flat=True))
        self._read_frozen(period)
        self._count_projects()
        self._count_consortia()
        self._count_participations()
        self._count_key_projects()
        self._count_results()
        self._count_maps()
        self._count_investments()
        self._count_problems()
        self._count_beneficiaries()

    def figure(self, code: str) -> Value:
        indicator = self.definitions[code]
        told = indicator.entity in self.reporting and (not code.startswith("I04") or self.end >= SINCE)
        if indicator.kind == Kind.RATIO:
            above, below = (
                sum(len(self.rows[base]) for base in bases) for bases in (indicator.bases, [indicator.over])
            )
            return Value(numerator=above, denominator=below) if below or told else NOT_REPORTED
        keys = [key for base in indicator.bases for key in self.rows[base].values()]
        amounts = [self.amounts[base].get(row, 1) for base in indicator.bases for row in self.rows[base]]
        if indicator.kind == Kind.MEDIAN:
            n = len(amounts)
            middle = sorted(amounts + amounts)[n - 1 : n + 1]
            return Value(sum(middle) if n else None, denominator=n) if n or told else NOT_REPORTED
        number = len(set(keys)) if indicator.distinct else sum(amounts)
        return Value(number) if number or told else NOT_REPORTED

    def _subtree(self, bureau: Bureau) -> set[int]:
        children = defaultdict(list)
        for pk, parent in Bureau.objects.values_list("pk", "parent_id"):
            children[parent].append(pk)
        units, waiting = set(), [bureau.pk]
        while waiting:
            unit = waiting.pop()
            units.add(unit)
            waiting += children[unit]
        return units

    def _here(self, *fields: str) -> Q:
        """Rows of the subtree, to read no more than needed; the whole country needs no condition."""
        here = Q()
        if not self.everywhere:
            for field in fields:
                here |= Q(**{f"{field}__in": self.units})
        return here

    def _read_frozen(self, period: Period) -> None:
        """Late rows come here from the frozen periods before, as far back as no open one stands between."""
        self.late: list[Frozen] = []
        self.taken: dict[str, set[int]] = defaultdict(set)
        self.demanded: set[int] = set()
        is_next = True
        for other in Period.objects.filter(kind=period.kind).order_by("-start_on"):
            snapshot = other.snapshots.readable().first() if other.is_frozen else None
            if other.start_on > self.end and snapshot:
                for base, row, late in self._counted(snapshot):
                    if late:
                        self.taken[base].add(row)
            if other.end_on >= self.start:
                continue
            is_next = is_next and snapshot is not None
            if is_next and snapshot:
                self._read_before(other, snapshot)

    def _counted(self, snapshot: Snapshot) -> list[tuple[str, int, int]]:
        rows = CountedRow.objects.filter(snapshot=snapshot)
        return list(rows.values_list("base", "row_id", "late"))

    def _read_before(self, period: Period, snapshot: Snapshot) -> None:
        bases = bases_of(period.end_on)
        known = Frozen(period.start_on, period.end_on, bases, defaultdict(set), defaultdict(set))
        for later in self.late:
            for base, rows in later.came_late.items():
                known.rows[base] |= rows
        for base, row, late in self._counted(snapshot):
            known.rows[base].add(row)
            if late:
                known.came_late[base].add(row)
            if base == "demanded":
                self.demanded.add(row)
        self.late.append(known)

    def _enter(self, base: str, row: int, bureau: int | None, key: int, days: Iterable[date | None]) -> None:
        """Count a row whose event was on one of these days, or that comes late from a frozen period."""
        dates = [day for day in days if day is not None]
        on_time = any(self.start <= day <= self.end for day in dates)
        late = any(
            before.start <= day <= before.end and base in before.bases and row not in before.rows[base]
            for before in self.late
            for day in dates
        )
        if bureau in self.units and (on_time or late) and row not in self.taken[base]:
            self.rows[base][row] = key

    def _keep(self, base: str, row: int, bureau: int | None, key: int) -> None:
        if bureau in self.units:
            self.rows[base][row] = key

    def _report(self, entity: str, bureau: int, counts: bool) -> None:
        if counts and bureau in self.units:
            self.reporting.add(entity)

    def _count_projects(self) -> None:
        for project in _only(ChainProject.objects.filter(self._here("bureau")), *OF_PROJECTS):
            counts = not project.is_test and project.voided_at is None
            begun = counts and project.status in BEGUN
            self._report("projects", project.bureau_id, counts and project.start_on <= self.end)
            if begun:
                self._enter("projects", project.pk, project.bureau_id, project.pk, [project.start_on])
            if begun and project.is_cross_region:
                self._enter("led", project.pk, project.bureau_id, project.pk, [project.start_on])
            closed = project.closed_on is not None and project.closed_on <= self.end
            if begun and project.start_on <= self.end and not closed:
                self._keep("in_hand", project.pk, project.bureau_id, project.pk)
        links = ProjectRegion.objects.filter(self._here("bureau")).select_related("project")
        for link in _only(links, "bureau", *(f"project__{name}" for name in OF_PROJECTS)):
            project = link.project
            counts = not project.is_test and project.voided_at is None and project.status in BEGUN
            if counts and project.is_cross_region and link.bureau_id != project.bureau_id:
                self._enter("joined", link.pk, link.bureau_id, project.pk, [project.start_on])

    def _count_consortia(self) -> None:
        for row in Consortium.objects.filter(self._here("bureau"), is_test=False, voided_at=None):
            founded, dissolved = row.founded_on, row.dissolved_on
            self._report("consortia", row.bureau_id, founded is not None and founded <= self.end)
            if row.status == "preparing" or founded is None:
                continue
            self._enter("consortia", row.pk, row.bureau_id, row.pk, [founded])
            if SINCE <= founded <= self.end:
                gone = dissolved is not None and dissolved <= self.end
                self._keep("dissolved" if gone else "standing", row.pk, row.bureau_id, row.pk)

    def _count_participations(self) -> None:
        counting = ChainProject.objects.filter(is_test=False, voided_at=None)
        projects = {project.pk: project for project in _only(counting, *OF_PROJECTS)}
        fields = ("pk", "project_id", "organization_id", "role", "bureau_id", "joined_on", "left_on")
        leading = {
            (project, firm)
            for _pk, project, firm, _role, _bureau, joined, left in Participation.objects.filter(
                role="leader"
            ).values_list(*fields)
            if joined <= self.end and (left is None or left >= self.start)
        }
        names = {"leader": "leaders", "member": "members", "enabler": "enablers"}
        rows = Participation.objects.filter(self._here("bureau")).values_list(*fields)
        for pk, project_id, firm, role, bureau, joined, left in rows.iterator():
            project = projects.get(project_id)
            if project is None or firm in self.test_firms or joined > self.end:
                continue
            self._report("participations", bureau, True)
            if left is not None and left < self.start:
                continue
            if project.status not in BEGUN or project.start_on > self.end:
                continue
            if project.closed_on is not None and project.closed_on < self.start:
                continue
            if role == "member" and (project_id, firm) in leading:
                continue
            self._keep(names[role], pk, bureau, firm)

    def _count_key_projects(self) -> None:
        rows = KeyProject.objects.filter(self._here("project__bureau")).select_related("project")
        own = ("kind", "is_test", "voided_at", "start_on", "contract_on", "accepted_on")
        for row in _only(rows, *own, *OF_THE_PROJECT):
            if row.is_test or row.voided_at or row.project.is_test or row.project.voided_at:
                continue
            if row.kind == "landmark_task":
                continue
            bureau = row.project.bureau_id
            self._report("key_projects", bureau, row.start_on <= self.end)
            self._enter("key_projects", row.pk, bureau, row.pk, [row.contract_on])
            self._enter("key_accepted", row.pk, bureau, row.pk, [row.accepted_on])

    def _count_results(self) -> None:
        counted = ("standard", "metrology", "certificate")
        demands = SpecDemand.objects.exclude(published_no="").order_by("pk")
        told = {(row.kind, row.published_no) for row in demands if row.pk in self.demanded}
        recorded: set[tuple[str, str]] = set()
        first: dict[tuple[str, str], int] = {}
        results = ProjectResult.objects.select_related("project", "key_project").filter(kind__in=counted)
        own = ("kind", "number", "published_on", "key_project__is_test", "key_project__voided_at")
        for row in _only(results, *own, *OF_THE_PROJECT).order_by("pk"):
            number = (row.kind, row.number)
            first.setdefault(number, row.pk)
            if any(one and (one.is_test or one.voided_at) for one in (row.project, row.key_project)):
                continue
            recorded.add(number)
            if number not in told:
                self._enter("results", row.pk, row.project.bureau_id, first[number], [row.published_on])
        first.clear()
        for demand in demands:
            number = (demand.kind, demand.published_no)
            key = -first.setdefault(number, demand.pk)
            if number not in recorded:
                self._enter("demanded", demand.pk, demand.bureau_id, key, [demand.published_on])

    def _count_maps(self) -> None:
        for row in QualityMap.objects.filter(self._here("bureau"), status__in=["published", "superseded"]):
            self._report("maps", row.bureau_id, row.drawn_on <= self.end)
            self.amounts["sheets"][row.pk] = row.sheet_count
            self._enter("sheets", row.pk, row.bureau_id, row.pk, [row.drawn_on])
            if row.is_counted_copy:
                self._enter("maps", row.pk, row.bureau_id, row.pk, [row.drawn_on])

    def _count_investments(self) -> None:
        rows = Investment.objects.filter(self._here("key_project__project__bureau"))
        own = ("organization", "amount", "booked_on")
        of_them = ("kind", "is_test", "voided_at", *OF_THE_PROJECT)
        rows = rows.select_related("key_project__project")
        for row in _only(rows, *own, *(f"key_project__{name}" for name in of_them)):
            of, project = row.key_project, row.key_project.project
            never = of.is_test or of.voided_at or project.is_test or project.voided_at
            if never or of.kind == "landmark_task" or row.organization_id in self.test_firms:
                continue
            self.amounts["investments"][row.pk] = int(row.amount * Decimal(100))
            self._enter("investments", row.pk, project.bureau_id, row.pk, [row.booked_on])

    def _count_problems(self) -> None:
        touched = Bottleneck.objects.filter(self._here("bureau", "list_owner", "transitions__handler"))
        moves = Transition.objects.filter(self._of(touched, "bottleneck")).order_by("sequence")
        events: dict[int, list[Event]] = defaultdict(list)
        for pk, at, *said in moves.values_list(
            "bottleneck_id", "at", "source", "target", "handler_id", "clock_due_on"
        ).iterator():
            events[pk].append(Event(_day(at), *said))
        rows = Bottleneck.objects.filter(self._of(touched, "pk"), submitted_at__isnull=False)
        counting = rows.filter(is_test=False, voided_at=None)
        for row in _only(counting, *OF_PROBLEMS).iterator():
            if row.organization_id not in self.test_firms:
                self._count_problem(row, events[row.pk])

    def _count_beneficiaries(self) -> None:
        here = self._here("organization__bureau")
        filed = _only(
            Bottleneck.objects.filter(here).select_related("organization"),
            "merged_into", "submitted_at", "is_test", "voided_at", "organization__bureau",
        )  # fmt: skip
        more = _only(
            Beneficiary.objects.filter(here).select_related("organization", "bottleneck"),
            "bottleneck__merged_into", "organization__bureau",
        )  # fmt: skip
        helped = [(row, row.merged_into_id or row.pk) for row in filed]
        benefited = [(row, row.bottleneck.merged_into_id or row.bottleneck_id) for row in more]
        masters = {
            row.pk: row
            for row in _only(
                Bottleneck.objects.filter(
                    result="bottleneck_solved", submitted_at__isnull=False, merged_into=None, is_test=False,
                    voided_at=None,
                ),
                "organization",
            )
            if row.organization_id not in self.test_firms
        }  # fmt: skip
        solved_on: dict[int, list[date]] = defaultdict(list)
        moves = Transition.objects.filter(target="resolved").exclude(source="resolved")
        for pk, at in moves.values_list("bottleneck_id", "at"):
            solved_on[pk].append(_day(at))
        for row, master in helped:
            counts = row.submitted_at and not row.is_test and not row.voided_at
            if master in masters and counts and row.organization_id not in self.test_firms:
                self._enter(
                    "helped", row.pk, row.organization.bureau_id, row.organization_id, solved_on[master]
                )
        for row, master in benefited:
            if master in masters and row.organization_id not in self.test_firms:
                self._enter(
                    "benefited", row.pk, row.organization.bureau_id, row.organization_id, solved_on[master]
                )

    def _of(self, rows: Any, field: str) -> Q:
        return Q() if self.everywhere else Q(**{f"{field}__in": rows.values("pk")})

    def _count_problem(self, row: Bottleneck, events: list[Event]) -> None:
        pk, home, submitted = row.pk, row.bureau_id, _day(row.submitted_at)
        self._report("problems", home, submitted is not None and submitted <= self.end)
        self._enter("filed", pk, home, pk, [submitted])
        if row.merged_into_id is None:
            self._enter("accepted", pk, home, pk, [_day(row.accepted_at)])
            days = [event.day for event in events if event.target == "reopened" != event.source]
            self._enter("reopened", pk, home, pk, days)
            solved = [event.day for event in events if event.target == "resolved" != event.source]
            if row.result == "bottleneck_solved":
                self._enter("solved", pk, home, pk, solved)
                if row.listed_at is not None:
                    self._enter("solved_listed", pk, home, pk, solved)
                if row.accepted_at is not None and (past := [day for day in solved if day <= self.end]):
                    self.amounts["durations"][pk] = (past[-1] - _day(row.accepted_at)).days
                    self._enter("durations", pk, home, pk, solved)
            self._count_resolvable(row, events)
            self._count_challenge(row, events, solved)
        before = [event for event in events if event.day <= self.end]
        if not before:
            return
        last = before[-1]
        if last.target not in OFF_LIST:
            self._keep("listed", pk, row.list_owner_id, pk)
        if last.target not in CLOCK_STANDS and last.due is not None and last.due < self.end:
            self._keep("overdue", pk, last.handler, pk)

    def _count_resolvable(self, row: Bottleneck, events: list[Event]) -> None:
        """On a list at the beginning or listed since; or counted as solved from it, be it late."""
        earlier = [event for event in events if event.day < self.start]
        known = row.listed_at is not None and _day(row.listed_at) < self.start
        opening = known and earlier and earlier[-1].target not in OFF_LIST
        listed = any(
            event.target == "listed" != event.source and self.start <= event.day <= self.end
            for event in events
        )
        if opening or listed or row.pk in self.rows["solved_listed"]:
            self._keep("resolvable", row.pk, row.bureau_id, row.pk)

    def _count_challenge(self, row: Bottleneck, events: list[Event], solved: list[date]) -> None:
        days: dict[str, list[date]] = defaultdict(list)
        poster = None
        for event in events:
            if event.target != event.source:
                days[event.target].append(event.day)
            if event.target == "posted" != event.source and event.day <= self.end:
                poster = event.handler
        self._enter("posted", row.pk, poster, row.pk, days["posted"])
        self._enter("taken", row.pk, poster, row.pk, days["awarded"])
        given = [event.target for event in events if event.target in ("dispatched", "awarded")]
        if row.route == "CHAL" and row.result == "bottleneck_solved" and given[-1:] == ["awarded"]:
            self._enter("won", row.pk, poster, row.pk, solved)


def _only(rows: Any, *fields: str) -> Any:
    """The rows in no order, with no more than is asked of them."""
    return rows.order_by().only(*fields)


def _day(moment: datetime | None) -> Any:
    return moment and moment.astimezone(SHANGHAI).date()
