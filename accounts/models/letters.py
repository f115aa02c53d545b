"""Mails about somebody's own account, until they are sent."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models.joining import Invitation


class Letter(models.Model):
    """A mail that the mail server has not taken yet; what is sent is deleted.

    The row is the job. Address, subject and text stand in it sealed: they may hold a link by which its reader
    gets in.
    """

    sealed = models.TextField(_("内容（加密）"), editable=False)
    # Which invitation it brings: that one learns when it was sent.
    invitation = models.OneToOneField(
        Invitation, models.CASCADE, null=True, editable=False, related_name="letter", verbose_name=_("邀请")
    )
    at = models.DateTimeField(_("时间"), db_index=True)
    mail_held_until = models.DateTimeField(null=True, editable=False)
    mail_refusals = models.PositiveSmallIntegerField(default=0, editable=False)

    class Meta:
        verbose_name = _("待发邮件")
        verbose_name_plural = _("待发邮件")
        ordering = ["pk"]

    def __str__(self):
        return f"{self.pk}"
