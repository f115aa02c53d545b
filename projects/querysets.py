"""Which projects, consortia, key projects and bottlenecks: the named questions."""

from collections.abc import Collection
from datetime import date
from decimal import Decimal
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any, Self, TypeVar

from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ValidationError
from django.db.models import Case, F, OuterRef, Q, Subquery, Sum, Value, When
from django.db.models.functions import Now, TruncDate
from django.utils.translation import gettext as _

from common.scope import Parts, Scope, Scoped, Viewer, right
from common.verification import REPORTS

if TYPE_CHECKING:
    from enterprises.models import Bureau, IndustryChain
    from projects.models import (
        Bottleneck,
        ChainProject,
        Consortium,
        InspectionReport,
        KeyProject,
        LedgerRow,
        ListedRow,  # noqa: F401 (named in a base)
        Participation,  # noqa: F401 (named in a base)
        PolicyInstrument,
        QualityList,  # noqa: F401 (named in a base)
        QualityMap,  # noqa: F401 (named in a base)
        SpecDemand,
        SpecWait,  # noqa: F401 (named in a base)
    )

Row = TypeVar("Row", bound="LedgerRow")


class LedgerQuerySet(Scoped[Row]):
    def counted(self) -> Self:
        """Rows that may count: neither test nor void (`domain.md` 5.4 rule 9)."""
        return self.filter(is_test=False, voided_at__isnull=True)

    def related_to(self, **lookups: Any) -> Q:
        """A condition for rows with such a related row, free of the doubles that a join would bring."""
        return Q(pk__in=self.model._base_manager.filter(**lookups).values("pk"))


class ChainProjectQuerySet(LedgerQuerySet["ChainProject"]):
    @right
    def visible_to(self, user: Viewer) -> Self:
        """Bureaus see projects accepted in their subtree or joined by it; organisations their own."""
        scope = user.scope
        if scope.everything:
            return self
        seen = scope.within("bureau__path", "chain")
        if scope.is_of_bureau:
            joined = scope.within("regions__path", "chain")
            seen |= Q(pk__in=self.model._base_manager.filter(joined).values("pk"))
        if scope.organization_ids:
            seen |= self.related_to(participations__organization__in=scope.organization_ids)
        return self.filter(seen)

    def executing_at(self, day: date) -> Self:
        """Begun and not closed on a day (`domain.md` I02)."""
        return self.filter(
            Q(closed_on__isnull=True) | Q(closed_on__gt=day), status__in=self.model.BEGUN
        ).filter(start_on__lte=day)

    def search(self, text: str) -> Self:
        """Rows by part of the name, start of the code, or credit code of a participant."""
        text = text.strip()
        if not text:
            return self
        return self.filter(
            Q(name__contains=text)
            | Q(code__startswith=text.upper())
            | self.related_to(participations__organization__uscc=text.upper())
        )


class ParticipationQuerySet(Scoped["Participation"]):
    wholes = ("project",)

    @right
    def visible_to(self, user: Viewer) -> Self:
        """Whom the user's bureaus admitted, and who takes part in the projects that the user may open.

        Only in projects that count.
        """
        project: Any = self.model._meta.get_field("project").related_model
        projects = project._default_manager
        scope = user.scope
        if scope.everything:
            return self.filter(project__in=projects.counted())
        admitted = scope.within("bureau__path", "project__chain") | Q(organization__in=scope.organization_ids)
        return self.filter(
            Q(project__in=projects.visible_to(user).counted()) | admitted & Q(project__in=projects.counted())
        )

    def active_between(self, start: date, end: date) -> Self:
        """Rows in force on any day of the period (`domain.md` I05)."""
        return self.filter(Q(left_on__isnull=True) | Q(left_on__gte=start), joined_on__lte=end)


class ConsortiumQuerySet(LedgerQuerySet["Consortium"]):
    @right
    def visible_to(self, user: Viewer) -> Self:
        """Bureaus see the consortia of their subtree, organisations those they lead or belong to."""
        scope = user.scope
        if scope.everything:
            return self
        seen = scope.within("bureau__path", "chain")
        if scope.organization_ids:
            seen |= Q(lead__in=scope.organization_ids)
            seen |= self.related_to(memberships__organization__in=scope.organization_ids)
        return self.filter(seen)

    def search(self, text: str) -> Self:
        """Rows whose name contains the text, whose code begins with it, or whose lead has the credit code."""
        text = text.strip()
        if not text:
            return self
        return self.filter(
            Q(name__contains=text) | Q(code__startswith=text.upper()) | Q(lead__uscc=text.upper())
        )


