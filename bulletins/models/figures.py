"""Periods, what bureaus confirm of them, and frozen figures (`domain.md` 5.5)."""

from datetime import date, datetime
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from bulletins import periods
from bulletins.querysets import (
    ExcuseQuerySet,
    OfSnapshot,
    PeriodQuerySet,
    SnapshotQuerySet,
    SubmissionQuerySet,
)
from common.jobs import Job
from enterprises.models import Bureau, IndustryChain


class Period(models.Model):
    """A reporting period; its code is ``2024``, ``2024H1``, ``2024Q3`` or ``2024-11``.

    ``status`` is what somebody did with it. What the clock and the submissions make of an open one stands in
    its `Stage`, told by `PeriodQuerySet.staged`.
    """

    class Kind(models.TextChoices):
        MONTH = "month", _("月")
        QUARTER = "quarter", _("季度")
        HALF = "half", _("半年")
        YEAR = "year", _("年")

    class Status(models.TextChoices):
        OPEN = "open", pgettext_lazy("period", "未冻结")
        FROZEN = "frozen", _("已冻结")
        PUBLISHED = "published", _("已发布")
        REVISED = "revised", pgettext_lazy("period", "已更正")

    class Stage(models.TextChoices):
        """The way of a period (`domain.md` 5.5)."""

        OPEN = "open", _("填报中")
        COLLECTING = "collecting", pgettext_lazy("period", "逐级确认")
        REVIEWING = "reviewing", pgettext_lazy("period", "总局审核")
        FROZEN = "frozen", _("已冻结")
        PUBLISHED = "published", _("已发布")
        REVISED = "revised", pgettext_lazy("period", "已更正")

    # The public reads its figures.
    PUBLIC = (Status.PUBLISHED, Status.REVISED)

    code = models.CharField(_("期间"), max_length=7, unique=True)
    kind = models.CharField(_("类型"), max_length=7, choices=Kind)
    start_on = models.DateField(_("起始日"))
    end_on = models.DateField(_("截止日"), help_text=_("截止到当日 24:00（北京时间）。"))
    status = models.CharField(_("状态"), max_length=9, choices=Status, default=Status.OPEN)
    is_collected = models.BooleanField(
        _("逐级确认"),
        default=False,
        help_text=_("截止后，县、市、省逐级提交和审核数字，再由总局冻结；不逐级确认的，由总局直接核对。"),
    )
    # Not one that stands only for a paper to be compared with it, until somebody asks for its figures.
    follows = models.BooleanField(_("随台账更新"), default=True)
    freeze_on = models.DateField(
        _("冻结日"), null=True, blank=True, help_text=_("留空为截止后第 10 个工作日。")
    )
    frozen_at = models.DateTimeField(_("冻结时间"), null=True, blank=True)
    frozen_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("冻结人"),
    )

    objects = PeriodQuerySet.as_manager()

    class Meta:
        verbose_name = _("统计期间")
        verbose_name_plural = _("统计期间")
        ordering = ["-end_on", "start_on"]
        constraints = [
            models.CheckConstraint(
                name="period_dates_in_order",
                condition=Q(end_on__gt=F("start_on")),
                violation_error_message=_("期间的截止日应晚于起始日。"),
            ),
            models.CheckConstraint(
                name="period_frozen_has_time",
                condition=Q(status="open") | Q(frozen_at__isnull=False),
                violation_error_message=_("已冻结的期间要有冻结时间。"),
            ),
            models.CheckConstraint(
                name="period_freezes_after_its_end",
                condition=Q(freeze_on__isnull=True) | Q(freeze_on__gt=F("end_on")),
                violation_error_message=_("冻结日应晚于期间的截止日。"),
            ),
        ]

    def __str__(self):
        return self.code

    def clean(self) -> None:
        """Kind and days are what the code says, whoever adds the period."""
        spec = periods.parse(self.code)
        self.code, self.kind, self.start_on, self.end_on = spec.code, spec.kind, spec.start_on, spec.end_on

    @property
    def name(self) -> str:
        """2024年第三季度"""
        return periods.name(self.code)

    @property
    def starts(self) -> datetime:
        return periods.midnight(self.start_on)

    @property
    def cut_off(self) -> datetime:
        """The first moment that no longer belongs to the period."""
        return periods.cut_off(self.end_on)

    @property
    def freeze_due(self) -> date:
        """On this day it is frozen, whoever is missing."""
        return self.freeze_on or periods.freeze_day(self.end_on)

    @property
    def is_frozen(self) -> bool:
        return self.status != self.Status.OPEN

    @property
    def stage_label(self) -> Any:
        """The name of the stage, of a period that was asked for with it."""
        return self.Stage(self.stage).label  # type: ignore[attr-defined]

    @property
    def is_public(self) -> bool:
        return self.status in self.PUBLIC


