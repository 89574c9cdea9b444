"""`emorec features`: what a trained network sees in every frame of Aff-Wild2, once and for all."""


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
    """Compute the features of every frame of Aff-Wild2, for a network over time.

    Videos whose features are there already are passed over, so an interrupted call is finished by the same call.

    Args:
        ckpt: The checkpoint of a network of single frames.
        to: The folder to fill; made when missing. Name it with --data.features.
        root: Where Aff-Wild2 lies now, when it is not where the network was trained.
        batch_size: Frames at a time.
        num_workers: Processes that read pictures; as many as there are cores, up to eight, when not given.
        device: Such as `cuda` or `cpu`; a GPU where there is one when not given.

    Raises:
        UserError: When the checkpoint is of another network or data set, or the folder holds another one's features.
    """
    # late: torch takes seconds
    from emorec.inference.frame_features import write_features

    write_features(
        ckpt, to, root=root, batch_size=batch_size, num_workers=num_workers, device=device
    )