class KeyProjectQuerySet(LedgerQuerySet["KeyProject"]):
    @right
    def visible_to(self, user: Viewer) -> Self:
        """Bureaus see the key projects of their projects, organisations those of theirs."""
        scope = user.scope
        if scope.everything:
            return self
        seen = scope.within("project__bureau__path", "project__chain")
        if scope.is_of_bureau:
            joined = scope.within("project__regions__path", "project__chain")
            seen |= Q(pk__in=self.model._base_manager.filter(joined).values("pk"))
        if scope.organization_ids:
            seen |= Q(lead__in=scope.organization_ids)
            seen |= self.related_to(project__participations__organization__in=scope.organization_ids)
        return self.filter(seen)

    def search(self, text: str) -> Self:
        """Rows whose name contains the text, whose code begins with it, or whose lead has the credit code."""
        text = text.strip()
        if not text:
            return self
        return self.filter(
            Q(name__contains=text) | Q(code__startswith=text.upper()) | Q(lead__uscc=text.upper())
        )


# What a search of problems looks at, and how.
SEARCHED = {
    "title": "contains",
    "product": "contains",
    "organization__name": "contains",
    "code": "startswith",
    "organization__uscc": "exact",
}


def _not_at(ends: Collection[str], merged: str, path: str = "") -> Q:
    followed = Q(**{f"{path}status": merged}) & ~Q(**{f"{path}merged_into__status__in": ends})
    return ~Q(**{f"{path}status__in": ends}) | followed


class BottleneckQuerySet(LedgerQuerySet["Bottleneck"]):
    @right
    def visible_to(self, user: Viewer) -> Self:
        """The parties only: the filing firm, the bureau line, the institution it was dispatched to, and while
        it is verified the experts who were asked.

        A draft is seen by its own organisation alone, and by nobody but its filer while the bureau has not
        verified that the filer acts for that organisation.
        """
        return self.filter(self._of_party(user))

    @right
    def shared_with(self, user: Viewer) -> Self:
        """Problems of others that the user may read in part (`field_classes`): bureaus what firms opened to
        them, everybody what was published."""
        rows = self.shared() if user.scope.is_of_bureau else self.published()
        return rows.exclude(self._of_party(user))

    @right
    def shared(self) -> Self:
        """Problems in hand or solved that the firms opened to bureaus everywhere.

        Nothing that was not accepted: nobody has looked yet whether it may be shared at all.
        """
        status = self.model.Status
        return (
            self.counted()
            .filter(visibility__in=("government", "public"), accepted_at__isnull=False)
            .exclude(
                status__in=(status.RETURNED, status.REJECTED, status.WITHDRAWN, status.LAPSED, status.MERGED)
            )
        )

    @right
    def published(self) -> Self:
        """Solved problems that the firms agreed to publish."""
        return self.counted().filter(visibility="public", consent_publish=True, status__in=self.model.SOLVED)

    def _of_party(self, user: Viewer) -> Q:
        scope = user.scope
        own = Q(organization__in=scope.organization_ids, is_provisional=False)
        if scope.person_id:
            own |= Q(is_provisional=True, filer=scope.person_id)
        filed = ~Q(status=self.model.Status.DRAFT)
        if scope.everything:
            return own | filed
        seen = own
        if scope.is_of_bureau:
            seen |= filed & (scope.within("bureau__path", "chain") | scope.within("handler__path", "chain"))
        if scope.organization_ids:
            seen |= filed & Q(assigned_to__in=scope.organization_ids)
        if scope.expert_id:
            opinion: Any = self.model._meta.get_field("opinions").related_model
            asked = opinion._base_manager.filter(expert=scope.expert_id, closed_at__isnull=True)
            seen |= Q(pk__in=asked.exclude(answer="recused").values("bottleneck"))
        return seen

    def open(self) -> Self:
        """Filed and not yet at an end."""
        return self.exclude(status__in=[self.model.Status.DRAFT, *self.model.ENDED])

    def not_at(self, ends: Collection[str]) -> Self:
        """Rows at none of these ends; one that was merged is where its master is."""
        return self.filter(_not_at(ends, self.model.Status.MERGED))

    def solved_in_time(self) -> Self:
        """Struck off on the last day agreed upon, or before: extensions, at most two and with a reason
        (`domain.md` 4.1), move it, and so do contracts and new plans."""
        return self.filter(status__in=self.model.SOLVED, resolved_at__date__lte=F("due_on"))

    def challenged(self) -> Self:
        """Given to whoever holds them by an open challenge; what found no taker, or was dispatched after all,
        is not (`domain.md` 4.5)."""
        status = self.model.Status
        steps: Any = self.model._meta.get_field("transitions").related_model
        given = steps._base_manager.filter(
            bottleneck=OuterRef("pk"), target__in=(status.DISPATCHED, status.AWARDED)
        )
        last = Subquery(given.order_by("-sequence").values("target")[:1])
        return self.filter(route=self.model.Route.CHALLENGE).alias(given=last).filter(given=status.AWARDED)

    def proved(self) -> Self:
        """Struck off, and what was measured afterwards reaches every target (`domain.md` 4.3)."""
        measured: Any = self.model._meta.get_field("measures").related_model
        rows = measured._base_manager
        met = Q(comparison="ge", value_after__gte=F("target")) | Q(
            comparison="le", value_after__lte=F("target")
        )
        short = rows.exclude(Q(value_after__isnull=False) & met)
        return self.filter(status__in=self.model.SOLVED, pk__in=rows.values("bottleneck")).exclude(
            pk__in=short.values("bottleneck")
        )

    def overdue_on(self, day: date) -> Self:
        """Open rows whose running clock is past its day (`domain.md` 4.1: red)."""
        return self.open().exclude(status__in=self.model.PAUSED).filter(clock_due_on__lt=day)

    def due_soon_on(self, day: date) -> Self:
        """Rows of which seven tenths of the running limit are used up (`domain.md` 4.1: amber)."""
        running = self.open().exclude(status__in=self.model.PAUSED)
        return running.filter(clock_amber_on__lte=day, clock_due_on__gte=day)

    def masters(self) -> Self:
        """Merged children out: the master stands for all of them (`domain.md` 5.4 rule 8)."""
        return self.filter(merged_into__isnull=True)

    def search(self, text: str, among: Collection[str] = SEARCHED) -> Self:
        """Rows by part of title, product or firm, start of the code, or credit code of the firm.

        ``among`` are the columns to look at: what a reader may not see, it may not find either.
        """
        text = text.strip()
        if not text:
            return self
        found = [
            Q(**{f"{path}__{SEARCHED[path]}": text if SEARCHED[path] == "contains" else text.upper()})
            for path in among
        ]
        return self.filter(reduce(or_, found))

    def for_lists(self) -> Self:
        """Everything that one line of a list shows, in one query."""
        return self.select_related("organization", "chain", "handler", "assigned_to")

    def by_clock(self) -> Self:
        """The most urgent clock first; rows without a clock last, the oldest first."""
        return self.order_by(F("clock_due_on").asc(nulls_last=True), "submitted_at", "pk")


