"""The life of a demand for a standard or a metrology specification (`domain.md` chapter 7).

The table says which step may follow; a committee decides, and officers of the bureau that made the demand
record what was decided. `move` locks the row, judges, writes it, appends a `SpecStep`, tells those who wait.
There is one party and there are no clocks, so this is a table of its own beside `projects.workflow`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from accounts.models import Grant, Role, User
from common.saving import save_checked
from enterprises.models import Bureau, NumberSeries
from projects import notices
from projects.models import Bottleneck, SpecDemand, SpecKind, SpecStep, SpecWait
from projects.services import StaleRow
from projects.similar import grams
from record.acting import by_whom, on_behalf

S = SpecDemand.Status
Gap = Bottleneck.Gap
# Which gap asks for what (`domain.md` 3.5).
KINDS = {
    Gap.MEASUREMENT_MISSING: SpecKind.METROLOGY,
    Gap.CALIBRATION_MISSING: SpecKind.METROLOGY,
    Gap.STANDARD_MISSING: SpecKind.STANDARD,
    Gap.STANDARD_DIVIDED: SpecKind.STANDARD,
}
# What a demand says; changed as long as the committee works.
FIELDS = ("title", "quantity", "range", "uncertainty", "object", "users", "urgency", "committee")
# Open demands that are compared with a problem, the newest of them.
COMPARED = 300


@dataclass(frozen=True)
class Step:
    """One row of the table; ``needs`` are the columns that it fills besides the reason, which all need."""

    name: str
    label: Any
    sources: tuple[S, ...]
    target: S
    done: Any
    needs: tuple[str, ...] = ()

    @property
    def ends(self) -> bool:
        return self.target in SpecDemand.ENDED


STEPS: dict[str, Step] = {
    step.name: step
    for step in (
        Step(
            "approve",
            pgettext_lazy("step", "登记立项"),
            (S.PROPOSED,),
            S.APPROVED,
            gettext_lazy("已立项"),
            ("plan_no",),
        ),
        Step(
            "draft", pgettext_lazy("step", "开始起草"), (S.APPROVED,), S.DRAFTING, gettext_lazy("已开始起草")
        ),
        Step(
            "consult",
            pgettext_lazy("step", "征求意见"),
            (S.DRAFTING,),
            S.CONSULTING,
            gettext_lazy("已公开征求意见"),
        ),
        Step("examine", pgettext_lazy("step", "审定"), (S.CONSULTING,), S.EXAMINED, gettext_lazy("已审定")),
        Step("report", pgettext_lazy("step", "报批"), (S.EXAMINED,), S.REPORTED, gettext_lazy("已报批")),
        Step(
            "redraft",
            pgettext_lazy("step", "退回起草"),
            (S.CONSULTING, S.EXAMINED),
            S.DRAFTING,
            gettext_lazy("已退回起草"),
        ),
        Step(
            "publish",
            pgettext_lazy("step", "登记发布"),
            (S.REPORTED,),
            S.PUBLISHED,
            gettext_lazy("已发布"),
            ("published_no", "published_on"),
        ),
        Step(
            "review",
            pgettext_lazy("step", "开始复审"),
            (S.PUBLISHED,),
            S.REVIEWING,
            gettext_lazy("已开始复审"),
        ),
        Step(
            "keep",
            pgettext_lazy("step", "继续有效"),
            (S.REVIEWING,),
            S.PUBLISHED,
            gettext_lazy("复审后继续有效"),
        ),
        Step(
            "decline",
            pgettext_lazy("step", "未采纳"),
            (S.PROPOSED,),
            S.DECLINED,
            gettext_lazy("委员会没有采纳"),
        ),
        Step(
            "terminate",
            pgettext_lazy("step", "终止或废止"),
            (S.APPROVED, S.DRAFTING, S.CONSULTING, S.EXAMINED, S.REPORTED, S.PUBLISHED, S.REVIEWING),
            S.TERMINATED,
            gettext_lazy("已终止或废止"),
        ),
    )
}
# Of these steps everybody hears whose problem waits.
TOLD = ("approve", "publish", "decline", "terminate")


def grant_over(demand: SpecDemand, user: User) -> Grant | None:
    """The officer's grant by which the user records what becomes of the demand."""
    fits = [g for g in user.grants_of(Role.OFFICER) if g.covers(demand.bureau, demand.chain_id)]
    return max(fits, key=lambda grant: (grant.level, grant.principal is None), default=None)


def grant_for_problem(row: Bottleneck, user: User) -> Grant | None:
    """The officer's grant under which the problem stands."""
    fits = [
        g
        for g in user.grants_of(Role.OFFICER)
        if g.covers(row.handler, row.chain_id) or g.covers(row.bureau, row.chain_id)
    ]
    return max(fits, key=lambda grant: (grant.level, grant.principal is None), default=None)


