"""HACER as a Lightning data module."""

from typing import Any, ClassVar

from emorec.data.csv_datamodule import CSVDataModule
from emorec.data.hacer import COLUMNS, LABELS, OBTAIN


class HACERDataModule(CSVDataModule):
    """HACER, everyday activities acted in five emotions, split by person.

    A file with another header is read with the `..._column` arguments.

    Args:
        root: `HACER_dataset.csv`, or the folder that holds it; the videos lie below that folder, in any nesting.
        labels: The classes in label order.
        path_column: The column of videos.
        label_column: The column of classes.
        group_column: The column of people; "none" splits clips and not people.
        split_column: The column of sides, such as HACER's own `type`; "none" deals people to sides.
        reading: The other arguments of `CSVDataModule`.

    Source: see `emorec/data/hacer.py`.
    """

    obtain: ClassVar[str] = OBTAIN

    def __init__(
        self,
        root: str | None = None,
        *,
        labels: list[str] | None = None,
        path_column: str = COLUMNS.path,
        label_column: str = COLUMNS.label,
        group_column: str = COLUMNS.group,
        split_column: str = COLUMNS.split,
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
