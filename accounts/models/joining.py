"""How a firm or an institution joins, and how its people bring in colleagues (`domain.md` 2.2, 3.1)."""

from datetime import date, datetime
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models.users import ORGANIZATION_ROLES, Role
from common.fields import CodeSetField
from common.scope import Noting, Scoped, Viewer, right
from common.workdays import add_workdays
from enterprises.models import Bureau, Division, InstitutionProfile, NqiElement, Organization
from enterprises.standing import InForce


class RegistrationQuerySet(Scoped["Registration"]):
    wholes = ("user",)

    @right
    def visible_to(self, viewer: Viewer) -> Self:
        """Applications that the bureaus of a subtree decide: of a known organisation those that serve it."""
        scope = viewer.scope
        if scope.everything:
            return self
        unknown = Q(organization__status=Organization.Status.APPLYING)
        return self.filter(
            unknown & scope.within("bureau__path") | ~unknown & scope.within("organization__bureau__path")
        )

    def pending(self) -> Self:
        return self.filter(status=self.model.Status.PENDING)


class Registration(models.Model):
    """A person's request to act for an organisation, decided by the bureau that serves it.

    Until it is verified the person sees nothing of the organisation and prepares drafts only.
    """

    class Status(models.TextChoices):
        PENDING = "pending", _("待核实")
        VERIFIED = "verified", _("已核实")
        REFUSED = "refused", _("未通过")

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="registrations", verbose_name=_("申请人")
    )
    organization = models.ForeignKey(
        Organization, models.PROTECT, related_name="registrations", verbose_name=_("组织")
    )
    role = models.CharField(
        _("角色"),
        max_length=14,
        choices=[(role.value, role.label) for role in (Role.FILER, Role.INSTITUTION)],
        default=Role.FILER,
    )
    bureau = models.ForeignKey(
        Bureau, models.PROTECT, db_constraint=False, related_name="registrations", verbose_name=_("核实单位")
    )
    # One per journey through the pages, so that a doubled click makes one application.
    key = models.UUIDField(_("申请标识"), unique=True, editable=False)
    phone = models.CharField(_("联系电话"), max_length=30)
    # What the applicant says of the organisation; it becomes the organisation's when that is a new one.
    name = models.CharField(_("名称"), max_length=200)
    legal_form = models.CharField(
        _("组织形式"),
        max_length=10,
        choices=Organization.LegalForm,
        default=Organization.LegalForm.ENTERPRISE,
    )
    division = models.ForeignKey(
        Division, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("登记地")
    )
    kinds = CodeSetField(_("机构类型"), choices=InstitutionProfile.Kind)
    nqi_elements = CodeSetField(_("质量基础设施要素"), choices=NqiElement)
    cma_no = models.CharField(
        _("资质认定（CMA）编号"),
        max_length=12,
        blank=True,
        validators=InstitutionProfile._meta.get_field("cma_no").validators[:1],
    )
    status = models.CharField(_("状态"), max_length=8, choices=Status, default=Status.PENDING)
    reason = models.CharField(_("理由"), max_length=200, blank=True)
    created_at = models.DateTimeField(_("申请时间"), auto_now_add=True)
    decided_at = models.DateTimeField(_("核实时间"), null=True, blank=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("核实人"),
    )

    objects = RegistrationQuerySet.as_manager()

    class Meta:
        verbose_name = _("入驻申请")
        verbose_name_plural = _("入驻申请")
        ordering = ["created_at", "pk"]
        indexes = [models.Index(fields=["bureau", "status"], name="registration_bureau_status")]
        constraints = [
            models.CheckConstraint(
                name="registration_decided_has_time",
                condition=Q(status="pending", decided_at__isnull=True)
                | (~Q(status="pending") & Q(decided_at__isnull=False)),
                violation_error_message=_("已核实的申请要有核实时间。"),
            ),
            models.CheckConstraint(
                name="registration_refusal_has_reason",
                condition=~Q(status="refused") | ~Q(reason=""),
                violation_error_message=_("不予通过要写明理由。"),
            ),
            models.UniqueConstraint(
                name="registration_pending_once",
                fields=["user", "organization"],
                condition=Q(status="pending"),
                violation_error_message=_("您已申请加入该组织，请等待核实。"),
            ),
            models.CheckConstraint(
                name="registration_institution_is_able",
                condition=~Q(role=Role.INSTITUTION) | ~Q(kinds="") & ~Q(nqi_elements=""),
                violation_error_message=_("机构要填写类型和质量基础设施要素。"),
            ),
            models.CheckConstraint(
                name="registration_testing_needs_cma",
                condition=~Q(kinds__contains="TEST") | ~Q(cma_no=""),
                violation_error_message=_("检验检测机构应填写资质认定（CMA）编号。"),
            ),
            models.CheckConstraint(
                name="registration_decided_by_another",
                condition=Q(decided_by__isnull=True) | ~Q(decided_by=F("user")),
                violation_error_message=_("不能核实本人的申请。"),
            ),
            InForce(field="bureau", name="registration_bureau_in_force"),
        ]

    def __str__(self):
        return f"{self.user} → {self.name}"

    @property
    def is_claim(self) -> bool:
        """Whether the organisation stands in the ledger already."""
        return self.organization.status != Organization.Status.APPLYING

    @property
    def desk(self) -> Bureau:
        """The bureau that decides: the one that serves the organisation, or the one that was chosen."""
        return self.organization.bureau if self.is_claim else self.bureau

    @property
    def prepares(self) -> bool:
        """Whether the applicant may prepare problems meanwhile."""
        return self.status == self.Status.PENDING and self.role == Role.FILER

    @property
    def due_on(self) -> date:
        """Until when the bureau is to decide."""
        return add_workdays(timezone.localdate(self.created_at), settings.REGISTRATION_WORKING_DAYS)


