"""What models are measured by, and how their figures are written: of those that name classes, and of the others."""

from collections.abc import Mapping
from dataclasses import dataclass

from emorec.comparison.wording import decimals, points
from emorec.evaluation.counts import ActorCounts
from emorec.evaluation.intervals import Estimate, Interval
from emorec.evaluation.moments import ActorMoments
from emorec.evaluation.numbers_file import PredictedNumbers
from emorec.evaluation.predicted import Predicted


@dataclass(frozen=True, kw_only=True)
class Score:
    """How a comparison measures.

    Attributes:
        figure: The figure that models are ranked by, such as "uar".
        title: What that is called.
        merit: Figures of merit in the order of the columns -> headings; the one that is sorted by comes first.
        shares: Whether figures are shares and are written in per cent.
        against_cost: The figure that is drawn over the cost.
        least: The least that the figure drawn can be, 0 or -1.
        explained: What the figures are, in a sentence.
        guess: What the model is called that always says the same.
    """

    figure: str
    title: str
    merit: Mapping[str, str]
    shares: bool
    against_cost: str
    least: float
    explained: str
    guess: str

    @property
    def unit(self) -> str:
        """Of the figures, for a heading; empty where they have none."""
        return "per cent" if self.shares else ""

    @property
    def scale(self) -> float:
        """What a figure is multiplied by in pictures."""
        return 100 if self.shares else 1

    def shown(self, value: float | None) -> str:
        """A figure as it stands in a table."""
        return points(value) if self.shares else decimals(value)

    def span(self, interval: Interval | None) -> str:
        """An interval; empty where there is none."""
        return f"{self.shown(interval.low)} to {self.shown(interval.high)}" if interval else ""

    def estimate(self, value: Estimate) -> str:
        """A figure and its interval."""
        ends = f" ({self.span(value.interval)})" if value.interval else ""
        return f"{self.shown(value.value)}{ends}"


CLASSES = Score(
    figure=ActorCounts.RANKED_BY,
    title="UAR",
    merit={"uar": "UAR", "accuracy": "accuracy (WAR)", "macro_f1": "macro-F1", "ece": "ECE"},
    shares=True,
    against_cost="accuracy",
    least=0,
    explained="UAR is the mean recall of the classes, ECE the expected calibration error (15 bins)",
    guess="majority class of these clips",
)


def score_of(predicted: Predicted) -> Score:
    """How models that say such things are measured."""
    if not isinstance(predicted, PredictedNumbers):
        return CLASSES
    names = predicted.target_names
    each = {f"ccc_{name}": f"CCC {name}" for name in names} if len(names) > 1 else {}
    return Score(
        figure=ActorMoments.RANKED_BY,
        title="CCC",
        merit={
            "ccc": "CCC",
            **each,
            "pcc": "PCC",
            "rmse": "RMSE",
            "sign_agreement": "sign agreement",
        },
        shares=False,
        against_cost="ccc",
        least=-1,
        explained=(
            f"CCC is Lin's concordance correlation over all clips at once; CCC, PCC, RMSE and sign agreement are "
            f"means over {', '.join(names)}"
        ),
        guess="the mean of these clips, always",
    )
