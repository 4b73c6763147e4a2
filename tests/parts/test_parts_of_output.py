"""From durable frames to what others see: outcomes, balances."""

import pytest

from bench.feeding import blocks
from bench.workload import Workload
from ledger._core import JournalReader, OutcomeRenderer
from ledger.channels import BUILT_IN_CHANNELS
from ledger.engine import Engine
from ledger.projections.balances import BalanceReader


@pytest.fixture(scope="module")
def workload(size) -> Workload:
    return Workload(events=size, households=size // 2, duplicates=0.1, refused=0.1)


@pytest.fixture(scope="module")
def shard(workload, tmp_path_factory):
    """The directory of a closed engine that applied the workload."""
    directory = tmp_path_factory.mktemp("ledger") / "events-0"
    with Engine.open(directory) as engine:
        for block in blocks(workload):
            engine.apply(block.data, block.next_offset)
        engine.wait_projected()
    return directory


def test_rendering_the_outcomes_of_a_journal(measure, shard, size):
    def render() -> int:
        renderer = OutcomeRenderer(BUILT_IN_CHANNELS)
        batches = [batch for frame in JournalReader(shard / "journal") for batch in renderer.add_frame(frame)]
        return sum(count for _, count in batches + renderer.take())

    assert measure(render, size, "outcomes") == size


@pytest.fixture(scope="module")
def accounts(workload, size) -> list[str]:
    return [f"household:{workload.household(event)}" for event in range(size // 10)]


def test_reading_balances_one_by_one(measure, shard, accounts):
    reader = BalanceReader(shard)
    found = measure(lambda: [reader.get(account) for account in accounts], len(accounts), "reads")
    assert any(found)


def test_reading_balances_together(measure, shard, accounts):
    reader = BalanceReader(shard)
    found = measure(lambda: reader.get_many(accounts), len(accounts), "reads")
    assert any(found)
