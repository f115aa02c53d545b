"""Which periods, snapshots and bulletins: the named questions."""

from datetime import date
from typing import TYPE_CHECKING, Any, Self

from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Case, CharField, Exists, F, OuterRef, Q, Value, When
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import Role, User
from common.jobs import JobQuerySet
from common.scope import Scoped, right
from enterprises.models import Bureau

if TYPE_CHECKING:
    from bulletins.models import Bulletin, Period, Snapshot


class PeriodQuerySet(models.QuerySet["Period"]):
    def published(self) -> Self:
        """Periods whose figures the public reads, the latest first."""
        return self.filter(status__in=self.model.PUBLIC)

    def collecting(self) -> Self:
        """Periods whose figures are being confirmed: the cut-off is passed, the freeze is not."""
        return self.filter(status=self.model.Status.OPEN, is_collected=True, end_on__lt=timezone.localdate())

    def staged(self) -> Self:
        """With the `stage` of each.

        A collected period is collected until every province has handed in its figures or is excused; what is
        not collected goes to the nation's review at once.
        """
        stage, today = self.model.Stage, timezone.localdate()
        handed_in: Any = self.model.submissions.rel.related_model._base_manager.filter(
            period=OuterRef(OuterRef("pk")), bureau=OuterRef("pk")
        )
        excused: Any = self.model.excuses.rel.related_model._base_manager.filter(
            Q(period=OuterRef(OuterRef("pk"))) | Q(until__gte=today),
            bureau=OuterRef("pk"),
            lifted_at__isnull=True,
        )
        lacking = Bureau.objects.reporting_rows().exclude(
            Exists(handed_in.filter(status__in=handed_in.model.STANDING))
        )
        lacking = lacking.exclude(Exists(excused)).order_by()
        return self.annotate(
            stage=Case(
                When(~Q(status=self.model.Status.OPEN), then=F("status")),
                When(end_on__gte=today, then=Value(stage.OPEN)),
                When(Q(is_collected=True) & Exists(lacking), then=Value(stage.COLLECTING)),
                default=Value(stage.REVIEWING),
                output_field=CharField(choices=stage.choices),
            )
        )


class SubmissionQuerySet(Scoped[Any]):
    @right
    def visible_to(self, user: User | AnonymousUser) -> Self:
        """Unpublished figures are for the unit and those above it; whoever reads one chain reads none."""
        return self.filter(user.scope.within("bureau__path")) if isinstance(user, User) else self.none()


class ExcuseQuerySet(Scoped[Any]):
    @right
    def visible_to(self, user: User | AnonymousUser) -> Self:
        return self.filter(user.scope.within("bureau__path")) if isinstance(user, User) else self.none()

    def in_force(self, period: "Period", day: date) -> Self:
        """Those by which units need not confirm a period on a day."""
        return self.filter(Q(period=period) | Q(until__gte=day), lifted_at__isnull=True)


class SnapshotQuerySet(JobQuerySet["Snapshot"]):
    def readable(self) -> Self:
        """Finished roll-ups only, the newest of a period first."""
        newest = F("finished_at").desc(nulls_last=True)
        return self.filter(job_state=self.model.State.DONE).order_by("-version", newest, "-pk")

    def frozen(self) -> Self:
        """Numbered versions that are finished: nothing of them changes any more."""
        return self.filter(job_state=self.model.State.DONE, version__gt=0)

    def jobs(self) -> Self:
        """What people wait for or look at, the first matter first: work under way, then a freeze that failed.

        The turns that live roll-ups take by themselves are none of it, unless one fails.
        """
        state = self.model.State
        turns = Q(version=0, is_live=True, created_by=None, finished_at__isnull=False)
        under_way = Q(job_state__in=[state.QUEUED, state.RUNNING])
        failed = Q(version__gt=0, job_state=state.FAILED)
        rank = Case(When(under_way, then=0), When(failed, then=1), default=2)
        return self.exclude(turns & ~Q(job_state=state.FAILED)).order_by(
            rank, "-version", "-created_at", "-pk"
        )

    def refuse_frozen(self) -> None:
        """Raise ValidationError when one of the rows is a frozen version."""
        if self.frozen().exists():
            raise ValidationError(_("冻结的快照不能修改；需要更正时，请写明原因，重新冻结为新版本。"))

    def update(self, **kwargs: Any) -> int:
        self.refuse_frozen()
        return super().update(**kwargs)

    def delete(self) -> tuple[int, dict[str, int]]:
        self.refuse_frozen()
        return super().delete()


class OfSnapshot(models.QuerySet[Any]):
    """Figures and counted rows, which stay with the snapshot that they belong to."""

    def refuse_frozen(self) -> None:
        self._of(self.order_by().values("snapshot")).refuse_frozen()

    def _of(self, keys: Any) -> SnapshotQuerySet:
        snapshots: Any = self.model._meta.get_field("snapshot").related_model
        return snapshots.objects.filter(pk__in=keys)

    def bulk_create(self, objs: Any, *args: Any, **kwargs: Any) -> list[Any]:
        rows = list(objs)
        self._of({row.snapshot_id for row in rows}).refuse_frozen()
        return super().bulk_create(rows, *args, **kwargs)

    def update(self, **kwargs: Any) -> int:
        self.refuse_frozen()
        # Rows go into no frozen version either; where to must be named.
        for target in (kwargs[name] for name in ("snapshot", "snapshot_id") if name in kwargs):
            if hasattr(target, "resolve_expression"):
                raise TypeError("name the snapshot")
            self._of([getattr(target, "pk", target)]).refuse_frozen()
        return super().update(**kwargs)

    def delete(self) -> tuple[int, dict[str, int]]:
        self.refuse_frozen()
        return super().delete()


class BulletinQuerySet(Scoped["Bulletin"], JobQuerySet["Bulletin"]):  # type: ignore[override]
    @right
    def public(self) -> Self:
        """What was issued, replaced and withdrawn ones included, so that a printed copy can be checked."""
        return self.exclude(status__in=self.model.PREPARING)

    @right
    def visible_to(self, user: User | AnonymousUser) -> Self:
        """Issued bulletins are public; drafts are for statisticians, auditors, administrators of the line.

        A bulletin speaks of every chain, so whoever reads one chain only reads no drafts.
        """
        seen = ~Q(status__in=self.model.PREPARING)
        if isinstance(user, User):
            for grant in user.grants_of(Role.STATISTICIAN, Role.ADMINISTRATOR, Role.AUDITOR):
                if grant.bureau and not grant.chain_id:
                    seen |= Q(bureau__path__startswith=grant.bureau.path)
        return self.filter(seen)


class SeriesQuerySet(Scoped[Any]):
    @right
    def visible_to(self, user: User | AnonymousUser) -> Self:
        """What is issued by itself is the business of the unit and of those above it."""
        return self.filter(user.scope.within("bureau__path")) if isinstance(user, User) else self.none()


class EditionQuerySet(Scoped[Any], JobQuerySet[Any]):  # type: ignore[override]
    wholes = ("series",)
