import asyncio
import json
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import event_fields
from ledger._core import JournalReader, OutcomeRenderer, walk_batches
from ledger.channels import BUILT_IN_CHANNELS, Channel, SerialForm
from ledger.errors import ConfigurationError, ProjectionDamaged
from ledger.journal import open_journal
from ledger.layouts import FRAME_HEADER, JOURNAL_ENTRY, OUTCOME_RECORD, EntryKind
from ledger.outcomes import OutcomeCode
from streams.embedded import EmbeddedStream
from streams.outcomes import OutcomeLevel, OutcomePublisher
from streams.positions import Position, read_position, write_position
from streams.sinks import EmbeddedSink

ROOT = Path(__file__).parent.parent
TOPIC = "payments.outcomes"
CHANNELS = (*BUILT_IN_CHANNELS, Channel(200, 'odd "one"\\\t村', "怪", SerialForm.ascii))
BY_CODE = {channel.code: channel for channel in CHANNELS}
DAY = (date(2026, 7, 23) - date(1970, 1, 1)).days

serials = {
    SerialForm.digits: st.from_regex(r"\A[0-9]{1,32}\Z").filter(lambda text: len(text) < 32 or text.strip("0")),
    SerialForm.uuid: st.uuids().map(str),
    SerialForm.ascii: st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=16),
}


@st.composite
def keys(draw):
    """Return channel code, business date and serial as they are stored."""
    channel = draw(st.sampled_from(CHANNELS))
    serial = draw(serials[channel.serial_form])
    return channel.code, draw(st.integers(1, 0xFFFF)), event_fields.parse_serial(serial, channel.serial_form)


@st.composite
def frames(draw):
    """Return the entries and outcomes of a frame, and the (key, value, timestamp) of each event in the order of offsets."""
    entries, outcomes, expected = [], [], []
    offset = draw(st.integers(0, 2**40))
    for _ in range(draw(st.integers(0, 12))):
        offset += draw(st.integers(1, 3))
        time_ms = draw(st.integers(-(2**40), 2**45))
        channel, day, serial = draw(keys())
        named = {
            "channel": BY_CODE[channel].name,
            "business_date": (date(1970, 1, 1) + timedelta(day)).isoformat(),
            "serial": event_fields.format_serial(serial, BY_CODE[channel].serial_form),
        }
        key = "/".join(named.values()).encode()
        code = draw(st.sampled_from([OutcomeCode.applied] * 3 + list(OutcomeCode)))
        stored = {"channel": channel, "business_date": day, "serial": serial, "source_offset": offset}
        if code is OutcomeCode.applied:
            if draw(st.booleans()):
                entries.append(JOURNAL_ENTRY.pack(kind=EntryKind.open_account, source_offset=offset, serial=b"\1" * 16))
            value = {"outcome": "applied", "seq": len(entries) + 1, **named, "offset": offset, "ledger_time_ms": time_ms}
            legs = draw(st.integers(1, 3))
            for leg in range(legs):
                fields = {"leg": leg, "leg_count": legs, "ledger_time_ms": time_ms}
                entries.append(JOURNAL_ENTRY.pack(kind=EntryKind.transfer, **stored, **fields))
        else:
            if not draw(st.integers(0, 3)):
                stored, named, key = {"source_offset": offset}, {}, None
            seq, first = draw(st.integers(0, 2**48)), draw(st.sampled_from([0, 0, OutcomeCode.business_date_closed]))
            outcomes.append(OUTCOME_RECORD.pack(**stored, code=code, first_code=first, seq=seq, record_timestamp_ms=time_ms))
            value = {"outcome": "exists"} if code is OutcomeCode.exists else {"outcome": "refused", "reason": code.name}
            value |= {"first_reason": OutcomeCode(first).name} if first else {}
            value |= {"seq": seq, **named, "offset": offset, "record_timestamp_ms": time_ms}
        expected.append((key, value, time_ms))
    return b"".join(entries), b"".join(outcomes), expected


def rendered(batches):
    return [(key, json.loads(value), ms) for batch, _ in batches for _, ms, key, value in walk_batches(batch)]


@settings(deadline=None, max_examples=60)
@given(frames(), st.booleans())
def test_every_event_is_told_once_in_order_as_json(tmp_path_factory, frame, refused_only):
    entries, outcomes, expected = frame
    directory = tmp_path_factory.mktemp("shard")
    journal = open_journal(directory, source="t/0", segment_bytes=1 << 20)
    journal.writer.append_frame(entries, outcomes=outcomes)
    journal.close()
    renderer = OutcomeRenderer(CHANNELS, refused_only=refused_only, max_batch_bytes=3200)
    batches = renderer.add_frame(JournalReader(directory / "journal").next_frame()) + renderer.take()
    if refused_only:
        expected = [event for event in expected if event[1]["outcome"] == "refused"]
    assert rendered(batches) == expected
    assert all(len(walk_batches(batch)) == count and len(batch) <= 3200 for batch, count in batches)
    assert renderer.take() == []


# --- The publisher ------------------------------------------------------------------------------------------------------


def transfer(number):
    serial = event_fields.parse_serial(str(number), SerialForm.digits)
    return JOURNAL_ENTRY.pack(
        kind=EntryKind.transfer,
        leg_count=1,
        channel=13,
        business_date=DAY,
        serial=serial,
        source_offset=number,
        ledger_time_ms=number,
    )


