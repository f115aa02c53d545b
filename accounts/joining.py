"""How people come to act for an organisation: they ask and a bureau verifies, or a colleague invites them."""

import hashlib
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from uuid import UUID

from django.core.exceptions import PermissionDenied, ValidationError
from django.core.mail import EmailMessage
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts import mailing, notices, tasks
from accounts.models import Grant, Invitation, Letter, Registration, Role, User
from accounts.models.users import GrantQuerySet
from common import formats
from common.jobs import ring
from enterprises.models import Bureau, Division, InstitutionProfile, Organization, OrganizationContact
from record.acting import by_whom, on_behalf

INVITATION_LIFETIME = timedelta(days=7)
# What a manager may pass on, by the role that the manager holds for the organisation itself.
PASSED_ON = {
    Role.FILER: (Role.FILER,),
    Role.COORDINATOR: (Role.COORDINATOR, Role.FILER),
    Role.SECRETARY: (Role.SECRETARY,),
    Role.INSTITUTION: (Role.INSTITUTION,),
}


class DecidedAlready(Exception):
    """Somebody else was faster; the message says who and when."""


# --- Asking ------------------------------------------------------------------------------------------------


@dataclass
class Application:
    """What somebody says who wants to act for an organisation.

    ``account`` (user name, password as stored, name, e-mail) opens an account; None for a user who has one.
    """

    key: UUID
    uscc: str
    role: str
    phone: str
    name: str = ""
    legal_form: str = Organization.LegalForm.ENTERPRISE
    division: Division | None = None
    bureau: Bureau | None = None
    abilities: Mapping[str, object] = field(default_factory=dict)
    account: Mapping[str, str] | None = None


def in_ledger(uscc: str) -> Organization | None:
    """The organisation with this credit code, unless it is one that itself waits to be verified."""
    return (
        Organization.objects.verified().judged("in_ledger").select_related("bureau").filter(uscc=uscc).first()
    )


def proposed_bureau(division: Division) -> Bureau | None:
    """The bureau of the division, or of the nearest one above it that has a bureau."""
    above: Division | None = division
    while above is not None:
        if bureau := above.bureaus.order_by("level", "code").first():
            return bureau.heir
        above = above.parent
    return None


def place_of(division: Division) -> str:
    """What lies above the division, in words: 江苏省 苏州市."""
    above, names = division.parent, []
    while above is not None and above.level > Division.Level.NATION:
        names.append(above.name)
        above = above.parent
    return " ".join(reversed(names))


def apply(application: Application, user: User | None = None) -> Registration:
    """Open the account, if one is asked for, and lay the application before the bureau.

    The same application twice is one. A known organisation is claimed, whatever is said of it; of an unknown
    one a row is kept that nobody sees until the bureau has verified it. Raises ValidationError, under
    "username" when the user name cannot be had.
    """
    same = Registration.objects.judged("the applicant").filter(key=application.key)
    try:
        with transaction.atomic():
            if known := same.first():
                return known
            if user is None:
                user = _open_account(application.account or {}, has_unproven_address=True)
            with on_behalf(user):
                return _register(application, user)
    except ValidationError:
        if known := same.first():  # the first of two clicks has just been served
            return known
        raise


def _open_account(account: Mapping[str, str], *, has_unproven_address: bool) -> User:
    user = User(**account, has_unproven_address=has_unproven_address)
    try:
        user.full_clean()
        with transaction.atomic():
            user.save()
    except (ValidationError, IntegrityError) as fault:
        others = {**getattr(fault, "error_dict", {})}
        others.pop("username", None)
        # Taken and not allowed sound alike.
        errors = others or {"username": _("这个用户名不能使用，请换一个。")}
        raise ValidationError(errors) from fault
    return user


