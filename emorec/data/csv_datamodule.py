"""Any data set that a CSV file describes, as a Lightning data module."""

import logging
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from typing_extensions import override

from emorec.data.clip import UNLABELLED, Clip
from emorec.data.csv_file import find_csv, read_sheet
from emorec.data.csv_labels import classes_by_word, names_of_classes
from emorec.data.csv_paths import locate
from emorec.data.csv_rows import NONE, USUAL, Columns, Rows, read_rows
from emorec.data.csv_split import (
    Labelled,
    rare_classes,
    split_as_told,
    split_by_fold,
    split_by_share,
)
from emorec.data.datamodule import ClipDataModule
from emorec.data.split import ClipIndex, Split
from emorec.errors import UserError

log = logging.getLogger(__name__)


class CSVDataModule(ClipDataModule):
    """Clips that a CSV file lists: `path,label`, and where it has them `group` (the person), `split`, `start`, `end`.

    Paths count from the file's folder, seconds from the first frame. A person is on one side only: that of the column
    `split`, or else one that is dealt so that the classes are about as frequent on every side.

    Args:
        root: The CSV file, or a folder that holds exactly one.
        labels: The classes in label order; by default those of the file, sorted. Where the file has numbers instead,
            they are positions in this list, from 0. Checkpoints keep the order.
        path_column: The column of videos.
        label_column: The column of classes; empty cells can be predicted and nothing else.
        group_column: The column of people; "none" takes every clip for a person of its own, as does a file without it.
        split_column: The column of train, val and test; "none" deals people to sides even if there is one.
        val_share: Of the clips, for validation.
        test_share: Of the clips, for the test; 1 tests all of them.
        num_folds: Folds of a cross-validation; `val_share` of the clips validate in each.
        fold: From 1; by default there is one split by shares.
        split_seed: Another one deals people anew; the run's own seed does not.
        loading: The arguments of `ClipDataModule`.

    Raises:
        UserError: When a share or the number of folds makes no sense, or the classes are to be read from a file that
            can't be read.
    """

    obtain: ClassVar[str] = ""
    """How to come by the data; said when it is not there."""

    def __init__(
        self,
        root: str | None = None,
        *,
        labels: list[str] | None = None,
        path_column: str = USUAL.path,
        label_column: str = USUAL.label,
        group_column: str = USUAL.group,
        split_column: str = USUAL.split,
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
        self.labels = tuple(labels) if labels else self._labels_of_file()
        if len(set(self.labels)) < max(2, len(self.labels)):
            raise UserError(
                f"the classes are {', '.join(self.labels)}: it takes two or more, each named once"
            )
        self.hparams["labels"] = list(self.labels)  # a checkpoint's network knows no other order

    @property
    @override
    def class_names(self) -> tuple[str, ...]:
        return self.labels

    @override
    def prepare_data(self) -> None:
        for remark in self.remarks():
            log.warning("%s", remark)
        super().prepare_data()

    @override
    def find(self) -> ClipIndex:
        """The clips that the file lists.

        Raises:
            UserError: When it is not there, contradicts itself, or none of its videos is there.
        """
        return ClipIndex(self._clips, self._split(self._labelled))

    def remarks(self) -> list[str]:
        """What people should know of what was made of the file, a line each."""
        clips, lines = self._labelled, list(self._rows.remarks)
        unlabelled = len(self._clips) - len(clips)
        if unlabelled:
            lines.append(
                f"{unlabelled} of {len(self._clips)} clips have no label: they can be predicted, "
                "and neither train nor are measured"
            )
        if not self._rows.has_groups and clips:
            lines.append(
                f"{self._csv} does not say who is in the picture, so a person may be in training AND in test, and "
                "figures then promise too much: add a column of people, or name it with --data.group_column"
            )
        rare = rare_classes(clips, self._split(clips), self.class_names)
        return [*lines, rare] if rare else lines

    @cached_property
    def _csv(self) -> Path:
        if not self.root:
            raise UserError(f"no CSV file: name it with --data.root FILE.csv{self._how()}")
        try:
            return find_csv(self.root)
        except UserError as error:
            raise UserError(f"{error}{self._how()}") from None

    def _how(self) -> str:
        return f"; {self.obtain}" if self.obtain else ""

    @cached_property
    def _rows(self) -> Rows:
        sheet = read_sheet(self._csv, self.columns.names)
        labels = getattr(self, "labels", ())  # not known yet while they are read
        return read_rows(sheet, self.columns, skip=self.on_error == "skip", labels=labels)

    def _labels_of_file(self) -> tuple[str, ...]:
        names = names_of_classes(row.label for row in self._rows.used)
        if len(names) < 2:
            raise UserError(
                f"{self._csv} tells no classes apart, its labels are {', '.join(names) or 'empty'}: "
                "name the classes with --data.labels to predict its clips"
            )
        return names

    @cached_property
    def _clips(self) -> list[Clip]:
        rows = self._rows.used
        try:
            classes = classes_by_word([row.label for row in rows], self.labels)
        except UserError as error:
            raise UserError(f"{self._csv}: {error} (--data.labels)") from None
        paths = locate(self._csv.parent, [row.path for row in rows])
        if not any(path.is_file() for path in paths.values()):
            path = next(iter(paths.values()))
            raise UserError(
                f"none of the {len(paths)} videos of {self._csv} is there, not even {path}: "
                f"paths count from the folder of the CSV file{self._how()}"
            )
        return [
            Clip(
                path=paths[row.path],
                label=classes[row.label],
                actor=row.group,
                take=row.path,
                span_seconds=row.span_seconds,
            )
            for row in rows
        ]

    @property
    def _labelled(self) -> list[Labelled]:
        """The clips that a split is made of."""
        return [
            Labelled(row.group, clip.label, row.side)
            for clip, row in zip(self._clips, self._rows.used, strict=True)
            if isinstance(clip.label, int) and clip.label != UNLABELLED
        ]

    def _split(self, clips: Sequence[Labelled]) -> Split:
        if not clips:
            return Split("of clips without labels", None, (), (), ())
        seed = self.split_seed
        if self._rows.has_sides:
            if self.fold is not None:
                raise UserError(
                    f"{self._csv} says itself who trains and who is tested: leave out data.fold, "
                    f"or make folds with --data.split_column {NONE}"
                )
            return split_as_told(clips, "of the file", val_share=self.val_share, seed=seed)
        name = f"by {'person' if self._rows.has_groups else 'clip'}, seed {seed}"
        if self.fold is None:
            shares = {"val_share": self.val_share, "test_share": self.test_share}
            return split_by_share(clips, name, **shares, seed=seed)
        return split_by_fold(
            clips,
            name,
            fold=self.fold,
            num_folds=self.num_folds,
            val_share=self.val_share,
            seed=seed,
        )
