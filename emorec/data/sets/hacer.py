"""HACER: its data module, and the columns and classes of its CSV file.

Source: the data set HACER on Kaggle, as public programs read its `HACER_dataset.csv` (columns `file_name, activity,
emotion, video_index, person, type`; file names such as `drink_angry_1_a`, without a suffix).
"""

from typing import Any, ClassVar

from emorec.data.sets.csv.datamodule import CSVDataModule
from emorec.data.sets.csv.parser import NONE, Columns

HACER_LABELS = ("angry", "disgust", "happy", "neutral", "sad")
"""The emotions by their numbers in the column `emotion`, from 0."""

HACER_COLUMNS = Columns(path="file_name", label="emotion", group="person", split=NONE)
"""Without its column of subsets, `type`, which splits clips and not people."""

HOW_TO_GET_HACER = "HACER is on Kaggle: search for HACER, and unpack HACER_dataset.csv with the folder HACER beside it"


class HACERDataModule(CSVDataModule):
    """HACER, everyday activities acted in five emotions, split by person.

    A file with other column names is read with the `..._column` arguments.

    Args:
        root: `HACER_dataset.csv`, or the folder that holds it; the videos lie below that folder, in any nesting.
        labels: The classes in label order.
        path_column: Column of videos.
        label_column: Column of classes.
        group_column: Column of people; "none" splits clips and not people.
        split_column: Column of subsets, such as HACER's own `type`; "none" splits by person.
        reading: The other arguments of `CSVDataModule`.
    """

    how_to_get: ClassVar[str] = HOW_TO_GET_HACER

    def __init__(
        self,
        root: str | None = None,
        *,
        labels: list[str] | None = None,
        path_column: str = HACER_COLUMNS.path,
        label_column: str = HACER_COLUMNS.label,
        group_column: str = HACER_COLUMNS.group,
        split_column: str = HACER_COLUMNS.split,
        **reading: Any,
    ) -> None:
        super().__init__(
            root,
            labels=labels or list(HACER_LABELS),
            path_column=path_column,
            label_column=label_column,
            group_column=group_column,
            split_column=split_column,
            **reading,
        )
