"""How a firm or an institution joins, and how its people bring in colleagues (`domain.md` 2.2, 3.1)."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.models.users import ORGANIZATION_ROLES, Role
from enterprises.models import Bureau, Organization


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
        Bureau, models.PROTECT, related_name="registrations", verbose_name=_("核实单位")
    )
    phone = models.CharField(_("联系电话"), max_length=30)
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
        ]

    def __str__(self):
        return f"{self.user} → {self.organization}"


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
        ]

    def __str__(self):
        return f"{self.email} → {self.organization}"
