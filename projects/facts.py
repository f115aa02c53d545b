"""What a problem says, in words: to check before filing, to compare two versions, to read on its page."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any, NamedTuple

from django.utils.translation import gettext as _

from common import formats
from projects.models import Bottleneck, BottleneckContact, Measure

# The fields of the journey in the order of its pages; measures and contact are rows beside the problem.
FIELDS_BY_STEP = {
    "happening": ("product", "chain", "segment", "title", "choke", "symptom"),
    "extent": ("measures", "effect", "loss_estimate", "loss_basis", "urgency", "expected_by"),
    "help": (
        "cause",
        "nqi_elements",
        "nqi_gap",
        "cause_analysis",
        "tried_already",
        "help_wanted",
        "help_text",
        "contact",
        "visibility",
        "consent_publish",
    ),
}


class Fact(NamedTuple):
    name: str
    label: str
    text: str


def plain(number: Decimal | None) -> str:
    """A stored decimal without the zeros of its column: 85.2000 → 85.2"""
    if number is None:
        return ""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def unit_of(measure: Measure) -> str:
    """The unit as it stands behind a number."""
    if measure.unit in (Measure.Unit.PERCENT, Measure.Unit.PPM):
        return measure.unit
    return str(measure.get_unit_display())


def value_of(measure: Measure, number: Decimal | None) -> str:
    return f"{plain(number)} {unit_of(measure)}" if number is not None else formats.BLANK


def sentence_of(measure: Measure) -> str:
    """现值 85.2 %，目标不低于 95 %"""
    sentence = _("%(metric)s：现值 %(now)s，目标%(comparison)s %(target)s") % {
        "metric": measure.metric,
        "now": value_of(measure, measure.value_now),
        "comparison": measure.get_comparison_display(),
        "target": value_of(measure, measure.target),
    }
    how = [measure.method, formats.day(measure.measured_on) if measure.measured_on else ""]
    basis = _("，").join(part for part in how if part)
    return _("%(sentence)s（%(basis)s）") % {"sentence": sentence, "basis": basis} if basis else sentence


def facts_of(
    bottleneck: Bottleneck,
    step: str,
    measures: Iterable[Measure],
    contact: BottleneckContact | None,
) -> list[Fact]:
    """What one step of the journey says; text that was not given is empty."""
    facts = []
    for name in FIELDS_BY_STEP[step]:
        match name:
            case "measures":
                label, text = _("量化指标"), "\n".join(sentence_of(measure) for measure in measures)
            case "contact":
                label = _("联系人")
                text = f"{contact.name} {contact.phone}".strip() if contact else ""
            case "loss_estimate":
                label = _("损失估计（每年）")
                text = formats.money(bottleneck.loss_estimate) if bottleneck.loss_estimate is not None else ""
            case "consent_publish":
                label = _("公开题目和解决办法")
                text = _("同意") if bottleneck.consent_publish else _("不同意")
            case _:
                label = str(getattr(Bottleneck, name).field.verbose_name)
                text = _words(bottleneck, name)
        facts.append(Fact(name, label, text))
    return facts


def _words(bottleneck: Bottleneck, name: str) -> str:
    if hasattr(bottleneck, f"get_{name}_display"):
        return str(getattr(bottleneck, f"get_{name}_display")() or "")
    value: Any = getattr(bottleneck, name)
    if value is None:
        return ""
    return formats.day_weekday(value) if name == "expected_by" else str(value)
