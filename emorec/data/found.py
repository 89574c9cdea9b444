"""What a data set's folder holds, and which of its clips a stage needs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from emorec.data.clip import Clip
from emorec.data.split import Side, Split
from emorec.errors import UserError

SIDES_OF_STAGE: dict[str, tuple[Side, ...]] = {
    "fit": ("train", "val"),
    "validate": ("val",),
    "test": ("test",),
    "predict": (),
}


@dataclass(frozen=True, slots=True)
class Found:
    """What a data set's folder holds: its clips, who is on which side, and files it does not know."""

    clips: Sequence[Clip]
    split: Split
    others: Sequence[tuple[Path, str]] = ()

    def needed(self, stage: str, *, allow_missing_test_actors: bool = False) -> list[Clip]:
        """The clips that a stage works on.

        Args:
            stage: "fit", "validate", "test" or "predict", which needs all.
            allow_missing_test_actors: Whether some of the test actors may have no clip.

        Raises:
            UserError: When an actor of the split has no clip.
        """
        sides = SIDES_OF_STAGE[stage]
        if not sides:
            return list(self.clips)
        there = {clip.actor for clip in self.clips}
        for side in sides:
            missing = [actor for actor in getattr(self.split, side) if actor not in there]
            if missing and not (side == "test" and allow_missing_test_actors):
                hint = " (--data.allow_missing_test_actors true goes on)" if side == "test" else ""
                raise UserError(
                    f"split {self.split.name}: the data has no clip of {side} "
                    f"actor{'s' * (len(missing) > 1)} {', '.join(map(str, missing))}{hint}"
                )
        clips = self.split.clips(self.clips)
        return [clip for side in sides for clip in clips[side]]
