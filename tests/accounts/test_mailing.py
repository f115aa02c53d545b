"""Mails of notices, over a real mail server: what is in them, when they go, what is never lost or doubled."""

import email
import email.policy
import re
import socket
import threading
import time
import uuid
from datetime import timedelta

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP
from django.conf import settings as configured
from django.core.mail import EmailMessage
from django.db import transaction
from django.test import Client
from django.utils import timezone

from accounts import joining, mailing, notices, tasks
from accounts.models import Invitation, Letter, Notice, Registration, Role
from projects import services
from tests import factories
from tests.accounts.signing_in import sign_in
from tests.factories import Cast

pytestmark = pytest.mark.django_db(transaction=True)
Kind = Notice.Kind


class Post:
    """A mail server that takes what comes, save what it was told to refuse."""

    def __init__(self):
        self.taken = []
        self.unknown = set()
        self.answers = {}  # what is said to the nth mail instead of taking it, from 0
        self.slow = 0.0
        self.tries = 0

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address in self.unknown:
            return "550 5.1.1 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        self.tries += 1
        time.sleep(self.slow)
        if answer := self.answers.pop(self.tries - 1, ""):
            return answer
        self.taken.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
        return "250 OK"

    @property
    def addresses(self):
        return [mail["To"] for mail in self.taken]


class Server(Controller):
    def factory(self):
        return SMTP(self.handler, enable_SMTPUTF8=False)


