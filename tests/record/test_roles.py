"""deploy/record.sql: under its own user the portal works, and cannot rewrite the record."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege

from tools import servers

# On a PostgreSQL of its own, whatever the other tests run on.
pytestmark = pytest.mark.any_database

ROOT = Path(__file__).resolve().parents[2]
NAME = "portal_roles"
# The tables as the models ask for them, and what is written when migrations have made the same
# (`tests/test_upgrade.py` proves that they do, in ten times the time).
TABLES = """
import django; django.setup()
from django.apps import apps
from django.conf import settings
from django.core.management import call_command
settings.MIGRATION_MODULES = dict.fromkeys(apps.app_configs)
call_command("migrate", run_syncdb=True, verbosity=0)
settings.MIGRATION_MODULES = {}
call_command("migrate", fake=True, verbosity=0)
"""
# What the portal does in a working day: people sign in, a problem goes all its way, figures, seals, jobs.
A_DAY = """
import django; django.setup()
from django.test import Client
from django.urls import reverse
from bulletins import services
from record import chain, tasks
from record.models import Event
from tests.factories import Cast
cast = Cast()
row = cast.bring_to("resolved")
client = Client()
client.force_login(cast.county_officer, "django.contrib.auth.backends.ModelBackend")
address = reverse("projects:bottleneck_detail", args=[row.public_id])
assert client.get(address, headers={"host": "localhost"}).status_code == 200
assert Event.objects.filter(kind="read").exists()
cast.firm.contact.delete()
services.rollup_now(services.get_period("2024"))
tasks.seal()
services.sweep()
proof = chain.prove()
assert proof.sealed and not proof.pending and not proof.broken, proof
print(proof.sealed)
"""


def address(user: str, server: str) -> str:
    parts = urlsplit(server)
    host = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"{user}@{host}", path=f"/{NAME}").geturl()


def run(url: str, tmp_path: Path, *command: str) -> str:
    env = os.environ | {
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "TEST_DATABASE_URL": url,
        "TEST_VAR_DIR": str(tmp_path),
    }
    done = subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    url = os.environ.get("TEST_DATABASE_URL", "")
    if not url.startswith("postgres"):
        url = servers.postgresql()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {NAME}")
        yield url
        connection.execute(f"DROP DATABASE {NAME} WITH (FORCE)")
        for role in ("portal", "portal_owner"):
            connection.execute(f"DROP ROLE {role}")


@pytest.fixture(scope="module")
def as_user(server: str, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """The address of the database for a user, with tables, users and rights, and a day of work in it."""
    folder = tmp_path_factory.mktemp("roles")
    admin = urlsplit(server)._replace(path=f"/{NAME}").geturl()
    run(admin, folder, "-c", TABLES)
    with psycopg.connect(admin, autocommit=True) as connection:
        for _twice in range(2):
            connection.execute((ROOT / "deploy" / "record.sql").read_text())
    run(address("portal_owner", server), folder, "manage.py", "migrate", "--verbosity", "0")
    assert int(run(address("portal", server), folder, "-c", A_DAY)) > 20
    return lambda user: address(user, server)


@pytest.mark.parametrize("table", ["record_event", "record_seal", "record_dayroot"])
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE {} SET {} = {}",
        "DELETE FROM {}",
        "TRUNCATE {} CASCADE",
        "ALTER TABLE {} DISABLE TRIGGER ALL",
        "ALTER TABLE {} OWNER TO portal",
        "DROP TABLE {} CASCADE",
        "CREATE TRIGGER t BEFORE INSERT ON {} EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    ],
    ids=lambda statement: " ".join(statement.split()[:2]),
)
def test_the_portals_user_cannot_rewrite_the_record(as_user, table, statement):
    column = {"record_event": "reason", "record_seal": "hash", "record_dayroot": "hash"}[table]
    words = statement.format(table, column, "''") if "SET" in statement else statement.format(table)
    with psycopg.connect(as_user("portal")) as connection, pytest.raises(InsufficientPrivilege):
        connection.execute(words)


def test_it_reads_and_appends(as_user):
    with psycopg.connect(as_user("portal")) as connection:
        count = connection.execute("SELECT count(*) FROM record_event").fetchone()[0]
        connection.execute("INSERT INTO record_dayroot VALUES ('2000-01-01', 1, 'x')")
        connection.rollback()
    assert count > 20


def test_it_may_not_become_the_owner(as_user):
    with psycopg.connect(as_user("portal")) as connection, pytest.raises(InsufficientPrivilege):
        connection.execute("SET ROLE portal_owner")


def test_what_the_owner_rewrites_is_found_by_the_proof(as_user, tmp_path):
    with psycopg.connect(as_user("portal_owner"), autocommit=True) as connection:
        event = connection.execute("SELECT event_id FROM record_seal WHERE position = 5").fetchone()[0]
        was = connection.execute("SELECT label FROM record_event WHERE id = %s", [event]).fetchone()[0]
        connection.execute("UPDATE record_event SET label = 'x' WHERE id = %s", [event])
        try:
            with pytest.raises(AssertionError, match=f"第 5 号链节所封的记录 {event}"):
                run(as_user("portal"), tmp_path, "manage.py", "record", "prove")
        finally:
            connection.execute("UPDATE record_event SET label = %s WHERE id = %s", [was, event])
    assert "Proved" in run(as_user("portal"), tmp_path, "manage.py", "record", "prove")
