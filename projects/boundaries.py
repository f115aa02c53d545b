"""Bureaus merge, split, move and are renamed: planned, looked at beforehand, carried out on their day.

A bureau that ends stays as a row, right below the one that came in its place: whatever is history (steps of
problems, bulletins, lists, submissions, frozen figures) keeps its name and is read and counted there by the
tree alone. What is of now (whose firm, whose turn, who holds a role) follows to the successor. `BUREAUS` says
of every column that names a bureau which of the two it is.
"""

import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from django.apps import apps
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import models, transaction
from django.db.models.functions import Length
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.granting import refuse_beyond
from accounts.models import Grant, Notice, Role, User
from accounts.notices import Details, day_of, say, tell
from common import formats
from common.inserting import insert
from common.scope import Viewer, system_job
from enterprises.models import BoundaryChange, BoundaryPart, Bureau, Division, Organization
from projects.models import Bottleneck, QualityList, QualityMap, Transition
from record.acting import by_whom
from record.models import Event
from record.recording import WATCHED, accounted, one_change, write

logger = logging.getLogger(__name__)
Kind, State, Side = BoundaryChange.Kind, BoundaryChange.State, BoundaryPart.Side
# Nobody handles them any more, or yet.
WITHOUT_STEPS = (Bottleneck.Status.DRAFT, *Bottleneck.ENDED)
# Rows fetched, changed and told of in one go.
CHUNK = 500
# Rows that nothing tells where they go, shown by name.
NAMED = 20


@dataclass(frozen=True)
class Column:
    """What becomes of a column that names a bureau, when that one is merged or split up.

    ``marks`` are the lookups that tell to which of several successors a row goes, the surest first.
    ``alone`` are the columns of which no two rows may say the same of one bureau: whose like stands there
    already stays behind.
    """

    how: Literal["follows", "stays", "apart"]
    marks: tuple[str, ...] = ()
    alone: tuple[str, ...] = ()


STAYS = Column("stays")
# Has a way of its own, here or where the column stands.
APART = Column("apart")


def _of(organization: str, *own: str) -> tuple[str, ...]:
    """The own marks of a row, then those of its organisation: its code, where it works, where registered."""
    places = ("uscc", "operating_division__code", "registered_division__code")
    return (*own, *(f"{organization}__{place}" if organization else place for place in places))


# Every foreign key to a bureau; a test fails when one is missing.
BUREAUS: dict[str, Column] = {
    "enterprises.Bureau.parent": APART,
    "enterprises.BoundaryPart.bureau": STAYS,
    "enterprises.IndustryChain.bureau": Column("follows", ("code",)),
    "enterprises.Organization.bureau": Column("follows", _of("")),
    "accounts.Grant.bureau": APART,
    "accounts.Registration.bureau": Column("follows", ("organization__uscc", "division__code")),
    "projects.ChainProject.bureau": Column("follows", ("code",)),
    "projects.ProjectRegion.bureau": Column("follows", ("project__code",), alone=("project",)),
    "projects.Participation.bureau": Column("follows", _of("organization", "project__code")),
    "projects.Bottleneck.bureau": Column("follows", _of("organization", "code")),
    "projects.Bottleneck.handler": Column("follows", _of("organization", "code")),
    "projects.Bottleneck.list_owner": Column("follows", _of("organization", "code")),
    "projects.Bottleneck.escalated_to": Column("follows", _of("organization", "code")),
    "projects.Transition.bureau": STAYS,
    "projects.Transition.handler": STAYS,
    "projects.Consortium.bureau": Column("follows", _of("lead", "code")),
    "projects.PolicyInstrument.bureau": Column("follows", alone=("title", "doc_no")),
    "projects.QualityList.bureau": STAYS,
    "projects.QualityMap.bureau": STAYS,
    "projects.ExpertOpinion.bureau": STAYS,
    "projects.SpecDemand.bureau": Column("follows", ("code",)),
    "projects.SpecStep.bureau": STAYS,
    "projects.TwinJudgement.bureau": STAYS,
    "bulletins.Submission.bureau": STAYS,
    "bulletins.Excuse.bureau": STAYS,
    "bulletins.StatValue.bureau": STAYS,
    "bulletins.CountedRow.bureau": STAYS,
    "bulletins.SnapshotUnit.bureau": STAYS,
    "bulletins.SnapshotUnit.parent": STAYS,
    "bulletins.Bulletin.bureau": STAYS,
    # Issues nothing more: `bulletins.series` asks whether its bureau still exists.
    "bulletins.Series.bureau": STAYS,
}


# Problems that went up the reporting line: who has them, and who was told that they are late. Where a unit
# moves, each column tells by itself which unit above is meant.
UP_THE_LINE = {name: Column("follows", (name,)) for name in ("handler", "escalated_to")}


def _following() -> dict[type[models.Model], dict[str, Column]]:
    """The columns that follow, by model."""
    found: dict[type[models.Model], dict[str, Column]] = {}
    for label, column in BUREAUS.items():
        model, name = label.rsplit(".", 1)
        if column.how == "follows":
            found.setdefault(apps.get_model(model), {})[name] = column
    return found


# --- Where rows go ------------------------------------------------------------------------------------------


