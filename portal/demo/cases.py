"""Bottlenecks as rows: each event and what it leaves behind, as `projects.services.move` would write it."""

import random
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date

from django.conf import settings

from common.workdays import add_months
from portal.demo.build import Builder, Project
from portal.demo.catalogue import (
    ANALYSES,
    EFFECTS,
    GAPS_TO_FILL,
    HELPS,
    LOSS_BASES,
    REASONS,
    SOLUTIONS,
    SYMPTOMS,
    TRIED,
    TURN_TO,
    Trouble,
    troubles,
)
from portal.demo.lives import LIMITS, MOVE_OF, Plan
from portal.demo.people import People
from portal.demo.places import Unit
from projects.models import Bottleneck
from projects.workflow import Party, RejectReason

FIELDS = (
    "id", "public_id", "code", "status", "organization", "filer", "bureau", "handler", "chain", "segment",
    "product", "title", "symptom", "choke", "project", "effect", "loss_estimate", "loss_basis", "urgency",
    "expected_by", "cause", "cause_analysis", "nqi_elements", "nqi_gap", "tried_already", "help_wanted",
    "help_text", "visibility", "consent_publish", "grade", "is_common", "merged_into", "list_owner",
    "route", "assigned_to", "due_on", "solution", "result", "submitted_at", "accepted_at", "listed_at",
    "resolved_at", "status_changed_at", "clock_started_on", "clock_amber_on", "clock_due_on", "created_at",
    "created_by",
    "updated_at", "version", "is_test", "voided_at", "void_reason",
)  # fmt: skip
TRANSITION_FIELDS = (
    "bottleneck", "sequence", "at", "move", "source", "target", "actor", "bureau", "organization", "handler",
    "clock_due_on", "reason", "details",
)  # fmt: skip
MEASURE_FIELDS = (
    "bottleneck", "metric", "unit", "value_now", "method", "measured_on", "comparison", "target",
    "value_after", "method_after", "measured_after_on",
)  # fmt: skip
EVIDENCE_FIELDS = ("bottleneck", "kind", "element", "title", "number", "issuer", "issued_on", "verify_state")
CONTACT_FIELDS = ("bottleneck", "name", "phone")

EVIDENCE_KINDS = {
    "MET": "certificate",
    "STD": "standard",
    "TST": "test_report",
    "CER": "certificate",
    "ACC": "certificate",
}
EVIDENCE_TITLES = {
    "MET": "校准证书（演示）",
    "STD": "标准文本（演示）",
    "TST": "检验报告（演示）",
    "CER": "认证证书（演示）",
    "ACC": "认可能力附表（演示）",
}
UNIT_WORDS = {"pcs": "件", "times": "次", "h": "小时", "d": "天", "um": "微米", "nm": "纳米", "grade": "级"}
GRADES = ("ENT",) * 30 + ("COUNTY",) * 34 + ("CITY",) * 26 + ("PROV",) * 8 + ("NATION",) * 2
ROUTES = ("DISP", "DISP", "DISP", "CONS", "CONS", "STOP", "OWN")
CHOKES = ("BLOCK", "STUCK", "STUCK", "PAIN", "HARD")
URGENCIES = ("normal", "normal", "normal", "urgent", "urgent", "critical")
WANTED = ("CONS,DISP", "DISP", "DISP,STOP", "CONS", "CHAL,DISP")
VISIBILITIES = ("parties", "parties", "government", "public")

SETS_DUE = frozenset({"list", "continue", "resume", "restart", "begin", "relist"})
# What follows when the target was missed.
MISSED = frozenset({"dispute", "rework", "verify_partly"})
ENDED = frozenset(map(str, Bottleneck.ENDED))
# Days until what is solved is archived, those of a leap year.
YEAR = 367
# An office day in seconds from 08:30, and as long into the evening as several steps of one day may take.
OFFICE_DAY, EVENING = 30_000, 39_000


@dataclass(frozen=True, slots=True)
class Content:
    """What a problem is about."""

    chain: int
    segment: int
    product: str
    trouble: Trouble

    @property
    def title(self) -> str:
        return self.product + self.trouble.words


@dataclass(frozen=True, slots=True)
class Master:
    """A problem into which others of the same city may be merged while it is open."""

    id: int
    code: str
    accepted: int
    ended: int
    content: Content


