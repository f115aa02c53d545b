"""Asking firms whether a solution lasts, and keeping what they answer."""

from collections.abc import Iterator
from datetime import date, timedelta

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import FILING_ROLES, User
from common.saving import save_checked
from common.scope import system_job
from common.workdays import add_months
from projects import notices
from projects.models import Bottleneck, FollowUp
from record.acting import by_whom

# A question that could not be asked for so long is not asked any more: the firm would remember nothing.
GRACE = timedelta(days=90)
# Rows asked about in one transaction.
CHUNK = 200
KEY = ("bottleneck_id", "resolved_on")


@system_job("follow-ups")
def ask(today: date | None = None) -> int:
    """Ask the firms about what was struck off 3 and 12 months ago; returns how many were asked.

    Late or twice makes no difference: a question is known by its problem, day of striking off and months.
    """
    today = today or timezone.localdate()
    asked = 0
    for months in FollowUp.MONTHS:
        keys = list(_due(today, months))
        for first in range(0, len(keys), CHUNK):
            asked += _ask(keys[first : first + CHUNK], months, today)
    return asked


def _due(today: date, months: int) -> Iterator[int]:
    """Problems whose months are over, and not for too long."""
    # Twelve months have up to 366 days: the day itself is looked at below.
    last = today - timedelta(days=months * 30 - 2)
    solved = Bottleneck.objects.filter(
        status__in=Bottleneck.SOLVED,
        voided_at__isnull=True,
        is_test=False,
        resolved_at__date__range=(last - GRACE - timedelta(days=9), last),
    )
    for pk, resolved_at in solved.order_by("pk").values_list("pk", "resolved_at"):
        day = add_months(timezone.localdate(resolved_at), months)
        if day <= today <= day + GRACE:
            yield pk


def _ask(keys: list[int], months: int, today: date) -> int:
    with transaction.atomic():
        rows = list(Bottleneck.objects.select_for_update().filter(pk__in=keys).order_by("pk"))
        known = set(FollowUp.objects.filter(bottleneck__in=rows, months=months).values_list(*KEY))
        fresh = []
        for row in rows:
            day = row.resolved_at and timezone.localdate(row.resolved_at)
            if day and row.status in Bottleneck.SOLVED and (row.pk, day) not in known:
                asked = FollowUp(bottleneck=row, resolved_on=day, months=months, asked_on=today)
                asked.save()
                fresh.append((row, asked))
        notices.tell_of_follow_ups(fresh)
    return len(fresh)


def open_questions(bottleneck: Bottleneck, user: User) -> list[FollowUp]:
    """The questions that the user may answer now: of the last striking off, while it stands."""
    solved = bottleneck.status in Bottleneck.SOLVED and bottleneck.resolved_at
    if not solved or not user.acts_for(bottleneck.organization_id, *FILING_ROLES):
        return []
    return list(bottleneck.follow_ups.filter(resolved_on=timezone.localdate(solved), answer=""))


@by_whom
def answer(question: FollowUp, *, by: User, answer: str, text: str = "") -> FollowUp:
    """Keep the firm's answer, which is given once.

    Raises PermissionDenied for anybody else or a second time, ValidationError when it says too little.
    """
    with transaction.atomic():
        locked = FollowUp.objects.judged("under the lock").select_for_update().get(pk=question.pk)
        if locked not in open_questions(question.bottleneck, by):
            raise PermissionDenied(_("这次回访由提出企业的填报人答复，每次只答复一次。"))
        locked.answer, locked.text = answer, text.strip()
        locked.answered_by, locked.answered_at = by, timezone.now()
        save_checked(locked)
        notices.tell_of_answer(locked)
    question.refresh_from_db()
    return question
