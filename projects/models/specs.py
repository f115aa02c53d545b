"""What firms wait for that a technical committee has to write: a standard or a metrology specification
(`domain.md` chapter 7, metrology committees and national standards)."""

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts.models import Role, User
from common.privacy import mask_email
from enterprises.models import Bureau, IndustryChain
from enterprises.standing import InForce
from projects import numbers
from projects.models.base import at_field
from projects.models.bottlenecks import Bottleneck
from projects.models.projects import refuse_impossible_past
from projects.querysets import OfDemand, SpecDemandQuerySet, SpecWaitQuerySet


class SpecKind(models.TextChoices):
    """The values are those of the evidence that such a document is, and of its form in `numbers`."""

    METROLOGY = "metrology", _("计量技术规范")
    STANDARD = "standard", _("标准")


class TechnicalCommittee(models.Model):
    """An entry of the directory of committees that write standards or metrology specifications."""

    code = models.CharField(_("委员会编号"), max_length=30, unique=True, help_text=_("例如 SAC/TC 159。"))
    name = models.CharField(_("委员会名称"), max_length=100)
    kind = models.CharField(_("起草什么"), max_length=9, choices=SpecKind)
    domain = models.CharField(_("专业领域"), max_length=200)
    contact_email = models.EmailField(_("联系邮箱"), blank=True)
    is_active = models.BooleanField(_("在用"), default=True)

    class Meta:
        verbose_name = _("技术委员会")
        verbose_name_plural = _("技术委员会")
        ordering = ["kind", "code"]

    def __str__(self):
        return f"{self.code} {self.name}"

    def email_for(self, user: User) -> str:
        """In full for officers, who write to it; masked for other readers."""
        return self.contact_email if user.grants_of(Role.OFFICER) else mask_email(self.contact_email)


class SpecDemand(models.Model):
    """A demand sheet (规范需求单) of a bureau for a committee; several problems may wait for one."""

    class Status(models.TextChoices):
        PROPOSED = "proposed", pgettext_lazy("demand", "建议")
        APPROVED = "approved", pgettext_lazy("demand", "立项")
        DRAFTING = "drafting", pgettext_lazy("demand", "起草")
        CONSULTING = "consulting", pgettext_lazy("demand", "征求意见")
        EXAMINED = "examined", pgettext_lazy("demand", "审定")
        REPORTED = "reported", pgettext_lazy("demand", "报批")
        PUBLISHED = "published", pgettext_lazy("demand", "发布")
        REVIEWING = "reviewing", pgettext_lazy("demand", "复审")
        DECLINED = "declined", pgettext_lazy("demand", "未采纳")
        TERMINATED = "terminated", pgettext_lazy("demand", "终止")

    # The committee is at work or is asked to begin: problems wait.
    OPEN = (
        Status.PROPOSED,
        Status.APPROVED,
        Status.DRAFTING,
        Status.CONSULTING,
        Status.EXAMINED,
        Status.REPORTED,
    )
    # There is a document in force.
    IN_FORCE = (Status.PUBLISHED, Status.REVIEWING)
    ENDED = (Status.DECLINED, Status.TERMINATED)

    code = models.CharField(_("需求单编号"), max_length=30, unique=True)
    kind = models.CharField(pgettext_lazy("demand", "类别"), max_length=9, choices=SpecKind)
    title = models.CharField(pgettext_lazy("demand", "名称"), max_length=100)
    quantity = models.CharField(
        _("量或标准化对象"), max_length=100, help_text=_("要测准的量，或要统一的产品、接口、方法。")
    )
    range = models.CharField(_("范围"), max_length=200, help_text=_("量程、型号或适用场合。"))
    uncertainty = models.CharField(
        _("期望的不确定度或指标"), max_length=200, blank=True, help_text=_("计量技术规范必须填写。")
    )
    object = models.CharField(_("对象"), max_length=200, help_text=_("仪器、装置、产品或过程。"))
    users = models.CharField(
        _("谁要用"), max_length=200, help_text=_("哪类企业和机构要用，不写出具体企业的名称。")
    )
    urgency = models.CharField(_("紧急程度"), max_length=8, choices=Bottleneck.Urgency)
    committee = models.ForeignKey(
        TechnicalCommittee, models.PROTECT, related_name="demands", verbose_name=_("技术委员会")
    )
    chain = models.ForeignKey(
        IndustryChain, models.PROTECT, related_name="spec_demands", verbose_name=_("产业链")
    )
    bureau = models.ForeignKey(
        Bureau, models.PROTECT, db_constraint=False, related_name="spec_demands", verbose_name=_("提出单位")
    )
    status = models.CharField(_("状态"), max_length=10, choices=Status, default=Status.PROPOSED)
    status_changed_at = models.DateTimeField(_("状态变更时间"))
    plan_no = models.CharField(_("计划号"), max_length=40, blank=True)
    published_no = models.CharField(_("发布编号"), max_length=60, blank=True)
    published_on = models.DateField(_("发布日期"), null=True, blank=True)
    end_reason = models.CharField(_("未采纳或终止的原因"), max_length=1000, blank=True)
    created_at = models.DateTimeField(_("创建时间"), auto_now_add=True)
    version = models.PositiveIntegerField(_("修订号"), default=1, editable=False)

    objects = SpecDemandQuerySet.as_manager()

    class Meta:
        verbose_name = _("规范需求单")
        verbose_name_plural = _("规范需求单")
        ordering = ["-created_at", "-pk"]
        indexes = [models.Index(fields=["plan_no"], name="spec_demand_plan")]
        constraints = [
            models.CheckConstraint(
                name="spec_metrology_says_how_exact",
                condition=~Q(kind="metrology") | ~Q(uncertainty=""),
                violation_error_message=_("计量技术规范要写明期望的不确定度。"),
            ),
            models.CheckConstraint(
                name="spec_approved_has_plan",
                condition=~Q(
                    status__in=[
                        "approved",
                        "drafting",
                        "consulting",
                        "examined",
                        "reported",
                        "published",
                        "reviewing",
                    ]
                )
                | ~Q(plan_no=""),
                violation_error_message=_("立项以后的需求单要有计划号。"),
            ),
            models.CheckConstraint(
                name="spec_published_has_number",
                condition=Q(status__in=["published", "reviewing", "terminated"], published_on__isnull=False)
                & ~Q(published_no="")
                | ~Q(status__in=["published", "reviewing"]) & Q(published_no="", published_on__isnull=True),
                violation_error_message=_("发布要同时有编号和日期，没有发布的不能有编号。"),
            ),
            models.CheckConstraint(
                name="spec_ended_for_a_reason",
                condition=Q(status__in=["declined", "terminated"]) & ~Q(end_reason="")
                | ~Q(status__in=["declined", "terminated"]) & Q(end_reason=""),
                violation_error_message=_("未采纳或终止要写明原因。"),
            ),
            InForce(field="bureau", name="spec_demand_bureau_in_force"),
        ]

    def __str__(self):
        return self.title

    def clean(self):
        if self.committee.kind != self.kind:
            sentence = _("“%(committee)s”起草的是%(kind)s，请另选委员会。")
            values = {"committee": self.committee.name, "kind": self.committee.get_kind_display()}
            raise ValidationError({"committee": sentence % values})
        if self.published_no:
            with at_field("published_no"):
                self.published_no = numbers.checked(self.kind, self.published_no)
        with at_field("published_on"):
            refuse_impossible_past(self.published_on)
            if self.published_on and self.published_on > timezone.localdate():
                raise ValidationError(_("日期不能晚于今天。"))


