"""What each move demands of its data and writes onto the problem; called by `services.move` alone."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from accounts.models import User
from common import formats
from common.saving import save_checked
from enterprises.models import Bureau, NumberSeries
from projects import files, reports
from projects.completeness import gaps_before_filing
from projects.completion import as_filed, completed
from projects.models import Attachment, Bottleneck, Evidence
from projects.models.base import at_field
from projects.workflow import STATES, MergeKind, Move, reviewer_below

S = Bottleneck.Status
AFTER = ("value_after", "method_after", "measured_after_on")
HIGH_GRADES = (Bottleneck.Grade.PROVINCE, Bottleneck.Grade.NATION)
Details = dict[str, Any]


@dataclass(frozen=True)
class Doing:
    """A move at work: the locked problem, what was given, who acts for which bureau, the moment it is dated,
    the day by which it is judged, and the files that reach the disk meanwhile."""

    row: Bottleneck
    data: Mapping[str, Any]
    by: User | None
    bureau: Bureau | None
    at: datetime
    today: date
    stored: list[Attachment]


def check(move: Move, doing: Doing) -> None:
    """Raises ValidationError, by key of the data, when something that the move needs is missing or wrong."""
    blank: tuple[Any, ...] = (None, "", [], (), {})
    if missing := [key for key in move.needs if doing.data.get(key) in blank]:
        raise ValidationError(dict.fromkeys(missing, _("这一项必须填写。")))
    if "due_on" in move.needs and doing.data["due_on"] < doing.today:
        raise ValidationError({"due_on": _("期限不能早于今天。")})
    if judged := CHECKS.get(move.name):
        judged(doing)


def apply(move: Move, doing: Doing) -> Details:
    """Write what the move brings onto the row, without saving it; returns what the event keeps of it."""
    return EFFECTS[move.name](doing) if move.name in EFFECTS else {}


# --- Checks ------------------------------------------------------------------------------------------------


def _complete(doing: Doing) -> None:
    if gaps := gaps_before_filing(doing.row, doing.data.get("measures"), doing.data.get("contact")):
        raise ValidationError({name: sentence for step in gaps.values() for name, sentence in step})


def _high_grade(doing: Doing) -> None:
    grade, superior = doing.data["high_grade"], doing.row.handler.parent
    if grade not in HIGH_GRADES:
        raise ValidationError({"high_grade": _("提请上级复核的，级别须为省级或国家级。")})
    if superior and superior.level == Bureau.Level.NATIONAL and grade != Bottleneck.Grade.NATION:
        raise ValidationError({"high_grade": _("提请总局复核的，级别须为国家级。")})


def _living_master(doing: Doing) -> None:
    row, master = doing.row, doing.data["master"]
    if master.pk == row.pk or master.merged_into_id or master.status in (S.DRAFT, *Bottleneck.ENDED):
        raise ValidationError({"master": _("只能归并到另一个仍在办理、自身未被归并的问题。")})
    if row.merged_children.judged("the children of a master").exists():
        raise ValidationError({"master": _("已有其他问题归并到本问题，请先撤销那些归并。")})


def _institution(doing: Doing) -> None:
    if not hasattr(doing.data["assigned_to"], "institution_profile"):
        raise ValidationError({"assigned_to": _("承担机构须是登记过能力的赋能机构。")})


def _open_long_enough(doing: Doing) -> None:
    first = doing.today + timedelta(days=settings.POSTING_DAYS)
    if doing.data["closes_on"] < first:
        sentence = _("榜单至少公开 %(n)d 天，截止日期不能早于 %(day)s。")
        raise ValidationError(
            {"closes_on": sentence % {"n": settings.POSTING_DAYS, "day": first.isoformat()}}
        )


def _later(doing: Doing) -> None:
    if doing.data["extended_to"] <= max(doing.today, doing.row.clock_due_on or doing.today):
        raise ValidationError({"extended_to": _("延期后的日期要晚于今天和原来的期限。")})


def _share(doing: Doing) -> None:
    if not 0 <= doing.data["percent"] <= 100:
        raise ValidationError({"percent": _("完成比例在 0 到 100 之间。")})


def _past(doing: Doing) -> None:
    """Nothing was measured or issued later than today."""
    for key, day in (("after", "measured_after_on"), ("evidence", "issued_on")):
        if any(item[day] and item[day] > doing.today for item in doing.data[key]):
            raise ValidationError({key: _("日期不能晚于今天。")})


def _proved(doing: Doing) -> None:
    """Two of the three locks of "solved": every proof was looked at and matched, each target is met
    (`domain.md` 4.3)."""
    row = doing.row
    if not set(row.evidence.values_list("pk", flat=True)) <= set(doing.data["checked"]):
        raise ValidationError({"checked": _("还有证据没有核对。全部相符才能核验通过。")})
    unmet = [measure.metric for measure in row.measures.all() if measure.is_met is False]
    if unmet and doing.data["result"] == Bottleneck.Result.SOLVED:
        sentence = _("“%(metrics)s”没有达到目标，不能认定为已解决；可以办理“阶段性解决”。")
        raise ValidationError({"result": sentence % {"metrics": formats.listed(unmet)}})


CHECKS: dict[str, Callable[[Doing], None]] = {
    "submit": _complete,
    "escalate": _high_grade,
    "merge": _living_master,
    "dispatch": _institution,
    "award": _institution,
    "post": _open_long_enough,
    "extend": _later,
    "report": _share,
    "file_solution": _past,
    "verify": _proved,
}


# --- Effects -----------------------------------------------------------------------------------------------


def _submit(doing: Doing) -> Details:
    row = doing.row
    row.submitted_at = row.submitted_at or doing.at
    if not row.code:
        prefix = f"DK-{doing.today.year}-{row.bureau.code}"
        row.code = f"{prefix}-{NumberSeries.next(prefix):05d}"
    return completed(row, doing.data.get("answers") or {})


def _return(doing: Doing) -> Details:
    """The gaps, and what the filing said: what the firm changes is told by it."""
    return {"gaps": doing.data["gaps"], "filed": as_filed(doing.row)}


def _accept(doing: Doing) -> Details:
    row = doing.row
    row.accepted_at = row.accepted_at or doing.at
    # The second check stands one level up; municipalities skip the city (`domain.md` 4.1).
    if row.handler.level >= Bureau.Level.COUNTY and row.handler.parent:
        row.handler = row.handler.parent
    return {}


def _up(doing: Doing) -> Details:
    row = doing.row
    row.handler = row.handler.parent or row.handler
    row.grade = doing.data.get("high_grade", row.grade)
    return {"handler": row.handler.code}


def _down(doing: Doing) -> Details:
    row = doing.row
    row.handler = reviewer_below(row) or row.handler
    return {"handler": row.handler.code}


def _merge(doing: Doing) -> Details:
    doing.row.merged_into = doing.data["master"]
    return {"master": doing.data["master"].code, "kind": doing.data.get("kind") or MergeKind.SAME}


def _unmerge(doing: Doing) -> Details:
    master, doing.row.merged_into = doing.row.merged_into, None
    doing.row.result, doing.row.resolved_at = "", None
    return {"master": master.code if master else ""}


def _follow(doing: Doing) -> Details:
    row, master = doing.row, doing.data["leader"]
    row.result, row.resolved_at = master.result, master.resolved_at
    return {"master": master.code, "state": master.status}


def _list(doing: Doing) -> Details:
    row, data = doing.row, doing.data
    row.grade, row.route, row.due_on = data["grade"], data["route"], data["due_on"]
    # The desk of twins may have found it common before.
    row.is_common = row.is_common or bool(data.get("is_common"))
    row.listed_at = row.listed_at or doing.at
    row.list_owner = doing.bureau
    return {"grade": row.grade, "route": row.route, "due_on": row.due_on.isoformat()}


def _assign(doing: Doing) -> Details:
    doing.row.assigned_to = doing.data["assigned_to"]
    return {"assigned_to": doing.data["assigned_to"].uscc}


def _decline(doing: Doing) -> Details:
    institution, doing.row.assigned_to = doing.row.assigned_to, None
    return {"declined_by": institution.uscc if institution else ""}


def _post(doing: Doing) -> Details:
    doing.row.route = Bottleneck.Route.CHALLENGE
    return {"closes_on": doing.data["closes_on"].isoformat()}


def _extend(doing: Doing) -> Details:
    row, day = doing.row, doing.data["extended_to"]
    before = row.clock_due_on.isoformat() if row.clock_due_on else ""
    if STATES[row.status].until_plan_date:
        row.due_on = day
    return {"from": before, "to": day.isoformat()}


def _report_up(doing: Doing) -> Details:
    return {"to": doing.row.handler.parent.code if doing.row.handler.parent else ""}


def _plan(doing: Doing) -> Details:
    doing.row.due_on = doing.data["due_on"]
    return {"due_on": doing.data["due_on"].isoformat()}


def _keep_solution(doing: Doing) -> Details:
    """Store solution, measured after-values, evidence and files; every metric must be measured again."""
    row, data = doing.row, doing.data
    row.solution = data["solution"]
    after = {item["measure"]: item for item in data["after"]}
    kept = []
    for measure in row.measures.all():
        item = after.get(measure.pk)
        if item is None:
            raise ValidationError({"after": _("请填写“%s”解决后的值。") % measure.metric})
        measure.value_after = item["value_after"]
        measure.method_after = item.get("method_after", "")
        measure.measured_after_on = item["measured_after_on"]
        with at_field("after"):
            save_checked(measure, AFTER)
        kept.append({"metric": measure.metric, "value": str(measure.value_after)})
    scans = []
    for item in data["evidence"]:
        values = dict(item)
        scan = values.pop("file", None)
        known = row.evidence.filter(issuer=item["issuer"], number=item["number"]).first()
        evidence = known or Evidence(bottleneck=row)
        for name, value in values.items():
            setattr(evidence, name, value)
        # What was found of it before was said of other words.
        evidence.verify_state = Evidence.VerifyState.UNVERIFIED
        with at_field("evidence"):
            save_checked(evidence)
        scans.append((evidence, scan))
    # What was refuted and is not filed again is no evidence any more; the record keeps it.
    for refuted in row.evidence.filter(verify_state__in=Evidence.CONTRADICTED):
        refuted.delete()
    # Words before files: what is refused for its words stores nothing.
    for evidence, scan in scans:
        if scan:
            evidence.attachment = files.keep(row, scan, by=doing.by, stored=doing.stored)
            evidence.save(update_fields=["attachment"])
    for upload in data.get("files", ()):
        files.keep(row, upload, by=doing.by, stored=doing.stored)
    reports.ask_for(row)
    return {"after": kept, "evidence": [evidence.number for evidence, _scan in scans]}


def _strike_off(doing: Doing) -> Details:
    row, data = doing.row, doing.data
    row.result, row.resolved_at = data["result"], doing.at
    row.is_reusable, row.story = bool(data.get("is_reusable")), data.get("story", "")
    row.economic_effect, row.economic_basis = data.get("effect") or (None, "")
    reports.looked_at_by_officer(row, doing.at)
    return {"result": row.result}


def _told(*keys: str) -> Callable[[Doing], Details]:
    """Nothing but words for the event."""
    return lambda doing: {key: doing.data[key] for key in keys}


EFFECTS: dict[str, Callable[[Doing], Details]] = {
    "submit": _submit,
    "accept": _accept,
    "return": _return,
    "reject": _told("reason_code", "turn_to"),
    "appeal": _up,
    "escalate": _up,
    "hand_down": _down,
    "merge": _merge,
    "unmerge": _unmerge,
    "follow": _follow,
    "list": _list,
    "dispatch": _assign,
    "award": _assign,
    "decline": _decline,
    "post": _post,
    "report": _told("percent"),
    "give_up": _told("opinion"),
    "extend": _extend,
    "report_up": _report_up,
    "file_solution": _keep_solution,
    "verify": _strike_off,
    "continue": _plan,
    "resume": _plan,
    "restart": _plan,
    "begin": _plan,
    "relist": _plan,
}
