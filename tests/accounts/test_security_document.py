"""What docs/security.md claims: its tests exist, and production is set up as it says."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

TEXT = (settings.BASE_DIR / "docs" / "security.md").read_text()
NAMED = sorted(set(re.findall(r"`(test_\w+)::(\w+)`", TEXT)))


def test_it_names_tests() -> None:
    assert len(NAMED) > 50


@pytest.mark.parametrize(("module", "name"), NAMED)
def test_every_test_it_names_exists(module: str, name: str) -> None:
    files = list((settings.BASE_DIR / "tests").rglob(f"{module}.py"))
    assert any(f"def {name}(" in file.read_text() for file in files)


def test_its_limits_are_those_of_the_settings() -> None:
    limits = settings.ACCOUNT_RATE_LIMITS
    assert limits["failed"] == "60/15m/ip,20/h/key"
    assert limits["failed_on_known_device"] == "20/h/key"
    assert limits["login_failed"] == "10/h/key"
    assert limits["reset_password"] == "30/h/ip,5/h/key"
    assert limits["new_address"] == "30/h/ip,5/h/key"
    assert limits["unknown_person"] == "20/h/key"
    assert (settings.AXES_FAILURE_LIMIT, settings.AXES_COOLOFF_TIME) == (5, 0.25)
    assert (settings.IDLE_MINUTES_BUREAU, settings.IDLE_MINUTES) == (30, 120)
    assert settings.SESSION_COOKIE_AGE == 12 * 3600
    assert settings.PASSWORD_RESET_TIMEOUT == 3600


def test_cookies_of_production_are_for_this_host_over_https(tmp_path: Path) -> None:
    code = (
        "from portal import settings as s; from accounts.security.devices import COOKIE;"
        "print(s.SESSION_COOKIE_NAME, s.CSRF_COOKIE_NAME, s.LANGUAGE_COOKIE_NAME, COOKIE,"
        "s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE, s.LANGUAGE_COOKIE_SECURE, s.REQUIRE_SECOND_FACTOR)"
    )
    production = {
        "DJANGO_SETTINGS_MODULE": "portal.settings",
        "PORTAL_ENV": "production",
        "SECRET_KEY": "k" * 50,
        "ALLOWED_HOSTS": "portal.example.org",
        "DATABASE_URL": "postgres://portal:secret@db.example.org/portal",
        "VAR_DIR": str(tmp_path),
        "PATH": os.environ["PATH"],
    }
    said = subprocess.run(
        [sys.executable, "-c", code],
        cwd=settings.BASE_DIR,
        env=production,
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.split() == [
        "__Host-sessionid",
        "__Host-csrftoken",
        "__Host-django_language",
        "__Host-device",
        *["True"] * 4,
    ]
