"""The floor of list_page and api_page: the same WHERE by hand, two statements and JSON.

A WSGI application without framework and login. `scope` is the path of a bureau; without it all rows count.
"""

import os
import sqlite3
import threading
from collections.abc import Callable, Iterable
from urllib.parse import parse_qsl

import orjson
import psycopg

URL = os.environ["DATABASE_URL"]
IS_SQLITE = URL.startswith("sqlite:///")
MARK = "?" if IS_SQLITE else "%s"
COLUMNS = {
    "/list": "o.uscc, o.name, b.short_name, o.size, o.status, o.tags, o.founded_on",
    "/api": """o.uscc, o.name, o.legal_form, b.code AS bureau, b.short_name AS bureau_name,
        r.code AS registered_division, p.code AS operating_division, o.address, o.founded_on, o.gbt4754_class,
        o.size, o.tags, o.annual_output, o.employees, o.status, o.source""",
}
DIVISIONS = """LEFT JOIN enterprises_division r ON r.id = o.registered_division_id
    LEFT JOIN enterprises_division p ON p.id = o.operating_division_id"""
kept = threading.local()


def connection() -> sqlite3.Connection | psycopg.Connection:
    """One for each thread, as Django has it."""
    if not hasattr(kept, "connection"):
        if IS_SQLITE:
            kept.connection = sqlite3.connect(URL.removeprefix("sqlite:///"))
            kept.connection.execute("PRAGMA cache_size=-65536")
            kept.connection.execute("PRAGMA mmap_size=268435456")
        else:
            kept.connection = psycopg.connect(URL, autocommit=True)
    return kept.connection


def application(environ: dict[str, str], start_response: Callable[..., object]) -> Iterable[bytes]:
    asked = dict(parse_qsl(environ["QUERY_STRING"]))
    where, values = f"o.status = {MARK} AND o.size = {MARK}", [asked["status"], asked["size"]]
    if "scope" in asked:
        where += f" AND b.path LIKE {MARK}"
        values.append(f"{asked['scope']}%")
    rows = "FROM enterprises_organization o JOIN enterprises_bureau b ON b.id = o.bureau_id"
    count = connection().execute(f"SELECT COUNT(*) {rows} WHERE {where}", values).fetchall()[0][0]
    divisions = DIVISIONS if environ["PATH_INFO"] == "/api" else ""
    columns = COLUMNS[environ["PATH_INFO"]]
    order = "ORDER BY o.name, o.id LIMIT 50"
    page = connection().execute(f"SELECT {columns} {rows} {divisions} WHERE {where} {order}", values)
    names = [column[0] for column in page.description or ()]
    results = [dict(zip(names, row, strict=True)) for row in page]
    body = orjson.dumps({"count": count, "results": results}, default=str)
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
