"""What the workers do: call the service, return."""

from celery import shared_task

from accounts import mailing


@shared_task
def send_mails() -> None:
    mailing.send_due()
