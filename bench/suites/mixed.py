"""A mixed load beside plain payments on the same engine: holds and what settles them, several legs, reversals, refusals.

The two take turns. The mixed events of a turn come first, so that holds expire among them and not among the plain payments, whose
timestamps lie in the same hours.
"""

from dataclasses import replace
from pathlib import Path

from bench.feeding import apply_timed, next_blocks, prefilled_engine
from bench.results import Results, new_results
from bench.workload import LedgerLoad, Workload

PLAIN_SEED = 1_000


def run(
    directory: Path,
    *,
    events: int,
    households: int,
    repetitions: int,
    json: bool = False,
    load: LedgerLoad | None = None,
    seed: int = 1,
) -> Results:
    """Measure ``mixed_events_per_s`` and ``plain_events_per_s``, one after the other, after a turn that does not count.

    ``share_of_plain`` is the ratio of the two, turn by turn.
    ``mixed_entries_per_event`` says how much more an event of the mixed load does; ``mixed_refused`` is a share.
    """
    load = load or LedgerLoad()
    shares = {"two_phase": load.two_phase, "multi_leg": load.multi_leg, "reversals": load.reversals, "refused": load.refused}
    results = new_results("mixed-json" if json else "mixed", events=events, households=households, seed=seed, **shares)
    plain = Workload(seed=seed + PLAIN_SEED, events=events * (repetitions + 1), households=households, json=json)
    mixed = replace(plain, seed=seed, ledger=load, refused=0.0)
    with prefilled_engine(directory, mixed) as engine:
        for turn in range(repetitions + 1):
            for name, workload in (("mixed", mixed), ("plain", plain)):
                first = events * turn
                prepared = next_blocks(engine, workload, first, first + events)
                before = engine.status()
                seconds = apply_timed(engine, prepared)
                engine.wait_projected()
                after = engine.status()
                if turn:
                    results.add(f"{name}_events_per_s", "events/s", events / seconds)
                    results.add(f"{name}_entries_per_event", "entries", (after.applied_seq - before.applied_seq) / events)
                    results.add(f"{name}_refused", "share", (after.events_refused - before.events_refused) / events)
            if turn:
                results.add(
                    "share_of_plain", "share", results.latest("mixed_events_per_s") / results.latest("plain_events_per_s")
                )
    return results
