"""What the workers do: call the service, return."""

from celery import shared_task

from record import chain, services


@shared_task
def seal() -> None:
    """Every few seconds, and of no use once the next is due: sealing per transaction would put a message on
    the broker for every click."""
    services.tell_untold()
    chain.seal_pending()
    chain.close_days()


@shared_task
def seal_left_out() -> None:
    """Once a day, what a transaction that went on for very long has left far behind."""
    chain.seal_pending(everything=True)
