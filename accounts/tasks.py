"""What the workers do: call the service, return."""

from celery import shared_task

from accounts import mailing, notices
from accounts.security import sessions


@shared_task
def send_mails() -> None:
    mailing.send_due()


@shared_task
def send_letter(pk: int) -> None:
    mailing.send_letter(pk)


@shared_task
def forget_sessions() -> None:
    sessions.forget()


@shared_task
def forget_notices() -> None:
    notices.forget()
