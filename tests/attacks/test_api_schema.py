"""Schemathesis against the schema of the API: whatever fits or breaks it, no server error and only answers
that the schema describes."""

from collections.abc import Iterator

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, transaction
from django.test import Client
from hypothesis import HealthCheck, Phase, given, settings
from rest_framework.authtoken.models import Token
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.factories import Cast
from tests.worlds import world

pytestmark = pytest.mark.django_db
CHECKS = [not_a_server_error, content_type_conformance, response_schema_conformance, status_code_conformance]
EXAMPLES = 12


@world
def cast() -> Cast:
    people = Cast()
    people.bring_to("dispatched")
    people.filed()
    return people


@pytest.fixture(autouse=True)
def one_connection() -> Iterator[None]:
    """The application would close the test's connection after a request, as the test client takes care of."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield
    for signal in signals:
        signal.connect(close_old_connections)


@pytest.fixture
def tokens(cast: Cast) -> Iterator[dict[str, str]]:
    people = {"officer": cast.city_officer, "filer": cast.filer}
    yield {name: Token.objects.create(user=person).key for name, person in people.items()}


@pytest.mark.parametrize("person", ["officer", pytest.param("filer", marks=pytest.mark.any_database)])
def test_whatever_is_asked_is_answered_as_described(person: str, tokens: dict[str, str]) -> None:
    application = get_wsgi_application()
    schema = schemathesis.openapi.from_wsgi("/api/v1/schema/", application)
    headers = {"Authorization": f"Token {tokens[person]}"}
    tried = 0
    for result in schema.get_all_operations():
        operation = result.ok()

        @given(case=operation.as_strategy())
        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        def ask(case: schemathesis.Case) -> None:
            with transaction.atomic():
                case.call_and_validate(headers=headers, checks=CHECKS)
                transaction.set_rollback(True)

        ask()
        tried += 1
    assert tried > 20


def test_the_schema_lies_open(client: Client) -> None:
    assert client.get("/api/v1/schema/").status_code == 200
