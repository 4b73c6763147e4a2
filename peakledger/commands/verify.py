"""``peakledger verify`` and ``peakledger rebuild``: is everything as it was written, and make anew what is derived."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ledger.errors import PeakledgerError, ProjectionDamaged
from ledger.projections.quarantine import rebuild_quarantine
from ledger.projections.rebuild import compare_with_journal, rebuild_balances
from ledger.verify import VerifyReport, verify_journal
from peakledger import config
from peakledger.commands.options import Config, Data, Json
from peakledger.commands.shards import shard_directories
from peakledger.display import console, error_console, show, step_progress


def verify(*, data: Data = None, config_file: Config = None, as_json: Json = False) -> None:
    """Read the whole journal of every shard, check all checksums and digests, and hold the balances against a replay.

    An engine may run meanwhile. Damage is told with its segment, seq and byte offset, and ends with status 3. A torn tail, as a
    kill leaves it, is no damage: the next start cuts it.
    """
    settings = config.load({"data": data}, config=config_file)
    items: list[dict[str, Any]] = []
    errors: list[PeakledgerError] = []
    for path in shard_directories(settings.data):
        item: dict[str, Any] = {"shard": path.name, "sound": True}
        try:
            _verify_shard(path, item)
        except PeakledgerError as error:
            item["sound"] = False
            errors.append(error)
        items.append(item)
    show("verification", items, as_json=as_json)
    for other in errors[:-1]:
        error_console.print(f"peakledger: {other}", markup=False)
    if errors:
        raise errors[-1]
    if not as_json:
        console.print("Every frame, digest and count is right, debits equal credits, and the balances are those of the journal.")


def _verify_shard(directory: Path, item: dict[str, Any]) -> None:
    """Check one shard, and add to ``item`` what was found. Raises what is wrong."""
    with _told(f"journal of {directory.name}") as progress:
        item |= _journal_item(verify_journal(directory, progress))
    with _told(f"balances of {directory.name}") as progress:
        comparison = compare_with_journal(directory, progress)
    item["balances_seq"] = comparison.seq
    if not comparison.agrees:
        raise ProjectionDamaged(
            f"The balances of {directory.name} differ from the journal",
            hint="Make them anew: peakledger rebuild",
            account=comparison.account,
            seq=comparison.seq,
        )


def _journal_item(report: VerifyReport) -> dict[str, Any]:
    return {
        "segments": report.segments,
        "frames": report.frames,
        "last_seq": report.entries,
        "accounts": report.accounts,
        "records_consumed": report.records_consumed,
        "events_applied": report.events_applied,
        "events_existing": report.events_existing,
        "events_refused": report.events_refused,
        "debits_fen": report.debits_fen,
        "credits_fen": report.credits_fen,
        "torn_tail_bytes": report.torn_tail.byte_count if report.torn_tail else 0,
    }


def rebuild(*, data: Data = None, config_file: Config = None, as_json: Json = False) -> None:
    """Make every projection anew from the journal. No engine may run on the ledger meanwhile; readers may."""
    settings = config.load({"data": data}, config=config_file)
    items = []
    for path in shard_directories(settings.data):
        with _told(f"balances of {path.name}") as progress:
            seq = rebuild_balances(path, progress)
        with _told(f"quarantine of {path.name}") as progress:
            rebuild_quarantine(path, progress)
        items.append({"shard": path.name, "seq": seq})
    show("rebuilt", items, as_json=as_json)


@contextmanager
def _told(what: str) -> Iterator[Callable[[int, int], None]]:
    """Give a function that shows how much of how much is done."""
    with step_progress() as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
