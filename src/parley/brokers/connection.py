"""A connection to RabbitMQ on which everything published is confirmed.

Publishes go out one after another without waiting, and a batch is done when the broker has confirmed each; then it is
on the broker's disk wherever a durable queue takes it. Nothing is logged by the libraries: their words hold the URL.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Sequence

import aio_pika
import aiormq
from aio_pika.abc import AbstractConnection
from aio_pika.connection import make_url
from aiormq import spec
from aiormq.channel import Channel

from parley.brokers.shapes import EVENTS_EXCHANGE, UPDATES_EXCHANGE, Outgoing
from parley.kit.errors import Unavailable

CONNECT_SECONDS = 10.0
CONFIRM_SECONDS = 30.0
"""For a whole batch. A broker short of memory or disk takes nothing: then the connection is begun anew."""
HEARTBEAT_SECONDS = 15
PERSISTENT = 2

_REFUSALS = (
    aiormq.exceptions.AuthenticationError,
    aiormq.exceptions.ProbableAuthenticationError,
    # a virtual host that does not exist or is not ours: the broker closes instead of opening, which surprises aiormq
    aiormq.exceptions.InvalidFrameError,
)

for _name in ("aio_pika", "aiormq", "pamqp"):
    logging.getLogger(_name).setLevel(logging.CRITICAL)


class BrokerRefused(Unavailable):
    """RabbitMQ does not accept the user or password of AMQP_URL, or the user may not enter that virtual host."""

    code = "broker_refused"


class BrokerAway(Unavailable):
    """RabbitMQ cannot be reached, or went away."""

    code = "broker_away"


class BrokerSilent(Unavailable):
    """RabbitMQ confirms nothing: it may have blocked publishers, being short of memory or disk."""

    code = "broker_silent"


class Broker:
    """An open connection."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    async def publish(self, batch: Sequence[Outgoing]) -> None:
        """Publish a batch in its order; on return the broker has confirmed all of it.

        Raises: BrokerAway, BrokerSilent; then any part of it may have been published.
        """
        if not batch:
            return
        try:
            async with asyncio.timeout(CONFIRM_SECONDS), asyncio.TaskGroup() as tasks:
                # tasks begin in the order made and queue for the channel's lock in it: that is the order on the wire
                for one in batch:
                    tasks.create_task(self._publish(one))
        except TimeoutError as error:
            raise BrokerSilent from error
        except BaseExceptionGroup as group:
            if errors := group.subgroup((aiormq.AMQPError, OSError, RuntimeError)):
                raise BrokerAway(_describe(errors.exceptions[0])) from None
            raise

    async def _publish(self, one: Outgoing) -> None:
        await self._channel.basic_publish(
            one.body,
            exchange=one.exchange,
            routing_key=one.routing_key,
            properties=spec.Basic.Properties(
                content_type="application/json",
                delivery_mode=PERSISTENT,
                message_id=one.message_id,
                message_type=one.kind,
                timestamp=one.at,
                app_id="parley",
                headers=one.headers,
            ),
            wait=False,
        )


@contextlib.asynccontextmanager
async def open_broker(url: str) -> AsyncIterator[Broker]:
    """Connect, and declare the two exchanges. Raises: BrokerRefused, BrokerAway; never with the URL in the words."""
    connection = await _connect(url)
    try:
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                channel = await connection.channel(publisher_confirms=True)
                for name in (EVENTS_EXCHANGE, UPDATES_EXCHANGE):
                    await channel.declare_exchange(name, aio_pika.ExchangeType.TOPIC, durable=True)
                underlay = await channel.get_underlay_channel()
                assert isinstance(underlay, Channel)
        except (aiormq.AMQPError, OSError, RuntimeError, TimeoutError) as error:
            raise BrokerAway(_describe(error)) from None
        yield Broker(underlay)
    finally:
        await _close(connection)


async def _connect(url: str) -> AbstractConnection:
    address = make_url(url, heartbeat=HEARTBEAT_SECONDS)
    connection = aio_pika.Connection(address, client_properties={"connection_name": "parley"})
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            await connection.connect()
    except BaseException as error:
        # what never came to be open would be closed by the garbage collector, whenever that is
        await _close(connection)
        if isinstance(error, _REFUSALS):
            raise BrokerRefused from None
        if isinstance(error, (aiormq.AMQPError, OSError, RuntimeError, TimeoutError)):
            raise BrokerAway(_describe(error)) from None
        raise
    return connection


async def _close(connection: AbstractConnection) -> None:
    """Say goodbye if the broker still listens; never for long."""
    with contextlib.suppress(aiormq.AMQPError, OSError, RuntimeError, TimeoutError):
        async with asyncio.timeout(2):
            await connection.close()


def _describe(error: BaseException) -> str:
    """Return what went wrong by its class: the libraries' own words may hold the URL."""
    number = getattr(error, "errno", None)
    return f"RabbitMQ is not there ({type(error).__name__}{f' {number}' if number else ''})."
