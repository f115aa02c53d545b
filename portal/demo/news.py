"""What the demo accounts find waiting: messages of the last steps, firms that ask to join, who looked, and a
substitute."""

import uuid
from collections.abc import Iterable
from datetime import timedelta

from django.contrib.auth.hashers import make_password
from django.utils import timezone

from accounts.granting import appoint_substitute
from accounts.joining import Application, apply
from accounts.models import Role, Substitution, User
from enterprises.models import Bureau, Division, Organization
from portal.demo.people import COUNTY
from projects.models import Bottleneck
from projects.notices import tell_of_move
from record.acting import on_behalf
from record.services import looked_at

# So many problems of the story have told of their last step.
MESSAGES = 12
# So many of the problems of the firm of `filer` have been read by officers.
LOOKED_AT = 3
NEWCOMERS = (
    ("91320505DEMA7KE073", "演示·苏州华进精密传动有限公司", "演示申请人甲"),
    ("91320505DEMB26BDXH", "演示·苏州新浒轴承配件有限公司", "演示申请人乙"),
)


def spread() -> None:
    """Tell of the last steps of the story's problems, and lay applications on the desk of its county."""
    filer, leader = User.objects.get(username="filer"), User.objects.get(username="leader")
    firms = {*filer.scope.organization_ids, *leader.scope.organization_ids}
    problems = Bottleneck.objects.filter(organization__in=firms).exclude(status=Bottleneck.Status.DRAFT)
    latest = problems.select_related("handler", "bureau").order_by("-status_changed_at", "-pk")[:MESSAGES]
    for problem in reversed(latest):
        if step := problem.transitions.last():
            tell_of_move(problem, step)
    own = problems.filter(organization__in=filer.scope.organization_ids).order_by("-pk")[:LOOKED_AT]
    for username in ("county", "city"):
        _look(User.objects.get(username=username), own)
    _appoint(User.objects.get(username="county"), User.objects.get(username=f"hy{COUNTY}"))
    bureau = Bureau.objects.get(code=COUNTY)
    for number, (code, name, person) in enumerate(NEWCOMERS, start=1):
        apply(_application(number, code, name, person, bureau))
    # One claims a firm that stands in the ledger.
    known = Organization.objects.filter(bureau=bureau, institution_profile=None).exclude(pk__in=firms)
    claimed = known.order_by("pk")[0]
    number = len(NEWCOMERS) + 1
    apply(_application(number, claimed.uscc, claimed.name, "演示申请人丙", bureau))


def _look(officer: User, problems: Iterable[Bottleneck]) -> None:
    with on_behalf(officer, officer.grants_in_force[0]):
        for problem in problems:
            looked_at(problem, problem.organization_id, officer)


def _appoint(officer: User, colleague: User) -> None:
    """For a week's training that begins in a week."""
    first = timezone.localdate() + timedelta(days=7)
    term = Substitution(
        principal=officer,
        substitute=colleague,
        starts_on=first,
        ends_on=first + timedelta(days=4),
        reason="演示：外出培训",
    )
    appoint_substitute(officer, term)


def _application(number: int, code: str, name: str, person: str, bureau: Bureau) -> Application:
    return Application(
        key=uuid.UUID(int=number),
        uscc=code,
        role=Role.FILER,
        phone="0512-00000000",
        name=name,
        division=Division.objects.get(code=bureau.code),
        bureau=bureau,
        account={
            "username": f"sq{bureau.code}{number}",
            "name": person,
            "email": f"sq{number}@example.org",
            "password": make_password(None),
        },
    )
