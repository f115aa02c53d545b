"""The second factor: who needs one, the way to it, and what it stands in the way of."""

import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.test import Client
from django.urls import reverse
from rest_framework.authtoken.models import Token

from accounts.models import ORGANIZATION_ROLES, Role, User
from accounts.security.sessions import BEGAN
from record.models import Event
from record.telling import sentence
from tests import factories
from tests.accounts.signing_in import code_of, is_in, mails, next_period, set_up, sign_in

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


@pytest.fixture(autouse=True)
def required(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    settings.REQUIRE_SECOND_FACTOR = True
    # In life a commit comes within the request; the transaction of a test has none.
    monkeypatch.setattr("django.db.transaction.on_commit", lambda then, robust=False: robust or then())
    next_period()


def signed_in(user: User) -> Client:
    client = Client()
    assert sign_in(client, user.username).status_code == 302
    return client


@pytest.fixture
def officer() -> User:
    return factories.user(Role.OFFICER, email="officer@example.org")


@pytest.fixture
def filer() -> User:
    return factories.user(Role.FILER)


@pytest.mark.parametrize(
    "role", [Role.OFFICER, Role.STATISTICIAN, Role.AUDITOR, Role.ADMINISTRATOR, Role.EXPERT]
)
def test_people_of_bureaus_are_led_to_set_it_up_whatever_they_open(role: Role) -> None:
    client = signed_in(factories.user(role))
    for address in ("/", "/desk/", "/admin/", "/bulletins/?page=2"):
        answer = client.get(address)
        assert answer.status_code == 302, address
        assert answer["Location"].startswith(reverse("mfa_activate_totp")), address
    assert client.post("/role/", {"grant": "1"}).status_code == 302


@pytest.mark.parametrize("role", ORGANIZATION_ROLES)
def test_people_of_organisations_need_none(role: Role) -> None:
    assert signed_in(factories.user(role)).get("/workspace/").status_code == 200


def test_without_the_setting_nobody_needs_one(officer: User, settings: Any) -> None:
    settings.REQUIRE_SECOND_FACTOR = False
    assert signed_in(officer).get("/desk/").status_code == 200


def test_the_way_to_it_stays_open(officer: User) -> None:
    client = signed_in(officer)
    assert client.get("/account/").status_code == 200
    assert client.get("/account/password/change/").status_code == 200
    assert client.post("/language/", {"language": "en", "next": "/account/"})["Location"] == "/account/"
    assert client.post("/logout/")["Location"] == "/"
    assert not is_in(client)


def test_a_part_of_a_page_leads_the_whole_page_there(officer: User) -> None:
    answer = signed_in(officer).get("/desk/", headers={"HX-Request": "true"})
    assert answer.status_code == 204
    assert answer["HX-Redirect"].startswith(reverse("mfa_activate_totp"))


def test_set_up_by_the_code_that_the_key_gives_and_work_goes_on(officer: User) -> None:
    client = signed_in(officer)
    page = client.get(reverse("mfa_activate_totp")).content.decode()
    assert 'src="data:image/svg+xml;base64,' in page
    wrong = client.post(reverse("mfa_activate_totp"), {"code": "000000"})
    assert "验证码不正确" in wrong.content.decode()
    set_up(client)
    codes = client.get(reverse("mfa_view_recovery_codes")).content.decode()
    assert len(re.findall(r"<code>\d{8}</code>", codes)) == 10
    assert client.get("/desk/").status_code == 200


def test_keys_are_stored_so_that_a_copy_of_the_database_is_not_enough(officer: User) -> None:
    secret = set_up(signed_in(officer))
    for row in Authenticator.objects.all():
        assert secret not in str(row.data)
    recovery = Authenticator.objects.get(type="recovery_codes")
    assert not re.fullmatch("[0-9a-f]{80}", recovery.data["seed"])
    assert len(recovery.wrap().get_unused_codes()) == 10


def test_a_new_secret_of_the_installation_still_reads_keys_of_the_old(officer: User, settings: Any) -> None:
    set_up(signed_in(officer))
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another" * 10
    assert len(Authenticator.objects.get(type="recovery_codes").wrap().get_unused_codes()) == 10


def test_the_password_alone_no_longer_lets_anybody_in(officer: User) -> None:
    secret = set_up(signed_in(officer))
    next_period()
    client = Client()
    answer = sign_in(client, officer.username, next="/desk/")
    assert answer["Location"] == reverse("mfa_authenticate")
    assert not is_in(client)
    assert client.get("/desk/")["Location"].startswith("/login/")
    wrong = client.post(reverse("mfa_authenticate"), {"code": "000000"})
    assert "验证码不正确" in wrong.content.decode()
    assert not is_in(client)
    answer = client.post(reverse("mfa_authenticate"), {"code": code_of(secret)})
    assert answer["Location"] == "/desk/"
    assert client.get("/desk/").status_code == 200


def test_a_code_is_taken_once_and_not_after_its_time(officer: User) -> None:
    secret = set_up(signed_in(officer))
    next_period()
    code = code_of(secret)

    def entered(code: str) -> bool:
        client = Client()
        sign_in(client, officer.username)
        client.post(reverse("mfa_authenticate"), {"code": code})
        return is_in(client)

    assert entered(code)
    assert not entered(code), "the same code again"
    assert not entered(code_of(secret, time.time() - 60)), "a code of a minute ago"


def test_a_recovery_code_stands_in_for_the_telephone_once(officer: User) -> None:
    client = signed_in(officer)
    set_up(client)
    page = client.get(reverse("mfa_download_recovery_codes")).content.decode()
    spare = re.findall(r"^\d{8}$", page, re.MULTILINE)
    assert len(spare) == 10

    def entered() -> bool:
        other = Client()
        sign_in(other, officer.username)
        other.post(reverse("mfa_authenticate"), {"code": spare[0]})
        return is_in(other)

    assert entered()
    assert not entered()


def test_codes_cannot_be_guessed_through(officer: User) -> None:
    secret = set_up(signed_in(officer))
    next_period()
    client = Client()
    sign_in(client, officer.username)
    for number in range(10):
        client.post(reverse("mfa_authenticate"), {"code": f"{number:06}"}, REMOTE_ADDR=f"10.2.0.{number}")
    answer = client.post(reverse("mfa_authenticate"), {"code": code_of(secret)})
    assert "失败次数过多" in answer.content.decode()
    assert not is_in(client)


def test_resetting_the_password_does_not_pass_by_the_code(officer: User) -> None:
    set_up(signed_in(officer))
    next_period()
    officer.set_password("another-long-word-of-tests")
    officer.save()
    client = Client()
    answer = sign_in(client, officer.username, "another-long-word-of-tests")
    assert answer["Location"] == reverse("mfa_authenticate")
    assert not is_in(client)


def test_setting_it_up_ends_the_sessions_from_before(officer: User) -> None:
    before, now = signed_in(officer), signed_in(officer)
    set_up(now)
    assert before.get("/account/").status_code == 302
    assert now.get("/desk/").status_code == 200


def test_a_session_that_never_saw_the_code_is_asked_for_it(officer: User) -> None:
    secret = set_up(signed_in(officer))
    next_period()
    client = Client()
    client.force_login(officer)  # as a session from before the role was given
    answer = client.get("/desk/")
    assert answer["Location"] == f"{reverse('mfa_reauthenticate')}?next=/desk/".replace(
        "=/desk/", "=%2Fdesk%2F"
    )
    answer = client.post(answer["Location"], {"code": code_of(secret), "next": "/desk/"})
    assert answer["Location"] == "/desk/"
    assert client.get("/desk/").status_code == 200


def test_who_needs_it_cannot_switch_it_off_and_others_can(officer: User, filer: User) -> None:
    for user, left in ((officer, 2), (filer, 0)):
        client = signed_in(user)
        set_up(client)
        client.post(reverse("mfa_deactivate_totp"))
        assert Authenticator.objects.filter(user=user).count() == left
    assert "您的角色要求两步验证，不能关闭" in signed_in_page(officer)


def signed_in_page(user: User) -> str:
    client = Client()
    client.force_login(user)
    return client.get(reverse("account_security")).content.decode()


def grown_old(client: Client) -> None:
    """As if the person had signed in an hour ago, and worked since."""
    session = client.session
    session[BEGAN] -= 3600
    session.save()


CHANGES: list[Callable[[Client], Any]] = [
    lambda client: client.get(reverse("mfa_activate_totp")),
    lambda client: client.post(reverse("mfa_activate_totp"), {"code": "000000"}),
]
AFTER_SET_UP: list[Callable[[Client], Any]] = [
    lambda client: client.post(reverse("mfa_deactivate_totp")),
    lambda client: client.get(reverse("mfa_view_recovery_codes")),
    lambda client: client.get(reverse("mfa_download_recovery_codes")),
    lambda client: client.post(reverse("mfa_generate_recovery_codes")),
]


@pytest.mark.parametrize("number", range(6))
def test_what_touches_the_second_factor_asks_again_who_it_is(filer: User, number: int) -> None:
    client = signed_in(filer)
    changes = CHANGES + AFTER_SET_UP
    if number >= len(CHANGES):
        set_up(client)
    grown_old(client)
    answer = changes[number](client)
    assert answer.status_code == 302
    assert answer["Location"].startswith(reverse("account_reauthenticate"))
    wrong = client.post(answer["Location"], {"password": "wrong"})
    assert "密码不正确" in wrong.content.decode()
    assert client.post(answer["Location"], {"password": factories.PASSWORD}).status_code in (200, 302)
    if number != 1:
        assert reverse("account_reauthenticate") not in changes[number](client).get("Location", "")


def test_a_program_with_a_token_is_not_asked_and_a_session_is(officer: User) -> None:
    token = Token.objects.create(user=officer)
    program = Client(headers={"Authorization": f"Token {token.key}"})
    assert program.get("/api/v1/bottlenecks/").status_code == 200
    answer = signed_in(officer).get("/api/v1/bottlenecks/")
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "second_factor"


def test_an_administrator_lifts_it_for_people_of_the_own_area_only(officer: User) -> None:
    client = signed_in(officer)
    set_up(client)
    stranger = factories.user(Role.OFFICER, factories.bureau("440000", "广东省局", factories.bureau()))
    set_up(signed_in(stranger))
    administrator = factories.user(Role.ADMINISTRATOR, factories.county())
    admin = signed_in(administrator)
    set_up(admin)
    mails().clear()
    for user in (officer, stranger):
        admin.post(
            reverse("admin:accounts_user_changelist"),
            {"action": "reset_second_factor", "_selected_action": [user.pk]},
        )
    assert not Authenticator.objects.filter(user=officer).exists()
    removed = Event.objects.filter(entity="mfa.authenticator", kind="deleted")
    assert {(event.actor, event.topic_row) for event in removed} == {(administrator, str(officer.pk))}
    assert sentence("deleted", "mfa.authenticator", "") == "删除两步验证"
    assert Authenticator.objects.filter(user=stranger).count() == 2
    assert client.get("/account/").status_code == 302, "signed out everywhere"
    [message] = mails()
    assert message.to == ["officer@example.org"]
    assert message.body.startswith(f"{officer.name}，您好")


def test_keys_stand_nowhere_in_the_admin_site() -> None:
    root = Client()
    root.force_login(factories.user(is_superuser=True, is_staff=True))
    session = root.session
    session["second_factor"] = True
    session.save()
    assert root.get("/admin/").status_code == 200
    assert root.get("/admin/mfa/authenticator/").status_code == 404
    assert root.get("/admin/usersessions/usersession/").status_code == 404
