"""Bulletins, their wording, and the series that are issued for a subtree (`domain.md` 3.14, chapter 6)."""

import uuid
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from bulletins import agencies
from bulletins.models.figures import Period, Snapshot
from bulletins.querysets import BulletinQuerySet, EditionQuerySet, SeriesQuerySet
from common.jobs import Job
from enterprises.models import Bureau


def _person(words: Any, **options: Any) -> models.ForeignKey:
    return models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=words,
        **options,
    )


def _another(name: str, words: Any, other: str, *hands: str) -> models.CheckConstraint:
    """Whoever is ``other`` is none of those who had a hand in it."""
    condition = Q()
    for hand in hands:
        condition &= Q(**{f"{other}__isnull": True}) | Q(**{f"{hand}__isnull": True}) | ~Q(**{other: F(hand)})
    return models.CheckConstraint(name=name, condition=condition, violation_error_message=words)


class Bulletin(Job):
    """An official bulletin over one snapshot; issued ones are never edited (`domain.md` 3.14)."""

    class Kind(models.TextChoices):
        CIRCULAR = "circular", pgettext_lazy("kind of document", "通报")
        BRIEF = "brief", _("简报")

    class Status(models.TextChoices):
        DRAFT = "draft", _("草稿")
        REVIEW = "review", pgettext_lazy("bulletin", "审核中")
        SIGNING = "signing", _("待签发")
        ISSUED = "issued", _("已印发")
        REPLACED = "replaced", _("已被替换")
        WITHDRAWN = "withdrawn", _("已撤回")

    # Not issued yet: for those who work on it.
    PREPARING = (Status.DRAFT, Status.REVIEW, Status.SIGNING)

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    kind = models.CharField(_("文种"), max_length=8, choices=Kind, default=Kind.CIRCULAR)
    bureau = models.ForeignKey(Bureau, models.PROTECT, related_name="bulletins", verbose_name=_("印发单位"))
    period = models.ForeignKey(Period, models.PROTECT, related_name="bulletins", verbose_name=_("期间"))
    snapshot = models.ForeignKey(
        Snapshot, models.PROTECT, related_name="bulletins", verbose_name=_("统计快照")
    )
    # The year before as it is printed; none where nothing is compared.
    compared_with = models.ForeignKey(
        Snapshot,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="compared_by",
        verbose_name=_("上年同期快照"),
    )
    title = models.CharField(_("标题"), max_length=120)
    doc_year = models.PositiveSmallIntegerField(_("发文年份"), null=True, blank=True)
    doc_seq = models.PositiveIntegerField(_("发文顺序号"), null=True, blank=True)
    total_seq = models.PositiveIntegerField(_("总期号"), null=True, blank=True)
    cases = models.JSONField(
        _("典型案例"), default=list, blank=True, help_text=_("企业同意公开的已解决问题，拟稿时选定。")
    )
    status = models.CharField(_("状态"), max_length=9, choices=Status, default=Status.DRAFT)
    edited_by = _person(_("最后改稿人"))
    # The keys of all who drafted, worded, renewed or submitted it; nobody is taken out.
    hands = models.JSONField(_("经手人"), default=list, blank=True, editable=False)
    submitted_by = _person(_("送审人"))
    reviewed_by = _person(_("审核人"))
    returned_for = models.CharField(_("退回原因"), max_length=200, blank=True)
    edition = models.ForeignKey(
        "Edition",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="bulletins",
        verbose_name=_("批次"),
    )
    issued_on = models.DateField(_("印发日期"), null=True, blank=True)
    issued_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("签发人"),
    )
    # Root of the record on the last day closed before the issue; printed.
    record_day = models.DateField(_("操作记录根值日期"), null=True, blank=True, editable=False)
    record_root = models.CharField(_("操作记录根值（SHA-256）"), max_length=64, blank=True, editable=False)
    verification_code = models.CharField(_("核验码"), max_length=24, unique=True)
    pdf = models.FileField(_("PDF 文件"), upload_to="bulletins/", max_length=200, blank=True)
    sha256 = models.CharField(_("PDF 摘要（SHA-256）"), max_length=64, blank=True)
    replaced_by = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="replaces", verbose_name=_("由谁替换")
    )
    withdrawn_at = models.DateTimeField(_("撤回时间"), null=True, blank=True)
    withdraw_reason = models.CharField(_("撤回或替换原因"), max_length=200, blank=True)
    created_at = models.DateTimeField(_("创建时间"), auto_now_add=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("拟稿人"),
    )

    objects = BulletinQuerySet.as_manager()

    class Meta:
        verbose_name = _("通报")
        verbose_name_plural = _("通报")
        ordering = ["-issued_on", "-pk"]
        constraints = [
            models.UniqueConstraint(
                name="bulletin_number_once",
                fields=["bureau", "kind", "doc_year", "doc_seq"],
                violation_error_message=_("该发文字号已被使用。"),
            ),
            models.UniqueConstraint(
                name="bulletin_issue_once",
                fields=["bureau", "total_seq"],
                violation_error_message=_("该总期号已被使用。"),
            ),
            models.UniqueConstraint(
                name="bulletin_once_in_edition",
                fields=["edition", "bureau"],
                violation_error_message=_("这一批次已为该单位印发。"),
            ),
            models.CheckConstraint(
                name="bulletin_issued_has_number",
                condition=Q(status__in=["draft", "review", "signing"])
                | Q(doc_year__isnull=False, doc_seq__isnull=False, issued_on__isnull=False),
                violation_error_message=_("已印发的通报要有发文字号和印发日期。"),
            ),
            models.CheckConstraint(
                name="bulletin_brief_has_total",
                condition=Q(status__in=["draft", "review", "signing"], total_seq__isnull=True)
                | Q(kind="circular", total_seq__isnull=True)
                | Q(kind="brief", total_seq__isnull=False),
                violation_error_message=_("已印发的简报要有总期号，通报没有总期号。"),
            ),
            models.CheckConstraint(
                name="bulletin_review_was_asked",
                condition=~Q(status__in=["review", "signing"]) | Q(submitted_by__isnull=False),
                violation_error_message=_("审核中的通报要有送审人。"),
            ),
            models.CheckConstraint(
                name="bulletin_signing_was_reviewed",
                condition=~Q(status="signing") | Q(reviewed_by__isnull=False),
                violation_error_message=_("待签发的通报要先经审核。"),
            ),
            _another(
                "bulletin_reviewed_by_another",
                _("审核人不能是改稿人或送审人，请由另一名人员审核。"),
                "reviewed_by",
                "edited_by",
                "submitted_by",
            ),
            _another(
                "bulletin_signed_by_another",
                _("签发人不能是改稿人或送审人，请由另一名人员签发。"),
                "issued_by",
                "edited_by",
                "submitted_by",
            ),
            models.CheckConstraint(
                name="bulletin_replaced_names_successor",
                condition=~Q(status="replaced") | Q(replaced_by__isnull=False),
                violation_error_message=_("被替换的通报要指明由哪份替换。"),
            ),
            models.CheckConstraint(
                name="bulletin_withdrawn_has_reason",
                condition=~Q(status="withdrawn") | (Q(withdrawn_at__isnull=False) & ~Q(withdraw_reason="")),
                violation_error_message=_("撤回通报要写明原因。"),
            ),
            models.CheckConstraint(
                name="bulletin_done_has_file",
                condition=~Q(job_state="done") | (~Q(pdf="") & Q(sha256__length=64)),
                violation_error_message=_("已生成的通报要有 PDF 文件和摘要。"),
            ),
        ]

    def __str__(self):
        return self.title

    @property
    def number(self) -> str:
        """国质强链〔2025〕1号 or 2025年第3期（总第17期）; empty until it is issued."""
        if not self.doc_year:
            return ""
        if self.kind == self.Kind.BRIEF:
            return agencies.issue(self.doc_year, self.doc_seq, self.total_seq)
        return agencies.number(self.bureau, self.doc_year, self.doc_seq)

    def add_hand(self, user: Any) -> None:
        """Note who worked on it; None is the operator."""
        if user is not None and user.pk not in self.hands:
            self.hands = [*self.hands, user.pk]

    @property
    def had_a_hand(self) -> set[int]:
        """The keys of those who may not judge it."""
        last = {self.created_by_id, self.edited_by_id, self.submitted_by_id}
        return {pk for pk in last if pk} | set(self.hands)

    @property
    def is_prepared(self) -> bool:
        """Not issued yet."""
        return self.status in self.PREPARING