def _register(application: Application, user: User) -> Registration:
    said = {
        # What applicants say stands with their applications, where the next who asks does not see it.
        "name": application.uscc,
        "legal_form": application.legal_form,
        "registered_division": application.division,
        "bureau": application.bureau,
        "status": Organization.Status.APPLYING,
    }
    if not Organization.objects.judged("apply").filter(uscc=application.uscc).exists():
        Organization(uscc=application.uscc, **said).full_clean()
    organization, _created = (
        Organization.objects.judged("joining")
        .select_for_update()
        .get_or_create(uscc=application.uscc, defaults=said)
    )
    is_claim = organization.status != Organization.Status.APPLYING
    if organization.pk in user.scope.organization_ids:
        raise ValidationError(_("您已经是该组织的用户，不需要再申请。"))
    registration = Registration(
        key=application.key,
        user=user,
        organization=organization,
        role=application.role,
        bureau=organization.bureau if is_claim else application.bureau,
        phone=application.phone,
        name=application.name or organization.name,
        legal_form=application.legal_form,
        division=application.division,
        **application.abilities,
    )
    registration.full_clean()
    registration.save()
    notices.tell_of_registration(registration)
    return registration


def applications_to_file(user: User) -> QuerySet[Registration]:
    """What the user has asked for and no bureau has decided, of firms for which it would file."""
    return (
        Registration.objects.judged("the applicant")
        .pending()
        .filter(user=user, role=Role.FILER)
        .select_related("organization__bureau", "bureau")
    )


def registrations_of(user: User) -> list[Registration]:
    """What the user has asked for and does not hold: its last application for each organisation."""
    if user.scope.is_of_bureau:
        return []
    rows = user.registrations.select_related("organization__bureau", "bureau")
    last = {row.organization_id: row for row in rows}
    return [row for row in last.values() if row.status != Registration.Status.VERIFIED]


def why_not_yet(user_id: int | None, organization_id: int) -> str:
    """Why somebody who has asked to act for the organisation may not act for it so far."""
    last = (
        Registration.objects.judged("the applicant")
        .filter(user=user_id, organization=organization_id)
        .select_related("organization__bureau", "bureau")
        .last()
    )
    if last is None or last.status == Registration.Status.REFUSED:
        return _("您的入驻申请未通过核实，不能提交。可以重新申请。")
    return _("%(bureau)s核实您的入驻申请后才能提交，最迟 %(day)s 前办理。") % {
        "bureau": last.desk,
        "day": formats.day(last.due_on),
    }


def waiting_for(user: User) -> int | None:
    """How many applications wait in the scope of the user; None instead of none."""
    return Registration.objects.visible_to(user).pending().count() or None


# --- Deciding ----------------------------------------------------------------------------------------------


def refusal_to_decide(registration: Registration, by: User) -> str:
    """Why this user may not decide the application; empty when it may."""
    if registration.user_id == by.pk:
        return _("不能核实本人的申请。")
    if not by.holds_over(registration.desk, Role.OFFICER):
        return _("入驻申请由%(bureau)s的经办人员核实。") % {"bureau": registration.desk}
    return ""


def refusal_to_verify(registration: Registration) -> str:
    """Why nobody can verify the application, which can be turned down; empty when it can be verified.

    The applicant may have come to a bureau meanwhile, also one who holds both from before that was ruled out.
    """
    if Grant(user=registration.user, role=registration.role).clash():
        return _("申请人现在担任市场监管部门的角色，不能同时代表企业或机构，不能核实通过。")
    return ""


@by_whom
def verify(registration: Registration, *, by: User) -> Grant:
    """Let the applicant act for the organisation; the first who may becomes its manager.

    Raises PermissionDenied, DecidedAlready, or ValidationError when what was said cannot stand.
    """
    with transaction.atomic():
        locked = _locked(registration, by)
        if refusal := refusal_to_verify(locked):
            raise PermissionDenied(refusal)
        organization = locked.organization
        if not locked.is_claim:
            _enter_in_ledger(locked)
        if locked.role == Role.INSTITUTION and not hasattr(organization, "institution_profile"):
            profile = InstitutionProfile(
                organization=organization,
                kinds=locked.kinds,
                nqi_elements=locked.nqi_elements,
                cma_no=locked.cma_no,
            )
            profile.full_clean()
            profile.save()
        grant = _grant(organization, locked.user, locked.role, by=by, first=True)
        _decide(locked, Registration.Status.VERIFIED, by)
    registration.refresh_from_db()
    return grant


