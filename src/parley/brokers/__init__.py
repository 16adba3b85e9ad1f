"""Brokers: what happens in conversations, published to RabbitMQ for other programs.

The door for `parley.apps`: `Publishing`, run in worker processes when `AMQP_URL` is set.
"""

from parley.brokers.publishing import Publishing

__all__ = ["Publishing"]
