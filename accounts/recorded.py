"""What is recorded of changes to people, their grants, and how organisations join."""

from typing import Any

from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.db.models.signals import ModelSignal, post_save, pre_delete
from django.utils.translation import gettext_lazy as _
from rest_framework.authtoken.models import Token, TokenProxy

from accounts.models import Grant, Invitation, Registration, Substitution, User
from record import services
from record.models import Event
from record.recording import store, watch


def declare() -> None:
    watch(
        User,
        hidden=["username", "name", "email", "password"],
        ignored=["last_login", "date_joined", "has_old_name", "has_unproven_address"],
        nameless=True,
    )
    watch(
        Grant,
        topic="user",
        path=["bureau__path", "organization__bureau__path"],
        firm=["organization__uscc"],
    )
    watch(Substitution, topic="principal", nameless=True)
    watch(
        Registration,
        topic="organization",
        path=["bureau__path"],
        firm=["organization__uscc"],
        hidden=["phone"],
        ignored=["created_at", "key"],
        nameless=True,
    )
    watch(
        Invitation,
        topic="organization",
        path=["organization__bureau__path"],
        firm=["organization__uscc"],
        hidden=["email"],
        ignored=["created_at", "digest", "sent_at"],
        nameless=True,
    )
    watch(
        Authenticator,
        topic="user",
        ignored=["type", "data", "created_at", "last_used_at"],
        nameless=True,
        called=_("两步验证"),
    )
    watch(
        SocialAccount,
        topic="user",
        hidden=["uid"],
        ignored=["extra_data", "date_joined", "last_login"],
        nameless=True,
        called=_("统一身份关联"),
    )
    # Not watched: the key of the row is the secret itself.
    for kind in (Token, TokenProxy):
        post_save.connect(_on_token, sender=kind, dispatch_uid=f"record {kind.__name__}")
    pre_delete.connect(_on_token, sender=Token, dispatch_uid="record withdrawn token")
    user_logged_in.connect(_on_sign_in, dispatch_uid="record")
    user_logged_out.connect(_on_sign_out, dispatch_uid="record")


def _on_sign_in(user: User, **kwargs: Any) -> None:
    services.signed(Event.Kind.SIGNED_IN, user)


def _on_sign_out(user: User | None, **kwargs: Any) -> None:
    if user:
        services.signed(Event.Kind.SIGNED_OUT, user)


def _on_token(instance: Token, signal: ModelSignal, **kwargs: Any) -> None:
    """A token for programs was given out or withdrawn; told on the page of its user."""
    user = str(instance.user_id)
    store(
        Event.Kind.DELETED if signal is pre_delete else Event.Kind.CREATED,
        entity=Token._meta.label_lower,
        row=user,
        label="",
        topic_entity=User._meta.label_lower,
        topic_row=user,
        firm="",
        before={},
        after={},
    )
