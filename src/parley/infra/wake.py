"""Wake-ups: who committed work tells the workers, so that they need not wait for their next look.

A wake-up carries nothing and may be lost or doubled; the row in the table is the truth and polling finds it.
"""

from __future__ import annotations

from collections.abc import Callable


class Wake:
    """Calls the listeners of a table whenever a transaction that put work in it has committed."""

    def __init__(self) -> None:
        self._listeners: dict[str, list[Callable[[], None]]] = {}
        self.spread: Callable[[str], None] | None = None
        """Tells other processes; asked only where nobody here listens: who makes work does it, if it can."""

    def listen(self, name: str, listener: Callable[[], None]) -> Callable[[], None]:
        """Add a listener for a table; it must not block or raise. Returns what takes it off again."""
        self._listeners.setdefault(name, []).append(listener)
        return lambda: self._listeners[name].remove(listener)

    def notify(self, name: str) -> None:
        """Wake the listeners of a table: those of this process, or else those of others."""
        if not self.hear(name) and self.spread is not None:
            self.spread(name)

    def hear(self, name: str) -> bool:
        """Wake the listeners of this process; whether there are any."""
        listeners = tuple(self._listeners.get(name, ()))
        for listener in listeners:
            listener()
        return bool(listeners)
