"""What Gradio may take for an upload: by itself, any file of this machine that a program names, and any address."""

from pathlib import Path

import gradio as gr

from emorec.app.rooms import Rooms


def take_only_uploads(video: gr.Video, rooms: Rooms) -> None:
    """Lets a place for videos refuse whatever was not sent here.

    It is done to the object: Gradio writes a file beside the source of a class that inherits from one of its own.

    Args:
        video: Where they are dropped.
        rooms: Where they then lie.
    """

    def sent(path: str | Path | None) -> str:
        if not rooms.is_upload(Path(path or "")):
            raise gr.Error("only a video that was sent here is looked at", print_exception=False)
        return str(path)

    async def sent_soon(path: str | Path | None) -> str:
        return sent(path)

    video.move_resource_to_block_cache = sent  # type: ignore[assignment, method-assign]
    video.async_move_resource_to_block_cache = sent_soon  # type: ignore[assignment, method-assign]
