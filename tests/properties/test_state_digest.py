"""The state digest: of the accounts alone, whatever the flushes and restarts, and as plain Python has it."""

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from ledger._core import BalanceView, Projector, state_digest
from ledger.layouts import ACCOUNT_RECORD, BALANCE_META, JOURNAL_ENTRY, NO_SLOT, EntryKind
from ledger.projections import generations
from ledger.state_digest import plain_state_digest
from tests.entries import LEDGER_ID, account, opening

ACCOUNTS = 200  # of which a block holds 63

RECORDS = st.lists(st.binary(min_size=ACCOUNT_RECORD.size, max_size=ACCOUNT_RECORD.size), max_size=5)
SLOTS = st.integers(0, ACCOUNTS - 1)
AMOUNTS = st.sampled_from([0, 1, 2**40])
TRANSFERS = st.tuples(st.sampled_from([EntryKind.transfer, EntryKind.pending, EntryKind.reverse]), SLOTS, SLOTS, AMOUNTS)
MARKS = st.tuples(st.sampled_from([EntryKind.freeze, EntryKind.unfreeze, EntryKind.close]), SLOTS, st.just(NO_SLOT), st.just(0))
OPENINGS = st.tuples(st.just(EntryKind.open_account), SLOTS, st.just(NO_SLOT), AMOUNTS)
CLOCKS = st.just((EntryKind.clock, NO_SLOT, NO_SLOT, 0))
STEPS = st.lists(st.one_of(TRANSFERS, MARKS, OPENINGS, CLOCKS, st.sampled_from(["flush", "restart", "anew"])), max_size=60)


def plain(records: bytes) -> int:
    return plain_state_digest([records[at : at + ACCOUNT_RECORD.size] for at in range(0, len(records), ACCOUNT_RECORD.size)])


@given(RECORDS)
def test_the_core_digests_records_as_plain_python_does(records):
    assert state_digest(b"".join(records)) == plain_state_digest(records)


@given(RECORDS.filter(bool), st.data())
def test_any_flipped_bit_and_any_two_exchanged_accounts_show(records, data):
    digest = plain_state_digest(records)
    whole = bytearray(b"".join(records))
    bit = data.draw(st.integers(0, 8 * len(whole) - 1))
    whole[bit // 8] ^= 1 << bit % 8
    assert state_digest(whole) != digest
    exchanged = [*records[1:], records[0]]
    assert exchanged == records or plain_state_digest(exchanged) != digest


def entry_of(step, count):
    """Return the entry of a step, given how many accounts are open; an opening has its slot in place of the limit parent's."""
    kind, debit_slot, credit_slot, amount_fen = step
    if kind == EntryKind.open_account:
        fields = JOURNAL_ENTRY.unpack(opening(count, account(count)))
        return JOURNAL_ENTRY.pack(**fields | {"amount_fen": amount_fen, "reference_seq": debit_slot % (count + 1)})
    return JOURNAL_ENTRY.pack(kind=kind, debit_slot=debit_slot, credit_slot=credit_slot, amount_fen=amount_fen)


def opened(directory, epoch):
    projector = Projector(directory, LEDGER_ID, epoch, 1000)
    projector.load()
    return projector


def check(directory, projector):
    """Compare what stands in the file with plain Python, and with a file that was written at once."""
    meta, digest = BalanceView(generations.newest(directory / "balances")).digests()
    noted = int.from_bytes(BALANCE_META.unpack(meta)["state_digest"], "little")
    assert noted == digest == plain(projector.copy_records())


@settings(max_examples=60)
@given(STEPS)
def test_the_noted_digest_is_that_of_the_accounts_whatever_the_flushes_and_restarts(steps):
    with TemporaryDirectory() as name:
        directory, epoch = Path(name), 1
        projector = opened(directory, epoch)
        projector.apply_entries(1, b"".join(opening(slot, account(slot)) for slot in range(ACCOUNTS)))
        for step in steps:
            if step == "restart":
                projector.flush()
                epoch += 1
                projector.close(clean=bool(epoch % 2))
                projector = opened(directory, epoch)
            elif step == "anew":
                projector.start_generation()
            elif step != "flush":
                projector.apply_entries(projector.applied_seq + 1, entry_of(step, projector.account_count))
                continue
            projector.flush()
            check(directory, projector)
        projector.flush()
        check(directory, projector)
        projector.close()