@by_whom
def refuse(registration: Registration, *, by: User, reason: str) -> None:
    """Turn the application down, saying why; the applicant may ask again. Raises as `verify`."""
    if not reason.strip():
        raise ValidationError({"reason": _("不予通过要写明理由，申请人会看到。")})
    with transaction.atomic(), on_behalf(by, reason=reason.strip()):
        locked = _locked(registration, by)
        locked.reason = reason.strip()
        _decide(locked, Registration.Status.REFUSED, by)
    registration.refresh_from_db()


def _locked(registration: Registration, by: User) -> Registration:
    """The application and its organisation, locked in this order by everybody; judged under the lock."""
    Organization.objects.judged("joining").select_for_update().only("pk").get(pk=registration.organization_id)
    to_judge = Registration.objects.judged("under the lock")
    to_judge.select_for_update().only("pk").get(pk=registration.pk)
    locked = to_judge.select_related("organization__bureau", "bureau", "user", "decided_by").get(
        pk=registration.pk
    )
    if locked.status != Registration.Status.PENDING:
        raise DecidedAlready(
            _("%(who)s已于 %(when)s 办理：%(what)s。您的操作没有执行。")
            % {
                "who": locked.decided_by or locked.desk,
                "when": formats.moment(locked.decided_at),
                "what": locked.get_status_display(),
            }
        )
    if refusal := refusal_to_decide(locked, by):
        raise PermissionDenied(refusal)
    return locked


def _decide(locked: Registration, status: str, by: User) -> None:
    locked.status, locked.decided_by, locked.decided_at = status, by, timezone.now()
    locked.full_clean()
    locked.save()
    notices.tell_of_decision(locked)


def _enter_in_ledger(registration: Registration) -> None:
    """What the verified applicant said becomes the organisation's, whoever asked first."""
    organization = registration.organization
    organization.name = registration.name
    organization.legal_form = registration.legal_form
    organization.registered_division = registration.division
    organization.bureau = registration.bureau
    organization.status = Organization.Status.ACTIVE
    organization.full_clean()
    organization.save()
    OrganizationContact.objects.get_or_create(
        organization=organization,
        defaults={
            "contact_name": registration.user.name,
            "contact_phone": registration.phone,
            "contact_email": registration.user.email,
        },
    )


def _grant(
    organization: Organization,
    user: User,
    role: str,
    *,
    by: User,
    first: bool = False,
    until: date | None = None,
) -> Grant:
    """The grant in force, a new one if need be; drafts that the user has prepared become ordinary ones."""
    # Whoever gives this person a bureau role at the same time comes before or after.
    User.objects.select_for_update().get(pk=user.pk)
    if clash := Grant(user=user, role=role).clash():
        raise ValidationError(clash)
    same = Grant.objects.judged("joining").filter(user=user, organization=organization, role=role)
    grant = same.in_force(timezone.localdate()).first()
    if grant is None:
        # What ran out, or would begin later, gives its place to the new one.
        for over in same.filter(ended_at=None):
            over.ended_at = timezone.now()
            over.save()
        grant = Grant(
            user=user,
            organization=organization,
            role=role,
            is_manager=first and not managers(organization).exists(),
            expires_on=until,
            granted_by=by,
        )
        grant.full_clean()
        grant.save()
    for draft in organization.bottlenecks.judged("joining").filter(is_provisional=True, filer=user):
        draft.is_provisional = False
        draft.bureau = draft.handler = organization.bureau
        draft.save()
    return grant


def warnings_about(registration: Registration) -> list[str]:
    """What the officer should look at before verifying."""
    organization, sentences = registration.organization, []
    others = (
        organization.registrations.judged("warnings_about")
        .pending()
        .exclude(user=registration.user_id)
        .count()
    )
    if others:
        words = ngettext(
            "同一信用代码另有 %(n)d 人申请，请核实谁能代表该组织。",
            "同一信用代码另有 %(n)d 人申请，请核实谁能代表该组织。",
            others,
        )
        sentences.append(words % {"n": others})
    if registration.is_claim:
        if organization.name != registration.name:
            sentences.append(
                _("申请填写的名称与台账不同：台账中是“%(name)s”。") % {"name": organization.name}
            )
        if organization.status != Organization.Status.ACTIVE:
            sentences.append(_("该组织的登记状态是“%s”。") % organization.get_status_display())
        people = formats.listed(dict.fromkeys(str(grant.user) for grant in managers(organization)))
        if people:
            sentences.append(_("该组织已有管理员%(people)s，可以请管理员邀请同事。") % {"people": people})
    namesakes = (
        Organization.objects.verified()
        .judged("warnings_about")
        .filter(name=registration.name)
        .exclude(pk=organization.pk)
    )
    codes = formats.listed(namesakes.values_list("uscc", flat=True)[:3])
    if codes:
        sentences.append(_("台账中有同名组织，信用代码 %(codes)s，请核对营业执照。") % {"codes": codes})
    return sentences


