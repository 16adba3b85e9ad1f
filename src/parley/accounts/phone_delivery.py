"""The job that sends a code: decides whether the number may have one, and hands the SMS to the provider."""

from __future__ import annotations

import datetime as dt
from urllib.parse import urlsplit
from uuid import UUID

import structlog
from asyncpg import Record

from parley.accounts import phone_store, store
from parley.accounts.attempts import Limit, subject_of
from parley.accounts.phone_codes import code_of
from parley.channels.contract import RecipientGone, Rejected, Temporary, Uncertain
from parley.channels.sms import Sms, SmsSender
from parley.infra.crypto import Keys
from parley.infra.db import Database, Tx
from parley.infra.jobs import Job, RetryLater
from parley.infra.settings import Settings
from parley.kit.ids import parse_id

RETRY_SECONDS = 5.0
_TEXTS = {
    "en": "{code} is your Parley code. Tell it to nobody.",
    "ru": "{code} — код для Parley. Никому его не говорите.",
}

log = structlog.get_logger()


class CodeDelivery:
    """Sends the codes that were asked for. Bears a repeat: the same SMS goes out once more."""

    def __init__(self, db: Database, keys: Keys, settings: Settings, sender: SmsSender | None) -> None:
        self._db = db
        self._keys = keys
        self._settings = settings
        self._sender = sender

    async def handle(self, job: Job) -> None:
        """Send the code of a job, unless it is no longer wanted or the number may not have one.

        Raises: RetryLater while the provider takes nothing; AccountBroken, so that the job stays to be seen.
        """
        async with self._db.system() as tx:
            row = await phone_store.find_code(tx, UUID(job.payload["code_id"]))
            if row is None or self._sender is None or not await self._may_send(tx, row):
                return
        await self._send(self._sender, row)

    async def _may_send(self, tx: Tx, row: Record) -> bool:
        """Whether this number may have a code, and the workspace another SMS."""
        if row["login_id"] is not None:
            workspace_id = await store.find_workspace_of_login(tx, row["login_id"])
        else:
            user = await phone_store.find_code_user(tx, row["phone"])
            workspace_id = user["workspace_id"] if user is not None else await self._open_workspace(tx, row)
        if workspace_id is None:
            return False
        limit = Limit("code.workspace", self._settings.sms_hourly_limit, dt.timedelta(hours=1))
        counted = await store.count_attempt(
            tx, limit.bucket, subject_of(str(workspace_id)), since=tx.now - limit.window
        )
        if counted["count"] > limit.most:
            log.warning("sms.workspace_limit", workspace_id=str(workspace_id), most=limit.most)
        return bool(counted["count"] <= limit.most)

    async def _open_workspace(self, tx: Tx, row: Record) -> UUID | None:
        """Return the workspace that an unknown number may join; None where it may not, or its login is closed."""
        is_chatapp = row["purpose"] == "chatapp"
        open_id = self._settings.chatapp_workspace if is_chatapp else self._settings.phone_workspace
        if not open_id or await phone_store.hold_login_of_phone(tx, row["phone"]):
            return None
        workspace_id = parse_id("ws", open_id)
        return workspace_id if await phone_store.has_workspace_of_id(tx, workspace_id) else None

    async def _send(self, sender: SmsSender, row: Record) -> None:
        sms = Sms(to=row["phone"], text=self._text(row), reference=row["id"].int % (2**31 - 1) + 1)
        try:
            await sender.send(sms)
        except Temporary as error:
            raise RetryLater(seconds=error.retry_after_seconds or RETRY_SECONDS) from error
        except (Uncertain, RecipientGone, Rejected) as error:
            # it may have gone out, or never will: whoever waits asks for another
            log.warning("sms.not_sent", provider=sender.provider, code=error.code, reason=error.message)

    def _text(self, row: Record) -> str:
        code = code_of(self._keys, row["id"], row["digits"])
        text = _TEXTS["ru" if (row["locale"] or "").startswith("ru") else "en"].format(code=code)
        if not self._settings.is_secure:
            return text
        # the last line lets browsers fill the code in on our page alone (wicg.github.io/sms-one-time-codes)
        return f"{text}\n\n@{urlsplit(self._settings.origin).hostname} #{code}"
