"""Bottleneck problems, their metrics, proof and record (`domain.md` 3.11, chapter 4)."""

import uuid

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts.models import User
from common import uscc
from common.fields import CodeSetField
from common.inserting import Inserted
from common.privacy import mask_name, mask_phone
from enterprises.models import Bureau, ChainSegment, IndustryChain, NqiElement, Organization
from enterprises.standing import InForce
from projects import numbers
from projects.models.base import LedgerRow, at_field
from projects.models.projects import ChainProject, refuse_before_founding, refuse_impossible_past
from projects.querysets import BottleneckQuerySet, OfBottleneck


class Bottleneck(LedgerRow):
    """A quality problem that blocks or chokes a chain, filed by a firm, solved under a bureau's care."""

    class Status(models.TextChoices):
        DRAFT = "draft", _("草稿")
        SUBMITTED = "submitted", _("待核实")
        RETURNED = "returned", _("退回补正")
        REJECTED = "rejected", _("不予受理")
        WITHDRAWN = "withdrawn", _("已撤回")
        LAPSED = "lapsed", _("逾期失效")
        ACCEPTED = "accepted", _("已受理")
        MERGED = "merged", _("已归并")
        LISTED = "listed", _("列入清单")
        DISPATCHED = "dispatched", _("已派单")
        POSTED = "posted", _("已发榜")
        AWARDED = "awarded", _("已揭榜")
        IN_PROGRESS = "in_progress", _("攻关中")
        SUSPENDED = "suspended", _("暂缓")
        UNSOLVABLE = "unsolvable", _("暂无法解决")
        SOLUTION_FILED = "solution_filed", _("待企业确认")
        VERIFICATION = "verification", _("核验中")
        PARTLY = "partly", _("阶段性解决")
        RESOLVED = "resolved", _("已解决")
        REOPENED = "reopened", _("反弹重开")
        ARCHIVED = "archived", _("已归档")
        TERMINATED = "terminated", _("已终止")

    # No clock runs and nobody's turn comes any more.
    ENDED = (
        Status.REJECTED,
        Status.WITHDRAWN,
        Status.LAPSED,
        Status.MERGED,
        Status.RESOLVED,
        Status.ARCHIVED,
        Status.TERMINATED,
    )
    # Struck off; the archive keeps them after the year in which they may be reopened.
    SOLVED = (Status.RESOLVED, Status.ARCHIVED)
    # The bureau's clock stands still (`domain.md` 4.1, clock rules).
    PAUSED = (Status.RETURNED, Status.SOLUTION_FILED, Status.SUSPENDED)
    # The filer may still change the text.
    EDITABLE = (Status.DRAFT, Status.RETURNED)

    class Cause(models.TextChoices):
        TECHNOLOGY = "TECH", _("质量技术")
        MANAGEMENT = "MGMT", _("质量管理")
        INFRASTRUCTURE = "NQI", _("质量基础设施")
        BRAND = "BRAND", _("质量品牌")

    class Choke(models.TextChoices):
        BLOCK = "BLOCK", _("堵点")
        STUCK = "STUCK", _("卡点")
        PAIN = "PAIN", _("痛点")
        HARD = "HARD", _("难点")

    class Gap(models.TextChoices):
        STANDARD_MISSING = "std_missing", _("标准缺失")
        STANDARD_DIVIDED = "std_divided", _("标准不统一")
        MEASUREMENT_MISSING = "met_missing", _("计量空白")
        CALIBRATION_MISSING = "cal_missing", _("校准规范缺失")
        METHOD_MISSING = "tst_missing", _("检测方法缺失")
        CERTIFICATION_MISSING = "cer_missing", _("认证缺失")
        RECOGNITION_BLOCKED = "recognition", _("互认不畅")
        CAPACITY_SHORT = "capacity", _("能力不足")
        OTHER = "other", pgettext_lazy("quality gap", "其他")

    class Grade(models.TextChoices):
        ENTERPRISE = "ENT", _("企业级")
        COUNTY = "COUNTY", _("县级")
        CITY = "CITY", _("市级")
        PROVINCE = "PROV", _("省级")
        NATION = "NATION", _("国家级")

    class Route(models.TextChoices):
        OWN = "OWN", _("自主解决")
        DISPATCH = "DISP", _("派单")
        ONE_STOP = "STOP", _("一站式服务")
        CONSORTIUM = "CONS", _("联合体攻关")
        CHALLENGE = "CHAL", _("揭榜挂帅")
        POLICY = "POLI", _("政策解决")

    class Urgency(models.TextChoices):
        CRITICAL = "critical", _("特急")
        URGENT = "urgent", _("急")
        NORMAL = "normal", _("一般")

    class Visibility(models.TextChoices):
        PARTIES = "parties", _("仅当事各方")
        GOVERNMENT = "government", _("市场监管系统内")
        PUBLIC = "public", _("可公开")

    class Result(models.TextChoices):
        """Kinds of "solved", kept apart in statistics (`domain.md` 4.3)."""

        SOLVED = "bottleneck_solved", _("堵点卡点已解决")
        SERVICE = "service_done", _("完成一次服务")
        CONSULTATION = "consultation_only", _("仅解答咨询")

    public_id = models.UUIDField(_("地址标识"), default=uuid.uuid4, unique=True, editable=False)
    code = models.CharField(_("问题编号"), max_length=30, unique=True, null=True, blank=True)
    status = models.CharField(_("状态"), max_length=14, choices=Status, default=Status.DRAFT)

    # Who
    organization = models.ForeignKey(
        Organization, models.PROTECT, related_name="bottlenecks", verbose_name=_("提出企业")
    )
    filer = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="filed_bottlenecks",
        verbose_name=_("填报人"),
    )
    # Prepared by somebody who has asked to act for the organisation and is not verified: seen by nobody else.
    is_provisional = models.BooleanField(_("填报人待核实"), default=False, db_default=False, editable=False)
    bureau = models.ForeignKey(
        Bureau,
        models.PROTECT,
        db_constraint=False,
        related_name="bottlenecks",
        db_index=False,
        verbose_name=_("受理单位"),
    )
    handler = models.ForeignKey(
        Bureau,
        models.PROTECT,
        db_constraint=False,
        related_name="handled_bottlenecks",
        db_index=False,
        verbose_name=_("当前办理单位"),
    )

    # What happens
    chain = models.ForeignKey(
        IndustryChain,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="bottlenecks",
        verbose_name=_("产业链"),
    )
    segment = models.ForeignKey(
        ChainSegment,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="bottlenecks",
        verbose_name=_("产业链环节"),
    )
    product = models.CharField(_("产品"), max_length=60, blank=True)
    title = models.CharField(_("题目"), max_length=60, blank=True)
    symptom = models.TextField(_("现象"), max_length=1000, blank=True, validators=[MaxLengthValidator(1000)])
    choke = models.CharField(_("问题形态"), max_length=5, choices=Choke, blank=True)
    project = models.ForeignKey(
        ChainProject,
        models.PROTECT,
        null=True,
        blank=True,
        db_index=False,
        related_name="bottlenecks",
        verbose_name=_("质量强链项目"),
    )

    # How much
    effect = models.TextField(_("影响"), max_length=500, blank=True, validators=[MaxLengthValidator(500)])
    loss_estimate = models.DecimalField(
        _("损失估计（元）"),
        max_digits=18,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
    )
    loss_basis = models.CharField(_("损失测算依据"), max_length=200, blank=True)
    urgency = models.CharField(_("紧急程度"), max_length=8, choices=Urgency, blank=True)
    expected_by = models.DateField(_("希望解决日期"), null=True, blank=True)

    # What helps
    cause = models.CharField(_("问题类别"), max_length=5, choices=Cause, blank=True)
    cause_analysis = models.TextField(
        _("原因分析"), max_length=1000, blank=True, validators=[MaxLengthValidator(1000)]
    )
    nqi_elements = CodeSetField(_("所缺质量基础设施要素"), choices=NqiElement)
    nqi_gap = models.CharField(_("缺口"), max_length=12, choices=Gap, blank=True)
    tried_already = models.TextField(
        _("已做过的尝试"), max_length=1000, blank=True, validators=[MaxLengthValidator(1000)]
    )
    help_wanted = CodeSetField(_("希望的帮助方式"), choices=Route)
    help_text = models.CharField(_("希望的帮助"), max_length=500, blank=True)
    visibility = models.CharField(
        _("可见范围"), max_length=10, choices=Visibility, default=Visibility.PARTIES
    )
    consent_publish = models.BooleanField(_("同意公开题目与解决办法"), default=False)

    # What the bureau decides
    grade = models.CharField(_("级别"), max_length=6, choices=Grade, blank=True)
    is_common = models.BooleanField(_("共性问题"), default=False)
    merged_into = models.ForeignKey(
        "self",
        models.PROTECT,
        null=True,
        blank=True,
        db_index=False,
        related_name="merged_children",
        verbose_name=_("归并到"),
    )
    refiled_from = models.OneToOneField(
        "self",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="refiled_as",
        verbose_name=_("重新填报自"),
        help_text=_("撤回或逾期失效后重新填报的，编号另起。"),
    )
    list_owner = models.ForeignKey(
        Bureau,
        models.PROTECT,
        db_constraint=False,
        null=True,
        blank=True,
        db_index=False,
        related_name="listed_bottlenecks",
        verbose_name=_("清单单位"),
    )
    route = models.CharField(_("解决路径"), max_length=4, choices=Route, blank=True)
    assigned_to = models.ForeignKey(
        Organization,
        models.PROTECT,
        null=True,
        blank=True,
        db_index=False,
        related_name="assigned_bottlenecks",
        verbose_name=_("承担机构"),
    )
    due_on = models.DateField(_("解决期限"), null=True, blank=True)
    solution = models.TextField(_("解决办法"), max_length=3000, blank=True)
    result = models.CharField(_("解决类型"), max_length=18, choices=Result, blank=True)
    economic_effect = models.DecimalField(
        _("经济效益（元）"),
        max_digits=18,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
    )
    economic_basis = models.CharField(
        _("效益测算依据"), max_length=300, blank=True, db_default="", help_text=_("算式和起止时间。")
    )
    is_reusable = models.BooleanField(_("可推广到其他产业链"), default=False, db_default=False)
    story = models.CharField(_("可公开的案例简介"), max_length=500, blank=True, db_default="")

    # When
    submitted_at = models.DateTimeField(_("首次提交时间"), null=True, blank=True)
    accepted_at = models.DateTimeField(_("受理时间"), null=True, blank=True)
    listed_at = models.DateTimeField(_("首次列入清单时间"), null=True, blank=True)
    resolved_at = models.DateTimeField(_("核验解决时间"), null=True, blank=True)
    status_changed_at = models.DateTimeField(_("状态变更时间"), null=True, blank=True)
    clock_started_on = models.DateField(_("时限起算日"), null=True, blank=True)
    clock_amber_on = models.DateField(_("时限预警日"), null=True, blank=True)
    clock_due_on = models.DateField(_("时限届满日"), null=True, blank=True)
    extended_count = models.PositiveSmallIntegerField(_("延期次数"), default=0, db_default=0)
    escalated_to = models.ForeignKey(
        Bureau,
        models.PROTECT,
        db_constraint=False,
        null=True,
        blank=True,
        db_index=False,
        related_name="escalated_bottlenecks",
        verbose_name=_("超期上报至"),
    )

    objects = BottleneckQuerySet.as_manager()

    class Meta(LedgerRow.Meta):
        verbose_name = _("堵点卡点问题")
        verbose_name_plural = _("堵点卡点问题")
        ordering = ["-submitted_at", "-pk"]
        indexes = [
            models.Index(fields=["bureau", "status"], name="bottleneck_bureau_status"),
            models.Index(fields=["handler", "status"], name="bottleneck_handler_status"),
            models.Index(fields=["status", "clock_due_on"], name="bottleneck_status_clock"),
            models.Index(fields=["submitted_at"], name="bottleneck_submitted"),
            # Blank until late in a problem's life: filing does not pay for them.
            *(
                models.Index(
                    fields=[name], condition=Q(**{f"{name}__isnull": False}), name=f"bottleneck_{short}"
                )
                for name, short in (
                    ("accepted_at", "accepted"),
                    ("resolved_at", "resolved"),
                    ("project", "project"),
                    ("merged_into", "merged_into"),
                    ("list_owner", "list_owner"),
                    ("assigned_to", "assigned_to"),
                    ("escalated_to", "escalated_to"),
                )
            ),
        ]
        constraints = [
            *LedgerRow.Meta.constraints,
            models.CheckConstraint(
                name="bottleneck_filed_is_complete",
                condition=Q(status="draft")
                | (
                    Q(
                        code__isnull=False,
                        submitted_at__isnull=False,
                        chain__isnull=False,
                        segment__isnull=False,
                    )
                    & ~Q(title="")
                    & ~Q(product="")
                    & ~Q(symptom="")
                    & ~Q(effect="")
                    & ~Q(cause="")
                    & ~Q(choke="")
                    & ~Q(urgency="")
                    & ~Q(help_wanted="")
                ),
                violation_error_message=_("必填项未填全，问题只能保存为草稿。"),
            ),
            models.CheckConstraint(
                name="bottleneck_filed_by_verified",
                condition=Q(is_provisional=False) | Q(status="draft"),
                violation_error_message=_("填报人通过核实后才能提交。"),
            ),
            models.CheckConstraint(
                name="bottleneck_nqi_cause_names_element",
                condition=Q(status="draft") | ~Q(cause="NQI") | ~Q(nqi_elements=""),
                violation_error_message=_("类别为“质量基础设施”时，至少选择一项所缺要素。"),
            ),
            models.CheckConstraint(
                name="bottleneck_loss_needs_basis",
                condition=Q(loss_estimate__isnull=True) | (Q(loss_estimate__gte=0) & ~Q(loss_basis="")),
                violation_error_message=_("填写损失估计时，请写明测算依据，金额不能为负数。"),
            ),
            models.CheckConstraint(
                name="bottleneck_merged_names_master",
                condition=Q(status="merged", merged_into__isnull=False)
                | (~Q(status="merged") & Q(merged_into__isnull=True)),
                violation_error_message=_("已归并的问题要指明归并到哪个问题。"),
            ),
            models.CheckConstraint(
                name="bottleneck_not_its_own_master",
                condition=Q(merged_into__isnull=True) | ~Q(merged_into=F("pk")),
                violation_error_message=_("问题不能归并到自己。"),
            ),
            models.CheckConstraint(
                name="bottleneck_listed_has_plan",
                condition=~Q(
                    status__in=[
                        "listed",
                        "dispatched",
                        "posted",
                        "awarded",
                        "in_progress",
                        "suspended",
                        "unsolvable",
                        "solution_filed",
                        "verification",
                        "partly",
                        "resolved",
                        "reopened",
                        "archived",
                    ]
                )
                | (
                    Q(listed_at__isnull=False, due_on__isnull=False, list_owner__isnull=False)
                    & ~Q(route="")
                    & ~Q(grade="")
                ),
                violation_error_message=_("列入清单的问题要有级别、解决路径、期限和清单单位。"),
            ),
            models.CheckConstraint(
                name="bottleneck_worked_on_by_somebody",
                condition=~Q(
                    status__in=["dispatched", "awarded", "in_progress", "suspended", "solution_filed"]
                )
                | Q(assigned_to__isnull=False),
                violation_error_message=_("派单和攻关中的问题要有承担机构。"),
            ),
            models.CheckConstraint(
                name="bottleneck_resolved_has_result",
                condition=~Q(status__in=["resolved", "archived"])
                | (Q(resolved_at__isnull=False) & ~Q(result="")),
                violation_error_message=_("已解决的问题要有核验时间和解决类型。"),
            ),
            models.CheckConstraint(
                name="bottleneck_clock_is_whole",
                condition=Q(
                    clock_started_on__isnull=True, clock_amber_on__isnull=True, clock_due_on__isnull=True
                )
                | Q(clock_started_on__isnull=False, clock_amber_on__isnull=False, clock_due_on__isnull=False),
                violation_error_message=_("时限要有起算日、预警日和届满日。"),
            ),
            models.CheckConstraint(
                name="bottleneck_extended_twice_at_most",
                condition=Q(extended_count__lte=2),
                violation_error_message=_("每个时限最多延期两次。"),
            ),
            models.CheckConstraint(
                name="bottleneck_effect_has_basis",
                condition=Q(economic_effect__isnull=True)
                | (Q(economic_effect__gte=0) & ~Q(economic_basis="")),
                violation_error_message=_("填写经济效益时，请写明算式和起止时间，金额不能为负数。"),
            ),
            InForce(field="bureau", name="bottleneck_bureau_in_force"),
            InForce(field="handler", name="bottleneck_handler_in_force"),
            InForce(field="list_owner", name="bottleneck_list_owner_in_force"),
            InForce(field="escalated_to", name="bottleneck_escalated_to_in_force"),
        ]

    def __str__(self):
        return self.title or str(_("未命名的草稿"))

    def contact_for(self, user: User) -> "BottleneckContact | None":
        """Whom to call, as the user may read it: in full for the parties, masked for other readers."""
        contact = getattr(self, "contact", None)
        parties = (self.organization, self.assigned_to, self.bureau, self.handler)
        if contact is None or user.may_call(*parties, chain_id=self.chain_id):
            return contact
        return BottleneckContact(name=mask_name(contact.name), phone=mask_phone(contact.phone))


