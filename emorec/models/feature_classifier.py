"""Base class of classifiers in two steps: fixed features of a clip, then trained layers."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from torch import Tensor
from typing_extensions import override

from emorec.errors import UserError
from emorec.models.classifier import ClipClassifier, mix

if TYPE_CHECKING:
    from emorec.models.adaptation import ClipStatistics


class FeatureClassifier(ClipClassifier):
    """A network that classifies features without trained weights, which can be mixed, and adapted to a person.

    A subclass implements `features` and `classify`; its `forward` is one after the other.

    Args:
        training: See `ClipClassifier`.
    """

    def __init__(self, **training: Any) -> None:
        super().__init__(**training)
        if self.compiled:
            raise UserError(
                f"model.compile has no effect on {type(self).__name__}, which takes milliseconds: leave it out"
            )
        self._statistics: dict[str, ClipStatistics] = {}

    @abstractmethod
    def features(self, *args: Any, **kwargs: Any) -> Tensor:
        """The entries of `inputs` -> features (B, T, D), standardised by the training clips."""

    @abstractmethod
    def classify(self, features: Tensor) -> Tensor:
        """Features (B, T, D) -> logits (B, K)."""

    @override
    def forward(self, *inputs: Tensor) -> Tensor:
        """The entries of `inputs` -> logits (B, K)."""
        return self.classify(self.features(*inputs))

    @override
    def output(self, batch: Mapping[str, Any]) -> Tensor:
        mixed = batch.get("features")
        return self.classify(self.adapted_features(batch) if mixed is None else mixed)

    @override
    def mixed_batch(
        self, batch: Mapping[str, Any], order: Tensor, share: float
    ) -> Mapping[str, Any]:
        # the features, as pixels of faces of different places and sizes can't be mixed
        return {**batch, "features": mix(self.adapted_features(batch), order, share)}

    def adapted_features(self, batch: Mapping[str, Any]) -> Tensor:
        """Batch -> features (B, T, D), centred and scaled by those of the same person with `data.adapt person`."""
        features = self.features(*(batch[name] for name in self.inputs))
        if not self._statistics:
            return features
        return self._statistics[self._subset].adapt(features, batch["index"])

    @override
    def prepare(self, stage: str) -> None:
        """Compute the statistics of each person's clips, with `data.adapt person`."""
        data: Any = getattr(self.trainer, "datamodule", None)
        if getattr(data, "adapt", "none") == "none":
            return
        # late: a prediction needs neither
        from emorec.data.split import STAGE_SUBSETS
        from emorec.models.adaptation import clip_statistics, same_person
        from emorec.person_statistics import PRIOR_CLIPS

        def features(batch: Mapping[str, Any]) -> tuple[Tensor, Tensor]:
            batch = self.transfer_batch_to_device(batch, self.device, 0)
            return self.features(*(batch[name] for name in self.inputs)), self.has_input(batch)

        was_training = self.training
        self.eval()
        for subset in STAGE_SUBSETS[stage] or ("all",):
            clips = data.all_clips if subset == "all" else data.subsets[subset]
            if not clips:  # split "all" has no validation data
                continue
            people, labels = [clip.actor for clip in clips], [clip.label for clip in clips]
            sources = same_person(people, labels, self.enrolment)
            self._statistics[subset] = clip_statistics(
                features, data.ordered_loader(clips), sources, prior_clips=PRIOR_CLIPS
            )
        self.train(was_training)

    @property
    def _subset(self) -> str:
        """The subset that the trainer is at; "all" for a prediction of every clip."""
        if self.trainer.predicting:
            return "all"
        if self.trainer.testing:
            return "test"
        return "train" if self.trainer.training else "val"
