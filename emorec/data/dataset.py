"""Data set, sampler and loader of clips: cached clip, transform, batch."""

import atexit
import multiprocessing
import os
import signal
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache, partial
from multiprocessing.synchronize import Event
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, DistributedSampler, default_collate

from emorec.data.audio import NO_SOUND, AudioSpec, augment_audio, to_float
from emorec.data.augment import ClipTransform
from emorec.data.augment_landmarks import augment_track, mirror
from emorec.data.cache.build import ClipReader
from emorec.data.clip import Batch, Clip, Sample
from emorec.data.landmarks import FaceTrack
from emorec.data.preprocessing import ReadFrames


class ClipDataset(Dataset[Sample]):
    """Clips by position, or by (epoch, position) to augment each epoch differently.

    Args:
        clips: The clips.
        read_frames: Clip -> (T, H, W, C) uint8.
        transform: Crops and augments the frames; `None` leaves them uncropped, for test-time views.
        seed: Of the run; with the epoch and the position it decides the augmentation.
        read_landmarks: Reads the face of a clip, (T,) of `FACE`, where the network takes it.
        read_audio: Reads the sound of a clip, where the network takes it.
        augment_landmarks: Whether the face is augmented.
        augment_sound: Whether the sound is augmented.
        read_embedding: Reads the embedding of a clip's sound, where the network takes it.
    """

    def __init__(
        self,
        clips: Sequence[Clip],
        read_frames: ReadFrames,
        transform: ClipTransform | None,
        seed: int = 0,
        *,
        read_landmarks: ClipReader | None = None,
        read_audio: ClipReader | None = None,
        augment_landmarks: bool = False,
        augment_sound: bool = False,
        read_embedding: ClipReader | None = None,
    ) -> None:
        self.clips = clips
        self.read_frames = read_frames
        self.transform = transform
        self.seed = seed
        self.read_landmarks = read_landmarks
        self.read_audio = read_audio
        self.augment_landmarks = augment_landmarks
        self.augment_sound = augment_sound
        self.read_embedding = read_embedding

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, key: int | tuple[int, int]) -> Sample:
        epoch, index = key if isinstance(key, tuple) else (0, key)
        clip = self.clips[index]
        sample = Sample(label=label_tensor(clip), index=index)
        frames = self.read_frames(clip)
        if self.transform is None:
            sample["uncropped"] = torch.from_numpy(frames)
        else:
            seed = sample_seed(self.seed, epoch, index)
            sample["frames"] = torch.from_numpy(self.transform(frames, seed))
        if self.read_landmarks is not None:
            track = self.read_landmarks(clip)
            if self.augment_landmarks:
                track = augment_track(track, np.random.default_rng([self.seed, epoch, index, 2]))
            sample.update(cast("Sample", track_tensors(track)))
            if self.transform is None:
                sample["mirrored"] = track_tensors(mirror(track))
        if self.read_audio is not None:
            sample["heard"] = self.read_audio.errors.get(clip) != NO_SOUND
            sample["sound"] = self._sound(self.read_audio, clip, epoch, index)
        if self.read_embedding is not None:
            sample["heard"] = self.read_embedding.errors.get(clip) != NO_SOUND
            sample["embedding"] = (
                torch.from_numpy(self.read_embedding(clip))
                if sample["heard"]
                else torch.zeros(self.read_embedding.spec.shape)
            )
        return sample

    def _sound(self, read_audio: ClipReader, clip: Clip, epoch: int, index: int) -> Tensor:
        if read_audio.errors.get(clip) == NO_SOUND:
            return torch.zeros(read_audio.spec.shape)
        waveform = to_float(read_audio(clip))
        if self.augment_sound:
            assert isinstance(read_audio.spec, AudioSpec)
            rng = np.random.default_rng([self.seed, epoch, index, 1])
            waveform = augment_audio(waveform, rng, read_audio.spec.sound_rate)
        return torch.from_numpy(waveform)


def track_tensors(track: FaceTrack) -> dict[str, Tensor]:
    """Return the entries of a batch for the face in a clip, (T,) of `FACE`."""
    landmarks, blendshapes, pose, present = (
        torch.from_numpy(np.ascontiguousarray(track[name]))
        for name in ("landmarks", "blendshapes", "pose", "present")
    )
    return {
        "landmarks": landmarks,
        "blendshapes": blendshapes,
        "pose": pose,
        "face_present": present,
    }


