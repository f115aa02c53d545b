"""What the workers do: load, call the service, return."""

from celery import shared_task

from bulletins import collecting, live, series, services


@shared_task
def roll_up(snapshot_pk: int) -> None:
    services.run_snapshot(snapshot_pk)


@shared_task
def print_bulletin(bulletin_pk: int) -> None:
    services.run_bulletin(bulletin_pk)


@shared_task
def run_edition(edition_pk: int) -> None:
    series.run_edition(edition_pk)


@shared_task
def start_editions() -> None:
    """Rung by a publication and by a correction, so that bulletins are on their way at once."""
    series.start_due()


@shared_task
def sweep() -> None:
    services.sweep()
    series.start_due()


@shared_task
def follow() -> None:
    live.follow()


@shared_task
def check_frozen() -> None:
    services.check_frozen()


@shared_task
def remind_of_figures() -> None:
    collecting.remind()
