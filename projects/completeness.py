"""What a filing must say before it leaves the firm (`domain.md` 3.11)."""

from collections.abc import Collection

from django.utils import timezone
from django.utils.translation import gettext as _

from projects.models import Bottleneck, BottleneckContact, Measure

# By the step of the form that asks it.
REQUIRED_TO_FILE = {
    "happening": ("chain", "segment", "product", "title", "choke", "symptom"),
    "extent": ("effect", "urgency"),
    "help": ("cause", "help_wanted"),
}


def gaps_before_filing(
    bottleneck: Bottleneck,
    measures: Collection[Measure] | None = None,
    contact: BottleneckContact | None = None,
) -> dict[str, list[tuple[str, str]]]:
    """What is still missing, as (field, sentence) by step; empty when the problem may be filed.

    Metrics and contact are those that are stored with it unless they are given.
    """
    gaps: dict[str, list[tuple[str, str]]] = {}
    for step, fields in REQUIRED_TO_FILE.items():
        for name in fields:
            if not getattr(bottleneck, name):
                label = getattr(Bottleneck, name).field.verbose_name
                gaps.setdefault(step, []).append((name, _("请填写“%(field)s”。") % {"field": label}))
    chain, segment = bottleneck.chain, bottleneck.segment
    today = timezone.localdate()
    if chain and (chain.valid_from > today or (chain.valid_to and chain.valid_to <= today)):
        gaps.setdefault("happening", []).append(("chain", _("所选产业链已停用，请重新选择。")))
    if segment and segment.chain_id != bottleneck.chain_id:
        gaps.setdefault("happening", []).append(("segment", _("所选环节不属于这条产业链，请重新选择。")))
    if bottleneck.expected_by and bottleneck.expected_by < today:
        gaps.setdefault("extent", []).append(("expected_by", _("希望解决日期已过，请改为今天或以后。")))
    if not (bottleneck.measures.exists() if measures is None else measures):
        gaps.setdefault("extent", []).append(("measures", _("请至少填写一项指标的现值和目标值。")))
    if bottleneck.cause == Bottleneck.Cause.INFRASTRUCTURE and not bottleneck.nqi_elements:
        gaps.setdefault("help", []).append(
            ("nqi_elements", _("类别为“质量基础设施”时，至少选择一项所缺要素。"))
        )
    contact = contact or getattr(bottleneck, "contact", None)
    if not (contact and contact.name and contact.phone):
        gaps.setdefault("help", []).append(("contact_name", _("请填写联系人和联系电话。")))
    return gaps
