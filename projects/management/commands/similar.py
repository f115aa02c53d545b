"""Make the index of similar problems anew, or count the grams by whose rarity it weighs."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from projects import similar


class Command(BaseCommand):
    help = "Make the index of similar problems anew (questions wait meanwhile), or only count its grams."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("action", choices=["rebuild", "count"])

    def handle(self, *, action: str, verbosity: int, **options: Any) -> None:
        problems = similar.rebuild() if action == "rebuild" else similar.count()
        if verbosity:
            self.stdout.write(f"{problems:,} problems.")
