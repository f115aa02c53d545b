from projects.models.base import LedgerRow
from projects.models.bottlenecks import (
    Attachment,
    Bottleneck,
    BottleneckContact,
    Evidence,
    Measure,
    Transition,
)
from projects.models.consortia import Consortium, ConsortiumMembership
from projects.models.followups import FollowUp
from projects.models.keyprojects import KeyProject, Milestone
from projects.models.lists import ListedRow, PolicyInstrument, QualityList
from projects.models.maps import QualityMap
from projects.models.opinions import EvidenceAlarm, ExpertOpinion
from projects.models.outcomes import Beneficiary, Investment, ProjectResult
from projects.models.projects import ChainProject, Participation, ProjectGoal, ProjectRegion
from projects.models.reports import InspectionReport
from projects.models.specs import SpecDemand, SpecKind, SpecStep, SpecWait, TechnicalCommittee
from projects.models.twins import FreshGrams, Gram, GramCount, TwinJudgement

__all__ = [
    "Attachment",
    "Beneficiary",
    "Bottleneck",
    "BottleneckContact",
    "ChainProject",
    "Consortium",
    "ConsortiumMembership",
    "Evidence",
    "EvidenceAlarm",
    "ExpertOpinion",
    "FollowUp",
    "FreshGrams",
    "Gram",
    "GramCount",
    "InspectionReport",
    "Investment",
    "KeyProject",
    "LedgerRow",
    "ListedRow",
    "Measure",
    "Milestone",
    "Participation",
    "PolicyInstrument",
    "ProjectGoal",
    "ProjectRegion",
    "ProjectResult",
    "QualityList",
    "QualityMap",
    "SpecDemand",
    "SpecKind",
    "SpecStep",
    "SpecWait",
    "TechnicalCommittee",
    "Transition",
    "TwinJudgement",
]
