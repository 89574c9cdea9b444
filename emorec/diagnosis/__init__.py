"""What is installed, what the machine has, and what is known to go wrong with it.

Each file looks at one thing and says what it found as `Findings`; `emorec doctor` prints them.
"""

from emorec.diagnosis.csv_clips import is_csv, look_at_csv
from emorec.diagnosis.decoder import look_at_decoder
from emorec.diagnosis.disk import look_at_disk
from emorec.diagnosis.findings import Findings
from emorec.diagnosis.iemocap import look_at_iemocap
from emorec.diagnosis.known_problems import known_problems
from emorec.diagnosis.machine import look_at_gpus, look_at_machine
from emorec.diagnosis.packages import look_at_packages
from emorec.diagnosis.ravdess import look_at_ravdess

__all__ = [
    "Findings",
    "is_csv",
    "known_problems",
    "look_at_csv",
    "look_at_decoder",
    "look_at_disk",
    "look_at_gpus",
    "look_at_iemocap",
    "look_at_machine",
    "look_at_packages",
    "look_at_ravdess",
]
