"""From a fresh clone to a running Parley: `python3 scripts/bootstrap.py run` (what `make run` calls).

    run     make .venv, install, build the front ends, then become `parley serve`
    ready   the same without starting
    dev     what tests and checks need besides

Everything is stamped by content: the second time there is nothing to do.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

OLDEST_PYTHON = (3, 11)


def find_newer_python() -> str:
    """Return a Python that is new enough, or leave with what to install."""
    for minor in range(14, OLDEST_PYTHON[1] - 1, -1):
        path = shutil.which("python3.%d" % minor)  # noqa: UP031 - an old Python reads this file
        if path:
            return path
    sys.exit("Parley needs Python 3.11 or newer and this is %s.%s.\nDebian 12, Ubuntu 24.04 or newer:  "  # noqa: UP031
             "apt install python3 python3-venv" % sys.version_info[:2])  # fmt: skip


def main() -> None:
    """Do what the command line says."""
    if sys.version_info < OLDEST_PYTHON:
        python = find_newer_python()
        os.execv(python, [python, *sys.argv])
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    from frontend import ensure_front_ends, ensure_packages
    from installing import VENV, ensure_parley, ensure_requirements

    command = sys.argv[1] if len(sys.argv) > 1 else "run"
    if command == "dev":
        ensure_requirements("dev")
        ensure_parley()
        ensure_packages("web")
        ensure_packages("tests/realtime/js")
        ensure_front_ends()
        return
    ensure_requirements("run")
    ensure_parley()
    ensure_front_ends()
    if command == "run":
        parley = VENV / "bin" / "parley"
        os.execv(parley, [str(parley), "serve", *sys.argv[2:]])


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
