"""What the workers do: call the service, return."""

from celery import shared_task

from projects import boundaries, followups, notices, reports, similar, timekeeping
from projects.models import Evidence


@shared_task
def tell_of_clocks() -> None:
    timekeeping.keep_time()
    notices.tell_of_clocks()


@shared_task
def take_in_grams() -> None:
    similar.take_in()


@shared_task
def count_grams() -> None:
    similar.count()


@shared_task
def verify_evidence(evidence_pk: int) -> None:
    if evidence := Evidence.objects.judged("the job").filter(pk=evidence_pk).first():
        reports.verify_evidence(evidence)


@shared_task
def ask_again() -> None:
    reports.ask_again()


@shared_task
def carry_out_boundaries() -> None:
    boundaries.carry_out_due()


@shared_task
def follow_up() -> None:
    followups.ask()
