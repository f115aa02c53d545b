"""Make the demo data and store them, in one transaction."""

import random
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from datetime import date
from hashlib import sha256

from django.contrib.auth.hashers import make_password
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import Value
from django.db.models.functions import Concat
from django.utils.translation import gettext as _

from accounts.models import Grant, User
from common import bulk
from enterprises.models import (
    Bureau,
    ChainSegment,
    Division,
    IndustryChain,
    InstitutionProfile,
    NumberSeries,
    Organization,
    OrganizationContact,
)
from enterprises.services import found_bureaus, load_divisions
from portal.demo import build, cases, catalogue, files, firms, lives, maps, outcomes, people
from portal.demo.days import Days
from portal.demo.places import Places
from portal.demo.scales import SCALES
from projects import similar
from projects.models import (
    Attachment,
    Bottleneck,
    BottleneckContact,
    ChainProject,
    Consortium,
    ConsortiumMembership,
    Evidence,
    KeyProject,
    Measure,
    Milestone,
    Participation,
    ProjectGoal,
    ProjectRegion,
    Transition,
)

# The tables with most of the rows.
LARGE = (Organization, Participation, Bottleneck, Transition, Measure, Evidence, ConsortiumMembership, Grant)

Phase = Callable[[str], AbstractContextManager[None]]


def is_empty() -> bool:
    """Whether nothing stands in the way: no users, organisations or chains yet."""
    return not any(model.objects.exists() for model in (User, Organization, IndustryChain))


def load(scale_name: str, seed: int, today: date, password: str, phase: Phase) -> None:
    """Fill an empty database. ``phase`` is entered for each step with its name, to show progress."""
    scale = SCALES[scale_name]
    rnd = random.Random(f"{scale_name} {seed}")  # noqa: S311  (data, not secrets)
    with transaction.atomic(), ExitStack() as whole_load:
        with phase(_("区划与单位")):
            load_divisions()
            found_bureaus()
            # Their names head the bulletins, and nobody shall take one of these for an official document.
            Bureau.objects.update(name=Concat(Value("演示·"), "name"))
            chains = catalogue.chains()
            places = Places(rnd, scale.provinces)
            _store_chains(chains, places)
        whole_load.enter_context(bulk.large_load(*LARGE))
        with phase(_("组织与项目")):
            codes = dict(Division.objects.values_list("id", "code"))
            registry = firms.Firms(rnd, chains, codes, places.nation)
            builder = build.Builder(
                scale, rnd, days=Days(today), chains=chains, places=places, firms=registry
            )
            builder.plan_projects()
            story = builder.fill_projects()
        with phase(_("保存组织")):
            bulk.insert(Organization, firms.FIELDS, registry.rows)
            registry.rows.clear()  # a fifth of a gigabyte
            _store_institutions(builder)
        with phase(_("保存项目与参与")):
            _store_projects(builder)
        with phase(_("堵点卡点问题")):
            crowd = people.People(make_password(password), story, places.units)
            plans = lives.Lives(rnd, builder, story).plans
            problems = cases.Cases(rnd, builder, crowd, plans)
        with phase(_("保存用户")):
            bulk.insert(User, people.USER_FIELDS, crowd.users)
            bulk.insert(Grant, people.GRANT_FIELDS, crowd.grants)
            _store_contacts(problems)
        with phase(_("保存问题")):
            _store_problems(problems)
        with phase(_("保存办理记录")):
            bulk.insert(Transition, cases.TRANSITION_FIELDS, problems.transitions)
        with phase(_("重点攻关项目")):
            _store_key_projects(builder, problems)
        with phase(_("成果与成效")):
            outcomes.store(rnd, builder, problems)
        with phase(_("附件")):
            _store_files(rnd, problems, scale.files)
        with phase(_("索引")):
            bulk.insert(NumberSeries, ("prefix", "last"), builder.numbers.last.items())
            whole_load.close()
            bulk.numbers_follow(
                *(IndustryChain, ChainSegment, Organization, User),
                *(ChainProject, Consortium, Bottleneck, KeyProject),
            )
            similar.rebuild()
            bulk.analyse()
        with phase(_("质量图谱")):
            maps.draw(today, places, crowd, story.institution)


def _store_projects(builder: build.Builder) -> None:
    builder.build_consortia()
    bulk.insert(Consortium, build.CONSORTIUM_FIELDS, builder.consortia)
    bulk.insert(ConsortiumMembership, build.MEMBERSHIP_FIELDS, builder.memberships)
    bulk.insert(ChainProject, build.PROJECT_FIELDS, builder.project_rows())
    bulk.insert(ProjectRegion, build.REGION_FIELDS, builder.regions)
    bulk.insert(ProjectGoal, build.GOAL_FIELDS, builder.goals)
    bulk.insert(Participation, build.PARTICIPATION_FIELDS, builder.participations)
    builder.participations.clear()


