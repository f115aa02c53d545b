"""The indicator catalogue: what each figure counts, declared once (`domain.md` 5.4, design decision 6).

A **base** is a set of ledger rows: which rows, in which period, for which unit and chain, the key under
which a thing is counted once, and how much a row adds. An **indicator** is a figure made of bases: their sum,
their distinct keys, the ratio of two of them, or a median. The compiler in `bulletins.rollup` turns both into
SQL for all units at once; `bulletins.recount` counts the same in plain Python.

A rule that changes is declared as a new version beside the old one, each with the days it is in force. A
period is counted by what is in force on its last day; its snapshot remembers the versions.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property, lru_cache
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

from django.db import models
from django.db.models import (
    BigIntegerField,
    Case,
    Exists,
    F,
    Func,
    IntegerField,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
)
from django.db.models.functions import Cast, Coalesce, Round, TruncDate
from django.utils.functional import Promise
from django.utils.translation import gettext, pgettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from bulletins import periods
from bulletins.models import CountedRow, Period
from common import formats
from enterprises.models import Organization
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

Rows: TypeAlias = QuerySet[Any, Any]
Words: TypeAlias = str | Promise

# The edition of the dictionary; what may be compared is told by the versions of the indicators.
DEFINITION_VERSION = "2026.1"
SHANGHAI = ZoneInfo("Asia/Shanghai")


@dataclass(frozen=True)
class Before:
    """An earlier frozen period: its days, its snapshot, those of the frozen periods after it, and the bases
    that its definitions counted.

    What happened in its days was recorded by its freeze if the snapshot has counted it, for a snapshot is one
    moment of the ledger; everything else came later and may have been counted as such by those ``after``.
    """

    start_on: date
    end_on: date
    snapshot: int
    after: tuple[int, ...]
    bases: frozenset[str]


@dataclass(frozen=True)
class Span:
    """The days of a period, and what its frozen neighbours of the same kind have counted already (rule 6).

    Late rows enter the next period that is open: ``late`` are the frozen periods right before this one, back
    to the next open one, which takes what is late for those before it. ``taken`` are snapshots of later
    periods, which may hold late events of this one.
    """

    start_on: date
    end_on: date
    late: tuple[Before, ...] = ()
    taken: tuple[int, ...] = ()

    @classmethod
    def of(cls, period: Period) -> "Span":
        same = Period.objects.filter(kind=period.kind)
        late: list[Before] = []
        after: tuple[int, ...] = ()
        for other in same.filter(end_on__lt=period.start_on).order_by("-start_on"):
            snapshot = other.snapshots.readable().first() if other.is_frozen else None
            if snapshot is None:
                break
            late.append(Before(other.start_on, other.end_on, snapshot.pk, after, bases_of(other.end_on)))
            after = (*after, snapshot.pk)
        taken = [
            snapshot.pk
            for other in same.filter(start_on__gt=period.end_on).order_by("start_on")
            if other.is_frozen and (snapshot := other.snapshots.readable().first())
        ]
        return cls(period.start_on, period.end_on, tuple(late), tuple(taken))


@dataclass(frozen=True)
class Base:
    """A set of ledger rows to count.

    ``rows`` gives the candidates, ``event`` the condition that their date lies between two days; rows with an
    event enter the next period when theirs is frozen (rule 6). ``bureau``, ``chain`` and ``key`` are field
    paths, ``adds`` is what a row adds to a sum. ``entity`` names the ledger whose rows tell a unit that
    reports from one that does not (rule 11). ``shown`` is the path to the row by which a list shows it.
    """

    name: str
    entity: str
    rows: Callable[[Span], Rows]
    event: Callable[[date, date], Q] | None = None
    bureau: str = "bureau"
    chain: str = "chain"
    key: str = "pk"
    adds: str = ""
    shown: str = "pk"

    @cached_property
    def model(self) -> type[models.Model]:
        """The ledger that the rows stand in."""
        return self.rows(Span(date.min, date.min)).model

    @property
    def listed(self) -> Any:
        """The model by whose rows a list shows those of the base."""
        model: Any = self.model
        return model if self.shown == "pk" else model._meta.get_field(self.shown).related_model

    def matching(self, span: Span) -> Rows:
        """The counted rows with the `unit` and `of_chain` they count for, and their `item`."""
        return _matching(self, span).all()

    def _compose(self, span: Span) -> Rows:
        rows = self.rows(span)
        late: Any = Value(0)
        if self.event:
            rows = rows.filter(self.happened(span))
            if span.late:
                inside = self.event(span.start_on, span.end_on)
                late = Case(When(inside, then=0), default=1, output_field=IntegerField())
        return rows.annotate(
            unit=F(self.bureau),
            of_chain=F(self.chain),
            item=F(self.key),
            came_late=late,
            adding=F(self.adds) if self.adds else Value(1),
        )

    def happened(self, span: Span) -> Q:
        """Whether the event of a row belongs to the period: it was in it, or comes late, and is not taken."""
        assert self.event is not None  # noqa: S101
        condition = self.event(span.start_on, span.end_on)
        for one in (one for one in span.late if self.name in one.bases):
            condition |= self.event(one.start_on, one.end_on) & ~Q(pk__in=self._known(one))
        if span.taken:
            elsewhere = CountedRow.objects.filter(snapshot__in=span.taken, base=self.name, late=1)
            condition &= ~Q(pk__in=elsewhere.values("row_id"))
        return condition

    def _known(self, period: Before) -> Rows:
        """The rows that a frozen period has counted, or a later one for it."""
        counted = Q(snapshot=period.snapshot) | Q(snapshot__in=period.after, late=1)
        return CountedRow.objects.filter(counted, base=self.name).values("row_id")

    def counted(self, span: Span) -> Rows:
        """The counted rows as tuples (row, bureau, chain, key, late, amount)."""
        return (
            self.matching(span)
            .order_by()
            .values_list("pk", "unit", "of_chain", "item", "came_late", "adding", named=False)
        )


@lru_cache(maxsize=512)
def _matching(base: Base, span: Span) -> Rows:
    """Composed once, for that takes longer than the database needs for a county; copies of it are read."""
    return base._compose(span)


def _on(field: str) -> Callable[[date, date], Q]:
    """The event is the day in a date field."""
    return lambda start, end: Q(**{f"{field}__gte": start, f"{field}__lte": end})


def _at(field: str) -> Callable[[date, date], Q]:
    """The event is the moment in a time field; days begin and end in Asia/Shanghai."""
    return lambda start, end: Q(
        **{f"{field}__gte": periods.midnight(start), f"{field}__lt": periods.cut_off(end)}
    )


def _moved_to(status: str, problem: str = "pk") -> Callable[[date, date], Q]:
    """The event is a move of the problem into a state; twice in one period is once, and a step that stays in
    the state is none."""

    def between(start: date, end: date) -> Q:
        moves = Transition.objects.filter(_at("at")(start, end), target=status).exclude(source=status)
        return Q(**{f"{problem}__in": moves.values("bottleneck")})

    return between


def _begun_projects(span: Span) -> Rows:
    return ChainProject.objects.counted().filter(status__in=ChainProject.BEGUN)


def _led_projects(span: Span) -> Rows:
    return _begun_projects(span).filter(is_cross_region=True)


def _joined_projects(span: Span) -> Rows:
    led = Q(bureau=F("project__bureau"))
    return ProjectRegion.objects.filter(project__in=_led_projects(span)).exclude(led)


def _executing_projects(span: Span) -> Rows:
    return ChainProject.objects.counted().executing_at(span.end_on)


def _formed_consortia(span: Span) -> Rows:
    return Consortium.objects.counted().exclude(status=Consortium.Status.PREPARING)


# "2024年以来": where the cumulative figures begin (rule 7).
CUMULATIVE_SINCE = date(2024, 1, 1)


def _consortia_since(span: Span) -> Rows:
    return _formed_consortia(span).filter(founded_on__gte=CUMULATIVE_SINCE, founded_on__lte=span.end_on)


def _standing_consortia(span: Span) -> Rows:
    standing = Q(dissolved_on__isnull=True) | Q(dissolved_on__gt=span.end_on)
    return _consortia_since(span).filter(standing)


def _dissolved_consortia(span: Span) -> Rows:
    return _consortia_since(span).filter(dissolved_on__lte=span.end_on)


def _participations(span: Span, role: str) -> Rows:
    """Rows in force on any day of the period on projects under way on any day of it (rules 9 and 10)."""
    under_way = Q(project__closed_on__isnull=True) | Q(project__closed_on__gte=span.start_on)
    return (
        Participation.objects.active_between(span.start_on, span.end_on)
        .filter(
            under_way,
            role=role,
            project__status__in=ChainProject.BEGUN,
            project__start_on__lte=span.end_on,
            project__is_test=False,
            project__voided_at__isnull=True,
        )
        .exclude(organization__in=Organization.objects.filter(is_test=True))
    )


def _leaders(span: Span) -> Rows:
    return _participations(span, Participation.Role.LEADER)


def _members(span: Span) -> Rows:
    """Members that do not lead the same project (rule 2)."""
    leaders = Participation.objects.active_between(span.start_on, span.end_on).filter(
        role=Participation.Role.LEADER
    )
    same_project = leaders.filter(organization=OuterRef("organization"), project=OuterRef("project"))
    # Few firms lead anything: the first condition spares the second for nearly all rows.
    leads_it = Q(organization__in=leaders.values("organization")) & Exists(same_project)
    return _participations(span, Participation.Role.MEMBER).exclude(leads_it)


def _enablers(span: Span) -> Rows:
    return _participations(span, Participation.Role.ENABLER)


def _key_projects(span: Span) -> Rows:
    """The tasks of landmark projects are counted apart by the nation (`domain.md` 9 Q3)."""
    rows = KeyProject.objects.counted().exclude(kind=KeyProject.Kind.LANDMARK_TASK)
    return rows.filter(project__is_test=False, project__voided_at__isnull=True)


def _problems(span: Span) -> Rows:
    test = Organization.objects.filter(is_test=True)
    return Bottleneck.objects.counted().exclude(organization__in=test)


def _masters(span: Span) -> Rows:
    """A merged child is counted with its master (rule 8)."""
    return _problems(span).filter(merged_into__isnull=True)


def _solved(span: Span) -> Rows:
    return _masters(span).filter(result=Bottleneck.Result.SOLVED)


SOLVED_FROM_LIST = Q(result=Bottleneck.Result.SOLVED, listed_at__isnull=False)


def _solved_from_list(span: Span) -> Rows:
    return _masters(span).filter(SOLVED_FROM_LIST)


def _results(span: Span) -> Rows:
    """Published standards, specifications and certificates; the first row with a number is its key."""
    same = ProjectResult.objects.filter(kind=OuterRef("kind"), number=OuterRef("number"))
    rows = ProjectResult.objects.filter(
        kind__in=ProjectResult.COUNTED, project__is_test=False, project__voided_at__isnull=True
    )
    never = Q(key_project__is_test=True) | Q(key_project__voided_at__isnull=False)
    rows = rows.exclude(never).annotate(first=Subquery(same.order_by("pk").values("pk")[:1]))
    if not span.late:
        return rows
    # What a frozen period has counted by its demand is not counted again when a project records it.
    snapshots = [one.snapshot for one in span.late]
    counted = CountedRow.objects.filter(snapshot__in=snapshots, base="demanded").values("row_id")
    known = SpecDemand.objects.filter(kind=OuterRef("kind"), published_no=OuterRef("number"), pk__in=counted)
    return rows.exclude(Exists(known))


def _demanded(span: Span) -> Rows:
    """Numbers published for demands that no project has recorded as its result; the first demand with a
    number is its key, below zero, where no key of a result is."""
    numbered = SpecDemand.objects.exclude(published_no="")
    recorded = _results(Span(span.start_on, span.end_on)).filter(
        kind=OuterRef("kind"), number=OuterRef("published_no")
    )
    same = numbered.filter(kind=OuterRef("kind"), published_no=OuterRef("published_no")).order_by("pk")
    first = Subquery(same.values(negative=0 - F("pk"))[:1], output_field=BigIntegerField())
    return numbered.exclude(Exists(recorded)).annotate(first=first)


def _maps(span: Span) -> Rows:
    """Quality maps that were published, newer versions in their place or not."""
    return QualityMap.objects.filter(status__in=QualityMap.FROZEN)


def _copies(span: Span) -> Rows:
    """Of several sheets that make one copy, one is counted."""
    return _maps(span).filter(is_counted_copy=True)


def _investments(span: Span) -> Rows:
    """What firms paid for key projects, in fen."""
    rows = Investment.objects.filter(key_project__in=_key_projects(span))
    fen = Cast(Round(F("amount") * 100), BigIntegerField())
    return rows.exclude(organization__in=Organization.objects.filter(is_test=True)).annotate(fen=fen)


class _DaysBetween(Func):
    """Calendar days from the first date to the second."""

    output_field = BigIntegerField()

    def as_postgresql(self, compiler: Any, connection: Any) -> Any:
        return self.as_sql(compiler, connection, template="(-(%(expressions)s))", arg_joiner=" - ")

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        template = "CAST(-(julianday(%(expressions)s)) AS INTEGER)"
        return self.as_sql(compiler, connection, template=template, arg_joiner=") - julianday(")


def _durations(span: Span) -> Rows:
    """Solved problems with the days from their acceptance to their last verification before the cut-off."""
    verified = Transition.objects.filter(
        bottleneck=OuterRef("pk"), target=Bottleneck.Status.RESOLVED, at__lt=periods.cut_off(span.end_on)
    ).exclude(source=Bottleneck.Status.RESOLVED)
    day = Subquery(verified.order_by("-sequence").values(day=TruncDate("at", tzinfo=SHANGHAI))[:1])
    rows = _solved(span).filter(accepted_at__isnull=False)
    return rows.annotate(days=_DaysBetween(TruncDate("accepted_at", tzinfo=SHANGHAI), day))


def _helped(span: Span) -> Rows:
    """Solved problems and those merged into them: who filed them benefits."""
    rows = _problems(span).annotate(master=Coalesce("merged_into", "pk"))
    return rows.filter(master__in=_solved(span).values("pk"))


def _benefited(span: Span) -> Rows:
    """Further firms that a solved problem, or one merged into it, helps."""
    rows = Beneficiary.objects.exclude(organization__in=Organization.objects.filter(is_test=True))
    rows = rows.annotate(master=Coalesce("bottleneck__merged_into", "bottleneck"))
    return rows.filter(master__in=_solved(span).values("pk"))


def _challenges(span: Span) -> Rows:
    """Problems that were posted, with the bureau that posted them last before the cut-off."""
    posted = Transition.objects.filter(
        bottleneck=OuterRef("pk"), target=Bottleneck.Status.POSTED, at__lt=periods.cut_off(span.end_on)
    ).exclude(source=Bottleneck.Status.POSTED)
    rows = _masters(span).annotate(poster=Subquery(posted.order_by("-sequence").values("handler")[:1]))
    return rows.filter(poster__isnull=False)


def _won(span: Span) -> Rows:
    """Solved by the team that took the item; what was dispatched after all is not."""
    won = Bottleneck.objects.challenged().filter(result=Bottleneck.Result.SOLVED)
    return _challenges(span).filter(pk__in=won.values("pk"))


ON_LIST = (
    Bottleneck.Status.LISTED,
    Bottleneck.Status.DISPATCHED,
    Bottleneck.Status.POSTED,
    Bottleneck.Status.AWARDED,
    Bottleneck.Status.IN_PROGRESS,
    Bottleneck.Status.SUSPENDED,
    Bottleneck.Status.UNSOLVABLE,
    Bottleneck.Status.SOLUTION_FILED,
    Bottleneck.Status.VERIFICATION,
    Bottleneck.Status.PARTLY,
    Bottleneck.Status.REOPENED,
)
WITH_CLOCK = tuple(
    status
    for status in Bottleneck.Status
    if status not in (Bottleneck.Status.DRAFT, *Bottleneck.ENDED, *Bottleneck.PAUSED)
)


def _before(moment: datetime, field: str) -> Subquery:
    """What the last event of a problem before a moment says: how it stood then."""
    before = Transition.objects.filter(bottleneck=OuterRef("pk"), at__lt=moment)
    return Subquery(before.order_by("-sequence").values(field)[:1])


def _at_cut_off(span: Span, field: str) -> Subquery:
    return _before(periods.cut_off(span.end_on), field)


def _filed_before_cut_off(span: Span) -> Rows:
    return _problems(span).filter(submitted_at__lt=periods.cut_off(span.end_on))


def _listed(span: Span) -> Rows:
    return (
        _filed_before_cut_off(span)
        .filter(list_owner__isnull=False)
        .alias(state=_at_cut_off(span, "target"))
        .filter(state__in=ON_LIST)
    )


def _overdue(span: Span) -> Rows:
    return (
        _filed_before_cut_off(span)
        .alias(state=_at_cut_off(span, "target"), due_on_then=_at_cut_off(span, "clock_due_on"))
        .filter(state__in=WITH_CLOCK, due_on_then__lt=span.end_on)
        .annotate(handler_then=_at_cut_off(span, "handler"))
    )


def _resolvable(span: Span) -> Rows:
    """On a list when the period began, or listed in it; and what I16 counts late, which was on it earlier."""
    begins = periods.midnight(span.start_on)
    open_then = Q(listed_at__lt=begins, state__in=ON_LIST)
    listed = _moved_to(Bottleneck.Status.LISTED)(span.start_on, span.end_on)
    solved = SOLVED_FROM_LIST & BASES["solved_listed"].happened(span)
    rows = _masters(span).alias(state=_before(begins, "target"))
    return rows.filter(listed | solved | open_then)


BASES: dict[str, Base] = {
    base.name: base
    for base in (
        Base("projects", "projects", _begun_projects, _on("start_on")),
        Base("led", "projects", _led_projects, _on("start_on")),
        Base(
            "joined",
            "projects",
            _joined_projects,
            _on("project__start_on"),
            chain="project__chain",
            key="project",
        ),
        Base("in_hand", "projects", _executing_projects),
        Base("consortia", "consortia", _formed_consortia, _on("founded_on")),
        Base("standing", "consortia", _standing_consortia),
        Base("dissolved", "consortia", _dissolved_consortia),
        Base("leaders", "participations", _leaders, chain="project__chain", key="organization"),
        Base("members", "participations", _members, chain="project__chain", key="organization"),
        Base("enablers", "participations", _enablers, chain="project__chain", key="organization"),
        Base(
            "key_projects",
            "key_projects",
            _key_projects,
            _on("contract_on"),
            bureau="project__bureau",
            chain="project__chain",
        ),
        Base(
            "key_accepted",
            "key_projects",
            _key_projects,
            _on("accepted_on"),
            bureau="project__bureau",
            chain="project__chain",
        ),
        Base("filed", "problems", _problems, _at("submitted_at")),
        Base("accepted", "problems", _masters, _at("accepted_at")),
        Base("listed", "problems", _listed, bureau="list_owner"),
        Base("solved", "problems", _solved, _moved_to(Bottleneck.Status.RESOLVED)),
        Base("solved_listed", "problems", _solved_from_list, _moved_to(Bottleneck.Status.RESOLVED)),
        Base("reopened", "problems", _masters, _moved_to(Bottleneck.Status.REOPENED)),
        Base("overdue", "problems", _overdue, bureau="handler_then"),
        Base("resolvable", "problems", _resolvable),
        Base("durations", "problems", _durations, _moved_to(Bottleneck.Status.RESOLVED), adds="days"),
        Base(
            "helped",
            "problems",
            _helped,
            _moved_to(Bottleneck.Status.RESOLVED, "master"),
            bureau="organization__bureau",
            key="organization",
        ),
        Base(
            "benefited",
            "problems",
            _benefited,
            _moved_to(Bottleneck.Status.RESOLVED, "master"),
            bureau="organization__bureau",
            chain="bottleneck__chain",
            key="organization",
            shown="bottleneck",
        ),
        Base(
            "results",
            "projects",
            _results,
            _on("published_on"),
            bureau="project__bureau",
            chain="project__chain",
            key="first",
        ),
        Base("demanded", "projects", _demanded, _on("published_on"), key="first"),
        Base("maps", "maps", _copies, _on("drawn_on")),
        Base("sheets", "maps", _maps, _on("drawn_on"), adds="sheet_count"),
        Base(
            "investments",
            "key_projects",
            _investments,
            _on("booked_on"),
            bureau="key_project__project__bureau",
            chain="key_project__project__chain",
            adds="fen",
        ),
        Base("posted", "problems", _challenges, _moved_to(Bottleneck.Status.POSTED), bureau="poster"),
        Base("taken", "problems", _challenges, _moved_to(Bottleneck.Status.AWARDED), bureau="poster"),
        Base("won", "problems", _won, _moved_to(Bottleneck.Status.RESOLVED), bureau="poster"),
    )
}


EVERY_ROW = ""
# Which rows of a ledger count otherwise when a row of another, or of the same, changes: by the field paths
# that lead from the one to the other, or every row. What a row says of itself goes without saying.
FOLLOWS: dict[type[models.Model], dict[type[models.Model], tuple[str, ...]]] = {
    ChainProject: {},
    ProjectRegion: {ChainProject: ("project",)},
    Consortium: {},
    # Of the same firm, whose lead of a project makes it no member there, `bulletins.refresh` thinks.
    Participation: {ChainProject: ("project",), Organization: ("organization",)},
    KeyProject: {ChainProject: ("project",)},
    # What happens to a problem changes its row as well: `Transition` is not followed on its own.
    Bottleneck: {
        Organization: ("organization", "merged_into__organization"),
        Bottleneck: ("merged_into",),
    },
    Beneficiary: {
        Organization: (
            "organization",
            "bottleneck__organization",
            "bottleneck__merged_into__organization",
        ),
        Bottleneck: ("bottleneck", "bottleneck__merged_into"),
    },
    # The first row with a number is the key of all, and a number counts as a result or by its demand.
    ProjectResult: {
        ChainProject: ("project",),
        KeyProject: ("key_project",),
        ProjectResult: (EVERY_ROW,),
        SpecDemand: (EVERY_ROW,),
    },
    SpecDemand: dict.fromkeys((ChainProject, KeyProject, ProjectResult, SpecDemand), (EVERY_ROW,)),
    QualityMap: {},
    Investment: {
        KeyProject: ("key_project",),
        ChainProject: ("key_project__project",),
        Organization: ("organization",),
    },
}


def reporting(entity: str, span: Span) -> Rows:
    """Rows with a `bureau` that show that a unit keeps this ledger, up to the cut-off (rule 11)."""
    match entity:
        case "projects":
            return ChainProject.objects.counted().filter(start_on__lte=span.end_on)
        case "consortia":
            return Consortium.objects.counted().filter(founded_on__lte=span.end_on)
        case "participations":
            return Participation.objects.filter(
                joined_on__lte=span.end_on, project__is_test=False, project__voided_at__isnull=True
            ).exclude(organization__in=Organization.objects.filter(is_test=True))
        case "key_projects":
            rows = _key_projects(span).filter(start_on__lte=span.end_on)
            return rows.annotate(bureau=F("project__bureau"))
        case "maps":
            return _maps(span).filter(drawn_on__lte=span.end_on)
        case "problems":
            return _filed_before_cut_off(span)
    raise LookupError(entity)


class Nature(models.TextChoices):
    """Whether values of several periods may be added (flow) or not."""

    FLOW = "flow", pgettext_lazy("nature of an indicator", "期间数")
    STOCK = "stock", pgettext_lazy("nature of an indicator", "时点数")
    ACTIVE = "active", pgettext_lazy("nature of an indicator", "期间在册数")
    CUMULATIVE = "cumulative", pgettext_lazy("nature of an indicator", "累计数")
    RATIO = "ratio", pgettext_lazy("nature of an indicator", "比率")


class Kind(models.TextChoices):
    """What is made of the rows; sums of money are kept in fen, medians in half days."""

    SUM = "sum", _("计数")
    MONEY = "money", _("金额")
    RATIO = "ratio", _("比率")
    MEDIAN = "median", _("中位数")


@dataclass(frozen=True)
class Indicator:
    """One version of a figure: the sum of its bases, their distinct keys or median, or a ratio to others."""

    code: str
    name: Words
    unit: Words
    nature: Nature
    counted: Words
    key: Words
    time_rule: Words
    place_rule: Words
    bases: tuple[str, ...]
    distinct: bool = False
    kind: Kind = Kind.SUM
    # The denominator of a ratio.
    over: str = ""
    # Where a cumulative figure begins; periods that end before have none (rule 7).
    since: date | None = None
    note: Words = ""
    version: str = "1"
    # The days whose periods are counted by this version; without one, all before or after.
    valid_from: date = date.min
    valid_to: date = date.max

    @property
    def all_bases(self) -> tuple[str, ...]:
        return (*self.bases, self.over) if self.over else self.bases

    @property
    def made(self) -> str:
        """How its rows become a figure."""
        return gettext("去重计数") if self.distinct else str(self.kind.label)

    @property
    def validity(self) -> str:
        """From when to when periods are counted so."""
        if self.valid_from == date.min and self.valid_to == date.max:
            return gettext("各期间适用")
        first = gettext("最早期间") if self.valid_from == date.min else formats.day(self.valid_from)
        last = (
            pgettext("end of validity", "现在") if self.valid_to == date.max else formats.day(self.valid_to)
        )
        return gettext("截止日在 %(first)s 至 %(last)s 的期间适用") % {"first": first, "last": last}

    def applies_to(self, end_on: date) -> bool:
        return self.since is None or end_on >= self.since

    @property
    def entity(self) -> str:
        return BASES[self.bases[0]].entity


_ITEM = pgettext_lazy("unit of count", "个")
_FIRM = pgettext_lazy("unit of count", "家")
_FIRM_TIMES = pgettext_lazy("unit of count", "家次")
_COPY = pgettext_lazy("unit of maps", "份")
_SHEET = pgettext_lazy("unit of count", "张")
_PIECE = pgettext_lazy("unit of count", "项")
_DAY = pgettext_lazy("unit of count", "天")
_WAN = pgettext_lazy("unit of count", "万元")

_BY_PROJECT = _("项目受理单位；跨区域项目计入牵头单位")
_BY_ADMISSION = _("接纳企业的单位；一家企业在每一级只计一次")
_BY_ADMISSION_ROWS = _("接纳企业的单位")
_BY_KEY_PROJECT = _("所属项目的受理单位")
_BY_ACCEPTANCE = _("受理单位")
_BY_POSTING = _("发榜单位")
_BY_CONSORTIUM = _("牵头单位所在地的受理单位")
_ANY_DAY = _("期间内任一天在册")
_AT_CUT_OFF = _("截止时点")
_PROJECT_NO = _("项目编号")
_CONSORTIUM_NO = _("联合体编号")
_KEY_NO = _("攻关编号")
_PROBLEM_NO = _("问题编号")
_MASTER_NO = _("主问题编号")
_USCC = _("统一社会信用代码")
_EACH_ROW = _("每条参与记录")

# From periods that end on this day on, I23 counts what was published for demands, too.
NUMBERS_OF_DEMANDS = date(2026, 1, 1)

DECLARED: tuple[Indicator, ...] = (
    Indicator(
        "I01",
        _("实施质量强链项目"),
        _ITEM,
        Nature.FLOW,
        _("已立项并开始实施的质量强链项目"),
        _PROJECT_NO,
        _("开始日期在期间内"),
        _BY_PROJECT,
        ("projects",),
    ),
    Indicator(
        "I01L",
        _("其中：牵头跨区域项目"),
        _ITEM,
        Nature.FLOW,
        _("开始实施的跨区域项目"),
        _PROJECT_NO,
        _("开始日期在期间内"),
        _BY_PROJECT,
        ("led",),
    ),
    Indicator(
        "I01P",
        _("参与跨区域项目"),
        _ITEM,
        Nature.FLOW,
        _("由其他单位牵头、本地区参与的跨区域项目"),
        _PROJECT_NO,
        _("开始日期在期间内"),
        _("参与单位"),
        ("joined",),
        distinct=True,
        note=_("在本地区项目总数之外另列，不重复计入。"),
    ),
    Indicator(
        "I02",
        _("在施质量强链项目"),
        _ITEM,
        Nature.STOCK,
        _("已开始、尚未结项的项目"),
        _PROJECT_NO,
        _AT_CUT_OFF,
        _BY_PROJECT,
        ("in_hand",),
    ),
    Indicator(
        "I03",
        _("组建质量技术创新联合体"),
        _ITEM,
        Nature.FLOW,
        _("已组建的联合体"),
        _CONSORTIUM_NO,
        _("组建日期在期间内"),
        _BY_CONSORTIUM,
        ("consortia",),
    ),
    Indicator(
        "I04",
        _("2024年以来组建联合体"),
        _ITEM,
        Nature.CUMULATIVE,
        _("2024年1月1日以来组建、截止时点未解散的联合体"),
        _CONSORTIUM_NO,
        _("组建日期不晚于截止日"),
        _BY_CONSORTIUM,
        ("standing",),
        since=CUMULATIVE_SINCE,
    ),
    Indicator(
        "I04D",
        _("2024年以来解散联合体"),
        _ITEM,
        Nature.CUMULATIVE,
        _("2024年1月1日以来组建、截止时点已解散的联合体"),
        _CONSORTIUM_NO,
        _("解散日期不晚于截止日"),
        _BY_CONSORTIUM,
        ("dissolved",),
        since=CUMULATIVE_SINCE,
    ),
    Indicator(
        "I05",
        _("链主企业"),
        _FIRM,
        Nature.ACTIVE,
        _("以链主身份参与项目的企业"),
        _USCC,
        _ANY_DAY,
        _BY_ADMISSION,
        ("leaders",),
        distinct=True,
    ),
    Indicator(
        "I06",
        _("链主企业参与"),
        _FIRM_TIMES,
        Nature.ACTIVE,
        _("链主企业的参与记录"),
        _EACH_ROW,
        _ANY_DAY,
        _BY_ADMISSION_ROWS,
        ("leaders",),
    ),
    Indicator(
        "I07",
        _("链员企业"),
        _FIRM,
        Nature.ACTIVE,
        _("以链员身份参与项目、且不是同一项目链主的企业"),
        _USCC,
        _ANY_DAY,
        _BY_ADMISSION,
        ("members",),
        distinct=True,
    ),
    Indicator(
        "I07U",
        _("参与企业（去重）"),
        _FIRM,
        Nature.ACTIVE,
        _("以链主或链员身份参与项目的企业"),
        _USCC,
        _ANY_DAY,
        _BY_ADMISSION,
        ("leaders", "members"),
        distinct=True,
        note=_("同时是链主和链员的企业只计一次。"),
    ),
    Indicator(
        "I08",
        _("链员企业参与"),
        _FIRM_TIMES,
        Nature.ACTIVE,
        _("链员企业的参与记录"),
        _EACH_ROW,
        _ANY_DAY,
        _BY_ADMISSION_ROWS,
        ("members",),
    ),
    Indicator(
        "I09",
        _("赋能机构"),
        _FIRM,
        Nature.ACTIVE,
        _("以赋能机构身份参与项目的组织"),
        _USCC,
        _ANY_DAY,
        _BY_ADMISSION,
        ("enablers",),
        distinct=True,
    ),
    Indicator(
        "I10",
        _("实施重点攻关项目"),
        _ITEM,
        Nature.FLOW,
        _("已签约的重点攻关项目，不含标志性项目的攻关任务"),
        _KEY_NO,
        _("签约日期在期间内"),
        _BY_KEY_PROJECT,
        ("key_projects",),
    ),
    Indicator(
        "I11",
        _("完成重点攻关项目"),
        _ITEM,
        Nature.FLOW,
        _("通过验收的重点攻关项目，不含标志性项目的攻关任务"),
        _KEY_NO,
        _("验收日期在期间内"),
        _BY_KEY_PROJECT,
        ("key_accepted",),
    ),
    Indicator(
        "I12",
        _("提出问题"),
        _ITEM,
        Nature.FLOW,
        _("首次提交的堵点卡点问题"),
        _PROBLEM_NO,
        _("首次提交时间在期间内"),
        _("填报企业所在地的受理单位"),
        ("filed",),
    ),
    Indicator(
        "I13",
        _("受理问题"),
        _ITEM,
        Nature.FLOW,
        _("已受理的问题，归并的只计主问题"),
        _MASTER_NO,
        _("受理时间在期间内"),
        _BY_ACCEPTANCE,
        ("accepted",),
    ),
    Indicator(
        "I14",
        _("在清单问题"),
        _ITEM,
        Nature.STOCK,
        _("截止时点列在清单上、尚未销号的问题"),
        _MASTER_NO,
        _AT_CUT_OFF,
        _("清单单位"),
        ("listed",),
    ),
    Indicator(
        "I15",
        _("解决质量堵点卡点问题"),
        _ITEM,
        Nature.FLOW,
        _("核验为“堵点卡点已解决”的问题，归并的只计主问题；一次服务和解答咨询不计"),
        _MASTER_NO,
        _("核验时间在期间内"),
        _BY_ACCEPTANCE,
        ("solved",),
        note=_("为总数；另列扣除反弹重开后的净数。"),
    ),
    Indicator(
        "I16",
        _("其中：清单内解决"),
        _ITEM,
        Nature.FLOW,
        _("解决的问题中曾列入清单的"),
        _MASTER_NO,
        _("核验时间在期间内"),
        _BY_ACCEPTANCE,
        ("solved_listed",),
    ),
    Indicator(
        "I17",
        _("反弹重开"),
        _ITEM,
        Nature.FLOW,
        _("核验解决后重开的问题"),
        _MASTER_NO,
        _("重开时间在期间内"),
        _BY_ACCEPTANCE,
        ("reopened",),
    ),
    Indicator(
        "I18",
        _("逾期未办"),
        _ITEM,
        Nature.STOCK,
        _("截止时点办理时限已过、时限未暂停的问题"),
        _MASTER_NO,
        _AT_CUT_OFF,
        _("当时的办理单位"),
        ("overdue",),
    ),
    Indicator(
        "I19",
        _("清单问题解决率"),
        "%",
        Nature.RATIO,
        _("清单内解决的问题，与期初在清单和期间列入清单的问题之比"),
        _MASTER_NO,
        _("分子为核验时间在期间内；分母为期初在清单或列入时间在期间内"),
        _BY_ACCEPTANCE,
        ("solved_listed",),
        kind=Kind.RATIO,
        over="resolvable",
        note=_("以前期间解决、本期补报的，分子分母都计。分母为零时没有比率。"),
    ),
    Indicator(
        "I20",
        _("解决用时中位数"),
        _DAY,
        Nature.RATIO,
        _("解决的问题从受理到核验经过的天数的中位数，按日历日计，不扣除节假日和暂停的时间"),
        _MASTER_NO,
        _("核验时间在期间内"),
        _BY_ACCEPTANCE,
        ("durations",),
        kind=Kind.MEDIAN,
        note=_("问题为双数时，取居中两个天数的平均。"),
    ),
    Indicator(
        "I21",
        _("受益企业"),
        _FIRM,
        Nature.FLOW,
        _("解决的问题的填报企业、归并进来的问题的填报企业，以及登记的其他受益企业"),
        _USCC,
        _("主问题的核验时间在期间内"),
        _("企业所在地的单位；一家企业在每一级只计一次"),
        ("helped", "benefited"),
        distinct=True,
    ),
    Indicator(
        "I22",
        _("绘制质量图谱"),
        _COPY,
        Nature.FLOW,
        _("已发布并计为一份的质量图谱，每一版各计一份"),
        _("图谱的产业链、编制单位和版本"),
        _("绘制日期在期间内"),
        _("编制图谱的单位"),
        ("maps",),
        note=_("份和张是两种单位，不能换算。"),
    ),
    Indicator(
        "I22S",
        _("绘制质量图谱张数"),
        _SHEET,
        Nature.FLOW,
        _("已发布的质量图谱的张数"),
        _("每张图"),
        _("绘制日期在期间内"),
        _("编制图谱的单位"),
        ("sheets",),
        note=_("份和张是两种单位，不能换算。"),
    ),
    Indicator(
        "I23",
        _("产出标准、规范和证书"),
        _PIECE,
        Nature.FLOW,
        _("项目产出并已发布的标准、计量技术规范和证书"),
        _("发布编号"),
        _("发布日期在期间内"),
        _BY_PROJECT,
        ("results",),
        distinct=True,
        valid_to=NUMBERS_OF_DEMANDS - timedelta(days=1),
        note=_("几个项目共同产出的只计一次；证明问题已解决所引用的标准不计。"),
    ),
    Indicator(
        "I23",
        _("产出标准、规范和证书"),
        _PIECE,
        Nature.FLOW,
        _("项目产出并已发布的标准、计量技术规范和证书，以及规范需求单发布的标准和计量技术规范"),
        _("发布编号"),
        _("发布日期在期间内"),
        _("项目受理单位；没有项目登记的，提出需求的单位"),
        ("results", "demanded"),
        distinct=True,
        version="2",
        valid_from=NUMBERS_OF_DEMANDS,
        note=_(
            "同一编号只计一次：几个项目共同产出的，或者既有需求单又有项目登记的。"
            "证明问题已解决所引用的标准不计。"
        ),
    ),
    Indicator(
        "I24",
        _("带动企业投入"),
        _WAN,
        Nature.FLOW,
        _("重点攻关项目中企业自筹并已入账的资金，不含标志性项目的攻关任务"),
        _("每笔入账"),
        _("入账日期在期间内"),
        _BY_KEY_PROJECT,
        ("investments",),
        kind=Kind.MONEY,
        note=_("精确到分保存，以万元列示。"),
    ),
    Indicator(
        "I25",
        _("揭榜挂帅发榜"),
        _ITEM,
        Nature.FLOW,
        _("发榜征集的问题"),
        _MASTER_NO,
        _("发榜时间在期间内"),
        _BY_POSTING,
        ("posted",),
    ),
    Indicator(
        "I25T",
        _("揭榜挂帅揭榜"),
        _ITEM,
        Nature.FLOW,
        _("确定了揭榜单位的问题"),
        _MASTER_NO,
        _("确定揭榜单位的时间在期间内"),
        _BY_POSTING,
        ("taken",),
    ),
    Indicator(
        "I25A",
        _("揭榜挂帅解决"),
        _ITEM,
        Nature.FLOW,
        _("由揭榜单位解决、核验为“堵点卡点已解决”的问题"),
        _MASTER_NO,
        _("核验时间在期间内"),
        _BY_POSTING,
        ("won",),
    ),
)


def in_force(day: date) -> dict[str, Indicator]:
    """The definitions by which a period ending on this day is counted."""
    return {one.code: one for one in DECLARED if one.valid_from <= day <= one.valid_to}


def bases_of(day: date) -> frozenset[str]:
    """What is counted in a period that ends on this day."""
    return frozenset(base for one in in_force(day).values() for base in one.all_bases)


def versions(definitions: Mapping[str, Indicator]) -> dict[str, str]:
    return {code: one.version for code, one in definitions.items()}


def counted_by(known: Mapping[str, str]) -> dict[str, Indicator]:
    """Today's indicators, each by the version that a snapshot names; others as they are now."""
    declared = {(one.code, one.version): one for one in DECLARED}
    return {code: declared.get((code, known.get(code, "")), one) for code, one in CATALOGUE.items()}


CATALOGUE: dict[str, Indicator] = in_force(date.max)

# The seven figures in the order in which they are published (`domain.md` 6.2).
HEADLINES = ("I01", "I03", "I05", "I07", "I09", "I10", "I15")
