"""Keeps the totals of outlets up to date beside a shard's engine."""

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor

import lmdb

from ledger.errors import PeakledgerError
from ledger.projections.outlet_totals import OutletTotals
from streams.shard import Shard

log = logging.getLogger(__name__)

_PAUSE_S = 0.5


async def follow_outlet_totals(shard: Shard) -> None:
    """Follow a shard until it closes, on a thread of its own, then take in what it made durable last.

    A projection that fails stops nobody: it is told, and whoever looks next goes on from what is stored.
    """
    engine, loop = shard.engine, asyncio.get_running_loop()
    assert engine
    with ThreadPoolExecutor(1, f"outlets-{shard.topic}-{shard.partition}") as thread:
        try:
            totals = await loop.run_in_executor(thread, OutletTotals, shard.directory)
            await loop.run_in_executor(thread, totals.check_frame)
            frames = engine.durable_frames()
            while not shard.closing.is_set():
                await loop.run_in_executor(thread, totals.follow, frames, _PAUSE_S)
            await loop.run_in_executor(thread, engine.wait_durable)
            await loop.run_in_executor(thread, totals.catch_up)
        except (PeakledgerError, lmdb.Error) as error:
            log.warning("%s: the totals of outlets stand still: %s", shard.name, error)
