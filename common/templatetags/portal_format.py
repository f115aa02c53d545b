"""Template filters over `common.formats`."""

from __future__ import annotations

import datetime as dt

from django import template
from django.utils.html import format_html

from common import formats

register = template.Library()

register.filter("count", formats.count)
register.filter("wan", formats.wan)
register.filter("money", formats.money)
register.filter("day", formats.day)
register.filter("day_weekday", formats.day_weekday)
register.filter("moment", formats.moment)
register.filter("clock_words", formats.clock_words)


@register.filter
def decimal1(value: formats.Number) -> str:
    return formats.decimal(value, 1)


@register.filter
def percent1(value: formats.Number) -> str:
    """Of a number that already is a percentage."""
    return formats.percent(value, 1)


@register.filter
def of(numerator: formats.Number, denominator: formats.Number) -> str:
    """`{{ solved|of:listed }}` → 85.3%"""
    return formats.ratio(numerator, denominator)


@register.filter
def blank(value: object) -> object:
    """What was not reported is a dash; zero stays zero."""
    return formats.BLANK if value is None or value == "" else value


@register.filter
def ago(value: formats.Moment) -> str:
    """Relative time that carries the exact one."""
    if not value:
        return formats.BLANK
    is_moment = isinstance(value, dt.datetime)
    exact = formats.moment(value) if is_moment else formats.day_weekday(value)
    return format_html(
        '<time datetime="{}" title="{}">{}</time>', value.isoformat(), exact, formats.ago(value)
    )
