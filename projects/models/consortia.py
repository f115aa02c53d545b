"""Quality-technology innovation consortia (`domain.md` 3.9)."""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from enterprises.models import Bureau, IndustryChain, Organization
from enterprises.standing import InForce
from projects.models.base import LedgerRow
from projects.models.projects import refuse_joined_before_founding
from projects.querysets import ConsortiumQuerySet, OfConsortium


class Consortium(LedgerRow):
    """A leader or institution with members, universities and technical bodies that share resources."""

    class LocalType(models.TextChoices):
        NATIONAL_NAME = "technology", _("质量技术创新联合体")
        QUALITY_INNOVATION = "innovation", _("质量创新联合体")
        INFRASTRUCTURE = "nqi", _("质量基础设施创新联合体")
        ALLIANCE = "alliance", _("质量强链联盟")
        DEMONSTRATION = "demonstration", _("产业链质量创新联合示范点")

    class Status(models.TextChoices):
        PREPARING = "preparing", _("筹建中")
        FORMED = "formed", _("已组建")
        ACTIVE = "active", _("运行中")
        DORMANT = "dormant", _("挂牌空转")
        DISSOLVED = "dissolved", _("已解散")

    code = models.CharField(_("联合体编号"), max_length=30, unique=True)
    name = models.CharField(_("联合体名称"), max_length=60)
    local_type = models.CharField(
        _("当地名称"), max_length=14, choices=LocalType, default=LocalType.NATIONAL_NAME
    )
    chain = models.ForeignKey(
        IndustryChain, models.PROTECT, related_name="consortia", verbose_name=_("产业链")
    )
    bureau = models.ForeignKey(
        Bureau, models.PROTECT, db_constraint=False, related_name="consortia", verbose_name=_("受理单位")
    )
    lead = models.ForeignKey(
        Organization, models.PROTECT, related_name="led_consortia", verbose_name=_("牵头单位")
    )
    founded_on = models.DateField(_("组建日期"), null=True, blank=True)
    founding_doc_no = models.CharField(_("组建文号"), max_length=60, blank=True)
    dissolved_on = models.DateField(_("解散日期"), null=True, blank=True)
    status = models.CharField(_("状态"), max_length=10, choices=Status, default=Status.PREPARING)
    purpose = models.CharField(_("攻关方向"), max_length=500, blank=True)
    members = models.ManyToManyField(
        Organization, through="ConsortiumMembership", related_name="consortia", verbose_name=_("成员单位")
    )

    objects = ConsortiumQuerySet.as_manager()

    class Meta(LedgerRow.Meta):
        verbose_name = _("质量技术创新联合体")
        verbose_name_plural = _("质量技术创新联合体")
        ordering = ["-founded_on", "code"]
        indexes = [
            models.Index(fields=["founded_on"], name="consortium_founded"),
        ]
        constraints = [
            *LedgerRow.Meta.constraints,
            models.CheckConstraint(
                name="consortium_formed_needs_date",
                condition=Q(status="preparing") | Q(founded_on__isnull=False),
                violation_error_message=_("已组建的联合体要填写组建日期。"),
            ),
            models.CheckConstraint(
                name="consortium_dissolved_needs_date",
                condition=~Q(status="dissolved") | Q(dissolved_on__isnull=False),
                violation_error_message=_("已解散的联合体要填写解散日期。"),
            ),
            models.CheckConstraint(
                name="consortium_dates_in_order",
                condition=Q(dissolved_on__isnull=True) | Q(dissolved_on__gte=F("founded_on")),
                violation_error_message=_("解散日期不能早于组建日期。"),
            ),
            InForce(field="bureau", name="consortium_bureau_in_force"),
        ]

    def __str__(self):
        return self.name


class ConsortiumMembership(models.Model):
    """An organisation in a consortium; one open membership at a time."""

    class Role(models.TextChoices):
        LEAD = "lead", _("牵头")
        MEMBER = "member", _("成员")
        SUPPORT = "support", _("支撑")
        OBSERVER = "observer", _("观察")

    consortium = models.ForeignKey(
        Consortium, models.CASCADE, related_name="memberships", verbose_name=_("联合体")
    )
    organization = models.ForeignKey(
        Organization, models.PROTECT, related_name="consortium_memberships", verbose_name=_("组织")
    )
    role = models.CharField(_("角色"), max_length=8, choices=Role)
    joined_on = models.DateField(_("加入日期"))
    left_on = models.DateField(_("退出日期"), null=True, blank=True)

    objects = OfConsortium.as_manager()

    class Meta:
        verbose_name = _("联合体成员")
        verbose_name_plural = _("联合体成员")
        ordering = ["consortium", "role", "pk"]
        constraints = [
            models.UniqueConstraint(
                name="membership_one_open",
                fields=["consortium", "organization"],
                condition=Q(left_on__isnull=True),
                violation_error_message=_("该组织已是联合体成员。"),
            ),
            models.UniqueConstraint(
                name="membership_one_lead",
                fields=["consortium"],
                condition=Q(role="lead", left_on__isnull=True),
                violation_error_message=_("一个联合体只能有一个牵头单位。"),
            ),
            models.CheckConstraint(
                name="membership_dates_in_order",
                condition=Q(left_on__isnull=True) | Q(left_on__gte=F("joined_on")),
                violation_error_message=_("退出日期不能早于加入日期。"),
            ),
        ]

    def __str__(self):
        return f"{self.organization_id} · {self.get_role_display()}"

    def clean(self):
        refuse_joined_before_founding(self)
