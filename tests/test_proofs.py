"""Digests and proofs: as plain Python computes them from the entries, and worth nothing once a byte of them is changed."""

import json
import subprocess
import sys
from dataclasses import replace
from hashlib import sha256
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.adjustments import Adjustments
from ledger.errors import JournalDamaged, LedgerNotFound, NotFound, ProofInvalid
from ledger.journal import open_journal
from ledger.layouts import ENTRIES_PER_BLOCK, FRAME_HEADER, JOURNAL_ENTRY, EntryKind, EventType
from ledger.proofs import Proof, check_proof, unpack_entry
from ledger.proving import digest_at, prove
from tests.journals import plain_digests
from tests.random_ledger import PARAMETERS, RandomLedger
from tests.shadow import ShadowedEngine
from tests.test_merkle import rfc_6962_root
from tests.test_verify import rewrite

EVENTS = 28_000
LEAF_BYTES = 32 * JOURNAL_ENTRY.size
BLOCK_BYTES = ENTRIES_PER_BLOCK * JOURNAL_ENTRY.size


class Shard:
    """A closed ledger of random ledger events, and its entries as the oracle made them."""

    def __init__(self, directory):
        pair = ShadowedEngine(directory, PARAMETERS)
        ledger = RandomLedger(Random(7), pair.model)
        for _ in range(0, EVENTS, 200):
            pair.apply([list(ledger.records(200))])
        pair.close()
        self.path = pair.shard
        self.entries = pair.model.entries

    def plain_digest(self, last_seq):
        """Return the digest at ``last_seq``, computed from the entries as docs/proofs.md says."""
        data = b"".join(self.entries[:last_seq])
        chained = plain_digests(data)
        rest = data[len(chained) * BLOCK_BYTES :]
        if rest:
            root = rfc_6962_root([sha256(b"\0" + rest[at : at + LEAF_BYTES]).digest() for at in range(0, len(rest), LEAF_BYTES)])
            chained.append(sha256((chained[-1] if chained else bytes(32)) + root).digest())
        return sha256(b"\2" + last_seq.to_bytes(8, "little") + rfc_6962_root(chained)).digest()

    def first_seqs(self):
        """Return the seq of the first entry of each event, by the kind (or adjust) and the count of legs of that entry."""
        found = {}
        for seq, entry in enumerate(JOURNAL_ENTRY.unpack_all(b"".join(self.entries)), 1):
            if entry["leg"] == 0 and entry["kind"] != EntryKind.release:
                name = "adjust" if entry["event_type"] == EventType.adjust else EntryKind(entry["kind"]).name
                found.setdefault((name, min(entry["leg_count"], 3)), []).append(seq)
        return found


@pytest.fixture(scope="module")
def shard(tmp_path_factory):
    shard = Shard(tmp_path_factory.mktemp("shard"))
    assert len(shard.entries) > 2 * ENTRIES_PER_BLOCK
    return shard


@pytest.fixture(scope="module")
def proof(shard):
    """A proof of a payment that opened its accounts, and the digest that it goes with."""
    return prove(shard.path, len(shard.entries) - 1)


