"""The transition table of a bottleneck (`domain.md` chapter 4, design decision 4).

Everything that asks "what may happen next?" reads this module: buttons, the API, the demo data, the tests.
A move names its source states, its target, the parties that may make it, what it needs and which guards it
passes. A state names whose turn it is and which clock runs. `projects.services.move` is the only place that
carries a move out.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple, TypeVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext, pgettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from accounts.joining import why_not_yet
from accounts.models import FILING_ROLES, Grant, Role, User
from common.workdays import add_months, add_workdays, workdays_between
from enterprises.models import Bureau
from projects.models import Bottleneck, ExpertOpinion
from projects.proof import contradicted, missing_proof, only_partly

S = Bottleneck.Status
T = TypeVar("T", bound=Callable[..., str])
# Who made one of these moves may not verify the problem (`domain.md` 4.2).
HANDLED_BY = (
    "accept",
    "escalate",
    "hand_down",
    "list",
    "dispatch",
    "post",
    "award",
    "begin",
    "restart",
    "continue",
    "relist",
    "take",
    "file_solution",
    "confirm",
    "confirm_partly",
)


# Whether a problem is solved is being judged: an expert who was asked reads it.
JUDGED = (S.VERIFICATION, S.PARTLY)


class Party(models.TextChoices):
    """Who may make a move; the order of words on the page."""

    FILER = "filer", _("提出企业")
    OFFICER = "officer", _("办理单位")
    INSTITUTION = "institution", _("承担机构")
    VERIFIER = "verifier", _("核验人员")
    SYSTEM = "system", _("系统")
    NOBODY = "nobody", _("无")


@dataclass(frozen=True)
class State:
    """What a status means for the people: whose turn, which clock, and the next step in words.

    The clock runs for the working days of the setting ``limit``, for ``months``, until the plan date of the
    row, or until the day that the move named; else there is none.
    """

    turn: Party
    next_step: Any
    limit: str = ""
    months: int = 0
    until_plan_date: bool = False
    until_named_day: bool = False

    @property
    def has_clock(self) -> bool:
        return bool(self.limit or self.months or self.until_plan_date or self.until_named_day)


@dataclass(frozen=True)
class Attempt:
    """Somebody about to make a move, and by which grant: what guards look at."""

    bottleneck: Bottleneck
    grant: Grant
    user: User | None

    @property
    def people(self) -> list[User]:
        """Who counts as the one who acts: the user, and the officer whose substitute the user is here."""
        return [person for person in (self.user, self.grant.principal) if person]


@dataclass(frozen=True)
class Move:
    """One row of the table; without a ``target`` the problem stays where it is.

    ``needs`` are the keys that the data of the move must fill, ``takes`` those that it may. ``conditions``
    judge the problem at a moment, ``guards`` who acts; both answer with the reason why not. A move that
    ``ends`` cannot be taken back.
    """

    name: str
    label: Any
    sources: tuple[S, ...]
    target: S | None
    parties: tuple[Party, ...]
    done: Any
    needs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()
    conditions: tuple[Callable[[Bottleneck, datetime], str], ...] = ()
    guards: tuple[Callable[[Attempt], str], ...] = ()
    ends: bool = False
    restarts_clock: bool = False

    def leads_to(self, source: str) -> S:
        return self.target or S(source)


STATES: dict[str, State] = {
    S.DRAFT: State(Party.FILER, _("填完后提交，所在地市场监管部门开始核实。")),
    S.SUBMITTED: State(
        Party.OFFICER, _("办理单位核实情况，受理、一次性列明缺项退回，或说明理由不予受理。"), "submitted"
    ),
    S.RETURNED: State(Party.FILER, _("请企业按缺项清单补正后重新提交。"), "returned"),
    S.REJECTED: State(Party.NOBODY, _("未予受理，理由和可以求助的部门见办理记录；不同意的，可以申诉一次。")),
    S.WITHDRAWN: State(Party.NOBODY, _("企业已撤回，如仍需解决请重新填报。")),
    S.LAPSED: State(Party.NOBODY, _("到期没有补正，已失效；如仍需解决请重新填报。")),
    S.ACCEPTED: State(
        Party.OFFICER, _("办理单位复核级别与是否重复，列入清单、归并到同类问题，或提请上级复核。"), "accepted"
    ),
    S.MERGED: State(Party.NOBODY, _("已归并到同类问题，进展以主问题为准。")),
    S.LISTED: State(Party.OFFICER, _("办理单位为问题选定承担机构并派单，或发榜征集。")),
    S.POSTED: State(Party.OFFICER, _("榜单公开征集中，截止后由发榜单位确定揭榜单位。"), until_named_day=True),
    S.AWARDED: State(Party.OFFICER, _("发榜单位与揭榜单位签约，定下期限后开始攻关。"), "awarded"),
    S.DISPATCHED: State(Party.INSTITUTION, _("承担机构答复是否承接。"), "dispatched"),
    S.IN_PROGRESS: State(
        Party.INSTITUTION, _("承担机构攻关，完成后提交解决办法和证据。"), until_plan_date=True
    ),
    S.SUSPENDED: State(Party.OFFICER, _("已暂缓，条件具备后由办理单位恢复。"), "suspended"),
    S.UNSOLVABLE: State(
        Party.OFFICER, _("暂无法解决，挂账管理；每半年复查一次，条件具备时重新列入清单。"), months=6
    ),
    S.SOLUTION_FILED: State(
        Party.FILER, _("请企业对照目标确认是否解决；未答复不视为同意。"), "solution_filed"
    ),
    S.VERIFICATION: State(Party.VERIFIER, _("由未经手本问题的另一名人员核验证据和效果。"), "verification"),
    S.PARTLY: State(
        Party.OFFICER, _("办理单位为剩余部分定下期限，继续攻关；已经全部解决的，由核验人员销号。")
    ),
    S.RESOLVED: State(Party.NOBODY, _("已核验解决；12 个月内如有反弹可以重开。")),
    S.REOPENED: State(Party.OFFICER, _("办理单位核对新情况，定下期限，继续攻关。"), "reopened"),
    S.ARCHIVED: State(Party.NOBODY, _("解决满 12 个月，已归档；又出现的，请作为新问题填报。")),
    S.TERMINATED: State(Party.NOBODY, _("已终止，原因见办理记录。")),
}


def statuses_of(*parties: str) -> list[str]:
    """The statuses in which it is the turn of one of the parties."""
    return [status for status, state in STATES.items() if state.turn in parties]


def rule(words: Any) -> Callable[[T], T]:
    """Give a condition or guard the words in which the documentation names it."""

    def named(function: T) -> T:
        setattr(function, "words", words)  # noqa: B010  (no function declares it)
        return function

    return named


# --- Conditions: what the problem itself allows at a moment ------------------------------------------------


@rule(_("有量化的现值和目标值"))
def has_target(row: Bottleneck, at: datetime) -> str:
    if row.measures.exists():
        return ""
    return gettext("列入清单前要有量化的现值和目标值，请先退回企业补充。")


@rule(_("有适合这类问题的证据，且没有核对不符的"))
def has_evidence(row: Bottleneck, at: datetime) -> str:
    if not row.evidence.exists():
        return gettext("没有证据的问题不能核验为已解决。")
    if refusal := contradicted(row) or missing_proof(row):
        return refusal
    if only_partly(row):
        return gettext("现有证据只能说明阶段性解决，请办理“阶段性解决”。")
    return ""


def is_above_city(row: Bottleneck) -> bool:
    """Graded for province or nation."""
    return row.grade in (Bottleneck.Grade.PROVINCE, Bottleneck.Grade.NATION)


@rule(_("省级、国家级问题有专家同意"))
def expert_agrees(row: Bottleneck, at: datetime) -> str:
    """Besides another officer; one expert who disagrees is not outvoted by others (`domain.md` 4.1)."""
    if not is_above_city(row):
        return ""
    answers = set(row.opinions.filter(closed_at=None).values_list("answer", flat=True))
    if ExpertOpinion.Answer.NO in answers:
        return gettext("有专家不同意核验为已解决，请办理“阶段性解决”或“核验不通过”。")
    if ExpertOpinion.Answer.YES in answers:
        return ""
    return gettext("省级和国家级问题核验前要有一名专家同意，请先在问题页面送请专家。")


@rule(_("企业确认全部解决"))
def firm_says_yes(row: Bottleneck, at: datetime) -> str:
    """Silence of the firm is no consent, and a part is not the whole (`domain.md` 4.1, 4.3)."""
    answer = row.transitions.filter(move__in=("confirm", "confirm_partly")).last()
    if answer and answer.move == "confirm":
        return ""
    return gettext("企业没有确认全部解决，只能认定阶段性解决或继续攻关。")


@rule(_("核验解决未超过 12 个月"))
def solved_lately(row: Bottleneck, at: datetime) -> str:
    """A reopening is possible up to the same day of the next year (`domain.md` 4.1)."""
    if row.resolved_at and timezone.localdate(at) <= last_day_to_reopen(row.resolved_at):
        return ""
    return gettext("核验解决已超过 12 个月，请作为新问题填报。")


@rule(_("核验解决已满 12 个月"))
def solved_long_ago(row: Bottleneck, at: datetime) -> str:
    return "" if solved_lately(row, at) else gettext("核验解决未满 12 个月，还不能归档。")


def last_day_to_reopen(resolved_at: datetime) -> date:
    return add_months(timezone.localdate(resolved_at), settings.REOPEN_MONTHS)


@rule(_("时限已经届满"))
def clock_has_run_out(row: Bottleneck, at: datetime) -> str:
    if row.clock_due_on and row.clock_due_on < timezone.localdate(at):
        return ""
    return gettext("时限还没有届满。")


@rule(_("征集已经截止"))
def call_is_closed(row: Bottleneck, at: datetime) -> str:
    if clock_has_run_out(row, at):
        return gettext("征集还没有截止，截止后才能确定。")
    return ""


@rule(_("企业到期未答复"))
def firm_is_silent(row: Bottleneck, at: datetime) -> str:
    if clock_has_run_out(row, at):
        return gettext("企业答复的时限还没有届满，到期未答复时再回访。")
    return ""


@rule(_("超期满三个工作日，尚未上报"))
def is_long_overdue(row: Bottleneck, at: datetime) -> str:
    """Red for three working days, and not reported upwards yet (`domain.md` 4.1, clock rules)."""
    due = row.clock_due_on
    if row.escalated_to_id or row.status in Bottleneck.PAUSED or due is None:
        return gettext("不需要超期上报。")
    if add_workdays(due, settings.ESCALATE_AFTER_WORKING_DAYS) > timezone.localdate(at):
        return gettext("超期未满上报的天数。")
    return "" if row.handler.parent else gettext("没有上级单位可以上报。")


@rule(_("延期未满两次（补正为一次）"))
def may_be_extended(row: Bottleneck, at: datetime) -> str:
    """Twice at most, and the firm's time to complete a filing once (`domain.md` 4.1)."""
    most = 1 if row.status == S.RETURNED else 2
    if row.extended_count < most:
        return ""
    return gettext("这个时限已经延期 %(n)d 次，不能再延。") % {"n": row.extended_count}


