"""A figure is what its sound rounds show; one of which something was lost counts for nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bench.figures import Figure, Round, make_figure, read_commit, render_table, write_results


def _round(value: float = 10.0, **more: Any) -> Round:
    return Round(**{"value": value, "against_value": 20.0, "steal": 0.0, "generator_cpu": 0.25, **more})


def _figure(*rounds: Round, name: str = "send", bar: str = "< 50 ms") -> Figure:
    return make_figure(name, "ms", "bar", bar, list(rounds) or [_round() for _ in range(5)])


def _row(figure: Figure) -> str:
    table = render_table([{**msgspec.to_builtins(figure), "commit": "abc"}], "a machine")
    return next(line for line in table.splitlines() if line.startswith("| `"))


def test_a_figure_is_the_median_of_the_rounds_that_the_host_left_alone() -> None:
    figure = _figure(*(_round(value) for value in (9, 10, 11, 12, 13)), _round(1000.0, steal=0.1))
    assert (figure.value, figure.ratio, figure.rounds, figure.valid) == (11.0, 0.55, 5, True)


def test_four_sound_rounds_are_too_few() -> None:
    figure = _figure(*(_round() for _ in range(4)), _round(steal=0.5))
    assert not figure.valid
    assert "**not valid**" in _row(figure)


@pytest.mark.parametrize("fault", ["lost", "doubled", "disordered", "failed"])
def test_a_figure_with_a_fault_in_any_round_is_not_valid_and_never_met(fault: str) -> None:
    assert "< 50 ms: met" in _row(_figure())
    figure = _figure(*(_round() for _ in range(6)), _round(steal=0.5, **{fault: 1}))
    assert not figure.valid
    assert ": met" not in _row(figure)
    assert "**not valid**" in _row(figure)


@pytest.mark.parametrize(
    ("bar", "verdict"),
    [
        ("< 10 ms", "**missed**"),
        ("<= 10 ms", "met"),
        ("ratio >= 0.5", "met"),
        ("ratio >= 0.51", "**missed**"),
    ],
)
def test_a_bar_is_held_against_the_value_or_the_ratio(bar: str, verdict: str) -> None:
    assert f"| {bar}: {verdict} |" in _row(_figure(bar=bar))


def test_the_table_tells_the_generators_share_of_a_core() -> None:
    assert "| 25% |" in _row(_figure())


def test_the_results_have_a_commit_only_when_all_figures_share_it(tmp_path: Path) -> None:
    path = tmp_path / "latest.json"
    write_results([_figure(name="one"), _figure(name="other")], tmp_path)
    found = json.loads(path.read_text())
    assert found["commit"] == read_commit()

    found["figures"][0]["commit"] = "of-last-week"
    path.write_text(json.dumps(found))
    write_results([_figure(name="other")], tmp_path)
    found = json.loads(path.read_text())
    assert found["commit"] == "mixed"
    assert [(item["name"], item["commit"]) for item in found["figures"]] == [
        ("one", "of-last-week"),
        ("other", read_commit()),
    ]

    write_results([_figure(name="one")], tmp_path)
    assert json.loads(path.read_text())["commit"] == read_commit()
