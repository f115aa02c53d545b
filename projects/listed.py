"""What is printed of a line of a list, who reads it, and how two versions differ.

One table for page, workbook, paper, interface and comparison. A fact is stored as a plain value (a code, a
day in ISO form, a text) and put into words in the reader's language, on paper in Chinese.
"""

import datetime as dt
import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from django.contrib.auth.models import AnonymousUser
from django.db.models import Prefetch, Q
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from accounts.models import User
from common import formats
from enterprises.models import Bureau, NqiElement
from projects.facts import plain, unit_of
from projects.field_classes import FIELDS, FieldClass
from projects.maps import band
from projects.models import Bottleneck, KeyProject, ListedRow, PolicyInstrument, QualityList

PUBLIC, GOVERNMENT, PARTIES = FieldClass
Kind = QualityList.Kind
Facts = dict[str, Any]
# How a line stands to the version before; not compared, for it differs by itself.
MARKS = {"new": gettext_lazy("新列入"), "solved": gettext_lazy("本期解决")}
# By which of its columns a row of a list names its live row.
THING = {Kind.PROBLEMS: "bottleneck", Kind.KEY_PROJECTS: "key_project", Kind.INSTRUMENTS: "instrument"}


@dataclass(frozen=True, slots=True)
class Fact:
    """One column. ``words`` are those of a code list; ``width`` is its share of the paper."""

    name: str
    label: Any
    read: Callable[[Any], Any]
    reader: FieldClass
    width: float = 1.0
    words: Mapping[Any, Any] | None = None
    is_day: bool = False
    compared: bool = True
    # A line across the paper has room for some twelve columns.
    on_paper: bool = True

    def say(self, value: Any) -> str:
        """The stored value in the language of now; a blank is empty."""
        if value in (None, "", []):
            return ""
        words = self.words or {}
        codes = value if isinstance(value, list) else [value]
        return formats.listed(words.get(code, code) for code in codes)

    def cell(self, value: Any) -> str | dt.date | None:
        """The value for a workbook."""
        if self.is_day:
            return dt.date.fromisoformat(value) if value else None
        return self.say(value) or None


def _day(value: dt.date | dt.datetime | None) -> str | None:
    return formats.day(value) if value else None


def _of_problem(name: str, label: Any, read: Callable[[Any], Any], **more: Any) -> Fact:
    """A fact of a problem is read by whoever reads the field that it is made of (`field_classes`)."""
    return Fact(name, label, read, FIELDS[name], **more)


def _measures(row: Bottleneck) -> list[str]:
    """台架寿命达标率 68 → ≥ 95 %"""
    return [
        f"{one.metric} {plain(one.value_now)} → {'≥' if one.comparison == 'ge' else '≤'} "
        f"{plain(one.target)} {unit_of(one)}".strip()
        for one in row.measures.all()
    ]


def _problems_of(row: KeyProject) -> list[str]:
    """Numbers of the problems that it attacks, as far as they belong to the bureau line of its project."""
    path = row.project.bureau.path
    return sorted(
        problem.code
        for problem in row.bottlenecks.all()
        if problem.code and problem.bureau.path.startswith(path)
    )