@dataclass
class Route:
    """To which bureau a row of a source goes; ``rest`` takes what no mark tells, none where it stays."""

    sources: Collection[int]
    by_mark: dict[Any, Bureau | BoundaryPart]
    rest: Bureau | BoundaryPart | None
    is_split: bool
    left: Counter[str] = field(default_factory=Counter)
    # What came to stand at a successor, of columns of which no two rows may say the same.
    taken: set[tuple[Any, ...]] = field(default_factory=set)

    def of(self, marks: Iterable[Any]) -> Bureau | BoundaryPart | None:
        return next((self.by_mark[mark] for mark in marks if mark in self.by_mark), self.rest)


def route_of(change: BoundaryChange) -> Route | None:
    """None where no row changes its bureau: bureaus that move or are renamed stay who they are."""
    if change.kind not in (Kind.MERGE, Kind.SPLIT):
        return None
    sources, targets = change.sources, change.targets
    by_mark = {mark: part.bureau or part for part in targets for mark in part.takes}
    stays = change.kind == Kind.SPLIT and sources[0].stays
    first = targets[0].bureau or targets[0]
    return Route(
        [part.bureau_id for part in sources if part.bureau_id],
        by_mark,
        None if stays else first,
        change.kind == Kind.SPLIT,
    )


def _up_the_line(
    path: str, before: Iterable[Bureau], after: Sequence[Bureau]
) -> tuple[list["_Known"], Route]:
    """The problems of the units below a path which somebody who was above them has and will not be any more;
    they go to the unit of the same level on the new line, or the next above."""
    heirs: dict[Any, Bureau | BoundaryPart] = {
        gone.pk: [new for new in after if new.level <= gone.level][-1] for gone in before if gone not in after
    }
    of_units = models.Q(bureau__path__startswith=path)
    return _rows(Bottleneck, UP_THE_LINE, heirs.keys(), of_units), Route(heirs.keys(), heirs, None, False)


def _of_move(unit: Bureau, superior: Bureau) -> tuple[list["_Known"], Route]:
    return _up_the_line(unit.path, Bureau.objects.above(unit), [*Bureau.objects.above(superior), superior])


# --- Planning -----------------------------------------------------------------------------------------------


@by_whom
def plan(by: User, change: BoundaryChange, parts: Sequence[BoundaryPart]) -> BoundaryChange:
    """Store a change that is new, with its parts; nothing else happens before its day.

    Raises PermissionDenied when the user does not administer all units that it touches, ValidationError when
    it cannot stand.
    """
    for number, part in enumerate(parts):
        part.change, part.position = change, number
    change.planned_by = by
    refuse_others(by, parts)
    with transaction.atomic():
        # Of two who plan for the same bureau the second reads what the first has stored.
        _lock_units(parts)
        if fault := fault_of(change, parts) or _fault_of_marks(parts):
            raise ValidationError(fault)
        change.summary = _summary(change, parts)
        change.full_clean(exclude=["planned_by"])
        change.save()
        for part in parts:
            part.change = change
            if part.bureau:
                part.was = _as_is(part.bureau)
            part.full_clean()
            part.save()
    return change


def refuse_others(by: User, parts: Iterable[BoundaryPart]) -> None:
    """Raise PermissionDenied unless the user administers the superior of each unit that is named."""
    for part in parts:
        if part.bureau and not _administers(by, part.bureau.parent or part.bureau):
            raise PermissionDenied(
                _("“%(unit)s”的区划变更由其上级单位的管理员办理。") % {"unit": part.bureau.short_name}
            )


def _administers(by: User, bureau: Bureau) -> bool:
    return by.is_active and (by.is_superuser or by.holds_over(bureau, Role.ADMINISTRATOR))


def covers(user: User, change: BoundaryChange) -> bool:
    """Whether all units that the change touches lie in what the user oversees."""
    scope = _viewer(user).scope
    return all(scope.covers(part.bureau) for part in change.parts.all() if part.bureau)


def _viewer(user: User) -> Viewer:
    """A superuser plans without holding a role."""
    return user.administered if user.is_superuser else user


def may_plan(by: User) -> bool:
    """Whether the user administers any unit with others below it."""
    return by.is_superuser or any(
        grant.bureau and grant.principal is None and grant.level < Bureau.Level.COUNTY
        for grant in by.grants_of(Role.ADMINISTRATOR)
    )


def _as_is(bureau: Bureau) -> dict[str, str]:
    parent = bureau.parent
    return {
        "name": bureau.name,
        "short_name": bureau.short_name,
        "parent": parent.code if parent else "",
        "parent_name": parent.short_name if parent else "",
    }


def _summary(change: BoundaryChange, parts: Sequence[BoundaryPart]) -> str:
    """甲区 + 乙区 → 丙区, as they are called when it is planned."""
    sources = [part.bureau.short_name for part in parts if part.side == Side.FROM and part.bureau]
    targets = [part.called for part in parts if part.side == Side.TO]
    if change.kind == Kind.RENAME:
        targets = [part.short_name for part in parts]
    return f"{' + '.join(sources)} → {' + '.join(targets)}"[:300]


def fault_of(change: BoundaryChange, parts: Sequence[BoundaryPart]) -> str:
    """Why a change cannot stand as things are; empty when it can."""
    sources = [part for part in parts if part.side == Side.FROM]
    targets = [part for part in parts if part.side == Side.TO]
    units = [part.bureau for part in sources if part.bureau]
    if not units or len(units) != len(sources):
        return _("请选择原单位。")
    if fault := _fault_of_units(change, units, [part.bureau for part in targets if part.bureau]):
        return fault
    for part in targets:
        if not part.bureau and Bureau.objects.filter(code=part.code).exists():
            return _("代码 %(code)s 已有单位；停用的代码不再使用。") % {"code": part.code}
    if any(part.bureau in units for part in targets):
        return _("一个单位不能同时是原单位和新单位。")
    return FAULTS[Kind(change.kind)](units, sources, targets) or _fault_of_paths(units, targets)


