"""The portal's settings with a place and a database of their own.

`TEST_DATABASE=postgresql` starts an embedded PostgreSQL; `TEST_DATABASE_URL` names a server to use instead.
"""

import atexit
import os
import shutil
import tempfile

from tools import servers

# A process started by a test (a worker, say) is told to share the folder; parallel test processes are not.
if "TEST_VAR_DIR" not in os.environ:
    folder = tempfile.mkdtemp(prefix="portal-tests-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
os.environ["VAR_DIR"] = os.environ.get("TEST_VAR_DIR") or folder

# Set in the environment so that the processes of pytest-xdist share the one server.
if os.environ.get("TEST_DATABASE") == "postgresql" and "TEST_DATABASE_URL" not in os.environ:
    os.environ["TEST_DATABASE_URL"] = servers.postgresql()
os.environ.pop("DATABASE_URL", None)
if "TEST_DATABASE_URL" in os.environ:
    os.environ["DATABASE_URL"] = os.environ["TEST_DATABASE_URL"]

from portal.settings import *  # noqa: F403
from portal.settings import CACHES, DATABASES, MIDDLEWARE, STATIC_ROOT, STORAGES, VAR_DIR

if DATABASES["default"]["ENGINE"] == "common.sqlite":
    # A file, as in life: workers and the live server are other processes and threads.
    DATABASES["default"]["TEST"] = {"NAME": str(VAR_DIR / "test.sqlite3")}
    # Nothing has to survive a power cut.
    DATABASES["default"]["OPTIONS"]["init_command"] += "PRAGMA synchronous=OFF;"
CACHES["template_fragments"] = {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}
STATIC_ROOT.mkdir(exist_ok=True)  # the finders serve; an absent folder would be remarked on
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# No request or task reads a scoped model without asking who may see it.
MIDDLEWARE.insert(0, "tests.guard.ScopeGuard")
CELERY_IMPORTS = ["tests.guard"]
# No request writes to a watched table past the record.
MIDDLEWARE.append("tests.recording.RecordingGuard")
