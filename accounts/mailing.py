"""Mails of notices, one per person and run, and letters about somebody's own account, one by one.

The rows are the jobs. A worker claims those of one mail, sends it, and only then says so; a server that is
away leaves them for the next run, an address that is refused for later and later ones. What was claimed by a
worker that died is free again after a while.
"""

import json
import logging
import time
import uuid
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from functools import partial
from smtplib import SMTPDataError, SMTPRecipientsRefused
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core import signing
from django.core.mail import EmailMessage, EmailMultiAlternatives, get_connection
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts import notices
from accounts.models import Grant, Invitation, Letter, Notice, NoticeChoice, Registration, User
from accounts.security.sealing import seal, unseal

logger = logging.getLogger(__name__)
# How long a worker may take for one mail; far more than the time-outs of the connection add up to.
LEASE = timedelta(minutes=10)
# A run ends after this many seconds: other jobs wait, and the next run goes on.
RUN_SECONDS = 25
# More than this in one mail nobody reads.
LINES = 50
LONGEST_PAUSE = timedelta(days=1)
# A letter whose address is refused for so long is given up.
LAST_TRY = timedelta(days=7)
UNSUBSCRIBE_SALT = "accounts.unsubscribe"
# Faults of one mail or address; everything else that goes wrong is a fault of the server or the way to it.
ITS_OWN = (SMTPRecipientsRefused, SMTPDataError, ValueError)
Mail = NoticeChoice.Mail
# Sends one mail over a connection that is open; the number of mails sent.
Errand = Callable[[Any, datetime], int]


def send_due(now: datetime | None = None) -> int:
    """Send what is due to everybody; returns the number of mails."""
    now = now or timezone.now()
    _give_up(now)
    _settle(now)
    letters = Letter.objects.filter(_free(now)).values_list("pk", flat=True)
    due = Notice.objects.filter(_due(now)).order_by().values("user")
    reachable = User.objects.filter(pk__in=due, is_active=True).exclude(email="")
    people = reachable.exclude(without_rights("pk"), is_superuser=False).order_by("pk")
    errands: list[Errand] = [partial(_send_letter, key) for key in letters]
    return _run([*errands, *(partial(_send_to, user) for user in people)], now)


def _run(errands: Iterable[Errand], now: datetime) -> int:
    """Do the errands over one connection, until the time of a run is over or the server goes away."""
    if not errands:
        return 0
    connection, sent, began = get_connection(), 0, time.monotonic()
    try:
        connection.open()
        for errand in errands:
            sent += errand(connection, now)
            if time.monotonic() - began > RUN_SECONDS:
                break
    except OSError as fault:  # also whatever smtplib raises
        logger.warning("The mail server did not take a mail, the next run tries again: %r", fault)
    finally:
        connection.close()
    return sent


def _chosen(mail: str) -> Exists:
    return Exists(NoticeChoice.objects.filter(user=OuterRef("user"), kind=OuterRef("kind"), mail=mail))


def without_rights(person: str) -> Q:
    """Whoever held grants and holds none any more, by the column that names the person.

    An applicant has not held any yet and is told what becomes of the application, one who asks again too.
    """
    grants = Grant.objects.judged("who is told").filter(user=OuterRef(person))
    asked = Registration.objects.judged("who is told").pending().filter(user=OuterRef(person))
    return Q(Exists(grants), ~Exists(grants.not_over(timezone.localdate())), ~Exists(asked))


def _settle(now: datetime) -> None:
    """Nothing is sent of what was read meanwhile, or to people who want no mail, have no address or no right
    any more."""
    unwanted = Q(_chosen(Mail.OFF)) | Q(read_at__isnull=False) | Q(user__email="") | Q(user__is_active=False)
    unwanted |= without_rights("user") & Q(user__is_superuser=False)
    settled = Notice.objects.filter(unwanted, mailed_at__isnull=True).values_list("pk", flat=True)
    Notice.objects.filter(pk__in=list(settled[:5000])).update(mailed_at=now)


def _free(now: datetime) -> Q:
    return Q(mail_held_until__isnull=True) | Q(mail_held_until__lte=now)


def _due(now: datetime) -> Q:
    """Unsent and free: at once for those who want it so, else what was told before the hour of the day.

    Without a join: as conditions of an UPDATE they are asked again once another worker's claim is committed.
    """
    local = timezone.localtime(now)
    hour = local.replace(hour=settings.DAILY_MAIL_HOUR, minute=0, second=0, microsecond=0)
    if local < hour:
        hour -= timedelta(days=1)
    return Q(
        _free(now),
        Q(at__lt=hour) | _chosen(Mail.AT_ONCE),
        ~_chosen(Mail.OFF),
        mailed_at__isnull=True,
        read_at__isnull=True,
    )


def claim(user: User, now: datetime) -> QuerySet[Notice]:
    """Take what is due to a person for one lease, and none of what another worker has."""
    key = uuid.uuid4()
    Notice.objects.filter(_due(now), user=user).update(mail_held_by=key, mail_held_until=now + LEASE)
    return Notice.objects.filter(mail_held_by=key, mailed_at__isnull=True)


def _send_to(user: User, connection: Any, now: datetime) -> int:
    """Claim what is due to a person and send it as one mail; 0 when another has it or it is refused."""
    held = claim(user, now)
    rows = list(held.order_by("at", "pk"))
    if not rows or not _taken(connection, lambda: mail_of(user, rows), held, rows, now):
        return 0
    held.update(mailed_at=timezone.now(), mail_held_until=None)
    return 1


