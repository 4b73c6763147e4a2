"""How ``peakledger run`` shows where it stands: one live line on a terminal, plain lines elsewhere, all on standard error."""

import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.logging import RichHandler

from peakledger.display import error_console, format_bytes
from streams.shard import ShardStatus

Tell = Callable[[Sequence[ShardStatus]], None]


@contextmanager
def status_line() -> Iterator[Tell]:
    """Give a function that shows the status of the shards. A plain line is written only where something changed."""
    if error_console.is_terminal:
        with error_console.status("starting") as line:
            yield lambda shards: line.update(summary(shards))
        return
    last = ""

    def tell(shards: Sequence[ShardStatus]) -> None:
        nonlocal last
        text = summary(shards)
        if text != last:
            print(text, file=sys.stderr, flush=True)
        last = text

    yield tell


def summary(shards: Sequence[ShardStatus]) -> str:
    """Return one line about all shards of this process."""
    engines = [shard.engine for shard in shards if shard.engine]
    if not engines:
        return "no shard is open yet"
    full = " | the disk has no room for balances" if any(engine.balances_lack_room for engine in engines) else ""
    not_visible = sum(engine.applied_seq - engine.projected_seq for engine in engines)
    return (
        f"{sum(shard.records_per_s for shard in shards):,.0f} events/s | lag {sum(shard.lag for shard in shards):,}"
        f" | {sum(engine.records_consumed for engine in engines):,} events"
        f" | watermark {not_visible:,} entries behind | journal {format_bytes(sum(engine.journal_bytes for engine in engines))}"
        f"{full}"
    )


def shard_item(shard: ShardStatus) -> dict[str, Any]:
    """Return what a table or a JSON document says of a shard."""
    item: dict[str, Any] = {"shard": f"{shard.topic}-{shard.partition}", "state": shard.state}
    if engine := shard.engine:
        item |= {
            "records_consumed": engine.records_consumed,
            "events_applied": engine.events_applied,
            "events_existing": engine.events_existing,
            "events_refused": engine.events_refused,
            "next_offset": engine.next_offset,
            "durable_seq": engine.durable_seq,
            "watermark_seq": engine.projected_seq,
            "accounts": engine.accounts,
            "journal_bytes": engine.journal_bytes,
            "ledger_time_ms": engine.ledger_time_ms,
        }
    return item


def log_to_standard_error() -> None:
    """Send what the parts of the program report to standard error, above the live line."""
    handler: logging.Handler = logging.StreamHandler(sys.stderr)
    if error_console.is_terminal:
        handler = RichHandler(console=error_console, show_path=False)
    else:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("aiokafka").setLevel(logging.WARNING)
    logging.getLogger("asyncio").setLevel(logging.WARNING)
