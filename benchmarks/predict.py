"""`python benchmarks/predict.py --video talk.mp4`: compare emorec predict with its peers on the same frames.

Every program runs in a process of its own, start-up included, in turn, for some rounds; the fastest round counts. The
frames are those that emorec looks at. MediaPipe's Face Landmarker finds landmarks and blendshapes alone, fer faces and
seven emotions; neither hears. Each needs an environment with the package mediapipe or fer, whose Python is named.
"""

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from jsonargparse import auto_cli
from rich.table import Table

import emorec
from emorec.console import make_console
from emorec.data.clip import EMOTIONS
from emorec.data.synthetic.clips import draw_talk
from emorec.data.synthetic.settings import ClipSettings
from emorec.inference.options import Options
from emorec.inference.video import VideoFile
from emorec.inference.windows import frames_of_window, window_times
from emorec.pretrained import FACE_LANDMARKER, weights_file

DECODE = """
import sys, av
with av.open(sys.argv[1]) as file:
    file.streams.video[0].thread_type = "AUTO"
    for frame in file.decode(video=0):
        pass
"""
"""By FFmpeg, without converting frames."""

READ = """
import json, sys, cv2
needed = set(json.load(open(sys.argv[2])))
video = cv2.VideoCapture(sys.argv[1])
def frames():
    index = 0
    while video.grab():
        if index in needed:
            yield index, video.retrieve()[1]
        index += 1
"""

MEDIAPIPE = (
    READ
    + """
import mediapipe as mp
from mediapipe.tasks import python
from mediapipe.tasks.python import vision
options = vision.FaceLandmarkerOptions(
    base_options=python.BaseOptions(model_asset_path=sys.argv[3]),
    running_mode=vision.RunningMode.VIDEO,
    output_face_blendshapes=True,
)
with vision.FaceLandmarker.create_from_options(options) as landmarker:
    for index, frame in frames():
        rgb = cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
        landmarker.detect_for_video(mp.Image(image_format=mp.ImageFormat.SRGB, data=rgb), index * 33)
"""
)

FER = (
    READ
    + """
from fer.fer import FER
detector = FER(mtcnn=False)
for index, frame in frames():
    detector.detect_emotions(frame)
"""
)


def predict(
    video: str | None = None,
    mediapipe: str | None = None,
    fer: str | None = None,
    rounds: int = 3,
) -> None:
    """Measure emorec predict, its peers and decoding alone.

    Args:
        video: By default a drawn talk of 60 s, 1280 x 720 pixels, 30 frames a second.
        mediapipe: Python of an environment with the package mediapipe.
        fer: Python of an environment with the package fer.
        rounds: How often each is run.
    """
    with TemporaryDirectory() as folder:
        path = Path(video or Path(folder, "talk.mp4"))
        if video is None:
            settings = ClipSettings(width=1280, height=720, num_frames=225, fps=30)
            path.write_bytes(draw_talk(EMOTIONS, settings))
        needed = Path(folder, "frames.json")
        indices = needed_frames(path)
        needed.write_text(json.dumps(indices))
        model = str(weights_file(FACE_LANDMARKER))
        out = Path(folder, "predictions")
        commands = {
            "emorec predict": [
                sys.executable,
                "-m",
                "emorec",
                "predict",
                str(path),
                "--out",
                str(out),
                "--overwrite",
            ],
            "decoding alone": [sys.executable, "-c", DECODE, str(path)],
        }
        if mediapipe:
            arguments = [str(path), str(needed), model]
            commands["MediaPipe's Face Landmarker"] = [mediapipe, "-c", MEDIAPIPE, *arguments]
        if fer:
            commands["fer"] = [fer, "-c", FER, str(path), str(needed)]
        seconds = {name: float("inf") for name in commands}
        stages: dict[str, float] = {}
        for _ in range(rounds):
            for name, command in commands.items():
                spent = run(command)
                if name == "emorec predict" and spent < seconds[name]:
                    (summary,) = out.rglob("summary.json")
                    stages = json.loads(summary.read_text())["speed"]["seconds_by_stage"]
                seconds[name] = min(seconds[name], spent)
        show(seconds, stages, len(indices), VideoFile(path).seconds)


def needed_frames(path: Path) -> list[int]:
    """Return the frames of a video at which the built-in network looks."""
    spec, video = emorec.load().spec, VideoFile(path)
    window_seconds, hop_seconds = Options().window_and_hop(spec)
    indices: set[int] = set()
    for start, end in window_times(
        video.start, video.seconds, window_seconds=window_seconds, hop_seconds=hop_seconds
    ):
        choice = frames_of_window(start, end, video.starts, num_frames=spec.num_frames)
        indices |= choice.frames
    return sorted(indices)


def run(command: Sequence[str]) -> float:
    """Return the seconds that a command takes."""
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - of this file
    return time.perf_counter() - started


def show(
    seconds: dict[str, float], stages: dict[str, float], num_frames: int, video_seconds: float
) -> None:
    """Print the times, and how many times as long as emorec each takes."""
    table = Table(box=None, pad_edge=False)
    for column in ("", "seconds", "times emorec"):
        table.add_column(column, justify="left" if not column else "right")
    own = seconds["emorec predict"]
    for name, spent in seconds.items():
        table.add_row(name, f"{spent:.1f}", f"{spent / own:.2f}")
    for stage, spent in stages.items():
        table.add_row(f"  of emorec, side by side: {stage}", f"{spent:.1f}", f"{spent / own:.2f}")
    console = make_console()
    console.print(f"{video_seconds:.0f} s of video, {num_frames} frames are looked at")
    console.print(table)


if __name__ == "__main__":
    auto_cli(predict, as_positional=False)
