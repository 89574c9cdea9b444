"""What Lightning calls during a run: what is seeded, recorded, measured and drawn."""

from emorec.callbacks.best_and_last import BestAndLast
from emorec.callbacks.end_together import EndTogether
from emorec.callbacks.evaluation_report import EvaluationReport
from emorec.callbacks.patience import Patience
from emorec.callbacks.pictures import Pictures
from emorec.callbacks.progress import EpochLines, ProgressBar, Throughput
from emorec.callbacks.run_record import RunRecord
from emorec.callbacks.seeding import EpochSeed
from emorec.callbacks.stop_between_batches import StopBetweenBatches
from emorec.callbacks.validation_log import ValidationLog
from emorec.callbacks.without import Without

__all__ = [
    "BestAndLast",
    "EndTogether",
    "EpochLines",
    "EpochSeed",
    "EvaluationReport",
    "Patience",
    "Pictures",
    "ProgressBar",
    "RunRecord",
    "StopBetweenBatches",
    "Throughput",
    "ValidationLog",
    "Without",
]
