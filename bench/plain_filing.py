"""The floor of filing: a Django view with nothing around it and one statement written by hand.

Behind the same server, with the same driver and the same settings of the database. The statement stores a
filed problem in the portal's own table, with all its indexes and constraints.
"""

import uuid

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.urls import path

from portal.settings import DATABASES

COLUMNS: dict[str, str] = {}


def statement() -> str:
    """INSERT of a row like the last one filed, under an address and a number of its own."""
    with connection.cursor() as cursor:
        table = connection.introspection.get_table_description(cursor, "projects_bottleneck")
        cursor.execute("SELECT MAX(id) FROM projects_bottleneck WHERE status = 'submitted'")
        (pattern,) = cursor.fetchone()
    names = [f'"{column.name}"' for column in table if column.name not in ("id", "public_id", "code")]
    rest = ", ".join(names)
    return (
        f"INSERT INTO projects_bottleneck (public_id, code, {rest})"
        f" SELECT %s, %s, {rest} FROM projects_bottleneck WHERE id = {pattern}"
    )


def file(request: HttpRequest) -> HttpResponse:
    if not COLUMNS:
        COLUMNS["statement"] = statement()
    key = uuid.uuid4().hex
    with connection.cursor() as cursor:
        cursor.execute(COLUMNS["statement"], [key, f"PLAIN-{key[:20]}"])
    return HttpResponse(status=204)


urlpatterns = [path("file", file)]
settings.configure(DATABASES=DATABASES, ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], USE_TZ=True)
django.setup()
application = get_wsgi_application()
