"""Forms of the three lists and of policy instruments."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models import Role, User
from common.forms import Text, readable
from enterprises.models import Bureau, IndustryChain
from projects import instruments
from projects.forms.filing import Day, text_area
from projects.forms.reports import Faults
from projects.models import ListedRow, PolicyInstrument, QualityList

Note = ListedRow._meta.get_field("note")


class ListForm(Faults):
    """Which list a new version is drafted of, and from when it is to be in force."""

    chain = forms.ModelChoiceField(IndustryChain.objects.none(), label=_("产业链"), to_field_name="code")
    kind = forms.ChoiceField(label=_("清单"), choices=QualityList.Kind.choices, widget=forms.RadioSelect)
    bureau = forms.ModelChoiceField(
        Bureau.objects.none(), label=_("清单单位"), to_field_name="code", empty_label=None
    )
    effective_on = Day(label=_("实施日期"), help_text=_("新版从这一天起取代前一版。"))
    notes = Text(
        label=_("编制说明"),
        max_length=500,
        required=False,
        widget=text_area(500, 3),
        help_text=_("印在清单上，例如编制依据和范围。"),
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, use_required_attribute=False, **kwargs)
        grants = user.grants_of(Role.OFFICER)
        chains = IndustryChain.objects.valid_on(timezone.localdate())
        if all(grant.chain_id for grant in grants):
            chains = chains.filter(pk__in=[grant.chain_id for grant in grants])
        self.fields["chain"].queryset = chains
        bureaus = instruments.bureaus_of(user)
        self.fields["bureau"].queryset = Bureau.objects.filter(pk__in=[bureau.pk for bureau in bureaus])
        if len(bureaus) == 1:
            self.fields["bureau"].widget = forms.HiddenInput()
            self.initial.setdefault("bureau", bureaus[0].code)
        self.initial.setdefault("effective_on", timezone.localdate())
        self.initial.setdefault("kind", QualityList.Kind.PROBLEMS)


class HeadForm(Faults):
    """What stands at the head of a draft."""

    effective_on = ListForm.base_fields["effective_on"]
    notes = ListForm.base_fields["notes"]


class ReasonForm(Faults):
    reason = Text(label=_("原因"), max_length=500, widget=text_area(500, 3))


class WithdrawForm(Faults):
    reason = Text(label=_("作废原因"), max_length=200, widget=text_area(200, 3))


def rows_of(data: QueryDict, rows: list[ListedRow]) -> dict[int, dict[str, Any]]:
    """What was typed beside each line: remark, number, left out. Raises ValidationError with all faults."""
    wanted, faults = {}, []
    for row in rows:
        if f"note_{row.pk}" not in data:
            continue
        note = readable(data[f"note_{row.pk}"]).strip()
        number = data.get(f"position_{row.pk}", "").strip()
        if len(note) > Note.max_length:
            faults.append(
                gettext("第 %(n)s 条的备注最多 %(limit)d 个字，现在是 %(length)d 个，请删减。")
                % {"n": row.position, "limit": Note.max_length, "length": len(note)}
            )
        if not (number.isascii() and number.isdecimal() and 0 < len(number) < 6 and int(number)):
            faults.append(gettext("第 %(n)s 条的序号请填 1 到 99999 的整数。") % {"n": row.position})
            continue
        wanted[row.pk] = {"note": note, "position": int(number), "is_excluded": f"out_{row.pk}" in data}
    if faults:
        raise ValidationError(faults)
    return wanted


class InstrumentForm(forms.ModelForm):
    """A policy as officers enter it."""

    class Meta:
        model = PolicyInstrument
        fields = (
            "title",
            "kind",
            "department",
            "doc_no",
            "target",
            "valid_from",
            "valid_to",
            "chains",
            "link",
            "contact",
            "bureau",
        )
        field_classes = dict.fromkeys(
            ("title", "department", "doc_no", "target", "link", "contact"), Text
        ) | {"valid_from": Day, "valid_to": Day}
        widgets = {"target": text_area(1000, 4), "chains": forms.CheckboxSelectMultiple}

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, use_required_attribute=False, **kwargs)
        bureaus = instruments.bureaus_of(user)
        if self.instance.pk and self.instance.bureau not in bureaus:
            bureaus.insert(0, self.instance.bureau)
        self.fields["bureau"].queryset = Bureau.objects.filter(pk__in=[bureau.pk for bureau in bureaus])
        self.fields["bureau"].empty_label = None
        if len(bureaus) == 1:
            self.fields["bureau"].widget = forms.HiddenInput()
            self.initial["bureau"] = bureaus[0].pk

    def take_faults(self, error: ValidationError) -> None:
        self._update_errors(error)

    def _save_m2m(self) -> None:
        """The chains are stored by the service."""
