"""What is predicted of a clip, classes or numbers: the metrics, the predictions table, formatting and plots of either.

N clips, K classes or R numbers, S sufficient statistics. The output of a network is (N, K) logits or log-probabilities,
or (N, R) numbers. Scores are functions of statistics that add up over clips, so that those of a fold, an actor or a
bootstrap resample all come from the same sums.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import log_softmax
from typing_extensions import override

from emorec.evaluation import scores
from emorec.evaluation.scores import CALIBRATION_BINS, Estimate, Floats, Interval
from emorec.text import decimal, percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure


CALIBRATED = "calibrated "
"""Prefix of a class name in the columns of calibrated probabilities, which may follow the others."""

PREDICTED = "predicted "
"""Prefix of a number's name in the column of its prediction."""

SMALLEST_PROBABILITY = 1e-300
"""A probability of 0 has no logarithm."""


@dataclass(frozen=True)
class Task(ABC):
    """What is predicted of a clip.

    Attributes:
        names: K class names in label order, or R names of numbers.
        kind: What the names are, "classes" or "numbers".
        verb: What a model does with a clip.
        score: Metric that chooses the best epoch and ranks models; higher is better.
        score_title: How it is written.
        plateau_metric: Metric that has to rise, or a plateau scheduler lowers the learning rate.
        cost_metric: Metric that is plotted against the cost of models.
        plot_name: What the plot of truth against prediction is called in files and TensorBoard.
        trivial_baseline: What a model is called that predicts the same of every clip.
        percent: Whether scores are shares and are written in per cent.
    """

    names: tuple[str, ...]

    kind: ClassVar[Literal["classes", "numbers"]]
    verb: ClassVar[str]
    score: ClassVar[str]
    score_title: ClassVar[str]
    plateau_metric: ClassVar[str]
    cost_metric: ClassVar[str]
    plot_name: ClassVar[str]
    trivial_baseline: ClassVar[str]
    percent: ClassVar[bool]

    @classmethod
    @abstractmethod
    def from_columns(cls, columns: Sequence[str]) -> Self | None:
        """Return the task of a predictions table with these columns; `None` when it is not one of this kind."""

    @property
    def description(self) -> str:
        """What a model of this task does, such as "classifies calm, happy"."""
        return f"{self.verb} {', '.join(self.names)}"

    @property
    @abstractmethod
    def headings(self) -> dict[str, str]:
        """Metric -> column heading, the score first."""

    @property
    @abstractmethod
    def explanation(self) -> str:
        """What the metrics are, as the end of a sentence."""

    @property
    @abstractmethod
    def truth_columns(self) -> tuple[str, ...]:
        """Columns of the predictions table that hold the truth."""

    @abstractmethod
    def values(self, output: ArrayLike) -> Floats:
        """Return probabilities (N, K) or numbers (N, R) of a network's output, in float64."""

    @abstractmethod
    def to_output(self, values: ArrayLike) -> Floats:
        """Return the output that has these probabilities (N, K) or numbers (N, R): their logarithms, or themselves."""

    @abstractmethod
    def sums(
        self, target: ArrayLike, output: ArrayLike, group: NDArray[np.intp] | None = None
    ) -> Floats:
        """Sum up the sufficient statistics of clips.

        Args:
            target: (N,) labels, or (N, R) numbers.
            output: (N, K) logits, or (N, R) numbers.
            group: (N,) group of each clip, 0 to G - 1; by default all are one group.

        Returns:
            (G, S); rows may be added to each other.

        Raises:
            ValueError: When there is no clip, or one of unknown truth.
        """

    @abstractmethod
    def scores(self, sums: Floats) -> dict[str, Floats]:
        """Return metric -> (...) of statistics (..., S)."""

    @abstractmethod
    def evaluate(self, target: ArrayLike, output: ArrayLike) -> dict[str, float]:
        """Return the loss and the scores of clips, by the names that they are logged under.

        Raises:
            ValueError: When there is no clip, or one of unknown truth.
        """

    @abstractmethod
    def per_name(self, sums: Floats) -> pd.DataFrame:
        """Return the scores of each class or number of statistics (S,), a row a name; NaN without a denominator."""

    @abstractmethod
    def trivial_scores(self, target: ArrayLike) -> dict[str, float]:
        """Return the scores of predicting the most frequent class, or the mean number, of every clip.

        Without the calibration error or Pearson's correlation, which say nothing of constant predictions.
        """

    @abstractmethod
    def bounds(self, metric: str) -> tuple[float, float]:
        """Return the lowest and the highest possible value of a metric."""

    def table(
        self,
        target: ArrayLike,
        output: ArrayLike,
        *,
        paths: Sequence[str],
        actors: Sequence[int | str],
        temperature: float | None = None,
    ) -> pd.DataFrame:
        """Return the predictions table of clips, with the columns of `predictions.csv`, indexed by `clip_index`.

        Args:
            target: (N,) labels, -1 where unknown; or (N, R) numbers, NaN where unknown.
            output: (N, K) logits, or (N, R) numbers.
            paths: N clip files.
            actors: N people.
            temperature: Add calibrated probabilities; for classes alone.

        Raises:
            ValueError: When there are not N paths and actors, or not as many outputs as names.
        """
        outputs = np.asarray(output, np.float64)
        lengths, expected = (
            (len(paths), len(actors), len(self.names)),
            (len(outputs), *outputs.shape),
        )
        if lengths != expected:
            raise ValueError(f"expected {expected} paths, actors and names, got {lengths}")
        columns = self._columns(np.asarray(target), outputs, temperature)
        # as objects: pandas' own strings can't hold file names that are not valid Unicode
        texts = {"path": list(paths), "actor": [str(actor) for actor in actors]}
        table = pd.DataFrame(
            {**{name: pd.Series(it, dtype=object) for name, it in texts.items()}, **columns}
        )
        return table.set_axis(self.clip_index(table))

    @abstractmethod
    def _columns(
        self, target: NDArray[Any], output: Floats, temperature: float | None
    ) -> dict[str, pd.Series]:
        """Return the columns of the predictions table after path and actor."""

    @abstractmethod
    def target(self, table: pd.DataFrame) -> NDArray[Any]:
        """Return the truth in a predictions table: (N,) labels, or (N, R) numbers."""

    @abstractmethod
    def output(self, table: pd.DataFrame) -> Floats:
        """Return the output in a predictions table: (N, K) log-probabilities, or (N, R) numbers."""

    @abstractmethod
    def calibrated(self, table: pd.DataFrame) -> pd.DataFrame | None:
        """Return a predictions table with its calibrated probabilities as the probabilities; `None` if it has none."""

    @abstractmethod
    def clip_names(self, paths: Sequence[str]) -> list[str]:
        """Return names of clips that are the same on every machine, wherever the data is stored."""

    def format(self, value: float | None) -> str:
        """Format a score for a table, such as "61.3" (per cent) or "0.412"; a dash when it is unknown."""
        return percent(value) if self.percent else decimal(value)

    def headline(self, values: Mapping[str, float]) -> str:
        """Format the score with its name and unit, such as "UAR 61.3%" or "CCC 0.412"."""
        return f"{self.score_title} {values[self.score]:{'.1%' if self.percent else '.3f'}}"

    @abstractmethod
    def plot(self, target: ArrayLike, output: ArrayLike, title: str) -> Figure:
        """Plot truth against prediction."""

    @abstractmethod
    def worst(self, target: ArrayLike, output: ArrayLike, limit: int) -> list[tuple[int, str]]:
        """Return the rows of the clips with the largest errors, each with a caption; at most `limit`."""

    def clip_index(self, table: pd.DataFrame) -> pd.MultiIndex:
        """Return what makes each clip of a predictions table the same in other tables.

        Returns:
            Clip name, actor, truth (the label, or the R numbers), and the number of the clip among those that are equal
            in all of this, in the order of their paths.
        """
        truth = self.target(table)
        columns = [
            pd.Series(self.clip_names(table["path"]), dtype=object),
            table["actor"].reset_index(drop=True),
            *map(pd.Series, [truth] if truth.ndim == 1 else truth.T),
        ]
        keys = pd.concat(columns, axis=1, keys=range(len(columns)))
        by_path = table["path"].reset_index(drop=True).sort_values(kind="stable").index
        groups = keys.loc[by_path].groupby(list(keys), sort=False, dropna=False)
        keys[len(columns)] = groups.cumcount()  # pandas restores the order of the rows
        return pd.MultiIndex.from_frame(keys, names=[None] * keys.shape[1])

    def format_interval(self, interval: Interval | None) -> str:
        """Format a confidence interval, such as "53.0 to 70.5"; empty when there is none."""
        return f"{self.format(interval.low)} to {self.format(interval.high)}" if interval else ""

    def format_estimate(self, estimate: Estimate) -> str:
        """Format a score with its interval, such as "62.1 (53.0 to 70.5)"."""
        interval = self.format_interval(estimate.interval)
        return (
            f"{self.format(estimate.value)} ({interval})"
            if interval
            else self.format(estimate.value)
        )

    def _check_scorable(self, target: NDArray[Any]) -> None:
        """Refuse clips that can't be scored."""
        if len(target) == 0:
            raise ValueError("no predictions to score: 0 clips")
        if unknown(target).any():
            raise ValueError("clips of unknown truth can't be scored")


