"""HACER: what the columns of its CSV file are called, what its numbers mean, and where it is to be had.

Source: the data set HACER on Kaggle, as public programs read its `HACER_dataset.csv` (columns `file_name, activity,
emotion, video_index, person, type`; file names such as `drink_angry_1_a`, without an ending).
"""

from emorec.data.csv_rows import NONE, Columns

LABELS = ("angry", "disgust", "happy", "neutral", "sad")
"""The emotions by their numbers in the column `emotion`, from 0."""

COLUMNS = Columns(path="file_name", label="emotion", group="person", split=NONE)
"""Without its own column of sides, `type`: that divides clips and not people."""

FILE = "HACER_dataset.csv"

OBTAIN = f"HACER is on Kaggle: search for HACER, and unpack {FILE} with the folder HACER beside it"