@rule(_("没有申诉过，且有上级单位"))
def may_be_appealed(row: Bottleneck, at: datetime) -> str:
    if row.transitions.filter(move="appeal").exists():
        return gettext("已经申诉过一次。如仍有异议，请按办理记录中写明的途径反映。")
    if row.handler.parent is None:
        return gettext("没有上级单位可以申诉。")
    return ""


@rule(_("有上级单位"))
def has_superior(row: Bottleneck, at: datetime) -> str:
    return "" if row.handler.parent else gettext("已由最高一级复核。")


@rule(_("下面有可以复核的单位"))
def has_subordinate(row: Bottleneck, at: datetime) -> str:
    return "" if reviewer_below(row) else gettext("下面没有可以复核的单位。")


def reviewer_below(row: Bottleneck) -> Bureau | None:
    """The unit one step down the reporting line that reviews too; never the one that checked the filing."""
    codes = row.bureau.path.removeprefix(row.handler.path).strip("/").split("/")
    if row.bureau.path.startswith(row.handler.path) and len(codes) > 1:
        return Bureau.objects.get(code=codes[0])
    return None


@rule(_("主问题尚未解决"))
def master_is_unsolved(row: Bottleneck, at: datetime) -> str:
    if row.merged_into and row.merged_into.status not in Bottleneck.SOLVED:
        return ""
    return gettext("主问题已经解决，不能再撤销归并；仍未解决的，请作为新问题填报。")