def why_not(demand: SpecDemand, step: Step, user: User) -> str:
    """Why the user may not record this step now; nothing when it may."""
    if grant_over(demand, user) is None:
        return _("需求单的进展由提出单位或其上级的经办人登记。")
    if demand.status not in step.sources:
        return _("需求单现在的状态是“%(state)s”，不能这样办理。") % {"state": demand.get_status_display()}
    return ""


def steps_for(demand: SpecDemand, user: User) -> list[Step]:
    return [step for step in STEPS.values() if not why_not(demand, step, user)]


# --- Problems that wait -------------------------------------------------------------------------------------


def why_not_wait(row: Bottleneck, user: User) -> str:
    """Why no demand can be made of the problem by the user, or joined; nothing when it can."""
    if grant_for_problem(row, user) is None:
        return _("规范需求由办理这个问题的经办人提出。")
    if row.nqi_gap not in KINDS:
        return _("只有缺口是计量空白、校准规范缺失、标准缺失或标准不统一的问题提出规范需求。")
    if row.status == Bottleneck.Status.DRAFT or row.status in Bottleneck.ENDED or row.voided_at:
        return _("问题现在的状态是“%(state)s”，不能再提出规范需求。") % {"state": row.get_status_display()}
    waits = row.spec_waits.filter(demand__status__in=SpecDemand.OPEN).select_related("demand")
    if wait := waits.first():
        return _("这个问题已经在等需求单 %(code)s。") % {"code": wait.demand.code}
    return ""


def awaited_by(row: Bottleneck) -> list[SpecWait]:
    """The waits of the problem and of those merged into it, of each demand that which began first."""
    judged = SpecWait.objects.judged("whoever reads the problem")
    waits = judged.filter(Q(bottleneck=row) | Q(bottleneck__merged_into=row))
    first: dict[int, SpecWait] = {}
    for wait in waits.select_related("demand__committee"):
        first.setdefault(wait.demand_id, wait)
    return list(first.values())


def alike(row: Bottleneck, user: User, limit: int = 5) -> list[SpecDemand]:
    """Open demands of the same kind that the user may see, those first that share most with the problem."""
    said = grams(f"{row.title} {row.product} {row.symptom}")
    demands = SpecDemand.objects.visible_to(user).open().filter(kind=KINDS[Gap(row.nqi_gap)])
    newest = demands.select_related("committee", "bureau").order_by("-pk")[:COMPARED]

    def shared(demand: SpecDemand) -> int:
        words = f"{demand.title} {demand.quantity} {demand.object}"
        return len(said & grams(words)) + (demand.chain_id == row.chain_id)

    ranked = sorted(((shared(demand), demand) for demand in newest), key=lambda it: (-it[0], -it[1].pk))
    return [demand for score, demand in ranked[:limit] if score]


@by_whom
def propose(row: Bottleneck, values: Mapping[str, Any], *, by: User) -> SpecDemand:
    """Make a demand of the problem, which waits for it from today; ``values`` are its `FIELDS`.

    Raises PermissionDenied when the user may not, ValidationError by field.
    """
    with transaction.atomic():
        problem, grant = _to_wait(row, by)
        with on_behalf(by, grant):
            bureau = office_of(grant)
            prefix = f"GFXQ-{timezone.localdate().year}-{bureau.code}"
            demand = SpecDemand(
                code=f"{prefix}-{NumberSeries.next(prefix):04d}",
                kind=KINDS[Gap(problem.nqi_gap)],
                chain=problem.chain,
                bureau=bureau,
                status_changed_at=timezone.now(),
                **values,
            )
            save_checked(demand)
            _append(demand, grant, by, move="propose", source=demand.status)
            _join(demand, problem)
    return demand


@by_whom
def join(demand: SpecDemand, row: Bottleneck, *, by: User) -> None:
    """Let the problem wait for a demand that there is already; raises as `propose` does."""
    with transaction.atomic():
        locked = _locked(demand.pk)
        problem, grant = _to_wait(row, by)
        if not SpecDemand.objects.visible_to(by).filter(pk=locked.pk).exists():
            raise PermissionDenied(_("这张需求单不在您的查看范围内。"))
        if locked.status not in SpecDemand.OPEN or locked.kind != KINDS[Gap(problem.nqi_gap)]:
            raise ValidationError(_("只能等一张尚未发布、类别与缺口相符的需求单。"))
        with on_behalf(by, grant):
            _join(locked, problem)


