"""What people are told, in the portal and by e-mail."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from common.scope import Noting


class Notice(models.Model):
    """One thing that one person is told once; its sentence is made in the reader's language."""

    class Kind(models.TextChoices):
        MOVED = "moved", _("我的问题有进展")
        WAITING = "waiting", _("有事项等我办理")
        AMBER = "amber", _("时限临近")
        RED = "red", _("时限已过")
        BULLETIN = "bulletin", _("新通报发布")
        ACCOUNT = "account", _("账户和权限")

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        related_name="notices",
        db_index=False,
        verbose_name=_("收件人"),
    )
    kind = models.CharField(_("类型"), max_length=8, choices=Kind)
    # What happened, so that the same thing is never told twice: "transition:81", "amber:17:2026-11-20".
    source = models.CharField(_("来源"), max_length=80)
    details = models.JSONField(_("内容"), default=dict)
    at = models.DateTimeField(_("时间"))
    read_at = models.DateTimeField(_("阅读时间"), null=True, blank=True)
    # The row is the job: null until the mail server has taken it or the person wants none.
    mailed_at = models.DateTimeField(_("邮件处理时间"), null=True, blank=True)
    # Which mail it is on its way in, and until when nobody else may try.
    mail_held_by = models.UUIDField(null=True, editable=False)
    mail_held_until = models.DateTimeField(null=True, editable=False)
    mail_refusals = models.PositiveSmallIntegerField(default=0, editable=False)

    objects = Noting.as_manager()

    class Meta:
        verbose_name = _("消息")
        verbose_name_plural = _("消息")
        ordering = ["-at", "-pk"]
        indexes = [
            models.Index(fields=["user", "read_at"], name="notice_user_read"),
            models.Index(fields=["at"], condition=Q(mailed_at__isnull=True), name="notice_unmailed"),
            models.Index(fields=["at"], condition=Q(read_at__isnull=False), name="notice_read"),
            models.Index(
                fields=["mail_held_by"], condition=Q(mail_held_by__isnull=False), name="notice_held"
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                name="notice_once",
                fields=["source", "kind", "user"],
                violation_error_message=_("同一件事只通知一次。"),
            ),
        ]

    def __str__(self):
        return f"{self.get_kind_display()} · {self.source}"


class NoticeChoice(models.Model):
    """How a person wants to hear of one kind; without a row: in the portal and in the daily mail."""

    class Mail(models.TextChoices):
        OFF = "off", _("不发邮件")
        DAILY = "daily", _("每天汇总一封")
        AT_ONCE = "at_once", _("即时发送")

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="notice_choices", verbose_name=_("用户")
    )
    kind = models.CharField(_("类型"), max_length=8, choices=Notice.Kind)
    mail = models.CharField(_("邮件"), max_length=7, choices=Mail, default=Mail.DAILY)

    class Meta:
        verbose_name = _("消息设置")
        verbose_name_plural = _("消息设置")
        constraints = [
            models.UniqueConstraint(name="notice_choice_once", fields=["user", "kind"]),
        ]

    def __str__(self):
        return f"{self.get_kind_display()} · {self.get_mail_display()}"
