"""Random entries, flushes, restarts and new generations: LMDB holds what a dictionary says, at the watermark it says."""

from collections import defaultdict
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from ledger._core import Projector
from ledger.account_ids import format_account
from ledger.projections.balances import BalanceReader
from tests.entries import LEDGER_ID, account, openings, transfer

OPEN, TRANSFER, FLUSH, RESTART, CRASH, NEW_GENERATION = range(6)

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just(OPEN), st.integers(1, 100)),
        st.tuples(
            st.just(TRANSFER), st.lists(st.tuples(st.integers(0, 999), st.integers(0, 999), st.integers(1, 2**40)), max_size=30)
        ),
        st.tuples(st.sampled_from([FLUSH, FLUSH, RESTART, CRASH, NEW_GENERATION]), st.none()),
    ),
    max_size=25,
)


class Model:
    """Every account's debits, credits and last seq in dictionaries, and a copy of them as of the last flush."""

    def __init__(self):
        self.count = self.seq = 0
        self.debits, self.credits, self.last_seq = defaultdict(int), defaultdict(int), {}
        self.flush()

    def open(self, count):
        for slot in range(self.count, self.count + count):
            self.seq += 1
            self.last_seq[slot] = self.seq
        self.count += count

    def transfer(self, debit, credit, amount_fen):
        self.seq += 1
        self.debits[debit] += amount_fen
        self.credits[credit] += amount_fen
        self.last_seq[debit] = self.last_seq[credit] = self.seq

    def balances(self):
        return [
            (format_account(account(slot)), self.debits[slot], self.credits[slot], self.last_seq[slot])
            for slot in range(self.count)
        ]

    def flush(self):
        self.flushed = (self.seq, self.balances())


class Driver:
    """Does to a projector what is done to the model. The tail is what a crash lost, and is applied again."""

    def __init__(self, directory):
        self.directory, self.epoch, self.model, self.tail = directory, 0, Model(), []
        self.start()

    def start(self, fresh_generation=False):
        self.epoch += 1
        self.projector = Projector(self.directory, LEDGER_ID, self.epoch, 10_000)
        seq, _ = self.projector.load(fresh_generation=fresh_generation)
        assert seq == self.model.flushed[0]
        for first_seq, entries in self.tail:
            self.projector.apply_entries(first_seq, entries)

    def apply(self, entries):
        first_seq = self.projector.applied_seq + 1
        self.tail.append((first_seq, entries))
        self.projector.apply_entries(first_seq, entries)

    def flushed(self):
        self.model.flush()
        self.tail = []

    def step(self, kind, argument):
        if kind == OPEN:
            self.apply(openings(argument, first=self.model.count))
            self.model.open(argument)
        elif kind == TRANSFER:
            named = [(a % self.model.count, b % self.model.count, amount) for a, b, amount in argument if self.model.count]
            self.apply(b"".join(transfer(*each) for each in named))
            for each in named:
                self.model.transfer(*each)
        elif kind == FLUSH:
            self.projector.flush()
            self.flushed()
        elif kind == NEW_GENERATION:
            self.projector.start_generation()
            self.flushed()
        else:
            self.projector.close(clean=kind == RESTART)
            if kind == RESTART:
                self.flushed()
            self.start(fresh_generation=self.epoch % 3 == 0)


@settings(max_examples=40, deadline=None)
@given(STEPS)
def test_what_is_read_is_what_was_flushed(steps):
    with TemporaryDirectory() as folder:
        driver = Driver(Path(folder))
        for kind, argument in steps:
            driver.step(kind, argument)
            reader = BalanceReader(folder)
            balances = [(b.account, b.debits_posted, b.credits_posted, b.last_seq) for b in reader.items()]
            assert (reader.watermark.seq, balances) == driver.model.flushed
