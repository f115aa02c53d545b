"""Who is told that a bulletin is out."""

from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import Grant, Notice, Role
from accounts.notices import Details, say, tell
from bulletins.models import Bulletin

READERS = (Role.OFFICER, Role.STATISTICIAN)


def tell_of_issue(bulletin: Bulletin) -> None:
    """Officers and statisticians of the unit and of those right below it, to which it is addressed
    (`domain.md` 6.2); never who issued it. Whoever stands further down hears from its own superior.
    """
    grants = Grant.objects.judged("to be told").in_force(timezone.localdate())
    readers = grants.filter(
        Q(bureau=bulletin.bureau) | Q(bureau__parent=bulletin.bureau),
        role__in=READERS,
        user__is_active=True,
    )
    tell(
        set(readers.values_list("user_id", flat=True)) - {bulletin.issued_by_id},
        Notice.Kind.BULLETIN,
        f"bulletin:{bulletin.pk}",
        {
            "what": "bulletin",
            "row": str(bulletin.public_id),
            "number": bulletin.number,
            "title": bulletin.title,
            "unit": bulletin.bureau.name,
        },
    )


def _page(details: Details) -> str:
    return reverse("bulletins:bulletin_detail", args=[details["row"]])


def declare() -> None:
    say("bulletin", lambda details: _("%(unit)s印发%(number)s：%(title)s。") % details, _page)
