"""What is recorded of changes to bureaus, chains and organisations."""

from enterprises.models import (
    BoundaryChange,
    BoundaryPart,
    Bureau,
    ChainSegment,
    Division,
    IndustryChain,
    InstitutionProfile,
    Organization,
    OrganizationContact,
)
from record import names
from record.recording import watch


def declare() -> None:
    names.offices(Bureau, "code", "name")
    names.offices(Organization, "uscc", "name")
    watch(Division)
    # Paths follow from parents and codes.
    watch(Bureau, path=["path"], ignored=["path", "standing"])
    watch(BoundaryChange, ignored=["planned_at", "moved", "summary"])
    watch(BoundaryPart, topic="change", path=["bureau__path"], ignored=["is_open", "was"])
    watch(IndustryChain, path=["bureau__path"])
    watch(ChainSegment, topic="chain", path=["chain__bureau__path"])
    watch(
        Organization,
        path=["bureau__path"],
        firm=["uscc"],
        hidden=["legal_rep"],
        ignored=["created_at", "updated_at"],
    )
    for part, personal in (
        (OrganizationContact, ["contact_name", "contact_phone", "contact_email", "cqo_name", "cqo_phone"]),
        (InstitutionProfile, []),
    ):
        watch(
            part,
            topic="organization",
            path=["organization__bureau__path"],
            firm=["organization__uscc"],
            hidden=personal,
        )
