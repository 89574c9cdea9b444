"""What a data set's folder holds, and which of its clips a stage needs."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from emorec.data.clip import Clip, Person
from emorec.data.split import Side, Split
from emorec.errors import UserError

log = logging.getLogger(__name__)

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

    def needed(self, stage: str, *, allow_missing_actors: bool = False) -> list[Clip]:
        """The clips that a stage works on.

        Args:
            stage: "fit", "validate", "test" or "predict", which needs all.
            allow_missing_actors: Whether some actors of the split may have no clip.

        Raises:
            UserError: When an actor of the split has no clip.
        """
        if stage == "predict":
            return list(self.clips)
        if not allow_missing_actors:
            for side, actors in self.missing(stage).items():
                raise UserError(
                    f"{self._without(side, actors)} (--data.allow_missing_actors true goes on)"
                )
        clips = self.split.clips(self.clips)
        return [clip for side in SIDES_OF_STAGE[stage] for clip in clips[side]]

    def missing(self, stage: str) -> dict[Side, list[Person]]:
        """The actors without a clip on each side that a stage works on; sides where there are none are left out."""
        there = {clip.actor for clip in self.clips}
        missing = {
            side: [actor for actor in getattr(self.split, side) if actor not in there]
            for side in SIDES_OF_STAGE[stage]
        }
        return {side: actors for side, actors in missing.items() if actors}

    def tell_missing(self, stage: str) -> None:
        """Warns of actors of the split that have no clip."""
        for side, actors in self.missing(stage).items():
            log.warning("%s: the others are taken", self._without(side, actors))

    def _without(self, side: Side, actors: Sequence[Person]) -> str:
        named = f"actor{'s' * (len(actors) > 1)} {', '.join(map(str, actors))}"
        return f"split {self.split.name}: the data has no clip of {side} {named}"
