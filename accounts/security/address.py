"""Changing the own e-mail address: a link sent to the new one proves it, and the old one is told.

Several accounts may have one address, so there is nothing to tell of who has it.
"""

from allauth.account.adapter import get_adapter
from django.conf import settings
from django.core import signing
from django.db import transaction
from django.urls import reverse
from django.utils.crypto import salted_hmac

from accounts.models import User
from accounts.security.sealing import seal, unseal
from common.privacy import mask_email

SALT = "accounts.address"
LIFETIME = 24 * 3600


def ask(user: User, address: str) -> None:
    """Send the link; until it is used nothing changes."""
    # The address itself belongs into no log of addresses that were opened.
    token = signing.dumps([user.pk, _mark(user), seal(address, "address")], salt=SALT)
    link = settings.PUBLIC_URL + reverse("email_confirm", args=[token])
    # Whose account it is stays untold: the address may have been mistyped.
    said = {"user": None, "link": link}
    get_adapter().send_notification_mail("account/email/address_confirm", user, said, email=address)


def asked_for(user: User, token: str) -> str:
    """The address that the link of this user proves; empty when it is another's, was used or is too old."""
    try:
        key, mark, sealed = signing.loads(token, salt=SALT, max_age=LIFETIME)
    except (signing.BadSignature, ValueError):
        return ""
    return unseal(sealed, "address") if (key, mark) == (user.pk, _mark(user)) else ""


def change(user: User, token: str) -> bool:
    """Set the address that the link proves; False when there is none any more."""
    with transaction.atomic():
        locked = User.objects.select_for_update().get(pk=user.pk)
        address = asked_for(locked, token)
        if not address:
            return False
        old, locked.email, locked.has_unproven_address = locked.email, address, False
        locked.save(update_fields=["email", "has_unproven_address"])
        if old:
            said = {"address": mask_email(address)}
            get_adapter().send_notification_mail("account/email/address_changed", locked, said, email=old)
    return True


def _mark(user: User) -> str:
    """A link is void once the address or the password has changed."""
    return salted_hmac(SALT, f"{user.password}:{user.email}", algorithm="sha256").hexdigest()
