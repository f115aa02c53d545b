"""What a demand for a standard or metrology specification says, and what is recorded of its life."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from common import formats
from common.forms import Text
from projects import numbers
from projects.facts import plain, unit_of
from projects.forms.evidence import past_day
from projects.forms.filing import text_area
from projects.forms.reports import Faults
from projects.models import Bottleneck, SpecDemand, SpecKind, TechnicalCommittee
from projects.models.projects import refuse_impossible_past
from projects.specs import Step


def _column(name: str) -> Any:
    return SpecDemand._meta.get_field(name)


def _text(name: str, **options: Any) -> Text:
    column = _column(name)
    return Text(
        label=column.verbose_name,
        help_text=column.help_text,
        max_length=column.max_length,
        required=not column.blank,
        **options,
    )


class DemandForm(Faults):
    """Everything the committee has to know."""

    title = _text("title")
    quantity = _text("quantity")
    range = _text("range", widget=text_area(200, 2))
    uncertainty = _text("uncertainty")
    object = _text("object")
    users = _text("users")
    urgency = forms.ChoiceField(
        label=_("紧急程度"), choices=Bottleneck.Urgency.choices, widget=forms.RadioSelect
    )
    committee = forms.ModelChoiceField(
        TechnicalCommittee.objects.none(),
        label=_("技术委员会"),
        to_field_name="code",
        empty_label=_("请选择"),
        help_text=_("名录里没有的，请总局管理员登记。"),
        error_messages={"required": _("请选择一个委员会。"), "invalid_choice": _("名录里没有这个委员会。")},
    )
    version = forms.IntegerField(widget=forms.HiddenInput, required=False)

    def __init__(self, *args: Any, kind: str, demand: SpecDemand | None = None, **kwargs: Any) -> None:
        super().__init__(*args, use_required_attribute=False, **kwargs)
        named = Q(pk=demand.committee.pk) if demand else Q(pk__in=[])
        active = TechnicalCommittee.objects.filter(Q(is_active=True) | named, kind=kind)
        committee: Any = self.fields["committee"]
        committee.queryset = active
        self.fields["uncertainty"].required = kind == SpecKind.METROLOGY

    def values(self) -> dict[str, Any]:
        return {name: value for name, value in self.cleaned_data.items() if name != "version"}


def first_values(row: Bottleneck, kind: str) -> dict[str, Any]:
    """What the problem says already."""
    measures = list(row.measures.all())
    sentence = (
        gettext("%(product)s校准规范") if kind == SpecKind.METROLOGY else gettext("%(product)s技术要求")
    )
    span = gettext("%(metric)s：现值 %(now)s，目标%(comparison)s %(target)s %(unit)s")
    chain = row.chain.name if row.chain else ""
    return {
        "title": sentence % {"product": row.product},
        "quantity": formats.listed(measure.metric for measure in measures)[:100],
        "range": gettext("；").join(
            span
            % {
                "metric": measure.metric,
                "now": plain(measure.value_now),
                "comparison": measure.get_comparison_display(),
                "target": plain(measure.target),
                "unit": unit_of(measure),
            }
            for measure in measures
        )[:200],
        "object": row.product,
        "users": gettext("%(chain)s产业链上的企业和检测机构") % {"chain": chain},
        "urgency": row.urgency,
    }


class StepForm(Faults):
    """The reason of a step, and the number that it brings."""

    version = forms.IntegerField(widget=forms.HiddenInput, required=False)
    reason = Text(
        label=_("依据和说明"),
        max_length=1000,
        widget=text_area(1000, 3),
        help_text=_("委员会的文号、会议或公告。等待的企业只看到状态和编号，看不到这里。"),
    )

    def __init__(self, *args: Any, step: Step, demand: SpecDemand, **kwargs: Any) -> None:
        super().__init__(*args, use_required_attribute=False, **kwargs)
        self.demand = demand
        if "plan_no" in step.needs:
            self.fields["plan_no"] = _text("plan_no", initial=demand.plan_no)
        if "published_no" in step.needs:
            self.fields["published_no"] = _text("published_no")
            self.fields["published_on"] = past_day(refuse_impossible_past, label=_("发布日期"))
        for name in step.needs:
            self.fields[name].required = True
        self.order_fields([*step.needs, "reason"])

    def clean_published_no(self) -> str:
        return numbers.checked(self.demand.kind, self.cleaned_data["published_no"])

    def clean_plan_no(self) -> str:
        number = numbers.tidy(self.cleaned_data["plan_no"])
        if not any(letter.isdecimal() for letter in number):
            raise ValidationError(_("计划号里要有数字。"))
        return number
