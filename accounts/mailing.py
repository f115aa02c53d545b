"""Mails of notices: one per person and run, until the mail server has taken it.

The rows are the jobs. A worker claims those of one person, sends them, and only then says so; a server that
is away leaves them for the next run, an address that is refused for later and later ones. What was claimed by
a worker that died is free again after a while.
"""

import logging
import time
import uuid
from datetime import datetime, timedelta
from smtplib import SMTPDataError, SMTPRecipientsRefused
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core import signing
from django.core.mail import EmailMultiAlternatives, get_connection
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts import notices
from accounts.models import Grant, Notice, NoticeChoice, Registration, User

logger = logging.getLogger(__name__)
# How long a worker may take for one mail; far more than the time-outs of the connection add up to.
LEASE = timedelta(minutes=10)
# A run ends after this many seconds: other jobs wait, and the next run goes on.
RUN_SECONDS = 25
# More than this in one mail nobody reads.
LINES = 50
LONGEST_PAUSE = timedelta(days=1)
UNSUBSCRIBE_SALT = "accounts.unsubscribe"
# Faults of one mail or address; everything else that goes wrong is a fault of the server or the way to it.
ITS_OWN = (SMTPRecipientsRefused, SMTPDataError, ValueError)
Mail = NoticeChoice.Mail


def send_due(now: datetime | None = None) -> int:
    """Send what is due to everybody; returns the number of mails."""
    now = now or timezone.now()
    _settle(now)
    due = Notice.objects.filter(_due(now)).order_by().values("user")
    reachable = User.objects.filter(pk__in=due, is_active=True).exclude(email="")
    people = list(reachable.exclude(without_rights("pk"), is_superuser=False).order_by("pk"))
    if not people:
        return 0
    connection, sent, began = get_connection(), 0, time.monotonic()
    try:
        connection.open()
        for user in people:
            sent += _send_to(user, connection, now)
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
    return Exists(grants) & ~Exists(grants.not_over(timezone.localdate())) & ~Exists(asked)


def _settle(now: datetime) -> None:
    """Nothing is sent of what was read meanwhile, or to people who want no mail, have no address or no right
    any more."""
    unwanted = Q(read_at__isnull=False) | Q(user__email="") | Q(user__is_active=False) | _chosen(Mail.OFF)
    unwanted |= without_rights("user") & Q(user__is_superuser=False)
    settled = Notice.objects.filter(unwanted, mailed_at__isnull=True).values_list("pk", flat=True)
    Notice.objects.filter(pk__in=list(settled[:5000])).update(mailed_at=now)


def _due(now: datetime) -> Q:
    """Unsent and free: at once for those who want it so, else what was told before the hour of the day.

    Without a join: as conditions of an UPDATE they are asked again once another worker's claim is committed.
    """
    local = timezone.localtime(now)
    hour = local.replace(hour=settings.DAILY_MAIL_HOUR, minute=0, second=0, microsecond=0)
    if local < hour:
        hour -= timedelta(days=1)
    return Q(
        Q(mail_held_until__isnull=True) | Q(mail_held_until__lte=now),
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
    if not rows:
        return 0
    try:
        connection.send_messages([mail_of(user, rows)])
    except Exception as fault:
        its_own = isinstance(fault, ITS_OWN)
        if isinstance(fault, OSError) and not its_own:
            held.update(mail_held_until=None)
            raise
        _put_off(held, rows, now)
        # What the server answers names the address, which belongs into no log.
        logger.warning("No mail to user %s for now: %s", user.pk, type(fault).__name__, exc_info=not its_own)
        return 0
    held.update(mailed_at=timezone.now(), mail_held_until=None)
    return 1


def _put_off(held: QuerySet[Notice], rows: list[Notice], now: datetime) -> None:
    """Twice as long after each refusal, from a minute to a day."""
    refusals = max(row.mail_refusals for row in rows)
    pause = min(timedelta(minutes=2 ** min(refusals, 11)), LONGEST_PAUSE)
    held.update(mail_held_until=now + pause, mail_refusals=F("mail_refusals") + 1)


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
                "Message-ID": f"<{same}@{urlsplit(settings.PUBLIC_URL).hostname}>",
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


def _address(name: str, *args: Any) -> str:
    return settings.PUBLIC_URL + reverse(name, args=args)
