"""Engine against oracle on as many random events as one likes: ``python -m tests.soak --events 1000000 --seed 7``.

Each run is of payments and bills at a ledger's proportions, or of ledger events that meet every refusal; by default one of each.
The engine is restarted now and then, cleanly or as after SIGKILL, and everything is compared at the end. The seed is printed.
"""

import argparse
import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.workload import Workload
from ledger._core import walk_batches
from tests.random_ledger import PARAMETERS, RandomLedger
from tests.shadow import ShadowedEngine

EVENTS_A_BLOCK = 20_000
LEDGER_EVENTS_A_BLOCK = 500  # events name what was applied in the blocks before
COMPARE_EVERY = 200_000
TELL_EVERY_S = 10


def blocks(events: int, events_a_block: int) -> Iterator[tuple[int, int]]:
    """Yield the first event of each block and the one after its last, and print now and then how far this came."""
    start = told = time.monotonic()
    for first in range(0, events, events_a_block):
        if (now := time.monotonic()) > told + TELL_EVERY_S:
            print(f"{first} events after {now - start:.0f} s", flush=True)
            told = now
        yield first, min(first + events_a_block, events)


def soak_payments(events: int, seed: int, directory: Path) -> None:
    """Drive both through ``events`` payments and bills. Raises AssertionError at the first difference."""
    chance = random.Random(seed)
    workload = Workload(
        seed=seed,
        events=events,
        households=max(100, events // 20),
        json=chance.random() < 0.5,
        zipf_theta=chance.choice([0.0, 0.99]),
        duplicates=0.05,
        duplicate_distance=events,
        refused=0.02,
        days=chance.choice([1, 5, 40]),
    )
    pair = ShadowedEngine(directory)
    try:
        for first, end in blocks(events, EVENTS_A_BLOCK):
            batches = workload.batches(first, end)
            records = [(record[1], record[3]) for batch, _ in batches for record in walk_batches(batch)]
            cut = chance.randrange(1, len(records)) if len(records) > 1 else 1
            pair.apply([part for part in (records[:cut], records[cut:]) if part])
            chance.choice([pair.restart, pair.crash, lambda: None, lambda: None, lambda: None])()
            if end % COMPARE_EVERY == 0 and end < events:
                pair.compare()
        pair.compare()
        assert (pair.model.events_applied, pair.model.events_existing, pair.model.events_refused) == workload.fates()
    finally:
        pair.close()


def soak_ledger(events: int, seed: int, directory: Path) -> None:
    """Drive both through ``events`` events of all types. Raises AssertionError at the first difference."""
    chance = random.Random(seed)
    pair = ShadowedEngine(directory, PARAMETERS)
    ledger = RandomLedger(chance, pair.model)
    try:
        for first, end in blocks(events, LEDGER_EVENTS_A_BLOCK):
            pair.apply([list(ledger.records(end - first))])
            if end % EVENTS_A_BLOCK == 0:
                chance.choice([pair.restart, pair.crash, pair.rebuild, *[lambda: None] * 3])()
            if end % COMPARE_EVERY == 0 and end < events:
                pair.compare()
        pair.compare()
        assert pair.model.trial_balance() == 0
    finally:
        pair.close()


KINDS = {"payments": soak_payments, "ledger": soak_ledger}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    parser.add_argument("--kind", choices=KINDS, action="append")
    options = parser.parse_args()
    for kind in options.kind or KINDS:
        print(f"{kind}: seed {options.seed}, {options.events} events", flush=True)
        start = time.monotonic()
        with tempfile.TemporaryDirectory() as directory:
            KINDS[kind](options.events, options.seed, Path(directory))
        print(f"engine and oracle agree after {time.monotonic() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