MARK = Fact("mark", gettext_lazy("本版"), lambda _row: "", PUBLIC, 0.8, MARKS, compared=False)
FACTS: dict[str, tuple[Fact, ...]] = {
    Kind.PROBLEMS: (
        _of_problem("code", gettext_lazy("问题编号"), lambda row: row.code, width=1.9),
        _of_problem("title", gettext_lazy("问题"), lambda row: row.title, width=2.6),
        _of_problem("organization", gettext_lazy("提出企业"), lambda row: row.organization.name, width=1.9),
        _of_problem("bureau", gettext_lazy("受理单位"), lambda row: row.bureau.short_name),
        _of_problem("segment", gettext_lazy("环节"), lambda row: row.segment and row.segment.name),
        _of_problem(
            "cause",
            gettext_lazy("类别"),
            lambda row: row.cause,
            words=dict(Bottleneck.Cause.choices),
            on_paper=False,
        ),
        _of_problem(
            "nqi_elements",
            gettext_lazy("所缺要素"),
            lambda row: list(row.nqi_elements),
            words=dict(NqiElement.choices),
        ),
        _of_problem(
            "nqi_gap",
            gettext_lazy("缺口"),
            lambda row: row.nqi_gap,
            words=dict(Bottleneck.Gap.choices),
            on_paper=False,
        ),
        _of_problem("measures", gettext_lazy("目标"), _measures, width=2.0),
        _of_problem(
            "grade",
            gettext_lazy("级别"),
            lambda row: row.grade,
            words=dict(Bottleneck.Grade.choices),
            width=0.8,
        ),
        _of_problem(
            "route", gettext_lazy("解决路径"), lambda row: row.route, words=dict(Bottleneck.Route.choices)
        ),
        _of_problem(
            "assigned_to",
            gettext_lazy("承担机构"),
            lambda row: row.assigned_to and row.assigned_to.name,
            width=1.6,
        ),
        _of_problem("due_on", gettext_lazy("期限"), lambda row: _day(row.due_on), is_day=True, width=1.3),
        _of_problem(
            "status", gettext_lazy("状态"), lambda row: row.status, words=dict(Bottleneck.Status.choices)
        ),
        _of_problem(
            "resolved_at",
            gettext_lazy("解决日期"),
            lambda row: _day(row.resolved_at) if row.status in Bottleneck.SOLVED else None,
            is_day=True,
            width=1.1,
        ),
        MARK,
    ),
    Kind.KEY_PROJECTS: (
        Fact("code", gettext_lazy("攻关编号"), lambda row: row.code, PARTIES, 1.9),
        Fact("name", gettext_lazy("攻关项目"), lambda row: row.name, PUBLIC, 2.6),
        Fact(
            "problems",
            gettext_lazy("攻关的问题"),
            _problems_of,
            PARTIES,
            2.0,
        ),
        Fact("lead", gettext_lazy("牵头单位"), lambda row: row.lead.name, PARTIES, 1.9),
        Fact("bureau", gettext_lazy("受理单位"), lambda row: row.project.bureau.short_name, PARTIES),
        Fact("project", gettext_lazy("所属项目"), lambda row: row.project.name, PARTIES, 2.0),
        Fact("kind", gettext_lazy("类别"), lambda row: row.kind, PUBLIC, 1.2, dict(KeyProject.Kind.choices)),
        Fact(
            "route",
            gettext_lazy("组织方式"),
            lambda row: row.route,
            PUBLIC,
            1.0,
            dict(KeyProject.Route.choices),
        ),
        Fact(
            "nqi_elements",
            gettext_lazy("要素"),
            lambda row: list(row.nqi_elements),
            PUBLIC,
            1.2,
            dict(NqiElement.choices),
        ),
        Fact("start_on", gettext_lazy("开始"), lambda row: _day(row.start_on), PUBLIC, 1.3, is_day=True),
        Fact("end_on", gettext_lazy("结束"), lambda row: _day(row.end_on), PUBLIC, 1.3, is_day=True),
        Fact(
            "status",
            gettext_lazy("状态"),
            lambda row: row.status,
            PUBLIC,
            1.0,
            dict(KeyProject.Status.choices),
        ),
        MARK,
    ),
    Kind.INSTRUMENTS: (
        Fact("title", gettext_lazy("政策名称"), lambda row: row.title, PUBLIC, 2.6),
        Fact(
            "kind",
            pgettext_lazy("policy instrument", "类型"),
            lambda row: row.kind,
            PUBLIC,
            1.0,
            dict(PolicyInstrument.Kind.choices),
        ),
        Fact("department", gettext_lazy("主管部门"), lambda row: row.department, PUBLIC, 1.5),
        Fact("doc_no", gettext_lazy("文号"), lambda row: row.doc_no, PUBLIC, 1.5),
        Fact("target", gettext_lazy("支持对象和内容"), lambda row: row.target, PUBLIC, 3.4),
        Fact("valid_from", gettext_lazy("起始"), lambda row: _day(row.valid_from), PUBLIC, 1.3, is_day=True),
        Fact("valid_to", gettext_lazy("截止"), lambda row: _day(row.valid_to), PUBLIC, 1.3, is_day=True),
        Fact("contact", gettext_lazy("咨询方式"), lambda row: row.contact, PUBLIC, 1.6),
        Fact("link", gettext_lazy("原文网址"), lambda row: row.link, PUBLIC, 1.8),
        MARK,
    ),
}
# What an editor writes beside a row may name firms.
NOTE = Fact("note", gettext_lazy("备注"), lambda _row: "", PARTIES, 1.2)


