"""Users and what they were granted (`domain.md` 2.2, design decision 3)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Self

from django.contrib.auth.models import AbstractUser, UserManager
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from common.scope import Scope, Viewer, widest
from enterprises.models import Bureau, Organization


@dataclass(frozen=True)
class Administrator:
    """A viewer with the scope of administrator grants alone."""

    scope: Scope


class User(AbstractUser):
    """A person; what the person may see and do stands in the grants."""

    first_name = None
    last_name = None
    name = models.CharField(_("姓名"), max_length=60)
    email = models.EmailField(_("邮箱"), blank=True)

    objects = UserManager()

    REQUIRED_FIELDS = ["name", "email"]

    class Meta:
        verbose_name = _("用户")
        verbose_name_plural = _("用户")

    def __str__(self):
        return self.name or self.username

    def get_full_name(self):
        return self.name

    def get_short_name(self):
        return self.name

    @cached_property
    def grants_in_force(self) -> list["Grant"]:
        """Today's grants with their bureaus and organisations, the widest bureau first."""
        if not self.is_active:
            return []
        grants = self.grants.in_force(timezone.localdate()).select_related("bureau", "organization__bureau")
        return sorted(grants, key=lambda grant: (grant.level, grant.role, grant.pk))

    @cached_property
    def scope(self) -> Scope:
        return _scope_of(self.grants_in_force)

    @cached_property
    def administered(self) -> "Administrator":
        """What the user may see and repair in the admin site: other roles lend nothing to it."""
        if self.is_superuser:
            return Administrator(Scope(everything=True))
        return Administrator(_scope_of(self.grants_of(Role.ADMINISTRATOR)))

    @cached_property
    def is_administrator(self) -> bool:
        """Whether the admin site is open to the user."""
        return self.is_active and (self.is_superuser or bool(self.grants_of(Role.ADMINISTRATOR)))

    def grants_of(self, *roles: str) -> list["Grant"]:
        return [grant for grant in self.grants_in_force if grant.role in roles]

    def holds_over(self, bureau: Bureau, *roles: str) -> bool:
        """Whether one of the roles is held for a subtree in which the bureau lies."""
        return any(grant.covers(bureau) for grant in self.grants_of(*roles))

    def acts_for(self, organization_id: int | None, *roles: str) -> bool:
        """Whether one of the roles is held for the organisation."""
        return organization_id is not None and any(
            grant.organization_id == organization_id for grant in self.grants_of(*roles)
        )

    def may_call(self, organization: Organization) -> bool:
        """Whether contact data stand in full: for the organisation's people and its officers alone."""
        return organization.pk in self.scope.organization_ids or self.holds_over(
            organization.bureau, Role.OFFICER
        )


def _scope_of(grants: Iterable["Grant"]) -> Scope:
    bureaus = [grant.bureau for grant in grants if grant.bureau]
    return Scope(
        bureau_paths=widest({bureau.path for bureau in bureaus}),
        organization_ids=frozenset(grant.organization_id for grant in grants if grant.organization_id),
        everything=any(bureau.level == Bureau.Level.NATIONAL for bureau in bureaus),
    )


class GrantQuerySet(models.QuerySet["Grant"]):
    def visible_to(self, viewer: Viewer) -> Self:
        """Grants for the bureaus of a subtree and for the organisations that they serve."""
        scope = viewer.scope
        if scope.everything:
            return self
        return self.filter(scope.within("bureau__path") | scope.within("organization__bureau__path"))

    def in_force(self, day: date) -> Self:
        return self.filter(Q(expires_on__isnull=True) | Q(expires_on__gte=day), starts_on__lte=day)


class Role(models.TextChoices):
    """Roles of `domain.md` 2.2: the first three for an organisation, the others for a bureau subtree."""

    FILER = "filer", _("企业填报人")
    COORDINATOR = "coordinator", _("链主联络人")
    INSTITUTION = "institution", _("赋能机构经办人")
    OFFICER = "officer", _("经办人员")
    STATISTICIAN = "statistician", _("统计员")
    AUDITOR = "auditor", _("督查人员")
    ADMINISTRATOR = "administrator", _("管理员")


ORGANIZATION_ROLES = (Role.FILER, Role.COORDINATOR, Role.INSTITUTION)
BUREAU_ROLES = (Role.OFFICER, Role.STATISTICIAN, Role.AUDITOR, Role.ADMINISTRATOR)
# Organisations whose people may file bottlenecks.
FILING_ROLES = (Role.FILER, Role.COORDINATOR)


class Grant(models.Model):
    """User × role × bureau subtree or organisation × time."""

    user = models.ForeignKey(User, models.CASCADE, related_name="grants", verbose_name=_("用户"))
    role = models.CharField(_("角色"), max_length=14, choices=Role)
    bureau = models.ForeignKey(
        Bureau, models.PROTECT, null=True, blank=True, related_name="grants", verbose_name=_("单位（含下级）")
    )
    organization = models.ForeignKey(
        Organization, models.PROTECT, null=True, blank=True, related_name="grants", verbose_name=_("组织")
    )
    starts_on = models.DateField(_("生效日期"), default=timezone.localdate)
    expires_on = models.DateField(_("失效日期"), null=True, blank=True)

    objects = GrantQuerySet.as_manager()

    class Meta:
        verbose_name = _("授权")
        verbose_name_plural = _("授权")
        constraints = [
            models.CheckConstraint(
                name="grant_bureau_or_organization",
                condition=Q(role__in=ORGANIZATION_ROLES, organization__isnull=False, bureau__isnull=True)
                | Q(role__in=BUREAU_ROLES, organization__isnull=True, bureau__isnull=False),
                violation_error_message=_(
                    "企业和机构的角色要指定组织，市场监管部门的角色要指定单位，二者只填其一。"
                ),
            ),
            models.CheckConstraint(
                name="grant_dates_in_order",
                condition=Q(expires_on__isnull=True) | Q(expires_on__gte=F("starts_on")),
                violation_error_message=_("授权的失效日期不能早于生效日期。"),
            ),
            models.UniqueConstraint(
                "user",
                "role",
                Coalesce("bureau", 0),
                Coalesce("organization", 0),
                name="grant_once",
                violation_error_message=_("该用户已有同样的授权。"),
            ),
        ]

    def __str__(self):
        return f"{self.get_role_display()} · {self.bureau or self.organization}"

    @property
    def level(self) -> int:
        """The level of the bureau; organisations stand below every bureau."""
        return self.bureau.level if self.bureau else Bureau.Level.OUTPOST + 1

    def covers(self, bureau: Bureau) -> bool:
        """Whether the bureau lies in the subtree of the grant."""
        return self.bureau is not None and bureau.path.startswith(self.bureau.path)