class QualityMapQuerySet(Scoped["QualityMap"]):
    @right
    def visible_to(self, user: Viewer | AnonymousUser) -> Self:
        """Bureaus see every version of their subtree; what was published for the public sees everybody."""
        scope: Scope = getattr(user, "scope", Scope())
        if scope.everything:
            return self
        return self.filter(
            Q(is_public=True, status__in=self.model.FROZEN) | scope.within("bureau__path", "chain")
        )

    def published(self) -> Self:
        """The versions that stand now."""
        return self.filter(status=self.model.Status.PUBLISHED)

    def newest_first(self) -> Self:
        """The widest unit first, of each the newest version."""
        return self.order_by("bureau__level", "bureau__code", "-version")


class InspectionReportQuerySet(Scoped["InspectionReport"]):
    @right
    def visible_to(self, user: Viewer) -> Self:
        """The institution's own, and for bureaus those of the institutions of their subtree.

        Reports have no chain: whoever sees one chain only sees none of them.
        """
        scope = user.scope
        if scope.everything:
            return self
        return self.filter(
            scope.within("institution__bureau__path") | Q(institution__in=scope.organization_ids)
        )

    def rivals_of(self, report: "InspectionReport") -> Self:
        """Other valid reports that claim the file of a valid one."""
        status = self.model.Status
        if report.status != status.VALID:
            return self.none()
        return self.filter(sha256=report.sha256, status=status.VALID).exclude(pk=report.pk)

    @right
    def told_to_anybody(self) -> Self:
        """For whoever holds the paper or its code, who is told what the paper says and no more."""
        return self

    def search(self, text: str) -> Self:
        """Rows by part of number, sample, client or institution, or by the code."""
        text = text.strip()
        if not text:
            return self
        return self.filter(
            Q(report_no__icontains=text)
            | Q(sample__contains=text)
            | Q(client__contains=text)
            | Q(institution__name__contains=text)
            | Q(verification_code=REPORTS.normalise(text))
        )


