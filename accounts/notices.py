"""Who is told what.

A notice is written in the transaction of what it tells of: nobody hears of what did not happen, and nothing
is lost between the two. Mails are made later, of the rows that were committed (`accounts.mailing`). A notice
keeps codes and numbers; its sentence is made in the language of whoever reads it. Sentences go into mails, so
they name no other person and nothing that a problem says.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import accumulate
from typing import Any

from django.conf import settings
from django.db.models import FilteredRelation, QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _

from accounts.models import Grant, Invitation, Notice, Registration, Role, Substitution, User
from common import formats
from common.inserting import insert_for_each
from common.prepared import Prepared
from enterprises.models import Bureau

Kind = Notice.Kind
Details = Mapping[str, Any]


# --- Telling ------------------------------------------------------------------------------------------------


def tell(users: Iterable[int], kind: str, source: str, details: Details, *, mailed: bool = False) -> None:
    """Write a notice for each of the users (their keys); whoever knows of this source already hears nothing.

    ``details`` names under ``what`` the words that tell it. ``mailed``: the mail went out by another way.
    """
    now = timezone.now()
    notice = Notice(
        kind=kind, source=source, details=dict(details), at=now, mailed_at=now if mailed else None
    )
    insert_for_each(notice, "user", sorted(users), unless_there=True)


def forget() -> int:
    """Delete what was read and is older than the inbox keeps; returns of how many notices."""
    before = timezone.now() - timedelta(days=settings.NOTICE_KEEP_DAYS)
    old, number = Notice.objects.filter(at__lt=before, read_at__isnull=False).order_by(), 0
    while keys := list(old.values_list("pk", flat=True)[:5000]):
        number += Notice.objects.filter(pk__in=keys).delete()[0]
    return number


# --- Words --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Telling:
    """The sentence for a kind of event, and the page on which the reader goes on; both of its details."""

    sentence: Callable[[Details], str]
    page: Callable[[Details], str]


TELLINGS: dict[str, Telling] = {}


def say(what: str, sentence: Callable[[Details], str], page: Callable[[Details], str]) -> None:
    """How events of this name are told; every app declares its own."""
    TELLINGS[what] = Telling(sentence, page)


def sentence(notice: Notice) -> str:
    return TELLINGS[notice.details["what"]].sentence(notice.details)


def page(notice: Notice) -> str:
    """The path on which the reader goes on."""
    return TELLINGS[notice.details["what"]].page(notice.details)


# --- People -------------------------------------------------------------------------------------------------


def members(organization: int, *roles: str) -> set[int]:
    """Who acts for the organisation today in one of the roles."""
    return Desks(roles=roles, organizations=[organization]).members(organization, *roles)


@Prepared
def people_at(organizations: list[int], paths: list[str], roles: list[str], today: date) -> QuerySet:
    """Of organisations and of bureaus; with a row for each substitute, who may work no more."""
    lent = Substitution.in_force_at(today, "user__substitutes__")
    people = (
        Grant.objects.judged("to be told")
        .in_force(today)
        .filter(role__in=roles, user__is_active=True)
        .annotate(lent=FilteredRelation("user__substitutes", condition=lent))
        .order_by()
        .values_list(
            "organization_id",
            "bureau__path",
            "bureau__level",
            "role",
            "chain_id",
            "user_id",
            "lent__substitute_id",
            "lent__substitute__is_active",
        )
    )
    # In halves: to look a grant up by either of two, PostgreSQL would read all grants there are.
    acting, working = people.filter(organization__in=organizations), people.filter(bureau__path__in=paths)
    return acting.union(working, all=True)


class Desks:
    """The officers, or people of other roles, of some bureaus and of those above them, with their substitutes
    of today; and who acts today for some organisations. All are looked up at once."""

    def __init__(
        self,
        paths: Iterable[str] = (),
        roles: Collection[str] = (Role.OFFICER,),
        organizations: Collection[int] = (),
    ) -> None:
        above = {step for path in paths for step in _steps(path)}
        self.officers: dict[str, set[tuple[int, int | None, int]]] = defaultdict(set)
        self.substitutes: dict[int, set[int]] = defaultdict(set)
        self.acting: dict[tuple[int, str], set[int]] = defaultdict(set)
        for organization, path, level, role, chain, user, substitute, works in people_at(
            organizations=sorted(organizations),
            paths=sorted(above),
            roles=[str(role) for role in roles],
            today=timezone.localdate(),
        ):
            if organization:
                self.acting[organization, role].add(user)
                continue
            self.officers[path].add((level, chain, user))
            if works:
                self.substitutes[user].add(substitute)

    def members(self, organization: int, *roles: str) -> set[int]:
        """Who acts for the organisation in one of the roles."""
        return {user for role in roles for user in self.acting[organization, role]}

    def nearest(
        self,
        path: str,
        chain: int | None = None,
        *,
        without: Collection[int] = (),
        lowest: int = Bureau.Level.OUTPOST,
    ) -> set[int]:
        """The officers of the bureau, or of the nearest one above it that has any, with their substitutes.

        ``without`` are people who may not do it, ``lowest`` is the lowest level that may.
        """
        for step in reversed(_steps(path)):
            people = {
                person
                for level, limit, user in self.officers[step]
                if level <= lowest and limit in (None, chain) and user not in without
                for person in {user, *self.substitutes[user]}
            }
            if people := people.difference(without):
                return people
        return set()


def _steps(path: str) -> list[str]:
    """000000/320000/ → 000000/, 000000/320000/"""
    return list(accumulate(f"{code}/" for code in path.strip("/").split("/")))


# --- Accounts -----------------------------------------------------------------------------------------------


def tell_of_registration(registration: Registration) -> None:
    """An organisation asks to join: its bureau is to verify it."""
    bureau = registration.desk
    tell(
        Desks([bureau.path]).nearest(bureau.path),
        Kind.WAITING,
        f"registration:{registration.pk}",
        {"what": "registration", "row": registration.pk, "organization": registration.name},
    )


def tell_of_decision(registration: Registration) -> None:
    """The bureau has verified or refused it."""
    tell(
        [registration.user_id],
        Kind.ACCOUNT,
        f"decision:{registration.pk}",
        {
            "what": "decision",
            "organization": registration.name,
            "verified": registration.status == Registration.Status.VERIFIED,
        },
    )


def tell_of_acceptance(invitation: Invitation) -> None:
    """A colleague has come by the link."""
    tell(
        [invitation.invited_by_id],
        Kind.ACCOUNT,
        f"invitation:{invitation.pk}",
        {"what": "acceptance", "organization": invitation.organization.name},
    )


def tell_of_grant(grant: Grant) -> None:
    _tell_of_grant(grant, "grant", grant.expires_on)


def tell_of_grant_end(grant: Grant) -> None:
    _tell_of_grant(grant, "grant_end", None)


def _tell_of_grant(grant: Grant, what: str, until: Any) -> None:
    unit = grant.bureau or grant.organization
    details = {"what": what, "role": grant.role, "unit": unit.name if unit else "", "until": _stored(until)}
    tell([grant.user_id], Kind.ACCOUNT, f"{what}:{grant.pk}", details)


def tell_of_substitution(substitution: Substitution, by: User) -> None:
    """Both who stands in and whose place it is, save the one who said so."""
    for user, what in _both(substitution, by):
        details = {
            "what": what,
            "from": _stored(substitution.starts_on),
            "until": _stored(substitution.ends_on),
        }
        tell([user], Kind.ACCOUNT, f"substitution:{substitution.pk}", details)


def tell_of_substitution_end(substitution: Substitution, by: User) -> None:
    """It was ended before its last day."""
    for user, what in _both(substitution, by):
        tell([user], Kind.ACCOUNT, f"substitution_end:{substitution.pk}", {"what": f"{what}_end"})


def _both(substitution: Substitution, by: User) -> list[tuple[int, str]]:
    people = [(substitution.substitute_id, "substitution"), (substitution.principal_id, "principal")]
    return [(user, what) for user, what in people if user != by.pk]


def tell_of_device(user: int) -> None:
    """Somebody signed in from a new device; the mail about it goes out at once and by itself."""
    now = timezone.now()
    details = {"what": "device", "at": formats.moment(now)}
    tell([user], Kind.ACCOUNT, f"device:{now.isoformat()}", details, mailed=True)


def _stored(day: Any) -> str:
    return day.isoformat() if day else ""


def day_of(details: Details, name: str) -> str:
    """A day that was stored, as it is written."""
    return formats.day_weekday(parse_date(details[name]))


def _decision(details: Details) -> str:
    if details["verified"]:
        return _("%(organization)s的入驻申请已核实，您可以开始填报。") % details
    return _("%(organization)s的入驻申请未通过，请登录后查看理由。") % details


def _grant(details: Details) -> str:
    values = {"role": Role(details["role"]).label, "unit": details["unit"]}
    if details["until"]:
        values["day"] = day_of(details, "until")
        return _("您获得了新的授权：%(unit)s，%(role)s，有效至 %(day)s。") % values
    return _("您获得了新的授权：%(unit)s，%(role)s。") % values


def _grant_end(details: Details) -> str:
    values = {"role": Role(details["role"]).label, "unit": details["unit"]}
    return _("您的一项授权已结束：%(unit)s，%(role)s。") % values


def _days(details: Details) -> dict[str, str]:
    return {"start": day_of(details, "from"), "end": day_of(details, "until")}


def _home(_details: Details) -> str:
    return reverse("home")


def declare() -> None:
    say(
        "registration",
        lambda details: _("%(organization)s申请入驻，等您核实。") % details,
        lambda details: reverse("accounts:registration_detail", args=[details["row"]]),
    )
    say("decision", _decision, _home)
    say("acceptance", lambda details: _("您邀请的同事已加入%(organization)s。") % details, _home)
    say("grant", _grant, _home)
    say("grant_end", _grant_end, _home)
    say(
        "substitution",
        lambda details: _("您被指定为同事的代理人，从 %(start)s 到 %(end)s。") % _days(details),
        _home,
    )
    say("substitution_end", lambda _details: _("您为同事所作的代理已提前结束。"), _home)
    say(
        "principal",
        lambda details: _("已为您指定代理人，从 %(start)s 到 %(end)s。") % _days(details),
        _home,
    )
    say("principal_end", lambda _details: _("他人为您所作的代理已提前结束。"), _home)
    say(
        "device",
        lambda details: _("您的账户于 %(at)s 在一台新设备上登录；如果不是您本人，请立即修改密码。") % details,
        lambda _details: reverse("account_security"),
    )
