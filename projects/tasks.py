"""What the workers do: call the service, return."""

from celery import shared_task

from projects import notices, similar, timekeeping


@shared_task
def tell_of_clocks() -> None:
    timekeeping.keep_time()
    notices.tell_of_clocks()


@shared_task
def count_grams() -> None:
    similar.count()
