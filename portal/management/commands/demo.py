"""Fill an empty database with demo data, and say which accounts there are."""

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.translation import gettext as _
from tqdm import tqdm

from portal.demo import people
from portal.demo.load import is_empty, load
from portal.demo.scales import SCALES

PHASES = 10


class Command(BaseCommand):
    help = "Load demo data into an empty database, or list the demo accounts."

    def add_arguments(self, parser):
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument(
            "--scale", choices=sorted(SCALES), help="how much: the whole country, or a province"
        )
        what.add_argument(
            "--accounts", action="store_true", help="list the demo accounts and do nothing else"
        )
        parser.add_argument("--seed", type=int, default=1, help="another seed gives other data (default 1)")

    def handle(self, *, scale, accounts, seed, **options):
        if settings.PRODUCTION:
            raise CommandError(_("演示数据不能载入生产环境。"))
        if accounts:
            self._show_accounts(settings.DEMO_PASSWORD)
            return
        if not is_empty():
            self.stdout.write(_("数据库中已有数据，没有载入演示数据。"))
            return
        password = settings.DEMO_PASSWORD or secrets.token_urlsafe(9)
        began = time.perf_counter()
        with tqdm(total=PHASES, unit=_("步"), file=self.stderr, disable=options["verbosity"] == 0) as bar:

            @contextmanager
            def phase(name: str) -> Iterator[None]:
                bar.set_description(name)
                yield
                bar.update()

            load(scale, seed, timezone.localdate(), password, phase)
        self.stdout.write(_("演示数据已载入，用时 %.1f 秒。") % (time.perf_counter() - began))
        self._show_accounts(password)

    def _show_accounts(self, password: str) -> None:
        for username, name, good_for in people.lines():
            self.stdout.write(f"  {username:<13}{name}  {good_for}")
        if password:
            self.stdout.write(_("密码：%s") % password)
