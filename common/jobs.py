"""Work that outlives a request: the database row is the job, the broker only the doorbell."""

import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Protocol, Self, TypeVar

from django.core.exceptions import ValidationError
from django.db import OperationalError, models, transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

# Renewed at every stage of the work, so that the job of a killed worker starts again soon.
LEASE = timedelta(seconds=60)
MAX_ATTEMPTS = 5
JobRow = TypeVar("JobRow", bound="Job")


class LeaseLost(Exception):
    """Another worker has taken the job over; whatever this one made must not be stored."""


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

    def claim(self, pk: int, now: datetime | None = None) -> JobRow | None:
        """Take the job for one lease; None when somebody else holds it or it is finished."""
        now = now or timezone.now()
        token = uuid.uuid4()
        self.lying(now).filter(pk=pk, attempts__lt=MAX_ATTEMPTS).update(
            job_state=Job.State.RUNNING,
            held_by=token,
            lease_until=now + LEASE,
            attempts=F("attempts") + 1,
            progress=0,
            error="",
        )
        return self.filter(pk=pk, held_by=token).first()

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
    held_by = models.UUIDField(_("占用标识"), null=True, editable=False)
    lease_until = models.DateTimeField(_("占用至"), null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(_("尝试次数"), default=0)
    error = models.TextField(_("失败原因"), blank=True)

    class Meta:
        abstract = True

    @property
    def is_under_way(self) -> bool:
        return self.job_state in (self.State.QUEUED, self.State.RUNNING)

    def queue_anew(self) -> None:
        """Have it done from the start, whatever became of it; to be saved. A worker that still holds it
        loses its lease and stores nothing."""
        self.job_state, self.attempts, self.progress = self.State.QUEUED, 0, 0
        self.held_by, self.lease_until, self.error = None, None, ""

    def report_progress(self, percent: int) -> None:
        """Store the progress and renew the lease; raises LeaseLost when the job is no longer ours."""
        self._update_while_held(progress=percent, lease_until=timezone.now() + LEASE)

    def finish(self, **results: Any) -> None:
        """Store the results and the end of the job in one statement, or raise LeaseLost and store nothing."""
        done = {"job_state": self.State.DONE, "progress": 100, "lease_until": None}
        self._update_while_held(**results, **done)

    def _update_while_held(self, **values: Any) -> None:
        held = type(self)._base_manager.filter(pk=self.pk, held_by=self.held_by, job_state=self.State.RUNNING)
        if not held.update(**values):
            raise LeaseLost
        for name, value in values.items():
            setattr(self, name, value)


def ring(task: Task, *keys: int) -> None:
    """Ask a worker to look at a job row, or at all that wait, once the surrounding transaction is committed.

    A broker that is away costs time only: the periodic sweep rings again for rows left lying.
    """

    def send() -> None:
        task.apply_async(args=list(keys), ignore_result=True, retry=False)

    transaction.on_commit(send, robust=True)


def run_claimed(queryset: JobQuerySet[JobRow], pk: int, work: Callable[[JobRow], None]) -> bool:
    """Claim job ``pk`` and run ``work`` on its row, which calls `finish`; False when the job is not ours.

    A failure is noted on the row and raised; a database that is busy leaves the job for the next sweep.
    """
    job = queryset.claim(pk)
    if job is None:
        return False
    held = queryset.filter(pk=pk, held_by=job.held_by, job_state=Job.State.RUNNING)
    try:
        work(job)
    except LeaseLost:
        return False
    except OperationalError:
        held.update(job_state=Job.State.QUEUED, lease_until=None)
        raise
    except Exception as error:
        words = " ".join(error.messages) if isinstance(error, ValidationError) else str(error)
        held.update(job_state=Job.State.FAILED, error=words[:2000], lease_until=None)
        raise
    return True
