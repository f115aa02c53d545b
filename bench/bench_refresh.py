"""Live figures after one row in a hundred of every ledger has changed."""

import random
from datetime import timedelta
from typing import Any

from bench.bench_bulletins import open_year, stored
from bench.harness import Sides, benchmark
from bulletins import services
from bulletins.models import Snapshot, StatValue
from common.jobs import Job
from common.scope import system_job
from enterprises.models import Bureau
from projects.models import Bottleneck, ChainProject, Consortium, KeyProject, Participation
from record.chain import seal_pending
from record.recording import one_change

SHARE = 100


@benchmark(most=0.25, goal=0.10, rounds=3)
def rollup_refresh() -> Sides:
    """Bring the figures of the year up to date, as a worker does it; the floor counts everything."""
    period = open_year()
    live = Snapshot.objects.create(period=period, definition_version="1", is_live=True)
    found: dict[str, float] = {}
    rnd = random.Random(2024)

    def refresh() -> None:
        Snapshot.objects.filter(pk=live.pk).update(job_state=Job.State.QUEUED, attempts=0)
        services.run_snapshot(live.pk)

    def prepare() -> None:
        """Nothing is left of a full roll-up, and of the rows a share has changed since the refresh."""
        others = Snapshot.objects.exclude(pk=live.pk)
        StatValue._base_manager.filter(snapshot__in=others).delete()
        others.delete()
        refresh()
        found["rows"] = change(rnd)
        seal_pending()

    def compare() -> None:
        refresh()
        found["differing cells"] = len(stored(live) ^ stored(services.rollup_now(period)))

    seal_pending(everything=True)
    prepare()
    return Sides(
        subject=refresh,
        floor=lambda: services.rollup_now(period),
        after=prepare,
        close=compare,
        figures=found,
    )


@system_job("the benchmark")
def change(rnd: random.Random) -> int:
    """Move problems and projects to other bureaus, put off dates, end and resume participations; each row is
    saved with its event. Returns how many."""
    bureaus = list(Bureau.objects.in_force().filter(level=Bureau.Level.COUNTY).values_list("pk", flat=True))
    number = 0
    for model in (ChainProject, Consortium, KeyProject, Participation, Bottleneck):
        rows: Any = model._base_manager
        keys = list(rows.order_by("pk").values_list("pk", flat=True))
        with one_change():
            for row in rows.filter(pk__in=rnd.sample(keys, len(keys) // SHARE)):
                match row:
                    case ChainProject() | Bottleneck():
                        row.bureau_id = rnd.choice(bureaus)
                    case Consortium() if row.founded_on and not row.dissolved_on:
                        row.founded_on -= timedelta(days=30)
                    case KeyProject() if row.contract_on:
                        row.contract_on -= timedelta(days=30)
                    case Participation():
                        row.left_on = None if row.left_on else row.joined_on
                row.save()
                number += 1
    return number
