"""Who is told of a step of a problem, and of a clock that runs out."""

from collections import defaultdict
from collections.abc import Collection
from datetime import date, timedelta
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import FILING_ROLES, Notice, Role, User
from accounts.notices import Desks, Details, day_of, say, tell
from enterprises.models import Bureau
from projects.clock import step_of
from projects.models import (
    Bottleneck,
    EvidenceAlarm,
    ExpertOpinion,
    FollowUp,
    InspectionReport,
    QualityList,
    SpecDemand,
    SpecKind,
    SpecStep,
    Transition,
)
from projects.workflow import HANDLED_BY, MOVES, STATES, Move, Party

Kind = Notice.Kind
# Problems looked at in one go.
CHUNK = 500
# Day of the month by which an institution at work reports.
REPORT_DAY = 5
# The bureaus' clock stands still, but the firm has its own.
LIMITS_OF_FIRMS = (Bottleneck.Status.RETURNED, Bottleneck.Status.SOLUTION_FILED)


def tell_of_move(row: Bottleneck, step: Transition, parties: "Parties | None" = None) -> None:
    """Those whose turn it is now, and the people of firm and institution; never who made the move.

    Who had the turn before is not told again; a report upwards is for the level above. ``parties`` are those
    of the row where they have been looked up already.
    """
    parties = parties or Parties([row])
    source = f"transition:{step.pk}"
    details = _details("waiting", row)
    if row.escalated_to and step.move == "report_up":
        superiors = Desks([row.escalated_to.path]).nearest(row.escalated_to.path, row.chain_id)
        tell(superiors, Kind.RED, source, details | {"what": "reported"})
        return
    waiting: set[int] = set()
    if step.source != step.target or step.move in ("escalate", "hand_down"):
        waiting = parties.whose_turn(row) - {step.actor_id}
    tell(waiting, Kind.WAITING, source, details)
    moved = parties.firm(row) | parties.institution(row)
    tell(
        moved - waiting - {step.actor_id}, Kind.MOVED, source, details | {"what": "moved", "move": step.move}
    )
    _tell_children(row, step)


def _tell_children(master: Bottleneck, step: Transition) -> None:
    """Firms whose problems were merged into this one follow it; the number of the master is not theirs.

    Of its solution they hear by the step of their own problem that follows.
    """
    if step.move in ("verify", "reopen") or step.source == Bottleneck.Status.DRAFT:
        return
    merged = Bottleneck.objects.judged("the children of a master").filter(merged_into=master)
    children = list(merged.order_by("pk"))
    if not children:
        return
    parties = Parties(children)
    for child in children:
        details = _details("followed", child) | {"move": step.move}
        tell(parties.firm(child) - {step.actor_id}, Kind.MOVED, f"transition:{step.pk}:{child.pk}", details)


def tell_of_clocks(today: date | None = None) -> int:
    """Tell the party whose turn it is that a clock has turned amber or red, once; returns of how many clocks.

    Late or twice makes no difference: a clock is known by its problem, state and days. Of one that has
    been red for longer than messages are kept nobody knows whether it was told.
    """
    today = today or timezone.localdate()
    oldest = today - timedelta(days=settings.NOTICE_KEEP_DAYS)
    rows = Bottleneck.objects.judged("clocks of everybody").filter(
        voided_at__isnull=True, clock_due_on__gt=oldest
    )
    red = rows.overdue_on(today) | rows.filter(status__in=LIMITS_OF_FIRMS, clock_due_on__lt=today)
    amber = rows.due_soon_on(today) | rows.filter(
        status__in=LIMITS_OF_FIRMS, clock_amber_on__lte=today, clock_due_on__gte=today
    )
    return _tell_of(Kind.RED, red) + _tell_of(Kind.AMBER, amber)


def tell_of_hand_over(row: Bottleneck, to: User, by: User) -> None:
    details = {"what": "handed", "row": str(row.public_id), "title": str(row), "by": str(by)}
    tell({to.pk}, Kind.WAITING, f"handed:{row.pk}:{row.version}", details)


