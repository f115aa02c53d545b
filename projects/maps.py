"""The quality map of a chain: what is counted at each segment, what others are told of it, and its versions.

A map is drawn from live rows within somebody's scope, frozen as a version, approved by another person,
published. Whoever has no right to the rows is told bands of five and no more (`domain.md` 1.1, 3.4, 3.7).
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime, time
from typing import Any, NamedTuple

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Count, Max, Q, TextChoices
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import Grant, Role, User
from common import formats
from common.saving import save_checked
from common.scope import Scope
from enterprises.models import Bureau, ChainSegment, IndustryChain, NqiElement, Organization
from projects.files import MIME_BY_SUFFIX, check
from projects.models import Bottleneck, QualityMap
from projects.models.maps import map_path
from projects.querysets import BottleneckQuerySet
from projects.reports import digest_of
from projects.services import StaleRow
from record.acting import by_whom, on_behalf

Gap, Status = Bottleneck.Gap, QualityMap.Status
BAND = 5
ELEMENTS = tuple(NqiElement.values)
# What a filer calls the gap says which element is missing, also where none was ticked.
ELEMENT_OF_GAP = {
    Gap.STANDARD_MISSING: "STD",
    Gap.STANDARD_DIVIDED: "STD",
    Gap.MEASUREMENT_MISSING: "MET",
    Gap.CALIBRATION_MISSING: "MET",
    Gap.METHOD_MISSING: "TST",
    Gap.CERTIFICATION_MISSING: "CER",
    Gap.RECOGNITION_BLOCKED: "ACC",
}
# Official texts name four; problems that lack both of the last are counted once.
FOUR = {
    "MET": NqiElement.METROLOGY.label,
    "STD": NqiElement.STANDARDS.label,
    "TST": NqiElement.TESTING.label,
    "CER_ACC": gettext_lazy("认证认可"),
}
OPEN = ~Q(status__in=[Bottleneck.Status.DRAFT, *Bottleneck.ENDED])
SOLVED = Q(status__in=Bottleneck.SOLVED)


class State(TextChoices):
    """How a segment fares; what it means stands in the rule of the map."""

    RED = "red", gettext_lazy("红色")
    YELLOW = "yellow", gettext_lazy("黄色")
    GREEN = "green", gettext_lazy("绿色")
    NONE = "none", gettext_lazy("暂无问题")


class Rule(NamedTuple):
    """Of the open and solved problems of a segment, the solved share in per cent: red below the first,
    green from the second."""

    red_below: int
    green_from: int

    def state(self, open_: int, solved: int) -> str:
        whole = open_ + solved
        if not whole:
            return State.NONE
        if solved * 100 < self.red_below * whole:
            return State.RED
        return State.GREEN if solved * 100 >= self.green_from * whole else State.YELLOW

    def legend(self) -> list[tuple[str, str]]:
        """The states and what they mean."""
        low, high = self.red_below, self.green_from
        return [
            (State.RED, _("红色：解决率低于 %(low)d%%") % {"low": low}),
            (State.YELLOW, _("黄色：%(low)d%% 至不足 %(high)d%%") % {"low": low, "high": high}),
            (State.GREEN, _("绿色：%(high)d%% 及以上") % {"high": high}),
            (State.NONE, _("暂无问题")),
        ]


def rule_now() -> Rule:
    return Rule(*settings.QUALITY_MAP_RULE)


@dataclass(frozen=True)
class Node:
    """A segment on the day of drawing. ``gaps`` are its open problems by what they lack, keys of `ELEMENTS`
    and `FOUR`; ``localisation`` is a share in per cent."""

    segment: int
    parent: int | None
    stream: str
    name: str
    localisation: str
    open: int
    solved: int
    gaps: Mapping[str, int]
    state: str


# --- Counting ----------------------------------------------------------------------------------------------


def _lacking(*elements: str) -> Q:
    gaps = [gap for gap, element in ELEMENT_OF_GAP.items() if element in elements]
    lacking = Q(nqi_gap__in=gaps)
    for element in elements:
        lacking |= Q(nqi_elements__contains=element)
    return lacking


def problems_for(user: User, chain: IndustryChain, bureau: Bureau) -> BottleneckQuerySet:
    """The problems that a live map counts: of the chain, under the bureau, and seen by the user.

    Each master once; what was merged into it is not a second problem.
    """
    rows = Bottleneck.objects.visible_to(user).counted().masters()
    return rows.filter(chain=chain, bureau__path__startswith=bureau.path)


def draw(
    chain: IndustryChain, rows: BottleneckQuerySet, rule: Rule, open_: Q = OPEN, solved: Q = SOLVED
) -> list[Node]:
    """The segments of the chain with what the rows say of them: two queries, however many of both."""
    lacking = {code: _lacking(code) for code in ELEMENTS} | {"CER_ACC": _lacking("CER", "ACC")}
    counting: dict[str, Any] = {"open": Count("pk", filter=open_), "solved": Count("pk", filter=solved)}
    counting |= {code: Count("pk", filter=open_ & missing) for code, missing in lacking.items()}
    counted_rows: Any = rows.order_by().values("segment").annotate(**counting)
    counts: dict[int, dict[str, int]] = {row["segment"]: row for row in counted_rows}
    nodes = []
    for segment in ChainSegment.objects.filter(chain=chain).order_by("position", "pk"):
        counted = counts.get(segment.pk, {})
        open_count, solved_count = counted.get("open", 0), counted.get("solved", 0)
        rate = segment.localisation_rate
        nodes.append(
            Node(
                segment=segment.pk,
                parent=segment.parent_id,
                stream=segment.stream,
                name=segment.name,
                localisation="" if rate is None else f"{rate.normalize():f}",
                open=open_count,
                solved=solved_count,
                gaps={code: number for code in lacking if (number := counted.get(code, 0))},
                state=rule.state(open_count, solved_count),
            )
        )
    return nodes


def nodes_of(row: QualityMap) -> list[Node]:
    """The nodes as they were frozen; none where a drawing was uploaded."""
    return [Node(**node) for node in row.nodes or ()]


# --- Telling -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Shown:
    """What a reader is told of a segment: words, which may be numbers or bands."""

    node: Node
    open: str
    solved: str
    # Pairs of an element and its number, which is blank where only the element is told.
    gaps: tuple[tuple[str, str], ...]
    state: str

    @property
    def state_words(self) -> str:
        return str(State(self.state).label) if self.state else _("不公布")

    @property
    def gap_words(self) -> str:
        return _("、").join(f"{FOUR[code]} {number}".strip() for code, number in self.gaps)


def exact(node: Node) -> Shown:
    """Everything, for whoever has a right to the rows."""
    gaps = tuple((code, formats.count(node.gaps[code])) for code in FOUR if code in node.gaps)
    return Shown(node, formats.count(node.open), formats.count(node.solved), gaps, node.state)


def told(node: Node, rule: Rule) -> Shown:
    """For everybody else: bands of five, and only what is the same for every pair of numbers in the bands.

    Zero is in the lowest band, so that neither it nor one to four is told; numbers of other maps, of totals
    or of earlier versions leave a band of nine when subtracted. An element is named when five lack it.
    """
    open_, solved = node.open // BAND * BAND, node.solved // BAND * BAND
    worst, best = rule.state(open_ + BAND - 1, solved), rule.state(open_, solved + BAND - 1)
    gaps = tuple((code, "") for code in FOUR if node.gaps.get(code, 0) >= BAND)
    return Shown(node, band(node.open), band(node.solved), gaps, worst if worst == best else "")


def band(number: int) -> str:
    """不足 5, 5–9, 10–14 …"""
    start = number // BAND * BAND
    if not start:
        return _("不足 %d") % BAND
    return f"{formats.count(start)}–{formats.count(start + BAND - 1)}"


def reads_exactly(user: User | AnonymousUser, bureau: Bureau, chain: IndustryChain) -> bool:
    """Whether all rows that a map of the bureau counts are the user's to see."""
    scope: Scope = getattr(user, "scope", Scope())
    return scope.covers(bureau, chain.pk)


