"""Figures of the year and the bulletins made of them."""

import multiprocessing
import re
import time
from pathlib import Path

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connection, transaction
from django.db.models import F
from django.utils import timezone, translation

from accounts.models import User
from bench import plain_paper
from bench.harness import Sides, benchmark, start, stop
from bulletins import circular, paper, series, services
from bulletins.indicators import CATALOGUE, ON_LIST
from bulletins.models import Bulletin, CountedRow, Edition, Period, Series, Snapshot, StatValue, Wording
from common.jobs import Job
from common.paper import fonts
from enterprises.models import Bureau
from tools import bootstrap

YEAR = "2024"
# What :names in the plain SQL stand for; moments are in UTC.
PLAIN_VALUES = {
    "first": "'2024-01-01'",
    "last": "'2024-12-31'",
    "from": "'2023-12-31 16:00:00'",
    "until": "'2024-12-31 16:00:00'",
    "codes": ", ".join(f"('{one.code}', '{one.entity}')" for one in CATALOGUE.values()),
    "on_list": ", ".join(f"'{status}'" for status in ON_LIST),
}
# Calendar days in Shanghai from `accepted_at` to `at`.
PLAIN_DAYS = {
    "postgresql": "(at AT TIME ZONE 'PRC')::date - (accepted_at AT TIME ZONE 'PRC')::date",
    "sqlite": "CAST(julianday(date(at, '+8 hours')) - julianday(date(accepted_at, '+8 hours')) AS INTEGER)",
}
PLAIN_TABLES = (
    *("above", "p", "c", "k", "a", "q", "s", "m", "w", "e", "l", "g", "v", "d"),
    *("keyed", "own", "total", "told"),
)
PLAIN_SQL = (Path(__file__).parent / "rollup_year.sql").read_text(encoding="utf-8")
WAITED_FOR = 1800.0


@benchmark(most=2.0, goal=1.2, rounds=3)
def rollup_year() -> Sides:
    """A roll-up of the year as `manage.py rollup` does it, for every unit and chain."""
    period = open_year()

    def by_hand() -> Snapshot:
        snapshot = Snapshot.objects.create(period=period, definition_version="plain SQL")
        roll_up_by_hand(snapshot)
        return snapshot

    assert stored(services.rollup_now(period)) == stored(by_hand())  # noqa: S101
    forget_figures()
    return Sides(subject=lambda: services.rollup_now(period), floor=by_hand, after=forget_figures)


def open_year() -> Period:
    """The year as if nobody had rolled up or frozen anything."""
    # Past Django, which protects a successor even from what goes with it.
    for model in (Wording, Bulletin):
        model._base_manager.all()._raw_delete(DEFAULT_DB_ALIAS)
    Edition.objects.all().delete()
    forget_figures()
    Snapshot._base_manager.all().delete()
    Period.objects.update(status=Period.Status.OPEN, frozen_at=None)
    return services.get_period(YEAR)


def roll_up_by_hand(snapshot: Snapshot) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        values = PLAIN_VALUES | {"snapshot": str(snapshot.pk), "days": PLAIN_DAYS[connection.vendor]}
        for statement in re.sub(r":(\w+)", lambda name: values[name[1]], PLAIN_SQL).split(";\n")[:-1]:
            cursor.execute(statement)
        for table in PLAIN_TABLES:
            cursor.execute(f"DROP TABLE {table}")


def stored(snapshot: Snapshot) -> set[tuple]:
    rows = StatValue.objects.filter(snapshot=snapshot)
    figure = ("value", "numerator", "denominator", "late")
    return set(rows.values_list("indicator", "bureau", "chain", *figure))


def forget_figures() -> None:
    """Nothing is left for the next to wade through."""
    for model in (StatValue, CountedRow):
        model._base_manager.all().delete()
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute(f"VACUUM ANALYZE {model._meta.db_table}")


@benchmark(most=1.3, goal=1.1, rounds=5)
def bulletin_national() -> Sides:
    """Issue and print in this process, as `manage.py bulletin` does; the floor renders the same HTML."""
    period, nation = frozen_year(), services.get_bureau("000000")

    def issue() -> Bulletin:
        bulletin = services.issue_bulletin(period, nation, again=True, in_background=False)
        return services.print_now(bulletin)

    html, css = html_of(issue()), stylesheet()
    return Sides(subject=issue, floor=lambda: plain_paper.pdf(html, css))


