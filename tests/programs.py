"""Whole programs under test: a Parley server and a stand-in provider, each a process of its own on a private port.

A server can be killed without warning and started again on the same port and data; the provider lives on. What they
print is shown when the test fails.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import re
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncpg
import httpx2

from parley.apps.doctor import examine
from parley.infra.postgres import EmbeddedPostgres
from parley.infra.settings import load_settings
from parley.kit.ids import parse_id
from tests.ports import free_port
from tests.unfiltered import VARIABLE

READY_SECONDS = 90.0
"""The first start of an embedded database on a busy machine."""
LOG_SHOWN = 6000
"""Characters of a program's log that a failing test shows."""
PASSWORD = "correct horse battery"  # a test's
PARLEY = (
    [sys.executable, str(Path(__file__).with_name("unfiltered.py"))]
    if os.environ.get(VARIABLE)
    else [str(Path(sys.executable).with_name("parley"))]
)
"""How the program is started; without its filter of workspaces if these tests run so."""
LEASE_SECONDS = 3
"""Leases of killed servers run out soon, so that tests need not wait long."""

Json = Any


async def eventually(
    look: Callable[[], Awaitable[Any]], seconds: float = 60.0, pause_seconds: float = 0.05
) -> Any:
    """Return the first truthy answer of ``look``. Raises: AssertionError with its last answer when time is up."""
    end = time.monotonic() + seconds
    while True:
        found = await look()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"still {found!r} after {seconds} s")
        await asyncio.sleep(pause_seconds)


class Program:
    """One process: started, waited for, stopped or killed."""

    def __init__(self, name: str, command: list[str], folder: Path, env: dict[str, str]) -> None:
        self.name = name
        self.log_path = folder / f"{name}.log"
        self._command = command
        self._env = {
            **{
                key: value
                for key, value in os.environ.items()
                if not key.startswith(("PARLEY_", "DATABASE_", "REDIS_", "S3_", "AWS_", "AMQP_"))
            },
            **env,
        }
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        """The id of the running process."""
        assert self._process is not None
        return self._process.pid

    async def launch(self) -> None:
        """Start the process; it is not ready yet."""
        with self.log_path.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command, env=self._env, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log
            )

    async def kill(self) -> None:
        """End it without warning."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def stop(self, signal_number: int = signal.SIGINT, seconds: float = 40.0) -> int:
        """Ask it to stop, as Ctrl-C does; return its exit code. Repeat: the same code."""
        assert self._process is not None
        if self._process.returncode is None:
            self._process.send_signal(signal_number)
            async with asyncio.timeout(seconds):
                await self._process.wait()
        assert self._process.returncode is not None
        return self._process.returncode

    async def end(self) -> None:
        """End it for good, with what it leaves behind."""
        await self.kill()

    def is_over(self) -> bool:
        """Whether the process has ended."""
        return self._process is None or self._process.returncode is not None

    def log(self) -> str:
        """Return what it has printed so far."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def show(self) -> None:
        """Print the end of its log; pytest keeps that for a failing test."""
        print(f"--- {self.name}\n{self.log()[-LOG_SHOWN:]}")


