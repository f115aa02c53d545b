"""Which bureaus, divisions, chains and organisations: the named questions."""

from datetime import date
from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models import Exists, OuterRef, Q

from common.scope import Scoped, Viewer, right

if TYPE_CHECKING:
    from enterprises.models import (  # noqa: F401 (the base)
        BoundaryChange,
        Bureau,
        Division,
        IndustryChain,
        Organization,
    )


class DivisionQuerySet(models.QuerySet["Division"]):
    def valid_on(self, day: date) -> Self:
        """Divisions that exist on a day (`domain.md` 3.2)."""
        return self.filter(Q(valid_from__lte=day), Q(valid_to__isnull=True) | Q(valid_to__gt=day))


class BureauQuerySet(models.QuerySet["Bureau"]):
    def in_force(self) -> Self:
        """The bureaus of now, without those that were merged or split up."""
        return self.filter(valid_to__isnull=True)

    def within(self, bureau: "Bureau") -> Self:
        """The bureau itself and everything that reports to it, directly or through others; with bureaus
        that were merged into one of these."""
        return self.filter(path__startswith=bureau.path)

    def above(self, bureau: "Bureau") -> Self:
        """The bureaus on the reporting line over this one, the nearest last."""
        return self.filter(code__in=bureau.path.split("/")[:-2]).order_by("level")

    def reporting_rows(self) -> Self:
        """The rows of the national table: 31 provinces in code order and the corps last (`domain.md` 3.2)."""
        return self.in_force().filter(level=self.model.Level.PROVINCE).order_by("code")


class BoundaryChangeQuerySet(Scoped["BoundaryChange"]):
    @right
    def visible_to(self, user: Viewer) -> Self:
        """What was carried out everybody may know; plans, those over one of the units."""
        scope = user.scope
        if scope.everything:
            return self
        # In two steps: a change has many units, and is told once.
        parts = self.model.parts.rel.related_model._base_manager.filter(scope.within("bureau__path"))
        return self.filter(Q(state=self.model.State.DONE) | Q(pk__in=parts.values("change")))

    @right
    def done(self) -> Self:
        """What was carried out is known to everybody."""
        return self.filter(state=self.model.State.DONE)

    def of(self, bureaus: "models.QuerySet[Bureau] | list[Bureau]") -> Self:
        """Changes in which one of the bureaus took part."""
        parts = self.model.parts.rel.related_model._base_manager.filter(bureau__in=bureaus)
        return self.filter(pk__in=parts.values("change"))


class ChainQuerySet(models.QuerySet["IndustryChain"]):
    def offered(self, line: list[str], day: date) -> Self:
        """Valid on the day and in a catalogue of one of the bureaus, given by their codes."""
        return self.valid_on(day).filter(bureau__code__in=line)

    def valid_on(self, day: date) -> Self:
        """Chains that new rows may name on a day (`domain.md` V11)."""
        return self.filter(Q(valid_from__lte=day), Q(valid_to__isnull=True) | Q(valid_to__gt=day))

    def search(self, text: str) -> Self:
        """Rows whose name contains the text, or whose code begins with it."""
        text = text.strip()
        return self.filter(Q(name__contains=text) | Q(code__startswith=text.upper())) if text else self


class OrganizationQuerySet(Scoped["Organization"]):
    @right
    def visible_to(self, user: Viewer) -> Self:
        """Bureaus see the organisations they serve; an organisation sees itself and the institutions.

        Organisations have no chain of their own. Whoever serves one chain only sees those that take part in a
        project of the chain or have filed a problem of it. Those that are not verified yet nobody sees here.
        """
        scope = user.scope
        if scope.everything:
            return self.verified()
        seen = scope.within("bureau__path") | Q(pk__in=scope.organization_ids)
        for reach in scope.reaches:
            seen |= Q(bureau__path__startswith=reach.path) & self._on_chain(reach.chain_id)
        if scope.organization_ids:
            seen |= Q(institution_profile__isnull=False)
        return self.verified().filter(seen)

    def verified(self) -> Self:
        """The ledger: without those that have registered and that no bureau has verified."""
        return self.exclude(status=self.model.Status.APPLYING)

    def _on_chain(self, chain_id: int) -> Q:
        participations = self.model.participations.rel.related_model._base_manager
        problems = self.model.bottlenecks.rel.related_model._base_manager
        taking_part = participations.filter(project__chain=chain_id)
        filed = problems.filter(chain=chain_id).exclude(status="draft")
        return Q(pk__in=taking_part.values("organization")) | Q(pk__in=filed.values("organization"))

    @right
    def readable_by(self, user: Viewer) -> Self:
        """What is visible, and every institution: bureaus dispatch to any of them, firms look for help."""
        scope = user.scope
        if scope.everything or not (scope.is_of_bureau or scope.organization_ids):
            return self.visible_to(user)
        return self.filter(
            Q(pk__in=self.visible_to(user).values("pk")) | Q(institution_profile__isnull=False)
        )

    def taking_part(
        self,
        *,
        role: str = "",
        chain: "IndustryChain | None" = None,
        in_bureau: "Bureau | None" = None,
        active_from: date | None = None,
        active_to: date | None = None,
    ) -> Self:
        """Rows with one participation of this kind in a project that counts (`domain.md` I05, I07, I09).

        A member that leads the same project is its leader and not its member. ``in_bureau`` is the subtree
        of the unit that admitted the organisation.
        """
        participations = self.model.participations.rel.related_model._base_manager.filter(
            project__is_test=False, project__voided_at__isnull=True
        )
        if role:
            participations = participations.filter(role=role)
        if role == "member":
            leading = participations.model._base_manager.filter(
                role="leader", project=OuterRef("project"), organization=OuterRef("organization")
            )
            participations = participations.filter(~Exists(leading))
        if chain:
            participations = participations.filter(project__chain=chain)
        if in_bureau:
            participations = participations.filter(bureau__path__startswith=in_bureau.path)
        if active_from:
            participations = participations.filter(Q(left_on__isnull=True) | Q(left_on__gte=active_from))
        if active_to:
            participations = participations.filter(joined_on__lte=active_to)
        return self.filter(pk__in=participations.values("organization"))

    def enterprises(self) -> Self:
        """Registered businesses, whatever roles they play in projects."""
        return self.filter(legal_form=self.model.LegalForm.ENTERPRISE)

    def institutions(self) -> Self:
        """Bodies that give metrology, standards, testing or other technical help."""
        return self.filter(institution_profile__isnull=False)

    def search(self, text: str) -> Self:
        """Rows whose name contains the text, or whose credit code begins with it."""
        text = text.strip()
        return self.filter(Q(name__contains=text) | Q(uscc__startswith=text.upper())) if text else self