@dataclass(slots=True)
class Case:
    """A bottleneck on its way; days are numbers, times text, keys 0 when there is none."""

    id: int
    plan: Plan
    unit: Unit
    handler: Unit
    filer: int
    content: Content
    master: Master | None
    # Of the two officers of each bureau this one handles, the other verifies.
    first: int
    last_due_step: int
    status: str = "draft"
    code: str | None = None
    grade: str = ""
    route: str = ""
    is_common: int = 0
    list_owner: int | None = None
    assigned: int = 0
    due: int = 0
    closes: int = 0
    taken: int = 0
    accepted: int = 0
    solution: str = ""
    result: str = ""
    submitted_at: str | None = None
    accepted_at: str | None = None
    listed_at: str | None = None
    resolved_at: str | None = None
    changed_at: str | None = None
    clock_started: str | None = None
    clock_amber: str | None = None
    clock_due: str | None = None
    value_after: float | int | None = None
    after_on: str | None = None
    evidence: list[str] = field(default_factory=list)


class Cases:
    """The rows of all bottlenecks, written from their plans in the order of filing."""

    def __init__(self, rnd: random.Random, builder: Builder, people: People, plans: list[Plan]) -> None:
        self.rnd, self.builder, self.people, self.plans = rnd, builder, people, plans
        self.days, self.firms, self.chains = builder.days, builder.firms, builder.chains
        self._troubles = troubles()
        self._projects = {project.id: project for project in builder.projects}
        self._first_segment = [1]
        for chain in self.chains:
            self._first_segment.append(self._first_segment[-1] + len(chain.segments))
        self.rows: list[tuple] = []
        self.transitions: list[tuple] = []
        self.measures: list[tuple] = []
        self.evidence: list[tuple] = []
        self.contacts: list[tuple] = []
        self.titles: list[str] = [""]
        self._masters: dict[int, list[Master]] = defaultdict(list)
        self._near: dict[str, list[int]] = defaultdict(list)
        for plan in plans:
            self._write(plan)

    def _draw(self, options: tuple[str, ...]) -> str:
        return options[int(self.rnd.random() * len(options))]

    def problem_near(self, project: Project) -> tuple[int, str]:
        """Key and title of a problem to work on: of the project, or else of its province, or of any."""
        pool = project.problems or self._near[project.unit.province.code] or range(1, len(self.rows) + 1)
        problem = pool[int(self.rnd.random() * len(pool))]
        return problem, self.titles[problem]

    def _write(self, plan: Plan) -> None:
        unit = self.firms.leaf[plan.organization]
        master = None
        if plan.steps and plan.steps[-1] == "merge":
            master = self._master_open_on(plan.days[-1], unit)
            if master is None:
                # Nothing to merge into: turned down instead.
                plan.steps[-2:] = ["reject"]
                del plan.days[-1]
        case = Case(
            id=len(self.rows) + 1,
            plan=plan,
            unit=unit,
            handler=unit,
            filer=self.people.filer(plan.organization),
            content=master.content if master else self._content(plan),
            master=master,
            # In the story the officers' accounts verify.
            first=1 if plan.is_story else int(self.rnd.random() * 2),
            last_due_step=max((n for n, step in enumerate(plan.steps) if step in SETS_DUE), default=-1),
        )
        self._archive(plan)
        second = previous = -1
        for n, (step, day) in enumerate(zip(plan.steps, plan.days, strict=True)):
            if day == previous:
                second = min(second + 900 + int(self.rnd.random() * 1800), EVENING)
            else:
                second = int(self.rnd.random() * OFFICE_DAY)
            previous = day
            self._step(case, n, step, day, self.days.moment(day, second))
        self._store(case)

    def _archive(self, plan: Plan) -> None:
        """What was solved more than a year ago has been archived since."""
        if plan.steps and plan.steps[-1] == "verify" and plan.days[-1] + YEAR <= self.days.today:
            plan.steps.append("archive")
            plan.days.append(plan.days[-1] + YEAR)

    def _content(self, plan: Plan) -> Content:
        chain = self.firms.chain[plan.organization]
        segment = int(self.rnd.random() * len(self.chains[chain].segments))
        segment = segment if plan.segment is None else plan.segment
        options = self._troubles[self.chains[chain].trade]
        number = (
            int(self.rnd.random() * len(options)) if plan.trouble is None else plan.trouble % len(options)
        )
        return Content(
            chain, segment, self._draw(self.chains[chain].segments[segment].products), options[number]
        )

    def _master_open_on(self, day: int, unit: Unit) -> Master | None:
        for master in reversed(self._masters[unit.city.id][-40:]):
            if master.accepted < day < master.ended:
                return master
        return None

    # --- One step -------------------------------------------------------------------------------------------

    def _step(self, case: Case, n: int, step: str, day: int, at: str) -> None:
        move = MOVE_OF[step]
        party = move.parties[0]
        reason = self._draw(REASONS[step]) if step in REASONS else ""
        bureau = organization = actor = None
        if party is Party.OFFICER or party is Party.VERIFIER:
            verifies = party is Party.VERIFIER
            acting = self._acting_bureau(case, step, verifies=verifies)
            actor = self.people.officers(acting)[1 - case.first if verifies else case.first]
            bureau = acting.id
        elif party is not Party.SYSTEM:
            organization = case.assigned if party is Party.INSTITUTION else case.plan.organization
            actor = self.people.handler(organization) if party is Party.INSTITUTION else case.filer
        details = self._effect(case, n, step, day=day, at=at, bureau=bureau, reason=reason)
        source, case.status = case.status, str(move.leads_to(case.status))
        if move.target or move.restarts_clock:
            self._start_clock(case, day)
        case.changed_at = at
        self.transitions.append(
            (
                case.id, n + 1, at, move.name, source, case.status, actor, bureau, organization,
                case.handler.id, case.clock_due, reason, details,
            )
        )  # fmt: skip

    def _acting_bureau(self, case: Case, step: str, *, verifies: bool) -> Unit:
        if verifies:
            # Problems of province and nation are not struck off by the county.
            return case.unit.city if case.grade in ("PROV", "NATION") else case.unit
        if step == "list":
            case.grade = self._draw(GRADES)
            if case.grade in ("PROV", "NATION") and self.rnd.random() < 0.5:
                return case.unit.province
        return case.handler

    def _start_clock(self, case: Case, day: int) -> None:
        case.clock_started = case.clock_amber = case.clock_due = None
        if case.status == "in_progress":
            due, amber = case.due, day + -(-(case.due - day) * 7 // 10)
        elif case.status == "posted":
            due, amber = case.closes, day + -(-(case.closes - day) * 7 // 10)
        elif case.status == "unsolvable":
            due = self.days.of(add_months(date.fromisoformat(self.days.iso[day]), 6))
            amber = day + -(-(due - day) * 7 // 10)
        elif limit := self._limit(case):
            due = self.days.add_workdays(day, limit)
            amber = self.days.add_workdays(day, -(-limit * 7 // 10))
        else:
            return
        iso = self.days.iso
        case.clock_started, case.clock_amber, case.clock_due = iso[day], iso[amber], iso[due]

    def _limit(self, case: Case) -> int:
        """Working days; the review of a province has more of them."""
        if case.status == "accepted" and case.handler.level <= 1:
            return settings.WORKING_DAY_LIMITS["accepted_by_province"]
        return LIMITS.get(case.status, 0)

    def _effect(  # noqa: PLR0911, PLR0912  (one branch for each move of the table)
        self, case: Case, n: int, step: str, *, day: int, at: str, bureau: int | None, reason: str
    ) -> str:
        """Write what the step brings onto the case; returns the details of the event as JSON."""
        match step:
            case "submit":
                year = self.days.iso[day][:4]
                case.code = self.builder.numbers.next(f"DK-{year}-{case.unit.code}", 5)
                case.submitted_at = at
            case "accept":
                case.accepted_at, case.accepted = case.accepted_at or at, case.accepted or day
                if case.handler.level >= 3 and case.handler.parent:
                    case.handler = case.handler.parent
            case "return":
                gaps = f'{{"field": "symptom", "text": "{self._draw(GAPS_TO_FILL[:3])}。"}}'
                if self.rnd.random() < 0.6:
                    gaps += f', {{"field": "", "text": "{self._draw(GAPS_TO_FILL[3:])}。"}}'
                return f'{{"gaps": [{gaps}]}}'
            case "reject":
                dispute = reason == REASONS["reject"][0]
                code = RejectReason.DISPUTE if dispute else RejectReason.NOT_QUALITY
                turn_to = TURN_TO[0 if dispute else 1]
                return f'{{"reason_code": "{code.value}", "turn_to": "{turn_to}"}}'
            case "merge" if case.master:
                return f'{{"master": "{case.master.code}"}}'
            case "list":
                case.route, case.listed_at, case.list_owner = self._draw(ROUTES), at, bureau
                case.is_common = int(self.rnd.random() < 0.15)
                due = self._set_due(case, n, day)
                return f'{{"grade": "{case.grade}", "route": "{case.route}", "due_on": "{due}"}}'
            case "appeal" | "escalate":
                case.handler = case.handler.parent or case.handler
                if step == "escalate":
                    case.grade = "PROV"
                return f'{{"handler": "{case.handler.code}"}}'
            case "hand_down":
                down = case.handler is case.unit.province and case.unit.city is not case.unit.province
                case.handler = case.unit.city if down else case.unit.province
                return f'{{"handler": "{case.handler.code}"}}'
            case "post":
                case.route, case.closes = "CHAL", day + 30
                return f'{{"closes_on": "{self.days.iso[case.closes]}"}}'
            case "report":
                return f'{{"percent": {10 * (1 + int(self.rnd.random() * 8))}}}'
            case "give_up":
                return '{"opinion": "演示专家组：现有材料和装备尚不具备条件。"}'
            case "dispatch" | "award":
                case.assigned = case.plan.institution or self._institution_for(case)
                return f'{{"assigned_to": "{self.firms.uscc[case.assigned]}"}}'
            case "take":
                case.taken = day
            case "decline":
                declined, case.assigned = case.assigned, 0
                return f'{{"declined_by": "{self.firms.uscc[declined]}"}}'
            case "file_solution":
                return self._solve(case, n, day)
            case "verify":
                case.result, case.resolved_at = case.plan.result, at
                return f'{{"result": "{case.result}"}}'
            case "continue" | "resume" | "restart" | "begin" | "relist":
                case.taken = case.taken or day
                return f'{{"due_on": "{self._set_due(case, n, day)}"}}'
        return "{}"

    def _set_due(self, case: Case, n: int, day: int) -> str:
        wanted = case.plan.due
        if n == case.last_due_step and wanted is not None and wanted >= day:
            case.due = wanted
        else:
            case.due = day + 60 + int(self.rnd.random() * 120)
        return self.days.iso[case.due]

    def _institution_for(self, case: Case) -> int:
        """One of the province that offers the first missing element; another when none is found soon."""
        near = self.builder.institutions_of[case.unit.province.code] or self.builder.institutions
        institution = 0
        for _n in range(4):
            institution = near[int(self.rnd.random() * len(near))]
            if case.content.trouble.elements[:3] in self.builder.elements[institution]:
                break
        return institution

    def _solve(self, case: Case, n: int, day: int) -> str:
        trouble, r = case.content.trouble, self.rnd.random
        case.solution = SOLUTIONS.get(trouble.gap, SOLUTIONS["capacity"]).format(metric=trouble.metric)
        ahead = case.plan.steps[n + 1 : n + 3]
        case.value_after = self._value_after(trouble, met=MISSED.isdisjoint(ahead))
        case.after_on = self.days.iso[max(day - 2 - int(r() * 6), case.taken)]
        if not case.evidence:
            elements = trouble.elements.split(",")
            for element in elements[: 1 + (r() < 0.3)]:
                number = f"YS-{element}-{self.days.iso[day][:4]}-{case.id:06d}"
                case.evidence.append(number)
                self.evidence.append(
                    (
                        case.id, EVIDENCE_KINDS[element], element, EVIDENCE_TITLES[element], number,
                        self.firms.name[case.assigned],
                        self.days.iso[max(day - 1 - int(r() * 8), case.taken)],
                        "matched" if "verify" in case.plan.steps else "unverified",
                    )
                )  # fmt: skip
        after = f'{{"metric": "{trouble.metric}", "value": "{case.value_after}"}}'
        numbers = ", ".join(f'"{number}"' for number in case.evidence)
        return f'{{"after": [{after}], "evidence": [{numbers}]}}'

    def _value_after(self, trouble: Trouble, *, met: bool) -> float | int:
        """A value after the solution, better than the target or a little short of it."""
        target, share = trouble.target, self.rnd.random()
        if trouble.comparison == "le":
            value = target * (0.6 + 0.38 * share) if met else target * (1.05 + 0.3 * share)
        elif trouble.unit == "%":
            value = target + (100 - target) * 0.8 * share if met else target - 0.5 - 2 * share
        else:
            value = target * (1.01 + 0.15 * share) if met else target * (0.85 + 0.1 * share)
        return trouble.printed(value)

    # --- The rows -------------------------------------------------------------------------------------------

    def _store(self, case: Case) -> None:
        plan, content, unit, r, iso = case.plan, case.content, case.unit, self.rnd.random, self.days.iso
        trouble = content.trouble
        # Half of the drafts are not filled beyond the first step.
        filled = bool(plan.steps) or r() < 0.5
        project = self._project_of(plan)
        created = case.submitted_at or self.days.moment(plan.begun, 0)
        value_now = trouble.printed(trouble.low + r() * (trouble.high - trouble.low))
        target = trouble.printed(trouble.target)
        words = {
            "product": content.product,
            "trouble": trouble.words,
            "metric": trouble.metric,
            "now": value_now,
            "unit": UNIT_WORDS.get(trouble.unit, trouble.unit),
            "target": target,
        }
        loss = (5 + int(r() * 300)) * 10_000 if filled and r() < 0.4 else None
        voided = case.changed_at if plan.is_void else None
        bits = self.rnd.getrandbits(128)
        public_id = (
            f"{bits >> 80:012x}4{bits >> 68 & 0xFFF:03x}a{bits >> 56 & 0xFFF:03x}{bits & 0xFFFFFFFFFFFF:012x}"
        )
        self.rows.append(
            (
                case.id, public_id, case.code, case.status, plan.organization, case.filer, unit.id,
                case.handler.id, content.chain + 1, self._first_segment[content.chain] + content.segment,
                content.product, f"{content.title}（演示）", self._draw(SYMPTOMS).format_map(words),
                self._draw(CHOKES), project.id if project else None,
                self._draw(EFFECTS).format(days=5 + int(r() * 60)) if filled else "", loss,
                self._draw(LOSS_BASES) if loss else "", self._draw(URGENCIES) if filled else "",
                iso[plan.begun + 90 + int(r() * 120)], trouble.cause if filled else "",
                self._draw(ANALYSES).format(process=trouble.words[:4]), trouble.elements, trouble.gap,
                self._draw(TRIED), self._draw(WANTED) if filled else "",
                self._draw(HELPS) if filled else "", self._draw(VISIBILITIES), int(r() < 0.4), case.grade,
                case.is_common, case.master.id if case.master else None, case.list_owner, case.route,
                case.assigned or None, iso[case.due] if case.due else None, case.solution, case.result,
                case.submitted_at, case.accepted_at, case.listed_at, case.resolved_at, case.changed_at,
                case.clock_started, case.clock_amber, case.clock_due, created, case.filer,
                case.changed_at or created, 1 + len(plan.steps), int(plan.is_test), voided,
                "重复填报" if voided else "",
            )
        )  # fmt: skip
        self.measures.append(
            (
                case.id, trouble.metric, trouble.unit, value_now, trouble.method,
                iso[max(plan.begun - 3 - int(r() * 20), 0)], trouble.comparison, target, case.value_after,
                trouble.method if case.after_on else "", case.after_on,
            )
        )  # fmt: skip
        if filled:
            self.contacts.append((case.id, "演示联系人", f"1380000{plan.organization % 10_000:04d}"))
        self.titles.append(content.title)
        if case.code and not plan.is_test and not plan.is_void:
            self._near[unit.province.code].append(case.id)
            if project:
                project.problems.append(case.id)
            if case.accepted and not case.master:
                ended = self.days.today
                if case.status in ENDED:
                    ended = plan.days[-2 if plan.steps[-1] == "archive" else -1]
                self._masters[unit.city.id].append(Master(case.id, case.code, case.accepted, ended, content))

    def _project_of(self, plan: Plan) -> Project | None:
        """The firm's project of 2024 for most problems filed after it began."""
        project = self._projects.get(self.firms.project[plan.organization])
        return project if project and project.start <= plan.begun and self.rnd.random() < 0.7 else None