def unknown(target: NDArray[Any]) -> NDArray[np.bool_]:
    """Return (N,) whether the truth of a clip is unknown: label -1, or NaN among (N, R) numbers."""
    return np.asarray(target < 0 if target.ndim == 1 else np.isnan(target).any(axis=1))


def _one_group(group: NDArray[np.intp] | None, num_clips: int) -> tuple[NDArray[np.intp], int]:
    if group is None:
        return np.zeros(num_clips, np.intp), 1
    return group, int(group.max()) + 1


@dataclass(frozen=True)
class Classification(Task):
    """Predict one of K classes.

    >>> task = Classification(("calm", "happy", "sad"))
    >>> values = task.evaluate(target=[0, 0, 1], output=np.eye(3)[[0, 1, 1]])
    >>> round(values["accuracy"], 3), values["uar"]
    (0.667, 0.75)
    """

    COLUMNS: ClassVar[tuple[str, ...]] = ("path", "actor", "emotion", "predicted", "confidence")
    """First columns of the predictions table; a column of probabilities for each class follows, named as the class."""

    kind = "classes"
    verb = "classifies"
    score = "uar"
    score_title = "UAR"
    plateau_metric = "accuracy"
    cost_metric = "accuracy"
    plot_name = "confusion_matrix"
    trivial_baseline = "majority class of these clips"
    percent = True

    @classmethod
    @override
    def from_columns(cls, columns: Sequence[str]) -> Self | None:
        rest = tuple(columns[len(cls.COLUMNS) :])
        if tuple(columns[: len(cls.COLUMNS)]) != cls.COLUMNS or not rest:
            return None
        names = rest[: len(rest) // 2]
        calibrated = rest[len(rest) // 2 :] == tuple(f"{CALIBRATED}{name}" for name in names)
        return cls(names if names and calibrated else rest)

    @property
    @override
    def headings(self) -> dict[str, str]:
        return {"uar": "UAR", "accuracy": "accuracy (WAR)", "macro_f1": "macro-F1", "ece": "ECE"}

    @property
    @override
    def explanation(self) -> str:
        return "UAR is the mean recall of the classes, ECE the expected calibration error (15 bins)"

    @property
    @override
    def truth_columns(self) -> tuple[str, ...]:
        return ("emotion",)

    @override
    def values(self, output: ArrayLike) -> Floats:
        return np.exp(self._log_probabilities(output))

    @override
    def to_output(self, values: ArrayLike) -> Floats:
        return np.log(np.maximum(np.asarray(values, np.float64), SMALLEST_PROBABILITY))

    def _log_probabilities(self, output: ArrayLike) -> Floats:
        with np.errstate(invalid="ignore"):  # a diverged network has infinite logits
            return np.asarray(log_softmax(np.asarray(output, np.float64), axis=1), np.float64)

    @override
    def sums(
        self, target: ArrayLike, output: ArrayLike, group: NDArray[np.intp] | None = None
    ) -> Floats:
        """Sum up confusion counts (K * K), bins of confidence (15 * 3) and the cross-entropy; see `Task.sums`."""
        target, output = np.asarray(target, np.int64), np.asarray(output)
        self._check_scorable(target)
        group, num_groups = _one_group(group, len(target))
        num_classes = len(self.names)
        log_probabilities = self._log_probabilities(output)
        predicted = output.argmax(axis=1)
        confidence = np.exp(log_probabilities).max(axis=1)
        loss = -log_probabilities[np.arange(len(target)), target]
        # bins include their lower edge, the last one also certainty; NaN goes there and stays NaN
        edges = np.linspace(0, 1, CALIBRATION_BINS + 1)
        bins = np.minimum(np.digitize(confidence, edges) - 1, CALIBRATION_BINS - 1)
        counts = np.zeros((num_groups, num_classes, num_classes))
        np.add.at(counts, (group, target, predicted), 1)
        confidences = np.zeros((num_groups, CALIBRATION_BINS, 3))
        each = np.stack([np.ones(len(target)), predicted == target, confidence], axis=1)  # (N, 3)
        np.add.at(confidences, (group, bins), each)
        losses = np.bincount(group, loss, minlength=num_groups)
        return np.column_stack(
            [counts.reshape(num_groups, -1), confidences.reshape(num_groups, -1), losses]
        )

    def confusion(self, sums: Floats) -> Floats:
        """Return counts (..., K, K) of statistics (..., S); rows are the truth, columns the predictions."""
        num_classes = len(self.names)
        counts = sums[..., : num_classes**2]
        return counts.reshape(*sums.shape[:-1], num_classes, num_classes)

    def calibration_bins(self, sums: Floats) -> Floats:
        """Return (..., 15, 3) of statistics (..., S): clips, correct ones and summed confidence of each bin."""
        return sums[..., len(self.names) ** 2 : -1].reshape(*sums.shape[:-1], CALIBRATION_BINS, 3)

    @override
    def scores(self, sums: Floats) -> dict[str, Floats]:
        confusion = self.confusion(sums)
        return {
            "accuracy": scores.accuracy(confusion),
            "uar": scores.uar(confusion),
            "macro_f1": scores.macro_f1(confusion),
            "ece": scores.ece(self.calibration_bins(sums)),
        }

    @override
    def evaluate(self, target: ArrayLike, output: ArrayLike) -> dict[str, float]:
        """Return loss (mean cross-entropy in nats, neither weighted nor smoothed), accuracy, uar, macro_f1 and ece."""
        [sums] = self.sums(target, output)
        values = {name: float(value) for name, value in self.scores(sums).items()}
        return {"loss": float(sums[-1] / self.confusion(sums).sum()), **values}

    @override
    def per_name(self, sums: Floats) -> pd.DataFrame:
        """Return accuracy (one class against the rest), precision, recall, f1 and support of each class.

        What many papers call the accuracy of a class is its recall.

        >>> task = Classification(("calm", "sad"))
        >>> task.per_name(task.sums([0, 0], np.eye(2))[0])
              accuracy  precision  recall        f1  support
        calm       0.5        1.0     0.5  0.666667        2
        sad        0.5        0.0     NaN  0.000000        0
        """
        confusion = self.confusion(sums)  # (K, K)
        right, truth, predicted = (
            np.diagonal(confusion),
            confusion.sum(axis=1),
            confusion.sum(axis=0),
        )
        clips = confusion.sum()
        with np.errstate(invalid="ignore"):
            columns = {
                "accuracy": (clips - truth - predicted + 2 * right) / clips,
                "precision": right / predicted,
                "recall": right / truth,
                "f1": 2 * right / (truth + predicted),
                "support": truth.astype(np.int64),
            }
        return pd.DataFrame(columns, index=list(self.names))

    @override
    def trivial_scores(self, target: ArrayLike) -> dict[str, float]:
        labels = np.asarray(target, np.int64)
        output = np.zeros((len(labels), len(self.names)))
        output[:, np.bincount(labels, minlength=len(self.names)).argmax()] = 1
        values = self.scores(self.sums(labels, output)[0])
        return {name: float(value) for name, value in values.items() if name != "ece"}

    @override
    def bounds(self, metric: str) -> tuple[float, float]:
        return 0, 1

    @override
    def _columns(
        self, target: NDArray[Any], output: Floats, temperature: float | None
    ) -> dict[str, pd.Series]:
        probabilities = self.values(output)
        names = np.array([*self.names, ""], dtype=object)  # label -1 is the last one
        columns = {
            "emotion": pd.Series(names[target.astype(np.int64)], dtype=object),
            "predicted": pd.Series(names[output.argmax(axis=1)], dtype=object),
            "confidence": pd.Series(probabilities.max(axis=1)),
            **{name: pd.Series(probabilities[:, k]) for k, name in enumerate(self.names)},
        }
        if temperature is not None:
            calibrated = self.values(output / temperature)
            columns |= {
                f"{CALIBRATED}{name}": pd.Series(calibrated[:, k])
                for k, name in enumerate(self.names)
            }
        return columns

    @override
    def target(self, table: pd.DataFrame) -> NDArray[np.int64]:
        return np.asarray(
            pd.Index(self.names, dtype=object).get_indexer(table["emotion"]), np.int64
        )

    @override
    def output(self, table: pd.DataFrame) -> Floats:
        return self.to_output(table[list(self.names)].to_numpy())

    @override
    def calibrated(self, table: pd.DataFrame) -> pd.DataFrame | None:
        columns = [f"{CALIBRATED}{name}" for name in self.names]
        if not set(columns) <= set(table.columns):
            return None
        raw = [*self.names, "confidence"]
        calibrated = table.drop(columns=raw).rename(
            columns=dict(zip(columns, self.names, strict=True))
        )
        calibrated.insert(4, "confidence", calibrated[list(self.names)].max(axis=1))
        return calibrated

    @override
    def clip_names(self, paths: Sequence[str]) -> list[str]:
        r"""Return the file names.

        >>> Classification(("calm",)).clip_names(["/data/Actor_23/01-01-05.mp4", r"D:\data\01-01-05.mp4"])
        ['01-01-05.mp4', '01-01-05.mp4']
        """
        return [path.replace("\\", "/").rpartition("/")[2] for path in paths]

    @override
    def plot(self, target: ArrayLike, output: ArrayLike, title: str) -> Figure:
        """Plot the confusion matrix."""
        from emorec.evaluation.figures import confusion_figure

        confusion = self.confusion(self.sums(target, output)[0]).astype(np.int64)
        return confusion_figure(confusion, self.names, title)

    @override
    def worst(self, target: ArrayLike, output: ArrayLike, limit: int) -> list[tuple[int, str]]:
        """Return the rows of the misclassified clips, the most confident error first.

        >>> task = Classification(("calm", "sad"))
        >>> task.worst(target=[1, 1, 0], output=[[4, 0], [1, 0], [3, 0]], limit=8)
        [(0, 'sad, classified as calm (98%)'), (1, 'sad, classified as calm (73%)')]
        """
        labels, probabilities = np.asarray(target, np.int64), self.values(output)
        predicted = np.asarray(output).argmax(axis=1)
        wrong = np.flatnonzero((labels >= 0) & (predicted != labels))
        confidence = probabilities[np.arange(len(labels)), predicted]
        order = np.argsort(-confidence[wrong], kind="stable")
        return [
            (
                int(row),
                f"{self.names[labels[row]]}, classified as {self.names[predicted[row]]} "
                f"({confidence[row]:.0%})",
            )
            for row in wrong[order[:limit]]
        ]


@dataclass(frozen=True)
class Regression(Task):
    """Predict R numbers, such as valence and arousal.

    >>> task = Regression(("valence", "arousal"))
    >>> true = np.array([[0.5, -1.0], [-0.5, 1.0]])
    >>> values = task.evaluate(target=true, output=-true / 2)
    >>> round(values["ccc"], 3), values["rmse"], values["sign_agreement"]
    (-0.8, 1.125, 0.0)
    """

    COLUMNS: ClassVar[tuple[str, ...]] = ("path", "actor")
    """First columns of the predictions table; the true numbers follow, then the predicted ones."""

    METRICS: ClassVar[dict[str, str]] = {
        "ccc": "CCC",
        "pcc": "PCC",
        "rmse": "RMSE",
        "sign_agreement": "sign agreement",
    }

    kind = "numbers"
    verb = "predicts"
    score = "ccc"
    score_title = "CCC"
    plateau_metric = "ccc"
    cost_metric = "ccc"
    plot_name = "plane"
    trivial_baseline = "the mean of these clips, always"
    percent = False

    @classmethod
    @override
    def from_columns(cls, columns: Sequence[str]) -> Self | None:
        rest = tuple(columns[len(cls.COLUMNS) :])
        names = rest[: len(rest) // 2]
        expected = (*cls.COLUMNS, *names, *(f"{PREDICTED}{name}" for name in names))
        return cls(names) if names and tuple(columns) == expected else None

    @property
    @override
    def headings(self) -> dict[str, str]:
        each = {f"ccc_{name}": f"CCC {name}" for name in self.names} if len(self.names) > 1 else {}
        return {"ccc": "CCC", **each, **self.METRICS}

    @property
    @override
    def explanation(self) -> str:
        return (
            "CCC is Lin's concordance correlation over all clips at once; CCC, PCC, RMSE and sign agreement are "
            f"means over {', '.join(self.names)}"
        )

    @property
    @override
    def truth_columns(self) -> tuple[str, ...]:
        return self.names

    @override
    def values(self, output: ArrayLike) -> Floats:
        return np.asarray(output, np.float64)

    @override
    def to_output(self, values: ArrayLike) -> Floats:
        return np.asarray(values, np.float64)

    @override
    def sums(
        self, target: ArrayLike, output: ArrayLike, group: NDArray[np.intp] | None = None
    ) -> Floats:
        """Sum up the moments of the R numbers (R * 8), see `Task.sums`; rows of one call alone may be added."""
        target = np.asarray(target, np.float64)
        self._check_scorable(target)
        group, num_groups = _one_group(group, len(target))
        terms = scores.moments(target, np.asarray(output, np.float64)).reshape(len(target), -1)
        columns = [np.bincount(group, term, minlength=num_groups) for term in terms.T]
        return np.stack(columns, axis=1)  # (G, R * 8)

    def _each(self, sums: Floats) -> dict[str, Floats]:
        """Return metric -> (..., R)."""
        return scores.number_scores(sums.reshape(*sums.shape[:-1], len(self.names), -1))

    @override
    def scores(self, sums: Floats) -> dict[str, Floats]:
        """Return the means over the numbers, and the CCC of each; see `emorec.evaluation.scores.number_scores`."""
        each = self._each(sums)
        means = {name: values.mean(axis=-1) for name, values in each.items()}
        cccs = {f"ccc_{name}": each["ccc"][..., n] for n, name in enumerate(self.names)}
        return {"ccc": means["ccc"], **cccs, **means}

    @override
    def evaluate(self, target: ArrayLike, output: ArrayLike) -> dict[str, float]:
        """Return the scores over all clips at once, never a mean of parts; the loss is 1 - CCC."""
        values = {k: float(v) for k, v in self.scores(self.sums(target, output)[0]).items()}
        means = {name: values[name] for name in self.METRICS}
        return {"loss": 1 - values["ccc"], **means, **values}

    @override
    def per_name(self, sums: Floats) -> pd.DataFrame:
        """Return ccc, pcc, rmse and sign_agreement of each number."""
        return pd.DataFrame(self._each(sums), index=list(self.names))

    @override
    def trivial_scores(self, target: ArrayLike) -> dict[str, float]:
        true = np.asarray(target, np.float64)
        values = self.scores(self.sums(true, np.broadcast_to(true.mean(axis=0), true.shape))[0])
        return {name: float(value) for name, value in values.items() if name != "pcc"}

    @override
    def bounds(self, metric: str) -> tuple[float, float]:
        if metric in ("rmse", "sign_agreement"):
            return 0, math.inf if metric == "rmse" else 1
        return -1, 1

    @override
    def _columns(
        self, target: NDArray[Any], output: Floats, temperature: float | None
    ) -> dict[str, pd.Series]:
        true = target.astype(np.float64)
        return {
            **{name: pd.Series(true[:, n]) for n, name in enumerate(self.names)},
            **{f"{PREDICTED}{name}": pd.Series(output[:, n]) for n, name in enumerate(self.names)},
        }

    @override
    def target(self, table: pd.DataFrame) -> Floats:
        return _float32(table[list(self.names)])

    @override
    def output(self, table: pd.DataFrame) -> Floats:
        return _float32(table[[f"{PREDICTED}{name}" for name in self.names]])

    @override
    def calibrated(self, table: pd.DataFrame) -> None:
        return None

    @override
    def clip_names(self, paths: Sequence[str]) -> list[str]:
        """Return folder and file name: a video is a folder of frames, named alike in every video.

        >>> Regression(("valence",)).clip_names(["/data/cropped/7-60-1920x1080/00001.jpg"])
        ['7-60-1920x1080/00001.jpg']
        """
        return ["/".join(path.replace("\\", "/").split("/")[-2:]) for path in paths]

    def videos(self, paths: Sequence[str]) -> list[str]:
        """Return the video of each frame: its folder."""
        return [name.rpartition("/")[0] for name in self.clip_names(paths)]

    @override
    def plot(self, target: ArrayLike, output: ArrayLike, title: str) -> Figure:
        """Plot the histograms of truth and prediction in the plane of the first two numbers."""
        from emorec.evaluation.figures import plane_figure

        return plane_figure({"truth": target, "prediction": output}, self.names, title)

    @override
    def worst(self, target: ArrayLike, output: ArrayLike, limit: int) -> list[tuple[int, str]]:
        """Return the rows of the clips furthest from the truth.

        >>> Regression(("valence", "arousal")).worst([[0.1, 0], [0.126, -1]], [[0, 0], [0.5, 0.5]], limit=1)
        [(1, '(0.13, -1.00), predicted (0.50, 0.50)')]
        """
        true, predicted = np.asarray(target, np.float64), np.asarray(output, np.float64)
        error = np.square(predicted - true).sum(axis=1)  # (N,)
        return [
            (int(row), f"{_numbers(true[row])}, predicted {_numbers(predicted[row])}")
            for row in np.argsort(-error, kind="stable")[:limit]
        ]


def _float32(columns: pd.DataFrame) -> Floats:
    # what the nine digits of a file were rounded from
    return np.asarray(columns.to_numpy(np.float32), np.float64)


def _numbers(values: Floats) -> str:
    return f"({', '.join(f'{value:.2f}' for value in values)})"