def ask_for_reports(today: date) -> None:
    """Ask institutions at work for the report of the month, from its fifth day on, once (`domain.md` 4.1)."""
    if today.day < REPORT_DAY:
        return
    month = today.replace(day=1)
    rows = Bottleneck.objects.judged("reports of everybody").filter(
        voided_at__isnull=True, status=Bottleneck.Status.IN_PROGRESS, clock_started_on__lt=month
    )
    told = Transition.objects.judged("reports of everybody").filter(move="report", at__date__gte=month)
    asked = list(rows.exclude(pk__in=told.values("bottleneck")).order_by("pk"))
    parties = Parties(asked)
    for row in asked:
        tell(
            parties.institution(row), Kind.WAITING, f"report:{row.pk}:{month:%Y-%m}", _details("report", row)
        )


def _tell_of(kind: str, rows: QuerySet[Bottleneck]) -> int:
    clocks = {
        f"clock:{pk}:{status}:{start}:{due}": pk
        for pk, status, start, due in rows.order_by("pk").values_list(
            "pk", "status", "clock_started_on", "clock_due_on"
        )
    }
    sources, told = list(clocks), 0
    for first in range(0, len(sources), CHUNK):
        chunk = sources[first : first + CHUNK]
        known = set(Notice.objects.filter(kind=kind, source__in=chunk).values_list("source", flat=True))
        fresh = [source for source in chunk if source not in known]
        found = rows.select_related("handler", "bureau").in_bulk([clocks[source] for source in fresh])
        parties = Parties(list(found.values()))
        for source in fresh:
            if row := found.get(clocks[source]):
                tell(parties.whose_turn(row), kind, source, _details(kind, row))
                told += 1
    return told


def tell_of_contradiction(alarm: EvidenceAlarm) -> None:
    """A piece of evidence is not what it was said to be: the officers at whose desk the problem lies."""
    row = Bottleneck.objects.judged("whom to tell").select_related("handler").get(pk=alarm.bottleneck_id)
    desk = Desks([row.handler.path]).nearest(row.handler.path, row.chain_id)
    tell(desk, Kind.WAITING, f"alarm:{alarm.pk}", _details("contradicted", row))


def tell_of_question(asked: ExpertOpinion) -> None:
    """An expert is asked for an opinion."""
    tell({asked.expert_id}, Kind.WAITING, f"opinion:{asked.pk}", _details("question", asked.bottleneck))


def tell_of_opinion(asked: ExpertOpinion) -> None:
    """The expert has answered whoever asked, and whoever may verify the problem now."""
    row = asked.bottleneck
    details = _details("opinion", row) | {"answer": asked.answer}
    told = {asked.asked_by_id} | Parties([row]).whose_turn(row)
    tell(told - {asked.expert_id}, Kind.WAITING, f"opinion-answer:{asked.pk}", details)


def tell_of_rivals(reports: Collection[InspectionReport]) -> None:
    """Several valid reports claim one file: the officers over each of the institutions look into it."""
    newest = max(report.pk for report in reports)
    for report in reports:
        path = report.institution.bureau.path
        details = {"what": "rivals", "row": str(report.public_id), "number": report.report_no}
        desk = Desks([path]).nearest(path)
        tell(desk, Kind.WAITING, f"rivals:{newest}:{report.pk}", details)


def tell_of_follow_ups(asked: Collection[tuple[Bottleneck, FollowUp]]) -> None:
    """Firms are asked whether the solution lasts."""
    parties = Parties([row for row, _question in asked])
    for row, question in asked:
        details = _details("follow_up", row) | {"months": question.months}
        tell(parties.firm(row), Kind.WAITING, f"follow-up:{question.pk}", details)


def tell_of_answer(question: FollowUp) -> None:
    """The effect has weakened or is gone: the officers at whose desk the problem lies."""
    if question.answer == FollowUp.Answer.HOLDS:
        return
    row = Bottleneck.objects.judged("whom to tell").select_related("handler").get(pk=question.bottleneck_id)
    desk = Desks([row.handler.path]).nearest(row.handler.path, row.chain_id)
    details = _details("follow_up_answer", row) | {"answer": question.answer}
    tell(desk, Kind.WAITING, f"follow-up-answer:{question.pk}", details)


