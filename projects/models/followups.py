"""Whether a solution lasts: asked of the firm 3 and 12 months after striking off (`domain.md` 4.3)."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from projects.models.bottlenecks import Bottleneck
from projects.querysets import OfBottleneck


class FollowUp(models.Model):
    """One question about the effect of a solution, and what the firm answered."""

    class Answer(models.TextChoices):
        HOLDS = "holds", _("效果保持")
        WEAKER = "weaker", _("效果减弱")
        CAME_BACK = "came_back", _("问题反弹")

    # Months after the day of striking off.
    MONTHS = (3, 12)

    bottleneck = models.ForeignKey(
        Bottleneck, models.CASCADE, related_name="follow_ups", verbose_name=_("问题")
    )
    resolved_on = models.DateField(_("销号日期"))
    months = models.PositiveSmallIntegerField(_("销号后几个月"))
    asked_on = models.DateField(_("询问日期"))
    answer = models.CharField(_("回访结果"), max_length=9, choices=Answer, blank=True)
    text = models.CharField(_("说明"), max_length=500, blank=True)
    answered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("答复人"),
    )
    answered_at = models.DateTimeField(_("答复时间"), null=True, blank=True)

    objects = OfBottleneck.as_manager()

    class Meta:
        verbose_name = _("效果回访")
        verbose_name_plural = _("效果回访")
        ordering = ["resolved_on", "months"]
        constraints = [
            models.UniqueConstraint(
                name="follow_up_once",
                fields=["bottleneck", "resolved_on", "months"],
                violation_error_message=_("这次回访已经询问过。"),
            ),
            models.CheckConstraint(
                name="follow_up_at_three_or_twelve_months",
                condition=Q(months__in=[3, 12]),
                violation_error_message=_("效果在销号后 3 个月和 12 个月各回访一次。"),
            ),
            models.CheckConstraint(
                name="follow_up_answer_has_time",
                condition=Q(answer="", answered_at__isnull=True)
                | (~Q(answer="") & Q(answered_at__isnull=False)),
                violation_error_message=_("答复要有时间。"),
            ),
            models.CheckConstraint(
                name="follow_up_says_what_is_wrong",
                condition=Q(answer__in=["", "holds"]) | ~Q(text=""),
                violation_error_message=_("效果减弱或问题反弹的，请说明情况。"),
            ),
        ]

    def __str__(self):
        return f"{self.bottleneck_id} +{self.months}"
