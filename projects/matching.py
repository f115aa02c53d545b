"""Which institutions suit a problem, and which problems may be the same one (`domain.md` 3.10, 4.4)."""

from collections.abc import Iterable

from django.db.models import Case, Count, IntegerField, OuterRef, Subquery, Value, When
from django.db.models.functions import Coalesce

from accounts.models import User
from enterprises.models import Bureau, Organization
from projects.models import Bottleneck

S = Bottleneck.Status
# What an institution has in hand.
IN_HAND = (S.DISPATCHED, S.IN_PROGRESS, S.SUSPENDED, S.SOLUTION_FILED)


def institutions_for(
    elements: Iterable[str], near: Bureau, text: str = "", limit: int = 8
) -> list[Organization]:
    """Working institutions: most of the missing elements first, then the near, then the less busy.

    ``fit`` counts the elements, ``near`` is 2 under the same bureau and 1 in the same province, ``load`` is
    what the institution has in hand.
    """
    province = "/".join(near.path.split("/")[:2]) + "/"
    load = (
        Bottleneck.objects.filter(assigned_to=OuterRef("pk"), status__in=IN_HAND)
        .order_by()
        .values("assigned_to")
        .annotate(n=Count("pk"))
        .values("n")
    )
    fit = [
        Case(When(institution_profile__nqi_elements__contains=code, then=1), default=0) for code in elements
    ]
    return list(
        Organization.objects.institutions()
        .judged("the officer who dispatches")
        .filter(status=Organization.Status.ACTIVE)
        .search(text)
        .select_related("institution_profile", "bureau")
        .annotate(
            fit=sum(fit, start=Value(0)),
            near=Case(
                When(bureau__path__startswith=near.path, then=2),
                When(bureau__path__startswith=province, then=1),
                default=0,
                output_field=IntegerField(),
            ),
            load=Coalesce(Subquery(load), 0),
        )
        .order_by("-fit", "-near", "load", "name", "pk")[:limit]
    )


def likely_same(bottleneck: Bottleneck, user: User, limit: int = 5) -> list[Bottleneck]:
    """Open problems of the same chain and gap that the user may see, those of the same segment first."""
    return list(
        Bottleneck.objects.visible_to(user)
        .open()
        .filter(chain=bottleneck.chain_id, nqi_gap=bottleneck.nqi_gap)
        .exclude(pk=bottleneck.pk)
        .annotate(elsewhere=Case(When(segment=bottleneck.segment_id, then=0), default=1))
        .select_related("organization")
        .order_by("elsewhere", "submitted_at", "pk")[:limit]
    )
