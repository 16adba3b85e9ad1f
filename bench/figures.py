"""A figure: what was measured, against what, and whether the rounds count."""

from __future__ import annotations

import json
import os
import platform
import re
import statistics
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

RESULTS = Path(__file__).parent / "results"
STEAL_LIMIT = 0.10
"""A round during which the host took more than this share of the CPU does not count."""
MIN_ROUNDS = 5


class Round(msgspec.Struct, kw_only=True):
    """One pair of measurements, taken one after the other."""

    value: float
    against_value: float
    steal: float
    generator_cpu: float
    lost: int = 0
    doubled: int = 0
    disordered: int = 0
    failed: int = 0


class Figure(msgspec.Struct, kw_only=True):
    """A figure as it is written; ``ratio`` is the median of the rounds' ratios."""

    name: str
    value: float
    unit: str
    against: str
    against_value: float
    ratio: float
    bar: str
    rounds: int
    valid: bool
    lost: int
    doubled: int
    disordered: int
    generator_cpu: float
    notes: str = ""


def make_figure(name: str, unit: str, against: str, bar: str, rounds: list[Round], notes: str = "") -> Figure:
    """Judge rounds: the median of those with little steal.

    Valid with at least `MIN_ROUNDS` of them, when nothing was lost, doubled or disordered and no request failed.
    """
    good = [item for item in rounds if item.steal < STEAL_LIMIT]
    used = good or rounds
    lost, doubled, disordered, failed = (
        sum(getattr(item, kind) for item in rounds) for kind in ("lost", "doubled", "disordered", "failed")
    )
    if failed:
        notes = f"{notes} {failed} requests failed.".strip()
    return Figure(
        name=name,
        value=_rounded(statistics.median(item.value for item in used)),
        unit=unit,
        against=against,
        against_value=_rounded(statistics.median(item.against_value for item in used)),
        ratio=round(statistics.median(item.value / item.against_value for item in used), 3),
        bar=bar,
        rounds=len(good),
        valid=len(good) >= MIN_ROUNDS and not (lost or doubled or disordered or failed),
        lost=lost,
        doubled=doubled,
        disordered=disordered,
        generator_cpu=round(statistics.median(item.generator_cpu for item in used), 2),
        notes=notes,
    )


def is_met(figure: Mapping[str, object]) -> bool:
    """Whether a figure keeps its bar, such as ``ratio >= 0.5`` or ``< 60 kB``."""
    match = re.match(r"(ratio )?(<=|>=|<) ([\d.]+)", str(figure["bar"]))
    assert match is not None, figure["bar"]
    value, bar = float(str(figure["ratio" if match[1] else "value"])), float(match[3])
    return {"<": value < bar, "<=": value <= bar, ">=": value >= bar}[match[2]]


def _rounded(value: float) -> float:
    """To a tenth, or to three digits what is smaller than ten."""
    return round(value, 1) if value >= 10 else float(f"{value:.3g}")


def describe_machine() -> str:
    """Return CPU, memory and kernel of this machine in one line."""
    model = next(
        (
            line.split(":")[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.processor(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} x {model}, {memory:.0f} GiB, Linux {platform.release()}, Python {platform.python_version()}"


def read_commit() -> str:
    """Return the commit measured, marked when the tree is not clean; what measuring itself writes does not count."""
    root = Path(__file__).parent.parent
    run = ["git", "-C", str(root)]
    commit = subprocess.run(
        [*run, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=False
    )
    dirty = subprocess.run(
        [*run, "status", "--porcelain", "--", ".", ":!bench/results", ":!docs/reports"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    return (commit.stdout.strip() or "unknown") + ("-dirty" if dirty else "")


def write_results(figures: list[Figure], folder: Path = RESULTS) -> None:
    """Merge figures into `latest.json` by name and write the table beside it.

    Each figure has the commit it was measured at; the file has one when all share it, else "mixed".
    """
    path = folder / "latest.json"
    known: dict[str, dict[str, object]] = {}
    if path.exists():
        known = {item["name"]: item for item in json.loads(path.read_text())["figures"]}
    commit, machine = read_commit(), describe_machine()
    known |= {figure.name: {**msgspec.to_builtins(figure), "commit": commit} for figure in figures}
    merged = sorted(known.values(), key=lambda item: str(item["name"]))
    shared = commit if all(item["commit"] == commit for item in merged) else "mixed"
    path.write_text(json.dumps({"commit": shared, "machine": machine, "figures": merged}, indent=1) + "\n")
    (folder / "latest.md").write_text(render_table(merged, machine))


def render_table(figures: Sequence[Mapping[str, object]], machine: str) -> str:
    """Return the figures as Markdown, with what else was seen below the table."""
    rows = [
        "| figure | value | against | ratio | bar | rounds | lost / doubled / disordered | generator | commit |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for item in figures:
        verdict = "**not valid**" if not item["valid"] else "met" if is_met(item) else "**missed**"
        rows.append(
            f"| `{item['name']}` | {item['value']} {item['unit']} | {item['against_value']} ({item['against']}) "
            f"| **{item['ratio']}** | {item['bar']}: {verdict} | {item['rounds']} "
            f"| {item['lost']} / {item['doubled']} / {item['disordered']} | {item['generator_cpu']:.0%} | {item['commit']} |"
        )
    notes = [f"- `{item['name']}`: {item['notes']}" for item in figures if item["notes"]]
    head = f"# Measurements\n\nMachine: {machine}. Made by `make bench`. Generator: the CPU its processes took, of one core.\n\n"
    return head + "\n".join([*rows, "", *notes]) + "\n"
