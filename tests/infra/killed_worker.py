"""A worker process to be killed: does jobs of a database until told to stop, writing an effect with each verdict."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import signal
import sys

from parley.infra.work import Claim
from parley.infra.worker import Worker
from tests.infra.claimed import QUICK, TABLE, open_database

PATIENT = dataclasses.replace(TABLE, max_attempts=100)


async def main(dsn: str) -> None:
    """Work until SIGTERM."""
    async with open_database(dsn) as db:

        async def handle(claim: Claim) -> None:
            await asyncio.sleep(0.002)
            async with db.system() as tx:
                await tx.execute("INSERT INTO effect (job_id, lane, seq, pid) VALUES ($1, $2, $3, $4)",
                                 claim.id, claim.lane, claim.seq, os.getpid())  # fmt: skip
                await PATIENT.finish(tx, claim)

        worker = Worker(PATIENT, db, handle, limits=QUICK._replace(lease_seconds=0.5))
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, worker.stop)
        await worker.run()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
