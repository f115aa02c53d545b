"""When a grant or a substitution is over, and when it is in force."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import Grant, Role, Substitution
from tests import factories

pytestmark = pytest.mark.django_db
TODAY = timezone.localdate()
YESTERDAY, TOMORROW = TODAY - timedelta(days=1), TODAY + timedelta(days=1)


@pytest.mark.parametrize(
    ("fields", "not_over", "in_force"),
    [
        ({}, True, True),
        ({"expires_on": TODAY}, True, True),
        ({"starts_on": TOMORROW}, True, False),
        ({"expires_on": YESTERDAY}, False, False),
        ({"ended_at": timezone.now()}, False, False),
    ],
    ids=["without an end", "its last day", "from tomorrow", "run out", "ended"],
)
def test_a_grant(fields: dict, not_over: bool, in_force: bool) -> None:
    factories.grant(factories.user(), Role.OFFICER, **fields)
    rows = Grant.objects.judged("test")
    assert (rows.not_over(TODAY).exists(), rows.in_force(TODAY).exists()) == (not_over, in_force)


@pytest.mark.parametrize(
    ("fields", "not_over", "in_force"),
    [
        ({"ends_on": TODAY}, True, True),
        ({"starts_on": TOMORROW, "ends_on": TOMORROW}, True, False),
        ({"ends_on": YESTERDAY}, False, False),
        ({"ended_at": timezone.now()}, False, False),
    ],
    ids=["its last day", "from tomorrow", "past", "ended"],
)
def test_a_substitution(fields: dict, not_over: bool, in_force: bool) -> None:
    term = {"starts_on": YESTERDAY, "ends_on": TOMORROW} | fields
    Substitution.objects.create(principal=factories.user(), substitute=factories.user(), **term)
    rows = Substitution.objects.all()
    assert (rows.not_over(TODAY).exists(), rows.in_force(TODAY).exists()) == (not_over, in_force)