def _fault_of_paths(units: list[Bureau], targets: list[BoundaryPart]) -> str:
    """Units come to stand below a target with all that is below them, what was merged before included."""
    room = Bureau._meta.get_field("path").max_length or 0
    for part in targets:
        superior = part.bureau.path if part.bureau else f"{_path_above(units[0])}{part.code}/"
        for unit in units:
            longest = Bureau.objects.within(unit).aggregate(longest=models.Max(Length("path")))["longest"]
            if len(superior) + longest - len(_path_above(unit)) > room:
                return _("“%(unit)s”以下的隶属层次（含历次合并前的单位）过多，不能再并入。") % {
                    "unit": unit.short_name
                }
    return ""


def _path_above(unit: Bureau) -> str:
    return unit.path.removesuffix(f"{unit.code}/")


def _fault_of_units(change: BoundaryChange, units: list[Bureau], targets: list[Bureau]) -> str:
    for unit in [*units, *targets]:
        if unit.valid_to:
            return _("“%(unit)s”已于 %(day)s 撤销。") % {
                "unit": unit.short_name,
                "day": formats.day(unit.valid_to),
            }
        if unit.level == Bureau.Level.NATIONAL and unit in units:
            return _("总局不参加区划变更。")
        if unit.valid_from and unit.valid_from > change.effective_on:
            return _("“%(unit)s”%(day)s 才设立，变更的生效日期不能更早。") % {
                "unit": unit.short_name,
                "day": formats.day(unit.valid_from),
            }
    return ""


def _fault_of_merge(units: list[Bureau], sources: list[BoundaryPart], targets: list[BoundaryPart]) -> str:
    if len(targets) != 1:
        return _("合并后应是一个单位。")
    return _fault_of_levels(units, targets)


def _fault_of_split(units: list[Bureau], sources: list[BoundaryPart], targets: list[BoundaryPart]) -> str:
    if len(units) != 1:
        return _("一次只拆分一个单位。")
    if len(targets) < (1 if sources[0].stays else 2):
        return _("拆分后撤销的单位至少要有两个新单位，保留的至少一个。")
    marks = Counter(mark for part in targets for mark in part.takes)
    if twice := [mark for mark, number in marks.items() if number > 1]:
        return _("%(marks)s 写给了不止一个新单位。") % {"marks": formats.listed(twice)}
    if any(not part.takes for part in targets[0 if sources[0].stays else 1 :]):
        return _("请写明划给每个新单位的区划、单位或企业代码。")
    return _fault_of_levels(units, targets)


def _fault_of_levels(units: list[Bureau], targets: list[BoundaryPart]) -> str:
    levels = {unit.level for unit in units} | {part.bureau.level for part in targets if part.bureau}
    return "" if len(levels) == 1 else _("合并或拆分的单位应是同一层级。")


def _fault_of_move(units: list[Bureau], sources: list[BoundaryPart], targets: list[BoundaryPart]) -> str:
    if len(targets) != 1 or targets[0].bureau is None:
        return _("请选择新的上级单位。")
    superior = targets[0].bureau
    for unit in units:
        if superior.level >= unit.level or superior.path.startswith(unit.path):
            return _("“%(superior)s”不能作为“%(unit)s”的上级。") % {
                "superior": superior.short_name,
                "unit": unit.short_name,
            }
        if unit.parent_id == superior.pk:
            return _("“%(unit)s”已经隶属“%(superior)s”。") % {
                "superior": superior.short_name,
                "unit": unit.short_name,
            }
    return ""


def _fault_of_rename(units: list[Bureau], sources: list[BoundaryPart], targets: list[BoundaryPart]) -> str:
    if len(units) != 1 or targets:
        return _("一次只更改一个单位的名称。")
    if not (sources[0].name and sources[0].short_name):
        return _("请写明新的名称和简称。")
    if (sources[0].name, sources[0].short_name) == (units[0].name, units[0].short_name):
        return _("新名称与现在的名称相同。")
    return ""


FAULTS: dict[str, Callable[[list[Bureau], list[BoundaryPart], list[BoundaryPart]], str]] = {
    Kind.MERGE: _fault_of_merge,
    Kind.SPLIT: _fault_of_split,
    Kind.MOVE: _fault_of_move,
    Kind.RENAME: _fault_of_rename,
}


def _fault_of_marks(parts: Sequence[BoundaryPart]) -> str:
    """Of the time of planning alone: a row that is gone by the day hinders nothing."""
    marks = [mark for part in parts for mark in part.takes]
    sources = [part.bureau for part in parts if part.side == Side.FROM and part.bureau]
    if unknown := sorted(set(marks) - _known_marks(marks, sources)):
        return _(
            "原单位没有这些代码：%(marks)s。可写区划、下级单位、统一社会信用、项目、联合体或问题代码。"
        ) % {"marks": formats.listed(unknown[:10])}
    return ""


