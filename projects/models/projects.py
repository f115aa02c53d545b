"""Quality chain-strengthening projects and who takes part in them (`domain.md` 3.8)."""

from datetime import date

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from common import formats
from enterprises.models import Bureau, IndustryChain, Organization
from enterprises.standing import InForce
from projects.models.base import LedgerRow, at_field
from projects.querysets import ChainProjectQuerySet, OfProject, ParticipationQuerySet, ProjectGoalQuerySet

# No paper and no number of the ledger is older than the state; such a day is a slip of the hand.
FIRST_DAY = date(1949, 10, 1)


def refuse_impossible_past(day: date | None) -> None:
    if day and day < FIRST_DAY:
        raise ValidationError(_("日期早于 %(first)s，请核对年份。"), params={"first": formats.day(FIRST_DAY)})


def refuse_future(day: date | None) -> None:
    if day and day > timezone.localdate():
        raise ValidationError(_("不能晚于今天。"))


def refuse_before_founding(organization: Organization, day: date | None) -> None:
    """Nothing happens to an organisation before it is founded (`domain.md` V6)."""
    founded = organization.founded_on
    if not founded:
        refuse_impossible_past(day)
    elif day and day < founded:
        raise ValidationError(
            _("早于该组织的成立日期 %(founded)s，请填写当天或以后的日期。"),
            params={"founded": formats.day(founded)},
        )


def refuse_joined_before_founding(row: models.Model) -> None:
    """The same for a row with an `organization` and a `joined_on`, at its field."""
    if row.organization_id:
        with at_field("joined_on"):
            refuse_before_founding(row.organization, row.joined_on)


class ChainProject(LedgerRow):
    """One chain, or a segment of one, worked on for a term, with leaders, members and institutions."""

    class Tier(models.TextChoices):
        LANDMARK = "landmark", _("国家标志性")
        NATIONAL_KEY = "national_key", _("全国百个重点")
        CROSS_REGION = "cross_region", _("跨区域联动")
        PROVINCE = "province", _("省级")
        CITY = "city", _("市级")
        COUNTY = "county", _("县级")

    class Status(models.TextChoices):
        DRAFT = "draft", _("草拟")
        FILED = "filed", _("已申报")
        APPROVED = "approved", _("已立项")
        EXECUTING = "executing", _("实施中")
        ACCEPTANCE = "acceptance", _("验收中")
        ACCEPTED = "accepted", _("已验收")
        FAILED = "failed", _("验收未通过")
        TERMINATED = "terminated", _("已终止")

    # Statuses in which the work has begun, so that the project counts as implemented (`domain.md` I01).
    BEGUN = (Status.EXECUTING, Status.ACCEPTANCE, Status.ACCEPTED, Status.FAILED, Status.TERMINATED)

    code = models.CharField(_("项目编号"), max_length=30, unique=True)
    name = models.CharField(_("项目名称"), max_length=60)
    chain = models.ForeignKey(
        IndustryChain, models.PROTECT, related_name="projects", verbose_name=_("产业链")
    )
    tier = models.CharField(_("项目层级"), max_length=12, choices=Tier)
    bureau = models.ForeignKey(
        Bureau,
        models.PROTECT,
        db_constraint=False,
        related_name="projects",
        verbose_name=_("受理单位"),
        help_text=_("决定项目的统计归属；跨区域项目为牵头单位。"),
    )
    is_cross_region = models.BooleanField(_("跨区域项目"), default=False)
    regions = models.ManyToManyField(
        Bureau, through="ProjectRegion", related_name="joined_projects", verbose_name=_("参与地区")
    )
    status = models.CharField(_("状态"), max_length=10, choices=Status, default=Status.DRAFT)
    summary = models.CharField(_("摘要"), max_length=500, blank=True)
    start_on = models.DateField(_("开始日期"))
    end_on = models.DateField(_("结束日期"))
    closed_on = models.DateField(_("结项日期"), null=True, blank=True)
    consortium = models.ForeignKey(
        "projects.Consortium",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="projects",
        verbose_name=_("创新联合体"),
    )
    budget_gov = models.DecimalField(_("财政投入（元）"), max_digits=18, decimal_places=2, default=0)
    budget_own = models.DecimalField(_("自筹投入（元）"), max_digits=18, decimal_places=2, default=0)

    objects = ChainProjectQuerySet.as_manager()

    class Meta(LedgerRow.Meta):
        verbose_name = _("质量强链项目")
        verbose_name_plural = _("质量强链项目")
        ordering = ["-start_on", "code"]
        indexes = [
            models.Index(fields=["start_on", "status"], name="project_start_status"),
        ]
        constraints = [
            *LedgerRow.Meta.constraints,
            models.CheckConstraint(
                name="project_dates_in_order",
                condition=Q(end_on__gt=F("start_on")),
                violation_error_message=_("项目的结束日期应晚于开始日期。"),
            ),
            models.CheckConstraint(
                name="project_closed_after_start",
                condition=Q(closed_on__isnull=True) | Q(closed_on__gte=F("start_on")),
                violation_error_message=_("结项日期不能早于开始日期。"),
            ),
            models.CheckConstraint(
                name="project_budget_not_negative",
                condition=Q(budget_gov__gte=0, budget_own__gte=0),
                violation_error_message=_("投入金额不能为负数。"),
            ),
            models.CheckConstraint(
                name="project_cross_region_tier",
                condition=~Q(tier="cross_region") | Q(is_cross_region=True),
                violation_error_message=_("“跨区域联动”层级的项目应标为跨区域项目。"),
            ),
            InForce(field="bureau", name="chain_project_bureau_in_force"),
        ]

    def __str__(self):
        return self.name


