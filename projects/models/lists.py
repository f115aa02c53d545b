"""The three lists of 一图三清单, their rows, and the policy instruments on offer (`domain.md` 3.7, 3.14)."""

import uuid
from functools import reduce
from operator import and_
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import URLValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from enterprises.models import Bureau, IndustryChain
from projects.models.base import LedgerRow
from projects.models.bottlenecks import Bottleneck
from projects.models.keyprojects import KeyProject
from projects.querysets import ListedRowQuerySet, PolicyInstrumentQuerySet, QualityListQuerySet

# No other scheme: a browser would run some of them.
WEB_ADDRESS = URLValidator(["http", "https"], message=_("请填写以 http:// 或 https:// 开头的完整网址。"))


def person(label: Any) -> models.ForeignKey:
    """Somebody who had a hand in a list; stays as long as the list does."""
    return models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=label
    )


# Who had a hand in a version, in person or through a substitute, and who approved it: never the same.
WRITERS = ("drafted_by", "drafted_for", "edited_by", "edited_for", "submitted_by", "submitted_for")
APPROVERS = ("approved_by", "approved_for")
NOT_ONE_OF_THE_WRITERS = reduce(
    and_,
    (
        Q(**{f"{approver}__isnull": True}) | Q(**{f"{writer}__isnull": True}) | ~Q(**{approver: F(writer)})
        for approver in APPROVERS
        for writer in WRITERS
    ),
)


class PolicyInstrument(LedgerRow):
    """A policy, fund, award or loan that firms of a chain may apply for."""

    class Kind(models.TextChoices):
        FUND = "fund", _("专项资金")
        AWARD = "award", _("质量奖励")
        LOAN = "loan", _("质量贷款")
        STANDARD = "standard", _("标准补助")
        TALENT = "talent", _("人才政策")
        OTHER = "other", pgettext_lazy("policy instrument", "其他政策")

    public_id = models.UUIDField(_("地址标识"), default=uuid.uuid4, unique=True, editable=False)
    title = models.CharField(_("政策名称"), max_length=100)
    kind = models.CharField(_("类型"), max_length=8, choices=Kind)
    department = models.CharField(_("主管部门"), max_length=80)
    doc_no = models.CharField(_("文号"), max_length=60, blank=True)
    target = models.TextField(_("支持对象和内容"), max_length=1000)
    valid_from = models.DateField(_("起始日期"))
    valid_to = models.DateField(_("截止日期"), null=True, blank=True, help_text=_("长期有效的不填。"))
    link = models.CharField(_("原文网址"), max_length=300, blank=True, validators=[WEB_ADDRESS])
    contact = models.CharField(
        _("咨询方式"), max_length=100, blank=True, help_text=_("办理科室和办公电话，会对外公开。")
    )
    bureau = models.ForeignKey(
        Bureau, models.PROTECT, related_name="policy_instruments", verbose_name=_("维护单位")
    )
    chains = models.ManyToManyField(
        IndustryChain,
        related_name="policy_instruments",
        blank=True,
        verbose_name=_("适用产业链"),
        help_text=_("不选表示适用于所有产业链。"),
    )

    objects = PolicyInstrumentQuerySet.as_manager()

    class Meta(LedgerRow.Meta):
        verbose_name = _("质量政策工具")
        verbose_name_plural = _("质量政策工具")
        ordering = ["-valid_from", "-pk"]
        indexes = [models.Index(fields=["bureau", "valid_from"], name="instrument_bureau_from")]
        constraints = [
            *LedgerRow.Meta.constraints,
            models.CheckConstraint(
                name="instrument_dates_in_order",
                condition=Q(valid_to__isnull=True) | Q(valid_to__gte=F("valid_from")),
                violation_error_message=_("截止日期不能早于起始日期。"),
            ),
            models.UniqueConstraint(
                name="instrument_document_once",
                fields=["bureau", "title", "doc_no"],
                condition=Q(voided_at__isnull=True),
                violation_error_message=_("本单位已登记同名同文号的政策。"),
            ),
        ]

    def __str__(self):
        return self.title

    @property
    def is_in_force(self) -> bool:
        today = timezone.localdate()
        return self.valid_from <= today and (self.valid_to is None or self.valid_to >= today)