class InvitationQuerySet(Noting["Invitation"]):
    def undecided(self) -> Self:
        return self.filter(accepted_at__isnull=True, withdrawn_at__isnull=True)


class Invitation(models.Model):
    """A link by which a colleague joins an organisation; only the digest of its secret is kept."""

    organization = models.ForeignKey(
        Organization, models.CASCADE, related_name="invitations", verbose_name=_("组织")
    )
    role = models.CharField(
        _("角色"),
        max_length=14,
        choices=[(role.value, role.label) for role in ORGANIZATION_ROLES],
        default=Role.FILER,
    )
    email = models.EmailField(_("邮箱"))
    digest = models.CharField(_("链接摘要（SHA-256）"), max_length=64, unique=True, editable=False)
    invited_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", verbose_name=_("邀请人")
    )
    created_at = models.DateTimeField(_("邀请时间"), auto_now_add=True)
    expires_at = models.DateTimeField(_("失效时间"))
    sent_at = models.DateTimeField(_("邮件发出时间"), null=True, blank=True)
    withdrawn_at = models.DateTimeField(_("撤回时间"), null=True, blank=True)
    accepted_at = models.DateTimeField(_("接受时间"), null=True, blank=True)
    accepted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("接受人"),
    )

    objects = InvitationQuerySet.as_manager()

    class Meta:
        verbose_name = _("邀请")
        verbose_name_plural = _("邀请")
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.CheckConstraint(
                name="invitation_not_accepted_and_withdrawn",
                condition=Q(withdrawn_at__isnull=True) | Q(accepted_at__isnull=True),
                violation_error_message=_("已接受的邀请不能撤回。"),
            ),
            models.UniqueConstraint(
                name="invitation_open_once",
                fields=["organization", "email", "role"],
                condition=Q(accepted_at__isnull=True, withdrawn_at__isnull=True),
                violation_error_message=_("已经邀请过这个邮箱，可以重新发送。"),
            ),
        ]

    def __str__(self):
        return f"{self.email} → {self.organization}"

    @property
    def unsent(self) -> str:
        """Why the mail with the link has not gone out; empty when it has."""
        if self.sent_at:
            return ""
        letter = getattr(self, "letter", None)
        if letter is None:
            return gettext("邮件没有发出，请核对邮箱后重新发送")
        if letter.mail_refusals:
            return gettext("邮箱暂时拒收，系统会继续重试；地址有误请撤回后重新邀请")
        return gettext("邮件等待发送")

    def is_open(self, at: datetime) -> bool:
        return self.accepted_at is None and self.withdrawn_at is None and self.expires_at > at
