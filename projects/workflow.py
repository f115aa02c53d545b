"""The transition table of a bottleneck (`domain.md` chapter 4, design decision 4).

Everything that asks "what may happen next?" reads this module: buttons, the API, the demo data, the tests.
A move names its source states, its target, the parties that may make it, what it needs and which guards it
passes. A state names whose turn it is and which clock runs. `projects.services.move` is the only place that
carries a move out.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext, pgettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from accounts.joining import why_not_yet
from accounts.models import FILING_ROLES, Grant, Role, User
from common.workdays import add_workdays
from enterprises.models import Bureau
from projects.models import Bottleneck, Evidence

S = Bottleneck.Status
# Who made one of these moves may not verify the problem (`domain.md` 4.2).
HANDLED_BY = ("accept", "list", "dispatch", "restart", "continue", "take", "file_solution", "confirm")


class Party(models.TextChoices):
    """Who may make a move; the order of words on the page."""

    FILER = "filer", _("提出企业")
    OFFICER = "officer", _("办理单位")
    INSTITUTION = "institution", _("承担机构")
    VERIFIER = "verifier", _("核验人员")
    NOBODY = "nobody", _("无")


@dataclass(frozen=True)
class State:
    """What a status means for the people: whose turn, which clock, and the next step in words."""

    turn: Party
    next_step: Any
    # Which clock runs: working days from the setting of this name, the row's plan date, or none.
    limit: str | None = None
    until_plan_date: bool = False


@dataclass(frozen=True)
class Attempt:
    """Somebody about to make a move, by which grant and when: what guards look at."""

    bottleneck: Bottleneck
    user: User
    grant: Grant
    at: datetime

    @property
    def people(self) -> list[User]:
        """Who counts as the one who acts: the user, and the officer whose substitute the user is here."""
        return [self.user, self.grant.principal] if self.grant.principal else [self.user]


@dataclass(frozen=True)
class Move:
    """One row of the table. ``needs`` are the keys that the data of the move must fill."""

    name: str
    label: Any
    sources: tuple[S, ...]
    target: S
    parties: tuple[Party, ...]
    done: Any
    needs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()
    guards: tuple[Callable[[Attempt], str], ...] = ()
    ends: bool = False


STATES: dict[str, State] = {
    S.DRAFT: State(Party.FILER, _("填完后提交，所在地市场监管部门开始核实。")),
    S.SUBMITTED: State(
        Party.OFFICER, _("办理单位核实情况，受理、一次性列明缺项退回，或说明理由不予受理。"), "submitted"
    ),
    S.RETURNED: State(Party.FILER, _("请企业按缺项清单补正后重新提交。"), "returned"),
    S.REJECTED: State(Party.NOBODY, _("未予受理，理由和可以求助的部门见办理记录。")),
    S.WITHDRAWN: State(Party.NOBODY, _("企业已撤回，如仍需解决请重新填报。")),
    S.ACCEPTED: State(Party.OFFICER, _("办理单位复核级别与是否重复，列入清单或归并到同类问题。"), "accepted"),
    S.MERGED: State(Party.NOBODY, _("已归并到同类问题，进展以主问题为准。")),
    S.LISTED: State(Party.OFFICER, _("办理单位为问题选定承担机构并派单。")),
    S.DISPATCHED: State(Party.INSTITUTION, _("承担机构答复是否承接。"), "dispatched"),
    S.IN_PROGRESS: State(
        Party.INSTITUTION, _("承担机构攻关，完成后提交解决办法和证据。"), until_plan_date=True
    ),
    S.SUSPENDED: State(Party.OFFICER, _("已暂缓，条件具备后由办理单位恢复。"), "suspended"),
    S.SOLUTION_FILED: State(
        Party.FILER, _("请企业对照目标确认是否解决；未答复不视为同意。"), "solution_filed"
    ),
    S.VERIFICATION: State(Party.VERIFIER, _("由未经手本问题的另一名人员核验证据和效果。"), "verification"),
    S.PARTLY: State(Party.OFFICER, _("办理单位为剩余部分定下期限，继续攻关。")),
    S.RESOLVED: State(Party.NOBODY, _("已核验解决；12 个月内如有反弹可以重开。")),
    S.REOPENED: State(Party.OFFICER, _("办理单位核对新情况，定下期限，继续攻关。"), "reopened"),
    S.TERMINATED: State(Party.NOBODY, _("已终止，原因见办理记录。")),
}


def statuses_of(*parties: str) -> list[str]:
    """The statuses in which it is the turn of one of the parties."""
    return [status for status, state in STATES.items() if state.turn in parties]


def has_target(attempt: Attempt) -> str:
    if attempt.bottleneck.measures.exists():
        return ""
    return gettext("列入清单前要有量化的现值和目标值，请先退回企业补充。")


def acts_as_city_or_above(attempt: Attempt) -> str:
    if attempt.grant.level <= Bureau.Level.CITY:
        return ""
    return gettext("归并由市级及以上单位办理。")


def handled_by(people: Iterable[User]) -> Q:
    """Events by which one of the people handled a problem, in person or through a substitute."""
    return Q(Q(actor__in=people) | Q(principal__in=people), move__in=HANDLED_BY)


def another_person(attempt: Attempt) -> str:
    if not attempt.bottleneck.transitions.filter(handled_by(attempt.people)).exists():
        return ""
    if attempt.grant.principal:
        sentence = gettext("您或您所代的%(principal)s经手过这个问题，核验须由另一名人员进行。")
        return sentence % {"principal": attempt.grant.principal}
    return gettext("您经手过这个问题，核验须由另一名人员进行。")


def grade_allows(attempt: Attempt) -> str:
    above_city = (Bottleneck.Grade.PROVINCE, Bottleneck.Grade.NATION)
    if attempt.bottleneck.grade not in above_city or attempt.grant.level <= Bureau.Level.CITY:
        return ""
    return gettext("省级和国家级问题不能由县级单位核验销号。")


def has_evidence(attempt: Attempt) -> str:
    states = set(attempt.bottleneck.evidence.values_list("verify_state", flat=True))
    if not states:
        return gettext("没有证据的问题不能核验为已解决。")
    if Evidence.VerifyState.MISMATCH in states:
        return gettext("有证据核对不符，查清之前不能核验为已解决。")
    return ""


def solved_lately(attempt: Attempt) -> str:
    """A reopening is possible up to the same day of the next year (`domain.md` 4.1)."""
    solved, today = timezone.localdate(attempt.bottleneck.resolved_at), timezone.localdate(attempt.at)
    if (today.year, today.month, today.day) <= (solved.year + 1, solved.month, solved.day):
        return ""
    return gettext("核验解决已超过 12 个月，请作为新问题填报。")


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
            takes=("reason",),
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
            "merge",
            pgettext_lazy("move", "归并"),
            (S.ACCEPTED,),
            S.MERGED,
            (Party.OFFICER,),
            _("已归并"),
            needs=("master", "reason"),
            guards=(acts_as_city_or_above,),
            ends=True,
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
            guards=(has_target,),
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
            (S.VERIFICATION,),
            S.RESOLVED,
            (Party.VERIFIER,),
            _("已核验解决"),
            needs=("checked", "result", "reason"),
            guards=(another_person, grade_allows, has_evidence),
        ),
        Move(
            "verify_partly",
            pgettext_lazy("move", "阶段性解决"),
            (S.VERIFICATION,),
            S.PARTLY,
            (Party.VERIFIER,),
            _("已认定阶段性解决"),
            needs=("reason",),
            guards=(another_person, grade_allows),
        ),
        Move(
            "rework",
            pgettext_lazy("move", "核验不通过"),
            (S.VERIFICATION,),
            S.IN_PROGRESS,
            (Party.VERIFIER,),
            _("核验未通过，继续攻关"),
            needs=("reason",),
            guards=(another_person,),
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
            "reopen",
            pgettext_lazy("move", "重开"),
            (S.RESOLVED,),
            S.REOPENED,
            (Party.FILER, Party.OFFICER),
            _("已重开"),
            needs=("reason",),
            guards=(solved_lately,),
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
            (S.LISTED, S.IN_PROGRESS, S.SUSPENDED),
            S.TERMINATED,
            (Party.OFFICER,),
            _("已终止"),
            needs=("reason",),
            ends=True,
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


@dataclass(frozen=True)
class Choice:
    """A move out of the present state, and why this user may not make it (empty when allowed)."""

    move: Move
    refusal: str
    grant: Grant | None

    @property
    def allowed(self) -> bool:
        return not self.refusal


def grants_for(bottleneck: Bottleneck, party: Party, user: User) -> list[Grant]:
    """The grants by which the user is this party of the problem, the one that speaks first."""
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


def judge(bottleneck: Bottleneck, move: Move, user: User, at: datetime | None = None) -> Choice:
    """Whether the user may make the move, now unless said otherwise; with the reason in words when not.

    A guard that refuses one grant may pass another: a substitute may verify in the own name what the officer
    it stands in for has handled.
    """
    grants = [grant for party in move.parties for grant in grants_for(bottleneck, party, user)]
    first = grants[0] if grants else None
    if bottleneck.status not in move.sources:
        sentence = gettext("问题现在的状态是“%(state)s”，不能这样办理。")
        return Choice(move, sentence % {"state": bottleneck.get_status_display()}, first)
    if bottleneck.is_provisional:
        return Choice(move, why_not_yet(bottleneck.filer_id, bottleneck.organization_id), None)
    if first is None:
        parties = pgettext("parties", "或").join(str(party.label) for party in move.parties)
        return Choice(move, gettext("这一步由%(party)s办理。") % {"party": parties}, None)
    at = at or timezone.now()
    refusals = []
    for grant in grants:
        attempt = Attempt(bottleneck, user, grant, at)
        refusal = next(filter(None, (guard(attempt) for guard in move.guards)), "")
        if not refusal:
            return Choice(move, "", grant)
        refusals.append(refusal)
    return Choice(move, refusals[0], first)


def choices_for(bottleneck: Bottleneck, user: User) -> list[Choice]:
    """Every move out of the present state, allowed or not, in the order of the table."""
    return [judge(bottleneck, move, user) for move in MOVES.values() if bottleneck.status in move.sources]


def clock_after(status: str, start: date, plan_date: date | None) -> date | None:
    """The day on which the clock of a state runs out when the state begins on ``start``."""
    state = STATES[status]
    if state.until_plan_date:
        return plan_date
    if state.limit:
        return add_workdays(start, settings.WORKING_DAY_LIMITS[state.limit])
    return None
