"""The OpenAPI document held against the running program by schemathesis: what is sent follows it, or just does not.

No 5xx; statuses, content types and bodies as the document says, which for whatever goes wrong is the one error shape;
other methods refused; what breaks the document's own rules not taken. Half of the requests name real things of a
furnished workspace, so that they get beyond "not found".
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import hypothesis
import pytest
import requests
import schemathesis
from anyio import to_thread
from hypothesis import HealthCheck, Phase
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import CHECKS
from schemathesis.core.failures import FailureGroup
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import AcceptedNegativeData

from tests.database import TestDatabases
from tests.hostile.wire import require_calm
from tests.house import Person, open_house
from tests.isolation.furnished import Furnished, furnish
from tests.programs import Server

pytestmark = [pytest.mark.anyio, pytest.mark.xdist_group("hostile_api")]

SEED = 20261121
NAMES = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
    "unsupported_method",
    "negative_data_rejection",
)
ENDS_THE_SESSION = {("post", "/v1/auth/sign-out"), ("delete", "/v1/sessions/{session_id}")}
"""Sent without a token, as the rest would say nothing but 401 behind it."""


@dataclasses.dataclass(frozen=True)
class Scene:
    """A furnished program and its document."""

    server: Server
    furnished: Furnished
    bot: Person
    document: dict[str, Any]


@pytest.fixture(scope="module")
def dsn(databases: TestDatabases) -> Iterator[str]:
    """A database for this file."""
    with databases.fresh() as made:
        yield made


@pytest.fixture(scope="module")
async def scene(dsn: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    """A program over a database with a furnished workspace in it."""
    folder = tmp_path_factory.mktemp("api")
    (folder / "data").mkdir(mode=0o700)
    async with open_house(dsn, folder / "data", sandbox=False) as house:
        furnished = await furnish(house, "Quokka")
        bot = await furnished.place.bot("Scripted", "chat")
    server = Server(folder, PARLEY_SANDBOX="false", DATABASE_URL=dsn)
    try:
        await server.start()
        document = (await server.http.get("/openapi.json")).json()
        yield Scene(server, furnished, bot, document)
    finally:
        server.show()
        await server.end()


def throw_at(scene: Scene, token: str, *, examples: int, seed: int) -> dict[str, str]:
    """Send so many requests to every operation, by the document and against it; return what was amiss, once each."""
    schema = schemathesis.openapi.from_dict(scene.document)
    found: dict[str, str] = {}
    with requests.Session() as session:
        session.trust_env = False
        for result in schema.get_all_operations():
            operation = result.ok()
            is_closing = (operation.method, operation.path) in ENDS_THE_SESSION
            headers = {} if is_closing else {"Authorization": f"Bearer {token}"}
            for mode in GenerationMode:
                send = _sender(scene, operation, mode, session, headers, found)
                cases = operation.as_strategy(generation_mode=mode)
                with contextlib.suppress(Unsatisfiable):  # nothing is wrong with a request that takes nothing
                    _many(examples, seed)(hypothesis.given(cases, st.booleans())(send))()
        alive = session.get(f"{scene.server.url}/v1/me", headers={"Authorization": f"Bearer {token}"})
        assert alive.status_code == 200, "what came last was refused only for its token"
    return found


def _many(examples: int, seed: int) -> Callable[[Any], Any]:
    settings = hypothesis.settings(
        max_examples=examples, database=None, deadline=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    return lambda test: hypothesis.seed(seed)(settings(test))


def _sender(
    scene: Scene,
    operation: Any,
    mode: GenerationMode,
    session: requests.Session,
    headers: dict[str, str],
    found: dict[str, str],
) -> Callable[[Any, bool], None]:
    checks = [CHECKS.get_one(name) for name in NAMES]

    def send(case: Any, is_real: bool) -> None:
        if is_real and case.path_parameters and mode is GenerationMode.POSITIVE:
            case.path_parameters = {**case.path_parameters, **_real(scene, case.path_parameters)}
        try:
            case.call_and_validate(base_url=scene.server.url, headers=headers, session=session, checks=checks)
        except FailureGroup as group:
            for failure in group.exceptions:
                if not _is_harmless(failure):
                    key = f"{operation.label}: {failure.title}: {str(failure)[:120]}"
                    found.setdefault(key, f"{key}\n{case.as_curl_command()[-900:]}\n{str(failure)[:900]}")

    return send


def _is_harmless(failure: BaseException) -> bool:
    """What more is in a query than is known is left aside, of a name said twice the last counts, and sizes are bounded."""
    if not isinstance(failure, AcceptedNegativeData):
        return False
    if failure.status_code in (413, 431):  # too large in any form
        return True
    told = [line for line in str(failure).splitlines() if line.startswith("  - ")]
    ours = [line for line in told if "was Authorization" not in line]  # which is sent all the same
    return all(line.startswith("  - query:") and "additionalProperties" in line for line in ours)


def _real(scene: Scene, asked: dict[str, Any]) -> dict[str, str]:
    return {name: scene.furnished.ids[name] for name in asked if name in scene.furnished.ids}


def throw_all(scene: Scene, *, examples: int, seed: int) -> str:
    """As an agent, with an API key of one scope, and last, since nothing is safe from one, as an owner."""
    people = (scene.furnished.agent, scene.bot, scene.furnished.owner)
    return "\n\n".join(
        line
        for person in people
        for line in throw_at(scene, person.token, examples=examples, seed=seed).values()
    )


async def test_requests_by_the_document_and_against_it_are_answered_by_the_document(scene: Scene) -> None:
    found = await to_thread.run_sync(lambda: throw_all(scene, examples=3, seed=SEED))
    assert not found, found
    require_calm(scene.server)


@pytest.mark.long
async def test_thousands_of_requests_are_answered_by_the_document(scene: Scene) -> None:
    found = await to_thread.run_sync(lambda: throw_all(scene, examples=60, seed=SEED + 1))
    assert not found, found
    require_calm(scene.server)
