"""Outputs are collected once per clip, for any batches and processes."""

from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch.utils.data import DistributedSampler

from emorec.evaluation.collector import PredictionCollector

K = 4


def logits_of(index: torch.Tensor) -> torch.Tensor:
    """(B,) -> (B, K): logits that encode the clip index, so that swapped rows are detected."""
    return index[:, None] + torch.arange(K) / 10


def test_batches_are_concatenated_and_sorted_by_index() -> None:
    collector = PredictionCollector(K, classes=True)
    for index in (torch.tensor([5, 1]), torch.tensor([3])):
        collector.update(index, index % K, logits_of(index))
    predictions = collector.compute()
    assert predictions.index.tolist() == [1, 3, 5]
    assert predictions.target.tolist() == [1, 3, 1]
    torch.testing.assert_close(predictions.output, logits_of(torch.tensor([1, 3, 5])))


def test_a_repeated_clip_counts_once_with_its_first_prediction() -> None:
    collector = PredictionCollector(K, classes=True)
    index = torch.tensor([2, 0, 2])
    collector.update(index, index % K, logits_of(torch.tensor([2, 0, 9])))
    predictions = collector.compute()
    assert predictions.index.tolist() == [0, 2]
    torch.testing.assert_close(predictions.output, logits_of(torch.tensor([0, 2])))


def test_a_single_clip_keeps_its_dimensions() -> None:
    collector = PredictionCollector(K, classes=True)
    collector.update(torch.tensor([7]), torch.tensor([1]), torch.zeros(1, K))
    predictions = collector.compute()
    assert predictions.index.shape == predictions.target.shape == (1,)
    assert predictions.output.shape == (1, K)


def test_an_epoch_without_clips_is_empty_without_a_warning() -> None:
    predictions = PredictionCollector(K, classes=True).compute()
    assert len(predictions) == 0
    assert predictions.output.shape == (0, K)
    assert predictions.index.dtype == predictions.target.dtype == torch.int64


def test_half_precision_logits_become_float32_without_a_gradient() -> None:
    collector = PredictionCollector(K, classes=True)
    logits = torch.ones(2, K, dtype=torch.bfloat16, requires_grad=True)
    collector.update(torch.arange(2), torch.zeros(2, dtype=torch.int32), logits)
    predictions = collector.compute()
    assert predictions.output.dtype == torch.float32
    assert predictions.target.dtype == torch.int64
    assert not predictions.output.requires_grad


def test_reset_clears_the_outputs() -> None:
    collector = PredictionCollector(K, classes=True)
    collector.update(torch.tensor([0]), torch.tensor([0]), torch.zeros(1, K))
    assert len(collector.compute()) == 1
    collector.reset()
    assert len(collector.compute()) == 0


def test_compute_does_not_reset_the_collector() -> None:
    collector = PredictionCollector(K, classes=True)
    for position in range(3):
        index = torch.tensor([position])
        collector.update(index, index, logits_of(index))
        assert len(collector.compute()) == position + 1


def test_a_collector_adds_nothing_to_a_checkpoint() -> None:
    collector = PredictionCollector(K, classes=True)
    collector.update(torch.tensor([0]), torch.tensor([0]), torch.zeros(1, K))
    assert not collector.state_dict()


@pytest.mark.parametrize("logits", [torch.zeros(2, K + 1), torch.zeros(3, K), torch.zeros(2)])
def test_a_batch_of_another_shape_is_refused(logits: torch.Tensor) -> None:
    with pytest.raises(ValueError, match=r"output \(2, 4\), got \(2,\) and "):
        PredictionCollector(K, classes=True).update(torch.arange(2), torch.arange(2), logits)


def collect_on_one_of_two_processes(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    store = f"file://{folder}/store"
    dist.init_process_group("gloo", init_method=store, rank=rank, world_size=2)
    collector = PredictionCollector(K, classes=True)

    def collected(positions: list[int]) -> tuple[torch.Tensor, ...]:
        collector.reset()
        for index in torch.tensor(positions).split(3) if positions else ():
            collector.update(index, index % K, logits_of(index))
        first, second = collector.compute(), collector.compute()
        assert torch.equal(first.index, second.index), "a second exchange gives the same"
        return first.index, first.target, first.output

    padded = list(DistributedSampler(range(7), num_replicas=2, rank=rank, shuffle=False))
    uneven = [[4, 0, 2, 1, 3], [6, 5]][rank]
    one_has_none = [[0, 1], []][rank]
    result = [collected(positions) for positions in (padded, uneven, one_has_none, [])]
    torch.save((len(padded), result), f"{folder}/{rank}.pt")
    dist.destroy_process_group()


@pytest.mark.slow
def test_two_processes_both_gather_every_clip_once(tmp_path: Path) -> None:
    mp.start_processes(
        collect_on_one_of_two_processes, (str(tmp_path),), nprocs=2, start_method="fork"
    )
    for rank in range(2):
        padded, result = torch.load(tmp_path / f"{rank}.pt")
        assert padded == 4, "seven clips over two processes are padded to eight"
        for num_clips, (index, target, logits) in zip([7, 7, 2, 0], result, strict=True):
            expected = torch.arange(num_clips)
            assert torch.equal(index, expected)
            assert torch.equal(target, expected % K)
            torch.testing.assert_close(logits, logits_of(expected))


def test_numbers_are_collected_with_their_targets() -> None:
    generator = torch.Generator().manual_seed(0)
    target, output = torch.rand(2, 7, 2, generator=generator)
    collector = PredictionCollector(2, classes=False)
    for rows in (torch.tensor([4, 5, 6]), torch.tensor([0, 1, 2, 3]), torch.tensor([4, 0])):
        collector.update(rows, target[rows], output[rows].double())
    result = collector.compute()
    assert result.index.tolist() == list(range(7))
    assert torch.equal(result.target, target)
    assert torch.equal(result.output, output)
    collector.reset()
    empty = collector.compute()
    assert (empty.index.shape, empty.target.shape, empty.output.shape) == ((0,), (0, 2), (0, 2))
    with pytest.raises(ValueError, match=r"expected target \(3, 2\) and output \(3, 2\)"):
        collector.update(torch.arange(3), torch.zeros(3, 1), torch.zeros(3, 2))