# --- Guards: who acts --------------------------------------------------------------------------------------


@rule(_("市级及以上单位"))
def acts_as_city_or_above(attempt: Attempt) -> str:
    if attempt.grant.level <= Bureau.Level.CITY:
        return ""
    return gettext("这一步由市级及以上单位办理。")


def handled_by(people: Iterable[User]) -> Q:
    """Events by which one of the people handled a problem, in person or through a substitute."""
    return Q(Q(actor__in=people) | Q(principal__in=people), move__in=HANDLED_BY)


@rule(_("没有经手过这个问题的人"))
def another_person(attempt: Attempt) -> str:
    if not attempt.bottleneck.transitions.filter(handled_by(attempt.people)).exists():
        return ""
    if attempt.grant.principal:
        sentence = gettext("您或您所代的%(principal)s经手过这个问题，核验须由另一名人员进行。")
        return sentence % {"principal": attempt.grant.principal}
    return gettext("您经手过这个问题，核验须由另一名人员进行。")


@rule(_("省级、国家级问题不由县级核验"))
def grade_allows(attempt: Attempt) -> str:
    if not is_above_city(attempt.bottleneck) or attempt.grant.level <= Bureau.Level.CITY:
        return ""
    return gettext("省级和国家级问题不能由县级单位核验销号。")


