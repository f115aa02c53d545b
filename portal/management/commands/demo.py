"""Fill an empty database with demo data, and say which accounts there are."""

import gc
import secrets
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from tqdm import tqdm

from accounts.models import User
from common import bulk
from enterprises.models import Organization
from portal.demo import demands, lists, people
from portal.demo.figures import publish
from portal.demo.load import is_empty, load
from portal.demo.news import spread
from portal.demo.scales import SCALES
from projects.models import Bottleneck, ChainProject, Consortium, KeyProject
from record.recording import loaded

PHASES = 17


class Command(BaseCommand):
    help = "Load demo data into an empty database, or list the demo accounts."

    def add_arguments(self, parser: ArgumentParser) -> None:
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument(
            "--scale", choices=sorted(SCALES), help="how much: the whole country, or a province"
        )
        what.add_argument(
            "--accounts", action="store_true", help="list the demo accounts and do nothing else"
        )
        parser.add_argument("--seed", type=int, default=1, help="another seed gives other data (default 1)")

    def handle(self, *, scale: str, accounts: bool, seed: int, verbosity: int, **options: Any) -> None:
        if settings.PRODUCTION:
            raise CommandError(_("演示数据不能载入生产环境。"))
        if accounts:
            self._show_accounts(settings.DEMO_PASSWORD)
            return
        if not is_empty():
            self.stdout.write(_("数据库中已有数据，没有载入演示数据。"))
            return
        password = settings.DEMO_PASSWORD or secrets.token_urlsafe(9)
        today = timezone.localdate()
        began = time.perf_counter()
        # Millions of small tuples and no cycles among them: looking for garbage takes a fifth of the time.
        gc.disable()
        try:
            with (
                tqdm(total=PHASES, file=self.stderr, disable=not verbosity, bar_format=BAR) as bar,
                bulk.large_file(),
                transaction.atomic(),
            ):

                @contextmanager
                def phase(name: str) -> Iterator[None]:
                    bar.set_description(name)
                    yield
                    bar.update()

                load(scale, seed, today, password, phase)
                for model in (Organization, User, ChainProject, Consortium, KeyProject, Bottleneck):
                    loaded(model, model._base_manager.count(), f"demo --scale {scale}")
                publish(today, phase)
                with phase(_("清单与政策")):
                    lists.lay_out(today)
                with phase(_("消息与申请")):
                    spread()
                with phase(_("规范需求")):
                    demands.spread()
                bar.set_description(_("写入磁盘"))
        finally:
            gc.enable()
        self.stdout.write(_("演示数据已载入，用时 %.1f 秒。") % (time.perf_counter() - began))
        self._show_accounts(password)

    def _show_accounts(self, password: str) -> None:
        for account in people.ACCOUNTS:
            self.stdout.write(f"  {account.username:<13}{account.name}  {account.good_for}")
        if password:
            self.stdout.write(_("密码：%s") % password)


BAR = "{percentage:3.0f}% |{bar:30}| {elapsed} {desc}"
