"""As whom PostgreSQL runs. It refuses the superuser, and must reach its programs and its data all the same.

A plain user runs it as himself. Started by root, the first of these that can do its work wins, from the
least power to the most:

1. *plain*: the unprivileged account, which reaches every directory by itself;
2. *reading*: that account with the capability to read and search anywhere (a venv or data below a 0700 home);
3. *namespace*: a user namespace in which root is called nobody (root's files, none of root's capabilities);
4. *overriding*: as 2 with the capability to write too; containers usually leave root that one and forbid 2 and 3.

`setpriv` and `unshare` of util-linux do the work, so nothing runs between fork and exec of our process.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from parley.infra.postgres.errors import DataDirectoryUnusable

ACCOUNT = "parley"
"""The account root runs PostgreSQL as where it exists, else `nobody`."""


@dataclass(frozen=True, slots=True)
class Account:
    """A way to run PostgreSQL's programs. `uid` and `gid` own the data directory, as seen from outside."""

    name: str
    uid: int
    gid: int
    prefix: tuple[str, ...] = ()
    is_dropped: bool = False

    def popen(self, command: Sequence[str | Path], **options: object) -> subprocess.Popen[bytes]:
        """Start a program as this account; `options` are those of `subprocess.Popen`."""
        if self.is_dropped:
            options |= {"user": self.uid, "group": self.gid, "extra_groups": []}
        arguments = [*self.prefix, *map(str, command)]
        return subprocess.Popen(arguments, **options)  # type: ignore[call-overload,no-any-return]  # **options

    def own(self, path: Path) -> None:
        """Give a directory and all in it to this account. Repeat: one look at the top when it is already so."""
        state = path.stat()
        if (state.st_uid, state.st_gid) == (self.uid, self.gid):
            return
        for folder, _, files in os.walk(path):
            for name in files:
                os.chown(Path(folder, name), self.uid, self.gid, follow_symlinks=False)
        for folder, _, _ in os.walk(path, topdown=False):
            os.chown(folder, self.uid, self.gid)

    def can_work(self, binaries: Path, directory: Path) -> bool:
        """Tell whether this account can run PostgreSQL from `binaries` with its files in `directory`."""
        self.own(directory)
        probe = directory / ".probe"
        script = '"$1/initdb" --version >/dev/null && cd "$2" && : >"$3" && rm "$3"'
        command: list[str | Path] = ["/bin/sh", "-c", script, "sh", binaries, directory, probe]
        try:
            process = self.popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        except OSError:
            return False
        return process.wait() == 0


def choose_account(binaries: Path, directory: Path) -> Account:
    """Return how to run PostgreSQL here; on return `directory` belongs to that account.

    Raises: DataDirectoryUnusable when no way works.
    """
    if os.geteuid() != 0:
        owner = directory.stat().st_uid
        if owner != os.geteuid():
            raise DataDirectoryUnusable(
                f"{directory} belongs to user {_name_of(owner)} and this is {_name_of(os.geteuid())}: "
                "start Parley as before, or hand the data directory over with chown -R.",
            )
        return Account("self", os.geteuid(), os.getegid())
    for account in _accounts_for_root():
        if account.can_work(binaries, directory):
            return account
    raise DataDirectoryUnusable(
        f"PostgreSQL refuses to run as root, and no other account can work in {directory} with {binaries}. "
        "Run Parley as an ordinary user, or put the data directory where everyone may enter, such as /var/lib/parley.",
    )


def _accounts_for_root() -> Iterator[Account]:
    uid, gid = _service_ids()
    yield Account("plain", uid, gid, is_dropped=True)
    if shutil.which("setpriv"):
        yield Account("reading", uid, gid, _with_capability("dac_read_search", uid, gid))
    if shutil.which("unshare"):
        yield Account(
            "namespace", 0, 0, ("unshare", "--user", f"--map-user={uid}", f"--map-group={gid}", "--")
        )
    if shutil.which("setpriv"):
        yield Account("overriding", uid, gid, _with_capability("dac_override", uid, gid))


def _with_capability(capability: str, uid: int, gid: int) -> tuple[str, ...]:
    # no_setuid_fixup: access(2) drops the capabilities of a user other than root, and PostgreSQL asks it.
    ids = (f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "--securebits=+no_setuid_fixup")
    return ("setpriv", *ids, f"--inh-caps=+{capability}", f"--ambient-caps=+{capability}", "--")


def _service_ids() -> tuple[int, int]:
    for name in (ACCOUNT, "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return entry.pw_uid, entry.pw_gid
    return 65534, 65534


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