def _person(words: Any, **options: Any) -> models.ForeignKey:
    return models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=words, **options
    )


class Submission(models.Model):
    """What a bureau confirms of a period and its superior approves or sends back: one row, handed in again
    and again (``round``) until it is approved.

    ``figures`` are what was confirmed: value, numerator and denominator by the code of the indicator, as
    they were counted at ``counted_at``.
    """

    class Status(models.TextChoices):
        SUBMITTED = "submitted", pgettext_lazy("figures", "待上级审核")
        APPROVED = "approved", pgettext_lazy("figures", "已通过")
        RETURNED = "returned", pgettext_lazy("figures", "已退回")

    # Handed in, and not come back.
    STANDING = (Status.SUBMITTED, Status.APPROVED)

    period = models.ForeignKey(Period, models.PROTECT, related_name="submissions", verbose_name=_("期间"))
    bureau = models.ForeignKey(Bureau, models.PROTECT, related_name="+", verbose_name=_("单位"))
    status = models.CharField(_("状态"), max_length=9, choices=Status, default=Status.SUBMITTED)
    round = models.PositiveSmallIntegerField(_("提交次数"), default=1)
    figures = models.JSONField(_("确认的数字"), default=dict)
    counted_at = models.DateTimeField(_("数字的汇总时间"))
    note = models.CharField(_("说明"), max_length=500, blank=True)
    submitted_at = models.DateTimeField(_("提交时间"))
    submitted_by = _person(_("提交人"))
    submitted_for = _person(_("提交人代理的人"), null=True, blank=True)
    decided_at = models.DateTimeField(_("审核时间"), null=True, blank=True)
    decided_by = _person(_("审核人"), null=True, blank=True)
    decided_for = _person(_("审核人代理的人"), null=True, blank=True)
    reason = models.CharField(_("退回原因"), max_length=500, blank=True)

    objects = SubmissionQuerySet.as_manager()

    class Meta:
        verbose_name = _("数字确认")
        verbose_name_plural = _("数字确认")
        ordering = ["period", "bureau__code"]
        constraints = [
            models.UniqueConstraint(
                name="submission_once",
                fields=["period", "bureau"],
                violation_error_message=_("这个单位已经提交了这个期间的数字。"),
            ),
            models.CheckConstraint(
                name="submission_decided_by_somebody",
                condition=Q(status="submitted", decided_at__isnull=True, decided_by__isnull=True)
                | Q(status__in=["approved", "returned"], decided_at__isnull=False, decided_by__isnull=False),
                violation_error_message=_("通过或退回要有审核人和审核时间。"),
            ),
            models.CheckConstraint(
                name="submission_returned_for_a_reason",
                condition=Q(status="returned") & ~Q(reason="") | ~Q(status="returned") & Q(reason=""),
                violation_error_message=_("退回要写明原因。"),
            ),
            models.CheckConstraint(
                name="submission_decided_by_another",
                condition=~(
                    Q(decided_by=F("submitted_by"))
                    | Q(decided_by__isnull=False, submitted_for=F("decided_by"))
                    | Q(decided_for__isnull=False, submitted_by=F("decided_for"))
                    | Q(decided_for__isnull=False, submitted_for=F("decided_for"))
                ),
                violation_error_message=_("审核人不能是提交的人，请由另一名人员审核。"),
            ),
        ]

    def __str__(self):
        return f"{self.period} {self.bureau.short_name}"


class Excuse(models.Model):
    """A bureau, with all below it, need not confirm one period, or none until a day; it ends by itself."""

    bureau = models.ForeignKey(Bureau, models.PROTECT, related_name="+", verbose_name=_("单位"))
    period = models.ForeignKey(
        Period,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="excuses",
        verbose_name=_("期间"),
        help_text=_("只免这一个期间；不选则到下面的日期为止。"),
    )
    until = models.DateField(_("免报到"), null=True, blank=True, help_text=_("含当日，次日起自动恢复报送。"))
    reason = models.CharField(_("免报原因"), max_length=200)
    given_at = models.DateTimeField(_("批准时间"))
    given_by = _person(_("批准人"))
    given_for = _person(_("批准人代理的人"), null=True, blank=True)
    lifted_at = models.DateTimeField(_("撤销时间"), null=True, blank=True)
    lifted_by = _person(_("撤销人"), null=True, blank=True)

    objects = ExcuseQuerySet.as_manager()

    class Meta:
        verbose_name = _("免报")
        verbose_name_plural = _("免报")
        ordering = ["-given_at", "-pk"]
        constraints = [
            models.CheckConstraint(
                name="excuse_for_a_period_or_until_a_day",
                condition=Q(period__isnull=False, until__isnull=True)
                | Q(period__isnull=True, until__isnull=False),
                violation_error_message=_("免报要么限于一个期间，要么到某一天为止。"),
            ),
            models.CheckConstraint(
                name="excuse_has_reason",
                condition=~Q(reason=""),
                violation_error_message=_("免报要写明原因。"),
            ),
            models.CheckConstraint(
                name="excuse_lifted_by_somebody",
                condition=Q(lifted_at__isnull=True, lifted_by__isnull=True)
                | Q(lifted_at__isnull=False, lifted_by__isnull=False),
                violation_error_message=_("撤销免报要有撤销人和时间。"),
            ),
            models.UniqueConstraint(
                name="excuse_once_for_a_period",
                fields=["bureau", "period"],
                condition=Q(lifted_at__isnull=True, period__isnull=False),
                violation_error_message=_("这个单位在这个期间已经免报。"),
            ),
            models.UniqueConstraint(
                name="excuse_once_until_a_day",
                fields=["bureau", "until"],
                condition=Q(lifted_at__isnull=True, until__isnull=False),
                violation_error_message=_("这个单位已经免报到这一天。"),
            ),
        ]

    def __str__(self):
        return f"{self.bureau.short_name} {self.period or self.until}"