def _known_marks(marks: Collection[str], sources: Iterable[Bureau]) -> set[str]:
    """Divisions, and what tells of rows of the sources or of units below where they go; of other rows nobody
    learns here whether there are any."""
    found = set(Division.objects.filter(code__in=marks).values_list("code", flat=True))
    units = models.Q(pk__in=[])
    for source in sources:
        units |= models.Q(path__startswith=source.path)
    found |= set(Bureau.objects.filter(units, code__in=marks).values_list("code", flat=True))
    for model, columns in _following().items():
        keys = [source.pk for source in sources]
        lookups = sorted({mark for column in columns.values() for mark in column.marks})
        for values in _naming(model, columns, keys).filter(_any_in(lookups, marks)).values_list(*lookups):
            found |= set(values)
    return found


def _any_in(names: Iterable[str], values: Collection[Any]) -> models.Q:
    condition = models.Q(pk__in=[])
    for name in names:
        condition |= models.Q(**{f"{name}__in": values})
    return condition


def _naming(
    model: type[models.Model], columns: Iterable[str], bureaus: Collection[int]
) -> models.QuerySet[Any]:
    """Rows that name one of the bureaus."""
    return model._base_manager.filter(_any_in(columns, bureaus))


@by_whom
def cancel(by: User, change: BoundaryChange) -> BoundaryChange:
    """Give up a change before it is carried out."""
    refuse_others(by, change.parts.select_related("bureau__parent"))
    with transaction.atomic():
        locked = _locked(change)
        if locked.state != State.PLANNED:
            raise ValidationError(_("这项区划变更已经生效或取消。"))
        _end(locked, State.CANCELLED)
    return locked


def _locked(change: BoundaryChange) -> BoundaryChange:
    return BoundaryChange.objects.judged("under the lock").select_for_update().get(pk=change.pk)


def _lock_units(parts: Sequence[BoundaryPart]) -> None:
    """Lock the units that are named, and read them as they are now."""
    named = [part.bureau_id for part in parts if part.bureau_id]
    known = {row.pk: row for row in Bureau.objects.select_for_update().filter(pk__in=named).order_by("pk")}
    for part in parts:
        part.bureau = known[part.bureau_id] if part.bureau_id else None


def _end(locked: BoundaryChange, state: str) -> None:
    locked.state, locked.ended_at, locked.refusal = state, timezone.now(), ""
    locked.save()
    for part in locked.parts.all():
        part.is_open = False
        part.save()


# --- Looking at it beforehand -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Line:
    """How many rows of a kind follow, and how many of them no mark tells where to; the first of these that
    the reader may see."""

    label: Any
    rows: int
    left: int = 0
    named: tuple[str, ...] = ()


class Preview:
    """What a planned change would do, asked of the ledger as it is; rows that the user may not see are
    counted and not named."""

    def __init__(self, change: BoundaryChange, user: User) -> None:
        self.change = change
        self.viewer = _viewer(user)
        self.route = route_of(change)

    @cached_property
    @system_job("preview a boundary change")
    def lines(self) -> list[Line]:
        if self.change.kind == Kind.MOVE:
            return self._up_the_line
        if self.route is None:
            return []
        found = []
        for model, columns in _following().items():
            rows, left = 0, []
            for known in _rows(model, columns, self.route.sources):
                goes = _goes(known, columns, self.route)
                rows += bool(goes)
                if self.route.is_split and any(not marked for _to, marked in goes.values()):
                    left.append(known.row)
            if rows:
                found.append(Line(model._meta.verbose_name, rows, len(left), self._named(model, left)))
        return found

    @property
    def _up_the_line(self) -> list[Line]:
        superior = self.change.targets[0].bureau
        rows = sum(
            len(_of_move(part.bureau, superior)[0])
            for part in self.change.sources
            if part.bureau and superior
        )
        return [Line(Bottleneck._meta.verbose_name, rows)] if rows else []

    def _named(self, model: Any, keys: Sequence[Any]) -> tuple[str, ...]:
        rows = model._default_manager.all()
        # Chains are open to everybody.
        rows = rows.visible_to(self.viewer) if hasattr(rows, "visible_to") else rows
        named: list[str] = []
        for start in range(0, len(keys), CHUNK):
            some = rows.filter(pk__in=keys[start : start + CHUNK]).order_by("pk")
            named += [str(row) for row in some[: NAMED - len(named)]]
            if len(named) == NAMED:
                break
        return tuple(named)

    @cached_property
    @system_job("preview a boundary change")
    def staying(self) -> list[Line]:
        """Lists and maps under way that would stay with a bureau that ends."""
        ending = [part.bureau_id for part in self.change.sources if self.route and not part.stays]
        found = []
        for model, under_way in (
            (QualityList, ~models.Q(status__in=QualityList.FROZEN)),
            (QualityMap, models.Q(status__in=QualityMap.UNPUBLISHED)),
        ):
            rows = model._base_manager.filter(under_way, bureau__in=ending).order_by("pk")
            if keys := list(rows.values_list("pk", flat=True)):
                label = model._meta.verbose_name
                found.append(Line(label, len(keys), named=self._named(model, keys)))
        return found

    @cached_property
    @system_job("preview a boundary change")
    def below(self) -> list[Bureau]:
        """Units that report to one of the sources."""
        sources = [part.bureau_id for part in self.change.sources]
        return list(Bureau.objects.in_force().filter(parent__in=sources).order_by("code"))

    @cached_property
    @system_job("preview a boundary change")
    def grants(self) -> list[tuple[Grant, str]]:
        """Grants on bureaus that end, and why one does not go on at the successors."""
        if self.route is None:
            return []
        change, first = self.change, self.change.sources[0].bureau
        over = first.parent.path if first and first.parent else ""
        targets = [
            part.bureau or Bureau(code=part.code, name=part.name, path=f"{over}{part.code}/")
            for part in change.targets
        ]
        found = []
        for part in change.sources:
            for grant in [] if part.stays else _grants_at(part.bureau_id):
                copies = _copies(change, grant, targets, change.planned_by)
                found.append((grant, next((refusal for _copy, refusal in copies if refusal), "")))
        return found


