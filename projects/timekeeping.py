"""What time itself does to problems: lapses, archives, reports upwards, and asks for the monthly report.

Run late or twice a day, it does the same once: every step is a move of the table, which refuses what is not
due and what was done.
"""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.utils import timezone

from common.scope import system_job
from projects import notices, services
from projects.models import Bottleneck

S = Bottleneck.Status


@system_job("keep time")
def keep_time(today: date | None = None) -> int:
    """Make every move that is due on the day; returns how many were made."""
    today = today or timezone.localdate()
    at = min(timezone.now(), timezone.make_aware(datetime.combine(today, time.max)))
    made = 0
    for name, pk in due_on(today):
        try:
            services.move(Bottleneck.objects.get(pk=pk), name, by=None, at=at)
        except (PermissionDenied, services.StaleRow):
            continue  # not due yet by working days, or somebody came first
        made += 1
    notices.ask_for_reports(today)
    return made


def due_on(today: date) -> Iterator[tuple[str, int]]:
    """Moves that may be due, as name and key; the table has the last word."""
    rows = Bottleneck.objects.filter(voided_at__isnull=True).order_by("pk")
    year_ago = timezone.make_aware(datetime.combine(today - timedelta(days=365), time.max))
    late = today - timedelta(days=settings.ESCALATE_AFTER_WORKING_DAYS)
    for name, found in (
        ("lapse", rows.filter(status=S.RETURNED, clock_due_on__lt=today)),
        ("archive", rows.filter(status=S.RESOLVED, resolved_at__lte=year_ago)),
        ("report_up", rows.overdue_on(late + timedelta(days=1)).filter(escalated_to__isnull=True)),
    ):
        for pk in list(found.values_list("pk", flat=True)):
            yield name, pk