def tell_of_demand(demand: SpecDemand, step: SpecStep) -> None:
    """Those whose problems wait for a demand hear that it got a plan or a number, or comes to nothing.

    Whose problem was solved meanwhile hears when the document is no more in force. For a problem that was
    merged its firm waits, and who works on its master.
    """
    gone = set(Bottleneck.ENDED) - (set(Bottleneck.SOLVED) if step.source in SpecDemand.IN_FORCE else set())
    living = Bottleneck.objects.judged("whom to tell").filter(voided_at__isnull=True).not_at(gone)
    waiting = living.filter(
        living.related_to(spec_waits__demand=demand)
        | living.related_to(merged_children__spec_waits__demand=demand)
    )
    rows = list(waiting.select_related("handler", "bureau").order_by("pk"))
    parties, desks = Parties(rows), Desks(row.handler.path for row in rows)
    number = demand.plan_no if step.move == "approve" else demand.published_no
    for row in rows:
        details = _details("demand", row) | {"step": step.move, "kind": demand.kind, "number": number}
        told = parties.firm(row) | parties.institution(row)
        source = f"demand:{step.pk}:{row.pk}"
        tell(told - {step.actor_id}, Kind.MOVED, source, details)
        officers = set() if row.merged_into_id else desks.nearest(row.handler.path, row.chain_id)
        tell(officers - told - {step.actor_id}, Kind.WAITING, source, details)


class Parties:
    """The people behind some problems, by the keys of users, in a fixed number of queries."""

    def __init__(self, rows: Collection[Bottleneck], *, after: Move | None = None) -> None:
        """``after``: as it will be after this move of the rows."""
        turns = [(row, STATES[after.leads_to(row.status) if after else row.status].turn) for row in rows]
        desks = {Party.OFFICER: "handler", Party.VERIFIER: "bureau"}
        units = [getattr(row, desks[turn]) for row, turn in turns if turn in desks]
        parties = {pk for row in rows for pk in (row.organization_id, row.assigned_to_id) if pk}
        verified = [row.pk for row, turn in turns if turn == Party.VERIFIER]
        roles = (Role.OFFICER, Role.INSTITUTION, *FILING_ROLES)
        self.desks = Desks((unit.path for unit in units), roles, parties)
        self.handled: dict[int, set[Any]] = defaultdict(set)
        if verified:
            steps = Transition.objects.judged("who verifies").filter(
                bottleneck__in=verified, move__in=HANDLED_BY
            )
            for pk, *people in steps.values_list("bottleneck_id", "actor_id", "principal_id"):
                self.handled[pk].update(people)

    def firm(self, row: Bottleneck) -> set[int]:
        return self.desks.members(row.organization_id, *FILING_ROLES)

    def institution(self, row: Bottleneck) -> set[int]:
        return self.desks.members(row.assigned_to_id, Role.INSTITUTION) if row.assigned_to_id else set()

    def whose_turn(self, row: Bottleneck) -> set[int]:
        """Of a bureau the officers, or those of the nearest one above that has any who may do it."""
        match STATES[row.status].turn:
            case Party.FILER:
                return self.firm(row)
            case Party.INSTITUTION:
                return self.institution(row)
            case Party.OFFICER:
                return self.desks.nearest(row.handler.path, row.chain_id)
            case Party.VERIFIER:
                above_city = row.grade in (Bottleneck.Grade.PROVINCE, Bottleneck.Grade.NATION)
                return self.desks.nearest(
                    row.bureau.path,
                    row.chain_id,
                    without=self.handled[row.pk],
                    lowest=Bureau.Level.CITY if above_city else Bureau.Level.OUTPOST,
                )
        return set()


# --- Words --------------------------------------------------------------------------------------------------


def _details(what: str, row: Bottleneck) -> dict[str, Any]:
    return {
        "what": what,
        "row": str(row.public_id),
        "code": row.code,
        "state": row.status,
        "due": row.clock_due_on.isoformat() if row.clock_due_on else "",
    }


def _values(details: Details) -> dict[str, Any]:
    return {
        "code": details["code"],
        "next": STATES[details["state"]].next_step,
        "step": step_of(Bottleneck(status=details["state"])),
        "due": day_of(details, "due") if details["due"] else "",
    }


def _moved(details: Details) -> str:
    values = _values(details) | {"done": MOVES[details["move"]].done}
    return _("问题 %(code)s：%(done)s。%(next)s") % values


def _followed(details: Details) -> str:
    values = _values(details) | {"done": MOVES[details["move"]].done}
    return _("问题 %(code)s 归并到的主问题有进展：%(done)s。") % values


def _waiting(details: Details) -> str:
    if details["due"]:
        return _("问题 %(code)s 轮到您办理，%(due)s 到期。%(next)s") % _values(details)
    return _("问题 %(code)s 轮到您办理。%(next)s") % _values(details)


