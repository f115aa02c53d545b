"""Who gives roles to whom, and who stands in for whom: never more than the giver holds (design decision 3).

The one rule for page, admin site and command. An officer gives the role of an officer: of its own subtree and
chain, until at most its own expiry. An administrator gives any role of its subtree until at most its own
expiry. What is held as a substitute is never passed on, and nobody gives anything to itself.
"""

from collections.abc import Callable
from copy import copy
from datetime import date
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import notices
from accounts.models import (
    BUREAU_ROLES,
    LENDABLE_ROLES,
    SEEING_ROLES,
    Grant,
    Role,
    Substitution,
    User,
)
from common import formats
from record.acting import by_whom

GIVERS = (Role.OFFICER, Role.ADMINISTRATOR)


def giving_grants(user: User) -> list[Grant]:
    """The own grants by which the user may give roles, the widest first."""
    return [grant for grant in user.grants_of(*GIVERS) if grant.principal is None]


def may_give(user: User) -> bool:
    return bool(giving_grants(user))


def roles_to_give(user: User) -> list[str]:
    """The bureau roles that the user may give."""
    held = {grant.role for grant in giving_grants(user)}
    if Role.ADMINISTRATOR in held:
        return list(BUREAU_ROLES)
    return [Role.OFFICER] if held else []


def under(user: User) -> Q:
    """The condition of the bureau grants that the user oversees: what it could have given."""
    seen = Q(pk__in=[])
    for own in giving_grants(user):
        reach = Q(bureau__path__startswith=own.bureau.path) if own.bureau else Q(pk__in=[])
        if own.role == Role.OFFICER:
            reach &= Q(role=Role.OFFICER)
        if own.chain_id:
            reach &= Q(chain=own.chain_id)
        seen |= reach
    return seen


def person_for(typed: str, may: Callable[[User], bool]) -> User | None:
    """The only account in use with this login name or e-mail address, if it ``may``.

    Both are looked at together: somebody could have chosen another's address as a login name. By an address
    that it only claims to have nobody is found, or one could register with an officer's.

    Nothing tells an account that may not from one that does not exist.
    """
    in_use = User.objects.filter(is_active=True)
    named = in_use.filter(Q(username=typed) | Q(email__iexact=typed, has_unproven_address=False))
    people = [person for person in named if may(person)]
    return people[0] if len(people) == 1 else None


def may_hold(person: User, role: str) -> bool:
    """Whether the person may be given this role beside what it holds."""
    return not Grant(user=person, role=role).clash()


def known_grants(by: User, person: User) -> QuerySet[Grant]:
    """What the person holds already, as far as the user may see it."""
    rows = Grant.objects.visible_to(by).not_over(timezone.localdate()).filter(user=person)
    return rows.select_related("bureau", "organization").order_by("pk")


def rehearse(service: Callable[[User, Any], Any], by: User, row: Any) -> None:
    """Raise what ``service(by, row)`` would raise, and leave everything as it was."""
    with transaction.atomic():
        service(by, copy(row))
        transaction.set_rollback(True)


def refuse_beyond(by: User, grant: Grant) -> None:
    """Raise ValidationError, at the field at fault, when the grant is more than the user may give."""
    if grant.user_id == by.pk:
        raise ValidationError({"user": _("不能给本人授权，请由另一名管理员办理。")})
    if by.is_superuser:
        return
    own = [held for held in giving_grants(by) if held.role in (Role.ADMINISTRATOR, grant.role)]
    if not own:
        raise ValidationError({"role": _("您只能授予自己持有的角色，或请管理员办理。")})
    unit = grant.bureau or (grant.organization and grant.organization.bureau)
    if unit:
        own = [held for held in own if held.bureau and unit.path.startswith(held.bureau.path)]
        if not own:
            field = "bureau" if grant.bureau else "organization"
            sentence = _("“%(unit)s”不在您的管理范围内，请选择本单位或下级。")
            raise ValidationError({field: sentence % {"unit": grant.bureau or grant.organization}})
    chains = [held.chain for held in own if held.chain]
    own = [held for held in own if held.chain_id in (None, grant.chain_id)]
    if not own:
        sentence = _("您的授权限于产业链“%(chain)s”，授予他人时也要限于它。")
        raise ValidationError({"chain": sentence % {"chain": formats.listed(chain.name for chain in chains)}})
    days = [held.expires_on or date.max for held in own]
    if (grant.expires_on or date.max) > max(days):
        sentence = _("不能晚于您自己的授权失效的日期 %(day)s。")
        raise ValidationError({"expires_on": sentence % {"day": formats.day(max(days))}})


