"""Projects, who takes part in them, consortia and key projects, as rows ready to be stored."""

import random
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta

from portal.demo.catalogue import BEGAN_2024, CROSS_REGION, INSTITUTIONS, PROVINCES, Chain
from portal.demo.days import Days
from portal.demo.firms import Firms
from portal.demo.people import CITY, COUNTY, PROVINCE, Story
from portal.demo.places import Places, Unit, share_out
from portal.demo.scales import Scale, Year

PROJECT_FIELDS = (
    "id", "code", "name", "chain", "tier", "bureau", "is_cross_region", "status", "summary", "start_on",
    "end_on", "closed_on", "consortium", "budget_gov", "budget_own", "created_at", "updated_at", "version",
    "is_test", "voided_at", "void_reason",
)  # fmt: skip
PARTICIPATION_FIELDS = ("project", "organization", "role", "bureau", "joined_on", "left_on", "recognition")
REGION_FIELDS = ("project", "bureau")
GOAL_FIELDS = ("project", "indicator", "unit", "base", "target", "reached", "due_on")
CONSORTIUM_FIELDS = (
    "id", "code", "name", "local_type", "chain", "bureau", "lead", "founded_on", "founding_doc_no",
    "dissolved_on", "status", "purpose", "created_at", "updated_at", "version", "is_test", "voided_at",
    "void_reason",
)  # fmt: skip
MEMBERSHIP_FIELDS = ("consortium", "organization", "role", "joined_on", "left_on")
KEY_PROJECT_FIELDS = (
    "id", "code", "name", "project", "kind", "route", "lead", "nqi_elements", "technical_path",
    "contract_on", "start_on", "end_on", "accepted_on", "budget_gov", "budget_own", "status", "created_at",
    "updated_at", "version", "is_test", "voided_at", "void_reason",
)  # fmt: skip
MILESTONE_FIELDS = ("key_project", "title", "due_on", "weight", "done_on")
KEY_PROJECT_PROBLEM_FIELDS = ("keyproject", "bottleneck")

TIER_SIZE = {"landmark": 5, "national_key": 4, "cross_region": 4, "province": 2.5, "city": 1.6, "county": 1.0}
LOCAL_TYPES = {"320000": "innovation", "210000": "nqi", "500000": "alliance", "440000": "demonstration"}
LOCAL_NAMES = {
    "technology": "质量技术创新联合体",
    "innovation": "质量创新联合体",
    "nqi": "质量基础设施创新联合体",
    "alliance": "质量强链联盟",
    "demonstration": "质量创新联合示范点",
}
RECOGNITIONS = (
    "工信部门认定（演示）",
    "发改部门认定（演示）",
    "市场监管部门推荐（演示）",
    "集群促进机构推荐（演示）",
)
# The first list came out on 21 August 2025 (`domain.md` S11).
CROSS_REGION_SINCE = date(2025, 8, 25)
# Firms that take part in a second project beside their first, per first part.
MEMBERS_TWICE = 0.16
GOALS = (
    ("链上产品一次交验合格率", "%", 92, 97),
    ("解决质量堵点卡点问题", "个", 0, 15),
    ("制修订标准和计量技术规范", "项", 0, 4),
    ("质量损失率", "%", 3, 2),
    ("链员企业首席质量官配备率", "%", 40, 80),
)
MILESTONES = ("方案论证与基线测量", "方法开发与验证", "产线试用三批", "标准规范报批与验收")
WEIGHTS = {2: (40, 60), 3: (30, 40, 30), 4: (20, 30, 30, 20)}


@dataclass(slots=True)
class Project:
    id: int
    code: str
    name: str
    year: int
    chain: int
    tier: str
    unit: Unit
    status: str
    start: int
    end: int
    closed: int | None
    partners: tuple[Unit, ...] = ()
    is_test: int = 0
    voided: bool = False
    consortium: int | None = None
    leaders: list[int] = field(default_factory=list)
    enablers: list[int] = field(default_factory=list)
    # Some of the members, for consortia and key projects.
    sample: list[int] = field(default_factory=list)
    problems: list[int] = field(default_factory=list)

    @property
    def counts(self) -> bool:
        return not self.is_test and not self.voided


class Numbers:
    """The last number given out under each prefix, as `NumberSeries` keeps it."""

    def __init__(self) -> None:
        self.last: dict[str, int] = defaultdict(int)

    def next(self, prefix: str, width: int) -> str:
        self.last[prefix] += 1
        return f"{prefix}-{self.last[prefix]:0{width}d}"