class Wording(models.Model):
    """What an editor made of one block of a bulletin; without it the block is printed as drafted.

    ``text`` is a template, in which placeholders stand for the figures (`bulletins.wording`). ``base`` is
    what the edited draft said but for numbers: once it says otherwise, the editor has to look again.
    """

    bulletin = models.ForeignKey(Bulletin, models.CASCADE, related_name="wordings", verbose_name=_("通报"))
    key = models.CharField(_("段落"), max_length=40)
    base = models.TextField(_("原稿"), blank=True)
    text = models.TextField(_("改稿"), blank=True)
    edited_by = _person(_("改稿人"))
    edited_at = models.DateTimeField(_("改稿时间"))

    class Meta:
        verbose_name = _("改稿")
        verbose_name_plural = _("改稿")
        ordering = ["bulletin", "key"]
        constraints = [
            models.UniqueConstraint(
                name="wording_once",
                fields=["bulletin", "key"],
                violation_error_message=_("这一段已有改稿。"),
            ),
        ]

    def __str__(self):
        return f"{self.bulletin} {self.key}"


class Series(models.Model):
    """One template for all units of a subtree down to a level; each frozen period of its kind is issued
    under it by itself, once it is approved (`domain.md` 6.1)."""

    bureau = models.ForeignKey(Bureau, models.PROTECT, related_name="+", verbose_name=_("单位"))
    kind = models.CharField(_("文种"), max_length=8, choices=Bulletin.Kind, default=Bulletin.Kind.CIRCULAR)
    period_kind = models.CharField(_("期间类型"), max_length=7, choices=Period.Kind)
    down_to = models.PositiveSmallIntegerField(
        _("印发到"), choices=Bureau.Level, help_text=_("本单位及以下各级，到这一级为止。")
    )
    words = models.JSONField(_("统一文字"), default=dict, blank=True, help_text=_("各单位通报中相同的段落。"))
    created_by = _person(_("拟定人"))
    created_at = models.DateTimeField(_("拟定时间"), auto_now_add=True)
    approved_by = _person(_("签发人"))
    approved_at = models.DateTimeField(_("签发时间"), null=True, blank=True)
    ended_at = models.DateTimeField(_("停止时间"), null=True, blank=True)

    objects = SeriesQuerySet.as_manager()

    class Meta:
        verbose_name = _("定期印发")
        verbose_name_plural = _("定期印发")
        ordering = ["bureau__code", "kind", "period_kind"]
        constraints = [
            models.UniqueConstraint(
                name="series_once",
                fields=["bureau", "kind", "period_kind"],
                condition=Q(ended_at__isnull=True),
                violation_error_message=_("这个单位已有同文种、同期间类型的定期印发。"),
            ),
            models.CheckConstraint(
                name="series_approved_by_somebody",
                condition=Q(approved_at__isnull=True, approved_by__isnull=True)
                | Q(approved_at__isnull=False, approved_by__isnull=False),
                violation_error_message=_("签发定期印发要有签发人和时间。"),
            ),
            _another(
                "series_signed_by_another",
                _("签发人不能是拟定人，请由另一名管理员签发。"),
                "approved_by",
                "created_by",
            ),
        ]

    def __str__(self):
        return f"{self.bureau.short_name} {self.get_period_kind_display()} {self.get_kind_display()}"