@dataclass(frozen=True)
class _Known:
    """A row of which a column names a source: where from, and by what marks it is known."""

    row: Any
    named: dict[str, int]
    marks: dict[str, tuple[Any, ...]]


def _rows(
    model: type[models.Model], columns: dict[str, Column], sources: Collection[int], *among: models.Q
) -> list[_Known]:
    """Rows that name one of the bureaus, in the order of their keys."""
    lookups = list(dict.fromkeys(mark for column in columns.values() for mark in column.marks))
    names = [f"{name}_id" for name in columns]
    found = []
    rows = _naming(model, columns, sources).filter(*among).order_by("pk")
    for pk, *values in rows.values_list("pk", *names, *lookups):
        named = {
            name: bureau
            for name, bureau in zip(columns, values[: len(names)], strict=True)
            if bureau in sources
        }
        of_row = dict(zip(lookups, values[len(names) :], strict=True))
        found.append(
            _Known(pk, named, {name: tuple(of_row[m] for m in columns[name].marks) for name in named})
        )
    return found


def _goes(
    known: _Known, columns: dict[str, Column], route: Route
) -> dict[str, tuple[Bureau | BoundaryPart, bool]]:
    """To which bureau each column of a row goes, and whether a mark tells so."""
    goes = {}
    for name in known.named:
        target = route.of(known.marks[name])
        if target is not None:
            goes[name] = target, any(mark in route.by_mark for mark in known.marks[name])
    return goes


# --- Carrying it out ----------------------------------------------------------------------------------------


@system_job("carry out boundary changes")
def carry_out_due() -> int:
    """Carry out what is due, the earliest first; returns how many were carried out.

    Run twice or late, it does the same once. What cannot be carried out says why and is tried again; it keeps
    nothing else from its day.
    """
    due = BoundaryChange.objects.judged("the job").filter(
        state=State.PLANNED, effective_on__lte=timezone.localdate()
    )
    done = 0
    for change in due.order_by("effective_on", "pk"):
        try:
            done += carry_out(change).state == State.DONE
        except ValidationError as refused:
            _note_refusal(change, " ".join(refused.messages))
        except Exception:
            logger.exception("boundary change %s was not carried out", change.pk)
            _note_refusal(change, _("办理时出错，经过已记入系统日志，请联系运维人员。"))
    return done


def _note_refusal(change: BoundaryChange, why: str) -> None:
    change.refusal = why[:300]
    change.save(update_fields=["refusal"])


@system_job("carry out a boundary change")
def carry_out(change: BoundaryChange, confirmed_by: User | None = None) -> BoundaryChange:
    """Change the tree, and let everything of now follow, in one transaction.

    Whoever planned it answers for it, or who confirms it now. Of a change that has ended it does nothing.
    Raises ValidationError before its day, when other changes have made it impossible or another one than was
    planned, and when they may not plan it any more.
    """
    with one_change():
        locked = _locked(change)
        if locked.state != State.PLANNED:
            return locked
        if locked.effective_on > timezone.localdate():
            raise ValidationError(_("还没有到生效日期 %(day)s。") % {"day": formats.day(locked.effective_on)})
        parts = list(locked.parts.all())
        _lock_units(parts)
        if fault := fault_of(locked, parts) or _fault_since(parts, confirmed_by or locked.planned_by):
            raise ValidationError(fault)
        sources = [part for part in parts if part.side == Side.FROM]
        targets = [part for part in parts if part.side == Side.TO]
        for part in parts:
            if part.bureau:
                part.was = _as_is(part.bureau)
                part.save()
        # Before roles end with their bureaus.
        _tell(locked, parts)
        if locked.kind == Kind.RENAME:
            _rename(sources[0])
        elif locked.kind == Kind.MOVE:
            _move(locked, sources, targets[0])
        else:
            _hand_over(locked, sources, targets, confirmed_by or locked.planned_by)
        _end(locked, State.DONE)
    return locked


def _fault_since(parts: list[BoundaryPart], by: User) -> str:
    """Whether the units stand where they stood when it was planned, and the user may still plan it."""
    for part in parts:
        if part.bureau and part.bureau.parent:
            then = Bureau.objects.get(code=part.was["parent"])
            if then.heir != part.bureau.parent:
                return _("登记后“%(unit)s”改由%(superior)s管辖，请取消后重新登记。") % {
                    "unit": part.bureau.short_name,
                    "superior": part.bureau.parent.short_name,
                }
    try:
        refuse_others(by, parts)
    except PermissionDenied as refused:
        return _("登记人已无权办理：%(why)s请由有权的管理员办理。") % {"why": refused}
    return ""