def shown_to(user: User | AnonymousUser, row: QualityMap) -> list[Shown]:
    """The nodes of a version as this reader is told of them."""
    if reads_exactly(user, row.bureau, row.chain):
        return [exact(node) for node in nodes_of(row)]
    rule = Rule(row.red_below, row.green_from)
    return [told(node, rule) for node in nodes_of(row)]


class Difference(NamedTuple):
    """What changed at a segment: ``facts`` are triples of what, before and now."""

    name: str
    kind: str
    facts: list[tuple[str, str, str]]


def differences(before: Iterable[Shown], now: Iterable[Shown]) -> list[Difference]:
    """Segments that came, went or changed, of two versions as a reader is told of them."""
    old = {shown.node.segment: shown for shown in before}
    found = []
    for shown in now:
        was = old.pop(shown.node.segment, None)
        if was is None:
            found.append(Difference(shown.node.name, _("新增"), []))
        elif facts := _changed(was, shown):
            found.append(Difference(shown.node.name, _("变化"), facts))
    return found + [Difference(gone.node.name, _("不再列出"), []) for gone in old.values()]


def _changed(was: Shown, now: Shown) -> list[tuple[str, str, str]]:
    pairs = (
        (_("名称"), was.node.name, now.node.name),
        (_("状态"), was.state_words, now.state_words),
        (_("在办"), was.open, now.open),
        (_("已解决"), was.solved, now.solved),
        (_("所缺要素"), was.gap_words, now.gap_words),
        (_("国产化率（%）"), was.node.localisation, now.node.localisation),
    )
    return [(word, old or formats.BLANK, new or formats.BLANK) for word, old, new in pairs if old != new]


