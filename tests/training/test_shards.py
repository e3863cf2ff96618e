"""Shards: every user is read by one process, in equal shares."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from recsynth.errors import InputError
from recsynth.training.shards import Batch, read_labels, read_texts, user_batches
from tests.training.planted import ITEMS, text_of, write_planted


def epoch(folder: Path, rank: int, world_size: int, users: int, seed: int = 1) -> list[tuple[int, ...]]:
    share = -(-users // world_size)
    batches = islice(user_batches(folder, rank, world_size, 4, 8, seed), -(-share // 4))
    return [tuple(row) for b in batches for row in b.texts_BL.tolist()]


def test_two_processes_share_all_users_evenly(tmp_path: Path) -> None:
    write_planted(tmp_path, users=40)
    whole = sorted(epoch(tmp_path, 0, 1, 40))
    shares = [epoch(tmp_path, rank, 2, 40) for rank in (0, 1)]
    assert [len(s) for s in shares] == [20, 20]
    assert sorted(shares[0] + shares[1]) == whole


def test_where_users_do_not_divide_the_shares_are_equal_all_the_same(tmp_path: Path) -> None:
    write_planted(tmp_path, users=7)
    shares = [epoch(tmp_path, rank, 3, 7) for rank in range(3)]
    assert [len(s) for s in shares] == [3, 3, 3]
    assert set(shares[0] + shares[1] + shares[2]) == set(epoch(tmp_path, 0, 1, 7))


def test_the_order_is_by_seed_and_another_each_epoch(tmp_path: Path) -> None:
    write_planted(tmp_path, users=40)
    first, same, other = (epoch(tmp_path, 0, 1, 40, seed) for seed in (1, 1, 2))
    assert first == same
    assert first != other
    two = [b.texts_BL.tolist() for b in islice(user_batches(tmp_path, 0, 1, 40, 8, 1), 2)]
    assert two[0] != two[1]
    assert sorted(two[0]) == sorted(two[1])


def test_a_history_is_cut_to_its_last_events_and_padded_behind(tmp_path: Path) -> None:
    write_planted(tmp_path, users=4)
    cut, wanted = read_labels(tmp_path, 2, limit=1)
    assert cut.ages_BL.tolist() == [[2.0, 1.0]]
    assert wanted[0].tolist() == [24, 28, 32, 36]
    padded: Batch = read_labels(tmp_path, 8, limit=1)[0]
    assert (padded.types_BL[0] > 0).tolist() == [True] * 6 + [False] * 2


def test_texts_are_in_the_order_of_their_index(tmp_path: Path) -> None:
    texts = read_texts(write_planted(tmp_path, parts=3))
    assert texts.texts == [text_of(i) for i in range(ITEMS)]
    assert texts.items == len(texts.popularity_M) == ITEMS
    assert np.isfinite(texts.popularity_M).all()


def test_pictures_are_rows_and_what_has_none_is_a_row_of_zeros(tmp_path: Path) -> None:
    assert read_texts(write_planted(tmp_path / "none")).images_MI.shape == (ITEMS, 0)
    pictures = np.arange(2.0 * ITEMS).reshape(ITEMS, 2)
    folder = write_planted(tmp_path / "some", images=[*pictures[:-1].tolist(), []])
    found = read_texts(folder).images_MI
    assert (found[:-1] == pictures[:-1]).all()
    assert found[-1].tolist() == [0.0, 0.0]


def test_an_item_is_read_in_other_words_as_often_as_is_said(tmp_path: Path) -> None:
    texts = read_texts(write_planted(tmp_path, variants={0: ["a", "b"], 1: ["c"]}, share=0.5))
    read = [texts.read(np.arange(4), np.random.default_rng(seed)) for seed in range(400)]
    assert {r[0] for r in read} == {text_of(0), "a", "b"}
    assert {r[1] for r in read} == {text_of(1), "c"}
    assert {(r[2], r[3]) for r in read} == {(text_of(2), text_of(3))}
    assert sum(r[1] == "c" for r in read) / 400 == pytest.approx(0.5, abs=0.08)
    assert sum(r[0] == "a" for r in read) / 400 == pytest.approx(0.25, abs=0.08)


def test_without_other_words_no_random_number_is_drawn(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    assert read_texts(write_planted(tmp_path)).read(np.arange(3), rng) == [text_of(i) for i in range(3)]
    assert rng.random() == np.random.default_rng(1).random()


def test_a_truncated_shard_is_one_clear_error(tmp_path: Path) -> None:
    shard = write_planted(tmp_path) / "texts" / "part-0.parquet"
    shard.write_bytes(shard.read_bytes()[:-20])
    with pytest.raises(InputError, match="expected whole Parquet shards"):
        read_texts(tmp_path)