@rule(_("没有就这个问题出具专家意见的人"))
def no_expert_of_it(attempt: Attempt) -> str:
    """Expert and verifier are two people."""
    if attempt.bottleneck.opinions.filter(expert__in=attempt.people).exists():
        return gettext("您被请就这个问题出具专家意见，核验须由另一名人员进行。")
    return ""


# --- The table ---------------------------------------------------------------------------------------------


# States whose clock may be put off, and those in which being late is reported to the level above.
EXTENDABLE = (
    S.SUBMITTED,
    S.RETURNED,
    S.ACCEPTED,
    S.DISPATCHED,
    S.POSTED,
    S.AWARDED,
    S.IN_PROGRESS,
    S.SOLUTION_FILED,
    S.VERIFICATION,
    S.REOPENED,
)
OFFICIAL_CLOCKS = tuple(
    S(status) for status in STATES if STATES[status].has_clock and status not in Bottleneck.PAUSED
)

MOVES: dict[str, Move] = {
    move.name: move
    for move in (
        Move(
            "submit",
            pgettext_lazy("move", "提交"),
            (S.DRAFT, S.RETURNED),
            S.SUBMITTED,
            (Party.FILER,),
            _("已提交"),
            takes=("reason", "answers"),
        ),
        Move(
            "withdraw",
            pgettext_lazy("move", "撤回"),
            (S.SUBMITTED, S.RETURNED, S.ACCEPTED),
            S.WITHDRAWN,
            (Party.FILER,),
            _("已撤回"),
            needs=("reason",),
            ends=True,
        ),
        Move(
            "accept",
            pgettext_lazy("move", "受理"),
            (S.SUBMITTED,),
            S.ACCEPTED,
            (Party.OFFICER,),
            _("已受理"),
            takes=("reason",),
        ),
        Move(
            "return",
            pgettext_lazy("move", "退回补正"),
            (S.SUBMITTED, S.ACCEPTED),
            S.RETURNED,
            (Party.OFFICER,),
            _("已退回补正"),
            needs=("gaps",),
            takes=("reason",),
        ),
        Move(
            "reject",
            pgettext_lazy("move", "不予受理"),
            (S.SUBMITTED,),
            S.REJECTED,
            (Party.OFFICER,),
            _("已不予受理"),
            needs=("reason_code", "reason", "turn_to"),
            ends=True,
        ),
        Move(
            "appeal",
            pgettext_lazy("move", "申诉"),
            (S.REJECTED,),
            S.SUBMITTED,
            (Party.FILER,),
            _("已申诉"),
            needs=("reason",),
            conditions=(may_be_appealed,),
        ),
        Move(
            "lapse",
            pgettext_lazy("move", "逾期失效"),
            (S.RETURNED,),
            S.LAPSED,
            (Party.SYSTEM,),
            _("逾期未补正，已失效"),
            conditions=(clock_has_run_out,),
            ends=True,
        ),
        Move(
            "escalate",
            pgettext_lazy("move", "提请上级复核"),
            (S.ACCEPTED,),
            None,
            (Party.OFFICER,),
            _("已提请上级复核"),
            needs=("high_grade", "reason"),
            conditions=(has_superior,),
            restarts_clock=True,
        ),
        Move(
            "hand_down",
            pgettext_lazy("move", "交下级复核"),
            (S.ACCEPTED,),
            None,
            (Party.OFFICER,),
            _("已交下级复核"),
            needs=("reason",),
            conditions=(has_subordinate,),
            restarts_clock=True,
        ),
        Move(
            "merge",
            pgettext_lazy("move", "归并"),
            (S.ACCEPTED,),
            S.MERGED,
            (Party.OFFICER,),
            _("已归并"),
            needs=("master", "reason"),
            takes=("kind",),
            guards=(acts_as_city_or_above,),
        ),
        Move(
            "unmerge",
            pgettext_lazy("move", "撤销归并"),
            (S.MERGED,),
            S.ACCEPTED,
            (Party.OFFICER,),
            _("已撤销归并"),
            needs=("reason",),
            conditions=(master_is_unsolved,),
            guards=(acts_as_city_or_above,),
        ),
        Move(
            "follow",
            pgettext_lazy("move", "随主问题变更"),
            (S.MERGED,),
            None,
            (Party.SYSTEM,),
            _("随主问题变更"),
        ),
        Move(
            "list",
            pgettext_lazy("move", "列入清单"),
            (S.ACCEPTED,),
            S.LISTED,
            (Party.OFFICER,),
            _("已列入清单"),
            needs=("grade", "route", "due_on"),
            takes=("is_common", "reason"),
            conditions=(has_target,),
        ),
        Move(
            "dispatch",
            pgettext_lazy("move", "派单"),
            (S.LISTED,),
            S.DISPATCHED,
            (Party.OFFICER,),
            _("已派单"),
            needs=("assigned_to",),
            takes=("reason",),
        ),
        Move(
            "take",
            pgettext_lazy("move", "承接"),
            (S.DISPATCHED,),
            S.IN_PROGRESS,
            (Party.INSTITUTION,),
            _("已承接"),
            needs=("reason",),
        ),
        Move(
            "decline",
            pgettext_lazy("move", "不承接"),
            (S.DISPATCHED,),
            S.LISTED,
            (Party.INSTITUTION,),
            _("已说明不承接"),
            needs=("reason",),
        ),
        Move(
            "post",
            pgettext_lazy("move", "发榜"),
            (S.LISTED,),
            S.POSTED,
            (Party.OFFICER,),
            _("已发榜"),
            needs=("closes_on", "reason"),
            guards=(acts_as_city_or_above,),
        ),
        Move(
            "no_taker",
            pgettext_lazy("move", "无人揭榜"),
            (S.POSTED,),
            S.LISTED,
            (Party.OFFICER,),
            _("无人揭榜，退回清单"),
            needs=("reason",),
            conditions=(call_is_closed,),
            guards=(acts_as_city_or_above,),
        ),
        Move(
            "award",
            pgettext_lazy("move", "确定揭榜单位"),
            (S.POSTED,),
            S.AWARDED,
            (Party.OFFICER,),
            _("已确定揭榜单位"),
            needs=("assigned_to", "reason"),
            conditions=(call_is_closed,),
            guards=(acts_as_city_or_above,),
        ),
        Move(
            "begin",
            pgettext_lazy("move", "签约开始"),
            (S.AWARDED,),
            S.IN_PROGRESS,
            (Party.OFFICER,),
            _("已签约，开始攻关"),
            needs=("due_on", "reason"),
            guards=(acts_as_city_or_above,),
        ),
        Move(
            "report",
            pgettext_lazy("move", "报告进展"),
            (S.IN_PROGRESS,),
            None,
            (Party.INSTITUTION,),
            _("已报告进展"),
            needs=("percent", "reason"),
        ),
        Move(
            "file_solution",
            pgettext_lazy("move", "提交解决办法"),
            (S.IN_PROGRESS,),
            S.SOLUTION_FILED,
            (Party.INSTITUTION,),
            _("已提交解决办法"),
            needs=("solution", "after", "evidence"),
            takes=("files",),
        ),
        Move(
            "confirm",
            pgettext_lazy("move", "确认已解决"),
            (S.SOLUTION_FILED,),
            S.VERIFICATION,
            (Party.FILER,),
            _("企业已确认解决"),
            takes=("reason",),
        ),
        Move(
            "confirm_partly",
            pgettext_lazy("move", "部分解决"),
            (S.SOLUTION_FILED,),
            S.VERIFICATION,
            (Party.FILER,),
            _("企业确认部分解决"),
            needs=("reason",),
        ),
        Move(
            "visit",
            pgettext_lazy("move", "登记回访"),
            (S.SOLUTION_FILED,),
            None,
            (Party.OFFICER,),
            _("已登记回访"),
            needs=("reason",),
            conditions=(firm_is_silent,),
        ),
        Move(
            "dispute",
            pgettext_lazy("move", "尚未解决"),
            (S.SOLUTION_FILED,),
            S.IN_PROGRESS,
            (Party.FILER,),
            _("企业认为尚未解决"),
            needs=("reason",),
        ),
        Move(
            "verify",
            pgettext_lazy("move", "核验通过"),
            (S.VERIFICATION, S.PARTLY),
            S.RESOLVED,
            (Party.VERIFIER,),
            _("已核验解决"),
            needs=("checked", "result", "reason"),
            takes=("effect", "is_reusable", "story"),
            conditions=(firm_says_yes, has_evidence, expert_agrees),
            guards=(another_person, no_expert_of_it, grade_allows),
        ),
        Move(
            "verify_partly",
            pgettext_lazy("move", "阶段性解决"),
            (S.VERIFICATION,),
            S.PARTLY,
            (Party.VERIFIER,),
            _("已认定阶段性解决"),
            needs=("reason",),
            guards=(another_person, no_expert_of_it, grade_allows),
        ),
        Move(
            "rework",
            pgettext_lazy("move", "核验不通过"),
            (S.VERIFICATION,),
            S.IN_PROGRESS,
            (Party.VERIFIER,),
            _("核验未通过，继续攻关"),
            needs=("reason",),
            guards=(another_person, no_expert_of_it),
        ),
        Move(
            "continue",
            pgettext_lazy("move", "继续攻关"),
            (S.PARTLY,),
            S.IN_PROGRESS,
            (Party.OFFICER,),
            _("继续攻关"),
            needs=("due_on", "reason"),
        ),
        Move(
            "suspend",
            pgettext_lazy("move", "暂缓"),
            (S.IN_PROGRESS,),
            S.SUSPENDED,
            (Party.OFFICER,),
            _("已暂缓"),
            needs=("reason",),
        ),
        Move(
            "resume",
            pgettext_lazy("move", "恢复"),
            (S.SUSPENDED,),
            S.IN_PROGRESS,
            (Party.OFFICER,),
            _("已恢复攻关"),
            needs=("due_on", "reason"),
        ),
        Move(
            "give_up",
            pgettext_lazy("move", "认定暂无法解决"),
            (S.IN_PROGRESS,),
            S.UNSOLVABLE,
            (Party.OFFICER,),
            _("已认定暂无法解决，挂账"),
            needs=("opinion", "reason"),
        ),
        Move(
            "recheck",
            pgettext_lazy("move", "登记复查"),
            (S.UNSOLVABLE,),
            None,
            (Party.OFFICER,),
            _("已登记复查"),
            needs=("reason",),
            restarts_clock=True,
        ),
        Move(
            "relist",
            pgettext_lazy("move", "重新列入清单"),
            (S.UNSOLVABLE,),
            S.LISTED,
            (Party.OFFICER,),
            _("已重新列入清单"),
            needs=("due_on", "reason"),
        ),
        Move(
            "reopen",
            pgettext_lazy("move", "重开"),
            (S.RESOLVED,),
            S.REOPENED,
            (Party.FILER, Party.OFFICER),
            _("已重开"),
            needs=("reason",),
            conditions=(solved_lately,),
        ),
        Move(
            "archive",
            pgettext_lazy("move", "归档"),
            (S.RESOLVED,),
            S.ARCHIVED,
            (Party.SYSTEM,),
            _("已归档"),
            conditions=(solved_long_ago,),
            ends=True,
        ),
        Move(
            "restart",
            pgettext_lazy("move", "重新攻关"),
            (S.REOPENED,),
            S.IN_PROGRESS,
            (Party.OFFICER,),
            _("已重新攻关"),
            needs=("due_on", "reason"),
        ),
        Move(
            "terminate",
            pgettext_lazy("move", "终止"),
            (S.LISTED, S.IN_PROGRESS, S.SUSPENDED, S.UNSOLVABLE),
            S.TERMINATED,
            (Party.OFFICER,),
            _("已终止"),
            needs=("reason",),
            ends=True,
        ),
        Move(
            "extend",
            pgettext_lazy("move", "延期"),
            EXTENDABLE,
            None,
            (Party.OFFICER,),
            _("已延期"),
            needs=("extended_to", "reason"),
            conditions=(may_be_extended,),
        ),
        Move(
            "report_up",
            pgettext_lazy("move", "超期上报"),
            OFFICIAL_CLOCKS,
            None,
            (Party.SYSTEM,),
            _("超期，已上报上级单位"),
            conditions=(is_long_overdue,),
        ),
        Move(
            "boundary",
            pgettext_lazy("move", "区划变更"),
            tuple(status for status in S if status not in (S.DRAFT, *Bottleneck.ENDED)),
            None,
            (Party.SYSTEM,),
            _("因区划变更，改由新的单位办理"),
        ),
    )
}


