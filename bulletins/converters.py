"""Parts of addresses: periods, snapshots, units, indicators."""

from django.urls import register_converter
from django.urls.converters import StringConverter


class PeriodConverter(StringConverter):
    """A period code; anything else in its place is no address of ours."""

    regex = r"20\d\d(?:H[12]|Q[1-4]|-(?:0[1-9]|1[0-2]))?"


class SnapshotConverter(StringConverter):
    """A period code and a version, 2024Q3.1."""

    regex = PeriodConverter.regex + r"\.\d{1,4}"


class UnitConverter(StringConverter):
    regex = r"\d{6,12}"


class IndicatorConverter(StringConverter):
    regex = r"I\d\d[A-Z]?"


register_converter(PeriodConverter, "period")
register_converter(SnapshotConverter, "snapshot")
register_converter(UnitConverter, "unit")
register_converter(IndicatorConverter, "indicator")
