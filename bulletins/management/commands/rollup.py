"""Roll the figures of an open period up for all units."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from bulletins import services
from bulletins.management import sentences


class Command(BaseCommand):
    help = __doc__ or ""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--period", required=True, help="2024, 2024H1, 2024Q3 or 2024-11")

    @sentences
    def handle(self, *args: Any, **options: Any) -> None:
        snapshot = services.rollup_now(services.get_period(options["period"]))
        self.stdout.write(f"{snapshot.period.code}: {snapshot.values.count()} values")
