"""HACER data module."""

from typing import Any, ClassVar

from emorec.data.sets.csv.datamodule import CSVDataModule
from emorec.data.sets.hacer.parser import HACER_COLUMNS, HACER_LABELS, HOW_TO_GET_HACER


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

    Source: see `emorec/data/sets/hacer/parser.py`.
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