class EpochSampler(DistributedSampler[Any]):
    """Shuffle by (seed, epoch), pass the epoch to the data set, and shard the clips over the training processes.

    torch's `DistributedSampler` works for a single process too, and Lightning sets its epoch. Passing the epoch along
    with each position lets the data set augment by (seed, epoch, clip) with any number of loader workers.

    Args:
        dataset: What is sampled.
        seed: Of the run.
        weights: How often each clip is drawn, relative to the others; without it each clip is drawn once.
        num_replicas: Number of training processes.
        rank: Of this process.
    """

    def __init__(
        self,
        dataset: Dataset[Any],
        *,
        seed: int,
        weights: Sequence[float] | None = None,
        num_replicas: int = 1,
        rank: int = 0,
    ) -> None:
        # torch adds the epoch to the seed: without a seed of many digits, epoch 1 of seed 0 would be epoch 0 of seed 1
        seed = sample_seed(seed, 0, 0)
        super().__init__(dataset, num_replicas=num_replicas, rank=rank, shuffle=True, seed=seed)
        self.weights = None if weights is None else torch.tensor(weights, dtype=torch.float64)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        if self.weights is None:
            positions = [int(position) for position in super().__iter__()]
        else:
            generator = torch.Generator().manual_seed(self.seed + self.epoch)
            drawn = torch.multinomial(self.weights, self.total_size, True, generator=generator)
            positions = drawn[self.rank :: self.num_replicas].tolist()
        return iter([(self.epoch, position) for position in positions])


def make_loader(
    dataset: Dataset[Sample],
    *,
    batch_size: int,
    num_workers: int,
    sampler: EpochSampler | None = None,
) -> DataLoader[Any]:
    """Return a loader of batches.

    Args:
        dataset: Of clips.
        batch_size: B.
        num_workers: Number of worker processes; with 0 this process loads.
        sampler: The order of a training; by default that of the data set.
    """
    # BatchNorm can't normalize a single clip; each epoch leaves out another one
    last_of_one = (
        sampler is not None and len(sampler) > batch_size and len(sampler) % batch_size == 1
    )
    return DataLoader(
        dataset,
        batch_size=batch_size,
        sampler=sampler,
        drop_last=last_of_one,
        # torch draws a seed for the workers, by default from the global generator, which dropout uses too: then results
        # would depend on the number of workers
        generator=torch.Generator(),
        num_workers=num_workers,
        persistent_workers=num_workers > 0,
        pin_memory=torch.cuda.is_available(),
        collate_fn=collate,
        worker_init_fn=partial(_start_worker, _exit_event()),
    )


def collate(samples: Sequence[Sample]) -> Batch:
    """Stack samples to a batch.

    Frames become (B, T, C, H, W), a view of (B, T, H, W, C) memory, so that nothing is copied twice.
    """
    batch = default_collate(list(samples))
    for name in ("frames", "uncropped"):
        if name in batch:
            batch[name] = batch[name].permute(0, 1, 4, 2, 3)  # (B, T, C, H, W)
    return cast("Batch", batch)


@cache
def _exit_event() -> Event:
    """Is set when this process exits."""
    event = multiprocessing.Event()
    atexit.register(event.set)
    return event


def _start_worker(exiting: Event, worker: int) -> None:
    del worker
    import cv2

    # the workers are the parallelism; OpenCV's own threads would compete for the cores
    cv2.setNumThreads(0)
    # Ctrl-C and a cluster's SIGTERM reach the workers too, but it is the main process that finishes the batch and stops
    # them; only when it exits, `multiprocessing` sends SIGTERM to workers that it has not stopped
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0) if exiting.is_set() else None)


def class_weights(clips: Sequence[Clip], num_classes: int) -> Tensor:
    """Return loss weights (K,) inversely proportional to the class frequencies, with mean 1 over the clips.

    Args:
        clips: Labelled with classes.
        num_classes: K.
    """
    counts = Counter(clip.label for clip in clips)
    numbers = torch.tensor([counts[label] for label in range(num_classes)], dtype=torch.float32)
    return numbers.sum() / (numbers.clamp(min=1) * (numbers > 0).sum())


def sampling_weights(clips: Sequence[Clip]) -> list[float]:
    """Return sampling weights with which every class is drawn equally often."""
    counts = Counter(clip.label for clip in clips)
    return [1 / counts[clip.label] for clip in clips]


def label_tensor(clip: Clip) -> int | Tensor:
    """Return a class as it is, numbers as (R,) float32.

    >>> from pathlib import Path
    >>> label_tensor(Clip(path=Path("a.jpg"), label=(0.5, -1.0), actor="a", take="a"))
    tensor([ 0.5000, -1.0000])
    """
    if isinstance(clip.label, int):
        return clip.label
    return torch.tensor(clip.label, dtype=torch.float32)


def sample_seed(seed: int, epoch: int, index: int) -> int:
    """Return 32 bits that depend on all three numbers.

    >>> sample_seed(0, 0, 1) != sample_seed(0, 1, 0) != sample_seed(1, 0, 0)
    True
    """
    return int(np.random.SeedSequence([seed, epoch, index]).generate_state(1)[0])
