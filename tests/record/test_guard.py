"""The guard of the tests: requests that would write past the record fail."""

import pytest
from django.http import HttpResponse
from django.test import RequestFactory

from accounts.models import Role
from bulletins.models import Bulletin
from enterprises.models import Organization
from projects.models import Evidence
from tests import factories
from tests.recording import RecordingGuard, Unrecorded

pytestmark = pytest.mark.django_db


def request(work) -> None:
    def view(_request):
        work()
        return HttpResponse()

    RecordingGuard(view)(RequestFactory().get("/"))


@pytest.mark.parametrize(
    "work",
    [
        lambda: Organization.objects.update(size="large"),
        lambda: Organization.objects.bulk_update(Organization.objects.all(), ["size"]),
        lambda: Evidence.objects.all()._raw_delete("default"),
        lambda: Organization.objects.bulk_create(
            [Organization(uscc=factories.credit_code(), name="x", bureau=factories.county())]
        ),
    ],
    ids=["update", "bulk_update", "raw_delete", "bulk_create"],
)
def test_a_request_that_writes_past_the_record_fails(work):
    factories.organization()
    with pytest.raises(Unrecorded):
        request(work)


def test_a_request_that_saves_deletes_or_reports_progress_passes():
    row = factories.organization()

    def work() -> None:
        row.save()
        row.contact.delete()
        factories.user(Role.FILER, row)
        Bulletin.objects.update(progress=5)

    request(work)


def test_the_guard_stands_over_every_request_of_the_tests(settings):
    assert "tests.recording.RecordingGuard" in settings.MIDDLEWARE