class Server(Program):
    """`parley serve`, or a process of another role, on a port of its own; those of one folder share its data."""

    def __init__(
        self,
        folder: Path,
        *,
        port: int | None = None,
        role: str = "serve",
        url: str = "",
        verify: Any = True,
        **env: str,
    ) -> None:
        self.port = port or free_port()
        self.url = url or f"http://127.0.0.1:{self.port}"
        self.data_dir = folder / "data"
        # the tests' own cluster is fast instead of safe
        self.ailments = {"infra.durability"} if "DATABASE_URL" in env else set()
        settings = {
            "PARLEY_PORT": str(self.port),
            "PARLEY_DATA_DIR": str(self.data_dir),
            "PARLEY_WORK_LEASE_SECONDS": str(LEASE_SECONDS),
            **env,
        }
        name = "server" if role == "serve" else role
        super().__init__(f"{name}-{self.port}", [*PARLEY, role], folder, settings)
        self.token = ""
        self.http = httpx2.AsyncClient(
            base_url=self.url,
            timeout=60,
            trust_env=False,
            verify=verify,
            limits=httpx2.Limits(max_connections=200, max_keepalive_connections=40),
        )

    async def start(self) -> float:
        """Start and wait until it is ready; return the seconds that took."""
        began = time.monotonic()
        await self.launch()
        while time.monotonic() < began + READY_SECONDS:
            if self.is_over():
                raise AssertionError(f"the server ended:\n{self.log()[-LOG_SHOWN:]}")
            with contextlib.suppress(httpx2.TransportError):
                if (await self.http.get("/readyz")).status_code == 200:
                    return time.monotonic() - began
            await asyncio.sleep(0.05)
        raise AssertionError(f"the server is not ready:\n{self.log()[-LOG_SHOWN:]}")

    def set(self, **env: str) -> None:
        """Change settings; the next start reads them."""
        self._env.update(env)

    async def end(self) -> None:
        """Kill it, and stop the database that it leaves behind."""
        await self.kill()
        await self.http.aclose()
        if self.postmaster_file.exists():
            left = EmbeddedPostgres(self.data_dir)
            await left.join()
            await left.stop()

    @property
    def postmaster_file(self) -> Path:
        """Where its PostgreSQL says that it runs; the first line is the process id."""
        return self.data_dir / "postgres" / "cluster" / "data" / "postmaster.pid"

    async def restart(self) -> float:
        """Kill it without warning and start it again."""
        await self.kill()
        return await self.start()

    async def command(self, *arguments: str) -> str:
        """Run `parley` with the server's settings, also beside it; return what it printed.

        Raises: AssertionError with that when it says no.
        """
        code, output = await self.try_command(*arguments)
        assert code == 0, f"parley {' '.join(arguments)}: {output}"
        return output

    async def try_command(self, *arguments: str) -> tuple[int, str]:
        """As `command`; return the exit code as well."""
        process = await asyncio.create_subprocess_exec(
            *PARLEY,
            *arguments,
            env=self._env,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output = (await process.communicate())[0].decode(errors="replace")
        return process.returncode or 0, output

    async def require_well(self, *expected: str) -> None:
        """Check every invariant of the stores, but for ailments a test has caused. Raises: AssertionError with the rest.

        As `parley doctor` does, which of an embedded database is the program itself; elsewhere to start it costs more
        than the look.
        """
        settings = load_settings(self._env)
        if settings.direct_url:
            found = await examine(settings, settings.direct_url)
            wrong = {
                one.check.name: one.unseen or one.findings for one in found if one.unseen or one.is_wrong
            }
        else:
            _, output = await self.try_command("doctor", "--json")
            try:
                checks = json.loads(output)["checks"]
            except ValueError:
                raise AssertionError(f"parley doctor: {output}") from None
            wrong = {
                check["name"]: check["why"] or check["findings"]
                for check in checks
                if check["state"] in ("found", "not_seen") and check["severity"] != "note"
            }
        for name in (*expected, *self.ailments):
            wrong.pop(name, None)
        assert not wrong, json.dumps(wrong, indent=1)

    async def set_up(self) -> Json:
        """Create the first workspace by the link on the console, and sign in as its owner."""
        links = re.findall(r"#token=(\S+)", self.log())
        answer = await self.http.post(
            "/v1/setup",
            json={
                "token": links[-1],
                "workspace_name": "Acme",
                "name": "Olga Owner",
                "email": "olga@example.org",
                "password": PASSWORD,
            },
        )
        assert answer.status_code == 201, answer.text
        self.sign(answer.json()["access_token"])
        return answer.json()

    def sign(self, token: str) -> None:
        """Send further requests under a token."""
        self.token = token
        self.http.headers["authorization"] = f"Bearer {token}"

    async def call(self, method: str, path: str, json: Json = None, status: int | None = None) -> Json:
        """Do one request; return its JSON. Raises: AssertionError at another status than 2xx or the one expected."""
        answer = await self.http.request(method, path, json=json)
        is_fine = answer.is_success if status is None else answer.status_code == status
        assert is_fine, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    async def messages(self, conversation_id: str) -> list[Json]:
        """Return all messages of a conversation, in order."""
        found: list[Json] = []
        after = 0
        while True:
            path = f"/v1/conversations/{conversation_id}/messages?limit=100&after={after}"
            page = await self.call("GET", path)
            found += page["items"]
            if not page["has_after"]:
                return found
            after = page["items"][-1]["position"]

    async def conversations(self, status: str = "all") -> list[Json]:
        """Return the desk's list, the last active first."""
        found: list[Json] = []
        cursor = ""
        while True:
            page = await self.call("GET", f"/v1/desk/conversations?status={status}&limit=100{cursor}")
            found += page["items"]
            if not page["next"]:
                return found
            cursor = f"&cursor={page['next']}"

    async def send(self, conversation_id: str, text: str, client_id: str, **more: Json) -> httpx2.Response:
        """Send a message once; the answer as it is."""
        return await self.http.post(
            f"/v1/conversations/{conversation_id}/messages",
            json={"client_id": client_id, "text": text, **more},
        )

    async def send_until_taken(
        self, conversation_id: str, text: str, client_id: str, **more: Json
    ) -> httpx2.Response:
        """Send as a client does: again with the same client id, until the server answers; that answer."""
        end = time.monotonic() + READY_SECONDS
        while time.monotonic() < end:
            with contextlib.suppress(httpx2.TransportError):
                answer = await self.send(conversation_id, text, client_id, **more)
                if answer.status_code in (200, 201):
                    return answer
                assert answer.status_code == 503, answer.text
            await asyncio.sleep(0.05)
        raise AssertionError(f"{text} was never taken")


class Provider(Program):
    """The stand-in of Telegram, with the customers' hands and the fault switches."""

    def __init__(self, folder: Path, port: int | None = None, url: str | None = None) -> None:
        self.port = port or free_port()
        command = [sys.executable, "-m", "parley.sandbox", "--port", str(self.port)]
        super().__init__("provider", [*command, "--state", str(folder / "provider.sqlite")], folder, {})
        self.url = url or f"http://127.0.0.1:{self.port}"
        self.api_url = f"{self.url}/telegram"
        self.http = httpx2.AsyncClient(base_url=f"{self.url}/control/", timeout=60, trust_env=False)

    async def start(self) -> None:
        """Start and wait until it answers."""
        await self.launch()

        async def answers() -> bool:
            assert not self.is_over(), self.log()
            with contextlib.suppress(httpx2.TransportError):
                return (await self.http.get("state")).status_code == 200
            return False

        await eventually(answers)

    async def call(self, method: str, path: str, json: Json = None) -> Json:
        """Do one control request; return its JSON."""
        answer = await self.http.request(method, path, json=json)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()

    async def end(self) -> None:
        """Kill it."""
        await self.kill()
        await self.http.aclose()

    async def make_bot(self) -> Bot:
        """Register a bot."""
        made = await self.call("POST", "bots", {"name": "Desk"})
        return Bot(self, made["id"], made["token"])

    async def make_customer(self, name: str = "Ира") -> int:
        """Register a customer; returns the id."""
        made = await self.call("POST", "customers", {"first_name": name})
        customer_id: int = made["id"]
        return customer_id

    async def fault(self, action: str, **more: Json) -> None:
        """Put a fault in force."""
        await self.call("POST", "faults", {"action": action, **more})

    async def heal(self) -> None:
        """Take all faults away."""
        await self.call("DELETE", "faults")


@dataclasses.dataclass(frozen=True)
class Bot:
    """A bot at the provider."""

    provider: Provider
    id: int
    token: str

    def chat(self, customer_id: int) -> Chat:
        """The chat of a customer with the bot."""
        return Chat(self, customer_id)

    async def make_chat(self, name: str = "Ира") -> Chat:
        """Make a customer and return their chat."""
        return Chat(self, await self.provider.make_customer(name))

    async def attempts(self) -> list[Json]:
        """Return webhook requests and their answers, newest first."""
        found = await self.provider.call("GET", f"attempts?bot_id={self.id}&limit=1000")
        attempts: list[Json] = found["attempts"]
        return attempts

    async def accepted(self) -> list[Json]:
        """Return every message accepted from the bot, oldest first."""
        found = await self.provider.call("GET", f"accepted?bot_id={self.id}&limit=1000")
        return sorted(found["messages"], key=lambda message: message["message_id"])

    async def pending(self) -> list[Json]:
        """Return updates that nobody confirmed."""
        found = await self.provider.call("GET", f"updates?bot_id={self.id}&limit=1000")
        updates: list[Json] = found["updates"]
        return updates


@dataclasses.dataclass(frozen=True)
class Chat:
    """A customer's phone."""

    bot: Bot
    customer_id: int

    @property
    def path(self) -> str:
        """Where the chat lies in the control API."""
        return f"bots/{self.bot.id}/chats/{self.customer_id}"

    async def write(self, text: str, **more: Json) -> Json:
        """Write a message; returns it as the provider stored it."""
        said = await self.bot.provider.call("POST", f"{self.path}/text", {"text": text, **more})
        return said["messages"][0]

    async def send_files(self, kind: str, files: list[tuple[str, bytes, str]], **form: str) -> list[Json]:
        """Send files (name, bytes, type); several are an album."""
        answer = await self.bot.provider.http.post(
            f"{self.path}/media", data={"kind": kind, **form}, files=[("files", file) for file in files]
        )
        assert answer.is_success, answer.text
        messages: list[Json] = answer.json()["messages"]
        return messages

    async def edit(self, message_id: int, text: str) -> None:
        """Edit an own message."""
        await self.bot.provider.call("POST", f"{self.path}/messages/{message_id}/edit", {"text": text})

    async def block(self) -> None:
        """Block the bot."""
        await self.bot.provider.call("POST", f"{self.path}/block", {})

    async def unblock(self) -> None:
        """Take the block off."""
        await self.bot.provider.call("POST", f"{self.path}/unblock", {})

    async def seen(self) -> list[Json]:
        """Return what the phone shows."""
        shown = await self.bot.provider.call("GET", self.path)
        messages: list[Json] = shown["messages"]
        return messages

    async def accepted(self) -> list[str]:
        """Return the texts the provider accepted from the bot in this chat, oldest first."""
        found = await self.bot.provider.call(
            "GET", f"accepted?bot_id={self.bot.id}&chat_id={self.customer_id}&limit=1000"
        )
        messages = sorted(found["messages"], key=lambda message: message["message_id"])
        return [message.get("text") or message.get("caption", "") for message in messages]


@dataclasses.dataclass
class Site:
    """A server set up with a workspace and one inbox at a provider that outlives it."""

    server: Server
    provider: Provider
    bot: Bot
    inbox: Json

    async def require_dense(self, dsn: str, conversation_id: str) -> list[Json]:
        """Check a conversation's numbers against its stream, read from the database; return its messages."""
        stored = await self.server.messages(conversation_id)
        connection = await asyncpg.connect(dsn)
        try:
            rows = await connection.fetch(
                "SELECT number, kind FROM event WHERE conversation_id = $1 ORDER BY number",
                parse_id("cnv", conversation_id),
            )
        finally:
            await connection.close()
        assert [row["number"] for row in rows] == list(range(1, len(rows) + 1))
        created = [row["number"] for row in rows if row["kind"] == "message.created"]
        assert [message["position"] for message in stored] == created
        numbers = [message["number"] for message in stored if message["number"] is not None]
        assert numbers == list(range(1, len(numbers) + 1))
        return stored

    async def open_conversations(self, count: int) -> list[tuple[Chat, str]]:
        """Have customers write; return their chats with the conversations that came of it."""
        chats = [await self.bot.make_chat(f"Customer {n}") for n in range(count)]
        for chat in chats:
            await chat.write(f"hello of {chat.customer_id}")

        async def all_here() -> dict[str, str] | None:
            found = {row["contact"]["address"]: row["id"] for row in await self.server.conversations()}
            return found if all(str(chat.customer_id) in found for chat in chats) else None

        known = await eventually(all_here)
        return [(chat, known[str(chat.customer_id)]) for chat in chats]

    async def send_all(self, conversation_id: str, texts: list[str]) -> dict[str, str]:
        """Send texts in order; return message ids by text."""
        ids = {}
        for text in texts:
            answer = await self.server.send_until_taken(conversation_id, text, f"{conversation_id}:{text}")
            ids[text] = answer.json()["id"]
        return ids

    async def states(self, conversation_id: str) -> dict[str, str]:
        """Return the outward states of a conversation's messages by text."""
        stored = await self.server.messages(conversation_id)
        return {message["text"]: message["status"]["state"] for message in stored if message["status"]}

    async def until_settled(self, conversation_id: str, seconds: float = 60) -> dict[str, str]:
        """Wait until nothing is under way; return the states by text."""

        async def settled() -> dict[str, str] | None:
            found = await self.states(conversation_id)
            return found if not {"queued", "sending"} & set(found.values()) else None

        found: dict[str, str] = await eventually(settled, seconds)
        return found

    async def act(self, conversation_id: str, message_id: str, action: str) -> Json:
        """Do what an agent may about a delivery."""
        path = f"/v1/conversations/{conversation_id}/messages/{message_id}/delivery"
        return await self.server.call("POST", path, {"action": action})


@contextlib.asynccontextmanager
async def running(*programs: Program) -> AsyncIterator[None]:
    """Kill the programs at the end, if they still run, and show their logs."""
    try:
        yield
    finally:
        for program in programs:
            await program.end()
            program.show()


@contextlib.asynccontextmanager
async def open_site(folder: Path, *, is_webhook: bool = False, **env: str) -> AsyncIterator[Site]:
    """Start a provider and a server, create the workspace, connect an inbox by webhook or by polling.

    What the test leaves running must be well at the end.
    """
    provider = Provider(folder)
    port = free_port()
    public = {"PARLEY_PUBLIC_URL": f"http://127.0.0.1:{port}"} if is_webhook else {}
    server = Server(folder, port=port, PARLEY_TELEGRAM_API_URL=provider.api_url, **public, **env)
    async with running(server, provider):
        await asyncio.gather(provider.start(), server.start())
        await server.set_up()
        bot = await provider.make_bot()
        inbox = await server.call(
            "POST", "/v1/inboxes", {"channel": "telegram", "secrets": {"token": bot.token}}
        )
        assert inbox["state"] == "connected", inbox
        site = Site(server, provider, bot, inbox)
        yield site
        if not site.server.is_over():
            await site.server.require_well()
