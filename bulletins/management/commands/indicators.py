"""Write the indicator dictionary from the catalogue."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from bulletins import dictionary


class Command(BaseCommand):
    help = __doc__ or ""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--output", type=Path, default=settings.BASE_DIR / "docs" / "indicators.md")

    def handle(self, *args: Any, **options: Any) -> None:
        options["output"].write_text(dictionary.text(), encoding="utf-8")
