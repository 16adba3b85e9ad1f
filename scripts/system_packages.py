"""What tests use of the machine: Redis, RabbitMQ, nginx, pgbouncer and a browser. Installed by apt where we may, else named."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

PROGRAMS = {
    "redis-server": ("redis-server",),
    "rabbitmq-server": ("rabbitmq-server",),
    "nginx-light": ("nginx",),
    "pgbouncer": ("pgbouncer",),
    "chromium": ("chromium", "chromium-browser", "google-chrome"),
}
"""Debian's package, and the programs of which one is enough."""


def find(program: str) -> str | None:
    """Return where a program lies; servers are kept where a user's path does not lead."""
    return shutil.which(program) or shutil.which(program, path="/usr/sbin:/usr/local/sbin")


def main() -> None:
    """Install what is missing; leave with code 1 and the command to type when we cannot."""
    missing = [package for package, programs in PROGRAMS.items() if not any(map(find, programs))]
    if not missing:
        return
    command = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *missing]
    if os.geteuid() == 0 and shutil.which("apt-get"):
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        subprocess.call(["apt-get", "update", "-q"], env=environment, stdout=subprocess.DEVNULL)
        # No daemon is to start beside the tests' own.
        if subprocess.call(command, env=environment | {"RUNLEVEL": "1"}, stdout=subprocess.DEVNULL) == 0:
            return
    sys.exit(
        f"The tests need {' and '.join(missing)}, which this machine lacks. As root:\n  {' '.join(command)}"
    )


if __name__ == "__main__":
    main()