class Builder:
    def __init__(
        self,
        scale: Scale,
        rnd: random.Random,
        *,
        days: Days,
        chains: list[Chain],
        places: Places,
        firms: Firms,
    ) -> None:
        self.scale, self.rnd, self.days = scale, rnd, days
        self.chains, self.places, self.firms = chains, places, firms
        self.numbers = Numbers()
        self.chain_ids = {chain.name: n for n, chain in enumerate(chains)}
        self.years = {2023: scale.year_2023, 2024: scale.year_2024}
        today = date.fromisoformat(days.iso[days.today])
        # A year is worth a figure from its second month on.
        for year in range(2025, (today - timedelta(days=31)).year + 1):
            full = scale.later
            part = today.timetuple().tm_yday / 365 if year == today.year else 1.0
            self.years[year] = Year(
                *(
                    max(round(n * part), 1)
                    for n in (full.projects, full.consortia, full.key_projects, full.solved)
                )
            )
        self.projects: list[Project] = []
        self._made: dict[int, int] = defaultdict(int)
        # By pool: its organisations in an order of their own, and how many have had a turn.
        self._turns: dict[int, tuple[list[int], int]] = {}
        self.by_year: dict[int, list[Project]] = defaultdict(list)
        self.participations: list[tuple] = []
        self.regions: list[tuple] = []
        self.goals: list[tuple] = []
        self.consortia: list[tuple] = []
        self.memberships: list[tuple] = []
        self.key_projects: list[tuple] = []
        self.milestones: list[tuple] = []
        self.key_project_problems: list[tuple] = []
        # Organisations of 2024 by unit, to take part in further projects.
        self.members_of: dict[str, list[int]] = defaultdict(list)
        self.leaders_of: dict[str, list[int]] = defaultdict(list)
        self.institutions: list[int] = []
        self.institutions_of: dict[str, list[int]] = defaultdict(list)
        # The demo account's, and the states of the key projects that it leads.
        self.story_institution = 0
        self.led: set[str] = set()
        self.elements: dict[int, str] = {}
        self.kinds: dict[int, str] = {}

    # --- Projects -------------------------------------------------------------------------------------------

    def plan_projects(self) -> None:
        for year, counts in self.years.items():
            provinces = [p for p in self.places.provinces if year > 2023 or p.code not in BEGAN_2024]
            cross = []
            if year == 2025 and self.days.today >= self.days.of(CROSS_REGION_SINCE):
                cross = [row for row in CROSS_REGION if self.places.units[row[1]] in provinces]
            weights = [PROVINCES[province.code] for province in provinces]
            for province, count in zip(
                provinces, share_out(counts.projects - len(cross), weights, least=1), strict=True
            ):
                for n in range(count):
                    if year == 2024 and province.code == PROVINCE and n == 0:
                        self._plan(year, province, tier="city", unit=self.places.units[CITY])
                    else:
                        self._plan(year, province)
            for chain, lead, partners in cross:
                self._plan_cross_region(year, chain, lead, partners)
        self._plan_uncounted()
        self.projects.sort(key=lambda project: (project.start, project.id))
        for pk, project in enumerate(self.projects, 1):
            project.id = pk
            year = int(self.days.iso[project.start][:4])
            project.code = self.numbers.next(f"ZLQL-{year}-{project.unit.code}", 4)
            if project.counts and project.status not in ("draft", "filed", "approved"):
                self.by_year[project.year].append(project)

    def _span(self, year: int) -> tuple[int, int]:
        first = self.days.of(date(year, 1, 1))
        return first, min(self.days.of(date(year, 12, 31)), self.days.today)

    def _day(self, low: int, high: int) -> int:
        """A working day between the two."""
        return max(self.days.workday_at_or_before(low + int(self.rnd.random() * (high - low + 1))), low)

    def _plan(
        self,
        year: int,
        province: Unit,
        *,
        status: str = "",
        tier: str = "",
        chain: int | None = None,
        unit: Unit | None = None,
    ) -> Project:
        r = self.rnd.random
        if not tier:
            made, share = self._made[year], 952 / self.years[year].projects
            self._made[year] += 1
            if made * share % 95.2 < share:
                tier = "landmark"
            elif made * share % 9.52 < share:
                tier = "national_key"
            else:
                tier = "province" if r() < 0.25 else "city" if r() < 0.55 else "county"
        unit = unit or self._unit(province, tier)
        first, last = self._span(year)
        # Most begin in spring, as the year of the work has it (`domain.md` 2.3).
        start = self._day(first + 6, min(first + 150, last)) if r() < 0.6 else self._day(first + 6, last)
        end = start + 300 + int(r() * 430)
        status, closed = (status, None) if status else self._fate(start, end)
        chain = int(r() ** 1.3 * len(self.chains)) if chain is None else chain
        project = Project(
            len(self.projects) + 1,
            "",
            self._name(unit, chain),
            year,
            chain,
            tier,
            unit,
            status,
            start,
            end,
            closed,
        )
        self.projects.append(project)
        return project

    def _unit(self, province: Unit, tier: str) -> Unit:
        if tier in ("landmark", "province", "cross_region") or (
            tier == "national_key" and self.rnd.random() < 0.5
        ):
            return province
        leaf = self.rnd.choices(province.leaves, cum_weights=province.cumulative)[0]
        return leaf if tier == "county" or leaf.city is province else leaf.city

    def _name(self, unit: Unit, chain: int) -> str:
        segments = self.chains[chain].segments
        segment = segments[int(self.rnd.random() * len(segments))]
        area = unit.short_name if unit.level <= 2 else f"{unit.city.place}{unit.short_name}"
        return f"演示·{area}{self.chains[chain].name}产业链（{segment.name}）质量强链项目"

    def _fate(self, start: int, end: int) -> tuple[str, int | None]:
        """Status today and the day of closing, which lies within a month of the planned end."""
        r = self.rnd.random()
        closed = end + int(self.rnd.random() * 60) - 30
        if r < 0.02:
            closed = start + 60 + int(self.rnd.random() * 120)
            return ("terminated", closed) if closed <= self.days.today else ("executing", None)
        if closed > self.days.today:
            return ("acceptance" if closed < self.days.today + 60 else "executing"), None
        return ("failed" if r < 0.04 else "accepted"), closed

    def _plan_cross_region(self, year: int, chain: str, lead: str, partners: tuple[str, ...]) -> None:
        units = self.places.units
        project = self._plan(
            year,
            units[lead],
            status="executing",
            tier="cross_region",
            chain=self.chain_ids[chain],
            unit=units[lead],
        )
        first = self.days.of(CROSS_REGION_SINCE)
        project.start = self._day(first, min(first + 35, self.days.today))
        project.end = project.start + 730
        project.partners = tuple(units[code] for code in partners)
        project.name = f"演示·{units[lead].place}牵头{chain}产业链跨区域质量强链联动项目"

    def _plan_uncounted(self) -> None:
        """Projects of this year that have not begun, and test and void ones of 2024."""
        this_year = max(self.years)
        few = max(self.scale.year_2024.projects // 60, 2)
        for n in range(few * 3):
            province = self.places.provinces[n % len(self.places.provinces)]
            self._plan(this_year, province, status=("draft", "filed", "approved")[n % 3], tier="city")
        for n in range(few):
            province = self.places.provinces[-1 - n % len(self.places.provinces)]
            project = self._plan(2024, province, tier="county")
            if n % 2:
                project.is_test, project.name = 1, f"演示·测试数据{n}（不计入统计）"
            else:
                project.voided = True

    # --- Who takes part -------------------------------------------------------------------------------------

    def fill_projects(self) -> Story:
        story = self._fill_2024()
        for year in self.years:
            if year != 2024:
                for project in self.by_year[year]:
                    self._fill_other(project)
        for project in self.projects:
            if project.year == 2024 and not project.counts:
                for _n in range(12):
                    leaf = self._leaf(project.unit)
                    firm = self.firms.firm(leaf, project.chain, test=project.is_test)
                    self._join(project, firm, "member", leaf=leaf)
        for project in self.projects:
            for n in range(2):
                indicator, unit, base, target = GOALS[(project.id + n * 2) % len(GOALS)]
                reached = target if project.status == "accepted" else base
                self.goals.append(
                    (project.id, indicator, unit, base, target, reached, self.days.iso[project.end])
                )
        return story

    def _leaf(self, unit: Unit) -> Unit:
        if not unit.leaves:
            return unit
        return self.rnd.choices(unit.leaves, cum_weights=unit.cumulative)[0]

    def _join(
        self,
        project: Project,
        organization: int,
        role: str,
        *,
        leaf: Unit | None = None,
        recognition: str = "",
        joined: int | None = None,
    ) -> None:
        r = self.rnd.random
        iso = self.days.iso
        if joined is None:
            year_end = self._span(project.year)[1]
            joined = min(project.start + int(r() * 50), year_end, project.closed or year_end)
        left = project.closed
        if r() < 0.015 and role == "member":
            left = joined + int(r() * 90)
            if left > self.days.today or (project.closed is not None and left > project.closed):
                left = project.closed
        unit = project.unit
        if project.partners and leaf is not None:
            unit = leaf.province
        self.participations.append(
            (
                project.id,
                organization,
                role,
                unit.id,
                iso[joined],
                iso[left] if left is not None else None,
                recognition,
            )
        )

    def _fill_2024(self) -> Story:
        projects = self.by_year[2024]
        home = next(project for project in projects if project.unit.code == CITY and project.tier == "city")
        self._make_story_project(home)
        story = self._fill_leaders(projects, home)
        firm = self._fill_members(projects, home)
        institution = self._fill_institutions(projects, home)
        return Story(firm, story, institution)

    def _make_story_project(self, project: Project) -> None:
        project.chain = self.chain_ids["工业机器人"]
        project.name = "演示·苏州市工业机器人产业链（精密轴承）质量强链项目"
        project.tier, project.status, project.closed = "city", "executing", None
        project.end = max(project.end, self.days.today + 120)

    def _fill_leaders(self, projects: list[Project], home: Project) -> int:
        """Leaders with one project each, then more projects for some, then members' parts for some."""
        firms, r = self.firms, self.rnd.random
        counts = share_out(self.scale.leaders, [TIER_SIZE[project.tier] for project in projects], least=1)
        story = 0
        first: dict[int, Project] = {}
        by_province: dict[str, list[Project]] = defaultdict(list)
        for project, count in zip(projects, counts, strict=True):
            by_province[project.unit.province.code].append(project)
            for n in range(count):
                if project is home and n == 0:
                    leaf = self.places.units[COUNTY]
                    leader = story = firms.firm(
                        leaf, project.chain, project.id, large=True, name="演示·苏州高新机器人股份有限公司"
                    )
                else:
                    leaf = self._leaf(project.unit)
                    leader = firms.firm(leaf, project.chain, project.id, large=True)
                project.leaders.append(leader)
                first[leader] = project
                self.leaders_of[project.unit.province.code].append(leader)
        self._slots: dict[int, list[int]] = defaultdict(list)
        for leader, project in first.items():
            others = by_province[project.unit.province.code]
            for _n in range(int(r() < 0.22) + int(r() < 0.06)):
                other = others[int(r() * len(others))]
                if leader not in other.leaders:
                    other.leaders.append(leader)
        for leader, project in first.items():
            others = by_province[project.unit.province.code]
            other = others[int(r() * len(others))]
            if r() < 0.25 and leader not in other.leaders:
                self._slots[other.id].append(leader)
        for project in projects:
            for leader in project.leaders:
                self._join(project, leader, "leader", recognition=RECOGNITIONS[leader % 4])
            # Listed as a member of the project it leads: not a member (`domain.md` V3).
            if project.id % 40 == 0:
                self._join(project, project.leaders[0], "member")
        return story

    def _fill_members(self, projects: list[Project], home: Project) -> int:
        firms, rnd, r = self.firms, self.rnd, self.rnd.random
        weights = [TIER_SIZE[project.tier] * rnd.lognormvariate(0, 0.5) for project in projects]
        counts = share_out(self.scale.members, weights, least=12)
        story = 0
        inside: dict[int, set[int]] = {}
        for project, count in zip(projects, counts, strict=True):
            unit, chain, pk = project.unit, project.chain, project.id
            slots = self._slots.get(pk, [])[: count // 2]
            members = list(slots)
            if project is home:
                leaf = self.places.units[COUNTY]
                story = firms.firm(leaf, chain, pk, name="演示·苏州高新精密轴承有限公司")
                members.append(story)
                # Neighbours, so that the county has firms enough of its own.
                members += [firms.firm(leaf, chain, pk) for _n in range(min(40, count // 3))]
            fresh = count - len(members)
            leaves = (
                rnd.choices(unit.leaves, cum_weights=unit.cumulative, k=fresh)
                if unit.leaves
                else [unit] * fresh
            )
            new = [firms.firm(leaf, chain, pk) for leaf in leaves]
            members += new
            for code in {unit.city.code: 0, unit.province.code: 0}:
                self.members_of[code].extend(new)
            inside[pk] = set(members)
            project.sample = members[len(slots) : len(slots) + 30]
            for member in members:
                self._join(project, member, "member")
        for project, count in zip(projects, counts, strict=True):
            pool = self._pool(project)
            known = inside[project.id]
            for _n in range(int(count * MEMBERS_TWICE)):
                member = pool[int(r() * len(pool))]
                if member not in known:
                    known.add(member)
                    self._join(project, member, "member")
        return story

    def _pool(self, project: Project) -> list[int]:
        """Members of 2024 near the project."""
        near = self.members_of.get(project.unit.city.code, [])
        return near if len(near) >= 200 else self.members_of[project.unit.province.code]

    def _fill_institutions(self, projects: list[Project], home: Project) -> int:
        rnd, r = self.rnd, self.rnd.random
        counts = share_out(
            self.scale.institutions,
            [TIER_SIZE[project.tier] * rnd.lognormvariate(0, 0.4) for project in projects],
            least=1,
        )
        story = 0
        for project, count in zip(projects, counts, strict=True):
            for _n in range(count):
                if project is home and not story:
                    institution = story = self.story_institution = self._institution(
                        project, self.places.units[COUNTY], "演示·苏州精密计量检测中心", kind=6
                    )
                else:
                    institution = self._institution(project, self._leaf(project.unit))
                project.enablers.append(institution)
        for project in projects:
            near = self.institutions_of[project.unit.province.code]
            for _n in range(1 + int(r() * 2)):
                pool = near if r() < 0.8 else self.institutions
                institution = pool[int(r() * len(pool))]
                if institution not in project.enablers:
                    project.enablers.append(institution)
            for institution in project.enablers:
                self._join(project, institution, "enabler")
        return story

    def _institution(self, project: Project, leaf: Unit, name: str = "", kind: int | None = None) -> int:
        if kind is None:
            kind = self.rnd.choices(range(len(INSTITUTIONS)), weights=[row[4] for row in INSTITUTIONS])[0]
        pk = self.firms.institution(leaf, project.chain, kind, len(self.institutions), name)
        self.kinds[pk], self.elements[pk] = INSTITUTIONS[kind][0], INSTITUTIONS[kind][1]
        self.institutions.append(pk)
        self.institutions_of[project.unit.province.code].append(pk)
        return pk

    def _fill_other(self, project: Project) -> None:
        """A project of another year: mostly organisations of 2024, and some of that year only."""
        r, firms = self.rnd.random, self.firms
        only_then = project.start > self.days.of(date(2024, 12, 31)) or (
            project.closed is not None and project.closed < self.days.of(date(2024, 1, 1))
        )
        province = project.unit.province.code
        pool = self._pool(project)
        usual = self.scale.members / self.scale.year_2024.projects / (1.7 if project.year == 2023 else 2.6)
        size = min(max(int(TIER_SIZE[project.tier] * (0.5 + r()) * usual), 8), len(pool) // 2)
        members = self._next_of(pool, size)
        for unit in project.partners:
            members += self._next_of(self.members_of[unit.code] or pool, 20)
        members = list(dict.fromkeys(members))
        project.leaders = self._next_of(self.leaders_of[province], 1 + int(r() * 3.2))
        project.enablers = self._next_of(self.institutions_of[province], 2 + int(r() * 4))
        project.sample = members[:30]
        if only_then:
            if r() < 0.2:
                project.leaders.append(firms.firm(self._leaf(project.unit), project.chain, large=True))
            members += [firms.firm(self._leaf(project.unit), project.chain) for _n in range(size // 7)]
        led = set(project.leaders)
        for leader in project.leaders:
            self._join(project, leader, "leader", recognition=RECOGNITIONS[leader % 4])
        for member in members:
            if member not in led:
                self._join(project, member, "member", leaf=firms.leaf[member])
        for institution in project.enablers:
            self._join(project, institution, "enabler")

    def _next_of(self, pool: list[int], count: int) -> list[int]:
        """Some of a pool, in turn, so that a year's projects share few of them."""
        order, taken = self._turns.get(id(pool), ([], 0))
        if not order:
            order = self.rnd.sample(pool, len(pool))
        count = min(count, len(order))
        self._turns[id(pool)] = (order, taken + count)
        start = taken % len(order)
        return order[start : start + count] + order[: max(start + count - len(order), 0)]

    # --- Consortia ------------------------------------------------------------------------------------------

    def build_consortia(self) -> None:
        few = max(self.scale.year_2024.consortia // 90, 2)
        for year, counts in self.years.items():
            projects = self.by_year[year]
            for n, project in enumerate(self._cycle(projects, counts.consortia)):
                self._consortium(year, project, first=n < len(projects))
        for project in self._cycle(self.by_year[max(self.years)], few):
            self._consortium(max(self.years), project, status="preparing")
        for n, project in enumerate(self._cycle(self.by_year[2024], few)):
            self._consortium(2024, project, is_test=n % 2, voided=not n % 2)

    def _cycle(self, projects: list[Project], count: int) -> list[Project]:
        """Projects in an order of their own, each again only when all had a turn."""
        order = self.rnd.sample(projects, len(projects))
        return [order[n % len(order)] for n in range(count)]

    def _consortium(
        self,
        year: int,
        project: Project,
        *,
        first: bool = False,
        status: str = "",
        is_test: int = 0,
        voided: bool = False,
    ) -> None:
        r, iso = self.rnd.random, self.days.iso
        _first, last = self._span(year)
        founded = self._day(project.start, min(project.start + 120, last))
        pk = len(self.consortia) + 1
        lead = project.leaders[0] if r() < 0.8 or not project.enablers else project.enablers[0]
        dissolved = None
        if not status:
            status = ("active", "formed", "dormant")[0 if r() < 0.8 else 1 if r() < 0.6 else 2]
            if r() < 0.02 and founded + 300 < self.days.today:
                status, dissolved = "dissolved", founded + 200 + int(r() * 99)
        chain = self.chains[project.chain].name
        kind = LOCAL_TYPES.get(project.unit.province.code, "technology")
        segments = self.chains[project.chain].segments
        segment = segments[int(r() * len(segments))].name
        unit = project.unit
        made = f"{iso[founded]} 02:00:00"
        self.consortia.append(
            (
                pk, self.numbers.next(f"LHT-{year}-{unit.code}", 4),
                f"演示·{unit.place}{chain}（{segment}）{LOCAL_NAMES[kind]}", kind, project.chain + 1,
                unit.id, lead,
                None if status == "preparing" else iso[founded],
                "" if status == "preparing" else f"演示质强〔{year}〕{pk}号",
                iso[dissolved] if dissolved else None, status,
                f"围绕{chain}产业链{segment}环节，共享试验设备和检测能力，联合攻关共性质量问题。", made,
                made, 1, is_test, made if voided else None, "重复登记" if voided else "",
            )
        )  # fmt: skip
        left = iso[dissolved] if dissolved else None
        rows = {lead: "lead"}
        for organization in (*project.leaders, *project.sample[: 3 + int(r() * 8)]):
            rows.setdefault(organization, "member")
        for organization in project.enablers[:4]:
            rows.setdefault(organization, "support")
        self.memberships.extend(
            (pk, organization, role, iso[founded], left) for organization, role in rows.items()
        )
        if first and not is_test and not voided and not dissolved:
            project.consortium = pk

    # --- Key projects ---------------------------------------------------------------------------------------

    def build_key_projects(self, problem_near: Callable[[Project], tuple[int, str]]) -> None:
        """``problem_near`` gives the key and title of a problem that a project may work on."""
        few = max(self.scale.year_2024.key_projects // 150, 2)
        for year, counts in self.years.items():
            projects = self.by_year[year]
            for project in self._cycle(projects, counts.key_projects):
                kind = "cross_region" if project.partners else "ordinary"
                self._key_project(year, project, kind, *problem_near(project))
        landmarks = [project for project in self.by_year[2024] if project.tier == "landmark"]
        for project in self._cycle(landmarks, self.scale.landmark_tasks):
            self._key_project(2024, project, "landmark_task", *problem_near(project))
        for project in self._cycle(self.by_year[max(self.years)], few):
            self._key_project(max(self.years), project, "ordinary", *problem_near(project), status="proposed")
        for n, project in enumerate(self._cycle(self.by_year[2024], few)):
            self._key_project(
                2024, project, "ordinary", *problem_near(project), is_test=n % 2, voided=not n % 2
            )

    def _key_project(
        self,
        year: int,
        project: Project,
        kind: str,
        problem: int,
        title: str,
        *,
        status: str = "",
        is_test: int = 0,
        voided: bool = False,
    ) -> None:
        r, iso, today = self.rnd.random, self.days.iso, self.days.today
        _first, last = self._span(year)
        limit = max(min(last, project.end - 60, (project.closed or last) - 30), project.start)
        start = self._day(project.start, limit)
        end = max(start + int((project.end - start) * (0.5 + r() / 2)), start + 45)
        contract: int | None = start
        accepted = None
        if status:
            contract = None
        elif project.closed is not None:
            # Accepted before its project was closed.
            accepted = max(min(project.closed, today) - int(r() * 40), start)
            status = "accepted"
            if r() < 0.03:
                status, accepted = ("failed", "terminated")[r() < 0.5], None
        else:
            status = ("running", "running", "delayed", "acceptance", "suspended")[int(r() ** 1.8 * 5)]
            if r() < 0.35 and start + 150 < today:
                status, accepted = "accepted", min(start + 120 + int(r() * 200), today)
        pk = len(self.key_projects) + 1
        leaders = project.leaders if r() < 0.7 or not project.enablers else project.enablers
        lead = leaders[int(r() * len(leaders))]
        if self._is_for_story(project, status) and contract is not None and not (is_test or voided):
            lead = self.story_institution
            self.led.add(status)
        route = ("consortium" if project.consortium else "own", "commission", "challenge", "own")[
            int(r() ** 1.5 * 4)
        ]
        elements = ("MET,TST", "STD", "STD,TST", "TST", "MET", "CER,STD", "ACC,TST")[int(r() * 7)]
        own = (20 + int(r() * 400)) * 10_000
        made = f"{iso[start]} 02:30:00"
        self.key_projects.append(
            (
                pk, self.numbers.next(f"GG-{year}-{project.unit.code}", 4), f"演示·{title}攻关",
                project.id, kind, route, lead, elements,
                "基线测量，建立可溯源的测量方法；在产线上验证三批；固化为标准或作业指导书。",
                iso[contract] if contract is not None else None, iso[start], iso[end],
                iso[accepted] if accepted is not None else None, own // 4, own, status, made, made, 1,
                is_test, made if voided else None, "立项撤销" if voided else "",
            )
        )  # fmt: skip
        count = 2 + int(r() * 3)
        until = end - start
        for n, weight in enumerate(WEIGHTS[count], 1):
            due = start + until * n // count
            done = None
            if status == "accepted" and accepted is not None:
                done = start + (accepted - start) * n // count
            elif contract is not None and due + 10 < today and status not in ("terminated", "failed"):
                done = due + int(r() * 20) - 10 if r() < 0.8 else None
            title = MILESTONES[n - 1 if n < count else 3]
            self.milestones.append(
                (pk, title, iso[due], weight, iso[max(done, start)] if done is not None else None)
            )
        self.key_project_problems.append((pk, problem))
        if r() < 0.25:
            other = project.problems[int(r() * len(project.problems))] if project.problems else problem
            if other != problem:
                self.key_project_problems.append((pk, other))

    def _is_for_story(self, project: Project, status: str) -> bool:
        """The demo institution leads one that is over and one under way, where it takes part."""
        wanted = "accepted" if "accepted" not in self.led else "running"
        return self.story_institution in project.enablers and status == wanted and status not in self.led

    def project_rows(self) -> list[tuple]:
        iso, r = self.days.iso, self.rnd.random
        rows = []
        for project in self.projects:
            own = (50 + int(r() * 900)) * 10_000
            made = f"{iso[project.start]} 01:30:00"
            chain = self.chains[project.chain]
            summary = (
                f"围绕{chain.name}产业链，摸排质量堵点卡点，绘制质量图谱，联合链主、链员和赋能机构开展攻关。"
            )
            rows.append(
                (
                    project.id, project.code, project.name, project.chain + 1, project.tier,
                    project.unit.id, int(bool(project.partners)), project.status, summary,
                    iso[project.start], iso[project.end],
                    iso[project.closed] if project.closed is not None else None, project.consortium,
                    own // 5, own, made, made, 1, project.is_test, made if project.voided else None,
                    "重复申报" if project.voided else "",
                )
            )  # fmt: skip
            self.regions.extend((project.id, unit.id) for unit in project.partners)
        return rows