def _amber(details: Details) -> str:
    return _("问题 %(code)s 的时限（%(step)s）临近，%(due)s 到期。") % _values(details)


def _red(details: Details) -> str:
    return _("问题 %(code)s 的时限（%(step)s）已过，应在 %(due)s 前办理。") % _values(details)


def _reported(details: Details) -> str:
    return _("问题 %(code)s 的时限（%(step)s）超过三个工作日仍未办理，请督办。") % _values(details)


def _report(details: Details) -> str:
    return _("请报告问题 %(code)s 本月的进展。") % _values(details)


def _handed(details: Details) -> str:
    return _("%(by)s把“%(title)s”转交给您填报。") % details


def _contradicted(details: Details) -> str:
    return _("问题 %(code)s 有证据核对不符，查清之前不能核验销号。") % _values(details)


def _follow_up(details: Details) -> str:
    values = _values(details) | {"months": details["months"]}
    return _("问题 %(code)s 销号已满 %(months)s 个月，请答复效果是否保持。") % values


def _follow_up_answer(details: Details) -> str:
    values = _values(details) | {"answer": FollowUp.Answer(details["answer"]).label}
    return _("问题 %(code)s 销号后回访，企业答复：%(answer)s。") % values


def _demand(details: Details) -> str:
    values = {
        "code": details["code"],
        "kind": SpecKind(details["kind"]).label,
        "number": details["number"],
    }
    match details["step"]:
        case "approve":
            return _("问题 %(code)s 等待的%(kind)s已立项，计划号 %(number)s。") % values
        case "publish":
            sentence = _("问题 %(code)s 等待的%(kind)s已发布：%(number)s，可以作为解决的证据。")
            return sentence % values
        case "decline":
            return _("问题 %(code)s 等待的%(kind)s没有被委员会采纳，请另找办法。") % values
    if values["number"]:
        return _("问题 %(code)s 所依据的%(kind)s %(number)s 已废止，请核对。") % values
    return _("问题 %(code)s 等待的%(kind)s计划已终止，请另找办法。") % values


def _opinion(details: Details) -> str:
    values = _values(details) | {"answer": ExpertOpinion.Answer(details["answer"]).label}
    return _("问题 %(code)s 的专家意见：%(answer)s。") % values


def _rivals(details: Details) -> str:
    sentence = _("报告 %(number)s 的文件还登记了另一份有效报告，请向出具机构核实，由登记有误的一方撤回。")
    return sentence % details


def _page(details: Details) -> str:
    return reverse("projects:bottleneck_detail", args=[details["row"]])


def tell_of_list(row: QualityList) -> None:
    """A list waits for somebody else's approval, or was sent back to whoever drafted it."""
    details = {"row": str(row.public_id), "code": row.code}
    source = f"list:{row.pk}:{row.revision}"
    if row.status == QualityList.Status.SUBMITTED:
        others = Desks([row.bureau.path]).nearest(row.bureau.path, row.chain_id, without=row.writers)
        tell(others, Kind.WAITING, source, details | {"what": "list_submitted"})
    else:
        tell(
            {row.drafted_by_id} - {row.returned_by_id},
            Kind.WAITING,
            source,
            details | {"what": "list_returned"},
        )


def _list_page(details: Details) -> str:
    return reverse("projects:quality_list", args=[details["row"]])


def declare() -> None:
    say("list_submitted", lambda details: _("清单 %(code)s 等您批准。") % details, _list_page)
    say("list_returned", lambda details: _("清单 %(code)s 被退回，请修改后重新提交。") % details, _list_page)
    say("moved", _moved, _page)
    say("followed", _followed, _page)
    say("waiting", _waiting, _page)
    say("follow_up", _follow_up, lambda details: f"{_page(details)}#follow-ups")
    say("follow_up_answer", _follow_up_answer, _page)
    say("contradicted", _contradicted, _page)
    say("demand", _demand, lambda details: f"{_page(details)}#spec-demand")
    say(
        "question",
        lambda details: _("请您就问题 %(code)s 是否已经解决出具专家意见。") % _values(details),
        lambda details: f"{_page(details)}#opinions",
    )
    say("opinion", _opinion, lambda details: f"{_page(details)}#opinions")
    say("rivals", _rivals, lambda details: reverse("projects:report_detail", args=[details["row"]]))
    say("amber", _amber, _page)
    say("red", _red, _page)
    say("reported", _reported, _page)
    say("handed", _handed, _page)
    say("report", _report, _page)
