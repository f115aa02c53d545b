"""What is recorded of changes to projects, consortia, key projects and problems.

Steps of a problem (`Transition`) or of a demand (`SpecStep`) are appended with the change of its row, whose
event says the same; an alarm (`EvidenceAlarm`) with the change of the evidence.
"""

from projects.models import (
    Attachment,
    Beneficiary,
    Bottleneck,
    BottleneckContact,
    ChainProject,
    Consortium,
    ConsortiumMembership,
    Evidence,
    ExpertOpinion,
    FollowUp,
    InspectionReport,
    Investment,
    KeyProject,
    ListedRow,
    Measure,
    Milestone,
    Participation,
    PolicyInstrument,
    ProjectGoal,
    ProjectRegion,
    ProjectResult,
    QualityList,
    QualityMap,
    SpecDemand,
    SpecWait,
    TechnicalCommittee,
    TwinJudgement,
)
from record.recording import watch

# When and by whom a row was made and stored says the event itself; the revision counts the events.
LEDGER = ["created_at", "created_by", "updated_at", "version"]
# A draft is the firm's own until it is filed.
DRAFT = Bottleneck.Status.DRAFT


def declare() -> None:
    watch(
        Bottleneck,
        path=["bureau__path"],
        firm=["organization__uscc"],
        ignored=[*LEDGER, "public_id", "status_changed_at", "clock_started_on", "clock_amber_on"],
        veiled=("status", DRAFT),
    )
    for part in (BottleneckContact, Measure, Evidence, Attachment, FollowUp, ExpertOpinion):
        watch(
            part,
            topic="bottleneck",
            path=["bottleneck__bureau__path"],
            firm=["bottleneck__organization__uscc"],
            hidden=["name", "phone"] if part is BottleneckContact else [],
            ignored=["public_id", "uploaded_at", "uploaded_by"] if part is Attachment else [],
            veiled=("bottleneck__status", DRAFT),
        )
    watch(
        InspectionReport,
        path=["institution__bureau__path"],
        firm=["institution__uscc"],
        ignored=["public_id", "lodged_at", "lodged_by"],
    )
    # What was drawn stands in the row, which is frozen when it is published.
    watch(QualityMap, path=["bureau__path"], ignored=["public_id", "nodes"])
    watch(ChainProject, path=["bureau__path"], ignored=LEDGER)
    watch(Consortium, path=["bureau__path"], firm=["lead__uscc"], ignored=LEDGER)
    watch(KeyProject, path=["project__bureau__path"], firm=["lead__uscc"], ignored=LEDGER)
    watch(ProjectGoal, topic="project", path=["project__bureau__path"])
    watch(ProjectRegion, topic="project", path=["project__bureau__path"])
    watch(ProjectResult, topic="project", path=["project__bureau__path"])
    watch(Participation, topic="project", path=["bureau__path"], firm=["organization__uscc"])
    watch(
        ConsortiumMembership,
        topic="consortium",
        path=["consortium__bureau__path"],
        firm=["organization__uscc"],
    )
    watch(Milestone, topic="key_project", path=["key_project__project__bureau__path"])
    watch(PolicyInstrument, path=["bureau__path"], ignored=[*LEDGER, "public_id"])
    watch(QualityList, path=["bureau__path"], ignored=["public_id", "revision"])
    watch(ListedRow, topic="quality_list", path=["quality_list__bureau__path"])
    watch(
        Investment,
        topic="key_project",
        path=["key_project__project__bureau__path"],
        firm=["organization__uscc"],
    )
    watch(
        Beneficiary,
        topic="bottleneck",
        path=["bottleneck__bureau__path"],
        firm=["bottleneck__organization__uscc"],
    )
    watch(
        TwinJudgement,
        topic="first",
        path=["first__bureau__path"],
        firm=["first__organization__uscc"],
        ignored=["marked", "at", "undone_at"],
    )
    watch(TechnicalCommittee, hidden=["contact_email"])
    watch(SpecDemand, path=["bureau__path"], ignored=["created_at", "version", "status_changed_at"])
    watch(
        SpecWait,
        topic="demand",
        path=["demand__bureau__path"],
        firm=["bottleneck__organization__uscc"],
    )
