"""Which of IEMOCAP's ten people train, validate and test."""

from collections.abc import Sequence
from typing import Literal

from emorec.data.clip import Clip
from emorec.data.iemocap_files import SESSIONS
from emorec.data.split import RandomSplit, Split
from emorec.errors import UserError

IemocapSplitName = Literal["loso5", "speaker10", "seed_random"]

SPEAKERS = tuple(f"Ses{session:02d}{sex}" for session in SESSIONS for sex in "FM")
"""Two a session, the woman first. Nobody is in two sessions."""

FOLDS = {"loso5": len(SESSIONS), "speaker10": len(SPEAKERS)}
"""How many folds a split has."""


def make_iemocap_split(
    name: IemocapSplitName, fold: int | None = None, clips: Sequence[Clip] = ()
) -> Split:
    """A split by name.

    Args:
        name: "loso5" tests both people of a session, the people of the next session validate (5 is followed by 1).
            "speaker10" tests one person, the other one of that session validates, with whom they talk in every clip.
            "seed_random" holds out a fifth of the utterances at random, whoever speaks (see `RandomSplit`).
        fold: Of "loso5" the tested session; of "speaker10" the tested person's place in `SPEAKERS`, from 1.
        clips: Of which "seed_random" draws.

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
        test, val = _of_session(fold), _of_session(fold % len(SESSIONS) + 1)
    else:
        test = (SPEAKERS[fold - 1],)
        val = tuple(each for each in _of_session((fold + 1) // 2) if each not in test)
    train = tuple(each for each in SPEAKERS if each not in test and each not in val)
    return Split(name, fold, train, val, test)


def _of_session(session: int) -> tuple[str, ...]:
    return SPEAKERS[2 * session - 2 : 2 * session]