class Edition(Job):
    """A series over one frozen version: the job that issues for all units; each paper is a job of its own.

    What could not be made stands in ``faults`` by the code of the unit; all others go on.
    """

    series = models.ForeignKey(Series, models.PROTECT, related_name="editions", verbose_name=_("定期印发"))
    snapshot = models.ForeignKey(Snapshot, models.PROTECT, related_name="+", verbose_name=_("统计快照"))
    faults = models.JSONField(_("没有印发的单位"), default=dict, blank=True)
    created_at = models.DateTimeField(_("创建时间"), auto_now_add=True)

    objects = EditionQuerySet.as_manager()

    class Meta:
        verbose_name = _("印发批次")
        verbose_name_plural = _("印发批次")
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                name="edition_once",
                fields=["series", "snapshot"],
                violation_error_message=_("这一版数据已按该定期印发办理。"),
            ),
        ]

    def __str__(self):
        return f"{self.series} {self.snapshot}"


class Lookup(models.Model):
    """How often a document was checked on a day, and what was said of it; by whom is not kept.

    ``code`` is that of the document; blank where none was found.
    """

    class State(models.TextChoices):
        GENUINE = "genuine", _("属实")
        ALTERED = "altered", _("内容被改动")
        REPLACED = "replaced", _("已被替换")
        WITHDRAWN = "withdrawn", _("已撤回")
        DISPUTED = "disputed", _("有争议")
        UNKNOWN = "unknown", _("查无此件")

    day = models.DateField(_("日期"))
    code = models.CharField(_("核验码"), max_length=24, blank=True)
    state = models.CharField(_("结论"), max_length=9, choices=State)
    by_file = models.BooleanField(_("上传文件核验"), default=False)
    number = models.PositiveIntegerField(_("次数"), default=1)

    class Meta:
        verbose_name = _("核验次数")
        verbose_name_plural = _("核验次数")
        ordering = ["-day", "code"]
        constraints = [
            models.UniqueConstraint(
                name="lookup_counted_once",
                fields=["code", "day", "state", "by_file"],
                violation_error_message=_("这一天的这种核验已有计数。"),
            ),
        ]

    def __str__(self):
        return f"{self.day} {self.code} {self.state} {self.number}"
