"""A returned filing and its completion: what the bureau asked for, what the firm answers, what changed."""

from dataclasses import dataclass
from typing import Any

from django.utils import translation
from django.utils.translation import gettext as _

from projects.facts import FIELDS_BY_STEP, facts_of
from projects.models import Bottleneck, Transition

# The fields of a gap that are part of one fact, or named otherwise on the form. Whom to call is personal and
# stays out of the record of steps.
FACT_OF = {"loss_wan": "loss_estimate"}
PERSONAL = "contact"
FILES = "files"


@dataclass(frozen=True)
class Change:
    """One line of a completion; without a ``gap`` the firm changed it of its own accord."""

    label: str
    gap: str
    answer: str
    was: str
    now: str

    @property
    def is_changed(self) -> bool:
        return self.was != self.now


def as_filed(row: Bottleneck) -> dict[str, str]:
    """What the filing says, by fact, in Chinese whoever asks: to be compared later."""
    with translation.override("zh-hans"):
        facts = [fact for step in FIELDS_BY_STEP for fact in facts_of(row, step, row.measures.all(), None)]
        said = {fact.name: fact.text for fact in facts if fact.name != PERSONAL}
    return said | {FILES: "\n".join(row.attachments.values_list("name", flat=True))}


def last_return(row: Bottleneck) -> Transition | None:
    return row.transitions.filter(move="return").last()


def completed(row: Bottleneck, answers: dict[int, str]) -> dict[str, Any]:
    """What the event of a new submission keeps: the answers by number of the gap, and what changed since."""
    returned = last_return(row) if row.status == Bottleneck.Status.RETURNED else None
    if returned is None:
        return {}
    was, now = returned.details.get("filed", {}), as_filed(row)
    gaps = [
        {"field": gap["field"], "text": gap["text"], "answer": answers.get(number, "")}
        for number, gap in enumerate(returned.details["gaps"])
    ]
    changed = {name: [was[name], text] for name, text in now.items() if name in was and was[name] != text}
    return {"gaps": gaps, "changed": changed}


def changes_of(step: Transition) -> list[Change]:
    """The completion told by an event, gap by gap, then what else was changed."""
    changed: dict[str, list[str]] = step.details.get("changed", {})
    gaps = step.details.get("gaps", []) if step.move == "submit" else []
    asked = {FACT_OF.get(gap["field"], gap["field"]) for gap in gaps}
    labels = _labels()
    told = []
    for gap in gaps:
        name = FACT_OF.get(gap["field"], gap["field"])
        was, now = changed.get(name, ["", ""])
        label = labels.get(name, _("其他缺项"))
        told.append(Change(label, gap["text"], gap["answer"], was, now))
    others = [name for name in changed if name not in asked]
    return told + [Change(labels.get(name, name), "", "", *changed[name]) for name in others]


def _labels() -> dict[str, str]:
    blank = Bottleneck()
    names = {fact.name: fact.label for step in FIELDS_BY_STEP for fact in facts_of(blank, step, (), None)}
    return names | dict.fromkeys(("contact_name", "contact_phone"), names[PERSONAL]) | {FILES: _("附件")}
