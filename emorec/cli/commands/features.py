"""`emorec features`: compute the features of all frames of Aff-Wild2 with a trained network."""


def features(
    ckpt: str,
    /,
    *,
    to: str = "features",
    root: str | None = None,
    batch_size: int = 128,
    num_workers: int | None = None,
    device: str | None = None,
) -> None:
    """Compute the features of every frame of Aff-Wild2, for a temporal network.

    Videos whose features are there already are skipped, so an interrupted call is finished by the same call.

    Args:
        ckpt: The checkpoint of a network for single frames.
        to: The folder to fill, created when missing; the value of --data.features.
        root: The folder of Aff-Wild2, if it is not the one that the network was trained on.
        batch_size: Frames per batch.
        num_workers: Processes that read images; by default one per core, at most eight.
        device: Such as `cuda` or `cpu`; by default a GPU if there is one.

    Raises:
        UserError: When the checkpoint is of another kind of network or data set, or the folder holds features of
            another checkpoint.
    """
    # late: torch takes seconds
    from emorec.inference.frame_features import write_features

    write_features(
        ckpt, to, root=root, batch_size=batch_size, num_workers=num_workers, device=device
    )
