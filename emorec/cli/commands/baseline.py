"""`emorec baseline`: what simple classifiers reach on frozen features of an experiment's clips."""

from collections.abc import Sequence

HELP = """\
usage: emorec baseline --config FILE --data.root DIR [options]

Measure simple classifiers on frozen features of the clips that an experiment
describes. The validation actors choose each classifier's setting, the test
actors are looked at once, and emorec compare reads every run folder.

  -c, --config FILE       An experiment, of which the data counts, or the
                          config.yaml of an earlier run
  --data.root DIR         Where RAVDESS was unzipped, or a CSV file
  --data.split NAME       And all other --data options of emorec fit
  --folds all             Every fold of the split; else that of --data.fold
  --features KIND         backbone (a frozen image network), hog, or landmarks
                          (YuNet's five points); mean and s.d. over frames
  --classifier NAME       logistic, linear_svm, rbf_svm, random_forest, or all
  --backbone NAME         Image network by its torchvision name (resnet18)
  --weights WHICH         Its weights: DEFAULT, none, or a file
  --seed_everything N     The run's seed (0)
  --out DIR               Where the run folders are made (lightning_logs)
  --random_split          Show what a split over clips instead of people would
                          seem to reach, and why that is wrong; writes no run
  --draws N               How often that is drawn (5)

emorec baseline --help-all lists every option.
"""


def baseline(words: Sequence[str]) -> None:
    """Measures what the words after `emorec baseline` ask for.

    Args:
        words: As they were typed.

    Raises:
        UserError: For a mistake of the user.
        SystemExit: After the help.
    """
    if set(words) & {"-h", "--help"}:
        print(HELP, end="")
        raise SystemExit(0)
    from emorec.baseline.program import run  # late: it imports torch and Lightning

    run(["--help" if word == "--help-all" else word for word in words])
