"""What the work on a chain brought about: results with a number, money booked, firms helped (`domain.md` 3.8,
3.12, 4.3)."""

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from enterprises.models import Organization
from projects import numbers
from projects.models.base import at_field
from projects.models.bottlenecks import Bottleneck
from projects.models.keyprojects import KeyProject
from projects.models.projects import ChainProject
from projects.querysets import InvestmentQuerySet, OfBottleneck, OfProject


class ProjectResult(models.Model):
    """A standard, specification, certificate or other thing that a project is to produce or has produced.

    What several projects produce together stands with each of them under the same number.
    """

    class Kind(models.TextChoices):
        STANDARD = "standard", _("标准")
        METROLOGY = "metrology", _("计量技术规范")
        CERTIFICATE = "certificate", _("证书")
        REFERENCE_MATERIAL = "material", _("标准物质")
        METHOD = "method", _("检测方法")
        DEVICE = "device", _("装置")
        PATENT = "patent", _("专利")

    # Those that I23 counts (`domain.md` 5.4).
    COUNTED = (Kind.STANDARD, Kind.METROLOGY, Kind.CERTIFICATE)

    project = models.ForeignKey(
        ChainProject, models.CASCADE, related_name="results", verbose_name=_("质量强链项目")
    )
    key_project = models.ForeignKey(
        KeyProject,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="results",
        verbose_name=_("重点攻关项目"),
        help_text=_("由其中一个重点攻关项目产出时填写。"),
    )
    kind = models.CharField(_("成果类型"), max_length=11, choices=Kind)
    title = models.CharField(_("成果名称"), max_length=100)
    due_on = models.DateField(_("计划完成"), null=True, blank=True)
    number = models.CharField(
        _("发布编号"), max_length=60, blank=True, help_text=_("标准号、规范编号或证书编号；尚未发布的留空。")
    )
    published_on = models.DateField(_("发布日期"), null=True, blank=True, help_text=_("计为“产出”的日期。"))

    objects = OfProject.as_manager()

    class Meta:
        verbose_name = _("项目成果")
        verbose_name_plural = _("项目成果")
        ordering = ["project", "kind", "pk"]
        indexes = [
            models.Index(fields=["kind", "number"], name="project_result_number"),
            models.Index(fields=["published_on"], name="project_result_published"),
        ]
        constraints = [
            models.UniqueConstraint(
                name="project_result_once",
                fields=["project", "kind", "number"],
                condition=~Q(number=""),
                violation_error_message=_("这个项目已经登记了该编号的成果。"),
            ),
            models.CheckConstraint(
                name="project_result_number_with_date",
                condition=Q(number="", published_on__isnull=True)
                | ~Q(number="") & Q(published_on__isnull=False),
                violation_error_message=_("发布编号和发布日期要一起填写。"),
            ),
        ]

    def __str__(self):
        return f"{self.title} {self.number}".rstrip()

    def clean(self):
        if self.number:
            with at_field("number"):
                self.number = numbers.checked(self.kind, self.number)
        if self.published_on and self.published_on > timezone.localdate():
            raise ValidationError({"published_on": _("发布日期不能晚于今天。")})
        if self.key_project_id and self.key_project and self.key_project.project_id != self.project_id:
            raise ValidationError({"key_project": _("这个重点攻关项目不属于该质量强链项目。")})


class Investment(models.Model):
    """Money of firms that was booked for a key project, in yuan (`domain.md` I24)."""

    key_project = models.ForeignKey(
        KeyProject, models.CASCADE, related_name="investments", verbose_name=_("重点攻关项目")
    )
    organization = models.ForeignKey(
        Organization, models.PROTECT, related_name="investments", verbose_name=_("投入企业")
    )
    amount = models.DecimalField(
        _("金额（元）"), max_digits=14, decimal_places=2, validators=[MinValueValidator(0)]
    )
    booked_on = models.DateField(_("入账日期"))
    voucher = models.CharField(_("入账凭证号"), max_length=60)

    objects = InvestmentQuerySet.as_manager()

    class Meta:
        verbose_name = _("企业投入")
        verbose_name_plural = _("企业投入")
        ordering = ["key_project", "booked_on", "pk"]
        indexes = [models.Index(fields=["booked_on"], name="investment_booked")]
        constraints = [
            models.UniqueConstraint(
                name="investment_voucher_once",
                fields=["key_project", "organization", "voucher"],
                violation_error_message=_("这张凭证已经登记。"),
            ),
            models.CheckConstraint(
                name="investment_positive",
                condition=Q(amount__gt=0),
                violation_error_message=_("投入金额要大于零。"),
            ),
        ]

    def __str__(self):
        return f"{self.key_project_id} {self.voucher}"

    def clean(self):
        if self.booked_on and self.booked_on > timezone.localdate():
            raise ValidationError({"booked_on": _("入账日期不能晚于今天。")})


class Beneficiary(models.Model):
    """A firm that a solved problem helps, beside those that filed it or a problem merged into it."""

    bottleneck = models.ForeignKey(
        Bottleneck, models.CASCADE, related_name="beneficiaries", verbose_name=_("问题")
    )
    organization = models.ForeignKey(
        Organization, models.PROTECT, related_name="benefits", verbose_name=_("受益企业")
    )
    agreed_on = models.DateField(_("企业同意日期"), help_text=_("企业同意计为受益企业的日期。"))

    objects = OfBottleneck.as_manager()

    class Meta:
        verbose_name = _("受益企业")
        verbose_name_plural = _("受益企业")
        ordering = ["bottleneck", "pk"]
        constraints = [
            models.UniqueConstraint(
                name="beneficiary_once",
                fields=["bottleneck", "organization"],
                violation_error_message=_("这家企业已经登记为该问题的受益企业。"),
            ),
        ]

    def __str__(self):
        return f"{self.bottleneck_id} {self.organization_id}"

    def clean(self):
        if self.agreed_on and self.agreed_on > timezone.localdate():
            raise ValidationError({"agreed_on": _("同意日期不能晚于今天。")})
