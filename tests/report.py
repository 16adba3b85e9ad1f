"""The report of `make long`: what every long test did and saw, written to docs/reports/chaos.md.

A test asks for the fixture `figures` and calls it once with what it counted; outcome and duration are added here. The
report is written when all long tests ran (`-m long`, no path given), and shows failures as well.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from bench.figures import describe_machine, read_commit

REPORT = Path(__file__).resolve().parent.parent / "docs" / "reports" / "chaos.md"
PROPERTY = "figures"

_found: list[tuple[str, str, float, Figures | None]] = []


@dataclasses.dataclass(frozen=True, kw_only=True)
class Figures:
    """What a test counted: messages sent, acknowledged and seen by readers, what was wrong with them, and what was done
    to the system. None: does not apply."""

    sent: int | None = None
    acknowledged: int | None = None
    seen: int | None = None
    lost: int | None = None
    doubled: int | None = None
    disordered: int | None = None
    faults: str


def compare(sent: Sequence[str], found: Sequence[str]) -> dict[str, int]:
    """Count what of one sender's texts is lost, doubled, and standing behind one that was sent later."""
    place = {text: number for number, text in enumerate(sent)}
    order = [place[text] for text in found if text in place]
    return {
        "lost": len(set(sent) - set(found)),
        "doubled": len(found) - len(set(found)),
        "disordered": sum(later < earlier for earlier, later in itertools.pairwise(order)),
    }


def short_and_long(names: str, short: Any, long: Any) -> pytest.MarkDecorator:
    """Have one test run with little work in `make test` and with much in `make long`: `short_and_long("rounds", 1, 20)`."""
    params = (
        pytest.param(*_tuple(short), id="short"),
        pytest.param(*_tuple(long), id="long", marks=pytest.mark.long),
    )
    return pytest.mark.parametrize(names, params)


def _tuple(values: Any) -> tuple[Any, ...]:
    return values if isinstance(values, tuple) else (values,)


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Note what a test counted: `figures(sent=..., lost=..., faults="20 x kill -9")`."""

    def note(**counted: Any) -> None:
        # not record_property, which refuses to work beside --junitxml
        request.node.user_properties.append((PROPERTY, dataclasses.asdict(Figures(**counted))))

    return note


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Keep what a test said, and how it ended."""
    if report.when == "call" or (report.when == "setup" and not report.passed):
        counted = dict(report.user_properties).get(PROPERTY)
        _found.append(
            (report.nodeid, report.outcome, report.duration, Figures(**counted) if counted else None)
        )


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the report, when all long tests ran."""
    config = session.config
    is_all = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    if config.option.markexpr == "long" and is_all and _found and not hasattr(config, "workerinput"):
        REPORT.parent.mkdir(exist_ok=True)
        REPORT.write_text(render(read_commit(), describe_machine()))


def render(commit: str, machine: str) -> str:
    """Return the report as Markdown."""
    failed = sum(outcome == "failed" for _, outcome, _, _ in _found)
    minutes = sum(duration for _, _, duration, _ in _found) / 60
    lines = [
        "# Chaos, the long way",
        "",
        f"Commit `{commit}`. Machine: {machine}.",
        f"Written by `make long`: {len(_found)} tests in {minutes:.0f} minutes, {failed} failed.",
        "",
        "| test | | s | sent | acknowledged | seen | lost | doubled | disordered | what was done |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|---|",
    ]
    for nodeid, outcome, duration, counted in sorted(_found, key=lambda found: found[0]):
        name = nodeid.partition("::")[2].removeprefix("test_").replace("_", " ")
        values = dataclasses.astuple(counted) if counted else ("",) * 7
        cells = ["" if value is None else str(value) for value in values]
        lines.append(f"| {name} | {outcome} | {duration:.0f} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, ""])
