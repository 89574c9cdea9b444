"""Features centred and scaled by unlabelled clips of the same person."""

import pytest
import torch
from torch import Tensor

from emorec.errors import UserError
from emorec.models.adaptation import Enrolment, clip_statistics, same_person

PEOPLE = ["a", "b", "a", "a", "b", "c", "c"]
LABELS = [0, 0, 1, 2, 1, 0, 1]
FEATURES = torch.randn(len(PEOPLE), 4, 3, generator=torch.Generator().manual_seed(0))


def batches(labels: list[int]) -> list[dict[str, Tensor]]:
    positions = torch.arange(len(PEOPLE)).split(2)
    label = torch.tensor(labels)
    return [{"index": each, "label": label[each], "rows": FEATURES[each]} for each in positions]


def adapted(sources: list[list[int]], labels: list[int] = LABELS) -> Tensor:
    statistics = clip_statistics(lambda batch: batch["rows"], batches(labels), sources)
    return statistics.adapt(FEATURES, torch.arange(len(PEOPLE)))


def test_the_features_of_each_person_have_mean_0_and_deviation_1() -> None:
    features = adapted(same_person(PEOPLE))
    for person in "abc":
        rows = features[[each == person for each in PEOPLE]].flatten(0, 1)
        torch.testing.assert_close(rows.mean(dim=0), torch.zeros(3), atol=1e-5, rtol=0)
        torch.testing.assert_close(rows.std(dim=0, correction=0), torch.ones(3))


def test_no_label_reaches_the_statistics() -> None:
    def features(batch: dict[str, Tensor]) -> Tensor:
        assert set(batch) == {"index", "rows"}
        return batch["rows"]

    sources = same_person(PEOPLE, LABELS)
    statistics = clip_statistics(features, batches(LABELS), sources)  # type: ignore[arg-type]
    assert torch.equal(
        statistics.adapt(FEATURES, torch.arange(len(PEOPLE))), adapted(sources, LABELS[::-1])
    )
    assert sources == same_person(PEOPLE, LABELS[::-1])


@pytest.mark.parametrize("num_clips", [1, 2, 30])
def test_enrolment_takes_other_clips_of_the_same_person(num_clips: int) -> None:
    sources = same_person(PEOPLE, LABELS, Enrolment(num_clips=num_clips))
    for position, chosen in enumerate(sources):
        others = PEOPLE.count(PEOPLE[position]) - 1
        assert len(set(chosen)) == min(num_clips, others)
        assert position not in chosen
        assert {PEOPLE[each] for each in chosen} == {PEOPLE[position]}
    mean = FEATURES[sources[0]].flatten(0, 1).mean(dim=0)
    std = FEATURES[sources[0]].flatten(0, 1).std(dim=0, correction=0)
    torch.testing.assert_close(adapted(sources)[0], (FEATURES[0] - mean) / std)


def test_the_seed_decides_which_clips_are_enrolled() -> None:
    people = ["a"] * 20
    draws = [same_person(people, enrolment=Enrolment(num_clips=4, seed=seed)) for seed in (0, 0, 1)]
    assert draws[0] == draws[1] != draws[2]


def test_enrolment_with_some_classes_only() -> None:
    sources = same_person(["a"] * 4, [0, 1, 0, 0], Enrolment(num_clips=2, labels=frozenset({0})))
    assert all(1 not in chosen for chosen in sources)
    with pytest.raises(UserError, match=r"--enrol .* a has none"):
        same_person(["a", "a"], [0, 1], Enrolment(num_clips=2, labels=frozenset({0})))
