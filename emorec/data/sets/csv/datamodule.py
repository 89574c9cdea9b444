"""CSV data module."""

import logging
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from typing_extensions import override

from emorec.data.clip import UNLABELLED, Clip
from emorec.data.datamodule import ClipDataModule
from emorec.data.sets.csv.parser import (
    DEFAULT_COLUMNS,
    NONE,
    ClipTable,
    Columns,
    class_indices,
    infer_class_names,
    locate_videos,
    parse_rows,
)
from emorec.data.sets.csv.split import (
    rare_class_warning,
    split_by_column,
    split_by_fold,
    split_by_share,
)
from emorec.data.sets.csv.table import find_csv, read_table
from emorec.data.split import ClipIndex, Split, Subset
from emorec.errors import UserError

log = logging.getLogger(__name__)


class CSVDataModule(ClipDataModule):
    """Clips that a CSV file lists: `path,label`, and optionally `group` (the person), `split`, `start`, `end`.

    Paths are relative to the file's folder; start and end are seconds of the file's clock, as players show
    them. A person is in one subset only: that of the column `split`, or one chosen so that the classes are about as
    frequent in each.

    Args:
        root: The CSV file, or a folder that holds exactly one.
        labels: The classes in label order; by default those of the file, sorted. If the file has numbers instead,
            they are positions in this list, from 0. Checkpoints keep the order.
        path_column: Column of videos.
        label_column: Column of classes; clips with an empty cell can only be predicted.
        group_column: Column of people; with "none", as in a file without it, each clip counts as a person of its own.
        split_column: Column of train, val and test; "none" splits by person even if there is one.
        val_share: Share of the clips for validation.
        test_share: Share of the clips for the test; 1 tests all of them.
        num_folds: Folds of a cross-validation; `val_share` of the clips validate in each.
        fold: From 1; by default there is one split by shares.
        split_seed: Seed of the split; the run's own seed does not change it.
        loading: The arguments of `ClipDataModule`.

    Raises:
        UserError: When a share or the number of folds is out of range, or the classes are to be inferred from a file
            that can't be read.
    """

    how_to_get: ClassVar[str] = ""
    """How to obtain the data set, for errors about a missing file."""

    def __init__(
        self,
        root: str | None = None,
        *,
        labels: list[str] | None = None,
        path_column: str = DEFAULT_COLUMNS.path,
        label_column: str = DEFAULT_COLUMNS.label,
        group_column: str = DEFAULT_COLUMNS.group,
        split_column: str = DEFAULT_COLUMNS.split,
        val_share: float = 0.15,
        test_share: float = 0.15,
        num_folds: int = 5,
        fold: int | None = None,
        split_seed: int = 0,
        **loading: Any,
    ) -> None:
        super().__init__(**loading)
        if not (0 <= val_share < 1 and 0 <= test_share <= 1 and val_share + test_share <= 1):
            raise UserError(
                f"data.val_share {val_share} and data.test_share {test_share}: "
                "both are shares of all clips, from 0 to 1, and together at most 1"
            )
        if num_folds < 2 or split_seed < 0:
            raise UserError(
                f"data.num_folds {num_folds} has to be at least 2, data.split_seed {split_seed} at least 0"
            )
        self.root = root
        self.columns = Columns(path_column, label_column, group_column, split_column)
        self.val_share = val_share
        self.test_share = test_share
        self.num_folds = num_folds
        self.fold = fold
        self.split_seed = split_seed
        self._requested_labels = tuple(labels or ())
        self.labels = self._requested_labels or self._infer_labels()
        if len(set(self.labels)) < max(2, len(self.labels)):
            raise UserError(
                f"the classes are {', '.join(self.labels)}: name two or more, each once (--data.labels)"
            )
        self.hparams["labels"] = list(self.labels)  # so that a checkpoint keeps the label order

    @property
    @override
    def class_names(self) -> tuple[str, ...]:
        return self.labels

    @override
    def prepare_data(self) -> None:
        for warning in self.warnings():
            log.warning("%s", warning)
        super().prepare_data()

    @override
    def find(self) -> ClipIndex:
        """Return the clips that the file lists and their split.

        Raises:
            UserError: When the file does not exist, contradicts itself, or none of its videos exists.
        """
        return ClipIndex(self._clips, self._split)

    def warnings(self) -> list[str]:
        """Return what a user should know about the file and its split, a line each."""
        labels, groups, _ = self._labelled
        lines = list(self._table.warnings)
        num_unlabelled = len(self._clips) - len(labels)
        if num_unlabelled:
            lines.append(
                f"{num_unlabelled} of {len(self._clips)} clips have no label: they can be predicted, "
                "but are not used for training or test"
            )
        if not self._table.has_groups and labels:
            lines.append(
                f"{self._path} has no column of people, so a person may be in training AND in test, and scores "
                "are then too optimistic: add such a column, or name it with --data.group_column"
            )
        rare = rare_class_warning(labels, groups, self._split, self.class_names)
        return [*lines, rare] if rare else lines

    @cached_property
    def _path(self) -> Path:
        if not self.root:
            raise self._missing("no CSV file: name it with --data.root FILE.csv")
        try:
            return find_csv(self.root)
        except UserError as error:
            raise self._missing(str(error)) from None

    def _missing(self, message: str) -> UserError:
        return UserError(f"{message}; {self.how_to_get}" if self.how_to_get else message)

    @cached_property
    def _table(self) -> ClipTable:
        return parse_rows(
            read_table(self._path, self.columns.names),
            self.columns,
            skip_invalid=self.on_error == "skip",
            class_names=self._requested_labels,
        )

    def _infer_labels(self) -> tuple[str, ...]:
        names = infer_class_names(row.label for row in self._table.rows)
        if len(names) < 2:
            raise UserError(
                f"{self._path} has fewer than two classes, its labels are {', '.join(names) or 'empty'}: "
                "name the classes with --data.labels to predict its clips"
            )
        return names

    @cached_property
    def _clips(self) -> list[Clip]:
        rows = self._table.rows
        try:
            indices = class_indices([row.label for row in rows], self.labels)
        except UserError as error:
            raise UserError(f"{self._path}: {error} (--data.labels)") from None
        paths = locate_videos(self._path.parent, [row.path for row in rows])
        if not any(path.is_file() for path in paths.values()):
            example = next(iter(paths.values()))
            raise self._missing(
                f"none of the {len(paths)} videos of {self._path} exists, such as {example}: "
                "paths are relative to the folder of the CSV file"
            )
        return [
            Clip(
                path=paths[row.path],
                label=indices[row.label],
                actor=row.group,
                take=row.path,
                span_seconds=row.span_seconds,
            )
            for row in rows
        ]

    @property
    def _labelled(self) -> tuple[list[int], list[str], list[Subset | None]]:
        """Labels, people and subsets of the labelled clips."""
        labelled = [
            (clip.label, row.group, row.subset)
            for clip, row in zip(self._clips, self._table.rows, strict=True)
            if isinstance(clip.label, int) and clip.label != UNLABELLED
        ]
        return (
            [label for label, _, _ in labelled],
            [group for _, group, _ in labelled],
            [subset for _, _, subset in labelled],
        )

    @cached_property
    def _split(self) -> Split:
        labels, groups, subsets = self._labelled
        if not labels:
            return Split("of clips without labels", None, (), (), ())
        settings: dict[str, Any] = {"val_share": self.val_share, "seed": self.split_seed}
        if self._table.has_subsets:
            if self.fold is not None:
                raise UserError(
                    f"{self._path} has a column of subsets: leave out data.fold, "
                    f"or make folds with --data.split_column {NONE}"
                )
            return split_by_column(labels, groups, subsets, name="of the file", **settings)
        unit = "person" if self._table.has_groups else "clip"
        settings["name"] = f"by {unit}, seed {self.split_seed}"
        if self.fold is None:
            return split_by_share(labels, groups, test_share=self.test_share, **settings)
        return split_by_fold(labels, groups, fold=self.fold, num_folds=self.num_folds, **settings)
