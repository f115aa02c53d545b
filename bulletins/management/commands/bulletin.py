"""Write the bulletin of a bureau for a frozen period to a file; issued first when none is in force."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from bulletins import services
from bulletins.management import sentences
from bulletins.models import Bulletin


class Command(BaseCommand):
    help = __doc__ or ""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--period", required=True, help="2024, 2024H1, 2024Q3 or 2024-11")
        parser.add_argument("--bureau", default="000000", help="code of the unit, the nation by default")
        parser.add_argument("--freeze", action="store_true", help="freeze the period first, if it is open")
        parser.add_argument("--again", action="store_true", help="issue another one beside the one in force")
        parser.add_argument("--output", type=Path, help="where to write the PDF")

    @sentences
    def handle(self, *args: Any, **options: Any) -> None:
        period = services.get_period(options["period"])
        bureau = services.get_bureau(options["bureau"])
        if options["freeze"] and not period.is_frozen:
            services.freeze_now(period, None)
        in_force = Bulletin.objects.filter(
            period=period,
            bureau=bureau,
            kind=Bulletin.Kind.CIRCULAR,
            status=Bulletin.Status.ISSUED,
        ).first()
        if in_force is None or options["again"]:
            in_force = services.issue_bulletin(period, bureau, again=options["again"], in_background=False)
        bulletin = services.print_now(in_force)
        if options["output"]:
            with bulletin.pdf.open("rb") as document:
                options["output"].write_bytes(document.read())
        self.stdout.write(f"{bulletin.number} {bulletin.verification_code} sha256 {bulletin.sha256}")
