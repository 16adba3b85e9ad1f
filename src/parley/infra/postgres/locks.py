"""Who uses an embedded PostgreSQL, told by file locks, which the kernel drops with a killed process.

`owner.lock` is held alone, by the one Parley that serves from the data directory. `users.lock` is shared by
every process connected to the cluster: the first of them starts PostgreSQL, the last one out stops it.
"""

from __future__ import annotations

import enum
import fcntl
import os
from pathlib import Path

from parley.infra.postgres.errors import DataDirectoryInUse, DataDirectoryUnusable


class FileLock:
    """An flock(2) on a file of its own. Never inherited by the processes we start."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    @property
    def is_held(self) -> bool:
        """Whether we hold the lock, alone or shared."""
        return self._descriptor is not None

    def acquire(self, *, shared: bool = False, wait: bool = True) -> bool:
        """Take the lock, or change it between alone and shared; False when it is taken and we do not wait."""
        if self._descriptor is None:
            try:
                self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            except PermissionError as error:
                raise DataDirectoryUnusable(
                    f"{self.path} belongs to another user; start Parley as the user who started it first."
                ) from error
        try:
            fcntl.flock(
                self._descriptor,
                (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB),
            )
        except BlockingIOError:
            self.release()
            return False
        return True

    def release(self) -> None:
        """Let go. Repeat: harmless."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def sign(self) -> None:
        """Write our process id into the file, for whoever finds it locked."""
        assert self._descriptor is not None, "sign a lock that is held"
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, str(os.getpid()).encode(), 0)


class Entry(enum.Enum):
    """How a process came among the users of a cluster."""

    ALONE = "alone"
    """Nobody else uses it and nobody enters: start it, then `share`."""
    WITH_OTHERS = "with others"
    CLOSED = "closed"
    """Not at all: somebody is just starting or stopping it."""


class Usage:
    """One process's use of a cluster. The two locks are always taken in the order owner, users."""

    def __init__(self, directory: Path) -> None:
        self._owner = FileLock(directory / "owner.lock")
        self._users = FileLock(directory / "users.lock")

    def own(self) -> None:
        """Be the one Parley of this data directory. Raises: DataDirectoryInUse, naming the process that is."""
        if not self._owner.acquire(wait=False):
            holder = self._owner.path.read_text().strip() or "unknown"
            raise DataDirectoryInUse(
                f"Another Parley (process {holder}) runs on {self._owner.path.parent.parent}. "
                "Stop it first, or give this one another PARLEY_DATA_DIR.",
                process_id=holder,
            )
        self._owner.sign()

    def enter(self) -> Entry:
        """Become a user of the cluster, if that can be now; never waits."""
        if self._users.acquire(wait=False):
            return Entry.ALONE
        return Entry.WITH_OTHERS if self._users.acquire(shared=True, wait=False) else Entry.CLOSED

    def share(self) -> None:
        """Let others in, after the start."""
        self._users.acquire(shared=True)

    def leave(self) -> None:
        """Be no user for a moment, so that those who stop it can end."""
        self._users.release()

    def is_last(self) -> bool:
        """Leave the users; True when none is left: then nobody enters until `release`."""
        if not self._users.is_held:
            return False
        self._users.release()
        return self._users.acquire(wait=False)

    def release(self) -> None:
        """Let go of everything. Repeat: harmless."""
        self._users.release()
        self._owner.release()
