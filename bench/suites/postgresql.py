"""Durable apply from memory, beside PostgreSQL keeping the same books: a unique key and a balance, a thousand events a commit.

The balances of clearing accounts are left out, in PostgreSQL's favour: as rows that every batch updates they would make its
clients take turns. Several clients at once let it flush their commits together.
"""

import time
from pathlib import Path

from bench.feeding import apply_timed, next_blocks, opening_of, prefilled_engine
from bench.postgresql import booking_scripts, opening_script, postgresql
from bench.results import Results, new_results
from bench.workload import Workload
from ledger.errors import PeakledgerError


def run(
    directory: Path, *, events: int, households: int, repetitions: int, clients: int = 4, batch_events: int = 1000, seed: int = 1
) -> Results:
    """Measure ``engine_events_per_s`` and ``postgresql_events_per_s``, one after the other, after a turn that does not count.

    ``times_postgresql`` is how many times as fast the engine was, turn by turn.
    """
    results = new_results(
        "postgresql", events=events, households=households, clients=clients, batch_events=batch_events, seed=seed
    )
    workload = Workload(seed=seed, events=events * (repetitions + 1), households=households, refused=0.0)
    opening = opening_of(workload)
    with prefilled_engine(directory, workload) as engine, postgresql(directory) as server:
        results.versions["postgresql"] = server.run("show server_version")
        server.run(opening_script(opening.household(event) for event in range(households)))
        for turn in range(repetitions + 1):
            first = events * turn
            scripts = booking_scripts(workload, first, first + events, clients, batch_events)
            start = time.perf_counter()
            server.run_side_by_side(scripts)
            postgresql_s = time.perf_counter() - start
            prepared = next_blocks(engine, workload, first, first + events)
            engine_s = apply_timed(engine, prepared)
            engine.wait_projected()
            if turn:
                results.add("postgresql_events_per_s", "events/s", events / postgresql_s)
                results.add("engine_events_per_s", "events/s", events / engine_s)
                results.add("times_postgresql", "times", postgresql_s / engine_s)
        booked, applied = int(server.run("select count(*) from entries")), workload.fates().fresh
        if booked != applied:
            raise PeakledgerError("PostgreSQL and the engine booked different events", booked=booked, applied=applied)
    return results