def _rename(part: BoundaryPart) -> None:
    bureau = part.bureau
    assert bureau is not None  # noqa: S101
    bureau.name, bureau.short_name = part.name, part.short_name
    bureau.save()


def _move(change: BoundaryChange, sources: list[BoundaryPart], target: BoundaryPart) -> None:
    moved = 0
    for part in sources:
        # Read anew: what was moved before may have taken either along.
        unit, superior = (Bureau.objects.get(pk=one.bureau_id) for one in (part, target))  # type: ignore[misc]
        known, route = _of_move(unit, superior)
        _put_below(unit, superior)
        moved += _follow_known(Bottleneck, UP_THE_LINE, known, route)
    change.moved = {Bottleneck._meta.label_lower: [moved, 0]} if moved else {}


def _put_below(bureau: Bureau, superior: Bureau) -> None:
    """Read anew: what was moved before may have taken either along."""
    moved = Bureau.objects.get(pk=bureau.pk)
    moved.parent = Bureau.objects.get(pk=superior.pk)
    moved.save()


def _hand_over(
    change: BoundaryChange, sources: list[BoundaryPart], targets: list[BoundaryPart], by: User
) -> None:
    first = sources[0].bureau
    assert first is not None  # noqa: S101
    for part in targets:
        if part.bureau is None:
            part.bureau = Bureau.objects.create(
                code=part.code,
                name=part.name,
                short_name=part.short_name,
                level=first.level,
                parent=first.parent,
                division=Division.objects.filter(code=part.code).first(),
                is_separately_planned=any(p.bureau and p.bureau.is_separately_planned for p in sources),
                valid_from=change.effective_on,
            )
            part.save()
    route = route_of(_with_parts(change, [*sources, *targets]))
    assert route is not None  # noqa: S101
    managed = _managers_at(route.sources)
    change.moved = _follow(route)
    _tell_managers(change, managed, route.sources)
    ending = [part.bureau for part in sources if not part.stays and part.bureau]
    for unit in Bureau.objects.in_force().filter(parent__in=route.sources).order_by("pk"):
        # Units below go where their code, or that of their division, is named.
        marks = [unit.code, unit.division.code if unit.division else ""]
        if (superior := route.of(marks)) is not None:
            _put_below(unit, superior)  # type: ignore[arg-type]
    before = [above for part in sources if part.bureau for above in Bureau.objects.above(part.bureau)]
    for part in targets:
        if part.bureau:
            line = list(Bureau.objects.above(part.bureau))
            _follow_known(Bottleneck, UP_THE_LINE, *_up_the_line(part.bureau.path, before, line))
    heir = targets[0].bureau
    assert heir is not None  # noqa: S101
    _carry_grants(change, ending, [part.bureau for part in targets if part.bureau], by)
    for bureau in ending:
        ended = Bureau.objects.get(pk=bureau.pk)
        ended.parent, ended.valid_to = Bureau.objects.get(pk=heir.pk), change.effective_on
        ended.save()


def _with_parts(change: BoundaryChange, parts: list[BoundaryPart]) -> BoundaryChange:
    """The change with these very parts, as if they had been read with it."""
    rows = BoundaryPart.objects.filter(change=change)
    rows._result_cache = parts
    change._prefetched_objects_cache = {"parts": rows}  # type: ignore[attr-defined]
    return change


def _follow(route: Route) -> dict[str, list[int]]:
    """Let every row of now go to the successor, each with its event; returns by model how many, and how many
    of them no mark told where to."""
    moved: dict[str, list[int]] = {}
    for model, columns in _following().items():
        if number := _follow_known(model, columns, _rows(model, columns, route.sources), route):
            moved[model._meta.label_lower] = [number, route.left[model._meta.label_lower]]
    return moved


def _follow_known(
    model: type[models.Model], columns: dict[str, Column], known: list[_Known], route: Route
) -> int:
    chunks = range(0, len(known), CHUNK)
    return sum(_follow_some(model, columns, known[start : start + CHUNK], route) for start in chunks)


def _follow_some(
    model: type[models.Model], columns: dict[str, Column], known: list[_Known], route: Route
) -> int:
    watched = WATCHED[model]
    lookups = {path.rpartition("__")[0] for path in (*watched.path, *watched.firm)} - {""}
    keys = [one.row for one in known]
    # Locked first and without joins: after waiting for a lock PostgreSQL would find no joined row.
    list(model._base_manager.select_for_update().filter(pk__in=keys).order_by("pk").values_list("pk"))
    rows = model._base_manager.select_related(*sorted(lookups)).in_bulk(keys)
    changed, steps, names = [], [], set[str]()
    for one in known:
        row: Any = rows[one.row]
        before, after, told = {}, {}, []
        for name, (target, marked) in _goes(one, columns, route).items():
            was = getattr(row, f"{name}_id")
            if was not in route.sources or _is_taken(row, columns[name], name, target, route):
                continue
            setattr(row, name, target)
            before[name], after[name] = was, target.pk
            told.append(marked)
        if not after:
            continue
        route.left[model._meta.label_lower] += route.is_split and not all(told)
        names |= after.keys()
        is_step = isinstance(row, Bottleneck) and "handler" in after and row.status not in WITHOUT_STEPS
        if is_step:
            row.status_changed_at = max(timezone.now(), row.status_changed_at or timezone.now())
            names.add("status_changed_at")
            steps.append(row)
        # The revision of a problem counts its steps.
        if hasattr(row, "version") and (is_step or not isinstance(row, Bottleneck)):
            row.version += 1
        if hasattr(row, "updated_at"):
            row.updated_at = timezone.now()
        names |= {name for name in ("version", "updated_at") if hasattr(row, name)}
        write(Event.Kind.CHANGED, row, before=before, after=after)
        changed.append(row)
    if changed:
        with accounted(model):
            model._base_manager.bulk_update(changed, sorted(names), batch_size=CHUNK)
    _note_steps(steps)
    return len(changed)


