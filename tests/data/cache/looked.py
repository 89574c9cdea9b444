"""Clips that are looked through, and a worker that misbehaves."""

from collections.abc import Sequence
from pathlib import Path

from emorec.data.cache.look_through import BrokenClip, look_through
from emorec.data.clip import Clip
from emorec.data.recipe import Recipe

RECIPE = Recipe(num_frames=2, size=(8, 8))


# A worker that does what the name of a clip says.
FAKE_WORKER = """
import json, os, sys, time
print('"ready"', flush=True)
for line in sys.stdin:
    request = json.loads(line)
    path = request["path"]
    if "recipe" not in request:
        print(json.dumps({"digest": path + open(path).read()}), flush=True)
        continue
    with open(os.environ["ASKED"], "a") as asked:
        print(path, file=asked)
    name = os.path.basename(path)
    if "hang" in name:
        time.sleep(60)
    if "crash" in name:
        os._exit(3)
    if "killed" in name:
        os.kill(os.getpid(), 9)
    print(json.dumps({"error": "damaged" if "damaged" in name else None}), flush=True)
"""


def clips_of(paths: Sequence[Path]) -> list[Clip]:
    return [Clip(path=path, label=0, actor=1, take=path.name) for path in paths]


def check_clips(paths: Sequence[Path], **options: object) -> list[BrokenClip]:
    """Which clips are broken; no frames are kept."""
    return look_through(clips_of(paths), RECIPE, keep_frames=False, **options).broken  # type: ignore[arg-type]


def files(folder: Path, *names: str) -> list[Path]:
    paths = [folder / name for name in names]
    for path in paths:
        path.write_text("pictures")
    return paths
