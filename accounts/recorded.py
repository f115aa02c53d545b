"""What is recorded of changes to people, their grants, and how organisations join."""

from accounts.models import Grant, Invitation, Registration, Substitution, User
from record.recording import watch


def declare() -> None:
    watch(
        User,
        hidden=["username", "name", "email", "password"],
        ignored=["last_login", "date_joined"],
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
        ignored=["created_at"],
        nameless=True,
    )
    watch(
        Invitation,
        topic="organization",
        path=["organization__bureau__path"],
        firm=["organization__uscc"],
        hidden=["email"],
        ignored=["created_at", "digest"],
        nameless=True,
    )
