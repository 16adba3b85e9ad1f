"""Who measures stands on a core of its own, or everything measured is a share of one."""

from __future__ import annotations

import subprocess
import sys

import pytest

from bench.machine import OTHER_CORE, SERVER_CORE
from tests.database import ROOT

# In a process of its own: the one that runs the tests has servers among its children.
_MEASURING = """
import os, subprocess, sys
from bench.machine import SERVER_CORE, pin, pin_generator
with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as server:
    pin(server.pid, SERVER_CORE)
    pin_generator()
    print(*os.sched_getaffinity(server.pid), *os.sched_getaffinity(0))
    pin(os.getpid(), SERVER_CORE)
    print(*os.sched_getaffinity(server.pid), *os.sched_getaffinity(0))
    server.communicate(b"\\n")
"""


@pytest.mark.skipif(SERVER_CORE == OTHER_CORE, reason="one core alone")
def test_the_generator_leaves_the_server_it_has_started_on_its_core() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _MEASURING], cwd=ROOT, capture_output=True, text=True, check=True
    )
    alone, whole = done.stdout.splitlines()
    assert alone == f"{SERVER_CORE} {OTHER_CORE}"
    assert whole == f"{SERVER_CORE} {SERVER_CORE}", "whoever is pinned whole takes its children along"
