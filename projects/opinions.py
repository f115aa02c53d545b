"""Asking an expert before a problem of province or nation is struck off (`domain.md` 4.1, verification).

An expert reads the problem with its evidence from being asked until it leaves verification, unless it steps
aside. Who files, solves, handles or verifies it gives no opinion on it.
"""

from datetime import datetime

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import Grant, Role, User
from common.saving import save_checked
from projects import notices
from projects.models import Bottleneck, ExpertOpinion, Transition
from projects.workflow import (
    JUDGED,
    Attempt,
    Party,
    another_person,
    grade_allows,
    grants_for,
    is_above_city,
)
from record.acting import by_whom, on_behalf

Answer = ExpertOpinion.Answer


def grant_to_ask(row: Bottleneck, user: User) -> Grant | None:
    """The grant by which the user may verify the problem, when an expert is wanted for that."""
    if row.status not in JUDGED or not is_above_city(row):
        return None
    attempts = [Attempt(row, grant, user) for grant in grants_for(row, Party.VERIFIER, user)]
    able = [one for one in attempts if not another_person(one) and not grade_allows(one)]
    return able[0].grant if able else None


def experts_for(row: Bottleneck, but: User | None = None) -> list[User]:
    """Experts of the bureaus over the problem and of its chain who have no part in it, by name."""
    codes = row.bureau.line
    above = ["/".join(codes[:depth]) + "/" for depth in range(1, len(codes) + 1)]
    today = timezone.localdate()
    grants = Grant.objects.judged("experts to be asked").in_force(today).filter(user__is_active=True)
    known = grants.filter(role=Role.EXPERT, bureau__path__in=above).select_related("user", "chain")
    people = {grant.user for grant in known if grant.chain_id in (None, row.chain_id)} - {but}
    # Whoever has a part in what was merged into the problem has one in the problem.
    whole = Bottleneck.objects.judged("who has a part in it").filter(Q(pk=row.pk) | Q(merged_into=row))
    filed = list(whole.values_list("organization_id", "filer_id"))
    parties = {row.assigned_to_id, *(firm for firm, _filer in filed)} - {None}
    bound = set(grants.filter(organization__in=parties, user__in=people).values_list("user_id", flat=True))
    steps = Transition.objects.judged("who has a part in it").filter(bottleneck__in=whole)
    acted = {person for step in steps.values_list("actor_id", "principal_id") for person in step}
    bound |= acted | {filer for _firm, filer in filed}
    asked = set(row.opinions.filter(closed_at=None).values_list("expert_id", flat=True))
    free = [one for one in people if one.pk not in bound | asked]
    return sorted(free, key=lambda one: (str(one), one.pk))


def question_for(row: Bottleneck, user: User) -> ExpertOpinion | None:
    """What the user is asked of this problem and has not answered yet."""
    if not user.grants_of(Role.EXPERT):
        return None
    return row.opinions.filter(expert=user, closed_at=None, answer="").first()


@by_whom
def ask(row: Bottleneck, expert: User, *, by: User, question: str = "") -> ExpertOpinion:
    """Ask an expert, who is told and may read the problem from now on.

    Raises PermissionDenied for whoever may not verify the problem, ValidationError when the expert may not be
    asked.
    """
    with transaction.atomic():
        locked = Bottleneck.objects.judged("under the lock").select_for_update().get(pk=row.pk)
        grant = grant_to_ask(locked, by)
        if grant is None:
            raise PermissionDenied(_("省级和国家级问题核验时，由可以核验的经办人送请专家出具意见。"))
        if expert not in experts_for(locked, but=by):
            raise ValidationError(_("只能请与本问题无关、尚未请过的专家。"))
        asked = ExpertOpinion(
            bottleneck=locked,
            expert=expert,
            asked_by=by,
            bureau=grant.bureau,
            asked_at=timezone.now(),
            question=question,
        )
        with on_behalf(by, grant):
            save_checked(asked)
        notices.tell_of_question(asked)
    return asked


@by_whom
def answer(asked: ExpertOpinion, *, by: User, answer: str, no_conflict: bool, text: str) -> ExpertOpinion:
    """Keep the expert's answer, which is given once.

    Raises PermissionDenied for anybody else, a second time, or when the problem has left verification,
    ValidationError when the declaration or the reasons are missing.
    """
    with transaction.atomic():
        row = Bottleneck.objects.judged("under the lock").select_for_update().get(pk=asked.bottleneck_id)
        question = question_for(row, by)
        if question is None or question.pk != asked.pk:
            raise PermissionDenied(_("由被请的专家在核验期间答复，每次只答复一次。"))
        question.answer, question.text, question.answered_at = answer, text.strip(), timezone.now()
        question.no_conflict = no_conflict and answer != Answer.RECUSED
        save_checked(question, ("answer", "text", "no_conflict", "answered_at"))
        notices.tell_of_opinion(question)
    asked.refresh_from_db()
    return asked


def close(row: Bottleneck, at: datetime) -> None:
    """The problem leaves verification: what was asked and answered counts no more."""
    for opinion in row.opinions.filter(closed_at=None):
        opinion.closed_at = at
        opinion.save(update_fields=["closed_at"])
