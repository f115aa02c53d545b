"""Periods of the demo: two published years with their bulletins, the years after open and rolled up."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import date

from django.utils.translation import gettext as _

from accounts.models import User
from bulletins import services
from enterprises.models import Bureau

PUBLISHED_YEARS = (2023, 2024)
# Bulletins of the last published year, beside the national ones of both.
PROVINCES = ("320000", "440000")


def publish(today: date, phase: Callable[[str], AbstractContextManager[None]]) -> None:
    """Freeze and publish what an office would have published by now, and leave the years after it open.

    What takes a worker's time is queued: roll-ups of the open periods, and the prints of the bulletins.
    """
    by = User.objects.get(username="statistician")
    years = [services.get_period(str(year)) for year in PUBLISHED_YEARS]
    for period in years:
        with phase(_("冻结并发布%s") % period.name):
            services.freeze_now(period, by)
            services.publish(period, by)
    with phase(_("通报")):
        bureaus = Bureau.objects.in_bulk(["000000", *PROVINCES], field_name="code")
        for period, code in [
            *((period, "000000") for period in years),
            *((years[-1], code) for code in PROVINCES),
        ]:
            services.issue_bulletin(period, bureaus[code], by)
        for code in _open_periods(today):
            services.request_rollup(services.get_period(code), by)


def _open_periods(today: date) -> list[str]:
    """The years since the last published one, and the quarters of this year."""
    years = [str(year) for year in range(PUBLISHED_YEARS[-1] + 1, today.year + 1)]
    return [*years, *(f"{today.year}Q{n}" for n in range(1, (today.month - 1) // 3 + 2))]