def test_a_digest_is_what_plain_python_computes_from_the_entries(shard):
    seqs = [1, 31, 32, 33, 4095, 4096, 4097, 8191, 8192, 8193, len(shard.entries)]
    for last_seq in [*seqs, *Random(3).sample(range(1, len(shard.entries)), 5)]:
        found = digest_at(shard.path, last_seq)
        assert (found.last_seq, found.digest) == (last_seq, shard.plain_digest(last_seq))
        assert found.blocks == -(-last_seq // ENTRIES_PER_BLOCK)
    assert digest_at(shard.path).last_seq == len(shard.entries)


def test_events_of_every_kind_are_proven_against_any_later_digest(shard):
    chance = Random(5)
    kinds = shard.first_seqs()
    wanted = {"transfer", "pending", "post", "void", "expire", "reverse", "freeze", "open_account", "adjust"}
    assert wanted <= {name for name, _ in kinds}
    for (name, _), seqs in kinds.items():
        seq = chance.choice(seqs)
        last_seq = chance.choice([min(seq + 600, len(shard.entries)), len(shard.entries)])
        made = prove(shard.path, seq, last_seq)
        proven = check_proof(made.encode(), shard.plain_digest(last_seq))
        event = proven.event()
        assert event["first_seq"] == seq and name in (event["event_type"], event["entries"][0]["kind"])
        first = JOURNAL_ENTRY.unpack(shard.entries[seq - 1])
        assert event["entries"][0]["amount_fen"] == first["amount_fen"]
        legs = [entry for entry in event["entries"] if entry["kind"] != "release"]
        assert len(legs) == max(first["leg_count"], 1)


def test_a_seq_within_an_event_proves_the_whole_event(shard):
    (seq, *_) = shard.first_seqs()["transfer", 3]
    legs = JOURNAL_ENTRY.unpack(shard.entries[seq - 1])["leg_count"]
    assert prove(shard.path, seq + legs - 1) == prove(shard.path, seq)
    releases = [seq for seq, entry in enumerate(shard.entries, 1) if JOURNAL_ENTRY.unpack(entry)["kind"] == EntryKind.release]
    assert [entry["kind"] for entry in prove(shard.path, releases[0]).event()["entries"]][:2] == ["post", "release"]


def test_the_proof_of_an_adjustment_tells_who_allowed_it_and_why(shard):
    (seq, *_) = shard.first_seqs()["adjust", 3]
    event = prove(shard.path, seq).event()
    found = Adjustments(shard.path).at(seq)
    assert (tuple(event["allowed_by"]), event["reason"]) == found.note
    assert {entry["kind"] for entry in event["entries"]} == {"transfer", "note"}


def test_accounts_are_named_by_the_entries_that_opened_them(shard):
    (seq, *_) = shard.first_seqs()["transfer", 3]
    made = prove(shard.path, seq)
    named = [entry["debit_account"] for entry in made.event()["entries"]]
    assert all(":" in account for account in named)
    without = replace(made, leaves=tuple(leaf for leaf in made.leaves if leaf.first_seq <= seq < leaf.first_seq + 32))
    if without.leaves != made.leaves:
        with pytest.raises(ProofInvalid, match="opened an account is missing"):
            without.encode()


def test_a_proof_stays_small(shard, proof):
    assert len(proof.encode()) < 12_000 * len(proof.leaves)
    assert all(len(leaf.block_path) <= 2 for leaf in proof.leaves)


@settings(max_examples=300)
@given(st.data())
def test_a_proof_with_any_byte_changed_proves_nothing(proof, data):
    encoded = bytearray(proof.encode())
    at = data.draw(st.integers(0, len(encoded) - 1))
    encoded[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(ProofInvalid):
        check_proof(bytes(encoded), proof.digest)


@given(st.data())
def test_a_proof_that_is_cut_or_longer_proves_nothing(proof, data):
    encoded = proof.encode()
    at = data.draw(st.integers(0, len(encoded) - 1))
    for changed in (encoded[:at], encoded + encoded[at:], encoded[:at] + b" " + encoded[at:]):
        with pytest.raises(ProofInvalid):
            check_proof(changed, proof.digest)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_anything_else_is_no_proof(document):
    with pytest.raises(ProofInvalid, match=r"no proof|format"):
        check_proof(json.dumps(document).encode(), bytes(32))


def changed(proof, **fields):
    """Return the document of a proof with changed fields, all else as it was."""
    return json.dumps(json.loads(proof.encode()) | fields, indent=1).encode() + b"\n"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"format": "peakledger-proof-2"}, "format that is not known"),
        ({"last_seq": 2**64}, "no such last_seq"),
        ({"last_seq": True}, "no integer"),
        ({"last_seq": 33}, "wrong form"),
        ({"leaves": []}, "No event begins"),
        ({"leaves": [{}]}, "no proof: it has no 'entries'"),
        ({"digest": "00" * 32}, "do not lead to the digest"),
        ({"digest": "zz"}, "no proof: non-hexadecimal"),
        ({"event": {"first_seq": [1]}}, "no integer"),
        ({"event": {"first_seq": -1}}, "No event begins"),
    ],
)
def test_what_is_wrong_with_a_proof_is_told(proof, fields, message):
    with pytest.raises(ProofInvalid, match=message):
        check_proof(changed(proof, **fields), proof.digest)