def _is_taken(row: Any, column: Column, name: str, target: Any, route: Route) -> bool:
    """Whether a row that says the same stands at the successor already; notes that this one will."""
    if not column.alone:
        return False
    same = {key: getattr(row, key) for key in column.alone} | {name: target}
    mark = type(row), *same.values()
    is_taken = mark in route.taken or type(row)._base_manager.filter(**same).exists()
    route.taken.add(mark)
    return is_taken


def _note_steps(rows: Collection[Bottleneck]) -> None:
    """Open problems have a step that says who handles them from now on."""
    last = dict(
        Transition.objects.judged("the job")
        .filter(bottleneck__in=rows)
        .order_by("bottleneck")
        .values_list("bottleneck")
        .annotate(models.Max("sequence"))
    )
    insert(
        [
            Transition(
                bottleneck=row,
                sequence=last.get(row.pk, 0) + 1,
                at=row.status_changed_at or timezone.now(),
                move="boundary",
                source=row.status,
                target=row.status,
                handler=row.handler,
                clock_due_on=row.clock_due_on,
            )
            for row in rows
        ]
    )


# --- Roles --------------------------------------------------------------------------------------------------


def _widens(change: BoundaryChange) -> bool:
    """Whether a role over a bureau that ends would reach further at its successors than it did."""
    return len(change.sources) > 1 or any(not part.code for part in change.targets)


def _grants_at(bureau: int | None) -> list[Grant]:
    rows = Grant.objects.judged("of the bureau that ends").not_over(timezone.localdate())
    return list(rows.filter(bureau=bureau).select_related("user", "bureau", "chain").order_by("pk"))


def _copies(
    change: BoundaryChange, grant: Grant, targets: Iterable[Bureau], by: User
) -> list[tuple[Grant, str]]:
    """A grant over a bureau that ends as it would stand at each successor, and why it may not; what reaches
    further than it did is given by whoever answers for the change, by the rules of giving."""
    widens, found = _widens(change), []
    for target in targets:
        copy = Grant(
            user=grant.user,
            role=grant.role,
            bureau=target,
            chain=grant.chain,
            starts_on=max(timezone.localdate(), grant.starts_on),
            expires_on=grant.expires_on,
            granted_by=by if widens else grant.granted_by,
        )
        refusal = ""
        if widens and not change.carries_grants:
            refusal = _("范围会变大")
        elif widens:
            try:
                refuse_beyond(by, copy)
            except ValidationError as refused:
                refusal = " ".join(refused.messages)
        found.append((copy, refusal))
    return found


def _give(copy: Grant) -> None:
    """Store it, or lengthen what the person holds there already; what ran out is over."""
    today = timezone.localdate()
    same = Grant.objects.judged("the job").filter(
        user=copy.user, role=copy.role, bureau=copy.bureau, chain=copy.chain, ended_at=None
    )
    for over in same.filter(expires_on__lt=today):
        over.ended_at = timezone.now()
        over.save(update_fields=["ended_at"])
    standing = same.first()
    if standing is None:
        copy.save()
        return
    standing.starts_on = min(standing.starts_on, copy.starts_on)
    days = [standing.expires_on, copy.expires_on]
    standing.expires_on = None if None in days else max(day for day in days if day)
    standing.save(update_fields=["starts_on", "expires_on"])


def _goes_on(grant: Grant, target: Bureau) -> bool:
    """Whether the person holds the role at a successor from now, or its begin, for as long as before."""
    today = timezone.localdate()
    until = models.Q(expires_on=None)
    if grant.expires_on:
        until |= models.Q(expires_on__gte=grant.expires_on)
    rows = Grant.objects.judged("the job").not_over(today).filter(until, user=grant.user, role=grant.role)
    return rows.filter(
        models.Q(chain=None) | models.Q(chain=grant.chain),
        bureau=target,
        starts_on__lte=max(today, grant.starts_on),
    ).exists()


def _carry_grants(change: BoundaryChange, ending: list[Bureau], targets: list[Bureau], by: User) -> None:
    """A role over a bureau that ends goes on at its successors, where it reaches no further than it did or
    the administrator who has confirmed that it shall could give it; else it ends. Its holder is told."""
    ended = [(bureau, grant) for bureau in ending for grant in _grants_at(bureau.pk)]
    for _bureau, grant in ended:
        grant.ended_at = timezone.now()
        grant.save(update_fields=["ended_at"])
        for copy, refusal in _copies(change, grant, targets, by):
            if not refusal:
                _give(copy)
    for bureau, grant in ended:
        details = {
            "what": "boundary_grant",
            "change": change.pk,
            "role": grant.role,
            "unit": bureau.name,
            "to": formats.listed([target.name for target in targets if _goes_on(grant, target)]),
        }
        tell([grant.user_id], Notice.Kind.ACCOUNT, f"boundary:{change.pk}:{grant.pk}", details)


# --- Words --------------------------------------------------------------------------------------------------


