"""Lightning callbacks: checkpoints, interrupts, progress, and what a run records, reports and draws."""

from emorec.callbacks.checkpointing import BestAndLast, EpochSeed, Patience
from emorec.callbacks.images import Pictures
from emorec.callbacks.interrupts import DistributedShutdown, StopBetweenBatches
from emorec.callbacks.progress import EpochLines, ProgressBar, Throughput
from emorec.callbacks.report import EvaluationReport, ModalityAblation, PersonEnrolment
from emorec.callbacks.run_record import RunRecord
from emorec.callbacks.validation_log import ValidationLog

__all__ = [
    "BestAndLast",
    "DistributedShutdown",
    "EpochLines",
    "EpochSeed",
    "EvaluationReport",
    "ModalityAblation",
    "Patience",
    "PersonEnrolment",
    "Pictures",
    "ProgressBar",
    "RunRecord",
    "StopBetweenBatches",
    "Throughput",
    "ValidationLog",
]
