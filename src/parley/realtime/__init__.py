"""The gateway: Socket.IO and plain WebSocket, sessions, live fan-out, resume."""

from parley.realtime.gateway import Gateway

__all__ = ["Gateway"]