class BottleneckContact(Inserted):
    """Who to call about a problem; personal data apart from the row (`domain.md` 3.0)."""

    bottleneck = models.OneToOneField(
        Bottleneck, models.CASCADE, primary_key=True, related_name="contact", verbose_name=_("问题")
    )
    name = models.CharField(_("联系人"), max_length=60)
    phone = models.CharField(_("联系电话"), max_length=30)

    class Meta:
        verbose_name = _("问题联系人")
        verbose_name_plural = _("问题联系人")

    def __str__(self):
        return str(self.bottleneck_id)


class Measure(Inserted):
    """One metric of a problem: present value, target, value after the solution (`domain.md` 3.11, 4.3)."""

    class Unit(models.TextChoices):
        PERCENT = "%", _("%（百分比）")
        PPM = "ppm", _("ppm（百万分之一）")
        PIECES = "pcs", _("件")
        TIMES = "times", _("次")
        HOURS = "h", _("小时")
        DAYS = "d", _("天")
        MILLIMETRE = "mm", _("毫米")
        MICROMETRE = "um", _("微米")
        NANOMETRE = "nm", _("纳米")
        CELSIUS = "degC", _("摄氏度")
        MEGAPASCAL = "MPa", _("兆帕")
        VOLT = "V", _("伏")
        AMPERE = "A", _("安")
        KILOWATT = "kW", _("千瓦")
        DECIBEL = "dB", _("分贝")
        GRADE = "grade", _("级")

    class Comparison(models.TextChoices):
        AT_LEAST = "ge", _("不低于")
        AT_MOST = "le", _("不高于")

    bottleneck = models.ForeignKey(
        Bottleneck, models.CASCADE, related_name="measures", db_index=False, verbose_name=_("问题")
    )
    metric = models.CharField(pgettext_lazy("measure", "指标"), max_length=40)
    unit = models.CharField(pgettext_lazy("measure", "单位"), max_length=6, choices=Unit)
    value_now = models.DecimalField(_("现值"), max_digits=14, decimal_places=4)
    method = models.CharField(_("怎样测得"), max_length=100, blank=True)
    measured_on = models.DateField(_("测得日期"), null=True, blank=True)
    comparison = models.CharField(_("目标方向"), max_length=2, choices=Comparison)
    target = models.DecimalField(_("目标值"), max_digits=14, decimal_places=4)
    value_after = models.DecimalField(_("解决后的值"), max_digits=14, decimal_places=4, null=True, blank=True)
    method_after = models.CharField(_("解决后怎样测得"), max_length=100, blank=True)
    measured_after_on = models.DateField(_("解决后测得日期"), null=True, blank=True)

    objects = OfBottleneck.as_manager()

    class Meta:
        verbose_name = _("量化指标")
        verbose_name_plural = _("量化指标")
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                name="measure_metric_once",
                fields=["bottleneck", "metric"],
                violation_error_message=_("同一问题的指标不能重复。"),
            ),
            models.CheckConstraint(
                name="measure_after_has_date",
                condition=Q(value_after__isnull=True) | Q(measured_after_on__isnull=False),
                violation_error_message=_("填写解决后的值时，请填写测得日期。"),
            ),
        ]

    def __str__(self):
        return self.metric

    def clean(self):
        with at_field("measured_on"):
            refuse_before_founding(self.bottleneck.organization, self.measured_on)
        with at_field("measured_after_on"):
            refuse_before_founding(self.bottleneck.organization, self.measured_after_on)

    @property
    def is_met(self) -> bool | None:
        """Whether the value after the solution reaches the target; None while it is not measured."""
        if self.value_after is None:
            return None
        if self.comparison == self.Comparison.AT_LEAST:
            return self.value_after >= self.target
        return self.value_after <= self.target