def columns(kind: str, reader: FieldClass) -> list[Fact]:
    """The columns of a list that a reader of this class reads."""
    return [fact for fact in (*FACTS[kind], NOTE) if fact.reader <= reader]


# --- Live rows --------------------------------------------------------------------------------------------


def things(kind: str) -> Any:
    """The live rows of a kind with everything that their facts are made of."""
    match kind:
        case Kind.PROBLEMS:
            problems = Bottleneck.objects.judged("of a list that the reader may see")
            return problems.select_related(
                "organization", "bureau", "segment", "assigned_to"
            ).prefetch_related("measures")
        case Kind.KEY_PROJECTS:
            projects = KeyProject.objects.judged("of a list that the reader may see")
            problems = Bottleneck.objects.judged("of a list that the reader may see").select_related("bureau")
            return projects.select_related("lead", "project__bureau").prefetch_related(
                Prefetch("bottlenecks", problems)
            )
    return PolicyInstrument.objects.judged("policies are public")


def facts_of(kind: str, thing: Any, mark: str = "") -> Facts:
    """What a line says of its live row now."""
    return {fact.name: fact.read(thing) for fact in FACTS[kind]} | {"mark": mark}


def name_of(kind: str, facts: Facts) -> str:
    """What a line is called."""
    match kind:
        case Kind.PROBLEMS:
            return f"{facts['code']} {facts['title']}"
        case Kind.KEY_PROJECTS:
            return f"{facts['code']} {facts['name']}"
    return str(facts["title"])


def open_to_public(quality_list: QualityList, keys: Collection[int]) -> set[int]:
    """Those of the live rows that outsiders may read of: solved problems that the firms agreed to publish,
    key projects that attack no problem but such, and policies.

    No problems on lists below a province: beside the name of a county a title says where the firm is.
    """
    match quality_list.kind:
        case Kind.PROBLEMS:
            if quality_list.bureau.level > Bureau.Level.PROVINCE:
                return set()
            rows: Any = Bottleneck.objects.published()
        case Kind.KEY_PROJECTS:
            links = KeyProject.bottlenecks.through._base_manager.filter(keyproject__in=keys)
            withheld = links.exclude(bottleneck__in=Bottleneck.objects.published())
            rows = KeyProject.objects.judged("what is public").counted()
            rows = rows.exclude(pk__in=withheld.values("keyproject"))
        case _:
            rows = PolicyInstrument.objects.judged("policies are public").counted()
    return set(rows.filter(pk__in=keys).values_list("pk", flat=True))


# --- Lines ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Line:
    """A row of a list with what it says: frozen once published, live before."""

    row: ListedRow
    key: int
    number: int
    facts: Facts
    href: str = ""

    def value(self, fact: Fact) -> Any:
        return self.row.note if fact is NOTE else self.facts.get(fact.name)

    def said(self, facts: Iterable[Fact]) -> Iterator[tuple[Fact, str]]:
        return ((fact, fact.say(self.value(fact))) for fact in facts)


@dataclass(frozen=True, slots=True)
class Reading:
    """A list as one reader reads it: columns, lines, and about how many lines are withheld.

    ``hidden`` is a band, as on maps: its lowest holds zero, so that nothing is told by telling nothing.
    It is empty for who reads everything.
    """

    quality_list: QualityList
    reader: FieldClass
    lines: list[Line]
    hidden: str

    @property
    def columns(self) -> list[Fact]:
        return columns(self.quality_list.kind, self.reader)

    @property
    def cells(self) -> list[tuple[Line, list[tuple[Fact, str]]]]:
        shown = self.columns
        return [(line, list(line.said(shown))) for line in self.lines]


def reader_of(quality_list: QualityList, user: User | AnonymousUser) -> FieldClass:
    """People of the bureau line read all of a list, everybody else what is public of it."""
    scope = getattr(user, "scope", None)
    full = scope is not None and scope.covers(quality_list.bureau, quality_list.chain_id)
    return PARTIES if full else PUBLIC