def refusal_to_act_as(by: User, person: User) -> str:
    """Why the user may not do what would let it act as the person, such as setting its password.

    It may when it could itself give all that the person holds, own and lent, for as long as that lasts.
    """
    if by.is_superuser or by.pk == person.pk:
        return ""
    try:
        for grant in _held_and_lent(person):
            refuse_beyond(by, grant)
    except ValidationError:
        return _(
            "此人的授权超出您能授予的角色、范围或期限，不能由您办理；请由范围和期限都不小于此人的管理员办理。"
        )
    return ""


def _held_and_lent(person: User) -> list[Grant]:
    """The grants of a person that are not over, and as its own those with which it stands in for others."""
    today = timezone.localdate()
    rows = Grant.objects.judged("whose rights they are").not_over(today)
    rows = rows.select_related("bureau", "organization__bureau")
    grants = list(rows.filter(user=person))
    for term in person.principals.not_over(today):
        for lent in rows.filter(user=term.principal_id, role__in=LENDABLE_ROLES):
            lent.user_id = person.pk
            lent.expires_on = min(lent.expires_on or date.max, term.ends_on)
            grants.append(lent)
    return grants


@by_whom
def grant_role(by: User, grant: Grant) -> Grant:
    """Give a bureau role: store the grant, which is new.

    Raises PermissionDenied when the user gives no roles at all, ValidationError by field when this is more
    than it may give.
    """
    if not (by.is_superuser or may_give(by)):
        raise PermissionDenied(_("授权由经办人员和管理员办理。"))
    with transaction.atomic():
        # Two who give the same at once come one after the other.
        User.objects.select_for_update().get(pk=grant.user_id)
        grant.granted_by = by
        refuse_beyond(by, grant)
        same = Grant.objects.judged("who gives").filter(
            user=grant.user, role=grant.role, bureau=grant.bureau, chain=grant.chain, ended_at=None
        )
        # What ran out is over: it does not stand in the way of a new one.
        for over in same.filter(expires_on__lt=timezone.localdate()):
            over.ended_at = timezone.now()
            over.save(update_fields=["ended_at"])
        grant.full_clean()
        grant.save()
        notices.tell_of_grant(grant)
    return grant


def refusal_to_end(by: User, grant: Grant) -> str:
    """Why the user may not end the grant; empty when it may.

    An administrator ends the grants of its subtree; an officer those that it has given itself.
    """
    if by.is_superuser or (grant.bureau and by.holds_over(grant.bureau, Role.ADMINISTRATOR)):
        return ""
    if grant.granted_by_id == by.pk and may_give(by):
        return ""
    return _("这项授权由该单位或上级单位的管理员，或由授权人本人终止。")


@by_whom
def end_grant(by: User, grant: Grant) -> Grant:
    """End a grant at once; raises PermissionDenied, or ValidationError when it has ended already."""
    with transaction.atomic():
        rows = Grant.objects.judged("under the lock").select_for_update(of=("self",))
        locked = rows.select_related("bureau").get(pk=grant.pk)
        if refusal := refusal_to_end(by, locked):
            raise PermissionDenied(refusal)
        if locked.ended_at:
            raise ValidationError(_("这项授权已经终止。"))
        locked.ended_at = timezone.now()
        locked.save(update_fields=["ended_at"])
        notices.tell_of_grant_end(locked)
    return locked


# --- Substitutes ------------------------------------------------------------------------------------------


def lendable(user: User) -> list[Grant]:
    """The own grants of a user with which a substitute may act."""
    return [grant for grant in user.grants_of(*LENDABLE_ROLES) if grant.principal is None]


