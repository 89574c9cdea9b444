"""Which face detector there is: YuNet's file, brought along or downloaded once, or else OpenCV's cascade."""

import logging
import os
from pathlib import Path
from urllib.parse import urlsplit

from emorec.data.cache.store import cache_folder
from emorec.data.faces.detector import HAAR, load_detector
from emorec.errors import UserError
from emorec.files import sha256_of

log = logging.getLogger(__name__)

FILE_VARIABLE = "EMOREC_FACE_DETECTOR"

# Source: the Git LFS pointer of models/face_detection_yunet/face_detection_yunet_2023mar.onnx in OpenCV Zoo, MIT
# licence. Its raw.githubusercontent.com address gives that pointer only; the second address is OpenCV's own mirror.
YUNET_NAME = "face_detection_yunet_2023mar.onnx"
YUNET_SHA256 = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"
YUNET_ADDRESSES = (
    f"https://media.githubusercontent.com/media/opencv/opencv_zoo/main/models/face_detection_yunet/{YUNET_NAME}",
    f"https://huggingface.co/opencv/face_detection_yunet/resolve/3cc26e7f1014a5ee5d74a42acee58bafc9d0a310/{YUNET_NAME}",
)

_given_up: set[Path] = set()
"""What could not be had before in this process: it asks the network once, says so once, and sticks to one detector."""


def find_detector(wanted: str = "auto") -> str:
    """What `load_detector` opens, in this process or another, without the network: "haar" or a file's absolute path.

    The environment variable `EMOREC_FACE_DETECTOR` may name a file of YuNet to use instead of the released one.

    Args:
        wanted: "yunet" is the released file, in the cache folder, where it is downloaded when missing; "haar" comes
            with OpenCV; "auto" is YuNet, or when it can't be had the cascade and a warning; else a file of YuNet.

    Raises:
        UserError: When a file is missing or not YuNet's, or YuNet was asked for and can't be had.

    >>> find_detector("haar")
    'haar'
    """
    if wanted == HAAR:
        return HAAR
    if wanted not in ("auto", "yunet"):
        return _brought(wanted, f"face detector {wanted!r}", "choose auto, yunet, haar or a file")
    named = os.environ.get(FILE_VARIABLE)
    if named:
        return _brought(named, f"{FILE_VARIABLE} is {named!r}", "name a file of YuNet or unset it")
    target = (cache_folder() / "models" / YUNET_NAME).absolute()
    return str(target) if _is_there(target, must_be=wanted == "yunet") else HAAR


def _is_there(target: Path, *, must_be: bool) -> bool:
    """Whether YuNet's file is there by now; when it is not and need not be, that is told."""
    if target in _given_up and not must_be:
        return False
    if target.is_file() and sha256_of(target) == YUNET_SHA256:
        return True
    try:
        _fetch(target)
    except UserError as error:
        if must_be:
            raise
        _given_up.add(target)
        log.warning("faces are found with OpenCV's cascade instead of YuNet: %s", error)
        return False
    return True


def _brought(name: str, what: str, advice: str) -> str:
    """The path of a file that a user named, once it has been opened."""
    path = Path(name).expanduser().absolute()
    if not path.is_file():
        raise UserError(f"{what}: there is no such file; {advice}")
    load_detector(str(path))
    return str(path)


def _fetch(target: Path) -> None:
    """Downloads YuNet from the first address that answers and gives the right file."""
    from emorec.data.download.download import RemoteFile, download
    from emorec.data.download.web import TroubleError, ask, new_session

    reasons = []
    for address in YUNET_ADDRESSES:
        try:
            # asked once before: `download` is patient, which is no use without a network
            with new_session() as session, ask(session, address, YUNET_NAME):
                pass
            # without a size, for a file that is too short would be taken for a broken connection, again and again
            download(RemoteFile(address, None, f"sha256:{YUNET_SHA256}"), target)
        except (TroubleError, UserError) as error:
            reasons.append(f"{urlsplit(address).hostname}: {error}")
        else:
            log.info("downloaded the face detector YuNet to %s", target)
            return
    raise UserError(
        f"can't download YuNet ({'; '.join(reasons)}); "
        f"bring {YUNET_NAME} and name it in {FILE_VARIABLE}, or choose haar"
    )
