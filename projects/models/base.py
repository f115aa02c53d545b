"""What every row of the ledger carries (`domain.md` 3.0)."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from common.inserting import Inserted


@contextmanager
def at_field(name: str) -> Iterator[None]:
    """What the block refuses stands at this field, or at this key of a move."""
    try:
        yield
    except ValidationError as fault:
        raise ValidationError({name: fault.messages}) from fault


class LedgerRow(Inserted):
    """Origin, revision, and the two reasons never to count: test and void (`domain.md` 5.4 rule 9)."""

    created_at = models.DateTimeField(_("创建时间"), auto_now_add=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        db_index=False,
        related_name="+",
        verbose_name=_("创建人"),
    )
    updated_at = models.DateTimeField(_("更新时间"), auto_now=True)
    version = models.PositiveIntegerField(_("修订号"), default=1, editable=False)
    is_test = models.BooleanField(_("测试数据"), default=False, help_text=_("测试数据不进入任何统计。"))
    voided_at = models.DateTimeField(_("作废时间"), null=True, blank=True)
    void_reason = models.CharField(_("作废原因"), max_length=200, blank=True)

    class Meta:
        abstract = True
        constraints = [
            models.CheckConstraint(
                name="%(class)s_void_needs_reason",
                condition=Q(voided_at__isnull=True) | ~Q(void_reason=""),
                violation_error_message=_("作废要写明原因。"),
            ),
        ]