class RejectReason(models.TextChoices):
    """Why a filing is not accepted (`domain.md` 4.1: reason code and where to turn)."""

    NOT_QUALITY = "not_quality", _("不属于质量问题")
    OTHER_DEPARTMENT = "other_department", _("属于其他部门职责")
    DISPUTE = "dispute", _("属于合同或消费纠纷")
    SECRET = "secret", _("含有涉密内容")
    NO_SUBSTANCE = "no_substance", _("没有可核实的内容")


class MergeKind(models.TextChoices):
    """What a merged problem is to its master (`domain.md` 4.4)."""

    SAME = "same", _("同一问题")
    REPEAT = "repeat", _("重复填报")


@dataclass(frozen=True)
class Choice:
    """A move out of the present state, and why this user may not make it (empty when allowed)."""

    move: Move
    refusal: str
    grant: Grant | None

    @property
    def allowed(self) -> bool:
        return not self.refusal


def grants_for(bottleneck: Bottleneck, party: Party, user: User | None) -> list[Grant]:
    """The grants by which the user is this party of the problem, the one that speaks first."""
    if user is None or party == Party.SYSTEM:
        return []
    if party == Party.FILER:
        return [g for g in user.grants_of(*FILING_ROLES) if g.organization_id == bottleneck.organization_id]
    if party == Party.INSTITUTION:
        return [g for g in user.grants_of(Role.INSTITUTION) if g.organization_id == bottleneck.assigned_to_id]
    unit = bottleneck.handler if party == Party.OFFICER else bottleneck.bureau
    fits = [g for g in user.grants_of(Role.OFFICER) if g.covers(unit, bottleneck.chain_id)]
    # The nearest bureau speaks: an officer of a county and of its city acts for the county here. Of one
    # bureau an own grant speaks before one that is lent.
    return sorted(fits, key=lambda grant: (-grant.level, grant.principal is not None))