class SpecWait(models.Model):
    """One problem that waits for one demand."""

    demand = models.ForeignKey(SpecDemand, models.CASCADE, related_name="waits", verbose_name=_("规范需求单"))
    bottleneck = models.ForeignKey(
        Bottleneck, models.CASCADE, related_name="spec_waits", verbose_name=_("问题")
    )
    since = models.DateField(_("等待起始日"))

    objects = SpecWaitQuerySet.as_manager()

    class Meta:
        verbose_name = _("等待规范的问题")
        verbose_name_plural = _("等待规范的问题")
        ordering = ["since", "pk"]
        constraints = [
            models.UniqueConstraint(
                name="spec_waited_for_once",
                fields=["demand", "bottleneck"],
                violation_error_message=_("这个问题已经在等这张需求单。"),
            ),
        ]

    def __str__(self):
        return f"{self.bottleneck_id} → {self.demand_id}"


class SpecStep(models.Model):
    """An event in the life of a demand; appended, never changed."""

    demand = models.ForeignKey(SpecDemand, models.CASCADE, related_name="steps", verbose_name=_("规范需求单"))
    sequence = models.PositiveSmallIntegerField(_("序号"))
    at = models.DateTimeField(_("时间"))
    move = models.CharField(_("动作"), max_length=10)
    source = models.CharField(_("原状态"), max_length=10, choices=SpecDemand.Status)
    target = models.CharField(_("新状态"), max_length=10, choices=SpecDemand.Status)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("经手人")
    )
    principal = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("被代理人"),
    )
    bureau = models.ForeignKey(Bureau, models.PROTECT, related_name="+", verbose_name=_("代表单位"))
    reason = models.CharField(_("依据和说明"), max_length=1000)

    objects = OfDemand.as_manager()

    class Meta:
        verbose_name = _("需求单办理记录")
        verbose_name_plural = _("需求单办理记录")
        ordering = ["demand", "sequence"]
        constraints = [
            models.UniqueConstraint(
                name="spec_step_in_sequence",
                fields=["demand", "sequence"],
                violation_error_message=_("这一步已被他人办理。"),
            ),
            models.CheckConstraint(
                name="spec_step_for_another",
                condition=Q(principal__isnull=True) | ~Q(principal=F("actor")),
                violation_error_message=_("不能由本人代理本人。"),
            ),
        ]

    def __str__(self):
        return f"{self.demand_id} #{self.sequence} {self.source} → {self.target}"
