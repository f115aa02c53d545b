"""Boards of the national data, asked one after another by the officer of the nation.

Judged is the time that nineteen of twenty pages stay below, from the request to the last byte on the same
machine. Of every kind some boards are asked, each three times: the first time of a minute counts what stands
in the ledger now.
"""

import statistics
import time
from collections.abc import Iterator
from itertools import islice
from urllib.parse import urlencode

from accounts.models import User
from bench.bench_lists import Server, page_headers, stop_all
from bench.harness import Sides, benchmark
from enterprises.models import Bureau, IndustryChain, Organization
from projects.models import Bottleneck, ChainProject

YEAR = "2024"
BOARDS, TIMES = 6, 3


def addresses() -> Iterator[tuple[str, str]]:
    """Kind and address of each board."""
    for level in (Bureau.Level.NATIONAL, Bureau.Level.PROVINCE, Bureau.Level.CITY, Bureau.Level.COUNTY):
        codes = Bureau.objects.filter(level=level).order_by("-path").values_list("code", flat=True)
        for code in codes[:BOARDS]:
            yield level.name.lower(), f"/figures/?{urlencode({'period': YEAR, 'bureau': code})}"
    for code in IndustryChain.objects.order_by("pk").values_list("code", flat=True)[:BOARDS]:
        yield "chain", f"/figures/?{urlencode({'period': YEAR, 'bureau': '000000', 'chain': code})}"
    taken = Bottleneck.objects.judged("the benchmark").filter(assigned_to__isnull=False)
    labs = Organization.objects.filter(pk__in=taken.values("assigned_to")).order_by("pk")
    for uscc in labs.values_list("uscc", flat=True)[:BOARDS]:
        yield "institution", f"/institutions/{uscc}/"
    projects = ChainProject.objects.judged("the benchmark").order_by("pk")
    for code in islice(projects.values_list("code", flat=True), BOARDS):
        yield "project", f"/projects/{code}/"


@benchmark(most_seconds=0.15, rounds=3)
def dashboard_pages() -> Sides:
    portal, login = Server("portal.wsgi"), page_headers(User.objects.get(username="national"))
    boards = list(addresses())
    slowest: dict[str, float] = {}

    def ask() -> float:
        taken: dict[str, list[float]] = {}
        for kind, address in boards * TIMES:
            started = time.perf_counter()
            portal.get(address, login)
            taken.setdefault(kind, []).append(time.perf_counter() - started)
        slowest.update({f"p95 of {kind}": p95(times) for kind, times in taken.items()})
        return p95([one for times in taken.values() for one in times])

    return Sides(subject=ask, close=lambda: stop_all(portal), is_timed=True, figures=slowest)


def p95(times: list[float]) -> float:
    return statistics.quantiles(times, n=20, method="inclusive")[-1]
