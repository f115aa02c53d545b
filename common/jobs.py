"""Work that outlives a request: the database row is the job, the broker only the doorbell."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Protocol, Self, TypeVar

from django.db import models, transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

LEASE = timedelta(minutes=2)
MAX_ATTEMPTS = 5
JobRow = TypeVar("JobRow", bound="Job")


class Task(Protocol):
    """A Celery task, as far as it is rung here."""

    def apply_async(self, *, args: list[int], ignore_result: bool, retry: bool) -> object: ...


class JobQuerySet(models.QuerySet[JobRow]):
    def lying(self, now: datetime | None = None) -> Self:
        """Jobs that nobody works on: queued, or running under a lease that has run out."""
        now = now or timezone.now()
        return self.filter(
            Q(job_state=Job.State.QUEUED) | Q(job_state=Job.State.RUNNING, lease_until__lt=now)
        )

    def claim(self, pk: int, now: datetime | None = None) -> bool:
        """Take the job for one lease; False when somebody else holds it or it is finished."""
        now = now or timezone.now()
        taken = (
            self.lying(now)
            .filter(pk=pk, attempts__lt=MAX_ATTEMPTS)
            .update(
                job_state=Job.State.RUNNING,
                lease_until=now + LEASE,
                attempts=F("attempts") + 1,
                progress=0,
                error="",
            )
        )
        return bool(taken)

    def give_up_exhausted(self, now: datetime | None = None) -> int:
        """Mark jobs whose every attempt died with its worker as failed; returns how many."""
        return (
            self.lying(now)
            .filter(attempts__gte=MAX_ATTEMPTS)
            .update(job_state=Job.State.FAILED, error=_("工作进程多次中断，任务未能完成。"))
        )


class Job(models.Model):
    class State(models.TextChoices):
        QUEUED = "queued", _("排队中")
        RUNNING = "running", _("进行中")
        DONE = "done", _("已完成")
        FAILED = "failed", _("失败")

    job_state = models.CharField(
        _("任务状态"), max_length=8, choices=State, default=State.QUEUED, db_index=True
    )
    progress = models.PositiveSmallIntegerField(_("进度（%）"), default=0)
    lease_until = models.DateTimeField(_("占用至"), null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(_("尝试次数"), default=0)
    error = models.TextField(_("失败原因"), blank=True)

    class Meta:
        abstract = True

    def report_progress(self, percent: int) -> None:
        """Store the progress and renew the lease; callable outside and inside transactions."""
        self.progress = percent
        self.lease_until = timezone.now() + LEASE
        type(self)._base_manager.filter(pk=self.pk).update(progress=percent, lease_until=self.lease_until)


def ring(task: Task, pk: int) -> None:
    """Ask a worker to look at a job row once the surrounding transaction is committed.

    A broker that is away costs time only: the periodic sweep rings again for rows left lying.
    """

    def send() -> None:
        task.apply_async(args=[pk], ignore_result=True, retry=False)

    transaction.on_commit(send, robust=True)


def run_claimed(queryset: JobQuerySet[Any], pk: int, work: Callable[[], None]) -> bool:
    """Claim job ``pk``, run ``work`` and note how it ended; False when there was nothing to claim."""
    if not queryset.claim(pk):
        return False
    rows = queryset.filter(pk=pk)
    try:
        work()
    except Exception as error:
        rows.update(job_state=Job.State.FAILED, error=str(error)[:2000], lease_until=None)
        raise
    rows.update(job_state=Job.State.DONE, progress=100, lease_until=None)
    return True
