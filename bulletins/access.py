"""Who may read which figures, and what is said to those who may not yet."""

from collections.abc import Iterable

from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _

from accounts.models import User
from bulletins.models import Period
from enterprises.models import Bureau

# Units that stand in the national circular: the nation, the provinces, the separately planned cities.
PUBLIC_UNITS = Q(level__lte=Bureau.Level.PROVINCE) | Q(is_separately_planned=True)


def is_public(bureau: Bureau) -> bool:
    """Whether the unit is one of `PUBLIC_UNITS`."""
    return bureau.level <= Bureau.Level.PROVINCE or bureau.is_separately_planned


def may_read(user: User | AnonymousUser, period: Period, bureau: Bureau) -> bool:
    """Published figures are public for the units of the national circular, and for users those of all units.

    Before publication, figures are for the unit and the bureaus above it.
    """
    if isinstance(user, User) and user.scope.covers(bureau):
        return True
    return period.is_public and (isinstance(user, User) or is_public(bureau))


def readable(user: User | AnonymousUser, periods: Iterable[Period], bureau: Bureau) -> list[Period]:
    return [period for period in periods if may_read(user, period, bureau)]


def refusal(request: HttpRequest, period: Period, bureau: Bureau) -> HttpResponseBase | None:
    """Nothing for those who may read; the login page, or a reason, for others."""
    if may_read(request.user, period, bureau):
        return None
    if not request.user.is_authenticated:
        return redirect_to_login(request.get_full_path())
    raise PermissionDenied(why_not(period, bureau))


def why_not(period: Period, bureau: Bureau) -> str:
    return _("%(period)s的数据尚未发布；发布之前，%(unit)s的数据只供本单位和上级单位查看。") % {
        "period": period.name,
        "unit": bureau.short_name,
    }


def latest(periods: Iterable[Period]) -> Period | None:
    """What to show first: the latest published year, else the latest published period, else the latest."""
    order = sorted(
        periods,
        key=lambda p: (p.is_public, p.kind == Period.Kind.YEAR, p.end_on),
        reverse=True,
    )
    return order[0] if order else None
