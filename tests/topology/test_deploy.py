"""deploy/: what stands there can be read by what reads it, and names only what exists."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from parley.infra.settings import describe_settings
from tests.engines import find_program
from tests.programs import free_port
from tests.topology.stack import DEPLOY, UPSTREAMS, make_certificate, place_config


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """The composition."""
    read: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return read


def test_there_are_two_processes_of_every_role_and_every_engine(compose: dict[str, Any]) -> None:
    services = compose["services"]
    for role in ("api", "gateway", "worker"):
        assert [services[f"{role}{n}"]["command"] for n in (1, 2)] == [[role], [role]]
    assert {"nginx", "postgres", "pgbouncer", "redis", "rabbitmq", "s3"} <= services.keys()
    for service in services.values():
        assert "image" in service or "build" in service
        needed = service.get("depends_on", [])
        assert set(needed) <= services.keys()


def test_every_setting_is_known_and_every_variable_is_in_the_example(compose: dict[str, Any]) -> None:
    known = {row["variable"] for row in describe_settings()}
    assert compose["x-parley"]["environment"].keys() <= known
    used = set(re.findall(r"\$\{(\w+)", (DEPLOY / "compose.yaml").read_text()))
    assert used == set(re.findall(r"^(\w+)=", (DEPLOY / "env.example").read_text(), re.MULTILINE))


def test_volumes_and_services_named_in_addresses_exist(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            assert source.startswith("./") or source in compose["volumes"]
    hosts = re.findall(r"@(\w+):\d+", str(compose["x-parley"]["environment"]))
    assert set(hosts) <= compose["services"].keys()


def test_nginx_takes_its_configuration(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    make_certificate(tmp_path)
    config = tmp_path / "nginx.conf"
    ports = {name: free_port() for name in UPSTREAMS}
    config.write_text(place_config((DEPLOY / "nginx.conf").read_text(), tmp_path, free_port(), ports))
    done = subprocess.run(
        [find_program("nginx"), "-t", "-c", str(config), "-g", "error_log stderr;"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "[warn]" not in done.stderr.replace('the "user" directive makes sense only', "")


def test_the_image_copies_what_is_there_and_runs_as_nobody_special() -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    for path in re.findall(r"-r (requirements/\S+)", text):
        assert (DEPLOY.parent / path).exists()
    assert "USER parley" in text
    assert 'ENTRYPOINT ["parley"]' in text