class ProjectRegion(models.Model):
    """A province that takes part in a cross-region project led by another (`domain.md` 5.4 rule 3)."""

    project = models.ForeignKey(ChainProject, models.CASCADE, related_name="region_links")
    bureau = models.ForeignKey(
        Bureau, models.PROTECT, related_name="region_links", verbose_name=_("参与单位")
    )

    objects = OfProject.as_manager()

    class Meta:
        verbose_name = _("参与地区")
        verbose_name_plural = _("参与地区")
        ordering = ["bureau__code"]
        constraints = [
            models.UniqueConstraint(
                name="project_region_once",
                fields=["project", "bureau"],
                violation_error_message=_("该地区已在参与名单中。"),
            ),
        ]

    def __str__(self):
        return f"{self.project_id} · {self.bureau_id}"


class ProjectGoal(models.Model):
    """A measurable goal of a project."""

    class State(models.TextChoices):
        REACHED = "reached", pgettext_lazy("goal", "已完成")
        LATE = "late", pgettext_lazy("goal", "逾期未完成")
        OPEN = "open", pgettext_lazy("goal", "未到期")

    project = models.ForeignKey(ChainProject, models.CASCADE, related_name="goals")
    indicator = models.CharField(pgettext_lazy("measure", "指标"), max_length=60)
    unit = models.CharField(pgettext_lazy("measure", "单位"), max_length=20)
    base = models.DecimalField(_("基期值"), max_digits=18, decimal_places=4, null=True, blank=True)
    target = models.DecimalField(_("目标值"), max_digits=18, decimal_places=4)
    reached = models.DecimalField(_("现值"), max_digits=18, decimal_places=4, null=True, blank=True)
    due_on = models.DateField(_("完成期限"))

    objects = ProjectGoalQuerySet.as_manager()

    class Meta:
        verbose_name = _("项目目标")
        verbose_name_plural = _("项目目标")
        ordering = ["due_on", "pk"]

    def __str__(self):
        return self.indicator


class Participation(models.Model):
    """One organisation in one role on one project: 家次, not 家 (`domain.md` 1.3)."""

    class Role(models.TextChoices):
        LEADER = "leader", _("链主企业")
        MEMBER = "member", _("链员企业")
        ENABLER = "enabler", _("赋能机构")

    project = models.ForeignKey(
        ChainProject, models.CASCADE, related_name="participations", verbose_name=_("项目")
    )
    organization = models.ForeignKey(
        Organization, models.PROTECT, related_name="participations", verbose_name=_("组织")
    )
    role = models.CharField(_("角色"), max_length=8, choices=Role)
    bureau = models.ForeignKey(
        Bureau,
        models.PROTECT,
        db_constraint=False,
        related_name="participations",
        verbose_name=_("接纳单位"),
        help_text=_("跨区域项目中，企业计入接纳它的地区。"),
    )
    joined_on = models.DateField(_("加入日期"))
    left_on = models.DateField(_("退出日期"), null=True, blank=True)
    recognition = models.CharField(_("认定来源与文号"), max_length=120, blank=True)

    objects = ParticipationQuerySet.as_manager()

    class Meta:
        verbose_name = _("项目参与")
        verbose_name_plural = _("项目参与")
        ordering = ["project", "role", "pk"]
        indexes = [
            models.Index(fields=["role", "joined_on"], name="participation_role_joined"),
        ]
        constraints = [
            models.UniqueConstraint(
                name="participation_once_per_role",
                fields=["project", "organization", "role"],
                condition=Q(left_on__isnull=True),
                violation_error_message=_("该组织已以同一角色参加本项目。"),
            ),
            models.CheckConstraint(
                name="participation_dates_in_order",
                condition=Q(left_on__isnull=True) | Q(left_on__gte=F("joined_on")),
                violation_error_message=_("退出日期不能早于加入日期。"),
            ),
            InForce(field="bureau", name="participation_bureau_in_force"),
        ]

    def __str__(self):
        return f"{self.organization_id} · {self.get_role_display()}"

    def clean(self):
        refuse_joined_before_founding(self)
