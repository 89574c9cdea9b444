"""What people do without a cache, measured beside it."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from emorec.bench.plain_decoders import PlainlyDecoded, installed_decoders
from emorec.bench.seed_way import SeedClips, main_process_speed, write_jpegs
from emorec.bench.speed import loader_speed, one_thread
from emorec.bench.stages import Stage, on_the_fly_speed, shown_workers
from emorec.data import ClipDataModule
from emorec.data.cache.build import ClipReader
from emorec.data.clip import Clip
from emorec.data.dataset import make_loader
from emorec.data.preprocessing import ReadFrames
from emorec.errors import UserError
from emorec.files import files_below

SEED_CLIPS = 48
"""As many as are written as JPEG files: enough for three batches."""

ON_THE_FLY = "on_the_fly_"
"""How the names of stages begin that decode in every epoch."""


def baseline_stages(data: ClipDataModule, filmed: Sequence[Clip], folder: Path) -> list[Stage]:
    """The loader on one core, and what it is compared with.

    Args:
        data: Set up for training.
        filmed: The clips to decode.
        folder: For JPEG files.
    """
    sources: dict[str, ReadFrames] = {
        name: PlainlyDecoded(decode, data.frame_spec)
        for name, decode in installed_decoders().items()
    }
    sources["emorec"] = ClipReader(data.frame_spec)
    folders = write_jpegs(data.sides["train"][:SEED_CLIPS], data.read_frames, folder)
    seed_clips = SeedClips(folders, size=data.frame_spec.size, image_size=data.image_size)
    return [
        Stage("loader_one_core", "loader, one core", partial(one_core_speed, data)),
        Stage(
            "seed_way",
            "JPEG files and PIL, one core",
            partial(main_process_speed, seed_clips, data.batch_size),
        ),
        *(
            Stage(
                f"{ON_THE_FLY}{name}",
                f"on the fly, {shown_decoder(data, name)}, {shown_workers(data)}",
                partial(on_the_fly_speed, data, source, filmed, augment=data.augment),
            )
            for name, source in sources.items()
        ),
    ]


def one_core_speed(data: ClipDataModule, seconds: float) -> float:
    """How fast the loader is without workers, augmentation included."""
    clips = data.dataset(data.sides["train"], augment=data.augment)
    with one_thread():
        return loader_speed(make_loader(clips, batch_size=data.batch_size, num_workers=0), seconds)


def ratios(speeds: Mapping[str, float]) -> dict[str, float]:
    """How many times as fast emorec's loader is: per core beside the seed's way, per worker beside decoding.

    >>> ratios({"loader": 800, "loader_one_core": 500, "seed_way": 40, "on_the_fly_pyav": 4})
    {'seed_way': 12.5, 'on_the_fly_pyav': 200.0}
    """
    compared = {"seed_way": "loader_one_core"} | {
        name: "loader" for name in speeds if name.startswith(ON_THE_FLY)
    }
    return {name: speeds[ours] / speeds[name] for name, ours in compared.items() if name in speeds}


def videos_in(folder: str) -> list[Clip]:
    """All mp4 files below a folder, as clips of nobody.

    Raises:
        UserError: When there are none.
    """
    files = sorted(files_below(Path(folder).expanduser()))
    paths = [path for path in files if path.suffix == ".mp4"]
    if not paths:
        raise UserError(f"no mp4 file below {folder}: name a folder of videos with --originals")
    return [Clip(path=path, label=0, actor=0, take=path.stem) for path in paths]


def shown_decoder(data: ClipDataModule, name: str) -> str:
    """A decoder's name as people write it; emorec's own with the library behind it."""
    proper = {"opencv": "OpenCV", "pyav": "PyAV", "emorec": f"emorec ({data.frame_spec.decoder})"}
    return proper.get(name, name)