def read(quality_list: QualityList, user: User | AnonymousUser) -> Reading:
    """The list for a reader, without what its editors left out."""
    reader = reader_of(quality_list, user)
    every = [line for line in lines_of(quality_list, reader) if not line.row.is_excluded]
    if reader == PARTIES:
        return Reading(quality_list, reader, every, "")
    # What a firm no longer agrees to publish disappears from old versions too.
    still = open_to_public(quality_list, [line.key for line in every])
    lines = [line for line in every if line.row.is_public and line.key in still]
    withheld = len(every) - len(lines)
    # That policies are public is no secret of anybody.
    is_whole = quality_list.kind == Kind.INSTRUMENTS and not withheld
    return Reading(quality_list, reader, lines, "" if is_whole else band(withheld))


def lines_of(quality_list: QualityList, reader: FieldClass = PARTIES) -> list[Line]:
    """All rows with what they say, live until they are approved; the same queries for any number of rows."""
    kind = quality_list.kind
    thing = THING[Kind(kind)]
    rows = list(
        quality_list.entries.judged("of a list that the reader may see")
        .select_related(thing)
        .order_by("position", "pk")
    )
    keys = [getattr(row, f"{thing}_id") for row in rows]
    live: dict[int, Any] = {}
    marks: dict[int, str] = {}
    if not quality_list.is_frozen:
        unfixed = [key for row, key in zip(rows, keys, strict=True) if row.facts is None]
        live = {one.pk: one for one in things(kind).filter(pk__in=unfixed)}
        marks = marks_of(quality_list, live)
    lines, number = [], 0
    for row, key in zip(rows, keys, strict=True):
        number += not row.is_excluded
        facts = facts_of(kind, live[key], marks.get(key, "")) if key in live else row.facts or {}
        href = _address(kind, row.thing) if reader == PARTIES else ""
        lines.append(Line(row, key, 0 if row.is_excluded else number, facts, href))
    return lines


def _address(kind: str, thing: Any) -> str:
    match kind:
        case Kind.PROBLEMS:
            return reverse("projects:bottleneck_detail", args=[thing.public_id])
        case Kind.KEY_PROJECTS:
            return reverse("projects:key_project_detail", args=[thing.code])
    return reverse("projects:instrument_detail", args=[thing.public_id])


def marks_of(quality_list: QualityList, live: Mapping[int, Any]) -> dict[int, str]:
    """Solved since the version before, or not on it."""
    former = quality_list.supersedes
    if former is None:
        return {}
    name = f"{THING[Kind(quality_list.kind)]}_id"
    known = set(former.entries.judged("of a list that the reader may see").values_list(name, flat=True))
    marks = {key: "new" for key in live if key not in known}
    if quality_list.kind == Kind.PROBLEMS:
        for key, row in live.items():
            solved = row.status in Bottleneck.SOLVED and row.resolved_at
            if solved and former.published_at and row.resolved_at > former.published_at:
                marks[key] = "solved"
    return marks


def digest(quality_list: QualityList, rows: Iterable[ListedRow]) -> str:
    """SHA-256 over what was published: the same facts in the same order give the same digest."""
    thing = THING[Kind(quality_list.kind)]
    content = [
        [row.position, getattr(row, f"{thing}_id"), row.note, row.is_public, row.facts] for row in rows
    ]
    head = [
        quality_list.code,
        quality_list.effective_on.isoformat(),
        quality_list.notes,
        quality_list.heading,
    ]
    return hashlib.sha256(orjson.dumps([head, content], option=orjson.OPT_SORT_KEYS)).hexdigest()


# --- Two versions -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Changed:
    """A line of both versions that says something else now: label, before, after."""

    name: str
    fields: list[tuple[str, str, str]]


@dataclass(frozen=True, slots=True)
class Differences:
    came: list[str]
    went: list[str]
    changed: list[Changed]

    def __bool__(self) -> bool:
        return bool(self.came or self.went or self.changed)