class Snapshot(Job):
    """One roll-up of a period for all units; version 0 is the working one, frozen ones count from 1.

    Readers look at `done` snapshots only, so nobody sees half a roll-up. A frozen one is never changed again:
    the models refuse it, and its digests, which stand in the record, tell what was changed past them. Of a
    period whose figures follow the ledger two are `is_live` and take turns: one is read, and the other
    brought up to date (`bulletins.refresh`).
    """

    period = models.ForeignKey(Period, models.PROTECT, related_name="snapshots", verbose_name=_("期间"))
    version = models.PositiveSmallIntegerField(_("版本"), default=0)
    reason = models.CharField(_("版本原因"), max_length=200, blank=True)
    definition_version = models.CharField(_("口径版本"), max_length=20)
    definitions = models.JSONField(
        _("各指标口径版本"), default=dict, blank=True, help_text=_("指标代码及其口径版本。")
    )
    row_hash = models.CharField(_("数值摘要（SHA-256）"), max_length=64, blank=True)
    counted_hash = models.CharField(_("计数行摘要（SHA-256）"), max_length=64, blank=True)
    frame_hash = models.CharField(_("单位和报送情况摘要（SHA-256）"), max_length=64, blank=True)
    coverage = models.JSONField(
        _("报送情况"),
        default=dict,
        blank=True,
        help_text=_("冻结时经批准免报的单位及原因，和没有通过审核的单位。"),
    )
    is_live = models.BooleanField(
        _("随台账更新"), default=False, help_text=_("保留计数行，台账变动后只重算变动涉及的数字。")
    )
    basis = models.JSONField(
        _("计数依据"), default=dict, blank=True, editable=False, help_text=_("更新到哪一号记录链节，等等。")
    )
    warnings = models.JSONField(_("冻结时的提示"), default=list, blank=True)
    created_at = models.DateTimeField(_("创建时间"), auto_now_add=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("创建人"),
    )
    finished_at = models.DateTimeField(_("完成时间"), null=True, blank=True)

    objects = SnapshotQuerySet.as_manager()

    class Meta:
        verbose_name = _("统计快照")
        verbose_name_plural = _("统计快照")
        ordering = ["period", "-version", "-pk"]
        constraints = [
            models.UniqueConstraint(
                name="snapshot_version_once",
                fields=["period", "version"],
                condition=Q(version__gt=0),
                violation_error_message=_("该期间已有这一版本的快照。"),
            ),
        ]

    def __str__(self):
        return f"{self.period} v{self.version}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        type(self).objects.filter(pk=self.pk).refuse_frozen()
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        type(self).objects.filter(pk=self.pk).refuse_frozen()
        return super().delete(*args, **kwargs)

    @property
    def code(self) -> str:
        """2024Q3.1: the period and the version."""
        return f"{self.period.code}.{self.version}"


class PartOfSnapshot(models.Model):
    """A row that goes with its snapshot; once that is frozen it is neither changed, added nor deleted."""

    objects = OfSnapshot.as_manager()

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        self._refuse_frozen()
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        self._refuse_frozen()
        return super().delete(*args, **kwargs)

    def _refuse_frozen(self) -> None:
        """Neither where the row is to go nor where it stands."""
        Snapshot.objects.filter(pk=self.snapshot_id).refuse_frozen()  # type: ignore[attr-defined]
        if self.pk is not None:
            type(self).objects.filter(pk=self.pk).refuse_frozen()


