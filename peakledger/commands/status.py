"""``peakledger status``: where each shard stands, from its files, whether an engine runs or not."""

from pathlib import Path
from typing import Any

from ledger.errors import LedgerNotFound
from ledger.journal import FrameHeader, find_end, read_parameters
from ledger.ownership import read_owner
from ledger.projections.balances import BalanceReader, Watermark
from peakledger import config
from peakledger.commands.options import Config, Data, Json
from peakledger.display import show
from peakledger.shards import is_running, shard_directories
from streams.positions import BALANCES_FILE, ENTRIES_FILE, OUTCOMES_FILE, read_position
from streams.release_position import read_release_position

POSITIONS = {
    "outcomes_next_frame": OUTCOMES_FILE,
    "entries_next_frame": ENTRIES_FILE,
    "balances_next_frame": BALANCES_FILE,
}
WAITING = ["interactive_waiting", "batch_waiting"]
# From the table, not from the JSON.
HIDDEN = ["source", "pid", "host", "epoch", "frame", *POSITIONS, "state_digest", "rules_digest"]


def status(*, data: Data = None, config_file: Config = None, as_json: Json = False) -> None:
    """Show where each shard stands: what its journal holds, how far the balances and the outcomes are, and who writes it."""
    settings = config.load({"data": data}, config=config_file)
    items = [_item(path) for path in shard_directories(settings.data)]
    hide = HIDDEN if any(item[key] for item in items for key in WAITING) else [*HIDDEN, *WAITING]
    show("status", items, as_json=as_json, hide=hide)


def _item(directory: Path) -> dict[str, Any]:
    end = find_end(directory / "journal")
    last = FrameHeader.unpack(end.last_frame) if end and end.last_frame else None
    owner = read_owner(directory)
    watermark = _watermark(directory)
    release = read_release_position(directory)
    return {
        "shard": directory.name,
        "source": read_parameters(directory).source,
        "running": is_running(directory),
        "pid": owner.pid if owner else 0,
        "host": owner.host if owner else "",
        "epoch": owner.epoch if owner else 0,
        "records_consumed": last.records_consumed if last else 0,
        "events_applied": last.events_applied if last else 0,
        "events_existing": last.events_existing if last else 0,
        "events_refused": last.events_refused if last else 0,
        "next_offset": last.next_offset if last else 0,
        "durable_seq": last.last_seq if last else 0,
        "watermark_seq": watermark.seq if watermark else 0,
        "state_digest": watermark.state_digest if watermark else "",
        "rules_digest": f"{last.rules_digest:016x}" if last and last.rules_digest else "",
        "frame": last.frame_number if last else 0,
        **{key: read_position(directory / file).next_frame for key, file in POSITIONS.items()},
        "interactive_waiting": release.interactive_waiting if release else 0,
        "batch_waiting": release.batch_waiting if release else 0,
        "ledger_time_ms": last.ledger_time_ms if last else 0,
        "journal_on_disk_bytes": sum(path.stat().st_blocks * 512 for path in (directory / "journal").iterdir()),
    }


def _watermark(directory: Path) -> Watermark | None:
    try:
        return BalanceReader(directory).watermark
    except LedgerNotFound:
        return None