class QualityList(models.Model):
    """A version of one of the three lists of a chain, of one bureau's whole subtree.

    `ProblemList`, `KeyProjectList` and `PolicyInstrumentList` of `domain.md` 1.1 are its three kinds: they
    differ in what their rows point to and in nothing that happens to them.
    """

    class Kind(models.TextChoices):
        PROBLEMS = "problems", _("质量问题清单")
        KEY_PROJECTS = "key_projects", _("重点攻关项目清单")
        INSTRUMENTS = "instruments", _("质量政策工具清单")

    class Status(models.TextChoices):
        DRAFT = "draft", pgettext_lazy("list", "起草中")
        SUBMITTED = "submitted", pgettext_lazy("list", "待批准")
        APPROVED = "approved", pgettext_lazy("list", "已批准，待发布")
        PUBLISHED = "published", pgettext_lazy("list", "已发布")
        SUPERSEDED = "superseded", pgettext_lazy("list", "已被新版取代")

    # Nothing of these changes any more, except that a published one is superseded.
    FROZEN = (Status.PUBLISHED, Status.SUPERSEDED)
    PREFIXES = {Kind.PROBLEMS: "WTQD", Kind.KEY_PROJECTS: "GGQD", Kind.INSTRUMENTS: "ZCQD"}

    public_id = models.UUIDField(_("地址标识"), default=uuid.uuid4, unique=True, editable=False)
    kind = models.CharField(_("清单"), max_length=12, choices=Kind)
    chain = models.ForeignKey(
        IndustryChain, models.PROTECT, related_name="quality_lists", verbose_name=_("产业链")
    )
    bureau = models.ForeignKey(
        Bureau, models.PROTECT, related_name="quality_lists", verbose_name=_("清单单位")
    )
    version = models.PositiveIntegerField(_("版本"))
    supersedes = models.OneToOneField(
        "self",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="superseded_by",
        verbose_name=_("取代的版本"),
    )
    effective_on = models.DateField(_("实施日期"))
    notes = models.CharField(_("编制说明"), max_length=500, blank=True)
    status = models.CharField(_("状态"), max_length=10, choices=Status, default=Status.DRAFT)
    # Counts every change of a draft, so that of two who edit it at once the second is told.
    revision = models.PositiveIntegerField(_("修订号"), default=1, editable=False)
    drafted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("拟稿人")
    )
    drafted_for = person(_("拟稿人代谁办理"))
    drafted_at = models.DateTimeField(_("起草时间"), default=timezone.now)
    edited_by = person(_("最后修改人"))
    edited_for = person(_("最后修改人代谁办理"))
    submitted_by = person(_("提交人"))
    submitted_for = person(_("提交人代谁办理"))
    submitted_at = models.DateTimeField(_("提交时间"), null=True, blank=True)
    returned_by = person(_("退回人"))
    returned_at = models.DateTimeField(_("退回时间"), null=True, blank=True)
    return_reason = models.CharField(_("退回原因"), max_length=500, blank=True)
    approved_by = person(_("批准人"))
    approved_for = person(_("批准人代谁办理"))
    approved_at = models.DateTimeField(_("批准时间"), null=True, blank=True)
    published_by = person(_("发布人"))
    published_at = models.DateTimeField(_("发布时间"), null=True, blank=True)
    # Names of chain and bureau as they were printed; both may be called otherwise one day.
    heading = models.JSONField(_("发布时的名称"), default=dict, blank=True, editable=False)
    digest = models.CharField(_("内容摘要（SHA-256）"), max_length=64, blank=True, editable=False)

    objects = QualityListQuerySet.as_manager()

    class Meta:
        verbose_name = _("质量清单")
        verbose_name_plural = _("质量清单")
        ordering = ["chain__code", "kind", "bureau__code", "-version"]
        constraints = [
            models.UniqueConstraint(
                name="quality_list_version_once",
                fields=["chain", "bureau", "kind", "version"],
                violation_error_message=_("这份清单的这一版本已经存在。"),
            ),
            models.UniqueConstraint(
                name="quality_list_one_unfinished",
                fields=["chain", "bureau", "kind"],
                condition=Q(status__in=["draft", "submitted", "approved"]),
                violation_error_message=_("这份清单已有一个版本在起草或待发布，请接着办理它。"),
            ),
            models.UniqueConstraint(
                name="quality_list_one_published",
                fields=["chain", "bureau", "kind"],
                condition=Q(status="published"),
                violation_error_message=_("这份清单已有一个发布的版本，新版发布时才取代它。"),
            ),
            models.CheckConstraint(
                name="quality_list_version_follows",
                condition=Q(version=1, supersedes__isnull=True) | Q(version__gt=1, supersedes__isnull=False),
                violation_error_message=_("第 1 版没有前版，以后各版都要取代前一版。"),
            ),
            models.CheckConstraint(
                name="quality_list_approved_by_another",
                condition=NOT_ONE_OF_THE_WRITERS,
                violation_error_message=_("批准人不能是拟稿、修改或提交的人，请由另一名经办人批准。"),
            ),
            models.CheckConstraint(
                name="quality_list_approved_by_somebody",
                condition=Q(
                    status__in=["draft", "submitted"], approved_by__isnull=True, approved_at__isnull=True
                )
                | Q(
                    status__in=["approved", "published", "superseded"],
                    approved_by__isnull=False,
                    approved_at__isnull=False,
                ),
                violation_error_message=_("清单发布前要有批准人和批准时间。"),
            ),
            models.CheckConstraint(
                name="quality_list_published_is_sealed",
                condition=Q(
                    status__in=["draft", "submitted", "approved"], published_at__isnull=True, digest=""
                )
                | Q(status__in=["published", "superseded"], published_at__isnull=False, digest__length=64),
                violation_error_message=_("已发布的清单要有发布时间和内容摘要。"),
            ),
            models.CheckConstraint(
                name="quality_list_return_has_reason",
                condition=Q(returned_at__isnull=True) | ~Q(return_reason=""),
                violation_error_message=_("退回要写明原因。"),
            ),
        ]

    def __str__(self):
        return str(
            _("%(chain)s%(kind)s第 %(version)d 版")
            % {"chain": self.chain.name, "kind": self.get_kind_display(), "version": self.version}
        )

    def save(self, *args: Any, **kwargs: Any) -> None:
        self._refuse_if_frozen()
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        if self.pk:
            type(self).objects.filter(pk=self.pk).refuse_frozen()
        return super().delete(*args, **kwargs)

    @property
    def code(self) -> str:
        """WTQD-320500-C01-2: printed at the foot of every page."""
        return f"{self.PREFIXES[self.kind]}-{self.bureau.code}-{self.chain.code}-{self.version}"

    @property
    def is_frozen(self) -> bool:
        return self.status in self.FROZEN

    @property
    def writers(self) -> set[int]:
        """Keys of those who had a hand in it, and so may not approve it."""
        return {key for name in WRITERS if (key := getattr(self, f"{name}_id"))}

    def _refuse_if_frozen(self) -> None:
        """Of a published list only one thing may change: that it is superseded."""
        stored = type(self)._base_manager.filter(pk=self.pk, status__in=self.FROZEN).first()
        if stored is None:
            return
        changed = {
            field.name
            for field in self._meta.concrete_fields
            if getattr(stored, field.attname) != getattr(self, field.attname)
        }
        superseded = (stored.status, self.status) == (self.Status.PUBLISHED, self.Status.SUPERSEDED)
        if changed - {"status"} or (changed and not superseded):
            raise ValidationError(_("已发布的清单不能修改；有变化时请起草新的版本。"))


