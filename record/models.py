"""The record: events that are only ever added, chained by their hashes (`domain.md` 3.0, chapter 8).

An event is written in the transaction of the change it tells of. Seals chain the events a moment later, one
after another: were each transaction to wait for the hash of the one before, every writer of the country
would queue for one row, and two who hold rows that the other wants would lock each other out.
"""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from record.querysets import EventQuerySet


class Event(models.Model):
    """Who did what to which row, for whom, when, from where, and why; before and after."""

    class Kind(models.TextChoices):
        CREATED = "created", _("新建")
        CHANGED = "changed", _("修改")
        DELETED = "deleted", _("删除")
        READ = "read", _("查看")
        SIGNED_IN = "signed_in", _("登录")
        SIGNED_OUT = "signed_out", _("退出")
        REFUSED = "refused", _("被拒绝")

    at = models.DateTimeField(_("时间"), db_index=True)
    kind = models.CharField(_("操作"), max_length=10, choices=Kind)
    # The row itself: "projects.measure" and its key.
    entity = models.CharField(_("对象类型"), max_length=40)
    row = models.CharField(_("对象标识"), max_length=40)
    label = models.CharField(_("对象名称"), max_length=200, blank=True)
    # The row on whose page the event is told: of a metric, its problem.
    topic_entity = models.CharField(_("所属对象类型"), max_length=40)
    topic_row = models.CharField(_("所属对象标识"), max_length=40)
    # Where the row belongs: what a reader's scope is compared with.
    path = models.CharField(_("所属单位路径"), max_length=80, blank=True)
    firm = models.CharField(_("所属组织代码"), max_length=18, blank=True)

    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        db_index=False,
        related_name="+",
        verbose_name=_("操作人"),
    )
    principal = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        db_index=False,
        related_name="+",
        verbose_name=_("被代理人"),
    )
    # Code of the bureau or credit code of the organisation in whose name; names change, codes stay.
    office = models.CharField(_("所代表的单位"), max_length=18, blank=True)
    job = models.CharField(_("系统任务"), max_length=60, blank=True)
    address = models.GenericIPAddressField(_("来源地址"), null=True, blank=True)
    before = models.JSONField(_("修改前"), default=dict)
    after = models.JSONField(_("修改后"), default=dict)
    reason = models.TextField(_("原因"), blank=True)
    # What is told once only says here what that is: who read which row in which hour.
    once = models.CharField(_("唯一标识"), max_length=120, null=True, editable=False)  # noqa: DJ001

    objects = EventQuerySet.as_manager()

    class Meta:
        verbose_name = _("操作记录")
        verbose_name_plural = _("操作记录")
        ordering = ["-pk"]
        indexes = [
            models.Index(fields=["topic_entity", "topic_row", "id"], name="event_topic"),
            models.Index(fields=["firm", "id"], condition=models.Q(kind="read"), name="event_firm_read"),
            models.Index(fields=["path", "id"], name="event_path"),
        ]
        constraints = [
            models.UniqueConstraint(
                name="event_once",
                fields=["once"],
                condition=models.Q(once__isnull=False),
                violation_error_message=_("同一件事只记一次。"),
            ),
        ]

    def __str__(self):
        return f"{self.get_kind_display()} {self.entity} {self.row}"

    def save(self, *args, **kwargs):
        """Appended, never changed."""
        super().save(*args, **(kwargs | {"force_insert": True}))

    def delete(self, *args, **kwargs):
        raise TypeError("Events are only ever appended.")


class Untold(models.Model):
    """Refusals of one who is refused too often, or of the same thing again, beyond those told one by one.

    Counted for a minute, told as one event, and deleted.
    """

    # Who was refused, and in which minute.
    key = models.CharField(max_length=80, unique=True)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, null=True, related_name="+")
    principal = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, null=True, related_name="+")
    office = models.CharField(max_length=18, blank=True)
    job = models.CharField(max_length=60, blank=True)
    path = models.CharField(max_length=80, blank=True)
    address = models.GenericIPAddressField(null=True)
    at = models.DateTimeField(_("时间"), db_index=True)
    number = models.PositiveIntegerField(default=0)

    class Meta:
        verbose_name = _("未逐条记录的拒绝")
        verbose_name_plural = _("未逐条记录的拒绝")

    def __str__(self):
        return self.key


class Seal(models.Model):
    """The place of an event in the chain: its hash covers the event and the hash before."""

    position = models.PositiveBigIntegerField(_("序号"), primary_key=True)
    event = models.OneToOneField(Event, models.PROTECT, related_name="seal", verbose_name=_("记录"))
    at = models.DateTimeField(_("时间"))
    hash = models.CharField(_("摘要（SHA-256）"), max_length=64)

    class Meta:
        verbose_name = _("记录链")
        verbose_name_plural = _("记录链")
        ordering = ["position"]

    def __str__(self):
        return f"{self.position} {self.hash[:12]}"


class DayRoot(models.Model):
    """The last seal of a day (China time); printed, it makes a later rewriting visible on paper."""

    day = models.DateField(_("日期"), primary_key=True)
    position = models.PositiveBigIntegerField(_("末位序号"), unique=True)
    hash = models.CharField(_("当日根值（SHA-256）"), max_length=64)

    class Meta:
        verbose_name = _("每日根值")
        verbose_name_plural = _("每日根值")
        ordering = ["-day"]

    def __str__(self):
        return f"{self.day} {self.hash[:12]}"