class SnapshotUnit(PartOfSnapshot):
    """A unit as it stood when a snapshot was frozen: what it was called, and where in the tree.

    Boundaries change; whatever shows frozen figures reads the tree of their freeze (`bulletins.trees`).
    """

    snapshot = models.ForeignKey(
        Snapshot,
        models.CASCADE,
        related_name="units",
        db_index=False,
        db_constraint=False,
        verbose_name=_("快照"),
    )
    bureau = models.ForeignKey(
        Bureau, models.PROTECT, related_name="+", db_index=False, db_constraint=False, verbose_name=_("单位")
    )
    parent = models.ForeignKey(
        Bureau,
        models.PROTECT,
        null=True,
        related_name="+",
        db_index=False,
        db_constraint=False,
        verbose_name=_("上级单位"),
    )
    code = models.CharField(_("单位代码"), max_length=12)
    name = models.CharField(_("名称"), max_length=80)
    short_name = models.CharField(_("简称"), max_length=30)
    level = models.PositiveSmallIntegerField(_("层级"), choices=Bureau.Level)
    path = models.CharField(_("隶属路径"), max_length=80)
    is_separately_planned = models.BooleanField(_("计划单列市"), default=False)
    has_ended = models.BooleanField(
        _("已撤销"), default=False, help_text=_("冻结时已不是现设单位；它的记录计入上级单位。")
    )

    class Meta:
        verbose_name = _("快照中的单位")
        verbose_name_plural = _("快照中的单位")
        constraints = [
            models.UniqueConstraint(
                name="snapshot_unit_once",
                fields=["snapshot", "bureau"],
                violation_error_message=_("快照中每个单位只有一行。"),
            ),
        ]

    def __str__(self):
        return self.short_name


class StatValue(PartOfSnapshot):
    """The value of one indicator for one unit, in all or for one chain.

    ``value`` is a whole number in the smallest unit of its indicator: things, fen of money, half days of a
    median, whose ``denominator`` says of how many rows it is the median. A ratio has no value but
    ``numerator`` and ``denominator``. Null means not reported, which is not zero (`domain.md` 5.4 rule 11).

    Every unit has a row for all chains; a chain has one only where something was counted. Written by the
    hundred thousand from the tables it points to, hence neither single-column indexes nor foreign-key
    triggers; the application still protects the rows.
    """

    snapshot = models.ForeignKey(
        Snapshot,
        models.CASCADE,
        related_name="values",
        db_index=False,
        db_constraint=False,
        verbose_name=_("快照"),
    )
    indicator = models.CharField(_("指标"), max_length=4)
    bureau = models.ForeignKey(
        Bureau, models.PROTECT, related_name="+", db_index=False, db_constraint=False, verbose_name=_("单位")
    )
    chain = models.ForeignKey(
        IndustryChain,
        models.PROTECT,
        null=True,
        related_name="+",
        db_index=False,
        db_constraint=False,
        verbose_name=_("产业链"),
    )
    value = models.BigIntegerField(_("数值"), null=True)
    numerator = models.BigIntegerField(_("分子"), null=True)
    denominator = models.BigIntegerField(_("分母"), null=True)
    late = models.BigIntegerField(_("其中补报"), default=0)

    class Meta:
        verbose_name = _("统计值")
        verbose_name_plural = _("统计值")
        indexes = [
            models.Index(fields=["snapshot", "bureau", "indicator"], name="stat_value_unit"),
        ]

    def __str__(self):
        return f"{self.indicator} {self.bureau_id} {self.value}"


class CountedRow(PartOfSnapshot):
    """A ledger row that a frozen snapshot counted, as it stood then (design decision 7).

    `base` names the set of rows in the catalogue, `row_id` the row there, `key` what is counted once,
    `amount` what the row adds: one, or sheets, fen, days.
    """

    pk = models.CompositePrimaryKey("snapshot", "base", "row_id")
    snapshot = models.ForeignKey(
        Snapshot,
        models.CASCADE,
        related_name="counted_rows",
        db_index=False,
        db_constraint=False,
        verbose_name=_("快照"),
    )
    base = models.CharField(_("行集"), max_length=16)
    row_id = models.BigIntegerField(_("行"))
    bureau = models.ForeignKey(
        Bureau, models.PROTECT, related_name="+", db_index=False, db_constraint=False, verbose_name=_("单位")
    )
    chain = models.ForeignKey(
        IndustryChain,
        models.PROTECT,
        related_name="+",
        db_index=False,
        db_constraint=False,
        verbose_name=_("产业链"),
    )
    key = models.BigIntegerField(_("去重标识"))
    amount = models.BigIntegerField(_("数量"), default=1, db_default=1)
    late = models.PositiveSmallIntegerField(_("补报"), default=0)

    class Meta:
        verbose_name = _("计数行")
        verbose_name_plural = _("计数行")

    def __str__(self):
        return f"{self.base} {self.row_id}"