def grant_for(bottleneck: Bottleneck, party: Party, user: User) -> Grant | None:
    """The grant by which the user is this party of the problem."""
    return next(iter(grants_for(bottleneck, party, user)), None)


def judge(bottleneck: Bottleneck, move: Move, user: User | None, at: datetime | None = None) -> Choice:
    """Whether the user (None: the system) may make the move, now unless said otherwise; or why not, in words.

    A guard that refuses one grant may pass another: a substitute may verify in the own name what the officer
    it stands in for has handled.
    """
    grants = (
        [grant for party in move.parties for grant in grants_for(bottleneck, party, user)] if user else []
    )
    first = grants[0] if grants else None
    is_system = user is None and Party.SYSTEM in move.parties
    reasons = _why_not(bottleneck, move, at or timezone.now(), has_party=bool(first) or is_system)
    if refusal := next(filter(None, reasons), ""):
        return Choice(move, refusal, first)
    refusals = []
    for grant in grants:
        attempt = Attempt(bottleneck, grant, user)
        refusal = next(filter(None, (guard(attempt) for guard in move.guards)), "")
        if not refusal:
            return Choice(move, "", grant)
        refusals.append(refusal)
    return Choice(move, next(iter(refusals), ""), first)


def _why_not(row: Bottleneck, move: Move, at: datetime, *, has_party: bool) -> Iterator[str]:
    """What speaks against the move whichever grant is used, one reason after the other."""
    if row.status not in move.sources:
        sentence = gettext("问题现在的状态是“%(state)s”，不能这样办理。")
        yield sentence % {"state": row.get_status_display()}
    if row.is_provisional:
        yield why_not_yet(row.filer_id, row.organization_id)
    if not has_party:
        parties = pgettext("parties", "或").join(str(party.label) for party in move.parties)
        yield gettext("这一步由%(party)s办理。") % {"party": parties}
    for condition in move.conditions:
        yield condition(row, at)


