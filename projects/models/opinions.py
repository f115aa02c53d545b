"""Who else has looked before a problem is struck off: an expert (`domain.md` 4.1, verification), and what was
found to be wrong with its evidence."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from enterprises.models import Bureau
from projects.models.bottlenecks import Bottleneck, Evidence
from projects.querysets import OfBottleneck


class ExpertOpinion(models.Model):
    """One expert is asked whether a problem is solved, and what the expert answers.

    It counts until the problem leaves verification; a solution that is filed anew is looked at anew.
    """

    class Answer(models.TextChoices):
        YES = "yes", _("同意核验为已解决")
        NO = "no", _("不同意")
        RECUSED = "recused", _("有利益关系，回避")

    bottleneck = models.ForeignKey(
        Bottleneck, models.CASCADE, related_name="opinions", verbose_name=_("问题")
    )
    expert = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="opinions", verbose_name=_("专家")
    )
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("送审人")
    )
    bureau = models.ForeignKey(Bureau, models.PROTECT, related_name="+", verbose_name=_("送审单位"))
    asked_at = models.DateTimeField(_("送审时间"))
    question = models.CharField(_("请专家看什么"), max_length=500, blank=True)
    answer = models.CharField(_("意见"), max_length=7, choices=Answer, blank=True)
    no_conflict = models.BooleanField(
        _("本人与提出企业、承担机构没有利益关系"),
        default=False,
        help_text=_("任职、投资、合作、亲属等都算。有利益关系的请选择回避。"),
    )
    text = models.CharField(_("理由"), max_length=1000, blank=True)
    answered_at = models.DateTimeField(_("答复时间"), null=True, blank=True)
    closed_at = models.DateTimeField(_("失效时间"), null=True, blank=True)

    objects = OfBottleneck.as_manager()

    class Meta:
        verbose_name = _("专家意见")
        verbose_name_plural = _("专家意见")
        ordering = ["asked_at", "pk"]
        constraints = [
            models.UniqueConstraint(
                name="opinion_asked_once",
                fields=["bottleneck", "expert"],
                condition=Q(closed_at__isnull=True),
                violation_error_message=_("已经请这位专家看过这个问题。"),
            ),
            models.CheckConstraint(
                name="opinion_of_another",
                condition=~Q(expert=F("asked_by")),
                violation_error_message=_("不能请本人出具专家意见。"),
            ),
            models.CheckConstraint(
                name="opinion_answered_whole",
                condition=Q(answer="", answered_at__isnull=True, text="")
                | ~Q(answer="") & Q(answered_at__isnull=False) & ~Q(text=""),
                violation_error_message=_("答复要写明理由。"),
            ),
            models.CheckConstraint(
                name="opinion_without_conflict",
                condition=Q(answer__in=["", "recused"], no_conflict=False)
                | Q(answer__in=["yes", "no"], no_conflict=True),
                violation_error_message=_("请声明没有利益关系；有利益关系的，请选择回避。"),
            ),
        ]

    def __str__(self):
        return f"{self.bottleneck_id}: {self.get_answer_display()}"


class EvidenceAlarm(models.Model):
    """What was found to be wrong with a piece of evidence, when; it stays when the evidence is filed anew."""

    bottleneck = models.ForeignKey(Bottleneck, models.CASCADE, related_name="alarms", verbose_name=_("问题"))
    at = models.DateTimeField(_("时间"))
    number = models.CharField(_("编号"), max_length=60)
    state = models.CharField(_("核对状态"), max_length=10, choices=Evidence.VerifyState)
    detail = models.JSONField(_("核对说明"), default=dict)

    objects = OfBottleneck.as_manager()

    class Meta:
        verbose_name = _("证据核对不符")
        verbose_name_plural = _("证据核对不符")
        ordering = ["at", "pk"]

    def __str__(self):
        return f"{self.number}: {self.get_state_display()}"
