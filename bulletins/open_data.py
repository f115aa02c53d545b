"""Published figures for anybody to take away: the rows, and the card that says what they are.

Told are the units of the national circular (`access.is_public`), without what `disclosure` withholds.
Codes and field names are the same in each language; words are in that of the reader.
"""

from collections.abc import Collection, Iterator
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.urls import reverse
from django.utils.translation import gettext as _

from bulletins import access, figures, trees
from bulletins.disclosure import Reader
from bulletins.figures import Value
from bulletins.indicators import Indicator, Kind
from bulletins.models import Period, Snapshot
from enterprises.models import Bureau, IndustryChain

COLUMNS = (
    "period",
    "version",
    "region",
    "region_name",
    "chain",
    "chain_name",
    "indicator",
    "indicator_name",
    "unit",
    "value",
    "numerator",
    "denominator",
    "status",
    "definition",
)
# What is in the place of a number.
TOLD, WITHHELD, NOT_REPORTED = "told", "withheld", "not_reported"


def regions(snapshot: Snapshot) -> list[Bureau]:
    """The nation, the provinces in code order, and the separately planned cities."""
    return sorted(trees.units(snapshot, access.PUBLIC_UNITS), key=lambda unit: (unit.level, unit.code))


def rows(
    snapshot: Snapshot,
    units: Collection[Bureau],
    codes: Collection[str] = (),
    chain: IndustryChain | None = None,
) -> Iterator[dict[str, Any]]:
    """The figures of units, over all chains or for one, as anybody may know them."""
    definitions = figures.definitions(snapshot)
    asked = [code for code in definitions if not codes or code in codes]
    told = Reader(AnonymousUser()).values(snapshot, units, asked, chain)
    for unit in units:
        for code in asked:
            figure = figures.of_chain(definitions[code], chain, told[unit.pk].get(code, figures.NOT_REPORTED))
            yield _row(snapshot, unit, chain, definitions[code], figure)


def _row(
    snapshot: Snapshot, unit: Bureau, chain: IndustryChain | None, indicator: Indicator, figure: Value
) -> dict[str, Any]:
    value = figures.rounded(indicator, figure)
    return {
        "period": snapshot.period.code,
        "version": snapshot.version,
        "region": unit.code,
        "region_name": unit.short_name,
        "chain": chain.code if chain else "",
        "chain_name": chain.name if chain else "",
        "indicator": indicator.code,
        "indicator_name": str(indicator.name),
        "unit": str(indicator.unit),
        "value": value,
        "numerator": figure.numerator if indicator.kind == Kind.RATIO else None,
        "denominator": figure.denominator,
        "status": WITHHELD if figure.withheld else NOT_REPORTED if value is None else TOLD,
        "definition": snapshot.definitions.get(indicator.code, indicator.version),
    }


def card(snapshot: Snapshot, address: Any) -> dict[str, Any]:
    """Source, period, version, licence, fields and definitions; ``address`` makes addresses absolute."""
    period = snapshot.period
    return {
        "title": _("质量强链工作数据：%(period)s") % {"period": period.name},
        "source": _("质量强链工作门户，由各级市场监督管理部门填报并逐级确认"),
        "period": {
            "code": period.code,
            "name": period.name,
            "start": period.start_on.isoformat(),
            "end": period.end_on.isoformat(),
        },
        "version": snapshot.version,
        "frozen_at": snapshot.finished_at.isoformat() if snapshot.finished_at else None,
        "reason": snapshot.reason,
        "sha256": snapshot.row_hash,
        "licence": {"name": settings.OPEN_DATA_LICENCE, "url": settings.OPEN_DATA_LICENCE_URL},
        "privacy": _(
            "1 至 %(most)d 的计数、以 1 至 %(most)d 项为分母的比率、不足 %(least)d 家单位的金额和用时，"
            "和可以由此推算出它们的数，不予公开；累计数和各地区分产业链的数只公布年度的，其他期间不予公开。"
            "不予公开的 status 为 withheld；0 照列；未报送的为 not_reported。"
        )
        % {"least": settings.SMALL_CELLS_BELOW, "most": settings.SMALL_CELLS_BELOW - 1},
        "fields": _fields(),
        "indicators": [_definition(one, snapshot) for one in figures.definitions(snapshot).values()],
        "files": {kind: address(file_address(period, kind)) for kind in ("csv", "json")},
        "page": address(reverse("bulletins:open_data")),
    }


def _definition(indicator: Indicator, snapshot: Snapshot) -> dict[str, str]:
    return {
        "code": indicator.code,
        "name": str(indicator.name),
        "unit": str(indicator.unit),
        "nature": str(indicator.nature.label),
        "counted": str(indicator.counted),
        "key": str(indicator.key),
        "time_rule": str(indicator.time_rule),
        "place_rule": str(indicator.place_rule),
        "note": str(indicator.note),
        "definition": snapshot.definitions.get(indicator.code, indicator.version),
    }


def _fields() -> dict[str, str]:
    return {
        "period": _("统计期代码"),
        "version": _("冻结版本；更正后加一"),
        "region": _("行政区划代码"),
        "region_name": _("地区；计划单列市是所在省的其中数"),
        "chain": _("产业链代码；空为全部产业链"),
        "chain_name": _("产业链"),
        "indicator": _("指标代码"),
        "indicator_name": _("指标"),
        "unit": _("计量单位"),
        "value": _("数值，与公布的一致"),
        "numerator": _("比率的分子"),
        "denominator": _("比率的分母；中位数的记录数"),
        "status": _("told 为有数，withheld 为不予公开，not_reported 为未报送"),
        "definition": _("指标口径版本；不同版本不可比较"),
    }


def file_address(period: Period, kind: str) -> str:
    return reverse("bulletins:open_file", args=[period.code, kind])
