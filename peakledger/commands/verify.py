"""``peakledger verify`` and ``peakledger rebuild``: is everything as it was written, and make anew what is derived."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ledger.channels import Channel
from ledger.errors import PeakledgerError, ProjectionDamaged
from ledger.outlets import OutletRegistry
from ledger.projections.comparison import StoredState, compare_with_journal, stored_state
from ledger.projections.lmdb_projection import rebuild_projection
from ledger.projections.outlet_totals import OutletDifference, OutletTotals
from ledger.projections.quarantine import Quarantine
from ledger.projections.rebuild import rebuild_balances
from ledger.verify import VerifyReport, verify_journal, verify_keys
from peakledger import config
from peakledger.commands.options import Config, Data, Json, channels_by_code
from peakledger.display import console, error_console, show, step_progress
from peakledger.shards import shard_directories

REBUILD_HINT = "Make them anew: peakledger rebuild"


def verify(*, data: Data = None, config_file: Config = None, as_json: Json = False) -> None:
    """Read the whole journal of every shard, check all checksums and digests, and hold the balances against it by state digest.

    The files of the key checkpoint are read too. The totals of outlets and the quarantine, where there are any, are compared with
    the journal; but what operators decided about refused events is nowhere else, and compared with nothing.

    An engine may run meanwhile. Damage is told with its segment, seq and byte offset, and ends with status 3; so do balances that
    are not those of the journal, told by account and field, totals, told by outlet, county, channel and business date, and events
    in quarantine, told by offset and field. A torn tail, as a kill leaves it, is no damage: the next start cuts it.
    """
    settings = config.load({"data": data}, config=config_file)
    items: list[dict[str, Any]] = []
    errors: list[PeakledgerError] = []
    for path in shard_directories(settings.data):
        item: dict[str, Any] = {"shard": path.name, "sound": True}
        try:
            _verify_shard(path, item)
            if OutletTotals.is_kept(path):
                _verify_outlets(path, item, settings)
            if Quarantine.is_kept(path):
                _verify_quarantine(path, item)
        except PeakledgerError as error:
            item["sound"] = False
            errors.append(error)
        items.append(item)
    show(
        "verification",
        items,
        as_json=as_json,
        hide=["state_digest", "keys_in_files", "outlets_seq", "quarantine_seq", "quarantined"],
    )
    for other in errors[:-1]:
        error_console.print(f"peakledger: {other}", markup=False)
    if errors:
        raise errors[-1]
    if not as_json:
        kept = {name for item in items for name in item}
        named = {"outlets_seq": "the totals of outlets", "quarantine_seq": "the quarantine"}
        *others, last = ["the balances", *(name for key, name in named.items() if key in kept)]
        derived = f"{', '.join(others)} and {last}" if others else last
        console.print(f"Every frame, digest and count is right, debits equal credits, and {derived} are those of the journal.")


def _verify_shard(directory: Path, item: dict[str, Any]) -> None:
    """Check one shard, and add to ``item`` what was found. Raises what is wrong."""
    stored = _stored(directory)
    seq = None if isinstance(stored, PeakledgerError) else stored.seq
    with _told(f"journal of {directory.name}") as progress:
        report = verify_journal(directory, progress, state_digest_at=seq)
    item |= _journal_item(report)
    item["keys_in_files"] = verify_keys(directory)
    if isinstance(stored, PeakledgerError):
        raise stored
    item |= {"balances_seq": stored.seq, "state_digest": f"{stored.found_digest:032x}"}
    if report.state_digest is None:
        raise ProjectionDamaged(
            "The balances hold more than the journal: its last frame is damaged, or segments are missing",
            hint="Restore the last segment from a copy. Balances made anew would lack the same entries",
            path=stored.path,
            expected=report.entries,
            found=stored.seq,
        )
    if stored.found_digest != report.state_digest:
        _name_differences(directory)
    if stored.noted_digest != report.state_digest:
        raise ProjectionDamaged(
            "The accounts are those of the journal, but their state digest is not",
            hint=REBUILD_HINT,
            path=stored.path,
            seq=stored.seq,
            expected=f"{report.state_digest:032x}",
            found=f"{stored.noted_digest:032x}",
        )


def _stored(directory: Path) -> StoredState | PeakledgerError:
    """Return what the balances hold, or why they cannot be read: damage in the journal is to be told before that."""
    try:
        return stored_state(directory)
    except PeakledgerError as error:
        return error


def _name_differences(directory: Path) -> None:
    """Find and name the accounts that are not what the journal makes them; raise ProjectionDamaged with the first of them."""
    with _told(f"accounts of {directory.name}") as progress:
        comparison = compare_with_journal(directory, progress)
    if comparison.agrees:
        raise ProjectionDamaged("Balances differed from the journal; they agree by now", hint=REBUILD_HINT, seq=comparison.seq)
    for difference in comparison.differences:
        error_console.print(f"peakledger: {directory.name}: {difference}", markup=False)
    first = comparison.differences[0]
    raise ProjectionDamaged(
        f"The balances of {directory.name} differ from the journal",
        hint=REBUILD_HINT,
        account=first.account,
        field=first.field,
        expected=first.expected,
        found=first.found,
        accounts_differing=comparison.accounts_differing,
        seq=comparison.seq,
    )


def _verify_outlets(directory: Path, item: dict[str, Any], settings: config.Settings) -> None:
    """Compare the totals of outlets with those of the journal; name what differs, and raise ProjectionDamaged with the first."""
    with _told(f"outlets of {directory.name}") as progress, closing(OutletTotals(directory, readonly=True)) as totals:
        comparison = totals.compare_with_journal(progress)
    item["outlets_seq"] = comparison.seq
    if comparison.agrees:
        return
    registry, channels = OutletRegistry.load(settings.data), channels_by_code(settings)
    named = [_named(one, registry, channels) for one in comparison.differences]
    for difference in named:
        told = ", ".join(f"{name} {value}" for name, value in difference.items())
        error_console.print(f"peakledger: {directory.name}: {told}", markup=False)
    first = named[0] if named else {"expected": comparison.expected_seq, "found": comparison.seq}
    what = "totals of outlets" if named else "watermark, or the clearing accounts, of the totals of outlets"
    raise ProjectionDamaged(
        f"The {what} of {directory.name} differ from the journal",
        hint=REBUILD_HINT,
        **first,
        totals_differing=comparison.totals_differing,
        seq=comparison.seq,
    )


def _verify_quarantine(directory: Path, item: dict[str, Any]) -> None:
    """Compare what is kept of refused events with the journal; name what differs, and raise ProjectionDamaged with the first."""
    with _told(f"quarantine of {directory.name}") as progress, closing(Quarantine(directory, readonly=True)) as quarantine:
        comparison = quarantine.compare_with_journal(progress)
    item |= {"quarantine_seq": comparison.seq, "quarantined": comparison.events}
    for difference in comparison.differences:
        told = ", ".join(f"{name} {value}" for name, value in asdict(difference).items())
        error_console.print(f"peakledger: {directory.name}: {told}", markup=False)
    if comparison.differences:
        raise ProjectionDamaged(
            f"The quarantine of {directory.name} differs from the journal",
            hint=REBUILD_HINT,
            **asdict(comparison.differences[0]),
            events_differing=comparison.events_differing,
            seq=comparison.seq,
        )


def _named(difference: OutletDifference, registry: OutletRegistry, channels: Mapping[int, Channel]) -> dict[str, Any]:
    """Return a difference with the names of its outlet's county and of its channel."""
    channel = channels.get(difference.channel)
    return {
        "outlet": difference.outlet,
        "county": registry.county_of(difference.outlet) or "unknown",
        "channel": channel.name if channel else difference.channel,
        "business_date": difference.business_date,
        "field": difference.field,
        "expected": difference.expected,
        "found": difference.found,
    }


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
            rebuild_projection(Quarantine, path, progress)
        with _told(f"outlets of {path.name}") as progress:
            rebuild_projection(OutletTotals, path, progress)
        items.append({"shard": path.name, "seq": seq})
    show("rebuilt", items, as_json=as_json)


@contextmanager
def _told(what: str) -> Iterator[Callable[[int, int], None]]:
    """Give a function that shows how much of how much is done."""
    with step_progress() as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
