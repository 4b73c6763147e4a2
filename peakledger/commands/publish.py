"""``peakledger publish``: events from a file of JSON lines to the topic, for channels that do not publish by themselves."""

import asyncio
import sys
from collections.abc import Iterable, Iterator
from contextlib import AsyncExitStack, contextmanager
from functools import partial
from itertools import groupby, islice
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress, TaskID

from ledger._core import EventDecoder
from ledger.channels import Channel, load_channels
from ledger.errors import ConfigurationError, EventInvalid
from ledger.events import PackedEvent, encode_msgpack, unpack_event
from ledger.layouts import PACKED_EVENT, EventType
from ledger.outcomes import OutcomeCode
from ledger.packed_legs import unpack_legs
from peakledger import config
from peakledger.commands.options import (
    BootstrapServers,
    ChannelProfiles,
    Config,
    Encoding,
    Json,
    Priority,
    Stream,
    Topic,
    check_optional_household,
)
from peakledger.display import byte_progress, error_console, show
from peakledger.kafka_errors import kafka_errors
from peakledger.publishing import inlet_publisher_of, publisher_of, uses_inlets
from streams.inlet_publisher import InletPublisher
from streams.publisher import SinkPublisher
from streams.record_keys import household_of

_EVENTS_AT_ONCE = 20_000
_ASK_PYTHON = 0xFFFF
_EVENT_TYPE_AT = 1  # in a packed_event


class EventLines:
    """The events of JSON lines. A line that is none is told and counted; it is the last one unless ``keep_going``."""

    def __init__(self, file: str, lines: Iterable[bytes], channels: tuple[Channel, ...], *, keep_going: bool) -> None:
        self.bad_lines = 0
        self._file, self._lines, self._keep_going = file, lines, keep_going
        self._decoder = EventDecoder(channels)

    def events(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield each event as its line and as its ``packed_event`` with its legs. Empty lines are skipped."""
        for number, line in enumerate(self._lines, 1):
            value = line.strip()
            if not value:
                continue
            code, packed = self._decode(value)
            if code is OutcomeCode.applied:
                yield value, packed
                continue
            self.bad_lines += 1
            error_console.print(f"{self._file}, line {number}: {code.name}: {code.sentence}", markup=False)
            if not self._keep_going:
                return

    def _decode(self, value: bytes) -> tuple[OutcomeCode, bytes]:
        code, packed = self._decoder.decode_fast(value)
        if code == _ASK_PYTHON:
            code, packed = self._decoder.decode_slow(value)
        return OutcomeCode(code), packed


def publish(
    *,
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="File of events, one JSON object a line; - is standard input")],
    keep_going: Annotated[
        bool, typer.Option("--keep-going", help="Leave lines that are no events out, and publish the rest")
    ] = False,
    household: Annotated[
        str | None,
        typer.Option(
            metavar="NUMBER",
            help="Publish what names no household, as a post or a reversal, to this one's partition instead of the first",
            callback=check_optional_household,
        ),
    ] = None,
    encoding: Encoding = None,
    channel_profiles: ChannelProfiles = None,
    topic: Topic = None,
    priority: Priority = None,
    stream: Stream = None,
    bootstrap_servers: BootstrapServers = None,
    config_file: Config = None,
    as_json: Json = False,
) -> None:
    """Publish events from a file of JSON lines to the topic, or to an embedded stream.

    A line that is no event is told with its number and its reason. It ends the run, once the lines before it are published, with
    status 7; with --keep-going the run goes on, and ends with status 7 all the same. To publish twice does no harm: the ledger
    answers exists.
    """
    flags = {key: value for key, value in locals().items() if key in config.Settings.__struct_fields__}
    settings = config.load(flags, config=config_file)
    channels = load_channels(settings.channel_profiles)
    with _lines_of(file) as lines, kafka_errors(settings):
        events = EventLines(file, lines, channels, keep_going=keep_going)
        count = asyncio.run(_publish(settings, channels, events.events(), household.encode() if household else None))
    show("published", [{"published": count, "bad_lines": events.bad_lines}], as_json=as_json)
    if events.bad_lines:
        hint = (
            "The others were published" if keep_going else "Mend it and publish again, or leave such lines out with --keep-going"
        )
        raise EventInvalid(f"{file} has lines that are no events", hint=hint, bad_lines=events.bad_lines)


async def _publish(
    settings: config.Settings, channels: tuple[Channel, ...], events: Iterator[tuple[bytes, bytes]], household: bytes | None
) -> int:
    count = 0
    async with AsyncExitStack() as stack:
        if uses_inlets(settings):
            send = partial(_send_by_priority, await stack.enter_async_context(inlet_publisher_of(settings, channels)))
        else:
            send = partial(_send, await stack.enter_async_context(publisher_of(settings, channels)))
        while batch := list(islice(events, _EVENTS_AT_ONCE)):
            await send(settings.encoding, channels, batch, household)
            count += len(batch)
    return count


async def _send_by_priority(
    publisher: InletPublisher,
    encoding: str,
    channels: tuple[Channel, ...],
    events: list[tuple[bytes, bytes]],
    household: bytes | None,
) -> None:
    for line, packed in events:
        await publisher.publish(packed, _encoded(encoding, channels, line, packed), household)
    await publisher.flush()


async def _send(
    publisher: SinkPublisher,
    encoding: str,
    channels: tuple[Channel, ...],
    events: list[tuple[bytes, bytes]],
    household: bytes | None,
) -> None:
    for of_household, run in groupby(events, lambda event: event[1][_EVENT_TYPE_AT] <= EventType.payment):
        if of_household and encoding == "packed":
            await publisher.publish_packed(b"".join(packed for _, packed in run))
            continue
        for line, packed in run:
            await publisher.publish_record(household_of(packed) or household, _encoded(encoding, channels, line, packed))


def _encoded(encoding: str, channels: tuple[Channel, ...], line: bytes, packed: bytes) -> bytes:
    if encoding == "msgpack":
        fields = PACKED_EVENT.unpack(packed)
        event = PackedEvent(*(fields[name] for name in PackedEvent._fields))
        return encode_msgpack(unpack_event(event, channels, unpack_legs(packed[PACKED_EVENT.size :])))
    return packed if encoding == "packed" else line


@contextmanager
def _lines_of(file: str) -> Iterator[Iterable[bytes]]:
    """Give the lines of a file, or of standard input, with a progress bar."""
    if file == "-":
        yield sys.stdin.buffer
        return
    path = Path(file)
    if not path.is_file():
        raise ConfigurationError(f"There is no file {file}", hint="Name a file of events, or - for standard input")
    with path.open("rb") as opened, byte_progress() as bar:
        task = bar.add_task("publishing", total=path.stat().st_size)
        yield _advancing(opened, bar, task)


def _advancing(lines: Iterable[bytes], bar: Progress, task: TaskID) -> Iterator[bytes]:
    for line in lines:
        bar.advance(task, len(line))
        yield line
