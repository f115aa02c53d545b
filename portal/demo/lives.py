"""Which lives the bottlenecks lead: the ways through the transition table, and when each step falls."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

from django.conf import settings

from portal.demo.build import Builder
from portal.demo.catalogue import BEGAN_2024
from portal.demo.people import COUNTY, Story
from projects.models import Bottleneck
from projects.workflow import MOVES, STATES

# What stands in brackets happens in some lives only (chance in per cent, then the steps).
Step = str | tuple[int | str, ...]
FILE: tuple[Step, ...] = ("submit", (9, "return", "resubmit"))
LIST: tuple[Step, ...] = (*FILE, "accept", (2, "return", "resubmit", "accept"), "list")
WORK: tuple[Step, ...] = (
    *LIST,
    "dispatch",
    (6, "decline", "dispatch"),
    "take",
    (30, "report"),
    (4, "suspend", "resume"),
)
SOLVE: tuple[Step, ...] = (*WORK, "file_solution", (5, "dispute", "file_solution"))
CHECK: tuple[Step, ...] = (
    *SOLVE,
    "confirm",
    (4, "rework", "file_solution", "confirm"),
    (5, "verify_partly", "continue", "file_solution", "confirm"),
    (2, "rework", "file_solution", "confirm_partly", "verify_partly", "continue", "file_solution", "confirm"),
)
RESOLVE: tuple[Step, ...] = (*CHECK, "verify")
POST: tuple[Step, ...] = (*LIST, "post", (20, "no_taker", "post"))
LIVES: dict[str, tuple[Step, ...]] = {
    "submitted": FILE,
    "returned": ("submit", "return"),
    "rejected": (*FILE, "reject"),
    "appealed": (*FILE, "reject", "appeal"),
    "withdrawn": (*FILE, "withdraw"),
    "lapsed": ("submit", "return", "lapse"),
    "accepted": (*FILE, "accept"),
    "escalated": (*FILE, "accept", "escalate"),
    "handed down": (*FILE, "accept", "escalate", "hand_down"),
    "merged": (*FILE, "accept", "merge"),
    "listed": LIST,
    "declined": (*LIST, "dispatch", "decline"),
    "dispatched": (*LIST, "dispatch"),
    "posted": POST,
    "awarded": (*POST, "award"),
    "begun": (*POST, "award", "begin"),
    "in_progress": WORK,
    "won": (*POST, "award", "begin", "file_solution", "confirm", "verify"),
    "unsolvable": (*WORK, "give_up"),
    "rechecked": (*WORK, "give_up", "recheck"),
    "relisted": (*WORK, "give_up", "relist"),
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
# Days since the step before, from and to.
PAUSES = {
    "submit": (0, 0),
    "resubmit": (2, 12),
    "return": (1, 4),
    "accept": (1, 5),
    "reject": (1, 5),
    "withdraw": (1, 4),
    "merge": (1, 6),
    "list": (2, 8),
    "appeal": (2, 9),
    # Ten working days, with the holidays of spring or October among them.
    "lapse": (27, 32),
    "escalate": (1, 4),
    "hand_down": (2, 8),
    "dispatch": (1, 7),
    "post": (2, 10),
    "no_taker": (31, 40),
    "award": (31, 45),
    "begin": (5, 20),
    "report": (8, 20),
    "confirm_partly": (1, 9),
    "give_up": (30, 90),
    "recheck": (120, 180),
    "relist": (30, 150),
    "take": (1, 3),
    "decline": (1, 3),
    "suspend": (10, 30),
    "resume": (20, 60),
    "file_solution": (22, 95),
    "dispute": (2, 9),
    "confirm": (1, 9),
    "rework": (3, 12),
    "verify_partly": (3, 12),
    "continue": (1, 5),
    "verify": (2, 14),
    "reopen": (12, 60),
    "restart": (1, 5),
    "terminate": (15, 60),
    "archive": (367, 367),
}
# Steps that write the same move of the table a second time.
MOVE_OF = {step: MOVES["submit" if step == "resubmit" else step] for step in PAUSES}
# Clocks of the states in working days.
LIMITS = {
    str(status): settings.WORKING_DAY_LIMITS[state.limit] for status, state in STATES.items() if state.limit
}
# States whose clock runs in days of the calendar, with how many of them about.
CALENDAR = {Bottleneck.Status.POSTED: 30, Bottleneck.Status.UNSOLVABLE: 181}
OPEN_SHARES = {
    "submitted": 16,
    "appealed": 1,
    "returned": 6,
    "accepted": 12,
    "escalated": 2,
    "handed down": 1,
    "listed": 10,
    "posted": 3,
    "awarded": 2,
    "begun": 3,
    "unsolvable": 2,
    "rechecked": 1,
    "relisted": 1,
    "declined": 1,
    "dispatched": 8,
    "in_progress": 30,
    "suspended": 3,
    "solution_filed": 6,
    "verification": 5,
    "partly": 2,
    "reopened": 1,
    "restarted": 1,
}
# The demo county's desk: what waits for the county itself comes first.
COUNTY_SHARES = OPEN_SHARES | {"submitted": 40, "returned": 10, "verification": 14}
# Ended in other ways, per problem solved.
ENDED_SHARES = {"rejected": 0.035, "withdrawn": 0.025, "lapsed": 0.01, "merged": 0.05, "terminated": 0.02}
# The firm of the story makes bearings: third segment of its chain.
BEARINGS = 2
WEAK_RESULTS = {Bottleneck.Result.SERVICE: 0.07, Bottleneck.Result.CONSULTATION: 0.04}


def _ends_in(life: str) -> str:
    """The status in which a life stands at its end."""
    status = str(Bottleneck.Status.DRAFT)
    for step in LIVES[life]:
        if isinstance(step, str):
            status = str(MOVE_OF[step].leads_to(status))
    return status


@dataclass(slots=True)
class Plan:
    """One life to be written: who, which way, and the day of each step; a draft has no steps."""

    organization: int
    begun: int
    steps: list[str] = field(default_factory=list)
    days: list[int] = field(default_factory=list)
    result: str = Bottleneck.Result.SOLVED.value
    is_test: bool = False
    is_void: bool = False
    is_story: bool = False
    # Day on which the last plan date runs out; None draws one.
    due: int | None = None
    # Segment of the chain and trouble of the trade, by position; None draws one.
    segment: int | None = None
    trouble: int | None = None
    institution: int = 0


class Lives:
    """The plans of all bottlenecks, in the order of their filing."""

    def __init__(self, rnd: random.Random, builder: Builder, story: Story) -> None:
        self.rnd, self.builder, self.days = rnd, builder, builder.days
        self.plans: list[Plan] = []
        self._pauses = {step: (low, high - low + 1) for step, (low, high) in PAUSES.items()}
        firms = builder.firms
        leaders = [leader for project in builder.by_year[2024] for leader in project.leaders]
        members = [firm for firm in range(1, len(firms.name)) if firms.project[firm]]
        # The leaders and one member in eight file, most of them more than once.
        self._filing = list(dict.fromkeys(leaders + members[:: 8 if len(members) > 20_000 else 2]))
        self._late = {firm for firm in self._filing if firms.leaf[firm].province.code in BEGAN_2024}
        county = [firm for firm in members if firms.leaf[firm].code == COUNTY]

        self._plan_story(story)
        for year, counts in builder.years.items():
            self._plan_ended(year, counts.solved)
        self._plan_open(OPEN_SHARES, builder.scale.open, self._filing)
        self._plan_open(COUNTY_SHARES, builder.scale.county_open, county)
        for _n in range(max(builder.scale.open // 100, 3)):
            day = self.days.today - int(rnd.random() * 20)
            self.plans.append(Plan(self._one_of(self._filing), day))
        self.plans.sort(key=lambda plan: plan.begun)

    def _one_of(self, firms: Sequence[int]) -> int:
        return firms[int(self.rnd.random() * len(firms))]

    def _plan(self, life: str, firm: int, last: int) -> Plan:
        """A life whose last step falls on a given working day."""
        r = self.rnd.random
        steps: list[str] = []
        for step in LIVES[life]:
            if isinstance(step, str):
                steps.append(step)
            elif r() * 100 < int(step[0]):
                steps.extend(map(str, step[1:]))
        days, day = [last], last
        for name in reversed(steps[1:]):
            low, width = self._pauses[name]
            day = self.days.workday_at_or_before(day - low - int(r() * width))
            days.append(day)
        days.reverse()
        return Plan(firm, days[0], steps, days)

    def _plan_ended(self, year: int, solved: int) -> None:
        """Everything that came to an end in a year; more is solved towards its end."""
        r = self.rnd.random
        first = self.days.of(date(year, 1, 6))
        last = min(self.days.of(date(year, 12, 31)), self.days.today - 1)
        year_2024 = self.days.of(date(2024, 1, 1))

        def add(life: str) -> Plan:
            while True:
                end = self.days.workday_at_or_before(first + int(r() ** 0.7 * (last - first + 1)))
                plan = self._plan(life, self._one_of(self._filing), end)
                if plan.begun < year_2024 and plan.organization in self._late:
                    continue
                if "reopen" in plan.steps and plan.days[plan.steps.index("verify")] < first:
                    continue  # solved in two years, it would count in both
                self.plans.append(plan)
                return plan

        # Solving twice takes half a year.
        again = max(solved // 150, 1) if last - first > 200 else 0
        posted = max(solved // 40, 2)
        for n in range(solved):
            add("resolved again" if n < again else "won" if n < again + posted else "resolved")
        for result, share in WEAK_RESULTS.items():
            for _n in range(max(int(solved * share), 1)):
                add("resolved").result = result.value
        for life, share in ENDED_SHARES.items():
            for _n in range(max(int(solved * share), 1)):
                add(life)
        for _n in range(max(solved // 400, 1)):
            add("resolved").is_test = True
            add("resolved").is_void = True

    def _plan_open(self, shares: dict[str, int], count: int, firms: Sequence[int]) -> None:
        """Open problems filed since 2024, most of them lately; each state at least once."""
        others = self.rnd.choices(list(shares), weights=list(shares.values()), k=count - len(shares))
        for life in (*shares, *others):
            plan = self._open(life, self._one_of(firms))
            if "verify" in plan.steps and plan.days[plan.steps.index("verify")] < self.days.of(
                date(2025, 1, 1)
            ):
                # What was solved in 2024 is counted already.
                plan = self._open("in_progress", plan.organization)
            self.plans.append(plan)

    def _open(self, life: str, firm: int, elapsed: float | None = None) -> Plan:
        """An open problem; ``elapsed`` is the share of its clock that is gone, above 1 when it is red."""
        r, today = self.rnd.random, self.days.today
        if elapsed is None:
            kind = r()
            elapsed = r() * 0.68 if kind < 0.6 else 0.7 + r() * 0.29 if kind < 0.84 else 1.05 + r() * 0.9
        status = _ends_in(life)
        last = self.days.workday_at_or_before(today)
        if status in LIMITS:
            for _n in range(int(LIMITS[status] * elapsed)):
                last = self.days.workday_at_or_before(last - 1)
            return self._plan(life, firm, last)
        if status in CALENDAR:
            last = self.days.workday_at_or_before(today - int(CALENDAR[status] * min(elapsed, 1.1)))
            return self._plan(life, firm, last)
        # No limit of days: under way for some weeks, or left lying since 2024.
        age = r()
        back = 2 + r() * 70 if age < 0.68 else 60 + r() * 330 if age < 0.88 else 330 + r() * 660
        last = self.days.workday_at_or_before(max(today - int(back), self.days.of(date(2024, 6, 3))))
        plan = self._plan(life, firm, last)
        if status == Bottleneck.Status.IN_PROGRESS:
            # The plan date lies so that the wanted share of the time is gone.
            plan.due = min(max(last + int((today - last + 1) / max(elapsed, 0.05)), last + 1), today + 200)
        return plan

    def _plan_story(self, story: Story) -> None:
        """What the demo accounts find: the firm's problems in telling states, work for the institution."""
        today = self.days.today
        plans = [Plan(story.firm, today - 2, trouble=0)]
        for life, elapsed, trouble in (
            ("returned", 0.4, 1),
            ("submitted", 0.5, 2),
            ("accepted", 0.75, 3),
            ("solution_filed", 0.3, 4),
            ("verification", 0.5, 6),
            ("in_progress", 0.8, 7),
            ("dispatched", 0.6, 0),
            ("listed", 0.5, 1),
        ):
            plans.append(self._open(life, story.firm, elapsed))
            plans[-1].trouble = trouble
        for back, firm, trouble in ((45, story.firm, 3), (200, story.firm, 4), (90, story.leader, 2)):
            # What is solved in 2024 is counted elsewhere.
            last = max(today - back, self.days.of(date(2025, 1, 6)))
            plans.append(self._plan("resolved", firm, self.days.workday_at_or_before(last)))
            plans[-1].trouble = trouble
        for life, elapsed in (
            ("in_progress", 0.5),
            ("in_progress", 1.2),
            ("dispatched", 1.4),
            ("solution_filed", 0.8),
        ):
            plans.append(self._open(life, story.leader, elapsed))
        for plan in plans:
            plan.is_story, plan.institution = True, story.institution
            plan.segment = BEARINGS if plan.organization == story.firm else None
        self.plans += plans
