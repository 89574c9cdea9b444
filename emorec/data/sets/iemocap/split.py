"""Splits of IEMOCAP's ten people."""

from collections.abc import Sequence
from typing import Literal

from emorec.data.clip import Clip
from emorec.data.sets.iemocap.parser import SESSIONS
from emorec.data.split import RandomSplit, Split
from emorec.errors import UserError

IemocapSplitName = Literal["loso5", "speaker10", "seed_random"]

SPEAKERS = tuple(f"Ses{session:02d}{sex}" for session in SESSIONS for sex in "FM")
"""Two a session, the woman first; each takes part in one session only."""

FOLDS = {"loso5": len(SESSIONS), "speaker10": len(SPEAKERS)}
"""Number of folds of each split."""


def make_iemocap_split(
    name: IemocapSplitName, fold: int | None = None, clips: Sequence[Clip] = ()
) -> Split:
    """Return a split by name.

    Args:
        name: "loso5" tests both people of a session, the people of the next session validate (5 is followed by 1).
            "speaker10" tests one person; their dialogue partner in all clips validates.
            "seed_random" holds out a fifth of the utterances at random, regardless of the speaker (see `RandomSplit`).
        fold: Of "loso5" the tested session; of "speaker10" the tested person's position in `SPEAKERS`, from 1.
        clips: The clips that "seed_random" splits.

    Raises:
        UserError: When the fold is missing, out of range, or given for a split without folds.

    Source: one fold a session is EmoBox's protocol (`data/iemocap`); ten folds, validated on the other person of the
        session, are those of MEmoBERT and of SpeechBrain's recipe with `different_speakers`. "seed_random" is Singh &
        Fang 2020, arXiv:2006.08129, whose best epoch is chosen on the fifth that is reported.

    >>> split = make_iemocap_split("loso5", 5)
    >>> split.test, split.val, len(split.train)
    (('Ses05F', 'Ses05M'), ('Ses01F', 'Ses01M'), 6)
    >>> split = make_iemocap_split("speaker10", 4)
    >>> split.test, split.val, len(split.train)
    (('Ses02M',), ('Ses02F',), 8)
    """
    if name == "seed_random":
        if fold is not None:
            raise UserError(f"split seed_random has no folds: leave out --data.fold {fold}")
        return RandomSplit.of(name, clips)
    if fold is None or not 1 <= fold <= FOLDS[name]:
        raise UserError(f"split {name} needs --data.fold 1 to {FOLDS[name]}, not {fold}")
    if name == "loso5":
        test, val = _speakers(fold), _speakers(fold % len(SESSIONS) + 1)
    else:
        test = (SPEAKERS[fold - 1],)
        val = tuple(person for person in _speakers((fold + 1) // 2) if person not in test)
    train = tuple(person for person in SPEAKERS if person not in test and person not in val)
    return Split(name, fold, train, val, test)


def _speakers(session: int) -> tuple[str, ...]:
    return SPEAKERS[2 * session - 2 : 2 * session]
