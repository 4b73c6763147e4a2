"""``peakledger digest``, ``prove`` and ``check-proof``: what a ledger holds, published as one number, and proven against it."""

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from ledger.channels import Channel, load_channels
from ledger.errors import FileInvalid, NotFound
from ledger.event_fields import format_serial
from ledger.event_search import look_up_outcomes, read_outcomes
from ledger.journal import read_parameters
from ledger.key_lookup import EventKey
from ledger.outcomes import OutcomeCode
from ledger.proofs import check_proof
from ledger.proving import digest_at, prove
from peakledger import config
from peakledger.commands.options import Config, Data, Json, channels_by_code, find_channel
from peakledger.display import console, error_console, show
from peakledger.shards import shard_directories

AtSeq = Annotated[int | None, typer.Option(min=1, help="The last entry that counts; the last durable one where not given")]
OfShard = Annotated[str | None, typer.Option(metavar="SHARD", help="Directory of the shard, where there are several")]

_HASH_DIGITS = 64


def digest(
    *, at_seq: AtSeq = None, shard: OfShard = None, data: Data = None, config_file: Config = None, as_json: Json = False
) -> None:
    """Tell the digest over each shard's entries, to be published: the same on every ledger made from the same events.

    Against it, `peakledger prove` proves any event up to its last seq. Keep what --json prints.
    """
    settings = config.load({"data": data}, config=config_file)
    paths = shard_directories(settings.data, shard)
    items: list[dict[str, Any]] = []
    for path in paths:
        try:
            found = digest_at(path, at_seq)
        except NotFound as error:
            # A partition that nothing came to has no digest, and must not hide those of the others.
            if at_seq is not None or (path is paths[-1] and not items):
                raise
            error_console.print(f"{error}, and so no digest.")
            continue
        items.append(
            {
                "shard": path.name,
                "source": read_parameters(path).source,
                "last_seq": found.last_seq,
                "blocks": found.blocks,
                "digest": found.digest.hex(),
            }
        )
    show("digests", items, as_json=as_json)


def prove_event(
    *,
    channel: Annotated[str | None, typer.Argument(metavar="CHANNEL", help="Name or code of the channel")] = None,
    business_date: Annotated[
        datetime | None, typer.Argument(metavar="DATE", help="Business date of the event", formats=["%Y-%m-%d"])
    ] = None,
    serial: Annotated[str | None, typer.Argument(metavar="SERIAL", help="The channel's serial of the event")] = None,
    seq: Annotated[int | None, typer.Option(min=1, help="Any entry of the event, in place of its key")] = None,
    at_seq: AtSeq = None,
    shard: OfShard = None,
    data: Data = None,
    config_file: Config = None,
) -> None:
    """Print a proof that an event was applied: all its entries, and hashes that lead from them to a published digest.

    With --at-seq it goes with the digest at that seq, which may be any from the event on. It also holds up to 31 entries beside
    each of its own: see docs/proofs.md.
    """
    settings = config.load({"data": data}, config=config_file)
    paths = shard_directories(settings.data, shard)
    if seq is None:
        if channel is None or business_date is None or serial is None:
            raise typer.BadParameter("name the event by CHANNEL DATE SERIAL, or by --seq")
        path, seq = _find(paths, find_channel(channel, load_channels(settings.channel_profiles)), business_date, serial)
    elif len(paths) > 1:
        raise typer.BadParameter("each shard has an entry of that seq; name one with --shard")
    else:
        path = paths[0]
    sys.stdout.write(prove(path, seq, at_seq).encode().decode())


def check(
    *,
    proof: Annotated[Path, typer.Argument(metavar="PROOF", help="File that `peakledger prove` wrote; - for standard input")],
    digest: Annotated[
        str, typer.Option(metavar="HEX|FILE", help="The published digest, or a file that `peakledger digest --json` wrote")
    ],
    config_file: Config = None,
    as_json: Json = False,
) -> None:
    """Check a proof against a published digest, and show what it proves. Needs no ledger.

    Ends with status 9 where any byte of the proof is not as it was written, or where the digest is another one.
    """
    content = _read(proof)
    proven = check_proof(content, _published(digest, content))
    event = proven.event()
    known = channels_by_code(config.load({}, config=config_file)).get(event["channel"])
    serial = format_serial(bytes.fromhex(event["serial"]), known.serial_form) if known else event["serial"]
    if as_json:
        show("proof", [event | {"last_seq": proven.last_seq, "digest": proven.digest.hex()}], as_json=True)
        return
    hide = {"leg", "leg_count", "detail", "reference_seq", "flags", "code"}
    show("proof", event["entries"], as_json=False, hide=hide)
    if "reason" in event:
        console.print(f"Allowed by {', '.join(event['allowed_by'])}: {event['reason']}")
    console.print(
        f"Proven: these entries of {known.name if known else event['channel']} {event['business_date']} {serial} stand in the"
        f" journal that has this digest at seq {proven.last_seq}."
    )


def _find(paths: list[Path], channel: Channel, business_date: datetime, serial: str) -> tuple[Path, int]:
    """Return the shard and the first entry of the applied event with a key."""
    refused = False
    key = EventKey.of(channel, business_date.date(), serial)
    for path in paths:
        outcomes = look_up_outcomes(path, key)
        for found in read_outcomes(path, key) if outcomes is None else outcomes:
            if found.code is OutcomeCode.applied:
                return path, found.seq
            refused = True
    raise NotFound(
        f"No event of {channel.name}, {business_date.date()}, {serial} was applied",
        hint="It was refused, and so has no entries" if refused else "It was never consumed, or its key could not be decoded",
    )


def _read(path: Path) -> bytes:
    try:
        return sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    except OSError as error:
        raise FileInvalid(f"{path}: {error.strerror}", hint="Name a readable file") from error


def _published(text: str, proof: bytes) -> bytes:
    """Return the published digest of the command line; of several in a file, the one that the proof names."""
    try:
        if len(text) == _HASH_DIGITS:
            return bytes.fromhex(text)
        items: list[dict[str, Any]] = json.loads(_read(Path(text)))["items"]
        digests = [bytes.fromhex(item["digest"]) for item in items]
        return next((one for one in digests if one.hex().encode() in proof), digests[0])
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise FileInvalid(
            f"{text} is no digest", hint="Give its 64 hexadecimal digits, or a file that peakledger digest --json wrote"
        ) from error
