"""Inspection reports as institutions lodge them, so that anybody can check the paper (`domain.md` 3.13)."""

import uuid

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from common.verification import REPORTS
from enterprises.models import Organization
from projects.models.base import at_field
from projects.models.projects import refuse_impossible_past
from projects.querysets import InspectionReportQuerySet

# As a file's digest is printed by any tool; small letters are stored.
valid_digest = RegexValidator(r"^[0-9a-f]{64}$", _("SHA-256 摘要是 64 位十六进制数字（0–9、a–f）。"))


def new_report_code() -> str:
    return REPORTS.new_code()


class InspectionReport(models.Model):
    """What the paper says, and the code printed on it; changed only by replacing or withdrawing it."""

    class Status(models.TextChoices):
        VALID = "valid", _("有效")
        REPLACED = "replaced", _("已被替换")
        WITHDRAWN = "withdrawn", _("已撤回")

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    verification_code = models.CharField(
        _("查验码"), max_length=24, unique=True, default=new_report_code, editable=False
    )
    institution = models.ForeignKey(
        Organization, models.PROTECT, related_name="inspection_reports", verbose_name=_("出具机构")
    )
    report_no = models.CharField(_("报告编号"), max_length=60)
    national_code = models.CharField(_("全国统一赋码"), max_length=40, blank=True)
    client = models.CharField(_("委托单位"), max_length=200)
    sample = models.CharField(_("样品名称"), max_length=100)
    model = models.CharField(_("规格型号"), max_length=100, blank=True)
    batch = models.CharField(_("批号或编号"), max_length=100, blank=True)
    method = models.CharField(_("检测方法"), max_length=300)
    conclusion = models.CharField(_("检测结论"), max_length=500)
    issued_on = models.DateField(_("签发日期"))
    sha256 = models.CharField(_("报告文件摘要（SHA-256）"), max_length=64, validators=[valid_digest])
    status = models.CharField(_("状态"), max_length=9, choices=Status, default=Status.VALID)
    replaced_by = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="replaces", verbose_name=_("由谁替换")
    )
    ended_at = models.DateTimeField(_("替换或撤回时间"), null=True, blank=True)
    end_reason = models.CharField(_("替换或撤回原因"), max_length=200, blank=True)
    lodged_at = models.DateTimeField(_("登记时间"), auto_now_add=True)
    lodged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("登记人"),
    )

    objects = InspectionReportQuerySet.as_manager()

    class Meta:
        verbose_name = _("检验检测报告")
        verbose_name_plural = _("检验检测报告")
        ordering = ["-issued_on", "-pk"]
        indexes = [
            models.Index(fields=["sha256"], name="report_digest"),
            models.Index(fields=["report_no"], name="report_number"),
        ]
        constraints = [
            models.UniqueConstraint(
                name="report_number_once",
                fields=["institution", "report_no"],
                violation_error_message=_("本机构已经登记过这个编号的报告。"),
            ),
            models.CheckConstraint(
                name="report_has_digest",
                condition=Q(sha256__length=64),
                violation_error_message=_("请选择报告文件，或填写它的 SHA-256 摘要（64 位）。"),
            ),
            models.CheckConstraint(
                name="report_replaced_names_successor",
                condition=Q(status="replaced", replaced_by__isnull=False)
                | (~Q(status="replaced") & Q(replaced_by__isnull=True)),
                violation_error_message=_("被替换的报告要指明由哪份报告替换。"),
            ),
            models.CheckConstraint(
                name="report_not_its_own_successor",
                condition=Q(replaced_by__isnull=True) | ~Q(replaced_by=F("pk")),
                violation_error_message=_("报告不能替换自己。"),
            ),
            models.CheckConstraint(
                name="report_ended_has_reason",
                condition=Q(status="valid", ended_at__isnull=True, end_reason="")
                | (~Q(status="valid") & Q(ended_at__isnull=False) & ~Q(end_reason="")),
                violation_error_message=_("替换或撤回报告要写明原因。"),
            ),
        ]

    def __str__(self):
        return self.report_no

    def clean(self):
        with at_field("issued_on"):
            refuse_impossible_past(self.issued_on)
            if self.issued_on and self.issued_on > timezone.localdate():
                raise ValidationError(_("签发日期不能晚于今天。"))