class ListedRow(models.Model):
    """A line of a list: the live row that it speaks of, and what was printed when the list was published."""

    quality_list = models.ForeignKey(
        QualityList, models.CASCADE, related_name="entries", verbose_name=_("清单")
    )
    position = models.PositiveIntegerField(_("序号"))
    bottleneck = models.ForeignKey(
        Bottleneck,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="listed_rows",
        verbose_name=_("问题"),
    )
    key_project = models.ForeignKey(
        KeyProject,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="listed_rows",
        verbose_name=_("重点攻关项目"),
    )
    instrument = models.ForeignKey(
        PolicyInstrument,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="listed_rows",
        verbose_name=_("质量政策工具"),
    )
    note = models.CharField(_("备注"), max_length=200, blank=True)
    # Of a draft: left out by the editor, and stays so when the draft is brought up to date.
    is_excluded = models.BooleanField(_("不列入"), default=False)
    # Put in by hand: not taken out when it is not among the rows that are proposed.
    is_added = models.BooleanField(_("手工加入"), default=False)
    # Values by the names of `projects.listed`, once approved; null in drafts, which show the live row.
    facts = models.JSONField(_("发布时的内容"), null=True, blank=True)
    # Whether outsiders read the line at all, as judged at publication.
    is_public = models.BooleanField(_("可对外公开"), default=False)

    objects = ListedRowQuerySet.as_manager()

    class Meta:
        verbose_name = _("清单条目")
        verbose_name_plural = _("清单条目")
        ordering = ["quality_list", "position", "pk"]
        constraints = [
            *(
                models.UniqueConstraint(
                    name=f"listed_row_{name}_once",
                    fields=["quality_list", name],
                    violation_error_message=_("这一条已经在清单中。"),
                )
                for name in ("bottleneck", "key_project", "instrument")
            ),
            models.CheckConstraint(
                name="listed_row_is_of_one_thing",
                condition=Q(bottleneck__isnull=False, key_project__isnull=True, instrument__isnull=True)
                | Q(bottleneck__isnull=True, key_project__isnull=False, instrument__isnull=True)
                | Q(bottleneck__isnull=True, key_project__isnull=True, instrument__isnull=False),
                violation_error_message=_("清单的一条只对应一个问题、项目或政策。"),
            ),
            models.CheckConstraint(
                name="listed_row_excluded_is_not_frozen",
                condition=Q(is_excluded=False) | Q(facts__isnull=True),
                violation_error_message=_("不列入的条目不会发布。"),
            ),
        ]

    def __str__(self):
        return f"{self.position} {self.thing}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        QualityList.objects.filter(pk=self.quality_list_id).refuse_frozen()
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        QualityList.objects.filter(pk=self.quality_list_id).refuse_frozen()
        return super().delete(*args, **kwargs)

    @property
    def thing(self) -> Any:
        """The live row."""
        return self.bottleneck or self.key_project or self.instrument
