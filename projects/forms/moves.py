"""The forms of the moves, put together from what the transition table says that a move needs and takes."""

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.forms.utils import ErrorDict
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Grant, User
from common import formats
from common.forms import Text, readable
from common.workdays import add_months, add_workdays, is_workday
from enterprises.models import Bureau, Organization
from projects import files, specs
from projects.effects import HIGH_GRADES
from projects.facts import FIELDS_BY_STEP, facts_of, sentence_of, unit_of
from projects.forms.evidence import EvidenceFormSet, past_day, proof_words
from projects.forms.filing import GAP_FIELDS, Day, Files, Number, text_area
from projects.models import Bottleneck
from projects.models.projects import refuse_before_founding
from projects.proof import offers_of
from projects.workflow import MergeKind, Move, RejectReason

PLAN_MONTHS = 3
# Consent is the firm's to give: nothing about it can be missing.
GAPS = [(name, label) for name, label in GAP_FIELDS if name != "consent_publish"]

# What "reason" means in each move, and why it is asked.
REASONS: dict[str, tuple[Any, Any]] = {
    "withdraw": (_("撤回原因"), _("办理单位会看到，撤回后不再办理。")),
    "accept": (_("核实情况"), _("与企业联系或现场核实的结果，企业看得到，可以不填。")),
    "return": (_("补充说明"), _("怎样补、找谁问，可以不填。")),
    "reject": (_("事实和理由"), _("企业据此明白为什么不受理。")),
    "appeal": (_("申诉理由"), _("写明为什么应当受理，上级单位据此重新核实。")),
    "escalate": (_("提请上级复核的理由"), _("为什么超出本级，上级单位据此复核。")),
    "hand_down": (_("交下级复核的意见"), _("下级单位据此复核。")),
    "unmerge": (_("撤销归并的理由"), _("写明两个问题哪里不同，两家企业都会看到。")),
    "post": (_("榜题说明"), _("要攻克什么、达到什么指标、报酬和条件。")),
    "no_taker": (_("征集情况"), _("有几家申报，为什么没有确定。")),
    "award": (_("确定的理由"), _("怎样评审，为什么选这家单位。")),
    "begin": (_("合同或任务书"), _("文号、目标和分阶段安排。")),
    "report": (_("本月进展"), _("做了什么，遇到什么困难，下一步做什么。")),
    "confirm_partly": (_("还剩什么没有解决"), _("已经见效的和还没有达到的，分开写明。")),
    "visit": (_("回访情况"), _("与谁联系、企业怎么说。企业未答复不视为同意，请企业自己确认。")),
    "give_up": (_("挂账的理由"), _("试过哪些办法，缺什么条件。")),
    "recheck": (_("复查情况"), _("条件有没有变化，下次复查看什么。")),
    "relist": (_("重新列入清单的理由"), _("哪些条件已经具备。")),
    "extend": (_("延期理由"), _("企业和上级单位都看得到，每个时限最多延期两次。")),
    "merge": (_("归并理由"), _("写明两个问题为什么是同一个，企业会看到并继续收到主问题的进展。")),
    "list": (_("复核意见"), _("可以不填。")),
    "dispatch": (_("派单说明"), _("希望机构先做什么、由谁对接，可以不填。")),
    "take": (_("承接计划"), _("由谁负责、分几步、各到什么时候，企业和办理单位据此跟进。")),
    "decline": (_("不承接的原因"), _("办理单位据此另选机构。")),
    "confirm": (_("使用情况"), _("解决办法用下来怎样，可以不填。")),
    "dispute": (_("哪里还没有解决"), _("写明与目标差在哪里，机构据此继续攻关。")),
    "verify": (_("核验意见"), _("怎样核验、看到了什么，作为销号的依据。")),
    "verify_partly": (_("还剩什么没有解决"), _("办理单位据此为剩余部分定期限。")),
    "rework": (_("哪里不符，要补什么"), _("机构据此继续攻关。")),
    "continue": (_("接下来做什么"), _("剩余部分由谁做、做到什么程度。")),
    "suspend": (_("暂缓原因"), _("写明缺什么条件、预计何时具备。")),
    "resume": (_("恢复后的安排"), _("条件怎样具备了，接下来做什么。")),
    "reopen": (_("出现了什么新情况"), _("何时、何处又出现，与解决时的数值相差多少。")),
    "restart": (_("重新攻关的安排"), _("对新情况的判断和下一步。")),
    "terminate": (_("终止原因"), _("企业和机构会看到，终止后不能恢复。")),
}