# --- Versions ----------------------------------------------------------------------------------------------


def grant_to_draw(user: User | AnonymousUser, chain: IndustryChain, bureau: Bureau) -> Grant | None:
    """The grant by which the user draws, approves and publishes maps of the bureau."""
    if not isinstance(user, User):
        return None
    return next((one for one in user.grants_of(Role.OFFICER) if one.covers(bureau, chain.pk)), None)


WHO_DRAWS = gettext_lazy("图谱由编制单位及其上级的经办人起草、审定和发布。")


def why_not_drafting(user: User | AnonymousUser, chain: IndustryChain, bureau: Bureau) -> str:
    """Why the user may not draw maps of the bureau; empty when it may."""
    return "" if grant_to_draw(user, chain, bureau) else str(WHO_DRAWS)


@by_whom
def draft(
    chain: IndustryChain,
    bureau: Bureau,
    *,
    by: User,
    drawn_by: Organization,
    values: Mapping[str, Any],
) -> QualityMap:
    """Begin the next version, from live rows or with an uploaded drawing in their place.

    ``values`` are its columns by name, under ``file`` an upload. Raises PermissionDenied, or ValidationError
    by field, also when a version is under way already.
    """
    grant = grant_to_draw(by, chain, bureau)
    if grant is None:
        raise PermissionDenied(WHO_DRAWS)
    columns, rule = dict(values), rule_now()
    upload = columns.pop("file", None)
    row = QualityMap(
        chain=chain,
        bureau=bureau,
        drawn_on=timezone.localdate(),
        drawn_by=drawn_by,
        red_below=rule.red_below,
        green_from=rule.green_from,
        drafted_at=timezone.now(),
        drafted_by=by,
        drafted_for=grant.principal,
        **columns,
    )
    versions = QualityMap.objects.judged("the next number").filter(chain=chain, bureau=bureau)
    row.version = (versions.aggregate(last=Max("version"))["last"] or 0) + 1
    if upload:
        row.file, row.mime = upload, checked_drawing(upload)
        row.sha256 = digest_of(upload)
    else:
        row.nodes = _nodes(row, by)
    try:
        with on_behalf(by, grant), transaction.atomic():
            save_checked(row)
    except BaseException:
        if upload:
            row.file.storage.delete(map_path(row))
        raise
    return row


def checked_drawing(upload: Any) -> str:
    """The content type of a drawing; raises ValidationError for what is neither PDF nor PNG."""
    mime = check(upload)
    if mime not in (MIME_BY_SUFFIX[".pdf"], MIME_BY_SUFFIX[".png"]):
        raise ValidationError({"file": _("图谱文件应为 PDF 或 PNG。")})
    return mime


def _nodes(row: QualityMap, by: User) -> list[dict[str, Any]]:
    rule = Rule(row.red_below, row.green_from)
    nodes = draw(row.chain, problems_for(by, row.chain, row.bureau), rule)
    if not nodes:
        raise ValidationError(_("这条产业链还没有环节，不能绘制图谱。请管理员先在后台登记环节。"))
    return [asdict(node) for node in nodes]


@dataclass(frozen=True)
class Step:
    """What may be done to a version, from which states; ``ask`` says what will happen."""

    name: str
    label: Any
    sources: tuple[str, ...]
    ask: Any
    done: Any


STEPS = {
    step.name: step
    for step in (
        Step(
            "redraw",
            gettext_lazy("按今天的数据重绘"),
            (Status.DRAFT,),
            gettext_lazy("图上的数字换成今天的，绘制日期改为今天。"),
            gettext_lazy("已按今天的数据重绘。"),
        ),
        Step(
            "approve",
            gettext_lazy("审定"),
            (Status.DRAFT,),
            gettext_lazy("审定后不能再重绘，只能发布或废弃。审定人不能是起草人。"),
            gettext_lazy("已审定，可以发布。"),
        ),
        Step(
            "publish",
            gettext_lazy("发布"),
            (Status.APPROVED,),
            gettext_lazy("发布后不能修改或撤回，以后只能用新版取代；本单位现有的已发布版本随即被取代。"),
            gettext_lazy("已发布。"),
        ),
        Step(
            "discard",
            gettext_lazy("废弃"),
            QualityMap.UNPUBLISHED,
            gettext_lazy("这一版将被删除，版本号留给下一版。"),
            gettext_lazy("已废弃。"),
        ),
    )
}