@pytest.fixture
def post(settings):
    """The server of EMAIL_URL in this test."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
    server = Server(Post(), hostname="127.0.0.1", port=port)
    server.start()
    yield server.handler
    server.stop()


def at(hour, minute=0, days=0):
    moment = timezone.localtime() + timedelta(days=days)
    return moment.replace(hour=hour, minute=minute, second=0, microsecond=0)


TODAY, TOMORROW = at(9), at(9, days=1)


def person(address="reader@example.org", **choices):
    user = factories.user(email=address, name="王敏")
    mailing.choose(user, choices)
    return user


def told(user, kind=Kind.ACCOUNT, moment=None, organization="演示减速器有限公司"):
    return Notice.objects.create(
        user=user,
        kind=kind,
        source=f"test:{Notice.objects.count()}",
        details={"what": "acceptance", "organization": organization},
        at=moment or at(7),
    )


def unsent():
    return list(Notice.objects.filter(mailed_at=None).order_by("pk"))


# --- What and when ---


def test_what_was_told_before_eight_comes_in_one_mail_after_eight(post):
    user = person()
    told(user, organization="第一家公司")
    told(user, Kind.RED, organization="第二家公司")
    assert mailing.send_due(at(7, 59)) == 0
    assert mailing.send_due(at(8, 1)) == 1
    assert mailing.send_due(at(8, 2)) == 0
    [mail] = post.taken
    assert mail["To"] == "reader@example.org"
    assert mail["Subject"] == "质量强链工作门户：2 条新消息"
    assert mail["From"] == configured.DEFAULT_FROM_EMAIL
    for part in ("plain", "html"):
        text = mail.get_body((part,)).get_content()
        assert "王敏，您好" in text
        assert text.index("第一家公司") < text.index("第二家公司")
        links = re.findall(r"http[^\s\"<]+", text)
        assert len(links) == 5
        assert all(link.startswith(f"{configured.PUBLIC_URL}/messages/") for link in links)


def test_what_is_told_after_eight_waits_for_the_next_day_however_late_that_comes(post):
    told(person(), moment=at(8, 30))
    assert mailing.send_due(at(23, 59)) == 0
    assert mailing.send_due(at(7, 59, days=1)) == 0
    assert mailing.send_due(at(15, days=4)) == 1


def test_at_once_goes_with_the_next_run_and_the_other_kinds_still_wait(post):
    user = person(red="at_once")
    told(user, Kind.RED, moment=at(10))
    told(user, Kind.ACCOUNT, moment=at(10))
    assert mailing.send_due(at(10, 1)) == 1
    assert post.taken[0]["Subject"] == "质量强链工作门户：时限已过"
    assert [row.kind for row in unsent()] == [Kind.ACCOUNT]


@pytest.mark.parametrize(
    "why", ["chosen off", "read meanwhile", "no address", "no longer active", "chosen off after it was told"]
)
def test_nothing_is_sent_and_nothing_left_over_when_the_person_wants_none(post, why):
    user = person(account="off" if why == "chosen off" else "at_once")
    row = told(user)
    match why:
        case "read meanwhile":
            Notice.objects.filter(pk=row.pk).update(read_at=timezone.now())
        case "no address":
            type(user).objects.filter(pk=user.pk).update(email="")
        case "no longer active":
            type(user).objects.filter(pk=user.pk).update(is_active=False)
        case "chosen off after it was told":
            mailing.choose(user, {"account": "off"})
    assert mailing.send_due(TOMORROW) == 0
    assert post.taken == unsent() == []


def test_the_link_in_the_mail_header_stops_further_mails(post):
    user = person(account="at_once")
    told(user)
    mailing.send_due(TODAY)
    [mail] = post.taken
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    path = mail["List-Unsubscribe"].strip(" <>").removeprefix(configured.PUBLIC_URL)
    assert Client().post(path, {"List-Unsubscribe": "One-Click"}).status_code == 200
    told(user)
    assert mailing.send_due(TOMORROW) == 0


def test_a_mail_names_number_and_next_step_and_nothing_of_what_the_problem_says(post):
    cast = Cast()
    type(cast.filer).objects.filter(pk=cast.filer.pk).update(email="filer@example.org")
    mailing.choose(cast.filer, dict.fromkeys(Kind.values, "at_once"))
    row = cast.filed()
    services.move(
        row, "return", by=cast.county_officer, data={"gaps": [{"field": "", "text": "附检测报告。"}]}
    )
    mailing.send_due()
    [mail] = post.taken
    assert mail["Subject"].strip() == "质量强链工作门户：有事项等我办理"
    for part in ("plain", "html"):
        text = mail.get_body((part,)).get_content()
        assert row.code in text
        assert "请企业按缺项清单补正后重新提交" in text
        for word in (row.title, row.product, "检测报告", cast.county_officer.name, "13800000000"):
            assert word not in text


def test_words_that_look_like_markup_stay_words(post):
    told(person(), organization="<b>公司</b>")
    mailing.send_due(TOMORROW)
    assert "<b>" not in post.taken[0].get_body(("html",)).get_content()
    assert "<b>公司</b>" in post.taken[0].get_body(("plain",)).get_content()


def test_a_long_mail_says_how_many_more_there_are(post):
    user = person()
    for _each in range(mailing.LINES + 3):
        told(user)
    mailing.send_due(TOMORROW)
    text = post.taken[0].get_body(("plain",)).get_content()
    assert "另有 3 条" in text
    assert unsent() == []


# --- What goes wrong ---


def test_while_the_server_is_away_everything_waits_and_is_sent_once_when_it_is_back(post, settings):
    told(person("one@example.org"))
    told(person("two@example.org"))
    port, settings.EMAIL_PORT = settings.EMAIL_PORT, 1
    assert mailing.send_due(TOMORROW) == 0
    assert len(unsent()) == 2
    settings.EMAIL_PORT = port
    assert mailing.send_due(TOMORROW) == 2
    assert mailing.send_due(TOMORROW) == 0
    assert sorted(post.addresses) == ["one@example.org", "two@example.org"]


def test_a_server_that_breaks_off_in_between_gets_the_rest_with_the_next_run_and_nothing_twice(post):
    for name in ("one", "two", "three"):
        told(person(f"{name}@example.org"))
    post.answers[1] = "421 4.3.2 shutting down"
    mailing.send_due(TOMORROW)
    assert "two@example.org" not in post.addresses
    mailing.send_due(TOMORROW + timedelta(minutes=5))
    assert sorted(post.addresses) == ["one@example.org", "three@example.org", "two@example.org"]
    assert unsent() == []


def test_an_address_that_is_refused_holds_up_nobody_else_and_is_tried_later_and_later(post, caplog):
    refused = told(person("gone@example.org"))
    told(person("here@example.org"))
    post.unknown.add("gone@example.org")
    assert mailing.send_due(TOMORROW) == 1
    assert unsent() == [refused]
    own = [line.getMessage() for line in caplog.records if line.name == "accounts.mailing"]
    assert own and "gone@example.org" not in " ".join(own)
    pauses, moment = [], TOMORROW
    for _try in range(14):
        refused.refresh_from_db()
        pauses.append(refused.mail_held_until - moment)
        moment = refused.mail_held_until
        assert mailing.send_due(moment - timedelta(seconds=1)) == 0
        assert mailing.send_due(moment) == 0
    assert pauses[:3] == [timedelta(minutes=1), timedelta(minutes=2), timedelta(minutes=4)]
    assert max(pauses) == mailing.LONGEST_PAUSE
    post.unknown.clear()
    refused.refresh_from_db()
    assert mailing.send_due(refused.mail_held_until) == 1
    assert post.addresses == ["here@example.org", "gone@example.org"]


def test_a_notice_that_cannot_be_put_into_words_holds_up_nobody_else(post):
    broken = told(person("one@example.org"))
    Notice.objects.filter(pk=broken.pk).update(details={"what": "acceptance"})
    told(person("two@example.org"))
    assert mailing.send_due(TOMORROW) == 1
    assert unsent() == [broken]


def test_what_a_worker_that_died_had_claimed_is_sent_after_its_lease(post):
    row = told(person())
    row.mail_held_by, row.mail_held_until = "0" * 32, TOMORROW + mailing.LEASE
    row.save()
    assert mailing.send_due(TOMORROW) == 0
    assert mailing.send_due(TOMORROW + mailing.LEASE) == 1


def test_the_same_rows_make_the_same_mail(post):
    user = person()
    rows = [told(user), told(user)]
    first, again = (mailing.mail_of(user, rows).message()["Message-ID"] for _try in range(2))
    assert first == again != mailing.mail_of(user, rows[:1]).message()["Message-ID"]


def test_two_workers_at_once_send_everything_once(post):
    post.slow = 0.02
    users = [person(f"reader{number}@example.org") for number in range(6)]
    for user in users:
        for _each in range(3):
            told(user)
    results = factories.at_once(*[lambda: mailing.send_due(TOMORROW)] * 2)
    assert sum(results) == len(users)
    assert sorted(post.addresses) == sorted(user.email for user in users)
    for mail in post.taken:
        assert "有 3 条新消息" in mail.get_body(("plain",)).get_content()
    assert unsent() == []


def test_what_is_read_or_declined_while_a_worker_is_at_it_is_not_claimed():
    reader, decliner = person(), person(account="off")
    told(decliner)
    Notice.objects.filter(pk=told(reader).pk).update(read_at=timezone.now())
    assert [list(mailing.claim(user, TOMORROW)) for user in (reader, decliner)] == [[], []]


def test_a_claim_that_waited_for_another_one_finds_nothing_left():
    user, claimed = person(), threading.Event()
    told(user)

    def first():
        with transaction.atomic():
            rows = list(mailing.claim(user, TOMORROW))
            claimed.set()
            time.sleep(0.5)
        return rows

    def second():
        claimed.wait(10)
        return list(mailing.claim(user, TOMORROW))

    assert factories.at_once(first, second) == [unsent(), []]


def test_two_workers_at_once_write_a_notice_once():
    grant = factories.user(Role.FILER).grants.get()
    assert factories.at_once(*[lambda: notices.tell_of_grant(grant)] * 2) == [None, None]
    assert Notice.objects.count() == 1


# --- To whom no more ---


def firm_person(**fields):
    user = person()
    return user, factories.grant(user, Role.FILER, **fields)


def removed():
    user, grant = firm_person(is_manager=True)
    other = factories.user()
    factories.grant(other, Role.FILER, grant.organization, is_manager=True)
    told(user)
    joining.remove(grant.organization, user, by=other)
    return user


def switched_off():
    user, _grant = firm_person()
    told(user)
    user.is_active = False
    user.save()
    return user


def run_out():
    user, _grant = firm_person(expires_on=timezone.localdate() - timedelta(days=1))
    told(user)
    return user


def ended():
    user, _grant = firm_person(ended_at=timezone.now())
    told(user)
    return user


@pytest.mark.parametrize("lost", [removed, switched_off, run_out, ended])
def test_whoever_lost_every_right_gets_no_mail_any_more(post, lost):
    user = lost()
    assert mailing.send_due(at(9, days=1)) == 0
    assert (post.taken, unsent()) == ([], [])
    assert user.notices.filter(read_at=None).exists(), "it stays in the inbox"


def one_of_two():
    user, _grant = firm_person(ended_at=timezone.now())
    factories.grant(user, Role.INSTITUTION)
    return user


def not_yet_begun():
    return firm_person(starts_on=timezone.localdate() + timedelta(days=9))[0]


def never_held():
    return person()


def asks_again():
    user, grant = firm_person(ended_at=timezone.now())
    Registration.objects.create(
        user=user,
        organization=grant.organization,
        bureau=grant.organization.bureau,
        key=uuid.uuid4(),
        phone="13800000000",
        name="甲",
    )
    return user


def superuser():
    user, _grant = firm_person(ended_at=timezone.now())
    user.is_superuser = True
    user.save()
    return user


@pytest.mark.parametrize("kept", [one_of_two, not_yet_begun, never_held, asks_again, superuser])
def test_whoever_has_a_right_or_a_question_left_is_told(post, kept):
    told(kept())
    assert mailing.send_due(at(9)) == 1
    assert post.addresses == ["reader@example.org"]


# --- Letters about the own account ---


def letter(address="reader@example.org", body="您的密码已修改。"):
    return mailing.post(EmailMessage("密码已修改", body, to=[address]))


def test_a_letter_is_sent_once_and_then_forgotten(post):
    row = letter()
    assert mailing.send_letter(row.pk) == 1
    assert mailing.send_letter(row.pk) == mailing.send_due() == 0
    [mail] = post.taken
    assert (mail["To"], mail["Subject"]) == ("reader@example.org", "密码已修改")
    assert "您的密码已修改。" in mail.get_content()
    assert not Letter.objects.exists()


def test_letters_wait_for_no_hour_of_the_day(post):
    letter()
    assert mailing.send_due(at(3)) == 1


def test_a_server_that_is_away_loses_no_letter(post, settings):
    row, port = letter(), settings.EMAIL_PORT
    settings.EMAIL_PORT = 1
    assert mailing.send_letter(row.pk) == mailing.send_due() == 0
    settings.EMAIL_PORT = port
    assert mailing.send_due() == 1
    assert len(post.taken) == 1


def test_a_refused_letter_is_tried_again_and_given_up_after_a_week(post):
    post.unknown.add("nobody@example.org")
    row, other = letter("nobody@example.org"), letter()
    assert mailing.send_due() == 1, "the others do not wait"
    assert post.addresses == ["reader@example.org"]
    row.refresh_from_db()
    assert row.mail_refusals == 1
    assert mailing.send_letter(row.pk) == 0 and post.tries == 1
    assert not Letter.objects.filter(pk=other.pk).exists()
    mailing.send_due(timezone.now() + timedelta(days=6))
    assert Letter.objects.filter(pk=row.pk).exists()
    mailing.send_due(timezone.now() + timedelta(days=8))
    assert not Letter.objects.exists()


def test_of_two_workers_one_sends_the_letter(post):
    row = letter()
    post.slow = 0.3
    assert sorted(factories.at_once(*[lambda: mailing.send_letter(row.pk)] * 2)) == [0, 1]
    assert len(post.taken) == 1


def test_a_letter_that_a_dead_worker_held_is_sent_by_another(post):
    row = letter()
    Letter.objects.update(mail_held_until=timezone.now() + mailing.LEASE)
    assert mailing.send_letter(row.pk) == 0
    assert mailing.send_letter(row.pk, timezone.now() + mailing.LEASE + timedelta(seconds=1)) == 1


def test_a_copy_of_the_database_shows_neither_address_nor_link():
    row = letter(body="https://portal.example.org/account/password/reset/secret/")
    assert not {"reader", "example.org", "secret"} & set(re.split(r"\W", row.sealed))


def test_signing_in_waits_for_no_mail_server_and_the_mail_comes_afterwards(post, settings):
    port = settings.EMAIL_PORT
    settings.EMAIL_PORT = 1
    user = factories.user(Role.FILER, email="reader@example.org")
    answer = sign_in(Client(), user.username)
    assert answer.status_code == 302 and post.taken == []
    settings.EMAIL_PORT = port
    [row] = Letter.objects.all()
    tasks.send_letter(row.pk)
    assert "新设备" in post.taken[0]["Subject"]


# --- Letters that bring an invitation ---


@pytest.fixture
def manager():
    user = factories.user(name="赵经理")
    factories.grant(user, Role.FILER, factories.organization("演示减速器有限公司"), is_manager=True)
    return user


def link(secret):
    return f"https://portal.example.org/join/invited/{secret}/"


def invite(manager, email="qian@example.org"):
    firm = manager.grants.get().organization
    return joining.invite(firm, by=manager, email=email, role=Role.FILER, link=link)


def again(row):
    return Invitation.objects.get(pk=row.pk)


def test_an_invitation_is_mailed_by_a_worker_and_says_when(post, manager):
    row = invite(manager)
    assert (post.taken, again(row).unsent) == ([], "邮件等待发送")
    tasks.send_letter(row.letter.pk)
    [mail] = post.taken
    assert mail["To"] == "qian@example.org" and "/join/invited/" in mail.get_content()
    assert again(row).sent_at and again(row).unsent == ""


def test_an_invitation_waits_for_a_server_that_is_away_and_is_mailed_once(post, manager, settings):
    row, port = invite(manager), settings.EMAIL_PORT
    settings.EMAIL_PORT = 1
    assert mailing.send_due() == 0 and again(row).unsent == "邮件等待发送"
    settings.EMAIL_PORT = port
    assert mailing.send_due() == 1 and mailing.send_due() == 0
    assert again(row).unsent == ""


def test_an_invitation_to_a_refused_address_says_so_and_at_last_that_it_was_given_up(post, manager):
    post.unknown.add("nobody@example.org")
    row = invite(manager, "nobody@example.org")
    mailing.send_due()
    assert "拒收" in again(row).unsent
    mailing.send_due(timezone.now() + timedelta(days=8))
    assert "重新发送" in again(row).unsent


@pytest.mark.parametrize("void", ["withdrawn", "sent anew", "sender removed"])
def test_a_link_that_is_void_is_mailed_no_more(post, manager, void):
    row = invite(manager)
    was = row.letter.pk
    if void == "withdrawn":
        joining.withdraw(row, by=manager)
    elif void == "sent anew":
        joining.resend(row, by=manager, link=link)
    else:
        other = factories.grant(
            factories.user(), Role.FILER, manager.grants.get().organization, is_manager=True
        )
        joining.remove(other.organization, manager, by=other.user)
    assert mailing.send_letter(was) == 0 and post.taken == []
    assert mailing.send_due() == (void == "sent anew")


def test_a_link_that_became_void_while_it_was_mailed_is_not_called_sent(post, manager, monkeypatch):
    row = invite(manager)

    def slowly(*args):
        joining.resend(row, by=manager, link=link)
        return True

    with monkeypatch.context() as patch:
        patch.setattr(mailing, "_taken", slowly)
        mailing.send_letter(row.letter.pk)
    assert again(row).unsent == "邮件等待发送"
    assert mailing.send_due() == 1 and again(row).unsent == ""