def default_due_on(today: date) -> date:
    """Three months on, put off to the next working day."""
    day = add_months(today, PLAN_MONTHS)
    return day if is_workday(day) else add_workdays(day, 1)


def later_day(first: date, **kwargs: Any) -> Day:
    """A day not before the first one, said at the field."""

    def refuse_earlier(day: date) -> None:
        if day < first:
            raise ValidationError(_("不能早于 %s。") % first.isoformat())

    widget = forms.DateInput(format="%Y-%m-%d", attrs={"type": "date", "min": first.isoformat()})
    return Day(validators=[refuse_earlier], widget=widget, **kwargs)


class MoveForm(forms.Form):
    """Everything one move asks.

    Without a bottleneck it is what a move of many rows has in common. A quiet form keeps what was typed and
    judges nothing yet.
    """

    version = forms.IntegerField(widget=forms.HiddenInput, required=False)
    next = forms.CharField(widget=forms.HiddenInput, required=False)

    def __init__(
        self,
        *args: Any,
        move: Move,
        user: User,
        grant: Grant | None,
        bottleneck: Bottleneck | None = None,
        quiet: bool = False,
        **kwargs: Any,
    ) -> None:
        # Beside the list the filters stand on the same page: an id of its own for every field.
        super().__init__(*args, auto_id="move_%s", use_required_attribute=False, **kwargs)
        self.move, self.user, self.grant, self.bottleneck = move, user, grant, bottleneck
        self.today = timezone.localdate()
        self.evidence: Any = None
        # The keys of the move that are one field of the same name; the others read several fields.
        self.composed: dict[str, Callable[[], Any]] = {}
        for key in (*move.needs, *move.takes):
            getattr(self, f"ask_{key}")()
        # First what is looked at, last what is concluded.
        last = ("reason", "turn_to")
        self.order_fields(["checked", *(name for name in self.fields if name not in last), *last])
        if quiet:
            for form in self.all_forms():
                form._errors = ErrorDict()

    # --- what a key asks ---

    def ask_reason(self) -> None:
        label, why = REASONS[self.move.name]
        self.fields["reason"] = Text(
            label=label,
            help_text=why,
            max_length=1000,
            required="reason" in self.move.needs,
            widget=text_area(1000, 3),
        )

    def ask_turn_to(self) -> None:
        self.fields["turn_to"] = Text(
            label=_("可以求助的部门"),
            help_text=_("企业可以向谁反映，尽量写明电话或地址。"),
            max_length=200,
        )

    def ask_gaps(self) -> None:
        """One line for each field of the filing, and one box for whatever else is missing."""
        for name, label in GAPS:
            self.fields[f"gap_{name}"] = Text(
                label=label,
                max_length=200,
                required=False,
                widget=forms.TextInput(attrs={"placeholder": _("缺什么、怎样补")}),
            )
        self.fields["gap_other"] = Text(
            label=_("其他缺项"),
            max_length=1000,
            required=False,
            help_text=_("不属于上面任何一栏的，每行写一项。"),
            widget=text_area(1000, 3),
        )
        self.composed["gaps"] = self._gaps

    def _gaps(self) -> list[dict[str, str]]:
        listed = [
            {"field": name, "text": text}
            for name, _label in GAPS
            if (text := self.cleaned_data.get(f"gap_{name}"))
        ]
        lines = self.cleaned_data.get("gap_other", "").splitlines()
        return listed + [{"field": "", "text": line.strip()} for line in lines if line.strip()]

    def gap_rows(self) -> Iterator[tuple[forms.BoundField, str]]:
        """The lines of the gap list, each with what the firm wrote."""
        row = self.bottleneck
        measures, contact = row.measures.all(), getattr(row, "contact", None)
        written = {
            fact.name: fact.text for step in FIELDS_BY_STEP for fact in facts_of(row, step, measures, contact)
        }
        written["loss_wan"] = written["loss_estimate"]
        written["contact_name"] = written["contact_phone"] = written["contact"]
        written["files"] = "\n".join(attachment.name for attachment in row.attachments.all())
        for name, _label in GAPS:
            yield self[f"gap_{name}"], written[name]

    def ask_reason_code(self) -> None:
        self.fields["reason_code"] = forms.ChoiceField(
            label=_("不予受理的情形"), choices=RejectReason.choices, widget=forms.RadioSelect
        )

    def ask_master(self) -> None:
        self.fields["master"] = Text(
            label=_("主问题编号"),
            help_text=_("归并后，进展以主问题为准，统计只计一个问题。"),
            max_length=30,
            widget=forms.TextInput(attrs={"placeholder": "DK-2024-320505-00001", "autocomplete": "off"}),
        )

    def ask_grade(self) -> None:
        usual = {
            Bureau.Level.NATIONAL: Bottleneck.Grade.NATION,
            Bureau.Level.PROVINCE: Bottleneck.Grade.PROVINCE,
            Bureau.Level.CITY: Bottleneck.Grade.CITY,
        }
        self.fields["grade"] = forms.ChoiceField(
            label=_("级别"),
            help_text=_("省级和国家级问题不能由县级单位核验销号。"),
            choices=Bottleneck.Grade.choices,
            widget=forms.RadioSelect,
            initial=usual.get(self.grant.level, Bottleneck.Grade.COUNTY) if self.grant else None,
        )

    def ask_route(self) -> None:
        wanted = self.bottleneck.help_wanted if self.bottleneck else ()
        self.fields["route"] = forms.ChoiceField(
            label=_("解决路径"),
            help_text=_("企业希望：%s") % self.bottleneck.get_help_wanted_display() if wanted else "",
            choices=Bottleneck.Route.choices,
            widget=forms.RadioSelect,
            initial=wanted[0] if len(wanted) == 1 else None,
        )

    def ask_due_on(self) -> None:
        field = Day(
            label=_("解决期限"),
            initial=default_due_on(self.today),
            help_text=_("先填的是三个月后的工作日，可以改。"),
            widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date", "min": self.today.isoformat()}),
        )
        if self.bottleneck and self.bottleneck.expected_by:
            field.help_text = _("先填的是三个月后的工作日，可以改。企业希望 %s 前解决。") % (
                self.bottleneck.expected_by
            )
        self.fields["due_on"] = field

    def ask_high_grade(self) -> None:
        self.fields["high_grade"] = forms.ChoiceField(
            label=_("级别"),
            choices=[(grade.value, grade.label) for grade in HIGH_GRADES],
            widget=forms.RadioSelect,
        )

    def ask_kind(self) -> None:
        self.fields["kind"] = forms.ChoiceField(
            label=_("与主问题的关系"),
            choices=MergeKind.choices,
            initial=MergeKind.SAME,
            required=False,
            widget=forms.RadioSelect,
        )

    def ask_closes_on(self) -> None:
        first = self.today + timedelta(days=settings.POSTING_DAYS)
        self.fields["closes_on"] = later_day(
            first,
            label=_("征集截止日期"),
            initial=first,
            help_text=_("至少公开 %(n)d 天，当天 17:00 截止。") % {"n": settings.POSTING_DAYS},
        )

    def ask_extended_to(self) -> None:
        due = self.bottleneck.clock_due_on if self.bottleneck else None
        first = max(self.today, due or self.today) + timedelta(days=1)
        field = later_day(first, label=_("延期到"))
        if due:
            field.help_text = _("原来的期限是 %s。") % formats.day_weekday(due)
        self.fields["extended_to"] = field

    def ask_percent(self) -> None:
        self.fields["percent"] = forms.IntegerField(
            label=_("完成比例（%）"), min_value=0, max_value=100, widget=forms.NumberInput(attrs={"step": 5})
        )

    def ask_opinion(self) -> None:
        self.fields["opinion"] = Text(
            label=_("专家意见"),
            help_text=_("由谁提出、根据什么认为现在无法解决。"),
            max_length=1000,
            widget=text_area(1000, 3),
        )

    def ask_effect(self) -> None:
        """Money only together with the way in which it was reckoned (`domain.md` 4.3)."""
        self.fields["effect_wan"] = Number(
            label=_("经济效益"), required=False, min_value=0, max_digits=14, decimal_places=2
        )
        self.fields["effect_wan"].suffix = _("万元")
        self.fields["effect_basis"] = Text(
            label=_("效益测算依据"),
            help_text=_("算式和起止时间。填写金额的必须写明。"),
            max_length=300,
            required=False,
        )
        self.composed["effect"] = self._effect

    def _effect(self) -> tuple[Decimal, str] | None:
        wan = self.cleaned_data.get("effect_wan")
        return None if wan is None else (wan * 10_000, self.cleaned_data["effect_basis"])

    def ask_is_reusable(self) -> None:
        self.fields["is_reusable"] = forms.BooleanField(label=_("可推广到其他产业链"), required=False)

    def ask_story(self) -> None:
        self.fields["story"] = Text(
            label=_("可公开的案例简介"),
            help_text=_("企业同意公开的，通报的典型案例取自这里，可以不填。"),
            max_length=500,
            required=False,
            widget=text_area(500, 3),
        )

    def ask_is_common(self) -> None:
        self.fields["is_common"] = forms.BooleanField(
            label=_("共性问题"), required=False, help_text=_("同链不同企业都有的缺口，解决后可以推广。")
        )

    def ask_assigned_to(self) -> None:
        self.fields["assigned_to"] = forms.ModelChoiceField(
            Organization.objects.institutions()
            .judged("the officer who dispatches")
            .filter(status=Organization.Status.ACTIVE),
            to_field_name="uscc",
            label=_("承担机构"),
            error_messages={
                "required": _("请选择一家机构。"),
                "invalid_choice": _("没有这家机构，或它已停业，请重新选择。"),
            },
        )

    def ask_solution(self) -> None:
        self.fields["solution"] = Text(
            label=_("解决办法"),
            max_length=3000,
            widget=text_area(3000, 8),
            help_text=_("做了什么、为什么有效、怎样照着做。企业据此确认，以后可以推广给同类企业。"),
        )

    def ask_after(self) -> None:
        """The value of every metric after the solution, measured in the same way as before."""
        self.measures = list(self.bottleneck.measures.all())
        too_early = partial(refuse_before_founding, self.bottleneck.organization)
        for measure in self.measures:
            value = Number(label=_("解决后的值"), max_digits=14, decimal_places=4)
            value.suffix = unit_of(measure)
            self.fields[f"after_{measure.pk}_value"] = value
            self.fields[f"after_{measure.pk}_on"] = past_day(too_early, label=_("测得日期"))
            self.fields[f"after_{measure.pk}_method"] = Text(
                label=_("怎样测得"), max_length=100, required=False, initial=measure.method
            )
        self.composed["after"] = lambda: [
            {
                "measure": measure.pk,
                "value_after": self.cleaned_data[f"after_{measure.pk}_value"],
                "measured_after_on": self.cleaned_data[f"after_{measure.pk}_on"],
                "method_after": self.cleaned_data[f"after_{measure.pk}_method"],
            }
            for measure in self.measures
        ]

    def after_rows(self) -> Iterator[tuple[str, list[forms.BoundField]]]:
        """Each metric in words, with its three fields."""
        for measure in self.measures:
            parts = [self[f"after_{measure.pk}_{part}"] for part in ("value", "on", "method")]
            yield sentence_of(measure), parts

    def ask_evidence(self) -> None:
        given = (self.data, self.files) if self.is_bound else ()
        self.evidence = EvidenceFormSet(
            *given,
            auto_id="move_%s",
            prefix="evidence",
            # What is sent back untouched counts as typed: the bound form knows of no first values.
            initial=None if self.is_bound else self._offered(),
            form_kwargs={"use_required_attribute": False},
        )
        self.composed["evidence"] = lambda: [
            form.cleaned_data for form in self.evidence if form.has_changed()
        ]

    def _offered(self) -> list[dict[str, Any]]:
        """The numbers of the documents for which the problem, or one merged into it, waited."""
        demands = [wait.demand for wait in specs.awaited_by(self.bottleneck)]
        return [offer.values() for offer in offers_of(self.bottleneck, demands)]

    def ask_files(self) -> None:
        self.fields["files"] = Files(
            label=_("其他附件"),
            required=False,
            help_text=_("方案、照片、数据等。可以上传：%s。") % files.ACCEPTED,
        )

    def ask_result(self) -> None:
        self.fields["result"] = forms.ChoiceField(
            label=_("解决类型"),
            help_text=_("三类分开统计，只有第一类计入“解决堵点卡点问题数”。"),
            choices=Bottleneck.Result.choices,
            widget=forms.RadioSelect,
        )

    def ask_checked(self) -> None:
        self.fields["checked"] = forms.TypedMultipleChoiceField(
            label=_("证据核对"),
            help_text=_("逐项打开核对，相符的打勾。有不符的，请办理“核验不通过”并写明。"),
            choices=[(item.pk, proof_words(item)) for item in self.bottleneck.evidence.all()],
            coerce=int,
            widget=forms.CheckboxSelectMultiple,
        )

    # --- what was typed ---

    def clean_due_on(self) -> date:
        day = self.cleaned_data["due_on"]
        if day < self.today:
            raise ValidationError(_("期限不能早于今天。"))
        return day

    def clean_effect_basis(self) -> str:
        basis = self.cleaned_data["effect_basis"]
        if self.cleaned_data.get("effect_wan") is not None and not basis:
            raise ValidationError(_("填写经济效益时，请写明算式和起止时间。"))
        return basis

    def clean_master(self) -> Bottleneck:
        master = find_master(self.cleaned_data["master"], self.user, self.bottleneck)
        if master is None:
            raise ValidationError(_("在您的范围内没有这个编号的问题。编号形如 DK-2024-320505-00001。"))
        return master

    def clean_files(self) -> list[Any]:
        for upload in self.cleaned_data["files"]:
            files.check(upload)
        return self.cleaned_data["files"]

    def clean(self) -> None:
        if "gaps" in self.move.needs and not self.errors and not self._gaps():
            self.add_error("gap_other", _("请至少写明一项缺什么。"))

    def is_valid(self) -> bool:
        valid = super().is_valid()
        if self.evidence is None:
            return valid
        if not (self.evidence.is_valid() and valid):
            return False
        scans = [item for item in self.composed["evidence"]() if item["file"]]
        known = self.bottleneck.attachments.count()
        if known + len(scans) + len(self.cleaned_data["files"]) > files.MAX_ATTACHMENTS:
            self.add_error(
                "files",
                _("每个问题最多 %(limit)d 个附件，已有 %(known)d 个，请少选几个。")
                % {"limit": files.MAX_ATTACHMENTS, "known": known},
            )
        return not self.errors

    def values(self) -> dict[str, Any]:
        """The data of the move, by the keys of the table."""
        return {
            key: self.composed[key]() if key in self.composed else self.cleaned_data[key]
            for key in (*self.move.needs, *self.move.takes)
        }

    def take_faults(self, error: ValidationError) -> None:
        """Show what the service refused at the field that asks it."""
        if not hasattr(error, "error_dict"):
            self.add_error(None, error)
            return
        for key, faults in error.error_dict.items():
            self.add_error(key if key in self.fields else None, faults)

    def all_forms(self) -> list[forms.Form]:
        """This form and those of the evidence, for the summary of faults."""
        return [self, *(self.evidence or ())]

    def typed(self) -> list[tuple[str, str]]:
        """Every text that was typed, with its label, for a page that cannot take it any more."""
        return [
            (str(bound.label), bound.data)
            for form in self.all_forms()
            for bound in form
            if isinstance(bound.field, Text) and bound.data
        ]


def find_master(code: str, user: User, child: Bottleneck) -> Bottleneck | None:
    """Another filed problem with this number that the user may see."""
    return (
        Bottleneck.objects.visible_to(user)
        .exclude(pk=child.pk)
        .for_lists()
        .prefetch_related("measures")
        .find(code=readable(code).strip().upper())
    )
