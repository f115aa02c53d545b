"""Write the table of accepted evidence as a document."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.utils import translation

from projects.proof import TABLE, Row

HEAD = """# Which evidence shows that a problem is solved

Written by `manage.py evidence` from `projects/proof.py` (`domain.md` 4.3); not to be edited by hand. The gap
of a problem decides, its cause where no gap is named, and its route besides. Evidence that was checked and is
not what it was said to be counts for nothing and blocks striking off.

| problems | by gap, cause or route | accepted | gives only “partly” |
|---|---|---|---|
"""


def text() -> str:
    with translation.override("zh-hans"):
        return HEAD + "".join(f"| {' | '.join(_cells(row))} |\n" for row in TABLE)


def _cells(row: Row) -> Iterator[str]:
    yield f"{row.label}"
    yield ", ".join(_named(code) for code in (*row.gaps, *row.causes, *row.routes))
    joined = " and ".join if row.together else " or ".join
    accepted = joined(_named(kind) for kind in row.accepted)
    yield f"{accepted}, naming who benefits first" if row.beneficiary else accepted
    yield ", ".join(f"{_named(kind)}, with its draft" for kind in row.partly) or "—"


def _named(code: Any) -> str:
    return f"{code.label} `{code.value}`"


class Command(BaseCommand):
    help = __doc__ or ""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--output", type=Path, default=settings.BASE_DIR / "docs" / "evidence.md")

    def handle(self, *args: Any, **options: Any) -> None:
        options["output"].write_text(text(), encoding="utf-8")