def _taken(
    connection: Any, mail: Callable[[], EmailMessage], held: QuerySet[Any], rows: list[Any], now: datetime
) -> bool:
    """Hand a mail over. One that is refused is put off; a server that is away leaves its rows and raises."""
    try:
        connection.send_messages([mail()])
    except Exception as fault:
        its_own = isinstance(fault, ITS_OWN)
        if isinstance(fault, OSError) and not its_own:
            held.update(mail_held_until=None)
            raise
        # Twice as long after each refusal, from a minute to a day.
        pause = min(timedelta(minutes=2 ** min(max(row.mail_refusals for row in rows), 11)), LONGEST_PAUSE)
        held.update(mail_held_until=now + pause, mail_refusals=F("mail_refusals") + 1)
        # What the server answers names the address, which belongs into no log.
        kind = type(fault).__name__
        logger.warning("No mail for %r %s for now: %s", rows[0], rows[0].pk, kind, exc_info=not its_own)
        return False
    return True


# --- Letters ------------------------------------------------------------------------------------------------


def post(mail: EmailMessage, invitation: Invitation | None = None) -> Letter:
    """Keep a mail about somebody's own account until it is sent: with the next run at the latest."""
    said = {"to": mail.to, "subject": str(mail.subject), "body": str(mail.body)}
    return Letter.objects.create(
        sealed=seal(json.dumps(said), "letter"), invitation=invitation, at=timezone.now()
    )


def send_letter(key: int, now: datetime | None = None) -> int:
    """Send a letter at once, unless another worker has it."""
    return _run([partial(_send_letter, key)], now or timezone.now())


def _send_letter(key: int, connection: Any, now: datetime) -> int:
    held = Letter.objects.filter(pk=key)
    if not held.filter(_free(now)).update(mail_held_until=now + LEASE):
        return 0
    rows = list(held.select_related("invitation"))
    # None when it was called back between the two.
    if not rows or not _taken(connection, lambda: _mail_in(rows[0]), held, rows, now):
        return 0
    deleted, _what = held.delete()
    # Of an invitation that was withdrawn or sent anew meanwhile this was not the mail any more.
    if deleted and (invitation := rows[0].invitation):
        invitation.sent_at = now
        invitation.save(update_fields=["sent_at"])
    return 1


def _mail_in(letter: Letter) -> EmailMessage:
    said = json.loads(unseal(letter.sealed, "letter"))
    same = uuid.uuid5(uuid.NAMESPACE_URL, letter.sealed)
    headers = {"Message-ID": _message_id(same), "Auto-Submitted": "auto-generated"}
    return EmailMessage(said["subject"], said["body"], to=said["to"], headers=headers)


def _give_up(now: datetime) -> None:
    refused = Letter.objects.filter(mail_refusals__gt=0, at__lt=now - LAST_TRY)
    if number := refused.delete()[0]:
        logger.warning("Letters given up after a week of refusals: %s", number)


# --- The mail -----------------------------------------------------------------------------------------------


def mail_of(user: User, rows: list[Notice]) -> EmailMultiAlternatives:
    """One mail, in the language of the house: a user's language is known only to the browser."""
    with translation.override(settings.LANGUAGE_CODE):
        stop = _address("accounts:unsubscribe", token_for(user))
        same = uuid.uuid5(uuid.NAMESPACE_URL, " ".join(str(row.pk) for row in rows))
        context = {
            "name": user.get_full_name(),
            "lines": [
                {"sentence": notices.sentence(row), "href": _address("accounts:message", row.pk)}
                for row in rows[:LINES]
            ],
            "count": len(rows),
            "more": max(len(rows) - LINES, 0),
            "inbox": _address("accounts:messages"),
            "choices": _address("accounts:message_choices"),
            "stop": stop,
        }
        kinds = {row.get_kind_display() for row in rows}
        what = (
            kinds.pop()
            if len(kinds) == 1
            else ngettext("%(n)s 条新消息", "%(n)s 条新消息", len(rows)) % {"n": len(rows)}
        )
        mail = EmailMultiAlternatives(
            _("质量强链工作门户：%(what)s") % {"what": what},
            render_to_string("accounts/email/notices.txt", context),
            to=[user.email],
            headers={
                # The same rows make the same mail: a copy can be told from a new one.
                "Message-ID": _message_id(same),
                "List-Unsubscribe": f"<{stop}>",
                "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",  # RFC 8058
                "Auto-Submitted": "auto-generated",
            },
        )
        mail.attach_alternative(render_to_string("accounts/email/notices.html", context), "text/html")
    return mail


def token_for(user: User) -> str:
    """Lets whoever has the mail stop further ones, and do nothing else."""
    return signing.dumps(user.pk, salt=UNSUBSCRIBE_SALT)


def user_of(token: str) -> User | None:
    try:
        return User.objects.filter(pk=signing.loads(token, salt=UNSUBSCRIBE_SALT)).first()
    except signing.BadSignature:
        return None


def choose(user: User, chosen: dict[str, str]) -> None:
    """Store how the person wants to hear of these kinds."""
    NoticeChoice.objects.bulk_create(
        [NoticeChoice(user=user, kind=kind, mail=mail) for kind, mail in chosen.items()],
        update_conflicts=True,
        unique_fields=["user", "kind"],
        update_fields=["mail"],
    )


def _message_id(key: uuid.UUID) -> str:
    return f"<{key}@{urlsplit(settings.PUBLIC_URL).hostname}>"


def _address(name: str, *args: Any) -> str:
    return settings.PUBLIC_URL + reverse(name, args=args)
