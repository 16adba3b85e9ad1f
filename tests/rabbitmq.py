"""A real RabbitMQ of the tests' own: private ports, node name, cookie and data, gone with the test run."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ports import free_port

SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
"""Debian's; the one on the PATH becomes another user first."""
USER, PASSWORD = "parley-tests", "a-broker-password-4711"
READY_SECONDS = 90.0


class RabbitMq:
    """One broker. Started, stopped, killed and started again on the same data."""

    def __init__(self, folder: Path) -> None:
        if not SERVER.exists():
            pytest.fail("RabbitMQ is not installed: python3 scripts/system_packages.py")
        self.port = free_port()
        self._folder = folder
        self._epmd: subprocess.Popen[bytes] | None = None
        self._server: subprocess.Popen[bytes] | None = None
        self._epmd_port = free_port()
        config = folder / "rabbitmq.conf"
        config.write_text(f"default_user = {USER}\ndefault_pass = {PASSWORD}\nloopback_users = none\n")
        self._env = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"parley{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_PID_FILE": str(folder / "pid"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_CONFIG_FILE": str(config),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "none"),
            # two schedulers: the machine has other things to do
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none",
        }

    @property
    def url(self) -> str:
        """Where it is, for AMQP_URL."""
        return self.url_of(USER, PASSWORD)

    def url_of(self, user: str, password: str, port: int | None = None, path: str = "/") -> str:
        """The same for another user, through another port, or of another virtual host."""
        return f"amqp://{user}:{password}@127.0.0.1:{port or self.port}{path}"

    def start(self) -> None:
        """Start, and wait until it takes connections."""
        if self._epmd is None:
            epmd = shutil.which("epmd") or "epmd"
            self._epmd = subprocess.Popen(
                [epmd, "-address", "127.0.0.1"], env=self._env, start_new_session=True
            )
        with (self._folder / "server.log").open("ab") as log:
            self._server = subprocess.Popen(
                [SERVER],
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        end = time.monotonic() + READY_SECONDS
        while not self._answers():
            if self._server.poll() is not None or time.monotonic() > end:
                pytest.fail(f"RabbitMQ did not start:\n{(self._folder / 'server.log').read_text()[-3000:]}")
            time.sleep(0.1)

    def kill(self) -> None:
        """End it without warning."""
        self._end(self._server)
        self._server = None

    def end(self) -> None:
        """End everything that was started."""
        self.kill()
        self._end(self._epmd)
        self._epmd = None

    def control(self, *arguments: str) -> None:
        """Run rabbitmqctl."""
        command = [str(SERVER.with_name("rabbitmqctl")), "-q", *arguments]
        subprocess.run(command, env=self._env, check=True, capture_output=True, timeout=60)

    def _answers(self) -> bool:
        """Whether it greets: a socket is open some time before that."""
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as probe:
            probe.settimeout(2)
            probe.sendall(b"AMQP\x00\x00\x09\x01")
            return probe.recv(1) == b"\x01"
        return False

    @staticmethod
    def _end(process: subprocess.Popen[bytes] | None) -> None:
        if process is None:
            return
        # the server is a shell and a child; both are in a group of their own
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture(scope="session")
def rabbit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitMq]:
    """A broker; tests that use it are of the xdist group ``rabbitmq``, so that a run has one."""
    broker = RabbitMq(tmp_path_factory.mktemp("rabbitmq"))
    try:
        broker.start()
        yield broker
    finally:
        broker.end()