def may_stand_in(person: User) -> bool:
    """Whether the person itself works for a bureau; an expert does not."""
    return any(grant.principal is None for grant in person.grants_of(*SEEING_ROLES))


def may_appoint_for(by: User, principal: User) -> bool:
    """An officer names its own substitute; an administrator that of one whose work it covers altogether."""
    grants = lendable(principal)
    if by.pk == principal.pk:
        return bool(grants)
    return bool(grants) and all(
        grant.bureau and by.holds_over(grant.bureau, Role.ADMINISTRATOR) for grant in grants
    )


@by_whom
def appoint_substitute(by: User, substitution: Substitution) -> Substitution:
    """Name who acts in an officer's place, from when until when: store the substitution, which is new.

    Raises PermissionDenied, or ValidationError by field.
    """
    principal, substitute = substitution.principal, substitution.substitute
    if not may_appoint_for(by, principal):
        raise PermissionDenied(_("代理人由经办人员本人或其单位的管理员指定。"))
    if substitute.pk == principal.pk:
        raise ValidationError({"substitute": _("不能由本人代理本人。")})
    if substitute.pk == by.pk:
        raise ValidationError({"substitute": _("不能指定自己为他人的代理人，请由另一名管理员办理。")})
    if not may_stand_in(substitute):
        raise ValidationError({"substitute": _("代理人须是市场监管部门在岗人员，专家除外。")})
    with transaction.atomic():
        User.objects.select_for_update().get(pk=principal.pk)
        if substitution.starts_on < timezone.localdate():
            raise ValidationError({"starts_on": _("代理不能从过去的日期开始。")})
        if by.pk != principal.pk and not by.is_superuser:
            _refuse_to_lend_beyond(by, substitution)
        overlapping = principal.substitutes.filter(
            substitute=substitute,
            ended_at=None,
            starts_on__lte=substitution.ends_on,
            ends_on__gte=substitution.starts_on,
        )
        if known := overlapping.first():
            sentence = _("%(name)s在 %(start)s 至 %(end)s 已经代理。")
            raise ValidationError(
                {
                    "starts_on": sentence
                    % {
                        "name": substitute,
                        "start": formats.day(known.starts_on),
                        "end": formats.day(known.ends_on),
                    }
                }
            )
        substitution.full_clean()
        substitution.save()
        notices.tell_of_substitution(substitution, by)
    return substitution


def _refuse_to_lend_beyond(by: User, substitution: Substitution) -> None:
    """Raise ValidationError when somebody else's rights are lent for longer than the administrator's last."""
    own = by.grants_of(Role.ADMINISTRATOR)
    last = min(
        max(held.expires_on or date.max for held in own if held.covers(lent.bureau))  # type: ignore[arg-type]
        for lent in lendable(substitution.principal)
    )
    if substitution.ends_on > last:
        sentence = _("不能晚于您自己的授权失效的日期 %(day)s。")
        raise ValidationError({"ends_on": sentence % {"day": formats.day(last)}})


def refusal_to_end_substitution(by: User, substitution: Substitution) -> str:
    """Why the user may not end the substitution; empty for both people and their administrator."""
    both = (substitution.principal_id, substitution.substitute_id)
    if by.pk in both or may_appoint_for(by, substitution.principal):
        return ""
    return _("代理由双方本人或其单位的管理员结束。")


@by_whom
def end_substitution(by: User, substitution: Substitution) -> Substitution:
    """End a substitution at once; raises PermissionDenied, or ValidationError when it is over already."""
    with transaction.atomic():
        rows = Substitution.objects.judged("under the lock").select_for_update(of=("self",))
        locked = rows.select_related("principal").get(pk=substitution.pk)
        if refusal := refusal_to_end_substitution(by, locked):
            raise PermissionDenied(refusal)
        if locked.ended_at or locked.ends_on < timezone.localdate():
            raise ValidationError(_("这项代理已经结束。"))
        locked.ended_at = timezone.now()
        locked.save(update_fields=["ended_at"])
        notices.tell_of_substitution_end(locked, by)
    return locked
