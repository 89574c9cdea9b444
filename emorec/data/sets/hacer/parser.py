"""HACER's CSV file: column names, classes, and where to get it.

Source: the data set HACER on Kaggle, as public programs read its `HACER_dataset.csv` (columns `file_name, activity,
emotion, video_index, person, type`; file names such as `drink_angry_1_a`, without a suffix).
"""

from emorec.data.sets.csv.parser import NONE, Columns

HACER_LABELS = ("angry", "disgust", "happy", "neutral", "sad")
"""The emotions by their numbers in the column `emotion`, from 0."""

HACER_COLUMNS = Columns(path="file_name", label="emotion", group="person", split=NONE)
"""Without its column of subsets, `type`, which splits clips and not people."""

HOW_TO_GET_HACER = "HACER is on Kaggle: search for HACER, and unpack HACER_dataset.csv with the folder HACER beside it"
