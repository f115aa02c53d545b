"""How numbers, money, dates and times are written, once for pages, messages and documents.

Rules of printing: half-up rounding in decimal, one decimal for percentages, none for counts, two for 万元; a
value that was not reported is "—", never 0 (`domain.md 5.4` rule 11 and `5.6`). All words follow the active
language; all clock times are those of Asia/Shanghai.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation

from django.utils import timezone
from django.utils.text import Truncator
from django.utils.translation import get_language, gettext, ngettext

from common.printing import half_up

BLANK = "—"
YUAN_PER_WAN = Decimal(10_000)

Number = int | float | str | Decimal | None
Moment = dt.date | dt.datetime | None


def _decimal(value: Number) -> Decimal | None:
    """The exact decimal of what a reader would see; None when there is no number."""
    if value is None or value == "" or isinstance(value, bool):
        return None
    try:
        number = value if isinstance(value, Decimal) else Decimal(str(value))
    except (InvalidOperation, ValueError):
        return None
    return number if number.is_finite() else None


def decimal(value: Number, places: int = 1) -> str:
    """1234.25 → 1,234.3"""
    number = _decimal(value)
    return BLANK if number is None else f"{half_up(number, places):,f}"


def count(value: Number) -> str:
    """12345 → 12,345"""
    return decimal(value, 0)


def percent(value: Number, places: int = 1) -> str:
    """Of a number that already is a percentage: 85.25 → 85.3%"""
    text = decimal(value, places)
    return text if text == BLANK else f"{text}%"


def ratio(numerator: Number, denominator: Number, places: int = 1) -> str:
    """Numerator over denominator as a percentage; blank when either is missing or the base is zero."""
    part, whole = _decimal(numerator), _decimal(denominator)
    if part is None or not whole:
        return BLANK
    return percent(part * 100 / whole, places)


def listed(words: Iterable[object]) -> str:
    """Things named one after another: 计量、标准; outside Chinese with commas."""
    return gettext("、").join(str(word) for word in words)


def excerpt(text: str) -> str:
    """What somebody typed, as long as a sentence can quote it."""
    return Truncator(text).chars(40)


def wan(yuan: Number) -> str:
    """Yuan as a bare number of 万元: 12345678 → 1,234.57"""
    number = _decimal(yuan)
    return BLANK if number is None else decimal(number / YUAN_PER_WAN, 2)


def money(yuan: Number) -> str:
    """Yuan with its unit: 1,234.57 万元; outside Chinese, where 万 is no unit, CNY 12,345,678.00."""
    number = _decimal(yuan)
    if number is None:
        return BLANK
    if in_chinese():
        return f"{wan(number)} 万元"
    return f"CNY {decimal(number, 2)}"


def in_chinese() -> bool:
    return (get_language() or "zh-hans").startswith("zh")


def _local(value: dt.date | dt.datetime) -> dt.date | dt.datetime:
    if isinstance(value, dt.datetime) and timezone.is_aware(value):
        return timezone.localtime(value)
    return value


def day(value: Moment) -> str:
    """2026-11-21"""
    return _local(value).strftime("%Y-%m-%d") if value else BLANK


def weekday(value: dt.date) -> str:
    """周六, Sat"""
    names = (
        gettext("周一"),
        gettext("周二"),
        gettext("周三"),
        gettext("周四"),
        gettext("周五"),
        gettext("周六"),
        gettext("周日"),
    )
    return names[value.weekday()]


def day_weekday(value: Moment) -> str:
    """2026-11-21 周六"""
    return f"{day(value)} {weekday(_local(value))}" if value else BLANK


def moment(value: Moment) -> str:
    """2026-11-21 10:32"""
    return _local(value).strftime("%Y-%m-%d %H:%M") if value else BLANK


def ago(value: Moment, now: dt.datetime | None = None) -> str:
    """How long since or until, in words; beyond thirty days the day itself."""
    if not value:
        return BLANK
    if not isinstance(value, dt.datetime):
        today = timezone.localdate(now) if now else timezone.localdate()
        return _days_apart((value - today).days, value)
    now = now or timezone.now()
    seconds = (value - now).total_seconds()
    past, size = seconds <= 0, abs(seconds)
    if size < 60:
        return gettext("刚刚") if past else gettext("马上")
    if size < 3600:
        n = int(size // 60)
        words = (
            ngettext("%(n)s 分钟前", "%(n)s 分钟前", n)
            if past
            else ngettext("%(n)s 分钟后", "%(n)s 分钟后", n)
        )
        return words % {"n": n}
    if size < 86400:
        n = int(size // 3600)
        words = (
            ngettext("%(n)s 小时前", "%(n)s 小时前", n)
            if past
            else ngettext("%(n)s 小时后", "%(n)s 小时后", n)
        )
        return words % {"n": n}
    return _days_apart((timezone.localdate(value) - timezone.localdate(now)).days, value)


def _days_apart(days: int, value: dt.date) -> str:
    if abs(days) > 30:
        return day(value)
    if days == 0:
        return gettext("今天")
    n = abs(days)
    words = ngettext("%(n)s 天前", "%(n)s 天前", n) if days < 0 else ngettext("%(n)s 天后", "%(n)s 天后", n)
    return words % {"n": n}


def clock_words(remaining: int | None) -> str:
    """Working days left of a limit in words; negative is overdue."""
    if remaining is None:
        return gettext("不计时")
    if remaining == 0:
        return gettext("今天到期")
    n = abs(remaining)
    if remaining > 0:
        return ngettext("剩 %(n)s 个工作日", "剩 %(n)s 个工作日", n) % {"n": count(n)}
    return ngettext("已超期 %(n)s 个工作日", "已超期 %(n)s 个工作日", n) % {"n": count(n)}
