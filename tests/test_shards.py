"""Shards over an embedded stream: every record becomes an outcome once, whatever happens in between."""

import asyncio
from dataclasses import replace

import pytest

from bench.workload import Workload
from ledger.errors import ConfigurationError, LedgerLocked, PeakledgerError, PositionLost
from streams.embedded import EmbeddedStream
from streams.feeding import FeedRules
from streams.shard import Shard, ShardSettings
from streams.shards import EmbeddedShards, ShardRunner

WORKLOADS = [Workload(seed=seed, events=3000, households=200, records_per_batch=256) for seed in (1, 2)]


@pytest.fixture
def stream(tmp_path):
    with EmbeddedStream(tmp_path / "stream") as stream:
        stream.create_topic("events", len(WORKLOADS))
        for partition, workload in enumerate(WORKLOADS):
            for batch, _ in workload.batches():
                stream.append("events", partition, batch)
        stream.flush()
        yield stream


@pytest.fixture
def settings(tmp_path):
    # The workloads are dated on a fixed day, which is in the future for a clock that says so.
    options = {"segment_bytes": 8 << 20}
    return ShardSettings(tmp_path / "data", rules=FeedRules(max_ahead_s=None), stop_at_end=True, engine_options=options)


def run(runner: ShardRunner) -> ShardRunner:
    asyncio.run(runner.run())
    return runner


def counts(runner: ShardRunner) -> list[tuple[int, int, int]]:
    engines = [status.engine for status in runner.status()]
    return [(engine.events_applied, engine.events_existing, engine.events_refused) for engine in engines]


def test_every_record_of_every_partition_becomes_an_outcome(stream, settings):
    runner = run(EmbeddedShards(stream.directory, "events", settings))
    assert counts(runner) == [tuple(workload.fates()) for workload in WORKLOADS]
    assert [(status.state, status.lag, status.error) for status in runner.status()] == [("closed", 0, None)] * 2
    assert all(
        status.engine.durable_seq == status.engine.projected_seq == status.engine.applied_seq for status in runner.status()
    )


def test_a_second_run_finds_nothing_left_to_do(stream, settings):
    first = counts(run(EmbeddedShards(stream.directory, "events", settings)))
    assert counts(run(EmbeddedShards(stream.directory, "events", settings))) == first


def test_a_stop_between_two_blocks_loses_nothing(stream, settings):
    async def run_and_stop() -> None:
        runner = EmbeddedShards(stream.directory, "events", replace(settings, stop_at_end=False))
        running = asyncio.ensure_future(runner.run())
        while not any(status.engine and status.engine.records_consumed for status in runner.status()):
            await asyncio.sleep(0.001)
        runner.stop()
        await running
        assert {status.state for status in runner.status()} == {"closed"}

    asyncio.run(run_and_stop())
    runner = run(EmbeddedShards(stream.directory, "events", settings))
    assert counts(runner) == [tuple(workload.fates()) for workload in WORKLOADS]


def test_a_shard_that_fails_stops_alone_and_is_told_at_the_end(stream, settings):
    # Partition 0 is stopped by a record from the future, partition 1 goes on to its end.
    future = Workload(seed=3, events=10, households=10, first_day=WORKLOADS[0].first_day.replace(year=2999))
    ((batch, _),) = future.batches()
    stream.append("events", 0, batch)
    settings = replace(settings, rules=FeedRules(max_ahead_s=1e9))
    runner = EmbeddedShards(stream.directory, "events", settings)
    with pytest.raises(PeakledgerError, match="events/0 is dated too far ahead"):
        asyncio.run(runner.run())
    assert [status.state for status in runner.status()] == ["failed", "closed"]
    assert counts(runner) == [tuple(workload.fates()) for workload in WORKLOADS]


def test_a_directory_that_cannot_be_made_is_told_in_one_line(stream, settings, tmp_path, caplog):
    (tmp_path / "file").write_text("")
    runner = EmbeddedShards(stream.directory, "events", replace(settings, data=tmp_path / "file"))
    with pytest.raises(NotADirectoryError):
        asyncio.run(runner.run())
    told = [record for record in caplog.records if "stopped" in record.message]
    assert len(told) == len(WORKLOADS)
    assert not any(record.exc_info for record in told)


def test_records_that_were_deleted_stop_a_shard_unless_their_loss_is_accepted(tmp_path, settings):
    with EmbeddedStream(tmp_path / "cut", segment_bytes=100_000) as stream:
        stream.create_topic("events")
        for batch, _ in WORKLOADS[0].batches():
            stream.append("events", 0, batch)
        stream.delete_before("events", 0, 2000)
        first_offset = stream.first_offset("events", 0)
    assert first_offset > 0
    with pytest.raises(PositionLost):
        run(EmbeddedShards(tmp_path / "cut", "events", settings))
    runner = run(EmbeddedShards(tmp_path / "cut", "events", replace(settings, accept_lost_records=True)))
    (status,) = runner.status()
    assert (status.engine.records_consumed, status.engine.next_offset) == (3000 - first_offset, 3000)


def test_a_ledger_that_another_process_writes_is_refused(stream, settings):
    async def run_twice() -> None:
        runner = EmbeddedShards(stream.directory, "events", replace(settings, stop_at_end=False))
        running = asyncio.ensure_future(runner.run())
        while not all(status.state == "running" for status in runner.status()) or not runner.status():
            await asyncio.sleep(0.001)
        with pytest.raises(LedgerLocked):
            await EmbeddedShards(stream.directory, "events", settings).run()
        runner.stop()
        await running

    asyncio.run(run_twice())


def test_followers_run_while_the_engine_is_open_and_end_before_it_closes(stream, settings):
    seen: list[tuple[int, bool, bool]] = []

    async def follow(shard: Shard) -> None:
        opened = shard.engine is not None
        await shard.closing.wait()
        seen.append((shard.partition, opened, shard.engine is not None))

    run(EmbeddedShards(stream.directory, "events", replace(settings, followers=[follow])))
    assert sorted(seen) == [(0, True, True), (1, True, True)]


def test_a_follower_that_fails_stops_its_shard(stream, settings):
    async def follow(shard: Shard) -> None:
        if shard.partition == 1:
            raise ConfigurationError("no outcomes topic")

    with pytest.raises(ConfigurationError, match="no outcomes topic"):
        run(EmbeddedShards(stream.directory, "events", replace(settings, followers=[follow])))
