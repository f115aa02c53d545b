"""Which periods, snapshots and bulletins: the named questions."""

from typing import TYPE_CHECKING, Self

from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models import Q

from accounts.models import Role, User
from common.jobs import JobQuerySet
from common.scope import Scoped, right

if TYPE_CHECKING:
    from bulletins.models import Bulletin, Period, Snapshot


class PeriodQuerySet(models.QuerySet["Period"]):
    def published(self) -> Self:
        """Periods whose figures the public reads, the latest first."""
        return self.filter(status=self.model.Status.PUBLISHED)


class SnapshotQuerySet(JobQuerySet["Snapshot"]):
    def readable(self) -> Self:
        """Finished roll-ups only, the newest of a period first."""
        return self.filter(job_state=self.model.State.DONE).order_by("-version", "-pk")


class BulletinQuerySet(Scoped["Bulletin"], JobQuerySet["Bulletin"]):  # type: ignore[override]
    @right
    def public(self) -> Self:
        """What was issued, replaced and withdrawn ones included, so that a printed copy can be checked."""
        return self.exclude(status=self.model.Status.DRAFT)

    @right
    def visible_to(self, user: User | AnonymousUser) -> Self:
        """Issued bulletins are public; drafts are for statisticians, auditors, administrators of the line.

        A bulletin speaks of every chain, so whoever reads one chain only reads no drafts.
        """
        seen = ~Q(status=self.model.Status.DRAFT)
        if isinstance(user, User):
            for grant in user.grants_of(Role.STATISTICIAN, Role.ADMINISTRATOR, Role.AUDITOR):
                if grant.bureau and not grant.chain_id:
                    seen |= Q(bureau__path__startswith=grant.bureau.path)
        return self.filter(seen)
