"""Which bureaus, divisions, chains and organisations: the named questions."""

from datetime import date

from django.db import models
from django.db.models import Q


class DivisionQuerySet(models.QuerySet):
    def valid_on(self, day: date):
        """Divisions that exist on a day (`domain.md` 3.2)."""
        return self.filter(Q(valid_from__lte=day), Q(valid_to__isnull=True) | Q(valid_to__gt=day))


class BureauQuerySet(models.QuerySet):
    def within(self, bureau):
        """The bureau itself and everything that reports to it, directly or through others."""
        return self.filter(path__startswith=bureau.path)

    def above(self, bureau):
        """The bureaus on the reporting line over this one, the nearest last."""
        return self.filter(code__in=bureau.path.split("/")[:-2]).order_by("level")

    def reporting_rows(self):
        """The rows of the national table: 31 provinces in code order and the corps last (`domain.md` 3.2)."""
        return self.filter(level=self.model.Level.PROVINCE).order_by("code")


class ChainQuerySet(models.QuerySet):
    def valid_on(self, day: date):
        """Chains that new rows may name on a day (`domain.md` V11)."""
        return self.filter(Q(valid_from__lte=day), Q(valid_to__isnull=True) | Q(valid_to__gt=day))


class OrganizationQuerySet(models.QuerySet):
    def visible_to(self, user):
        """Bureaus see the organisations they serve; an organisation sees itself and the institutions."""
        scope = user.scope
        if scope.everything:
            return self
        seen = scope.within("bureau__path") | Q(pk__in=scope.organization_ids)
        if scope.organization_ids:
            seen |= Q(institution_profile__isnull=False)
        return self.filter(seen)

    def enterprises(self):
        """Registered businesses, whatever roles they play in projects."""
        return self.filter(legal_form=self.model.LegalForm.ENTERPRISE)

    def institutions(self):
        """Bodies that give metrology, standards, testing or other technical help."""
        return self.filter(institution_profile__isnull=False)

    def search(self, text: str):
        """Rows whose name contains the text, or whose credit code begins with it."""
        text = text.strip()
        return self.filter(Q(name__contains=text) | Q(uscc__startswith=text.upper())) if text else self