class SpecDemandQuerySet(Scoped["SpecDemand"]):
    @right
    def visible_to(self, user: Viewer) -> Self:
        """For bureaus the demands of their subtree and those of the bureaus above them, for which their own
        problems may wait as well. Firms read of one on the page of their problem."""
        scope = user.scope
        if scope.everything:
            return self
        seen = scope.within("bureau__path", "chain")
        for path in scope.bureau_paths:
            seen |= Q(bureau__path__in=_above(path))
        for reach in scope.reaches:
            seen |= Q(bureau__path__in=_above(reach.path), chain=reach.chain_id)
        return self.filter(seen)

    def open(self) -> Self:
        """Asked of a committee, and neither published nor given up."""
        return self.filter(status__in=self.model.OPEN)

    def search(self, text: str) -> Self:
        """Rows by part of name, quantity or committee, or by the start of one of the numbers."""
        text = text.strip()
        if not text:
            return self
        return self.filter(
            Q(title__contains=text)
            | Q(quantity__contains=text)
            | Q(committee__name__contains=text)
            | Q(code__startswith=text.upper())
            | Q(plan_no__startswith=text)
            | Q(published_no__startswith=text)
        )


def _above(path: str) -> list[str]:
    """000000/320000/320500/ → 000000/, 000000/320000/"""
    codes = path.strip("/").split("/")
    return ["/".join(codes[:depth]) + "/" for depth in range(1, len(codes))]


class SpecWaitQuerySet(Scoped["SpecWait"]):
    # Not the demand: several firms wait for one.
    wholes = ("bottleneck",)

    @right
    def visible_to(self, user: Viewer) -> Self:
        """For those who see the problem and the demand."""
        fields: Any = self.model._meta
        demands = fields.get_field("demand").related_model._default_manager.visible_to(user)
        problems = fields.get_field("bottleneck").related_model._default_manager.visible_to(user)
        return self.filter(demand__in=demands, bottleneck__in=problems)

    def search(self, text: str) -> Self:
        """Rows by part of the problem's or the demand's title, or by the start of one of the numbers."""
        text = text.strip()
        if not text:
            return self
        return self.filter(
            Q(bottleneck__title__contains=text)
            | Q(demand__title__contains=text)
            | Q(bottleneck__code__startswith=text.upper())
            | Q(demand__code__startswith=text.upper())
            | Q(demand__plan_no__startswith=text)
        )

    def waiting(self) -> Self:
        """The committee has not published, and the problem, or its master, is not at its end."""
        demand: Any = self.model._meta.get_field("demand").related_model
        problem: Any = self.model._meta.get_field("bottleneck").related_model
        return self.filter(
            _not_at(problem.ENDED, problem.Status.MERGED, "bottleneck__"),
            demand__status__in=demand.OPEN,
            bottleneck__voided_at__isnull=True,
        )

    def on(self, demand: "SpecDemand") -> Self:
        """Those that wait for the demand; of one that is open no more, those that have waited."""
        rows = self.filter(demand=demand)
        return rows.waiting() if demand.status in demand.OPEN else rows


# --- Lists ------------------------------------------------------------------------------------------------


class PolicyInstrumentQuerySet(LedgerQuerySet["PolicyInstrument"]):
    @right
    def visible_to(self, user: Viewer) -> Self:
        """Policies are public: everybody reads those in the ledger, bureaus also what they struck out."""
        scope = user.scope
        if scope.everything:
            return self
        return self.filter(Q(is_test=False, voided_at__isnull=True) | scope.within("bureau__path"))

    def valid_on(self, day: date) -> Self:
        return self.not_over_on(day).filter(valid_from__lte=day)

    def not_over_on(self, day: date) -> Self:
        return self.filter(Q(valid_to__isnull=True) | Q(valid_to__gte=day))

    def for_chain(self, chain: "IndustryChain | int") -> Self:
        """Those that name the chain, and those that name none and so are for all."""
        named = self.model.chains.through._base_manager.values("policyinstrument")
        return self.filter(self.related_to(chains=chain) | ~Q(pk__in=named))

    def at_hand_in(self, bureau: "Bureau") -> Self:
        """On offer to firms of the bureau: its own and those of the bureaus over it."""
        return self.filter(bureau__code__in=bureau.path.split("/")[:-1])

    def search(self, text: str) -> Self:
        """Rows by part of title, department or document number."""
        text = text.strip()
        if not text:
            return self
        return self.filter(Q(title__contains=text) | Q(department__contains=text) | Q(doc_no__contains=text))