@by_whom
def leave(wait: SpecWait, *, by: User) -> None:
    """The problem waits for the demand no more: it was linked by mistake, or needs something else."""
    with transaction.atomic():
        demand = _locked(wait.demand_id)
        grant = grant_over(demand, by) or grant_for_problem(wait.bottleneck, by)
        if grant is None or demand.status not in SpecDemand.OPEN:
            raise PermissionDenied(_("在需求单发布或终止之前，由办理问题或提出需求单的经办人移出。"))
        with on_behalf(by, grant):
            wait.delete()


def _to_wait(row: Bottleneck, by: User) -> tuple[Bottleneck, Grant]:
    """The problem, locked, and the grant by which the user handles it."""
    problem = Bottleneck.objects.judged("under the lock").select_for_update().get(pk=row.pk)
    grant = grant_for_problem(problem, by)
    refusal = why_not_wait(problem, by)
    if grant is None or refusal:
        raise PermissionDenied(refusal)
    return problem, grant


def _join(demand: SpecDemand, problem: Bottleneck) -> None:
    save_checked(SpecWait(demand=demand, bottleneck=problem, since=timezone.localdate()))


# --- Steps --------------------------------------------------------------------------------------------------


def _locked(pk: int) -> SpecDemand:
    rows = SpecDemand.objects.judged("under the lock").select_for_update(of=("self",))
    return rows.select_related("committee", "bureau").get(pk=pk)


@by_whom
def revise(demand: SpecDemand, values: Mapping[str, Any], *, by: User, version: int) -> SpecDemand:
    """Change what an open demand says.

    Raises StaleRow when it was changed since ``version``, PermissionDenied when the user may not or the
    demand is open no more, ValidationError by field.
    """
    with transaction.atomic():
        locked = _locked(demand.pk)
        if grant_over(locked, by) is None or locked.status not in SpecDemand.OPEN:
            raise PermissionDenied(_("需求单在发布或终止之前，由提出单位或其上级的经办人修改。"))
        if locked.version != version:
            raise StaleRow(_("需求单已在别处修改，您的修改没有保存，请核对后再试。"))
        for name, value in values.items():
            setattr(locked, name, value)
        locked.version += 1
        save_checked(locked, values)
    demand.refresh_from_db()
    return locked


@by_whom
def move(demand: SpecDemand, name: str, data: Mapping[str, Any], *, by: User, version: int) -> SpecStep:
    """Record what became of the demand, with its ``reason`` and what the step needs.

    Raises StaleRow when it has moved on since ``version``, PermissionDenied when the user may not,
    ValidationError by key of ``data``.
    """
    step = STEPS[name]
    with transaction.atomic():
        locked = _locked(demand.pk)
        if locked.version != version or locked.status not in step.sources:
            raise StaleRow(why_stale(locked))
        grant, refusal = grant_over(locked, by), why_not(locked, step, by)
        if grant is None or refusal:
            raise PermissionDenied(refusal)
        if missing := [key for key in (*step.needs, "reason") if not data.get(key)]:
            raise ValidationError(dict.fromkeys(missing, _("这一项必须填写。")))
        source, locked.status = locked.status, step.target
        for key in step.needs:
            setattr(locked, key, data[key])
        locked.end_reason = data["reason"] if step.ends else ""
        locked.status_changed_at = timezone.now()
        locked.version += 1
        with on_behalf(by, grant, data["reason"]):
            save_checked(locked, (*step.needs, "status", "end_reason"))
            event = _append(locked, grant, by, move=name, source=source, reason=data["reason"])
            if name in TOLD:
                notices.tell_of_demand(locked, event)
    demand.refresh_from_db()
    return event


def _append(demand: SpecDemand, grant: Grant, by: User, **said: str) -> SpecStep:
    return SpecStep.objects.create(
        demand=demand,
        sequence=demand.steps.count() + 1,
        at=timezone.now(),
        target=demand.status,
        actor=by,
        principal=grant.principal,
        bureau=office_of(grant),
        **said,
    )


def office_of(grant: Grant) -> Bureau:
    """The bureau for which an officer acts."""
    return cast(Bureau, grant.bureau)


def why_stale(demand: SpecDemand) -> str:
    """What happened to the demand since the user read it."""
    last = demand.steps.select_related("bureau").last()
    if last is None or last.move not in STEPS:
        return _("需求单已在别处修改，您的操作没有执行，请核对后再试。")
    sentence = _("%(who)s已于 %(when)s 办理：%(what)s。您的操作没有执行。")
    return sentence % {
        "who": last.bureau,
        "when": timezone.localtime(last.at).strftime("%Y-%m-%d %H:%M"),
        "what": STEPS[last.move].done,
    }
