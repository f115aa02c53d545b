"""Numbers are given out one by one, and none is lost."""

import pytest
from django.db import transaction

from enterprises.models import NumberSeries
from tests.factories import at_once


@pytest.mark.django_db(transaction=True)
def test_numbers_given_out_at_once_are_one_after_the_other():
    def several() -> list[int]:
        given = []
        for _n in range(5):
            with transaction.atomic():
                given.append(NumberSeries.next("X-2026"))
        return given

    numbers = [number for given in at_once(*[several] * 6) for number in given]
    assert sorted(numbers) == list(range(1, 31))


@pytest.mark.django_db(transaction=True)
def test_a_number_is_given_out_only_with_the_row_that_bears_it():
    with pytest.raises(transaction.TransactionManagementError):
        NumberSeries.next("X-2026")
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        assert NumberSeries.next("X-2026") == 1
        raise ZeroDivisionError
    with transaction.atomic():
        assert NumberSeries.next("X-2026") == 1
