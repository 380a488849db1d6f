"""What the OpenAPI document says holds for requests that nobody thought of:
no bug's answer, and no undeclared shape.
"""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

from agent_session.server import app as application
from agent_session.server.settings import Settings
from agent_session.sessions.installation import Installation
from tests.fake_engine import FakeEngine
from tests.served import Served, serving

EXAMPLES, MANY = 4, 200
"""For each endpoint; many in the night."""
CHOSEN: dict[str, Any] = {
    "deadline": None, "phases": [Phase.explicit, Phase.generate],
    "suppress_health_check": list(HealthCheck),
}  # fmt: skip


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("served") / "state", FakeEngine()) as served:
        yield served


def document() -> dict[str, object]:
    parts = application.assemble(
        Settings(), FakeEngine(), Installation(environment={}, home=Settings().server_state)
    )
    found: dict[str, object] = application.create(parts).openapi()
    return found


schema = schemathesis.openapi.from_dict(document()).exclude(path="/api/events")


@schema.parametrize()
@settings(max_examples=EXAMPLES, derandomize=True, **CHOSEN)
def test_every_answer_is_one_that_the_document_knows(case: Any, served: Served) -> None:
    check(case, served)


@pytest.mark.long
@schema.parametrize()
@settings(max_examples=MANY, **CHOSEN)
def test_so_it_is_for_many_requests(case: Any, served: Served) -> None:
    check(case, served)


def check(case: Any, served: Served) -> None:
    """Send a request, and hold what it is answered against the document."""
    headers = {"Authorization": f"Bearer {token(served)}"}
    answer = case.call(base_url=served.url, headers=headers)
    if answer.status_code in {502, 503}:  # no agent and no engine is behind it here
        return
    case.validate_response(
        answer, checks=[not_a_server_error, content_type_conformance, response_schema_conformance]
    )


def token(served: Served) -> str:
    if served.url not in TOKENS:
        TOKENS[served.url] = served.token()
    return TOKENS[served.url]


TOKENS: dict[str, str] = {}