def differences(old: Reading, new: Reading) -> Differences:
    """What came, what went, what changed, as far as the reader reads both."""
    kind, reader = new.quality_list.kind, min(old.reader, new.reader)
    before, after = ({line.key: line for line in one.lines} for one in (old, new))
    compared = [fact for fact in columns(kind, reader) if fact.compared]
    changed = []
    for key, line in after.items():
        if key in before:
            fields = [
                (str(fact.label), was or formats.BLANK, now or formats.BLANK)
                for (fact, was), (_fact, now) in zip(
                    before[key].said(compared), line.said(compared), strict=True
                )
                if was != now
            ]
            if fields:
                changed.append(Changed(_called(kind, line, reader), fields))
    return Differences(
        came=[_called(kind, line, reader) for key, line in after.items() if key not in before],
        went=[_called(kind, line, reader) for key, line in before.items() if key not in after],
        changed=changed,
    )


def _called(kind: str, line: Line, reader: FieldClass) -> str:
    """The name without what the reader may not know."""
    if reader == PARTIES:
        return name_of(kind, line.facts)
    return str(line.facts["name" if kind == Kind.KEY_PROJECTS else "title"])


# --- Which rows -------------------------------------------------------------------------------------------

S = Bottleneck.Status
LISTED = (
    S.LISTED,
    S.DISPATCHED,
    S.POSTED,
    S.AWARDED,
    S.IN_PROGRESS,
    S.SUSPENDED,
    S.UNSOLVABLE,
    S.SOLUTION_FILED,
    S.VERIFICATION,
    S.PARTLY,
    S.REOPENED,
)
P = KeyProject.Status
UNDER_WAY = (P.APPROVED, P.RUNNING, P.DELAYED, P.SUSPENDED, P.ACCEPTANCE)


def eligible(quality_list: QualityList) -> Any:
    """The live rows that may stand on the list at all."""
    chain, path = quality_list.chain, quality_list.bureau.path
    match quality_list.kind:
        case Kind.PROBLEMS:
            problems = Bottleneck.objects.judged("the officer of the list").counted().masters()
            return problems.filter(
                chain=chain, bureau__path__startswith=path, status__in=(*LISTED, *Bottleneck.SOLVED)
            ).order_by("code")
        case Kind.KEY_PROJECTS:
            projects = KeyProject.objects.judged("the officer of the list").counted()
            return (
                projects.filter(project__chain=chain, project__bureau__path__startswith=path)
                .filter(project__is_test=False, project__voided_at__isnull=True)
                .exclude(status=P.PROPOSED)
                .order_by("code")
            )
    policies = PolicyInstrument.objects.judged("policies are public").counted().for_chain(chain)
    line = Q(bureau__code__in=path.split("/")[:-1]) | Q(bureau__path__startswith=path)
    return policies.filter(line).not_over_on(quality_list.effective_on).order_by("bureau__path", "pk")


def proposed(quality_list: QualityList) -> Any:
    """Those that stand on it unless the editor leaves them out."""
    rows = eligible(quality_list)
    match quality_list.kind:
        case Kind.PROBLEMS:
            condition = Q(status__in=LISTED)
            if quality_list.supersedes:
                condition |= Q(resolved_at__gt=quality_list.supersedes.published_at)
            return rows.filter(condition)
        case Kind.KEY_PROJECTS:
            return rows.filter(status__in=UNDER_WAY)
    return rows.filter(valid_from__lte=quality_list.effective_on)


def why_out(quality_list: QualityList, thing: Any) -> str:
    """Why a live row may no longer stand on the list."""
    if thing.voided_at or thing.is_test:
        return _("已作废或是测试数据")
    if isinstance(thing, PolicyInstrument):
        return _why_policy_out(quality_list, thing)
    of_chain, bureau = (
        (thing.chain_id, thing.bureau)
        if isinstance(thing, Bottleneck)
        else (thing.project.chain_id, thing.project.bureau)
    )
    if of_chain != quality_list.chain_id:
        return _("已改属其他产业链")
    if not bureau.path.startswith(quality_list.bureau.path):
        return _("已不在本单位范围内")
    return _("状态已变为“%(status)s”") % {"status": thing.get_status_display()}


def _why_policy_out(quality_list: QualityList, policy: PolicyInstrument) -> str:
    if policy.valid_from > quality_list.effective_on:
        return _("实施日期时尚未生效")
    if policy.valid_to and policy.valid_to < quality_list.effective_on:
        return _("实施日期前已截止")
    return _("不再适用于本产业链或本单位")