# --- Colleagues --------------------------------------------------------------------------------------------


def managers(organization: Organization) -> GrantQuerySet:
    """Today's grants of those who may invite and remove colleagues."""
    return (
        Grant.objects.judged("joining")
        .in_force(timezone.localdate())
        .filter(organization=organization, is_manager=True, user__is_active=True)
    )


def managing(user: User, organization_id: int) -> list[Grant]:
    """The grants by which the user manages the organisation."""
    return [
        grant
        for grant in user.grants_in_force
        if grant.is_manager and grant.organization_id == organization_id
    ]


def roles_to_pass_on(user: User, organization_id: int) -> list[str]:
    """The roles for which the user may invite: nobody gives what it does not hold."""
    return [role for role in PASSED_ON if passing_on(user, organization_id, role)]


def passing_on(user: User, organization_id: int, role: str) -> list[Grant]:
    """The grants by which the user manages the organisation and may pass the role on."""
    return [grant for grant in managing(user, organization_id) if role in PASSED_ON[Role(grant.role)]]


def _managed(organization: Organization, by: User) -> Organization:
    """The organisation, locked; raises PermissionDenied for whoever does not manage it."""
    locked = Organization.objects.judged("joining").select_for_update().get(pk=organization.pk)
    by.__dict__.pop("grants_in_force", None)  # as they are under the lock
    if not managing(by, organization.pk):
        raise PermissionDenied(_("同事由本组织的管理员邀请和移出。"))
    return locked


# Makes the address of a link out of its secret.
Link = Callable[[str], str]


@by_whom
def invite(organization: Organization, *, by: User, email: str, role: str, link: Link) -> Invitation:
    """Send a colleague a link that makes it one of the organisation's people."""
    with transaction.atomic():
        _managed(organization, by)
        if role not in roles_to_pass_on(by, organization.pk):
            raise PermissionDenied(_("只能邀请同事担任您自己的角色。"))
        secret, digest = _new_secret()
        invitation = Invitation(
            organization=organization,
            role=role,
            email=email.strip().lower(),
            digest=digest,
            invited_by=by,
            expires_at=timezone.now() + INVITATION_LIFETIME,
        )
        invitation.full_clean()
        invitation.save()
        _post(invitation, link(secret))
    return invitation


@by_whom
def resend(invitation: Invitation, *, by: User, link: Link) -> None:
    """Send a new link for another seven days; the one before is void."""
    with transaction.atomic():
        locked = _open_invitation(invitation, by)
        secret, locked.digest = _new_secret()
        locked.invited_by = by
        locked.expires_at, locked.sent_at = timezone.now() + INVITATION_LIFETIME, None
        if locked.role not in roles_to_pass_on(by, locked.organization_id):
            raise PermissionDenied(_("只能邀请同事担任您自己的角色。"))
        locked.save()
        _call_back(locked)
        _post(locked, link(secret))
    invitation.refresh_from_db()


@by_whom
def withdraw(invitation: Invitation, *, by: User) -> None:
    with transaction.atomic():
        _withdraw(_open_invitation(invitation, by))
    invitation.refresh_from_db()


def _withdraw(locked: Invitation) -> None:
    locked.withdrawn_at = timezone.now()
    locked.save()
    _call_back(locked)


def _open_invitation(invitation: Invitation, by: User) -> Invitation:
    _managed(invitation.organization, by)
    locked = Invitation.objects.select_for_update().get(pk=invitation.pk)
    if locked.accepted_at or locked.withdrawn_at:
        raise DecidedAlready(_("这份邀请已被接受。") if locked.accepted_at else _("这份邀请已经撤回。"))
    return locked


def _new_secret() -> tuple[str, str]:
    secret = secrets.token_urlsafe(32)
    return secret, digest_of(secret)


