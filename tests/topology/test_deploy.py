"""deploy/: what stands there can be read by what reads it, and names only what exists."""

from __future__ import annotations

import ipaddress
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from parley.infra.settings import describe_settings, load_settings
from parley.kit.ids import public_id, uuid7
from tests.engines import find_program
from tests.ports import free_port
from tests.topology.stack import DEPLOY, UPSTREAMS, Topology, make_certificate, place_config, read_compose


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """The composition."""
    return read_compose()


def read_example(name: str) -> dict[str, str]:
    """Return the variables of an example, also those behind a #."""
    return dict(re.findall(r"^#?([A-Z_0-9]+)=(.*)$", (DEPLOY / name).read_text(), re.MULTILINE))


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
    assert used == read_example("env.example").keys()


def test_parley_takes_compose_settings_with_all_that_an_operator_may_add(compose: dict[str, Any]) -> None:
    given = {
        name: re.sub(r"\$\{\w+(?::[?-](\w*))?\}", lambda found: found[1] or "x", value)
        for name, value in compose["x-parley"]["environment"].items()
    }
    example = read_example("parley.env.example")
    assert example.keys() <= {row["variable"] for row in describe_settings()}
    assert not example.keys() & given.keys(), "what compose gives wins"
    of_the_image = {
        "PARLEY_HOST",
        "PARLEY_PORT",
        "PARLEY_DATA_DIR",
        "PARLEY_BUS",
        "PARLEY_SANDBOX",
        "PARLEY_STOCK_FANOUT",
    }
    left_out = {row["variable"] for row in describe_settings()} - example.keys() - given.keys()
    assert left_out <= of_the_image, "a new setting belongs into deploy/parley.env.example"
    workspace = public_id("ws", uuid7())
    own = {"PARLEY_SMS_KEY": "k", "PARLEY_PHONE_WORKSPACE": workspace, "PARLEY_CHATAPP_WORKSPACE": workspace}
    settings = load_settings({**example, **given, "PARLEY_PUBLIC_URL": "https://desk.example.org", **own})
    assert (settings.sms_provider, settings.chatapp, settings.keeps_statements) == ("smsru", True, False)
    assert compose["x-parley"]["env_file"] == [{"path": "parley.env", "required": False}]


def test_the_tests_give_their_processes_every_setting_that_compose_does(
    compose: dict[str, Any], tmp_path: Path, database_url: str
) -> None:
    stack = Topology(tmp_path, database_url, "amqp://broker")
    assert stack.settings.keys() == compose["x-parley"]["environment"].keys()


def test_images_are_pinned_and_what_nginx_knows_by_name_keeps_its_address(compose: dict[str, Any]) -> None:
    services = compose["services"]
    for service in services.values():
        if "build" not in service:
            assert re.fullmatch(r"[\w/]+:(?!latest)[\w.-]+", service["image"])
    [network] = compose["networks"]["default"]["ipam"]["config"]
    given_out = ipaddress.ip_network(network["ip_range"])
    addresses = {
        ipaddress.ip_address(services[name]["networks"]["default"]["ipv4_address"]) for name in UPSTREAMS
    }
    assert len(addresses) == len(UPSTREAMS)
    for address in addresses:
        assert address in ipaddress.ip_network(network["subnet"])
        assert address not in given_out
        assert str(address) != network["gateway"]


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
