"""Load a dated list of administrative divisions and found the bureaus that are missing for it."""

from datetime import date
from pathlib import Path

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from enterprises.services import DIVISIONS, DIVISIONS_VALID_FROM, found_bureaus, load_divisions


class Command(BaseCommand):
    help = (
        "Load administrative divisions (CSV with code, name, level, parent_code) and found missing bureaus."
    )

    def add_arguments(self, parser):
        parser.add_argument("path", nargs="?", type=Path, default=DIVISIONS, help="the list; ours by default")
        parser.add_argument(
            "--valid-from",
            type=date.fromisoformat,
            help="the day of the list, needed with a list of your own",
        )

    def handle(self, *, path, valid_from, **options):
        if valid_from is None and path != DIVISIONS:
            raise CommandError(_("请用 --valid-from 写明这份区划表的日期，例如 2024-12-31。"))
        try:
            loaded = load_divisions(path, valid_from or DIVISIONS_VALID_FROM)
        except OSError as error:
            raise CommandError(_("读不到区划表：%s") % error) from error
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        founded = found_bureaus()
        self.stdout.write(
            _(
                "区划：新增 %(added)d，改名 %(renamed)d，停用 %(ended)d，不变 %(unchanged)d；"
                "新设单位 %(founded)d。"
            )
            % {**vars(loaded), "founded": founded}
        )
