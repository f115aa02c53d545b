"""Which problems say nearly the same: the index by which they are found, and what was judged of two of them
(`domain.md` 3.15 V10, 4.4)."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from enterprises.models import Bureau
from projects.models.bottlenecks import Bottleneck
from projects.querysets import OfTwins


class Gram(models.Model):
    """Two neighbouring characters of what a filed problem says, as one number; see `projects.similar`.

    It says nothing that the text does not, and is not the last word where the problem has `FreshGrams`.
    """

    pk = models.CompositePrimaryKey("gram", "bottleneck")
    gram = models.BigIntegerField(_("相邻两字"))
    # Twenty of a problem, of which each would be checked: a gram of no problem finds nothing.
    bottleneck = models.ForeignKey(
        Bottleneck, models.CASCADE, db_constraint=False, related_name="+", verbose_name=_("问题")
    )

    class Meta:
        verbose_name = _("相似检索词")
        verbose_name_plural = _("相似检索词")

    def __str__(self):
        return f"{self.gram} {self.bottleneck_id}"


class FreshGrams(models.Model):
    """What `Gram` has not taken in yet: all grams of a problem, in place of those that it has there."""

    bottleneck = models.OneToOneField(
        Bottleneck,
        models.CASCADE,
        primary_key=True,
        db_constraint=False,
        related_name="+",
        verbose_name=_("问题"),
    )
    # Eight bytes each; see `projects.similar`.
    grams = models.BinaryField(_("相邻两字"))

    class Meta:
        verbose_name = _("待编入的相似检索词")
        verbose_name_plural = _("待编入的相似检索词")

    def __str__(self):
        return str(self.bottleneck_id)


class GramCount(models.Model):
    """In how many problems a gram occurs, as counted last; that of 0 is the number of problems counted."""

    gram = models.BigIntegerField(_("相邻两字"), primary_key=True)
    problems = models.PositiveIntegerField(_("问题数"))

    class Meta:
        verbose_name = _("相似检索词频")
        verbose_name_plural = _("相似检索词频")

    def __str__(self):
        return f"{self.gram}: {self.problems}"


class TwinJudgement(models.Model):
    """What an officer judged of two problems that say nearly the same; it can be taken back."""

    class Verdict(models.TextChoices):
        REPEAT = "repeat", _("重复填报")
        SAME = "same", _("归并到主问题")
        COMMON = "common", _("共性问题")
        APART = "apart", _("不是同一问题")

    # By which the second of the two comes to an end.
    MERGING = (Verdict.REPEAT, Verdict.SAME)

    first = models.ForeignKey(Bottleneck, models.CASCADE, related_name="+", verbose_name=_("先填报的问题"))
    second = models.ForeignKey(Bottleneck, models.CASCADE, related_name="+", verbose_name=_("后填报的问题"))
    verdict = models.CharField(_("结论"), max_length=6, choices=Verdict)
    master = models.ForeignKey(
        Bottleneck, models.CASCADE, null=True, blank=True, related_name="+", verbose_name=_("主问题")
    )
    # Problems marked as common by this very judgement: taking it back unmarks them and no others.
    marked = models.JSONField(_("由此标为共性的问题"), default=list, blank=True)
    reason = models.CharField(_("理由"), max_length=1000, blank=True)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("经手人")
    )
    principal = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("被代理人"),
    )
    bureau = models.ForeignKey(Bureau, models.PROTECT, related_name="+", verbose_name=_("办理单位"))
    at = models.DateTimeField(_("时间"))
    undone_at = models.DateTimeField(_("撤销时间"), null=True, blank=True)
    undone_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("撤销人"),
    )

    objects = OfTwins.as_manager()

    class Meta:
        verbose_name = _("相似问题的结论")
        verbose_name_plural = _("相似问题的结论")
        ordering = ["-at", "-pk"]
        indexes = [models.Index(fields=["bureau", "at"], name="twin_judgement_bureau")]
        constraints = [
            models.UniqueConstraint(
                name="twins_judged_once",
                fields=["first", "second"],
                condition=Q(undone_at__isnull=True),
                violation_error_message=_("这两个问题已有结论，请先撤销再重新判断。"),
            ),
            models.CheckConstraint(
                name="twins_in_order",
                condition=Q(first__lt=F("second")),
                violation_error_message=_("要比较的是两个不同的问题，先填报的在前。"),
            ),
            models.CheckConstraint(
                name="twins_merged_into_one_of_them",
                condition=Q(verdict__in=["common", "apart"], master__isnull=True)
                | Q(verdict__in=["repeat", "same"], master__isnull=False)
                & (Q(master=F("first")) | Q(master=F("second"))),
                violation_error_message=_("归并时，主问题须是两个问题之一。"),
            ),
            models.CheckConstraint(
                name="twins_apart_for_a_reason",
                condition=Q(verdict="common") | ~Q(reason=""),
                violation_error_message=_("请写明理由。"),
            ),
            models.CheckConstraint(
                name="twins_undone_by_somebody",
                condition=Q(undone_at__isnull=True, undone_by__isnull=True)
                | Q(undone_at__isnull=False, undone_by__isnull=False),
                violation_error_message=_("撤销要有时间和撤销人。"),
            ),
        ]

    def __str__(self):
        return f"{self.first_id} / {self.second_id}: {self.get_verdict_display()}"
