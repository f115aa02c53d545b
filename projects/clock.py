"""The running limit of a problem, and whose turn it is, in words (`domain.md` 4.1, clock rules)."""

from datetime import date
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from common import formats
from common.workdays import workdays_between
from projects.models import Bottleneck
from projects.workflow import STATES, Party

S = Bottleneck.Status


def turn_of(bottleneck: Bottleneck) -> str:
    """The name of whose turn it is; empty when the problem is at an end."""
    match STATES[bottleneck.status].turn:
        case Party.FILER:
            return bottleneck.organization.name
        case Party.OFFICER:
            return bottleneck.handler.name
        case Party.INSTITUTION:
            return bottleneck.assigned_to.name if bottleneck.assigned_to else ""
        case Party.VERIFIER:
            return bottleneck.bureau.name
    return ""


def step_of(bottleneck: Bottleneck) -> str:
    """What the running clock times, such as "企业补正"."""
    return {
        S.SUBMITTED: _("核实"),
        S.RETURNED: _("企业补正"),
        S.ACCEPTED: _("复核"),
        S.DISPATCHED: _("机构答复"),
        S.POSTED: _("征集"),
        S.AWARDED: _("签约"),
        S.IN_PROGRESS: _("攻关"),
        S.SUSPENDED: _("暂缓"),
        S.UNSOLVABLE: _("半年复查"),
        S.SOLUTION_FILED: _("企业确认"),
        S.VERIFICATION: _("核验"),
        S.REOPENED: _("复查"),
    }.get(Bottleneck.Status(bottleneck.status), "")


def task_of(bottleneck: Bottleneck) -> str:
    """What the firm or institution whose turn it is has to do, in a few words."""
    return {
        S.RETURNED: _("按缺项补正，重新提交"),
        S.SOLUTION_FILED: _("对照目标，确认是否解决"),
        S.DISPATCHED: _("答复是否承接"),
        S.IN_PROGRESS: _("攻关，完成后提交解决办法"),
    }.get(Bottleneck.Status(bottleneck.status), "")


def clock_of(bottleneck: Bottleneck, today: date | None = None) -> dict[str, Any]:
    """The arguments of the template tag ``clock`` for this problem."""
    today = today or timezone.localdate()
    due, start, amber = bottleneck.clock_due_on, bottleneck.clock_started_on, bottleneck.clock_amber_on
    clock = {"state": "none", "remaining": None, "share": None, "label": step_of(bottleneck), "due": due}
    if due is None or start is None or amber is None:
        return clock
    if bottleneck.status == S.SUSPENDED:
        return clock | {"state": "paused"}
    # A limit that ends on a free day still ends on that day: never "today" on another day.
    remaining = workdays_between(today, due)
    if today > due:
        return clock | {"state": "red", "remaining": min(remaining, -1), "share": 1.0}
    if today < due:
        remaining = max(remaining, 1)
    if STATES[bottleneck.status].limit:
        passed, whole = workdays_between(start, today), workdays_between(start, due)
    else:
        # Months long: calendar days tell the same.
        passed, whole = (today - start).days, (due - start).days
    return clock | {
        "state": "amber" if today >= amber else "green",
        "remaining": remaining,
        "share": passed / whole if whole > 0 else 1.0,
    }


def about_clock(bottleneck: Bottleneck) -> list[str]:
    """What the page says beneath the clock: since when it runs and for whom, why the bureau's stands still,
    how often it was put off, and to whom its being late was reported."""
    row, said = bottleneck, []
    if row.clock_started_on and row.status != S.SUSPENDED:
        sentence = _("时限“%(step)s”自 %(start)s 起为%(who)s计算，%(amber)s 起预警，%(due)s 届满。")
        said.append(
            sentence
            % {
                "step": step_of(row),
                "who": turn_of(row),
                "start": formats.day(row.clock_started_on),
                "amber": formats.day(row.clock_amber_on),
                "due": formats.day(row.clock_due_on),
            }
        )
    if pause := why_paused(row):
        said.append(pause)
    if row.extended_count:
        said.append(_("已延期 %(n)d 次。") % {"n": row.extended_count})
    if row.escalated_to:
        said.append(_("已超期上报%(bureau)s督办。") % {"bureau": row.escalated_to})
    return said


def why_paused(bottleneck: Bottleneck) -> str:
    """Why the bureau's clock stands still, whoever's other clock runs meanwhile; empty when it runs."""
    return {
        S.RETURNED: _("等待企业补正，办理时限暂停。"),
        S.SOLUTION_FILED: _("等待企业确认，办理时限暂停。"),
        S.SUSPENDED: _("已暂缓，攻关期限暂停，恢复时重新定期限。"),
    }.get(Bottleneck.Status(bottleneck.status), "")
