"""The guard of the tests: requests that would write past the record fail."""

import pytest
from django.http import HttpResponse
from django.test import RequestFactory

from accounts.models import Role
from bulletins.models import Bulletin
from common.inserting import insert
from enterprises.models import Organization
from projects.models import BottleneckContact, Evidence, Measure
from record.recording import add, one_change
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


@pytest.mark.parametrize(
    ("recorded", "unrecorded"), [(1, 0), (2, 0), (0, 1), (1, 1)], ids=["one", "two", "none", "one of two"]
)
def test_of_rows_that_are_sent_together_each_is_judged(recorded: int, unrecorded: int):
    """PostgreSQL alone is sent several statements at once; SQLite gets each by itself."""
    rows = [factories.draft() for _n in range(recorded + unrecorded)]
    BottleneckContact.objects.all().delete()
    people = [BottleneckContact(bottleneck=row, name="演示联系人", phone="13800000000") for row in rows]
    measure = Measure(bottleneck=rows[0], metric="良率", unit="%", value_now=1, target=2)

    def work() -> None:
        with one_change(blindly=[Measure]):
            add(people[:recorded])
            insert(people[recorded:])
            add([measure])

    if unrecorded:
        with pytest.raises(Unrecorded):
            request(work)
    else:
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