def test_an_event_that_is_told_otherwise_than_its_entries_say_is_found_at_its_line(proof):
    event = proof.event() | {"source_offset": 1 << 40}
    with pytest.raises(ProofInvalid, match=r"something else than its entries.*line 9"):
        check_proof(changed(proof, event=event), proof.digest)


def test_a_proof_goes_with_the_digest_of_its_own_last_seq_alone(shard, proof):
    with pytest.raises(ProofInvalid, match="another digest than the published one"):
        check_proof(proof.encode(), shard.plain_digest(proof.last_seq - 1))


def test_a_claim_of_another_seq_for_the_same_entries_does_not_hold(proof):
    leaf = proof.leaves[-1]
    for shift in (-32, 32, -4096):
        moved = replace(proof, leaves=(*proof.leaves[:-1], replace(leaf, first_seq=leaf.first_seq + shift)))
        try:
            found = moved.leaves[-1].digest(proof.last_seq)
        except ValueError:
            continue
        assert found != proof.digest


def test_what_the_journal_does_not_have_is_not_proven(shard, tmp_path):
    last = len(shard.entries)
    with pytest.raises(NotFound, match="no entry"):
        prove(shard.path, last + 1)
    with pytest.raises(NotFound, match="behind"):
        prove(shard.path, last, last - 40)
    with pytest.raises(NotFound, match=f"Its last one is {last}"):
        digest_at(shard.path, last + 1)
    with pytest.raises(LedgerNotFound):
        digest_at(tmp_path)
    open_journal(tmp_path, source="topic/0").close()
    with pytest.raises(NotFound, match="no entries yet"):
        digest_at(tmp_path)


def test_an_event_that_ends_behind_the_digest_is_not_proven(shard):
    (seq, *_) = shard.first_seqs()["transfer", 3]
    with pytest.raises((NotFound, ProofInvalid), match=r"behind|missing"):
        prove(shard.path, seq, seq)


def test_entries_that_do_not_have_their_digest_are_damage(shard, tmp_path):
    subprocess.run(["cp", "-r", "--sparse=always", shard.path, tmp_path / "copy"], check=True)
    rewrite(tmp_path / "copy", 1, JOURNAL_ENTRY, FRAME_HEADER.size, ledger_time_ms=1)
    with pytest.raises(JournalDamaged, match="do not have its digest"):
        prove(tmp_path / "copy", 1)


def test_entries_are_unpacked_as_the_layout_says(shard):
    for seq, data in enumerate(shard.entries[:500], 1):
        fields = JOURNAL_ENTRY.unpack(data)
        entry = unpack_entry(seq, data)
        assert {name: value for name, value in fields.items() if name != "reserved"} == {
            name: getattr(entry, name) for name in fields if name != "reserved"
        }


def test_a_proof_is_checked_without_the_core(proof, tmp_path):
    (tmp_path / "proof.json").write_bytes(proof.encode())
    script = (
        "import sys; sys.modules['ledger._core'] = None\n"
        "from pathlib import Path\n"
        "from ledger.proofs import check_proof\n"
        f"print(check_proof(Path('proof.json').read_bytes(), bytes.fromhex('{proof.digest.hex()}')).last_seq)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) == proof.last_seq


def test_the_same_events_in_other_frames_have_the_same_digests(shard, tmp_path):
    pair = ShadowedEngine(tmp_path, PARAMETERS)
    ledger = RandomLedger(Random(7), pair.model)
    for _ in range(0, 1000, 200):
        pair.apply([[record] for record in ledger.records(200)])
    pair.close()
    last_seq = len(pair.model.entries)
    assert digest_at(pair.shard, last_seq).digest == digest_at(shard.path, last_seq).digest


def test_proofs_are_equal_when_their_content_is(proof):
    assert check_proof(proof.encode(), proof.digest) == proof
    assert isinstance(proof, Proof)
