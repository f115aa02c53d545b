"""Bottlenecks and their whole lives: each event as `projects.services.move` would have written it."""

import random
from collections import defaultdict
from dataclasses import dataclass
from datetime import date

from django.conf import settings

from portal.demo.build import Builder, Project, Story
from portal.demo.catalogue import (
    ANALYSES,
    BEGAN_2024,
    EFFECTS,
    GAPS_TO_FILL,
    HELPS,
    LOSS_BASES,
    REASONS,
    SOLUTIONS,
    SYMPTOMS,
    TRIED,
    Trouble,
    troubles,
)
from portal.demo.people import COUNTY, People
from portal.demo.places import Unit
from projects.workflow import MOVES, STATES, Party, RejectReason

FIELDS = (
    "id", "public_id", "code", "status", "organization", "filer", "bureau", "handler", "chain", "segment", "product",
    "title", "symptom", "choke", "project", "effect", "loss_estimate", "loss_basis", "urgency", "expected_by", "cause",
    "cause_analysis", "nqi_elements", "nqi_gap", "tried_already", "help_wanted", "help_text", "visibility",
    "consent_publish", "grade", "is_common", "merged_into", "list_owner", "route", "assigned_to", "due_on", "solution",
    "result", "submitted_at", "accepted_at", "listed_at", "resolved_at", "status_changed_at", "clock_started_on",
    "clock_due_on", "created_at", "created_by", "updated_at", "version", "is_test", "voided_at", "void_reason",
)  # fmt: skip
TRANSITION_FIELDS = (
    "bottleneck", "sequence", "at", "move", "source", "target", "actor", "bureau", "organization", "handler",
    "clock_due_on", "reason", "details",
)  # fmt: skip
MEASURE_FIELDS = (
    "bottleneck", "metric", "unit", "value_now", "method", "measured_on", "comparison", "target", "value_after",
    "method_after", "measured_after_on",
)  # fmt: skip
EVIDENCE_FIELDS = ("bottleneck", "element", "title", "number", "issuer", "issued_on", "verify_state")
CONTACT_FIELDS = ("bottleneck", "name", "phone")

EVIDENCE_TITLES = {
    "MET": "校准证书（演示）",
    "STD": "标准文本（演示）",
    "TST": "检验报告（演示）",
    "CER": "认证证书（演示）",
    "ACC": "认可能力附表（演示）",
}