def attachment_path(attachment: "Attachment", _name: str = "") -> str:
    """Files lie under their own random name; what the user called them stands in the row only."""
    return f"attachments/{attachment.public_id.hex[:2]}/{attachment.public_id.hex}"


class Attachment(models.Model):
    """A private file of a problem; every download asks for scope."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    bottleneck = models.ForeignKey(
        Bottleneck, models.CASCADE, related_name="attachments", verbose_name=_("问题")
    )
    file = models.FileField(_("文件"), upload_to=attachment_path, max_length=200)
    name = models.CharField(_("文件名"), max_length=200)
    size = models.PositiveIntegerField(_("大小（字节）"))
    mime = models.CharField(_("类型"), max_length=100)
    sha256 = models.CharField(_("SHA-256"), max_length=64)
    uploaded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("上传人")
    )
    uploaded_at = models.DateTimeField(_("上传时间"), auto_now_add=True)

    objects = OfBottleneck.as_manager()

    class Meta:
        verbose_name = _("附件")
        verbose_name_plural = _("附件")
        ordering = ["uploaded_at", "pk"]
        constraints = [
            models.UniqueConstraint(
                name="attachment_content_once",
                fields=["bottleneck", "sha256"],
                violation_error_message=_("内容相同的文件已经上传过。"),
            ),
        ]

    def __str__(self):
        return self.name


class Evidence(models.Model):
    """A typed proof of the solution (`domain.md` 3.4, 4.3)."""

    class Kind(models.TextChoices):
        TEST_REPORT = "test_report", _("检验检测报告")
        STANDARD = "standard", _("标准")
        STANDARD_PLAN = "standard_plan", _("标准计划及草案")
        METROLOGY = "metrology", _("计量技术规范")
        REFERENCE_MATERIAL = "material", _("标准物质")
        CERTIFICATE = "certificate", _("证书")
        METHOD = "method", _("检测方法")
        PATENT = "patent", _("专利")
        RUN_DATA = "run_data", _("改进前后运行数据")
        CONCLUSION = "conclusion", _("技术结论")
        DOCUMENT = "document", _("文件（政策、规则、获奖等）")

    class VerifyState(models.TextChoices):
        UNVERIFIED = "unverified", _("未核对")
        PENDING = "pending", _("核对中")
        MATCHED = "matched", _("相符")
        MISMATCH = "mismatch", _("不符")
        NOT_FOUND = "not_found", _("查无此号")
        REPLACED = "replaced", _("已被替换或撤回")

    # What was said of these is not so: nothing is struck off on their strength (`domain.md` V9).
    CONTRADICTED = (VerifyState.MISMATCH, VerifyState.NOT_FOUND, VerifyState.REPLACED)

    bottleneck = models.ForeignKey(
        Bottleneck, models.CASCADE, related_name="evidence", verbose_name=_("问题")
    )
    kind = models.CharField(_("证据类型"), max_length=13, choices=Kind, db_default="")
    element = models.CharField(_("要素"), max_length=3, choices=NqiElement)
    title = models.CharField(_("证据名称"), max_length=100)
    number = models.CharField(
        _("编号"), max_length=60, help_text=_("报告、标准、规范、证书或标准物质的编号。")
    )
    issuer = models.CharField(_("出具单位"), max_length=100)
    issued_on = models.DateField(_("出具日期"))
    issuer_uscc = models.CharField(
        _("出具单位信用代码"), max_length=18, blank=True, db_default="", validators=[uscc.validate]
    )
    cma_no = models.CharField(
        _("资质认定（CMA）编号"),
        max_length=12,
        blank=True,
        db_default="",
        validators=[RegexValidator(r"^\d{12}$", _("资质认定编号应为 12 位数字。"))],
    )
    holder = models.CharField(
        _("委托单位或持有人"),
        max_length=200,
        blank=True,
        db_default="",
        help_text=_("报告的委托单位、证书的持有人，或政策的首个受益单位。"),
    )
    sample = models.CharField(_("样品名称"), max_length=100, blank=True, db_default="")
    verify_state = models.CharField(
        _("核对状态"), max_length=10, choices=VerifyState, default=VerifyState.UNVERIFIED
    )
    verified_at = models.DateTimeField(_("核对时间"), null=True, blank=True)
    verified_via = models.CharField(_("核对渠道"), max_length=20, blank=True, db_default="")
    # Codes and numbers; its sentence is made in the language of whoever reads it.
    verify_detail = models.JSONField(_("核对说明"), null=True, blank=True)
    attachment = models.ForeignKey(
        Attachment,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="evidence",
        verbose_name=_("附件"),
    )

    objects = OfBottleneck.as_manager()

    class Meta:
        verbose_name = _("证据")
        verbose_name_plural = _("证据")
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                name="evidence_number_once",
                fields=["bottleneck", "issuer", "number"],
                violation_error_message=_("该证据已经填写。"),
            ),
        ]

    def __str__(self):
        return f"{self.title} {self.number}"

    def clean(self):
        # A standard may be older than the firm.
        with at_field("issued_on"):
            refuse_impossible_past(self.issued_on)
        with at_field("number"):
            self.number = numbers.checked(self.kind, self.number)
        if self.kind == self.Kind.TEST_REPORT:
            for name in ("sample", "holder"):
                if not getattr(self, name):
                    raise ValidationError({name: _("检验检测报告要写明样品名称和委托单位，据此核对报告。")})


class Transition(Inserted):
    """An event in the life of a problem; appended, never changed (design decision 4)."""

    bottleneck = models.ForeignKey(
        Bottleneck, models.CASCADE, related_name="transitions", db_index=False, verbose_name=_("问题")
    )
    sequence = models.PositiveSmallIntegerField(_("序号"))
    at = models.DateTimeField(_("时间"))
    move = models.CharField(_("动作"), max_length=20)
    source = models.CharField(_("原状态"), max_length=14, choices=Bottleneck.Status)
    target = models.CharField(_("新状态"), max_length=14, choices=Bottleneck.Status)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        db_index=False,
        related_name="+",
        verbose_name=_("经手人"),
    )
    principal = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        db_index=False,
        related_name="+",
        verbose_name=_("被代理人"),
        help_text=_("经手人代其办理。"),
    )
    bureau = models.ForeignKey(
        Bureau, models.PROTECT, null=True, db_index=False, related_name="+", verbose_name=_("代表单位")
    )
    organization = models.ForeignKey(
        Organization,
        models.PROTECT,
        null=True,
        db_index=False,
        related_name="+",
        verbose_name=_("代表组织"),
    )
    handler = models.ForeignKey(
        Bureau, models.PROTECT, db_index=False, related_name="+", verbose_name=_("办理单位")
    )
    clock_due_on = models.DateField(_("时限届满日"), null=True)
    reason = models.TextField(_("说明"), blank=True)
    details = models.JSONField(_("内容"), default=dict)

    objects = OfBottleneck.as_manager()

    class Meta:
        verbose_name = _("办理记录")
        verbose_name_plural = _("办理记录")
        ordering = ["bottleneck", "sequence"]
        indexes = [
            models.Index(fields=["at", "target"], name="transition_at_target"),
            models.Index(fields=["target", "at"], name="transition_target_at"),
        ]
        constraints = [
            models.UniqueConstraint(
                name="transition_in_sequence",
                fields=["bottleneck", "sequence"],
                violation_error_message=_("这一步已被他人办理。"),
            ),
            models.CheckConstraint(
                name="transition_for_another",
                condition=Q(principal__isnull=True) | ~Q(principal=F("actor")),
                violation_error_message=_("不能由本人代理本人。"),
            ),
        ]

    def __str__(self):
        return f"{self.bottleneck_id} #{self.sequence} {self.source} → {self.target}"