def in_words(change: BoundaryChange, day: Callable[[Any], str] = formats.day) -> str:
    """2026年7月1日，甲区、乙区合并为丙区。"""
    sources = formats.listed([part.called for part in change.sources])
    targets = formats.listed([part.called for part in change.targets])
    words = {"day": day(change.effective_on), "sources": sources, "targets": targets}
    match change.kind:
        case Kind.MERGE:
            founded = any(part.code for part in change.targets)
            sentence = (
                _("%(day)s，%(sources)s合并设立%(targets)s")
                if founded
                else _("%(day)s，%(sources)s并入%(targets)s")
            )
        case Kind.SPLIT:
            stays = any(part.stays for part in change.sources)
            sentence = (
                _("%(day)s，%(sources)s的一部分划出，设立%(targets)s")
                if stays
                else _("%(day)s，%(sources)s拆分为%(targets)s")
            )
        case Kind.MOVE:
            sentence = _("%(day)s，%(sources)s改由%(targets)s管辖")
        case _:
            words["targets"] = change.sources[0].short_name
            sentence = _("%(day)s，%(sources)s更名为%(targets)s")
    return sentence % words


def moved(change: BoundaryChange) -> list[Line]:
    """What followed when it was carried out."""
    return [Line(apps.get_model(name)._meta.verbose_name, *numbers) for name, numbers in change.moved.items()]


def _tell(change: BoundaryChange, parts: list[BoundaryPart]) -> None:
    """Those who hold a role at one of the units, and the administrators above."""
    change = _with_parts(change, parts)
    units = [part.bureau for part in parts if part.bureau]
    above = {code for unit in units for code in unit.line}
    rows = Grant.objects.judged("to be told").not_over(timezone.localdate())
    of_units = models.Q(bureau__in=units) | models.Q(bureau__code__in=above, role=Role.ADMINISTRATOR)
    people = set(rows.filter(of_units, user__is_active=True).values_list("user", flat=True))
    details = {
        "what": "boundary",
        "change": change.pk,
        "kind": change.kind,
        "on": change.effective_on.isoformat(),
        "sources": formats.listed([part.called for part in change.sources]),
        "targets": formats.listed([part.called for part in change.targets]) or change.sources[0].short_name,
    }
    tell(people, Notice.Kind.ACCOUNT, f"boundary:{change.pk}", details)


def _managers_at(bureaus: Collection[int]) -> list[tuple[int, int]]:
    """Who administers an organisation of one of the bureaus, and which."""
    rows = Grant.objects.judged("to be told").in_force(timezone.localdate()).filter(is_manager=True)
    of_bureaus = rows.filter(organization__bureau__in=bureaus, user__is_active=True)
    return list(of_bureaus.order_by("pk").values_list("user", "organization"))


def _tell_managers(
    change: BoundaryChange, managed: Sequence[tuple[int, int]], sources: Collection[int]
) -> None:
    """Of each organisation that came to another bureau those who administer it: which it is now."""
    now = timezone.now()
    for start in range(0, len(managed), CHUNK):
        some = managed[start : start + CHUNK]
        firms = Organization.objects.judged("to be told").select_related("bureau")
        moved = firms.filter(pk__in={firm for _user, firm in some}).exclude(bureau__in=sources)
        known = {firm.pk: firm for firm in moved}
        insert(
            [
                Notice(
                    user_id=user,
                    kind=Notice.Kind.ACCOUNT,
                    source=f"boundary:{change.pk}:firm:{firm}",
                    at=now,
                    details={
                        "what": "boundary_firm",
                        "change": change.pk,
                        "on": change.effective_on.isoformat(),
                        "document": change.document,
                        "organization": known[firm].name,
                        "unit": known[firm].bureau.name,
                    },
                )
                for user, firm in some
                if firm in known
            ],
            unless_there=True,
        )


def _told(details: Details) -> str:
    words = {"day": day_of(details, "on"), "sources": details["sources"], "targets": details["targets"]}
    match details["kind"]:
        case Kind.MERGE:
            return _("区划变更已生效（%(day)s）：%(sources)s合并为%(targets)s。") % words
        case Kind.SPLIT:
            return _("区划变更已生效（%(day)s）：%(sources)s拆分，新单位是%(targets)s。") % words
        case Kind.MOVE:
            return _("区划变更已生效（%(day)s）：%(sources)s改由%(targets)s管辖。") % words
    return _("区划变更已生效（%(day)s）：%(sources)s更名为%(targets)s。") % words


def _told_of_grant(details: Details) -> str:
    words = {"role": Role(details["role"]).label, "unit": details["unit"], "to": details["to"]}
    if details["to"]:
        return _("因区划变更，您在%(unit)s的授权（%(role)s）已转到%(to)s。") % words
    return _("因区划变更，您在%(unit)s的授权（%(role)s）已终止；请由新单位的管理员重新授权。") % words


def _told_of_firm(details: Details) -> str:
    words = dict(details) | {"day": day_of(details, "on")}
    return _("因区划变更，%(organization)s自 %(day)s 起归%(unit)s管辖（依据：%(document)s）。") % words


def declare() -> None:
    def page(details: Details) -> str:
        return reverse("projects:boundary_detail", args=[details["change"]])

    say("boundary", _told, page)
    say("boundary_grant", _told_of_grant, page)
    say("boundary_firm", _told_of_firm, page)
