"""Print the figures of a unit; with --recount, count them anew from the rows and name what differs; of a
frozen version the digests are checked too."""

import json
import sys
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandParser
from django.utils.translation import gettext as _

from bulletins import figures, recount, rollup, services
from bulletins.indicators import Indicator
from bulletins.management import sentences
from bulletins.models import Snapshot
from enterprises.models import Bureau


class Command(BaseCommand):
    help = __doc__ or ""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--period", required=True, help="2024, 2024H1, 2024Q3 or 2024-11")
        parser.add_argument("--bureau", default="000000", help="code of the unit, the nation by default")
        parser.add_argument("--format", choices=["text", "json"], default="text")
        parser.add_argument(
            "--recount", action="store_true", help="compare with the rows; exit code 1 when something differs"
        )

    @sentences
    def handle(self, *args: Any, **options: Any) -> None:
        period = services.get_period(options["period"])
        bureau = services.get_bureau(options["bureau"])
        snapshot = figures.current(period)
        if snapshot is None:
            raise ValidationError(_("%(period)s还没有汇总，请先运行 rollup。") % {"period": period.name})
        found = recount.differences(snapshot, bureau) if options["recount"] else None
        touched = options["recount"] and snapshot.version > 0 and not rollup.is_untouched(snapshot)
        if options["format"] == "json":
            report = self._report(snapshot, bureau, found)
            if options["recount"]:
                report["digests_hold"] = None if not snapshot.version else not touched
            self.stdout.write(json.dumps(report, ensure_ascii=False, indent=2))
        else:
            self._print(snapshot, bureau, found)
            if touched:
                self.stdout.write(_("摘要不符：冻结的数字或留存的记录在冻结之后被改动。"))
        if found or touched:
            sys.exit(1)

    def _report(
        self, snapshot: Snapshot, bureau: Bureau, found: list[recount.Difference] | None
    ) -> dict[str, Any]:
        values = figures.of_unit(snapshot, bureau)
        indicators = figures.definitions(snapshot)
        report: dict[str, Any] = {
            "period": snapshot.period.code,
            "bureau": bureau.code,
            "name": bureau.name,
            "version": snapshot.version,
            "definition_version": snapshot.definition_version,
            "status": snapshot.period.status,
            "sha256": snapshot.row_hash,
            "figures": [
                self._figure(indicator, values.get(code, figures.NOT_REPORTED))
                for code, indicator in indicators.items()
            ],
            "net_solved": figures.net_solved(values),
        }
        if found is not None:
            report["differences"] = [
                {
                    "code": line.code,
                    "stored": line.stored.stated,
                    "counted": line.counted.stated,
                    "came": line.came,
                    "went": line.went,
                }
                for line in found
            ]
        return report

    def _figure(self, indicator: Indicator, figure: figures.Value) -> dict[str, Any]:
        shown = figures.rounded(indicator, figure)
        return {
            "code": indicator.code,
            "name": str(indicator.name),
            "unit": str(indicator.unit),
            "definition": indicator.version,
            "value": float(shown) if isinstance(shown, Decimal) else shown,
            "numerator": figure.numerator,
            "denominator": figure.denominator,
            "late": figure.late,
        }

    def _print(self, snapshot: Snapshot, bureau: Bureau, found: list[recount.Difference] | None) -> None:
        self.stdout.write(f"{bureau.name} {snapshot.period.name} v{snapshot.version}")
        values = figures.of_unit(snapshot, bureau)
        for code, indicator in figures.definitions(snapshot).items():
            shown = self._text(indicator, values.get(code, figures.NOT_REPORTED))
            self.stdout.write(f"{code:5} {shown:>10} {indicator.unit}\t{indicator.name}")
        if found == []:
            self.stdout.write(_("逐行重数：与统计快照一致。"))
        for line in found or []:
            self.stdout.write(
                _("%(code)s 不一致：快照 %(stored)s，重数 %(counted)s；新增行 %(came)s，减少行 %(went)s")
                % {
                    "code": line.code,
                    "stored": self._text(line.indicator, line.stored),
                    "counted": self._text(line.indicator, line.counted),
                    "came": list(line.came) or "—",
                    "went": list(line.went) or "—",
                }
            )

    def _text(self, indicator: Indicator, figure: figures.Value) -> str:
        shown = figures.text(indicator, figures.number(indicator, figure))
        if figure.numerator is None:
            return shown
        return f"{shown} ({figure.numerator}/{figure.denominator})"
