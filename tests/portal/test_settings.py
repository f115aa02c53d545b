import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from portal import settings

pytestmark = pytest.mark.any_database

ROOT = settings.BASE_DIR
PRODUCTION = {
    "PORTAL_ENV": "production",
    "SECRET_KEY": "k" * 50,
    "ALLOWED_HOSTS": "portal.example.org,10.0.0.5",
    "DATABASE_URL": "postgres://portal:secret@db.example.org/portal",
}


def read_setting(expression: str, tmp_path: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Read the settings in a process of their own, with nothing in the environment but what is given."""
    return subprocess.run(
        [sys.executable, "-c", f"from portal import settings; print({expression})"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "VAR_DIR": str(tmp_path)} | env,
        capture_output=True,
        text=True,
        check=False,
    )


def test_production_names_everything_that_is_missing_in_a_sentence_each(tmp_path: Path) -> None:
    result = read_setting("1", tmp_path, PORTAL_ENV="production", DEBUG="true")
    assert result.returncode != 0
    for name in ("SECRET_KEY", "ALLOWED_HOSTS", "DATABASE_URL"):
        assert f"{name} must be set in production: " in result.stderr
    assert "DEBUG must be off in production" in result.stderr


@pytest.mark.parametrize("name", ["SECRET_KEY", "ALLOWED_HOSTS", "DATABASE_URL"])
def test_production_refuses_to_start_without(name: str, tmp_path: Path) -> None:
    result = read_setting("1", tmp_path, **{key: value for key, value in PRODUCTION.items() if key != name})
    assert result.returncode != 0
    assert result.stderr.count(" must be ") == 1
    assert f"{name} must be set in production" in result.stderr


def test_production_is_strict_by_default(tmp_path: Path) -> None:
    expression = (
        "settings.DEBUG, settings.SECURE_SSL_REDIRECT, settings.SESSION_COOKIE_SECURE, "
        "settings.CSRF_COOKIE_SECURE, settings.SECURE_HSTS_SECONDS, settings.TRUST_PROXY, settings.PUBLIC_URL"
    )
    result = read_setting(expression, tmp_path, **PRODUCTION)
    assert result.stdout.strip() == "False True True True 31536000 False https://portal.example.org"
    assert list(tmp_path.glob("secret_key")) == []


def test_a_secret_can_be_given_as_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("from-a-file\n")
    result = read_setting("settings.SECRET_KEY", tmp_path, SECRET_KEY_FILE=str(tmp_path / "key"))
    assert result.stdout == "from-a-file\n"


def test_development_makes_one_secret_and_keeps_it_private(tmp_path: Path) -> None:
    first = read_setting("settings.SECRET_KEY", tmp_path).stdout
    assert len(first) > 50
    assert read_setting("settings.SECRET_KEY", tmp_path).stdout == first
    assert stat.S_IMODE((tmp_path / "secret_key").stat().st_mode) == 0o600


def test_an_unclear_value_is_refused_by_name(tmp_path: Path) -> None:
    result = read_setting("1", tmp_path, DEBUG="perhaps")
    assert result.returncode != 0
    assert 'Environment variable "DEBUG" invalid' in result.stderr


def test_redis_and_postgresql_are_a_matter_of_addresses(tmp_path: Path) -> None:
    expression = (
        "settings.DATABASES['default']['ENGINE'], settings.CACHES['default']['BACKEND'], "
        "'data_folder_in' in settings.CELERY_BROKER_TRANSPORT_OPTIONS"
    )
    result = read_setting(
        expression,
        tmp_path,
        DATABASE_URL="postgres://u:p@h/n",
        CACHE_URL="redis://h/1",
        CELERY_BROKER_URL="redis://h/0",
    )
    assert result.stdout.strip() == "common.postgresql django.core.cache.backends.redis.RedisCache False"


def test_the_readme_lists_every_variable_and_no_other() -> None:
    readme = (ROOT / "README.md").read_text()
    table = readme.partition("## Configuration")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `([A-Z_]+)` \|", table, re.MULTILINE)) == set(settings.env.dump())
