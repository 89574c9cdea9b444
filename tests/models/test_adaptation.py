"""Features centred and scaled by unlabelled clips of the same person."""

from collections.abc import Mapping

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


def rows_of(batch: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Return the features of a batch, all of whose clips have a face."""
    return batch["rows"], torch.ones(len(batch["rows"]), dtype=torch.bool)


def adapted(sources: list[list[int]], labels: list[int] = LABELS) -> Tensor:
    statistics = clip_statistics(rows_of, batches(labels), sources)
    return statistics.adapt(FEATURES, torch.arange(len(PEOPLE)))


def test_the_features_of_each_person_have_mean_0_and_deviation_1() -> None:
    features = adapted(same_person(PEOPLE))
    for person in "abc":
        rows = features[[each == person for each in PEOPLE]].flatten(0, 1)
        torch.testing.assert_close(rows.mean(dim=0), torch.zeros(3), atol=1e-5, rtol=0)
        torch.testing.assert_close(rows.std(dim=0, correction=0), torch.ones(3))


def test_no_label_reaches_the_statistics() -> None:
    def features(batch: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        assert set(batch) == {"index", "rows"}
        return rows_of(batch)

    sources = same_person(PEOPLE, LABELS)
    statistics = clip_statistics(features, batches(LABELS), sources)
    assert torch.equal(
        statistics.adapt(FEATURES, torch.arange(len(PEOPLE))), adapted(sources, LABELS[::-1])
    )
    assert sources == same_person(PEOPLE, LABELS[::-1])


def test_clips_without_a_face_do_not_count() -> None:
    def features(batch: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        rows, present = rows_of(batch)
        return rows, present & (batch["index"] != 2)

    statistics = clip_statistics(features, batches(LABELS), same_person(PEOPLE))
    others = FEATURES[[0, 3]].flatten(0, 1)  # of person a
    torch.testing.assert_close(statistics.mean[0], others.mean(dim=0))
    torch.testing.assert_close(statistics.std[2], others.std(dim=0, correction=0))


def test_training_people_count_as_some_clips_of_each_person() -> None:
    """Adding clips of mean 0 and mean square 1 by hand gives the same statistics."""
    average = torch.tensor([1.0, -1.0]).view(1, 2, 1).expand(2, 2, 3)
    rows = torch.cat([FEATURES[:1, :2], average])
    by_hand = clip_statistics(lambda _: (rows, torch.ones(3).bool()), [{}], [[0, 1, 2]])
    own = clip_statistics(lambda _: (rows[:1], torch.ones(1).bool()), [{}], [[0]], prior_clips=2.0)
    torch.testing.assert_close(own.mean, by_hand.mean)
    torch.testing.assert_close(own.std, by_hand.std)


@pytest.mark.parametrize("num_clips", [1])
def test_enrolment_takes_other_clips_of_the_same_person(num_clips: int) -> None:
    sources = same_person(PEOPLE, LABELS, Enrolment(num_clips=num_clips))
    for position, chosen in enumerate(sources):
        assert len(set(chosen)) == num_clips
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
    with pytest.raises(UserError, match=r"--enrol 2 .* a has 0"):
        same_person(["a", "a"], [0, 1], Enrolment(num_clips=2, labels=frozenset({0})))
