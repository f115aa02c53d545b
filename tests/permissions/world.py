"""A small country: at every place of the bureau tree one row of everything, and one person of every kind."""

import hashlib
import itertools
import uuid
from datetime import date, timedelta
from types import SimpleNamespace
from typing import Any

from allauth.socialaccount.models import SocialAccount
from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.utils import timezone
from rest_framework.authtoken.models import TokenProxy

from accounts.models import BUREAU_ROLES, Invitation, Notice, Registration, Role, Substitution, User
from bulletins import trees
from bulletins.models import Bulletin, Excuse, Period, Series, Snapshot, StatValue, Submission
from enterprises.models import BoundaryChange, Bureau, Division, NumberSeries, Organization
from portal.permissions import APPLICANT, KINDS, Kind, Relation
from projects.models import (
    Attachment,
    Bottleneck,
    Evidence,
    Measure,
    QualityList,
    QualityMap,
    Transition,
    TwinJudgement,
)
from record.models import DayRoot, Event, Seal
from tests import factories

R = Relation
# Where the row stands that is related so to a person of this home.
PLACES: dict[str, dict[Relation, str]] = {
    "firm": {R.OWN: "firm", R.SIBLING: "neighbour", R.SUPERIOR: "city", R.FOREIGN: "far"},
    "lab": {R.OWN: "lab", R.SIBLING: "firm", R.SUPERIOR: "city", R.FOREIGN: "far"},
    "county": {R.OWN: "firm", R.SIBLING: "next county", R.SUPERIOR: "city", R.FOREIGN: "far"},
    "city": {
        R.OWN: "city",
        R.SUBORDINATE: "firm",
        R.SIBLING: "next city",
        R.SUPERIOR: "province",
        R.FOREIGN: "far",
    },
    "province": {
        R.OWN: "province",
        R.SUBORDINATE: "firm",
        R.SIBLING: "next province",
        R.SUPERIOR: "nation",
        R.FOREIGN: "far",
    },
    "nation": {R.OWN: "nation", R.SUBORDINATE: "far"},
    "nowhere": {R.FOREIGN: "far"},
}
LEVELS = ("nation", "province", "city", "county")
SPRING = date(2024, 5, 6)
_number = itertools.count(1)


