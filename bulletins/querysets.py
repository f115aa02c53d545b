"""Which periods, snapshots and bulletins: the named questions."""

from django.db import models
from django.db.models import Q

from accounts.models import Role
from common.jobs import JobQuerySet


class PeriodQuerySet(models.QuerySet):
    def published(self):
        """Periods whose figures the public reads, the latest first."""
        return self.filter(status=self.model.Status.PUBLISHED)


class SnapshotQuerySet(JobQuerySet):
    def readable(self):
        """Finished roll-ups only, the newest of a period first."""
        return self.filter(job_state=self.model.State.DONE).order_by("-version", "-pk")


class BulletinQuerySet(JobQuerySet):
    def public(self):
        """What was issued, replaced and withdrawn ones included, so that a printed copy can be checked."""
        return self.exclude(status=self.model.Status.DRAFT)

    def visible_to(self, user):
        """Issued bulletins are public; drafts are seen by statisticians, auditors and administrators of the line."""
        seen = ~Q(status=self.model.Status.DRAFT)
        if user.is_authenticated:
            for grant in user.grants_of(Role.STATISTICIAN, Role.ADMINISTRATOR, Role.AUDITOR):
                seen |= Q(bureau__path__startswith=grant.bureau.path)
        return self.filter(seen)
