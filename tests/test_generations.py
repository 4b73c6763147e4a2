"""Which generation counts, whoever renames what and when."""

import pytest

from ledger.errors import Fenced
from ledger.projections import generations


def test_a_generation_counts_once_it_is_published(tmp_path):
    assert generations.newest(tmp_path) is None
    building = generations.prepare(tmp_path, 1)
    assert generations.newest(tmp_path) is None
    path = generations.publish(building)
    assert generations.newest(tmp_path) == path


def test_generations_of_one_epoch_are_numbered_and_a_later_epoch_comes_after_all_of_them(tmp_path):
    names = [generations.publish(generations.prepare(tmp_path, epoch)).name for epoch in (9, 9, 10)]
    assert names == ["gen-0000000009-000001", "gen-0000000009-000002", "gen-0000000010-000001"]
    assert generations.newest(tmp_path).name == names[-1]


def test_a_writer_of_an_earlier_epoch_may_build_nothing(tmp_path):
    generations.publish(generations.prepare(tmp_path, 2))
    with pytest.raises(Fenced, match="epoch 1, found 2"):
        generations.prepare(tmp_path, 1)


def test_a_zombie_stopped_just_before_it_publishes_does_not_become_the_newest_when_it_wakes(tmp_path):
    generations.publish(generations.prepare(tmp_path, 1))
    late = generations.prepare(tmp_path, 1)
    owner = generations.publish(generations.prepare(tmp_path, 2))
    generations.publish(late)
    assert generations.newest(tmp_path) == owner


def test_what_comes_before_is_removed_and_what_comes_after_is_not(tmp_path):
    old = generations.publish(generations.prepare(tmp_path, 1))
    half_built = generations.prepare(tmp_path, 1)
    own = generations.publish(generations.prepare(tmp_path, 2))
    newer = generations.publish(generations.prepare(tmp_path, 3))
    (tmp_path / "notes").touch()
    generations.remove_before(own)
    assert not old.exists() and not half_built.exists()
    assert own.exists() and newer.exists() and (tmp_path / "notes").exists()
