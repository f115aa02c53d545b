"""Values worked out by hand: half-up rounding, blanks, both languages."""

import datetime as dt
from decimal import Decimal

import pytest
from django.template import Context, Template
from django.utils import timezone, translation

from common import formats

SATURDAY = dt.date(2026, 11, 21)
# 02:32 UTC is 10:32 in Shanghai; 17:00 UTC is the next day there.
MORNING = dt.datetime(2026, 11, 21, 2, 32, tzinfo=dt.UTC)
NIGHT = dt.datetime(2026, 11, 20, 17, 0, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Decimal("2.25"), "2.3"),
        (Decimal("-2.25"), "-2.3"),
        (2.25, "2.3"),
        (2.675, "2.7"),
        ("2.24999", "2.2"),
        (Decimal("0.05"), "0.1"),
        (Decimal("-0.04"), "0.0"),
        (0, "0.0"),
        (Decimal("1234567.85"), "1,234,567.9"),
        (None, "—"),
        ("", "—"),
        ("缺", "—"),
        (float("nan"), "—"),
        (True, "—"),
    ],
)
def test_one_decimal_half_up(value, expected):
    assert formats.decimal(value, 1) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0, "0"), (999, "999"), (14391, "14,391"), (180_000, "180,000"), (Decimal("2.5"), "3"), (None, "—")],
)
def test_counts(value, expected):
    assert formats.count(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(85.25, "85.3%"), (Decimal("-2.25"), "-2.3%"), (0, "0.0%"), (100, "100.0%"), (None, "—")],
)
def test_percentages(value, expected):
    assert formats.percent(value) == expected


@pytest.mark.parametrize(
    ("numerator", "denominator", "expected"),
    [
        (1, 3, "33.3%"),
        (2, 3, "66.7%"),
        (9, 400, "2.3%"),
        (0, 5, "0.0%"),
        (5, 0, "—"),
        (None, 5, "—"),
        (5, None, "—"),
    ],
)
def test_a_ratio_needs_a_base(numerator, denominator, expected):
    assert formats.ratio(numerator, denominator) == expected


@pytest.mark.parametrize(
    ("yuan", "expected"),
    [
        (Decimal("12345678.00"), "1,234.57"),
        (Decimal("12345650.00"), "1,234.57"),
        (Decimal("12345649.99"), "1,234.56"),
        (Decimal("49.99"), "0.00"),
        (Decimal("50"), "0.01"),
        (Decimal("-50"), "-0.01"),
        (0, "0.00"),
        (None, "—"),
    ],
)
def test_yuan_as_wan(yuan, expected):
    assert formats.wan(yuan) == expected


def test_money_has_its_unit_in_both_languages():
    assert formats.money(Decimal("12345678")) == "1,234.57 万元"
    with translation.override("en"):
        assert formats.money(Decimal("12345678")) == "CNY 12,345,678.00"
    assert formats.money(None) == "—"


def test_days():
    assert formats.day(SATURDAY) == "2026-11-21"
    assert formats.day_weekday(SATURDAY) == "2026-11-21 周六"
    assert formats.day_weekday(None) == formats.day(None) == formats.moment(None) == "—"


def test_times_are_those_of_shanghai():
    assert formats.moment(MORNING) == "2026-11-21 10:32"
    assert formats.day(NIGHT) == "2026-11-21"
    assert formats.day_weekday(NIGHT) == "2026-11-21 周六"


@pytest.mark.parametrize(
    ("back", "expected"),
    [
        (dt.timedelta(seconds=20), "刚刚"),
        (dt.timedelta(minutes=1), "1 分钟前"),
        (dt.timedelta(minutes=59, seconds=59), "59 分钟前"),
        (dt.timedelta(hours=23), "23 小时前"),
        (dt.timedelta(hours=25), "1 天前"),
        (dt.timedelta(days=30), "30 天前"),
        (dt.timedelta(days=31), "2026-10-21"),
        (dt.timedelta(seconds=-20), "马上"),
        (dt.timedelta(hours=-2), "2 小时后"),
        (dt.timedelta(days=-3), "3 天后"),
    ],
)
def test_relative_times(back, expected):
    assert formats.ago(MORNING - back, now=MORNING) == expected


def test_relative_days_count_calendar_days():
    assert formats.ago(SATURDAY, now=MORNING) == "今天"
    assert formats.ago(SATURDAY - dt.timedelta(days=1), now=MORNING) == "1 天前"
    assert formats.ago(None) == "—"


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (3, "剩 3 个工作日"),
        (0, "今天到期"),
        (-2, "已超期 2 个工作日"),
        (-1234, "已超期 1,234 个工作日"),
        (None, "不计时"),
    ],
)
def test_words_of_a_clock(days, expected):
    assert formats.clock_words(days) == expected


def test_filters_write_what_the_functions_return():
    template = Template(
        "{% load portal_format %}{{ n|count }} {{ p|percent1 }} {{ n|decimal1 }} {{ y|wan }} "
        "{{ d|day_weekday }} {{ t|moment }} {{ part|of:n }} {{ none|blank }} {{ zero|blank }}"
    )
    context = Context(
        {
            "n": 12345,
            "p": Decimal("2.25"),
            "y": 12345678,
            "d": SATURDAY,
            "t": MORNING,
            "part": 1,
            "none": None,
            "zero": 0,
        }
    )
    assert template.render(context) == (
        "12,345 2.3% 12,345.0 1,234.57 2026-11-21 周六 2026-11-21 10:32 0.0% — 0"
    )


def test_a_relative_time_carries_the_exact_one():
    moment = timezone.now() - dt.timedelta(hours=2)
    html = Template("{% load portal_format %}{{ t|ago }}").render(Context({"t": moment}))
    assert html == f'<time datetime="{moment.isoformat()}" title="{formats.moment(moment)}">2 小时前</time>'
