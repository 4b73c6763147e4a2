"""Verifying the files of a key checkpoint: sound ones are counted, and any changed byte is found and its file named."""

import shutil
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.errors import FormatVersionMismatch, KeyTableDamaged, LedgerNotFound
from ledger.journal import open_journal
from ledger.key_checkpoint import complete_directory
from ledger.key_lookup import KeyLookup
from ledger.verify import verify_keys
from tests.random_ledger import PARAMETERS, RandomLedger
from tests.shadow import ShadowedEngine


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """A closed engine and its oracle."""
    pair = ShadowedEngine(tmp_path_factory.mktemp("keys"), PARAMETERS)
    pair.apply([list(RandomLedger(Random(4), pair.model).records(400))])
    pair.close()
    return pair


def test_sound_files_hold_the_keys_of_the_ledger(pair):
    lookup = KeyLookup(pair.shard)
    assert verify_keys(pair.shard) >= sum(lookup.knows(key.business_date) for key in pair.model.state.keys) > 0


@settings(max_examples=60)
@given(data=st.data())
def test_any_changed_byte_is_found_and_its_file_named(pair, data):
    files = sorted(path for path in complete_directory(pair.shard / "keys").iterdir() if path.is_file())
    assert {path.suffix or path.name for path in files} == {".keys", "checkpoint", ".state"}
    path = data.draw(st.sampled_from(files))
    sound = path.read_bytes()
    at = data.draw(st.integers(0, len(sound) - 1))
    path.write_bytes(sound[:at] + bytes([sound[at] ^ data.draw(st.integers(1, 255))]) + sound[at + 1 :])
    try:
        with pytest.raises((KeyTableDamaged, FormatVersionMismatch)) as caught:
            verify_keys(pair.shard)
        assert caught.value.numbers["path"] == str(path)
    finally:
        path.write_bytes(sound)


@pytest.mark.parametrize("name", ["checkpoint", "posting.state"])
def test_a_file_that_is_cut_short_is_damage(pair, tmp_path, name):
    shutil.copytree(pair.shard, tmp_path / "copy")
    path = complete_directory(tmp_path / "copy" / "keys") / name
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(KeyTableDamaged):
        verify_keys(tmp_path / "copy")


def test_a_ledger_without_a_checkpoint_has_no_keys_in_files(tmp_path):
    with pytest.raises(LedgerNotFound):
        verify_keys(tmp_path)
    open_journal(tmp_path, source="topic/0").close()
    assert verify_keys(tmp_path) == 0
