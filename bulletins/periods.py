"""Codes, borders and names of reporting periods (`domain.md` 5.4 rule 6)."""

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext as _

from common import formats
from common.workdays import add_workdays

# Working days between the cut-off and the freeze (`domain.md` 5.4 rule 6).
FREEZE_AFTER = 10
# 1999 is no period, but the year before one.
CODE = re.compile(
    r"(?P<year>1999|20\d\d)(?:(?P<half>H[12])|(?P<quarter>Q[1-4])|-(?P<month>0[1-9]|1[0-2]))?", re.ASCII
)


@dataclass(frozen=True)
class PeriodSpec:
    """What a period code says; both days belong to the period."""

    code: str
    kind: str
    start_on: date
    end_on: date


def parse(code: str) -> PeriodSpec:
    """``2024``, ``2024H1``, ``2024Q3`` or ``2024-11``; raises ValidationError for anything else."""
    spec = _spec(code)
    if not spec.code.startswith("20"):
        raise _unknown(code)
    return spec


def _unknown(code: str) -> ValidationError:
    return ValidationError(
        _("“%(code)s”不是期间代码，请写成 2024（年）、2024H1（半年）、2024Q3（季度）或 2024-11（月）。"),
        params={"code": code.strip().upper()},
    )


def _spec(code: str) -> PeriodSpec:
    code = code.strip().upper()
    match = CODE.fullmatch(code)
    if match is None:
        raise _unknown(code)
    year = int(match["year"])
    if match["half"]:
        kind, months, first = "half", 6, 6 * int(code[-1]) - 5
    elif match["quarter"]:
        kind, months, first = "quarter", 3, 3 * int(code[-1]) - 2
    elif match["month"]:
        kind, months, first = "month", 1, int(match["month"])
    else:
        kind, months, first = "year", 12, 1
    after = first + months
    end = date(year + (after > 12), (after - 1) % 12 + 1, 1) - timedelta(days=1)
    return PeriodSpec(code, kind, date(year, first, 1), end)


def name(code: str) -> str:
    """2024年, 2024年上半年, 2024年第三季度, 2024年11月"""
    spec = _spec(code)
    values = {"year": spec.start_on.year, "month": spec.start_on.month}
    if spec.kind == "half":
        half = _("%(year)d年上半年") if code.endswith("1") else _("%(year)d年下半年")
        return half % values
    if spec.kind == "quarter":
        words = (
            _("%(year)d年第一季度"),
            _("%(year)d年第二季度"),
            _("%(year)d年第三季度"),
            _("%(year)d年第四季度"),
        )
        return words[int(code[-1]) - 1] % values
    if spec.kind == "month":
        return _("%(year)d年%(month)d月") % values
    return _("%(year)d年") % values


def year_before(code: str) -> str:
    """The code of the same period one year earlier."""
    return f"{int(code[:4]) - 1}{code[4:]}"


def exists(code: str) -> bool:
    """Whether there is such a period; the first ones begin in 2000."""
    try:
        parse(code)
    except ValidationError:
        return False
    return True


def before(code: str) -> str:
    """The code of the period of the same kind right before: the last month, quarter, half or year."""
    spec = parse(code)
    last = spec.start_on - timedelta(days=1)
    return {
        "year": f"{last.year}",
        "half": f"{last.year}H{(last.month + 5) // 6}",
        "quarter": f"{last.year}Q{(last.month + 2) // 3}",
        "month": f"{last.year}-{last.month:02}",
    }[spec.kind]


def midnight(day: date) -> datetime:
    """The moment at which a day begins, Asia/Shanghai."""
    return timezone.make_aware(datetime.combine(day, time.min))


def cut_off(end_on: date) -> datetime:
    """24:00 of the last day, Asia/Shanghai; events before this moment belong to the period."""
    return midnight(end_on + timedelta(days=1))


def refuse_hasty(end_on: date, freeze_on: date | None) -> None:
    """Raise ValidationError for a freeze that leaves those who are to confirm a period no day for it."""
    last = max(end_on, timezone.localdate())
    if (freeze_on or freeze_day(end_on)) <= last:
        raise ValidationError(
            _("请选 %(day)s 以后的一天，各地要有时间核对。"), params={"day": formats.day(last)}
        )


def freeze_day(end_on: date) -> date:
    """The day on which a period is frozen unless another one was set."""
    return add_workdays(end_on, FREEZE_AFTER)
