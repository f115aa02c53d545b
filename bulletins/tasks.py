"""What the workers do: load, call the service, return."""

from celery import shared_task

from bulletins import collecting, services


@shared_task
def roll_up(snapshot_pk: int) -> None:
    services.run_snapshot(snapshot_pk)


@shared_task
def print_bulletin(bulletin_pk: int) -> None:
    services.run_bulletin(bulletin_pk)


@shared_task
def sweep() -> None:
    services.sweep()


@shared_task
def check_frozen() -> None:
    services.check_frozen()


@shared_task
def remind_of_figures() -> None:
    collecting.remind()
