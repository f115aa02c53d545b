"""What people are told at once about their own account."""

from allauth.account.adapter import get_adapter
from django.http import HttpRequest

from accounts import notices
from accounts.models import User


def tell_of_device(request: HttpRequest, user: User) -> None:
    """Somebody has signed in from a browser in which the person never did."""
    notices.tell_of_device(user.pk)
    get_adapter().send_notification_mail("account/email/new_device", user)
