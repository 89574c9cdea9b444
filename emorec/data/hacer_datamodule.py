"""HACER as a Lightning data module: a CSV file with columns of its own."""

from typing import Any, ClassVar

from emorec.data.csv_datamodule import CSVDataModule

LABELS = ("angry", "disgust", "happy", "neutral", "sad")
"""The emotions by their numbers in the column `emotion`, from 0."""


class HACERDataModule(CSVDataModule):
    """HACER, 9 everyday activities acted in 5 emotions, split by person.

    Its `HACER_dataset.csv` has the columns `file_name, activity, emotion, video_index, person, type`; the file names
    (`drink_angry_1_a`) have no ending, the emotions are numbers, and `type` (train or test) divides clips, not people.
    This is how public programs read the file; another header is named by the `..._column` arguments.

    Args:
        root: `HACER_dataset.csv`, or the folder that holds it and the videos, in any nesting.
        labels: The classes in label order.
        path_column: The column of videos.
        label_column: The column of classes.
        group_column: The column of people; "none" splits clips and not people.
        split_column: The column of sides; "none" deals people to them.
        reading: The other arguments of `CSVDataModule`.

    Source: the data set HACER on Kaggle, which the course report used that emorec's CNN-LSTM recipe for it follows.
    """

    obtain: ClassVar[str] = (
        "HACER is on Kaggle: search for HACER, and unpack HACER_dataset.csv with the folder HACER beside it"
    )

    def __init__(
        self,
        root: str | None = None,
        *,
        labels: list[str] | None = None,
        path_column: str = "file_name",
        label_column: str = "emotion",
        group_column: str = "person",
        split_column: str = "none",
        **reading: Any,
    ) -> None:
        super().__init__(
            root,
            labels=labels or list(LABELS),
            path_column=path_column,
            label_column=label_column,
            group_column=group_column,
            split_column=split_column,
            **reading,
        )