@pytest.fixture
def shard(tmp_path):
    """A journal of five frames of ten events, and an outcomes topic."""
    with EmbeddedStream(tmp_path / "stream") as stream:
        stream.create_topic(TOPIC, 2)
    journal = open_journal(tmp_path, source="t/1", segment_bytes=1 << 20)
    for first in range(0, 50, 10):
        journal.writer.append_frame(b"".join(transfer(number) for number in range(first, first + 10)))
    journal.close()
    return tmp_path


def publish(shard, durable_frame, **settings):
    async def run():
        sink = EmbeddedSink(TOPIC, shard / "stream")
        await sink.start()
        try:
            publisher = OutcomePublisher(shard, sink, 1, **settings)
            await publisher.publish_up_to(durable_frame)
        finally:
            await sink.close(1)

    asyncio.run(run())


def told(shard):
    """Return the offsets that the outcomes topic tells of."""
    with EmbeddedStream(shard / "stream") as stream:
        offset, found = 0, []
        while block := stream.read(TOPIC, 1, offset):
            found += [json.loads(record[3])["offset"] for record in walk_batches(block.data, offset)]
            offset = block.next_offset
        return found


def test_golden_bytes_of_an_outcome(shard):
    publish(shard, 1)
    with EmbeddedStream(shard / "stream") as stream:
        _, timestamp_ms, key, value = walk_batches(stream.read(TOPIC, 1, 0).data)[7]
    assert (timestamp_ms, key) == (7, b"alipay/2026-07-23/7")
    assert value == (
        b'{"outcome":"applied","seq":8,"channel":"alipay","business_date":"2026-07-23","serial":"7","offset":7,"ledger_time_ms":7}'
    )


def test_the_documentation_shows_the_outcome_above(shard):
    publish(shard, 1)
    with EmbeddedStream(shard / "stream") as stream:
        value = walk_batches(stream.read(TOPIC, 1, 0).data)[7][3]
    assert value.decode() in (ROOT / "docs" / "outcomes.md").read_text()


def test_frames_that_are_not_durable_are_not_told(shard):
    publish(shard, 2)
    assert told(shard) == list(range(20))
    second = list(JournalReader(shard / "journal"))[1]
    crc32c = FRAME_HEADER.unpack(second.data[: FRAME_HEADER.size])["crc32c"]
    assert read_position(shard / "outcomes.position") == Position(3, TOPIC, 20, crc32c)


def test_publishing_goes_on_where_it_was_acknowledged(shard):
    publish(shard, 2)
    publish(shard, 2)
    publish(shard, 5)
    assert told(shard) == list(range(50))


def test_without_a_position_everything_is_told_again(shard):
    publish(shard, 5)
    (shard / "outcomes.position").unlink()
    publish(shard, 5)
    assert told(shard) == list(range(50)) * 2


def test_a_topic_that_the_position_does_not_name_is_told_everything(shard, caplog):
    publish(shard, 5)
    write_position(shard / "outcomes.position", Position(6, "another.topic"))
    publish(shard, 5)
    assert told(shard) == list(range(50)) * 2
    assert "another.topic" in caplog.text


def test_a_position_that_names_no_topic_is_that_of_any(shard):
    (shard / "outcomes.position").write_text('{"next_frame": 3}')
    publish(shard, 5)
    assert told(shard) == list(range(20, 50))


def test_a_damaged_position_is_not_guessed(shard):
    (shard / "outcomes.position").write_text("{}")
    with pytest.raises(ProjectionDamaged, match="Delete it"):
        publish(shard, 5)


def test_at_level_none_nothing_is_told(shard):
    publish(shard, 5, level=OutcomeLevel.none)
    assert told(shard) == []


def test_a_topic_with_too_few_partitions_is_refused(shard):
    async def run():
        sink = EmbeddedSink(TOPIC, shard / "stream")
        await sink.start()
        try:
            OutcomePublisher(shard, sink, 2)
        finally:
            await sink.close(1)

    with pytest.raises(ConfigurationError, match="too few partitions"):
        asyncio.run(run())


PUBLISH_SLOWLY = """
import asyncio, sys
from pathlib import Path
from streams.outcomes import OutcomePublisher
from streams.sinks import EmbeddedSink

async def run(shard):
    sink = EmbeddedSink("payments.outcomes", shard / "stream")
    await sink.start()
    publisher = OutcomePublisher(shard, sink, 1)
    print("ready", flush=True)
    for frame in range(1, 6):
        await publisher.publish_up_to(frame)
        await asyncio.sleep(0.002)

asyncio.run(run(Path(sys.argv[1])))
"""


@pytest.mark.parametrize("instant", range(4))
def test_a_kill_loses_no_outcome_and_repeats_only_the_last_frames(shard, instant):
    process = subprocess.Popen([sys.executable, "-c", PUBLISH_SLOWLY, str(shard)], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    while len(told(shard)) < 10 * instant:
        pass
    process.kill()
    process.wait()
    process.stdout.close()
    publish(shard, 5)
    offsets = told(shard)
    assert sorted(set(offsets)) == list(range(50))
    assert len(offsets) <= 60
