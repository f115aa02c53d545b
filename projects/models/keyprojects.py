"""Key research projects and their milestones (`domain.md` 3.12)."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from common.fields import CodeSetField
from enterprises.models import NqiElement, Organization
from projects.models.base import LedgerRow
from projects.models.projects import ChainProject
from projects.querysets import KeyProjectQuerySet, OfKeyProject


class KeyProject(LedgerRow):
    """An organised effort to solve one or more bottlenecks."""

    class Kind(models.TextChoices):
        ORDINARY = "ordinary", _("一般攻关")
        LANDMARK_TASK = "landmark_task", _("标志性项目攻关任务")
        CROSS_REGION_COMMON = "cross_region", _("跨区域共性攻关")

    class Route(models.TextChoices):
        CONSORTIUM = "consortium", _("联合体攻关")
        CHALLENGE = "challenge", _("揭榜挂帅")
        COMMISSION = "commission", _("委托")
        OWN = "own", _("自主")

    class Status(models.TextChoices):
        PROPOSED = "proposed", _("拟立项")
        APPROVED = "approved", _("已立项")
        RUNNING = "running", _("攻关中")
        DELAYED = "delayed", _("进度滞后")
        SUSPENDED = "suspended", _("暂停")
        ACCEPTANCE = "acceptance", _("验收中")
        ACCEPTED = "accepted", _("已验收")
        FAILED = "failed", _("验收未通过")
        TERMINATED = "terminated", _("已终止")

    code = models.CharField(_("攻关编号"), max_length=30, unique=True)
    name = models.CharField(_("攻关项目名称"), max_length=60)
    project = models.ForeignKey(
        ChainProject, models.PROTECT, related_name="key_projects", verbose_name=_("质量强链项目")
    )
    kind = models.CharField(_("类别"), max_length=14, choices=Kind, default=Kind.ORDINARY)
    route = models.CharField(_("组织方式"), max_length=12, choices=Route)
    lead = models.ForeignKey(
        Organization, models.PROTECT, related_name="led_key_projects", verbose_name=_("牵头单位")
    )
    nqi_elements = CodeSetField(_("质量基础设施要素"), choices=NqiElement, blank=False)
    technical_path = models.TextField(_("技术路线"), max_length=3000, blank=True)
    contract_on = models.DateField(_("签约日期"), null=True, blank=True, help_text=_("计为“实施”的日期。"))
    start_on = models.DateField(_("开始日期"))
    end_on = models.DateField(_("结束日期"))
    accepted_on = models.DateField(_("验收日期"), null=True, blank=True, help_text=_("计为“完成”的日期。"))
    budget_gov = models.DecimalField(_("财政投入（元）"), max_digits=18, decimal_places=2, default=0)
    budget_own = models.DecimalField(_("自筹投入（元）"), max_digits=18, decimal_places=2, default=0)
    status = models.CharField(_("状态"), max_length=10, choices=Status, default=Status.PROPOSED)
    bottlenecks = models.ManyToManyField(
        "projects.Bottleneck", related_name="key_projects", blank=True, verbose_name=_("攻关的问题")
    )

    objects = KeyProjectQuerySet.as_manager()

    class Meta(LedgerRow.Meta):
        verbose_name = _("重点攻关项目")
        verbose_name_plural = _("重点攻关项目")
        ordering = ["-contract_on", "code"]
        indexes = [
            models.Index(fields=["contract_on"], name="key_project_contract"),
            models.Index(fields=["accepted_on"], name="key_project_accepted"),
        ]
        constraints = [
            *LedgerRow.Meta.constraints,
            models.CheckConstraint(
                name="key_project_dates_in_order",
                condition=Q(end_on__gt=F("start_on")),
                violation_error_message=_("攻关项目的结束日期应晚于开始日期。"),
            ),
            models.CheckConstraint(
                name="key_project_has_element",
                condition=~Q(nqi_elements=""),
                violation_error_message=_("请至少选择一项质量基础设施要素。"),
            ),
            models.CheckConstraint(
                name="key_project_running_needs_contract",
                condition=Q(status__in=["proposed", "approved"]) | Q(contract_on__isnull=False),
                violation_error_message=_("进入攻关的项目要填写签约日期。"),
            ),
            models.CheckConstraint(
                name="key_project_accepted_needs_date",
                condition=~Q(status="accepted") | Q(accepted_on__isnull=False),
                violation_error_message=_("已验收的项目要填写验收日期。"),
            ),
            models.CheckConstraint(
                name="key_project_budget_not_negative",
                condition=Q(budget_gov__gte=0, budget_own__gte=0),
                violation_error_message=_("投入金额不能为负数。"),
            ),
        ]

    def __str__(self):
        return self.name


class Milestone(models.Model):
    """A step of a key project with its share of the whole."""

    key_project = models.ForeignKey(
        KeyProject, models.CASCADE, related_name="milestones", verbose_name=_("重点攻关项目")
    )
    title = models.CharField(_("里程碑"), max_length=60)
    due_on = models.DateField(_("计划完成"))
    weight = models.PositiveSmallIntegerField(
        _("权重（%）"), validators=[MinValueValidator(1), MaxValueValidator(100)]
    )
    done_on = models.DateField(_("实际完成"), null=True, blank=True)

    objects = OfKeyProject.as_manager()

    class Meta:
        verbose_name = _("里程碑")
        verbose_name_plural = _("里程碑")
        ordering = ["key_project", "due_on", "pk"]
        constraints = [
            models.CheckConstraint(
                name="milestone_weight_range",
                condition=Q(weight__gte=1, weight__lte=100),
                violation_error_message=_("里程碑权重应在 1 到 100 之间。"),
            ),
        ]

    def __str__(self):
        return self.title
