"""The record of a problem in plain sentences, newest first."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from common import formats
from enterprises.models import Organization
from projects.completion import Change, changes_of
from projects.models import Attachment, Bottleneck, EvidenceAlarm, ExpertOpinion, Transition
from projects.proof import words_of
from projects.workflow import RejectReason

SENTENCES = {
    "boundary": gettext_lazy("因区划变更，改由%(handler)s办理"),
    "submit": gettext_lazy("%(who)s提交问题，%(handler)s应在 %(due)s 前核实"),
    "resubmit": gettext_lazy("%(who)s补正后重新提交，%(handler)s应在 %(due)s 前核实"),
    "withdraw": gettext_lazy("%(who)s撤回问题"),
    "accept": gettext_lazy("%(who)s受理，由%(handler)s在 %(due)s 前复核"),
    "return": gettext_lazy("%(who)s退回补正，请企业在 %(due)s 前补齐"),
    "reject": gettext_lazy("%(who)s不予受理：%(why)s"),
    "appeal": gettext_lazy("%(who)s申诉，%(handler)s应在 %(due)s 前核实"),
    "lapse": gettext_lazy("到期没有补正，问题失效"),
    "escalate": gettext_lazy("%(who)s提请上级复核，由%(handler)s在 %(due)s 前复核"),
    "hand_down": gettext_lazy("%(who)s交下级复核，由%(handler)s在 %(due)s 前复核"),
    "unmerge": gettext_lazy("%(who)s撤销归并，由%(handler)s在 %(due)s 前复核"),
    "follow": gettext_lazy("主问题%(followed)s，本问题随之变更"),
    "post": gettext_lazy("%(who)s发榜，征集到 %(closes)s"),
    "no_taker": gettext_lazy("%(who)s：无人揭榜，退回清单"),
    "award": gettext_lazy("%(who)s确定揭榜单位：%(other)s，请在 %(due)s 前签约"),
    "begin": gettext_lazy("%(who)s与揭榜单位签约，期限 %(plan)s"),
    "report": gettext_lazy("%(who)s报告进展：完成 %(percent)s%%"),
    "confirm_partly": gettext_lazy("%(who)s确认问题部分解决"),
    "visit": gettext_lazy("%(who)s回访企业"),
    "give_up": gettext_lazy("%(who)s认定暂无法解决，挂账；请在 %(due)s 前复查"),
    "recheck": gettext_lazy("%(who)s复查，下次在 %(due)s 前"),
    "relist": gettext_lazy("%(who)s重新列入清单，期限 %(plan)s"),
    "archive": gettext_lazy("解决满 12 个月，归档"),
    "extend": gettext_lazy("%(who)s延期到 %(due)s"),
    "report_up": gettext_lazy("超期未办，已上报%(superior)s"),
    "merge": gettext_lazy("%(who)s把问题归并到 %(master)s"),
    "list": gettext_lazy("%(who)s列入清单：%(grade)s，%(route)s，期限 %(plan)s"),
    "dispatch": gettext_lazy("%(who)s派单给%(other)s，请在 %(due)s 前答复"),
    "take": gettext_lazy("%(who)s承接问题"),
    "decline": gettext_lazy("%(who)s说明不承接"),
    "file_solution": gettext_lazy("%(who)s提交解决办法和证据，解决后：%(after)s"),
    "confirm": gettext_lazy("%(who)s确认问题已解决"),
    "dispute": gettext_lazy("%(who)s认为尚未解决"),
    "verify": gettext_lazy("%(who)s核验通过：%(result)s"),
    "verify_partly": gettext_lazy("%(who)s认定为阶段性解决"),
    "rework": gettext_lazy("%(who)s核验未通过，继续攻关"),
    "continue": gettext_lazy("%(who)s安排继续攻关，期限 %(plan)s"),
    "suspend": gettext_lazy("%(who)s暂缓办理"),
    "resume": gettext_lazy("%(who)s恢复攻关，期限 %(plan)s"),
    "reopen": gettext_lazy("%(who)s反映问题反弹，重新打开"),
    "restart": gettext_lazy("%(who)s安排重新攻关，期限 %(plan)s"),
    "terminate": gettext_lazy("%(who)s终止办理"),
}


@dataclass
class Event:
    """One entry of `partials/_timeline.html`."""

    at: datetime
    code: str
    sentence: str
    actor: str = ""
    note: str = ""
    files: list[dict[str, Any]] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)


def file_entry(attachment: Attachment) -> dict[str, Any]:
    """A file of `partials/_files.html`."""
    return {
        "url": reverse("projects:attachment", args=[attachment.public_id]),
        "name": attachment.name,
        "size": attachment.size,
        "note": formats.day(attachment.uploaded_at),
    }


def events_of(bottleneck: Bottleneck, master: Bottleneck | None = None) -> list[Event]:
    """Every step and every added file of a problem, in a fixed number of queries.

    ``master`` is the problem into which it was merged, if the reader may know that one.
    """
    steps = list(
        bottleneck.transitions.select_related(
            "actor", "principal", "bureau", "organization", "handler__parent"
        ).order_by("sequence")
    )
    codes = {step.details.get("assigned_to") for step in steps} - {None}
    named = Organization.objects.judged("named in the record of a problem").filter(uscc__in=codes)
    names = dict(named.values_list("uscc", "name")) if codes else {}
    entries = [_event(bottleneck, step, names, master) for step in steps]
    added: dict[tuple[int, str], list[Attachment]] = defaultdict(list)
    for attachment in bottleneck.attachments.select_related("uploaded_by"):
        before = sum(step.at < attachment.uploaded_at for step in steps)
        if not before and entries:
            # What the firm attached to its draft came with the filing.
            entries[0].files.append(file_entry(attachment))
        else:
            added[before, str(attachment.uploaded_by or "")].append(attachment)
    for (before, name), attachments in added.items():
        count = len(attachments)
        entries.append(
            Event(
                at=attachments[-1].uploaded_at,
                code=steps[before - 1].target if before else bottleneck.status,
                sentence=ngettext("补充了 %(n)s 个附件", "补充了 %(n)s 个附件", count) % {"n": count},
                actor=name,
                files=[file_entry(attachment) for attachment in attachments],
            )
        )
    entries += [_alarm(alarm) for alarm in bottleneck.alarms.all()]
    entries += [
        event for opinion in bottleneck.opinions.select_related("bureau") for event in _opinion(opinion)
    ]
    # The record's own order stands where two steps share a moment.
    return sorted(entries, key=lambda entry: entry.at)[::-1]


def _event(
    bottleneck: Bottleneck, step: Transition, names: dict[str, str], master: Bottleneck | None
) -> Event:
    note = step.reason
    if step.move == "return" and (gaps := step.details.get("gaps")):
        lines = [f"{number}. {gap['text']}" for number, gap in enumerate(gaps, start=1)]
        note = "\n".join([*lines, note] if note else lines)
    if opinion := step.details.get("opinion"):
        note = "\n".join([note, _("专家意见：%(opinion)s") % {"opinion": opinion}])
    if turn_to := step.details.get("turn_to"):
        note = "\n".join([note, _("可以求助：%(turn_to)s") % {"turn_to": turn_to}])
    return Event(
        at=step.at,
        code=step.target,
        sentence=_sentence(bottleneck, step, names, master),
        actor=_actor(step),
        note=note,
        changes=changes_of(step),
    )


def _alarm(alarm: EvidenceAlarm) -> Event:
    values = {"number": alarm.number, "state": alarm.get_state_display()}
    sentence = _("证据 %(number)s 核对结果：%(state)s") % values
    return Event(at=alarm.at, code=alarm.state, sentence=sentence, note=words_of(alarm.detail))


def _opinion(opinion: ExpertOpinion) -> Iterator[Event]:
    """An expert was asked and answered; the name stands with the opinions, for bureaus."""
    code = Bottleneck.Status.VERIFICATION
    yield Event(
        at=opinion.asked_at, code=code, sentence=_("%(who)s送请专家出具意见") % {"who": opinion.bureau}
    )
    if opinion.answered_at:
        sentence = _("专家意见：%(answer)s") % {"answer": opinion.get_answer_display()}
        yield Event(at=opinion.answered_at, code=code, sentence=sentence, note=opinion.text)


def _actor(step: Transition) -> str:
    """Who acted; a substitute with the name of the officer in whose place it acted."""
    if step.principal is None:
        return str(step.actor or "")
    return _("%(actor)s（代%(principal)s）") % {"actor": step.actor, "principal": step.principal}


def _sentence(
    bottleneck: Bottleneck, step: Transition, names: dict[str, str], master: Bottleneck | None
) -> str:
    details = step.details
    again = step.move == "submit" and step.source == Bottleneck.Status.RETURNED
    after = [f"{item['metric']} {item['value']}" for item in details.get("after", [])]
    return SENTENCES["resubmit" if again else step.move] % {
        "who": step.bureau or step.organization or "",
        "handler": step.handler,
        "due": formats.day_weekday(step.clock_due_on),
        "plan": details.get("due_on", formats.BLANK),
        "other": names.get(details.get("assigned_to", ""), ""),
        "master": master.code if master else _("另一个问题"),
        "why": dict(RejectReason.choices).get(details.get("reason_code", ""), ""),
        "grade": dict(Bottleneck.Grade.choices).get(details.get("grade", ""), ""),
        "route": dict(Bottleneck.Route.choices).get(details.get("route", ""), ""),
        "result": dict(Bottleneck.Result.choices).get(details.get("result", ""), ""),
        "after": _("，").join(after) or formats.BLANK,
        "closes": details.get("closes_on", ""),
        "percent": details.get("percent", ""),
        "superior": step.handler.parent or "",
        "followed": dict(Bottleneck.Status.choices).get(details.get("state", ""), ""),
    }
