"""People, what they were granted, how organisations join, and what people are told."""

from accounts.models.joining import Invitation, Registration
from accounts.models.letters import Letter
from accounts.models.notices import Notice, NoticeChoice
from accounts.models.users import (
    BUREAU_ROLES,
    CHAIN_ROLES,
    FILING_ROLES,
    LENDABLE_ROLES,
    ORGANIZATION_ROLES,
    SEEING_ROLES,
    SUBSTITUTION_DAYS,
    Administrator,
    Grant,
    Role,
    Substitution,
    User,
)

__all__ = [
    "BUREAU_ROLES",
    "CHAIN_ROLES",
    "FILING_ROLES",
    "LENDABLE_ROLES",
    "ORGANIZATION_ROLES",
    "SEEING_ROLES",
    "SUBSTITUTION_DAYS",
    "Administrator",
    "Grant",
    "Invitation",
    "Letter",
    "Notice",
    "NoticeChoice",
    "Registration",
    "Role",
    "Substitution",
    "User",
]