def digest_of(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _post(invitation: Invitation, address: str) -> None:
    """Mail the link, as all mails about accounts; the invitation learns from it when it was sent."""
    subject = _("%(who)s邀请您加入%(organization)s") % {
        "who": invitation.invited_by,
        "organization": invitation.organization,
    }
    body = render_to_string("accounts/joining/invitation.txt", {"invitation": invitation, "address": address})
    letter = mailing.post(EmailMessage(subject, body, to=[invitation.email]), invitation)
    ring(tasks.send_letter, letter.pk)


def _call_back(invitation: Invitation) -> None:
    """The mail that waits with a link that is void now is not sent."""
    Letter.objects.filter(invitation=invitation).delete()


def invited_by(secret: str) -> Invitation | None:
    """The invitation to which the secret of a link belongs, open or not."""
    return (
        Invitation.objects.select_related("organization__bureau", "invited_by")
        .filter(digest=digest_of(secret))
        .first()
    )


def why_closed(invitation: Invitation) -> str:
    """Why the link can no longer be used; empty while it can."""
    if invitation.accepted_at:
        return _("这个邀请链接已经用过。")
    if invitation.withdrawn_at:
        return _("这份邀请已经撤回。")
    if not invitation.is_open(timezone.now()):
        return _("这个邀请链接已过期，请邀请人重新发送。")
    if invitation.role not in roles_to_pass_on(invitation.invited_by, invitation.organization_id):
        return _("邀请人已不再管理该组织，请该组织的管理员重新邀请。")
    return ""


def accept(
    invitation: Invitation, *, user: User | None = None, account: Mapping[str, str] | None = None
) -> User:
    """Make the user, or who opens an account with the link, one of the organisation's people; returns it.

    Raises DecidedAlready when the link cannot be used any more, ValidationError as `apply` does.
    """
    with transaction.atomic():
        organization = (
            Organization.objects.judged("joining").select_for_update().get(pk=invitation.organization_id)
        )
        locked = Invitation.objects.select_for_update().get(pk=invitation.pk)
        if closed := why_closed(locked):
            raise DecidedAlready(closed)
        if user is not None and user.pk == locked.invited_by_id:
            raise ValidationError(_("这是您发出的邀请，请转给同事。"))
        if user is None:
            said = {**(account or {}), "email": locked.email}
            user = _open_account(said, has_unproven_address=False)
        # No longer than the grants that give it.
        giving = passing_on(locked.invited_by, organization.pk, locked.role)
        ends = [grant.expires_on or date.max for grant in giving]
        with on_behalf(user):
            _grant(
                organization,
                user,
                locked.role,
                by=locked.invited_by,
                until=None if max(ends) == date.max else max(ends),
            )
            locked.accepted_at, locked.accepted_by = timezone.now(), user
            locked.full_clean()
            locked.save()
            notices.tell_of_acceptance(locked)
    return user


def people_of(organization: Organization) -> GrantQuerySet:
    """Today's grants of everybody who acts for the organisation."""
    return (
        Grant.objects.judged("joining")
        .in_force(timezone.localdate())
        .filter(organization=organization)
        .select_related("user")
        .order_by("user__name", "user_id", "role")
    )


@by_whom
def remove(organization: Organization, person: User, *, by: User) -> None:
    """Take from a colleague, at once, everything that it holds for the organisation.

    Its invitations that are still open go with it. Raises PermissionDenied when it is the last manager.
    """
    with transaction.atomic():
        _managed(organization, by)
        if not managers(organization).exclude(user=person).exists():
            raise PermissionDenied(_("至少要有一名管理员。请先把另一名同事设为管理员。"))
        for grant in Grant.objects.judged("remove").filter(
            organization=organization, user=person, ended_at=None
        ):
            grant.ended_at = timezone.now()
            grant.save()
            notices.tell_of_grant_end(grant)
        for invitation in Invitation.objects.undecided().filter(organization=organization, invited_by=person):
            _withdraw(invitation)


@by_whom
def make_manager(organization: Organization, person: User, *, by: User) -> None:
    """Let a colleague invite and remove people as well."""
    with transaction.atomic():
        _managed(organization, by)
        for grant in people_of(organization).filter(user=person, is_manager=False):
            grant.is_manager = True
            grant.save()