# The ways through the table; what stands in brackets happens in some lives only (chance in per cent).
FILE = ("submit", (9, "return", "resubmit"))
LIST = (*FILE, "accept", (2, "return", "resubmit", "accept"), "list")
WORK = (*LIST, "dispatch", (6, "decline", "dispatch"), "take", (4, "suspend", "resume"))
SOLVE = (*WORK, "file_solution", (5, "dispute", "file_solution"))
CHECK = (
    *SOLVE, "confirm", (4, "rework", "file_solution", "confirm"),
    (5, "verify_partly", "continue", "file_solution", "confirm"),
)  # fmt: skip
RESOLVE = (*CHECK, "verify")
LIVES: dict[str, tuple] = {
    "draft": (),
    "submitted": FILE,
    "returned": (*FILE[:1], "return"),
    "rejected": (*FILE, "reject"),
    "withdrawn": (*FILE, "withdraw"),
    "accepted": (*FILE, "accept"),
    "merged": (*FILE, "accept", "merge"),
    "listed": LIST,
    "declined": (*LIST, "dispatch", "decline"),
    "dispatched": (*LIST, "dispatch"),
    "in_progress": WORK,
    "suspended": (*WORK, "suspend"),
    "solution_filed": SOLVE,
    "verification": (*SOLVE, "confirm"),
    "partly": (*SOLVE, "confirm", "verify_partly"),
    "resolved": RESOLVE,
    "reopened": (*RESOLVE, "reopen"),
    "restarted": (*RESOLVE, "reopen", "restart"),
    "resolved again": (*RESOLVE, "reopen", "restart", "file_solution", "confirm", "verify"),
    "terminated": (*WORK, "terminate"),
}
# Days since the event before, from and to.
PAUSES = {
    "submit": (0, 0), "resubmit": (2, 12), "return": (1, 4), "accept": (1, 5), "reject": (1, 5), "withdraw": (1, 4),
    "merge": (1, 6), "list": (2, 8), "dispatch": (1, 7), "take": (1, 3), "decline": (1, 3), "suspend": (10, 30),
    "resume": (20, 60), "file_solution": (22, 95), "dispute": (2, 9), "confirm": (1, 9), "rework": (3, 12),
    "verify_partly": (3, 12), "continue": (1, 5), "verify": (2, 14), "reopen": (12, 60), "restart": (1, 5),
    "terminate": (15, 60),
}  # fmt: skip
# Working-day clocks of the states; the last event of an open problem lies so many of them back.
LIMITS = {status: settings.WORKING_DAY_LIMITS[state.limit] for status, state in STATES.items() if state.limit}
OPEN_SHARES = {
    "submitted": 16, "returned": 6, "accepted": 12, "listed": 10, "declined": 1, "dispatched": 8, "in_progress": 30,
    "suspended": 3, "solution_filed": 6, "verification": 5, "partly": 2, "reopened": 1, "restarted": 1,
}  # fmt: skip
# The demo county's desk: what waits for the county itself comes first.
COUNTY_SHARES = OPEN_SHARES | {"submitted": 40, "returned": 10, "verification": 14}
# Ended in other ways, per problem solved.
ENDED_SHARES = {"rejected": 0.035, "withdrawn": 0.025, "merged": 0.05, "terminated": 0.02}
WEAK_RESULTS = {"service_done": 0.07, "consultation_only": 0.04}
GRADES = ("ENT",) * 30 + ("COUNTY",) * 34 + ("CITY",) * 26 + ("PROV",) * 8 + ("NATION",) * 2


@dataclass(slots=True)
class Plan:
    """One life to be written: who, which way, and the day of each event."""

    life: str
    organization: int
    moves: list[str]
    days: list[int]
    result: str = "bottleneck_solved"
    mark: str = ""
    # Day on which the last plan date runs out; None draws one.
    due: int | None = None
    # A trouble of its own, by position among those of the trade.
    trouble: int | None = None
    institution: int = 0


@dataclass(slots=True)
class Master:
    """A problem into which others of the same city may be merged."""

    id: int
    code: str
    accepted: int
    ended: int
    content: tuple