def why_not(row: QualityMap, step: Step, user: User | AnonymousUser) -> str:
    """Why the user may not make the step now; empty when it may."""
    grant = grant_to_draw(user, row.chain, row.bureau)
    if grant is None:
        return str(WHO_DRAWS)
    if row.status not in step.sources:
        return _("图谱现在的状态是“%(status)s”。") % {"status": row.get_status_display()}
    if step.name == "redraw" and row.file:
        return _("上传的图谱不能重绘，请废弃后重新起草。")
    if step.name == "approve" and {user.pk, grant.principal and grant.principal.pk} & {
        row.drafted_by_id,
        row.drafted_for_id or 0,
    }:
        return _("图谱不能由起草人自己审定。")
    return ""


def mark_of(row: QualityMap) -> str:
    """Another one for every state and every drawing: whoever decides says by it what was looked at."""
    content = json.dumps([row.status, row.nodes], sort_keys=True)
    return hashlib.blake2s(content.encode(), digest_size=8).hexdigest()


@by_whom
def take_step(row: QualityMap, name: str, *, by: User, seen: str) -> QualityMap:
    """Redraw, approve, publish or discard a version; ``seen`` is the mark of what the user looked at.

    All versions of bureau and chain are locked first, so of two who publish at once one wins. Raises StaleRow
    when the version has changed since, PermissionDenied when the user may not make the step.
    """
    step = STEPS[name]
    with transaction.atomic():
        same = QualityMap.objects.judged("under the lock").filter(chain=row.chain_id, bureau=row.bureau_id)
        list(same.select_for_update().only("pk").order_by("pk"))
        whole = same.select_related("chain", "bureau", "published_by", "approved_by")
        locked = whole.filter(pk=row.pk).first()
        if locked is None:
            raise StaleRow(_("这一版图谱已被废弃，您的操作没有执行。"))
        if mark_of(locked) != seen:
            raise StaleRow(_why_stale(locked))
        if why := why_not(locked, step, by):
            raise PermissionDenied(why)
        grant = grant_to_draw(by, locked.chain, locked.bureau)
        with on_behalf(by, grant):
            _do(locked, name, by, grant.principal if grant else None, same)
    return locked


def _do(locked: QualityMap, name: str, by: User, principal: User | None, same: Any) -> None:
    now = timezone.now()
    if name == "discard":
        if locked.file:
            transaction.on_commit(lambda: locked.file.storage.delete(map_path(locked)))
        locked.delete()
        return
    if name == "redraw":
        locked.drawn_on = timezone.localdate()
        locked.red_below, locked.green_from = rule_now()
        locked.nodes = _nodes(locked, by)
        # Whoever drew the numbers is the one who may not approve them.
        locked.drafted_by, locked.drafted_for, locked.drafted_at = by, principal, now
    elif name == "approve":
        locked.status, locked.approved_by, locked.approved_at = Status.APPROVED, by, now
    else:
        for standing in same.published():
            standing.status, standing.superseded_at = Status.SUPERSEDED, now
            standing.save()
        locked.status, locked.published_by, locked.published_at = Status.PUBLISHED, by, now
    save_checked(locked)


def _why_stale(locked: QualityMap) -> str:
    who, when = locked.approved_by, locked.approved_at
    if locked.status in QualityMap.FROZEN:
        who, when = locked.published_by, locked.published_at
    if who is None:
        return _("图谱在您打开页面后有变化，您的操作没有执行，请刷新后再看。")
    sentence = _("%(who)s已于 %(when)s 把图谱改为“%(status)s”，您的操作没有执行。")
    values = {"who": who, "when": formats.moment(when), "status": locked.get_status_display()}
    return sentence % values


def standing_for(user: User | AnonymousUser, chain: IndustryChain, near: Bureau | None) -> QualityMap | None:
    """The published map that the reader may see of the nearest unit on its line, else of the widest."""
    rows = list(
        QualityMap.objects.visible_to(user).published().filter(chain=chain).select_related("bureau", "chain")
    )
    line = near.path.split("/") if near else []
    on_line = [row for row in rows if row.bureau.code in line]
    if on_line:
        return max(on_line, key=lambda row: row.bureau.level)
    return min(rows, key=lambda row: (row.bureau.level, row.bureau.code), default=None)


def totals_by_chain(user: User) -> dict[int, dict[str, int]]:
    """Open and solved problems of each chain within the user's scope, in one query."""
    rows: Any = Bottleneck.objects.visible_to(user).counted().masters().exclude(chain=None).order_by()
    counting = {"open": Count("pk", filter=OPEN), "solved": Count("pk", filter=SOLVED)}
    return {row["chain"]: row for row in rows.values("chain").annotate(**counting)}


def drawn_before(day: date) -> tuple[Q, Q]:
    """What was open and what was solved when a day began."""
    start = timezone.make_aware(datetime.combine(day, time.min))
    solved = Q(resolved_at__lt=start) & SOLVED
    return Q(submitted_at__lt=start) & ~solved & (OPEN | SOLVED), solved
