"""Policy instruments: entered and kept by officers, offered to the firms of a chain (`domain.md` 3.14)."""

from collections.abc import Collection
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import Role, User
from enterprises.models import Bureau, IndustryChain
from enterprises.standing import hold
from projects.models import Bottleneck, PolicyInstrument
from projects.services import StaleRow
from record.acting import by_whom, on_behalf


def bureaus_of(user: User) -> list[Bureau]:
    """The bureaus for which the user keeps policies."""
    return list(dict.fromkeys(grant.bureau for grant in user.grants_of(Role.OFFICER) if grant.bureau))


def may_keep(user: Any, bureau: Bureau, chains: Collection[int]) -> bool:
    """Officers of the bureau line; whoever keeps one chain only keeps policies for that one alone."""
    if not user.is_authenticated:
        return False
    return all(user.holds_over(bureau, Role.OFFICER, chain_id=chain) for chain in (*chains,) or (None,))


def chains_of(instrument: PolicyInstrument) -> list[int]:
    return list(instrument.chains.values_list("pk", flat=True))


@by_whom
def keep(instrument: PolicyInstrument, chains: Collection[IndustryChain], *, by: User) -> PolicyInstrument:
    """Enter a policy, or store what was changed of it, with the chains for which it is.

    Raises PermissionDenied, ValidationError, or StaleRow when somebody else changed it since it was read.
    """
    with transaction.atomic():
        hold(instrument, instrument.bureau)
        before: list[int] = []
        if instrument.pk:
            locked = (
                PolicyInstrument.objects.judged("under the lock").select_for_update().get(pk=instrument.pk)
            )
            before = chains_of(locked)
            _refuse_others(locked, before, by)
            if locked.version != instrument.version:
                raise StaleRow(_("这条政策刚刚有人改过，您的修改没有保存。请刷新页面，核对后再保存。"))
            if locked.voided_at:
                raise StaleRow(_("这条记录已经作废。"))
        else:
            instrument.created_by = by
        _refuse_others(instrument, [chain.pk for chain in chains], by)
        instrument.full_clean()
        # Not before: who corrects a refused entry still has the version that was read.
        instrument.version += bool(instrument.pk)
        instrument.save()
        if set(before) != {chain.pk for chain in chains}:
            instrument.chains.set(chains)
    return instrument


def _refuse_others(instrument: PolicyInstrument, chains: Collection[int], by: User) -> None:
    if not may_keep(by, instrument.bureau, chains):
        raise PermissionDenied(_("政策由维护单位或上级单位的经办人员登记和修改。"))


def withdraw(instrument: PolicyInstrument, *, by: User, reason: str) -> None:
    """Strike a policy out: it is offered to nobody any more, and stays on the lists that named it."""
    if not reason.strip():
        raise ValidationError({"reason": _("作废要写明原因。")})
    with transaction.atomic(), on_behalf(by, reason=reason.strip()):
        locked = PolicyInstrument.objects.judged("under the lock").select_for_update().get(pk=instrument.pk)
        _refuse_others(locked, chains_of(locked), by)
        if locked.voided_at:
            raise StaleRow(_("这条记录已经作废。"))
        locked.voided_at, locked.void_reason = timezone.now(), reason.strip()
        locked.version += 1
        locked.save()


def offered_for(problem: Bottleneck) -> Any:
    """What the firm of a problem could apply for today: policies of its bureau and of those above."""
    policies = PolicyInstrument.objects.judged("policies are public").counted()
    today = timezone.localdate()
    chain = problem.chain
    return policies.at_hand_in(problem.bureau).for_chain(chain).valid_on(today) if chain else policies.none()
