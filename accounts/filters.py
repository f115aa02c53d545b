"""Filters of people and what they were granted."""

from django.utils.translation import gettext_lazy as _

from accounts.models import BUREAU_ROLES, Grant, Role
from common.filters import AnyCodeFilter, ListFilterSet, SearchInput, TextFilter
from enterprises.filters import BureauFilter, ChainFilter


class GrantFilter(ListFilterSet):
    q = TextFilter(
        method="search",
        label=_("搜索"),
        max_length=100,
        widget=SearchInput({"placeholder": _("姓名、登录名")}),
    )
    bureau = BureauFilter("bureau", label=_("单位（含下级）"))
    role = AnyCodeFilter("role", choices=[(role, Role(role).label) for role in BUREAU_ROLES], label=_("角色"))
    chain = ChainFilter("chain", label=_("产业链"))

    class Meta:
        model = Grant
        fields: list[str] = []