@benchmark(most=1.3, goal=1.1, rounds=2, warm_up=False)
def bulletin_32_provinces() -> Sides:
    """Issued and printed by a Celery worker; the floor renders the same HTML with as many processes."""
    period = frozen_year()
    provinces = list(Bureau.objects.reporting_rows())
    assert len(provinces) == 32  # noqa: S101
    processes = settings.CELERY_WORKER_CONCURRENCY
    worker = start(bootstrap.WORKER)

    def issue(some: list[Bureau]) -> list[Bulletin]:
        return wait_for([services.issue_bulletin(period, one, again=True) for one in some])

    css = stylesheet()
    with transaction.atomic():
        issued = [services.issue_bulletin(period, one, again=True) for one in provinces]
        pages = [(html_of(bulletin), css) for bulletin in issued]
        transaction.set_rollback(True)
    pool = multiprocessing.get_context("spawn").Pool(processes)
    # Every process has drawn something before the first round.
    issue(provinces[:processes])
    pool.starmap(plain_paper.pdf, pages[:processes], chunksize=1)

    def close() -> None:
        pool.terminate()
        stop(worker)

    return Sides(
        subject=lambda: issue(provinces),
        floor=lambda: pool.starmap(plain_paper.pdf, pages, chunksize=1),
        close=close,
    )


@benchmark(most=1.3, goal=1.1, rounds=1, warm_up=False)
def bulletin_scheduled_run() -> Sides:
    """A series over the nation down to its cities, issued and printed by a Celery worker: 1 + 32 + 333. The
    floor renders the same HTML with as many processes. Run again with nothing changed, it prints nothing."""
    period, nation = frozen_year(), services.get_bureau("000000")
    writer, head = (User.objects.get(username=name) for name in ("statistician", "admin"))
    worker = start(bootstrap.WORKER)
    papers = Bulletin.objects.filter(edition__series__bureau=nation)

    def run() -> list[Bulletin]:
        Bulletin.objects.filter(status=Bulletin.Status.ISSUED).update(
            status=Bulletin.Status.REPLACED, replaced_by=F("pk")
        )
        Series.objects.filter(ended_at__isnull=True).update(ended_at=timezone.now())
        one = series.draw_up(
            nation, writer, kind="circular", period_kind="year", down_to=Bureau.Level.CITY, words={}
        )
        series.run(series.sign(one, head), period, None)
        edition = one.editions.get()
        while edition.is_under_way:
            time.sleep(0.1)
            edition.refresh_from_db()
        made = wait_for(list(papers.filter(edition=edition)))
        printed = papers.count()
        series.run(one, period, None)
        assert papers.count() == printed  # noqa: S101
        return made

    css = stylesheet()
    pages = [(html_of(bulletin), css) for bulletin in run()]
    pool = multiprocessing.get_context("spawn").Pool(settings.CELERY_WORKER_CONCURRENCY)
    pool.starmap(plain_paper.pdf, pages[:2], chunksize=1)

    def close() -> None:
        pool.terminate()
        stop(worker)

    return Sides(subject=run, floor=lambda: pool.starmap(plain_paper.pdf, pages, chunksize=1), close=close)


def frozen_year() -> Period:
    period = services.get_period(YEAR)
    if not period.is_frozen:
        services.freeze_now(period, None)
        period.refresh_from_db()
    return period


def wait_for(bulletins: list[Bulletin]) -> list[Bulletin]:
    """The bulletins once all are printed."""
    rows = Bulletin.objects.filter(pk__in=[bulletin.pk for bulletin in bulletins])
    deadline = time.monotonic() + WAITED_FOR
    while rows.exclude(job_state=Job.State.DONE).exists():
        if time.monotonic() > deadline or rows.filter(job_state=Job.State.FAILED).exists():
            raise RuntimeError("The worker did not print all bulletins.")
        time.sleep(0.02)
    return list(rows.select_related("bureau", "snapshot__period").order_by("bureau__code"))


def html_of(bulletin: Bulletin) -> str:
    with translation.override("zh-hans"):
        return paper.render_html(circular.compose(bulletin))


def stylesheet() -> str:
    """That of the portal, with typefaces of the wheel under addresses that bare WeasyPrint can open."""
    css = paper.stylesheet()
    for file, path in fonts.PACKAGED.values():
        css = css.replace(f"paper:{file}", path().as_uri())
    return css