class World:
    """``rows[place][name]`` is the row of this name there; ``people`` are made when first asked for."""

    def __init__(self) -> None:
        nation = factories.bureau("000000", "总局")
        province = factories.bureau("320000", "江苏", nation)
        city = factories.bureau("320500", "苏州", province)
        next_province = factories.bureau("440000", "广东", nation)
        far_city = factories.bureau("440300", "深圳", next_province)
        self.bureaus = {
            "firm": factories.bureau("320509", "吴江", city),
            "next county": factories.bureau("320505", "虎丘", city),
            "city": city,
            "next city": factories.bureau("320100", "南京", province),
            "province": province,
            "next province": next_province,
            "nation": nation,
            "far": factories.bureau("440305", "南山", far_city),
        }
        self.bureaus |= {"neighbour": self.bureaus["firm"], "lab": self.bureaus["firm"]}
        self.bureaus["county"] = self.bureaus["firm"]
        self.chain = factories.chain()
        self.published = self._period("2024", Period.Status.PUBLISHED)
        self.frozen = self._period("2025", Period.Status.FROZEN)
        self.collected = Period.objects.create(
            code="2023",
            kind=Period.Kind.YEAR,
            start_on=date(2023, 1, 1),
            end_on=date(2023, 12, 31),
            is_collected=True,
        )
        self.reference = self._reference()
        self.rows = {place: self._rows(place) for place in self.bureaus if place != "county"}
        # All at once: what a test makes is gone with it.
        self._people = {kind: self._person(kind) for kind in KINDS}

    def _period(self, code: str, status: str) -> Snapshot:
        year = int(code)
        period = Period.objects.create(
            code=code,
            kind=Period.Kind.YEAR,
            start_on=date(year, 1, 1),
            end_on=date(year, 12, 31),
            status=status,
            frozen_at=timezone.now(),
        )
        versions = [
            Snapshot.objects.create(
                period=period,
                version=version,
                definition_version="1",
                job_state=Snapshot.State.DONE,
                finished_at=timezone.now(),
            )
            for version in (1, 2)
        ]
        for snapshot in versions:
            trees.keep(snapshot)
        return versions[-1]

    def _reference(self) -> dict[str, Any]:
        """Rows that stand at no place."""
        login = {"user_agent": "", "ip_address": "10.0.0.1", "username": "x", "path_info": "/login/"}
        return {
            "admin enterprises_division": Division.objects.create(
                code="320509", name="吴江区", short_name="吴江", level=3, valid_from=SPRING
            ),
            "admin enterprises_industrychain": self.chain,
            "admin enterprises_chainsegment": self.chain.segments.first(),
            "admin enterprises_numberseries": NumberSeries.objects.create(prefix="X-1"),
            "admin bulletins_period": self.published.period,
            "admin bulletins_snapshot": self.published,
            "admin axes_accessattempt": AccessAttempt.objects.create(failures_since_start=1, **login),
            "admin axes_accesslog": AccessLog.objects.create(**login),
            "admin axes_accessfailurelog": AccessFailureLog.objects.create(**login),
            "admin record_dayroot": DayRoot.objects.create(day=SPRING, position=1, hash="0" * 64),
            "chain": self.chain,
            "period": self.frozen.period,
        }

    def _rows(self, place: str) -> dict[str, Any]:
        bureau = self.bureaus[place]
        make = factories.institution if place == "lab" else factories.organization
        firm = make(f"{place}公司", at=bureau)
        person = factories.user(Role.FILER, firm)
        officer = factories.user(Role.OFFICER, bureau)
        project = factories.project(bureau, chain=self.chain)
        region = project.region_links.create(bureau=bureau)
        goal = project.goals.create(indicator="合格率", unit="%", target=98, due_on=date(2025, 12, 31))
        consortium = factories.consortium(firm, bureau=bureau)
        key_project = factories.key_project(project, lead=firm)
        submitted = self._problem(firm, place, "submitted")
        drawing = default_storage.save("maps/x", ContentFile(b"%PDF-1.4"))
        draft_bulletin, issued = self._bulletin(bureau, "draft"), self._bulletin(bureau, "issued")
        institution = firm if place == "lab" else factories.institution(f"{place}院", at=bureau)
        rows = {
            "organization": firm,
            "institution": institution,
            "project": project,
            "consortium": consortium,
            "key_project": key_project,
            "draft": self._problem(firm, place, "draft"),
            "submitted": submitted,
            "withdrawn": self._problem(firm, place, "withdrawn"),
            "gap": self._problem(firm, place, "gap"),
            "judged": self._problem(firm, place, "judged"),
            "listed": self._problem(firm, place, "listed"),
            "dispatched": self._problem(firm, place, "dispatched"),
            "shared": self._problem(firm, place, "shared"),
            "published problem": self._problem(firm, place, "resolved"),
            "grant_end": officer.grants.get(),
            "substitute_end": Substitution.objects.create(
                principal=officer,
                substitute=factories.user(),
                starts_on=timezone.localdate(),
                ends_on=timezone.localdate() + timedelta(days=9),
            ),
            "notice": self._notice(person),
            "colleague": person,
            "invitation": Invitation.objects.create(
                organization=firm,
                email="new@example.org",
                digest=f"{next(_number):064d}",
                invited_by=person,
                expires_at=timezone.now() + timedelta(days=7),
            ),
            "registration": self._registration(factories.user(), firm),
            "event": self._event(bureau, firm),
            "attachment": self._attachment(submitted),
            "report": factories.report(firm),
            "published map": self._map(bureau, 1, status="published", is_public=True),
            "demand": factories.spec_demand(submitted, bureau=bureau),
            "instrument": factories.instrument(bureau),
            "boundary planned": self._boundary(bureau, "planned"),
            "boundary done": self._boundary(bureau, "done"),
            "list draft": self._list(place, "problems"),
            "list published": self._list(place, "instruments"),
            "quality_map": self._map(bureau, 2, file=drawing, mime="application/pdf"),
            "map unit": SimpleNamespace(code=self.chain.code, bureau=bureau.code),
            "bureau": bureau,
            "bulletin draft": draft_bulletin,
            "series": Series.objects.judged("world").get_or_create(
                bureau=bureau, period_kind="month", down_to=bureau.level
            )[0],
            "issued": issued,
            "published": self._figure(self.published, bureau),
            "frozen": self._figure(self.frozen, bureau),
            "unit": SimpleNamespace(code=self.collected.code, unit=bureau.code),
        }
        rows["opinion"] = rows["judged"].opinions.create(
            expert=factories.user(), asked_by=officer, bureau=bureau, asked_at=timezone.now()
        )
        rows["wait"] = rows["demand"].waits.get()
        rows["twins"] = TwinJudgement.objects.create(
            first=submitted,
            second=rows["shared"],
            verdict="apart",
            reason="型号不同。",
            by=officer,
            bureau=bureau,
            at=timezone.now(),
        )
        admin = {
            "bulletins_submission": self._submission(bureau, officer),
            "bulletins_excuse": Excuse.objects.get_or_create(
                bureau=bureau,
                period=self.collected,
                defaults={"reason": "洪灾停工", "given_at": timezone.now(), "given_by": officer},
            )[0],
            "projects_qualitymap": rows["published map"],
            "projects_twinjudgement": rows["twins"],
            "enterprises_bureau": bureau,
            "enterprises_boundarychange": rows["boundary done"],
            "enterprises_organization": firm,
            "enterprises_enterprise": firm,
            "enterprises_institution": institution,
            "accounts_user": person,
            "accounts_grant": person.grants.get(),
            "authtoken_tokenproxy": TokenProxy.objects.create(user=person),
            "socialaccount_socialaccount": SocialAccount.objects.create(
                user=person, provider="bureau", uid=str(person.pk)
            ),
            "projects_chainproject": project,
            "projects_projectregion": region,
            "projects_projectgoal": goal,
            "projects_participation": factories.participation(firm, project),
            "projects_consortium": consortium,
            "projects_consortiummembership": consortium.memberships.get(),
            "projects_keyproject": key_project,
            "projects_milestone": key_project.milestones.first(),
            "projects_projectresult": project.results.create(kind="patent", title="测量装置"),
            "projects_investment": key_project.investments.create(
                organization=firm, amount=10_000, booked_on=SPRING, voucher="记-1"
            ),
            "projects_beneficiary": submitted.beneficiaries.create(organization=firm, agreed_on=SPRING),
            "projects_bottleneck": submitted,
            "projects_transition": Transition.objects.create(
                bottleneck=submitted,
                sequence=1,
                at=timezone.now(),
                move="submit",
                source="draft",
                target="submitted",
                actor=person,
                handler=bureau,
            ),
            "projects_evidence": Evidence.objects.create(
                bottleneck=submitted, element="TST", title="报告", number="1", issuer="院", issued_on=SPRING
            ),
            "projects_inspectionreport": rows["report"],
            "projects_specdemand": rows["demand"],
            "projects_technicalcommittee": rows["demand"].committee,
            "projects_attachment": rows["attachment"],
            "projects_policyinstrument": rows["instrument"],
            "projects_qualitylist": rows["list published"],
            "projects_measure": Measure.objects.create(bottleneck=submitted, **factories.MEASURE),
            "bulletins_statvalue": StatValue._base_manager.bulk_create(
                [StatValue(snapshot=self.published, indicator="I01", bureau=bureau, value=1)]
            )[0],
            "bulletins_bulletin": draft_bulletin,
            "record_event": rows["event"],
            "record_seal": Seal.objects.create(
                position=next(_number), event=rows["event"], at=timezone.now(), hash="0" * 64
            ),
            "accounts_registration": rows["registration"],
            "accounts_invitation": rows["invitation"],
            "accounts_substitution": rows["substitute_end"],
        }
        rows["published problem"].follow_ups.create(
            months=3, resolved_on=timezone.localdate(), asked_on=SPRING
        )
        return self.reference | rows | {f"admin {name}": row for name, row in admin.items()}

    def _problem(self, firm: Organization, place: str, status: str) -> Bottleneck:
        """A problem of a firm; at the laboratory one that was dispatched to it, save its own draft."""
        at = self.bureaus[place]
        values = factories.filing_values(chain=self.chain)
        if status != "draft":
            values |= {"code": f"DK-2024-{at.code}-{next(_number):05d}", "submitted_at": timezone.now()}
        if status in ("listed", "dispatched", "judged", "resolved"):
            values |= {"listed_at": timezone.now(), "list_owner": at, "route": "DISP", "grade": "CITY"}
            values |= {"due_on": date(2027, 12, 31)}
        if status == "resolved":
            values |= {"accepted_at": timezone.now(), "resolved_at": timezone.now()}
            values |= {"result": "bottleneck_solved", "visibility": "public", "consent_publish": True}
        if status == "judged":
            status, values["grade"] = "verification", "PROV"
        if status == "gap":
            status, values["nqi_gap"] = "submitted", "cal_missing"
        if status == "shared":
            status = "accepted"
            values |= {"accepted_at": timezone.now(), "visibility": "government"}
        lab = firm if place == "lab" else None
        if status != "draft" and lab:
            firm = factories.organization(at=at)
        if status == "dispatched" and not lab:
            lab = factories.institution(at=at)
        assigned = {} if status == "draft" else {"assigned_to": lab}
        return Bottleneck.objects.create(
            organization=firm, bureau=at, handler=at, status=status, **values, **assigned
        )

    def _attachment(self, of: Bottleneck) -> Attachment:
        return Attachment.objects.create(
            bottleneck=of,
            file=factories.png(),
            name="照片.png",
            size=len(factories.PNG),
            mime="image/png",
            sha256=hashlib.sha256(factories.PNG).hexdigest(),
        )

    def _list(self, place: str, kind: str) -> QualityList:
        """Three places are one bureau; each has lists of a chain of its own."""
        chain = factories.chain(f"L-{place}"[:20], f"{place}链")
        sealed = {"status": "published", "published_at": timezone.now(), "digest": "0" * 64}
        approved = {"approved_by": factories.user(), "approved_at": timezone.now()}
        more = sealed | approved if kind == "instruments" else {}
        return factories.quality_list(self.bureaus[place], chain=chain, kind=kind, **more)

    def _bulletin(self, bureau: Bureau, status: str) -> Bulletin:
        number = next(_number)
        numbered = {"doc_year": 2026, "doc_seq": number, "issued_on": SPRING} if status == "issued" else {}
        return Bulletin.objects.create(
            bureau=bureau,
            period=self.frozen.period,
            snapshot=self.frozen,
            title=f"{bureau.short_name}通报",
            status=status,
            verification_code=f"V{number}",
            job_state=Bulletin.State.DONE,
            pdf=default_storage.save("bulletins/x.pdf", ContentFile(b"%PDF-1.4")),
            sha256="0" * 64,
            **numbered,
        )

    def _submission(self, bureau: Bureau, officer: User) -> Submission:
        """Three places are one bureau, which hands in once."""
        now = timezone.now()
        return Submission.objects.get_or_create(
            period=self.collected,
            bureau=bureau,
            defaults={"counted_at": now, "submitted_at": now, "submitted_by": officer},
        )[0]

    def _registration(self, of: User, firm: Organization) -> Registration:
        return Registration.objects.create(
            user=of, organization=firm, bureau=firm.bureau, name=firm.name, phone="1", key=uuid.uuid4()
        )

    def _notice(self, to: User) -> Notice:
        return Notice.objects.create(
            user=to,
            kind=Notice.Kind.ACCOUNT,
            source=str(next(_number)),
            at=timezone.now(),
            details={"what": "acceptance", "organization": ""},
        )

    def _event(self, bureau: Bureau, firm: Organization | None = None) -> Event:
        about = {"entity": "enterprises.bureau", "row": str(bureau.pk)}
        return Event.objects.create(
            at=timezone.now(),
            kind=Event.Kind.CHANGED,
            topic_entity=about["entity"],
            topic_row=about["row"],
            path=bureau.path,
            firm=firm.uscc if firm else "",
            **about,
        )

    def _boundary(self, bureau: Bureau, state: str) -> BoundaryChange:
        """A new name for a bureau, planned or carried out."""
        row = BoundaryChange.objects.create(
            kind="rename",
            effective_on=timezone.localdate(),
            document="演示〔2026〕1号",
            planned_by=factories.user(),
            state=state,
            ended_at=timezone.now() if state == "done" else None,
        )
        row.parts.create(
            side="from",
            bureau=bureau,
            name=f"新{bureau.name}",
            short_name=f"新{bureau.short_name}",
            is_open=False,
            was={
                "name": bureau.name,
                "short_name": bureau.short_name,
                "parent": bureau.parent.code if bureau.parent else "",
                "parent_name": bureau.parent.short_name if bureau.parent else "",
            },
        )
        return row

    def _map(self, bureau: Bureau, version: int, **fields: Any) -> QualityMap:
        """One for all the places of a bureau: two drafts would be one too many."""
        known = QualityMap.objects.filter(bureau=bureau, version=version).first()
        return known or factories.quality_map(self.chain, bureau, version=version, **fields)

    def _figure(self, snapshot: Snapshot, bureau: Bureau) -> SimpleNamespace:
        period = snapshot.period.code
        return SimpleNamespace(
            period=period,
            bureau=bureau.code,
            code="I01",
            version=snapshot.version,
            snapshot=f"{period}.{snapshot.version}",
            before=f"{period}.1",
            after=f"{period}.2",
        )

    # --- people ---

    def home(self, kind: Kind) -> str:
        if not kind.role:
            return "nowhere"
        if kind.level is None:
            return "lab" if kind.role == Role.INSTITUTION else "firm"
        return LEVELS[kind.level]

    def person(self, kind: Kind) -> User | None:
        return self._people[kind]

    def _person(self, kind: Kind) -> User | None:
        if kind.name == "anonymous":
            return None
        if not kind.role:
            person = factories.user(is_superuser=kind.is_superuser)
            if kind == APPLICANT:
                self._registration(person, self.rows["firm"]["organization"])
            return person
        home = self.home(kind)
        if kind.role in BUREAU_ROLES:
            return factories.user(kind.role, self.bureaus[home])
        person = factories.user()
        factories.grant(person, kind.role, self.rows[home]["organization"], is_manager=kind.manages)
        return person

    def row(self, name: str, kind: Kind, relation: Relation) -> Any:
        """The row of this name that stands in this relation to a person of this kind."""
        if name == "own notice" and (person := self.person(kind)):
            return self._notice(person)
        name = name.removeprefix("own ")
        return self.rows[PLACES[self.home(kind)][relation]][name]