def _store_problems(problems: cases.Cases) -> None:
    bulk.insert(Bottleneck, cases.FIELDS, problems.rows)
    bulk.insert(Measure, cases.MEASURE_FIELDS, problems.measures)
    bulk.insert(Evidence, cases.EVIDENCE_FIELDS, problems.evidence)
    bulk.insert(BottleneckContact, cases.CONTACT_FIELDS, problems.contacts)


def _store_key_projects(builder: build.Builder, problems: cases.Cases) -> None:
    builder.build_key_projects(problems.problem_near)
    bulk.insert(KeyProject, build.KEY_PROJECT_FIELDS, builder.key_projects)
    bulk.insert(Milestone, build.MILESTONE_FIELDS, builder.milestones)
    bulk.insert(
        KeyProject.bottlenecks.through, build.KEY_PROJECT_PROBLEM_FIELDS, builder.key_project_problems
    )


def _store_chains(chains: list[catalogue.Chain], places: Places) -> None:
    IndustryChain.objects.bulk_create(
        IndustryChain(
            id=n,
            code=f"YS{n:02d}",
            name=chain.name,
            bureau_id=places.nation.id,
            klass=chain.klass,
            steward="演示链长单位",
            gbt4754_classes=list(chain.classes),
            valid_from=date(2022, 1, 1),
        )
        for n, chain in enumerate(chains, 1)
    )
    segments = [(n, segment) for n, chain in enumerate(chains, 1) for segment in chain.segments]
    ChainSegment.objects.bulk_create(
        ChainSegment(
            id=pk,
            chain_id=chain,
            stream=segment.stream,
            name=segment.name,
            position=pk,
            localisation_rate=35 + pk * 37 % 61,
        )
        for pk, (chain, segment) in enumerate(segments, 1)
    )


def _store_institutions(builder: build.Builder) -> None:
    bulk.insert(
        InstitutionProfile,
        ("organization", "kinds", "nqi_elements", "cma_no", "cma_valid_to", "cnas_no", "is_lighthouse_lab"),
        (
            (
                pk,
                builder.kinds[pk],
                builder.elements[pk],
                f"{20 + n % 5}00{n:08d}" if "TEST" in builder.kinds[pk] else "",
                "2028-12-31" if "TEST" in builder.kinds[pk] else None,
                f"YS{n:05d}" if n % 3 == 0 else "",
                int(n % 60 == 0),
            )
            for n, pk in enumerate(builder.institutions, 1)
        ),
    )


def _store_contacts(problems: cases.Cases) -> None:
    """Contacts of the organisations that file, lead or help; the numbers belong to nobody."""
    leaders = {leader for project in problems.builder.projects for leader in project.leaders}
    filing = {plan.organization for plan in problems.plans}
    bulk.insert(
        OrganizationContact,
        ("organization", "contact_name", "contact_phone", "contact_email", "cqo_name", "cqo_phone"),
        (
            (
                pk,
                "演示联系人",
                f"1380000{pk % 10_000:04d}",
                "",
                "演示首席质量官" if pk in leaders else "",
                f"1390000{pk % 10_000:04d}" if pk in leaders else "",
            )
            for pk in sorted(leaders | filing | set(problems.builder.institutions))
        ),
    )


def _store_files(rnd: random.Random, problems: cases.Cases, count: int) -> None:
    """Reports and curves for the problems of the story and for a few others that have evidence."""
    reports: dict[int, str] = {}
    for row in problems.evidence:
        reports.setdefault(row[0], row[3])
    story = [pk for pk, plan in enumerate(problems.plans, 1) if plan.is_story]
    others = rnd.sample(sorted(set(reports) - set(story)), max(count - 2 * len(story), 0) // 2)
    rows = []
    for pk in sorted([*story, *others]):
        number = reports.get(pk, "")
        head = "检验报告（演示）" if number else "现状检测记录（演示）"
        page = files.pdf(
            [
                head,
                f"编号 {number or f'YS-JL-{pk:06d}'}",
                problems.titles[pk],
                "本文件为演示数据，不具有证明作用。",
            ]
        )
        curve = files.png([20 + int(60 * rnd.random()) for _n in range(80)])
        for name, mime, content in (
            (f"{head}.pdf", "application/pdf", page),
            ("测量曲线（演示）.png", "image/png", curve),
        ):
            public_id = f"{rnd.getrandbits(128):032x}"
            path = default_storage.save(f"attachments/{public_id[:2]}/{public_id}", ContentFile(content))
            bottleneck = problems.rows[pk - 1]
            uploaded = dict(zip(cases.FIELDS, bottleneck, strict=True))
            rows.append(
                (
                    public_id, pk, path, name, len(content), mime, sha256(content).hexdigest(),
                    uploaded["filer"], uploaded["created_at"],
                )
            )  # fmt: skip
    bulk.insert(
        Attachment,
        ("public_id", "bottleneck", "file", "name", "size", "mime", "sha256", "uploaded_by", "uploaded_at"),
        rows,
    )
