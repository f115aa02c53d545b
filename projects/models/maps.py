"""The quality map of an industrial chain, version by version (`domain.md` 1.1, 3.7)."""

import uuid

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from enterprises.models import Bureau, IndustryChain, Organization
from projects.querysets import QualityMapQuerySet


def map_path(row: "QualityMap", _name: str = "") -> str:
    """Where an uploaded drawing is stored; its name says nothing."""
    return f"maps/{row.public_id.hex[:2]}/{row.public_id.hex}"


class QualityMap(models.Model):
    """A chain as a bureau's firms fare in it: its segments with their problems and what is missing there.

    ``nodes`` are as they were on the day of drawing (`projects.maps.Node`); in their place an uploaded
    drawing may stand. What is published is never changed: a newer version takes its place.
    """

    class Status(models.TextChoices):
        DRAFT = "draft", _("草稿")
        APPROVED = "approved", _("已审定")
        PUBLISHED = "published", _("已发布")
        SUPERSEDED = "superseded", _("已被新版取代")

    UNPUBLISHED = (Status.DRAFT, Status.APPROVED)
    FROZEN = (Status.PUBLISHED, Status.SUPERSEDED)

    public_id = models.UUIDField(_("地址标识"), default=uuid.uuid4, unique=True, editable=False)
    chain = models.ForeignKey(
        IndustryChain, models.PROTECT, related_name="quality_maps", verbose_name=_("产业链")
    )
    bureau = models.ForeignKey(
        Bureau, models.PROTECT, related_name="quality_maps", verbose_name=_("编制单位")
    )
    version = models.PositiveSmallIntegerField(_("版本"), validators=[MinValueValidator(1)])
    status = models.CharField(_("状态"), max_length=10, choices=Status, default=Status.DRAFT)
    drawn_on = models.DateField(_("绘制日期"), help_text=_("图上数字是这一天的。"))
    drawn_by = models.ForeignKey(
        Organization, models.PROTECT, related_name="drawn_maps", verbose_name=_("绘制机构")
    )
    # Two units in use for the same thing; sheets and copies are not the same number.
    sheet_count = models.PositiveSmallIntegerField(_("张数"), default=1, validators=[MinValueValidator(1)])
    is_counted_copy = models.BooleanField(
        _("计为一份"), default=True, help_text=_("多张图合为一份时，只有其中一张计份。")
    )
    nodes = models.JSONField(_("环节"), null=True, blank=True)
    # The rule by which the states in `nodes` were told: shares of solved problems in per cent.
    red_below = models.PositiveSmallIntegerField(_("红色：解决率低于（%）"))
    green_from = models.PositiveSmallIntegerField(_("绿色：解决率不低于（%）"))
    file = models.FileField(_("图谱文件"), upload_to=map_path, max_length=200, blank=True)
    mime = models.CharField(_("文件类型"), max_length=20, blank=True)
    sha256 = models.CharField(_("文件摘要（SHA-256）"), max_length=64, blank=True)
    is_public = models.BooleanField(_("向社会公开"), default=False)
    note = models.CharField(_("说明"), max_length=200, blank=True)

    drafted_at = models.DateTimeField(_("起草时间"))
    drafted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("起草人")
    )
    drafted_for = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("起草时被代理人"),
    )
    approved_at = models.DateTimeField(_("审定时间"), null=True, blank=True)
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("审定人"),
    )
    published_at = models.DateTimeField(_("发布时间"), null=True, blank=True)
    published_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("发布人"),
    )
    superseded_at = models.DateTimeField(_("被取代时间"), null=True, blank=True)

    objects = QualityMapQuerySet.as_manager()

    class Meta:
        verbose_name = _("质量图谱")
        verbose_name_plural = _("质量图谱")
        ordering = ["chain", "bureau", "-version"]
        indexes = [
            models.Index(fields=["status", "published_at"], name="quality_map_published"),
        ]
        constraints = [
            models.UniqueConstraint(
                name="quality_map_version_once",
                fields=["chain", "bureau", "version"],
                violation_error_message=_("这一版图谱已经有了，请刷新后再试。"),
            ),
            models.UniqueConstraint(
                name="quality_map_published_once",
                fields=["chain", "bureau"],
                condition=Q(status="published"),
                violation_error_message=_("同一单位的同一产业链只能有一版已发布的图谱。"),
            ),
            models.UniqueConstraint(
                name="quality_map_prepared_once",
                fields=["chain", "bureau"],
                condition=Q(status__in=["draft", "approved"]),
                violation_error_message=_("这条产业链已有一版未发布的图谱，请先发布或废弃它。"),
            ),
            models.CheckConstraint(
                name="quality_map_counts_from_one",
                condition=Q(version__gte=1, sheet_count__gte=1),
                violation_error_message=_("版本和张数至少为 1。"),
            ),
            models.CheckConstraint(
                name="quality_map_has_nodes_or_file",
                condition=Q(nodes__isnull=False) | ~Q(file=""),
                violation_error_message=_("图谱要有环节数据，或者上传的图谱文件。"),
            ),
            models.CheckConstraint(
                name="quality_map_rule_in_order",
                condition=Q(red_below__lte=F("green_from"), green_from__lte=100),
                violation_error_message=_("红色界线不能高于绿色界线，绿色界线不能高于 100%。"),
            ),
            models.CheckConstraint(
                name="quality_map_approved_by_somebody",
                condition=Q(status="draft", approved_by__isnull=True, approved_at__isnull=True)
                | ~Q(status="draft") & Q(approved_by__isnull=False, approved_at__isnull=False),
                violation_error_message=_("审定的图谱要有审定人和审定时间。"),
            ),
            models.CheckConstraint(
                name="quality_map_approved_by_another",
                condition=Q(approved_by__isnull=True)
                | ~Q(approved_by=F("drafted_by"))
                & (Q(drafted_for__isnull=True) | ~Q(approved_by=F("drafted_for"))),
                violation_error_message=_("图谱不能由起草人自己审定。"),
            ),
            models.CheckConstraint(
                name="quality_map_published_by_somebody",
                condition=Q(
                    status__in=["draft", "approved"], published_by__isnull=True, published_at__isnull=True
                )
                | Q(
                    status__in=["published", "superseded"],
                    published_by__isnull=False,
                    published_at__isnull=False,
                ),
                violation_error_message=_("发布的图谱要有发布人和发布时间。"),
            ),
            models.CheckConstraint(
                name="quality_map_superseded_has_time",
                condition=Q(status="superseded", superseded_at__isnull=False)
                | ~Q(status="superseded") & Q(superseded_at__isnull=True),
                violation_error_message=_("被取代的图谱要有被取代的时间。"),
            ),
        ]

    def __str__(self):
        return _("%(chain)s质量图谱 %(bureau)s 第 %(version)d 版") % {
            "chain": self.chain.name,
            "bureau": self.bureau.short_name,
            "version": self.version,
        }

    def save(self, *args, **kwargs):
        self._refuse_when_frozen(but=("status", "superseded_at"))
        super().save(*args, **kwargs)

    def delete(self, *args, **kwargs):
        self._refuse_when_frozen()
        return super().delete(*args, **kwargs)

    def _refuse_when_frozen(self, but: tuple[str, ...] | None = None) -> None:
        """Raise ValidationError when the stored row is published and more differs than ``but``."""
        stored = QualityMap._base_manager.filter(pk=self.pk, status__in=self.FROZEN).first()
        if stored is None:
            return
        kept = [field.attname for field in self._meta.concrete_fields if field.name not in (but or ())]
        steps = {(self.Status.PUBLISHED, self.Status.SUPERSEDED), (stored.status, stored.status)}
        if (
            but is None
            or (stored.status, self.status) not in steps
            or any(getattr(self, name) != getattr(stored, name) for name in kept)
        ):
            raise ValidationError(_("已发布的图谱不能修改，请另编新版。"))
