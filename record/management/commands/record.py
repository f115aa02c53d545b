"""Prove the chain of the record, or seal what is not sealed yet."""

from argparse import ArgumentParser
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from common import formats
from record import chain
from record.models import DayRoot, Seal


class Command(BaseCommand):
    help = (
        "Prove that no event was changed or removed (exit code 1 names the first broken link), or seal now."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("action", choices=["prove", "seal"])
        parser.add_argument(
            "--root",
            nargs=2,
            action="append",
            default=[],
            metavar=("DAY", "HASH"),
            help="a root read off a printed bulletin, such as 2026-11-20 3f9c…; may be given several times",
        )

    def handle(self, *, action: str, root: list[list[str]], **options: Any) -> None:
        if action == "seal":
            sealed = chain.seal_pending(everything=True)
            chain.close_days()
            self.stdout.write(f"Sealed {sealed:,} events.")
            return
        try:
            printed = {date.fromisoformat(day): value for day, value in root}
        except ValueError as fault:
            raise CommandError(f"{fault}. Write the day as 2026-11-20.") from None
        with tqdm(total=Seal.objects.count(), unit=" seals", disable=options["verbosity"] == 0) as bar:
            proof = chain.prove(printed, bar.update)
        if proof.broken:
            raise CommandError(proof.broken)
        self.stdout.write(f"Proved {proof.sealed:,} events; {proof.pending:,} wait for their seal.")
        last = DayRoot.objects.first()
        if last:
            self.stdout.write(f"Root of {formats.day(last.day)}: {last.hash}")