class QualityListQuerySet(Scoped["QualityList"]):
    @right
    def visible_to(self, user: Viewer | AnonymousUser) -> Self:
        """Published versions are there for everybody, drafts for the bureau line (of the chain)."""
        scope = getattr(user, "scope", Scope())
        if scope.everything:
            return self
        return self.filter(Q(status__in=self.model.FROZEN) | scope.within("bureau__path", "chain"))

    def of(self, chain: "IndustryChain", bureau: "Bureau", kind: str) -> Self:
        """All versions of one list, the newest first."""
        return self.filter(chain=chain, bureau=bureau, kind=kind).order_by("-version")

    def search(self, text: str) -> Self:
        """Rows by part of the names of chain or bureau."""
        text = text.strip()
        return self.filter(Q(chain__name__contains=text) | Q(bureau__name__contains=text)) if text else self

    def refuse_frozen(self) -> None:
        """Raise ValidationError when one of the rows is published."""
        if self.judged("whether it is frozen").filter(status__in=self.model.FROZEN).exists():
            raise ValidationError(_("已发布的清单不能修改；有变化时请起草新的版本。"))

    def update(self, **kwargs: Any) -> int:
        self.refuse_frozen()
        return super().update(**kwargs)

    def delete(self) -> tuple[int, dict[str, int]]:
        self.refuse_frozen()
        return super().delete()


class ListedRowQuerySet(Parts["ListedRow"]):
    wholes = ("quality_list",)

    def refuse_frozen(self) -> None:
        """Raise ValidationError when one of the rows belongs to a published list."""
        lists: Any = self.model._meta.get_field("quality_list").related_model
        keys = self.judged("whether it is frozen").order_by().values("quality_list")
        lists._default_manager.filter(pk__in=keys).refuse_frozen()

    def update(self, **kwargs: Any) -> int:
        self.refuse_frozen()
        return super().update(**kwargs)

    def delete(self) -> tuple[int, dict[str, int]]:
        self.refuse_frozen()
        return super().delete()


# --- Parts ------------------------------------------------------------------------------------------------


class OfProject(Parts[Any]):
    wholes = ("project",)


# In which state a goal is today; one that starts above its target is to fall.
_MET = Q(base__gt=F("target"), reached__lte=F("target")) | ~Q(base__gt=F("target")) & Q(
    reached__gte=F("target")
)
GOAL_STATE = Case(
    When(Q(reached__isnull=False) & _MET, then=Value("reached")),
    When(due_on__lt=TruncDate(Now()), then=Value("late")),
    default=Value("open"),
)


class ProjectGoalQuerySet(OfProject):
    def with_state(self) -> Self:
        return self.annotate(state=GOAL_STATE)

    def search(self, text: str) -> Self:
        """Rows by part of the goal or of the project's name, or by the start of the project's number."""
        text = text.strip()
        if not text:
            return self
        return self.filter(
            Q(indicator__contains=text)
            | Q(project__name__contains=text)
            | Q(project__code__startswith=text.upper())
        )


class OfConsortium(Parts[Any]):
    wholes = ("consortium",)


class OfKeyProject(Parts[Any]):
    wholes = ("key_project",)


class InvestmentQuerySet(OfKeyProject):
    @right
    def visible_to(self, viewer: Viewer) -> Self:
        """For bureaus what was paid in projects or by firms of their subtree, for organisations what they
        paid themselves: those who work together on a key project may compete elsewhere."""
        rows, scope = super().visible_to(viewer), viewer.scope
        if scope.everything:
            return rows
        chain = "key_project__project__chain"
        return rows.filter(
            scope.within("key_project__project__bureau__path", chain)
            | scope.within("organization__bureau__path", chain)
            | Q(organization__in=scope.organization_ids)
        )

    def sum_for(self, viewer: Viewer) -> Decimal | None:
        """What was paid in all; None where that would tell what a single other firm paid."""
        seen = self.visible_to(viewer)
        hidden = self.judged("a number only").exclude(pk__in=seen.order_by().values("pk"))
        if hidden.order_by().values("organization").distinct().count() == 1:
            return None
        return self.judged("a sum only").aggregate(total=Sum("amount"))["total"]


class OfBottleneck(Parts[Any]):
    wholes = ("bottleneck",)


class OfDemand(Parts[Any]):
    wholes = ("demand",)


class OfTwins(Scoped[Any]):
    wholes = ("first", "second")

    @right
    def visible_to(self, viewer: Viewer) -> Self:
        """What was judged of two problems, for those who see both."""
        problems: Any = self.model._meta.get_field("first").related_model
        seen = problems._default_manager.visible_to(viewer)
        return self.filter(first__in=seen, second__in=seen)
