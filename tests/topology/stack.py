"""The whole of deploy/compose.yaml without docker: Debian's nginx, pgbouncer, Redis and RabbitMQ and a stand-in of S3 on
private ports, before and below two processes of each role, which get every setting that compose gives them. nginx runs
deploy/nginx.conf itself, with only names, ports and files put in their place; pgbouncer has compose's options.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import os
import re
import ssl
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.engines import PortProgram, RedisServer, S3Server, find_program
from tests.ports import free_port
from tests.programs import Provider, Server, running
from tests.rabbitmq import RabbitMq

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
STATEMENTS_SINCE = (1, 21)
"""The first pgbouncer that carries prepared statements in transaction mode."""
UPSTREAMS = ("api1", "api2", "gateway1", "gateway2")


def read_compose() -> dict[str, Any]:
    """Return the composition."""
    read: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return read


class PgBouncer(PortProgram):
    """pgbouncer in transaction mode before a database, as compose sets it, and with prepared statements when it has them."""

    def __init__(self, folder: Path, dsn: str) -> None:
        self.port = free_port()
        parts = urlsplit(dsn)
        self.url = f"postgresql://{parts.username}@127.0.0.1:{self.port}{parts.path}"
        given = {name: values[0] for name, values in parse_qs(parts.query).items()}
        host, port = parts.hostname or given.get("host"), parts.port or given.get("port", "5432")
        target = f"host={host} port={port} dbname={parts.path[1:]} user={parts.username}"
        if parts.password:
            target += f" password={parts.password}"
        program = find_program("pgbouncer")
        self.has_statements = read_version(program) >= STATEMENTS_SINCE
        config = folder / "pgbouncer.ini"
        config.write_text(
            f"""[databases]
{parts.path[1:]} = {target}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {self.port}
unix_socket_dir =
auth_type = any
{self._options()}
log_connections = 0
log_disconnections = 0
ignore_startup_parameters = extra_float_digits
{"user = nobody" if os.geteuid() == 0 else ""}
"""
        )
        config.chmod(0o644)
        super().__init__("pgbouncer", [program, str(config)], folder, {})

    def _options(self) -> str:
        """What compose gives its pgbouncer, but for where it is and who may."""
        given = read_compose()["services"]["pgbouncer"]["environment"]
        options = {
            name.lower(): value for name, value in given.items() if not name.startswith(("DB_", "AUTH_"))
        }
        if not self.has_statements:
            del options["max_prepared_statements"]
        return "\n".join(f"{name} = {value}" for name, value in options.items())


def read_version(program: str) -> tuple[int, ...]:
    """Return pgbouncer's version, such as (1, 18, 0)."""
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"PgBouncer (\d+)\.(\d+)\.(\d+)", said)
    assert found, said
    return tuple(map(int, found.groups()))


class Nginx(PortProgram):
    """nginx with the configuration of deploy/, over TLS with a certificate of its own."""

    def __init__(self, folder: Path, ports: dict[str, int]) -> None:
        self.port = free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        self.certificate = make_certificate(folder)
        config = folder / "nginx.conf"
        config.write_text(place_config((DEPLOY / "nginx.conf").read_text(), folder, self.port, ports))
        options = "daemon off; error_log stderr;" + (" user root;" if os.geteuid() == 0 else "")
        super().__init__("nginx", [find_program("nginx"), "-c", str(config), "-g", options], folder, {})

    def tls(self) -> ssl.SSLContext:
        """What a client needs to believe it."""
        return ssl.create_default_context(cafile=self.certificate)

    async def kill(self) -> None:
        """Stop master and workers at once."""
        if not self.is_over():
            import signal

            await self.stop(signal.SIGTERM)


def place_config(text: str, folder: Path, port: int, ports: dict[str, int]) -> str:
    """Return the configuration with names, ports and files of this machine."""
    for name in UPSTREAMS:
        assert f"server {name}:8000" in text
        text = text.replace(f"server {name}:8000", f"server 127.0.0.1:{ports[name]}")
    text = text.replace("listen 443 ssl;", f"listen 127.0.0.1:{port} ssl;")
    text = text.replace("listen 80;", f"listen 127.0.0.1:{free_port()};")
    text = text.replace("/etc/nginx/tls", str(folder))
    return re.sub(r"/tmp/(nginx[\w.-]*)", rf"{folder}/\1", text)


def make_certificate(folder: Path) -> Path:
    """Write fullchain.pem and privkey.pem for this machine's loopback; return the former."""
    import ipaddress

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Parley's tests")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "fullchain.pem"
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "privkey.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return path


class Topology:
    """Everything, with a workspace; ``door`` is the address of nginx as a server to talk to."""

    def __init__(self, folder: Path, dsn: str, amqp_url: str) -> None:
        self.folder = folder
        self.redis = RedisServer(folder)
        self.bouncer = PgBouncer(folder, dsn)
        self.s3 = S3Server(folder)
        self.provider = Provider(folder)
        ports = {name: free_port() for name in UPSTREAMS}
        self.nginx = Nginx(folder, ports)
        self.settings = {
            "PARLEY_HOST": "127.0.0.1",
            "PARLEY_PUBLIC_URL": self.nginx.url,
            "PARLEY_TRUSTED_PROXIES": "127.0.0.1/32",
            "PARLEY_LOG_FORMAT": "json",
            "DATABASE_URL": self.bouncer.url,
            "DATABASE_DIRECT_URL": dsn,
            "PARLEY_DATABASE_STATEMENTS": "1" if self.bouncer.has_statements else "0",
            "REDIS_URL": self.redis.url,
            "AMQP_URL": amqp_url,
            "S3_URL": self.s3.url,
        }
        env = {**self.settings, "PARLEY_TELEGRAM_API_URL": self.provider.api_url}
        self.apis, self.gateways, self.workers = (
            [Server(folder, port=ports.get(f"{role}{n}"), role=role, **env) for n in (1, 2)]
            for role in ("api", "gateway", "worker")
        )
        self.door = Server(folder, port=self.nginx.port, verify=self.nginx.tls(), url=self.nginx.url, **env)

    @property
    def servers(self) -> list[Server]:
        """Parley's processes."""
        return [*self.apis, *self.gateways, *self.workers]


@contextlib.asynccontextmanager
async def open_topology(folder: Path, dsn: str, rabbit: RabbitMq) -> AsyncIterator[Topology]:
    """Start everything beside a broker that runs; what the test leaves must be well."""
    folder.chmod(0o755)
    stack = Topology(folder, dsn, rabbit.url)
    engines = [stack.nginx, stack.redis, stack.bouncer, stack.s3, stack.provider]
    async with running(*stack.servers, *engines):
        # nginx at once as well: every connection that others open could be from its port
        await asyncio.gather(*(engine.start() for engine in engines))
        await asyncio.gather(*(server.start() for server in stack.servers))
        # each api printed a link, of which the last one holds
        link = await stack.door.command("admin", "setup-link")
        stack.door.log_path = folder / "link"
        stack.door.log_path.write_text(link)
        await stack.door.set_up()
        yield stack
        await stack.door.require_well()
        await stack.door.http.aclose()