class Lives:
    def __init__(self, rnd: random.Random, builder: Builder, people: People, story: Story) -> None:
        self.rnd, self.builder, self.people, self.story = rnd, builder, people, story
        self.days, self.firms, self.chains = builder.days, builder.firms, builder.chains
        self.troubles = troubles()
        self.segment_ids: list[list[int]] = []
        count = 0
        for chain in self.chains:
            self.segment_ids.append(list(range(count + 1, count + 1 + len(chain.segments))))
            count += len(chain.segments)
        self.projects = {project.id: project for project in builder.projects}
        self.plans: list[Plan] = []
        self.rows: list[tuple] = []
        self.transitions: list[tuple] = []
        self.measures: list[tuple] = []
        self.evidence: list[tuple] = []
        self.contacts: list[tuple] = []
        self.titles: list[str] = [""]
        self.masters: dict[int, list[Master]] = defaultdict(list)
        self.near: dict[str, list[int]] = defaultdict(list)
        self._filing = self._firms_that_file()
        self._filing_since_2023 = [
            firm for firm in self._filing if self._unit_of(firm).province.code not in BEGAN_2024
        ]
        self._pauses = {name: (low, high - low + 1) for name, (low, high) in PAUSES.items()}

    def _unit_of(self, firm: int) -> Unit:
        unit = self.firms.leaf[firm]
        assert unit is not None  # only key 0 has none
        return unit

    def _firms_that_file(self) -> list[int]:
        """The leaders and one member in eight; most of them file more than once."""
        projects = self.builder.by_year[2024]
        leaders = [leader for project in projects for leader in project.leaders]
        members = [firm for firm in range(1, len(self.firms.name)) if self.firms.project[firm]]
        return list(dict.fromkeys(leaders + members[:: 8 if len(members) > 20_000 else 2]))

    # --- Which lives -----------------------------------------------------------------------------------------------

    def plan(self) -> None:
        self._plan_story()
        for year, counts in self.builder.years.items():
            self._plan_year(year, counts.solved)
        self._plan_open()
        self.plans.sort(key=lambda plan: plan.days[0])

    def _moves(self, life: str) -> list[str]:
        moves: list[str] = []
        r = self.rnd.random
        for step in LIVES[life]:
            if isinstance(step, str):
                moves.append(step)
            elif r() * 100 < step[0]:
                moves.extend(step[1:])
        return moves

    def _days_until(self, moves: list[str], last: int) -> list[int]:
        """Working days for the moves, the last of them on a given one."""
        days, day, r = [last], last, self.rnd.random
        for move in reversed(moves[1:]):
            low, width = self._pauses[move]
            day = self.days.workday_at_or_before(day - low - int(r() * width))
            days.append(day)
        days.reverse()
        return days

    def _add(self, life: str, firm: int, last: int, **more) -> Plan:
        moves = self._moves(life)
        plan = Plan(life, firm, moves, self._days_until(moves, last), **more)
        self.plans.append(plan)
        return plan

    def _plan_year(self, year: int, solved: int) -> None:
        """Everything that came to an end in a year."""
        r, day_of = self.rnd.random, self.days.of
        first, last = day_of(date(year, 1, 4)), min(day_of(date(year, 12, 31)), self.days.today - 1)
        firms = self._filing_since_2023 if year == 2023 else self._filing
        year_2024 = day_of(date(2024, 1, 1))

        def add(life: str, **more) -> Plan:
            # More is solved towards the end of the year; the year's first days belong to it too.
            end = self.days.workday_at_or_before(first + int(r() ** 0.7 * (last - first + 1)))
            end = max(end, first + 2)
            while True:
                firm = firms[int(r() * len(firms))]
                plan = self._add(life, firm, end, **more)
                if plan.days[0] >= year_2024 or self._unit_of(firm).province.code not in BEGAN_2024:
                    return plan
                self.plans.pop()

        again = max(solved // 150, 1)
        for _n in range(solved - again):
            add("resolved")
        for _n in range(again):
            add("resolved again")
        for result, share in WEAK_RESULTS.items():
            for _n in range(max(int(solved * share), 1)):
                add("resolved", result=result)
        for life, share in ENDED_SHARES.items():
            for _n in range(max(int(solved * share), 1)):
                add(life)
        for mark in ("test", "void"):
            for _n in range(max(solved // 400, 1)):
                add("resolved", mark=mark)

    def _plan_open(self) -> None:
        """Open problems filed since 2024, most of them lately."""
        r, today = self.rnd.random, self.days.today
        county = [
            firm
            for firm in range(1, len(self.firms.name))
            if self._unit_of(firm).code == COUNTY and self.firms.project[firm]
        ]
        for shares, count, firms in (
            (OPEN_SHARES, self.builder.scale.open, self._filing),
            (COUNTY_SHARES, self.builder.scale.county_open, county),
        ):
            lives = self.rnd.choices(list(shares), weights=list(shares.values()), k=count)
            for life in lives:
                self._add_open(life, firms[int(r() * len(firms))])
        for _n in range(max(self.builder.scale.open // 100, 3)):
            firm = self._filing[int(r() * len(self._filing))]
            self.plans.append(Plan("draft", firm, [], [today - int(r() * 20)]))

    def _add_open(self, life: str, firm: int, elapsed: float | None = None, **more) -> Plan:
        """An open problem; ``elapsed`` is the share of the running clock that is gone, above 1 when it is red."""
        r, today = self.rnd.random, self.days.today
        status = self._status_after(self._ends_with(life))
        if elapsed is None:
            elapsed = r() * 0.68 if r() < 0.6 else 0.7 + r() * 0.29 if r() < 0.6 else 1.05 + r() * 0.9
        if status in LIMITS:
            back = int(LIMITS[status] * elapsed)
            last = today
            while back > 0:
                last = self.days.workday_at_or_before(last - 1)
                back -= 1
            return self._add(
                life, firm, self.days.workday_at_or_before(last - (1 if life == "submitted" else 0)), **more
            )
        # No limit of days: under way for some weeks, or left lying since 2024.
        old = r()
        back = (
            int(2 + r() * 70) if old < 0.72 else int(60 + r() * 330) if old < 0.92 else int(330 + r() * 340)
        )
        floor = self.days.of(date(2024, 6, 1))
        last = self.days.workday_at_or_before(max(today - back, floor))
        due = None
        if status == "in_progress":
            # The plan date lies so that the wanted share of the time is gone.
            due = max(last + int((today - last + 1) / max(elapsed, 0.05)), last + 1)
            due = min(due, today + 200)
        return self._add(life, firm, last, due=due, **more)

    @staticmethod
    def _ends_with(life: str) -> str:
        return next((step for step in reversed(LIVES[life]) if isinstance(step, str)), "")

    @staticmethod
    def _status_after(move: str) -> str:
        return MOVES["submit" if move == "resubmit" else move].target if move else "draft"

    def _plan_story(self) -> None:
        """What the demo accounts find: the firm's problems in telling states, work for the institution."""
        firm, today = self.story.firm, self.days.today
        institution = self.story.institution
        self.plans.append(Plan("draft", firm, [], [today - 2], mark="story", trouble=0))
        for life, elapsed, trouble in (
            ("returned", 0.4, 1),
            ("submitted", 0.5, 2),
            ("accepted", 0.75, 3),
            ("solution_filed", 0.3, 4),
            ("verification", 0.5, 5),
            ("in_progress", 0.8, 6),
            ("dispatched", 0.6, 7),
            ("listed", None, 0),
        ):
            self._add_open(life, firm, elapsed, trouble=trouble, institution=institution, mark="story")
        for back, trouble in ((45, 3), (200, 5)):
            self._add(
                "resolved",
                firm,
                self.days.workday_at_or_before(today - back),
                trouble=trouble,
                institution=institution,
                mark="story",
            )
        leader = self.story.leader
        self._add(
            "resolved",
            leader,
            self.days.workday_at_or_before(today - 90),
            trouble=2,
            institution=institution,
            mark="story",
        )
        for organization, life, elapsed in (
            (leader, "in_progress", 0.5),
            (leader, "dispatched", 1.4),
            (leader, "solution_filed", 0.8),
            (leader, "in_progress", 1.2),
        ):
            self._add_open(life, organization, elapsed, institution=institution, mark="story")

    # --- Writing them ----------------------------------------------------------------------------------------------

    def write(self) -> None:
        for plan in self.plans:
            self._write(plan)

    def _write(self, plan: Plan) -> None:
        r, days, iso, firms = self.rnd.random, self.days, self.days.iso, self.firms
        pk = len(self.rows) + 1
        firm = plan.organization
        unit = self._unit_of(firm)
        chain = firms.chain[firm]
        filer = self.people.filer(firm)
        master = self._master_for(plan, unit) if plan.life == "merged" else None
        if plan.life == "merged" and master is None:
            plan.moves[-1:], plan.days[-1:] = [], []
            plan.moves[-1] = "reject"
        if master:
            chain, segment_no, product, trouble = master.content
        else:
            segments = self.chains[chain].segments
            segment_no = int(r() * len(segments))
            products = segments[segment_no].products
            product = products[int(r() * len(products))]
            options = self.troubles[self.chains[chain].trade]
            trouble = options[
                int(r() * len(options)) if plan.trouble is None else plan.trouble % len(options)
            ]
        content = (chain, segment_no, product, trouble)
        project = self._project_of(firm, plan.days[0])
        title = f"{product}{trouble.words}（演示）"
        self.titles.append(f"{product}{trouble.words}")
        public_id = f"{self.rnd.getrandbits(128):032x}"
        public_id = f"{public_id[:12]}4{public_id[13:16]}a{public_id[17:]}"

        # The events, one after the other, with what each leaves on the row.
        code = None
        status, handler, grade, list_owner, route, assigned, due = "draft", unit, "", None, "", 0, None
        solution, result, is_common = "", "", 0
        submitted = accepted = listed = resolved = at = None
        accepted_day = 0
        clock_started = clock_due = None
        value_after = after_on = None
        # Of the two officers of each bureau one handles and the other verifies; they change places.
        first = int(r() * 2)
        numbers: list[str] = []
        sequence = 0
        second = -1
        previous = -1
        taken = plan.days[0] if plan.days else 0
        last_due_move = max((n for n, move in enumerate(plan.moves) if move in SETS_DUE), default=-1)
        for n, (name, day) in enumerate(zip(plan.moves, plan.days, strict=False)):
            second = int(r() * 30000) if day != previous else min(second + 900 + int(r() * 1800), 39000)
            previous = day
            at = days.moment(day, second)
            move = MOVES["submit" if name == "resubmit" else name]
            source, status = status, move.target.value
            party = move.party
            reasons = REASONS[name]
            reason = reasons[int(r() * 2)] if len(reasons) == 2 else reasons[int(r() * len(reasons))]
            details = "{}"
            actor, bureau, organization = filer, None, firm
            if party is Party.OFFICER:
                acting = handler
                if name == "list":
                    grade = GRADES[int(r() * 100)]
                    if grade in ("PROV", "NATION") and r() < 0.5:
                        acting = unit.province
                elif name == "merge" and handler.level > 2:
                    acting = unit.city
                actor = self.people.officers(acting)[first]
                bureau, organization = acting.id, None
            elif party is Party.VERIFIER:
                acting = unit.city if grade in ("PROV", "NATION") else unit
                actor = self.people.officers(acting)[1 - first]
                bureau, organization = acting.id, None
            elif party is Party.INSTITUTION:
                actor, organization = self.people.handler(assigned), assigned
            if name in SETS_DUE:
                due = self._due(plan, day, n == last_due_move)
            if name == "submit":
                code = self.builder.numbers.next(f"DK-{iso[day][:4]}-{unit.code}", 5)
                submitted, handler = at, unit
            elif name == "resubmit":
                handler = unit
            elif name == "accept":
                accepted, accepted_day = accepted or at, accepted_day or day
                if handler.level >= 3 and handler.parent:
                    handler = handler.parent
            elif name == "return":
                gap = GAPS_TO_FILL[int(r() * len(GAPS_TO_FILL))]
                other = GAPS_TO_FILL[int(r() * len(GAPS_TO_FILL))]
                gaps = f'{{"field": "symptom", "text": "{gap}。"}}'
                if other != gap:
                    gaps += f', {{"field": "", "text": "{other}。"}}'
                details = f'{{"gaps": [{gaps}]}}'
            elif name == "reject":
                code_of_reason = RejectReason.DISPUTE if reason == reasons[0] else RejectReason.NOT_QUALITY
                details = f'{{"reason_code": "{code_of_reason.value}"}}'
            elif name == "merge" and master:
                details = f'{{"master": "{master.code}"}}'
            elif name == "list":
                route = ("DISP", "DISP", "DISP", "CONS", "CONS", "STOP", "OWN")[int(r() * 7)]
                listed = listed or at
                list_owner = bureau
                is_common = int(r() < 0.15)
                details = f'{{"grade": "{grade}", "route": "{route}", "due_on": "{iso[due]}"}}'
            elif name == "dispatch":
                assigned = plan.institution or self._institution_for(unit, trouble)
                details = f'{{"assigned_to": "{firms.uscc[assigned]}"}}'
            elif name == "take":
                taken = day
            elif name == "decline":
                details = f'{{"declined_by": "{firms.uscc[assigned]}"}}'
                assigned = 0
            elif name == "file_solution":
                solution = SOLUTIONS.get(trouble.gap, SOLUTIONS["capacity"]).format(metric=trouble.metric)
                ahead = plan.moves[n + 1 : n + 3]
                value_after = self._after(trouble, met=not SHORT.intersection(ahead))
                after_on = max(day - 2 - int(r() * 6), taken)
                if not numbers:
                    numbers = self._prove(pk, trouble, assigned, taken, day, sure=n < len(plan.moves) - 2)
                after = f'{{"metric": "{trouble.metric}", "value": "{value_after}"}}'
                listed_numbers = ", ".join(f'"{number}"' for number in numbers)
                details = f'{{"after": [{after}], "evidence": [{listed_numbers}]}}'
            elif name == "verify":
                result, resolved = plan.result, at
                details = f'{{"result": "{result}"}}'
            elif name in SETS_DUE:
                details = f'{{"due_on": "{iso[due]}"}}'
            if status == "in_progress":
                clock_due = due
            elif status in LIMITS:
                clock_due = days.add_workdays(day, LIMITS[status])
            else:
                clock_due = None
            clock_started = day if clock_due is not None else None
            sequence += 1
            self.transitions.append(
                (
                    pk, sequence, at, move.name, source, status, actor, bureau, organization, handler.id,
                    iso[clock_due] if clock_due is not None else None, reason, details,
                )
            )  # fmt: skip

        created_day = plan.days[0] if plan.days else days.today
        created = days.moment(created_day, 0) if not plan.moves else submitted
        value_now = round(trouble.low + r() * (trouble.high - trouble.low), trouble.decimals)
        if trouble.decimals == 0:
            value_now = int(value_now)
        filled = plan.life != "draft" or r() < 0.5
        loss = (5 + int(r() * 300)) * 10_000 if filled and r() < 0.4 else None
        lag = 5 + int(r() * 60)
        target = _number(trouble.target, trouble.decimals)
        phase = r()
        symptom = SYMPTOMS[int(phase * len(SYMPTOMS))].format(
            product=product,
            trouble=trouble.words,
            metric=trouble.metric,
            now=value_now,
            unit=UNIT_WORDS.get(trouble.unit, trouble.unit),
            target=target,
        )
        effect = EFFECTS[int(r() * len(EFFECTS))].format(days=lag) if filled else ""
        wanted = ("CONS,DISP", "DISP", "DISP,STOP", "CONS", "CHAL,DISP")[int(r() * 5)]
        void = plan.mark == "void"
        self.rows.append(
            (
                pk, public_id, code, status, firm, filer, unit.id, handler.id, chain + 1,
                self.segment_ids[chain][segment_no], product, title, symptom,
                ("BLOCK", "STUCK", "STUCK", "PAIN", "HARD")[int(r() * 5)],
                project.id if project else None, effect, loss,
                LOSS_BASES[int(r() * 3)] if loss else "",
                ("normal", "normal", "normal", "urgent", "urgent", "critical")[int(r() * 6)] if filled else "",
                iso[created_day + 90 + int(r() * 120)], trouble.cause if filled else "",
                ANALYSES[int(r() * 5)].format(process=trouble.words[:4]), trouble.elements, trouble.gap,
                TRIED[int(r() * 4)], wanted if filled else "", HELPS[int(r() * 4)] if filled else "",
                ("parties", "parties", "government", "public")[int(r() * 4)], int(r() < 0.4), grade, is_common,
                master.id if master and status == "merged" else None, list_owner, route, assigned or None,
                iso[due] if due is not None else None, solution, result, submitted, accepted, listed, resolved, at,
                iso[clock_started] if clock_started is not None else None,
                iso[clock_due] if clock_due is not None else None, created, filer, at or created,
                1 + len(plan.moves), int(plan.mark == "test"), at if void else None, "重复填报" if void else "",
            )
        )  # fmt: skip
        self.measures.append(
            (
                pk, trouble.metric, trouble.unit, value_now, trouble.method,
                iso[max(created_day - 3 - int(r() * 20), 0)], trouble.comparison, target, value_after,
                trouble.method if value_after is not None else "", iso[after_on] if after_on is not None else None,
            )
        )  # fmt: skip
        if filled:
            self.contacts.append((pk, "演示联系人", f"1380000{firm % 10_000:04d}"))
        if not plan.mark or plan.mark == "story":
            self.near[unit.province.code].append(pk)
            if project:
                project.problems.append(pk)
            if accepted_day and not master and code:
                ended = plan.days[-1] if status in ENDED else days.today
                self.masters[unit.city.id].append(Master(pk, code, accepted_day, ended, content))

    def _due(self, plan: Plan, day: int, is_last: bool) -> int:
        if is_last and plan.due is not None and plan.due >= day:
            return plan.due
        return day + 60 + int(self.rnd.random() * 120)

    def _master_for(self, plan: Plan, unit: Unit) -> Master | None:
        """A problem of the same city that was accepted and still open on the day of merging."""
        day = plan.days[-1]
        for master in reversed(self.masters[unit.city.id][-40:]):
            if master.accepted < day < master.ended:
                return master
        return None

    def _project_of(self, firm: int, day: int) -> Project | None:
        project = self.projects.get(self.firms.project[firm])
        return project if project and project.start <= day and self.rnd.random() < 0.7 else None

    def _institution_for(self, unit: Unit, trouble: Trouble) -> int:
        """One of the province that offers the first missing element; any other when there is none."""
        near = self.builder.institutions_of[unit.province.code] or self.builder.institutions
        element = trouble.elements[:3]
        for _n in range(4):
            institution = near[int(self.rnd.random() * len(near))]
            if element in self.builder.elements[institution]:
                break
        return institution

    def _after(self, trouble: Trouble, *, met: bool) -> float | int:
        """A value after the solution, better than the target or a little short of it."""
        target, share = trouble.target, self.rnd.random()
        if trouble.comparison == "le":
            value = target * (0.6 + 0.38 * share) if met else target * (1.05 + 0.3 * share)
        elif trouble.unit == "%":
            value = target + (100 - target) * 0.8 * share if met else target - 0.1 * (100 - target) - share
        else:
            value = target * (1.01 + 0.15 * share) if met else target * (0.85 + 0.1 * share)
        return _number(round(value, trouble.decimals), trouble.decimals)

    def _prove(
        self, pk: int, trouble: Trouble, institution: int, taken: int, day: int, *, sure: bool
    ) -> list[str]:
        r = self.rnd.random
        numbers = []
        elements = trouble.elements.split(",")
        for element in elements[: 1 + (r() < 0.3)]:
            number = f"YS-{element}-{self.days.iso[day][:4]}-{pk:06d}"
            issued = max(day - 1 - int(r() * 8), taken)
            state = "matched" if sure and r() < 0.7 else "unverified"
            self.evidence.append(
                (
                    pk,
                    element,
                    EVIDENCE_TITLES[element],
                    number,
                    self.firms.name[institution],
                    self.days.iso[issued],
                    state,
                )
            )
            numbers.append(number)
        return numbers

    def problem_near(self, project: Project) -> int:
        """A problem that a key project may work on: of the project, or else of its province."""
        pool = project.problems or self.near[project.unit.province.code] or self.near["320000"]
        return pool[int(self.rnd.random() * len(pool))]


SETS_DUE = frozenset({"list", "continue", "resume", "restart"})
# What follows when the target was missed.
SHORT = frozenset({"dispute", "rework", "verify_partly"})
ENDED = frozenset({"rejected", "withdrawn", "merged", "resolved", "terminated"})
UNIT_WORDS = {"pcs": "件", "times": "次", "h": "小时", "d": "天", "um": "微米", "nm": "纳米", "grade": "级"}


def _number(value: float, decimals: int) -> float | int:
    return int(value) if decimals == 0 else value