def choices_for(bottleneck: Bottleneck, user: User) -> list[Choice]:
    """Every move of people out of the present state, allowed or not, in the order of the table."""
    return [
        judge(bottleneck, move, user)
        for move in MOVES.values()
        if bottleneck.status in move.sources and move.parties != (Party.SYSTEM,)
    ]


# --- Clocks ------------------------------------------------------------------------------------------------


class Clock(NamedTuple):
    """The days of a running limit: it begins, turns amber, and is red from the day after the last one."""

    started_on: date
    amber_on: date
    due_on: date


def clock_of_state(row: Bottleneck, status: str, start: date, named_day: date | None = None) -> Clock | None:
    """The clock of the problem when the state begins on a day."""
    state = STATES[status]
    if state.until_plan_date:
        return None if row.due_on is None else Clock(start, amber_day(start, row.due_on), row.due_on)
    if state.until_named_day:
        return None if named_day is None else Clock(start, amber_day(start, named_day), named_day)
    if state.months:
        due = add_months(start, state.months)
        return Clock(start, amber_day(start, due), due)
    if state.limit:
        due = add_workdays(start, limit_of(status, row.handler))
        return Clock(start, amber_day(start, due, in_workdays=True), due)
    return None


def limit_of(status: str, handler: Bureau) -> int:
    """Working days for a state; a review by province or nation has more (`domain.md` 4.1)."""
    name = STATES[status].limit
    if name == "accepted" and handler.level <= Bureau.Level.PROVINCE:
        name = "accepted_by_province"
    return settings.WORKING_DAY_LIMITS[name]


def amber_day(start: date, due: date, *, in_workdays: bool = False) -> date:
    """The first day on which seven tenths of the time are gone (`domain.md` 4.1, clock rules)."""
    whole = workdays_between(start, due) if in_workdays else (due - start).days
    used = -(-whole * 7 // 10)
    return add_workdays(start, used) if in_workdays else start + timedelta(days=max(used, 0))
