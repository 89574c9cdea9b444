"""Weights from a server, the cache or a file, invalid weights, and the normalization that they expect."""

import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from torch import Tensor, nn
from torchvision.models import ResNet18_Weights, ShuffleNet_V2_X0_5_Weights
from torchvision.models.video import R3D_18_Weights
from torchvision.transforms.functional import convert_image_dtype, normalize

from emorec.errors import UserError
from emorec.layers.backbone import Backbone, image_backbone
from emorec.layers.pretrained import IMAGENET, KINETICS, Normalize, PixelStatistics, skip_pretrained

NAME = "shufflenet_v2_x0_5"
"""The smallest of torchvision's classifiers: 1.4 million parameters."""


def backbone(weights: str | Path) -> Backbone:
    return image_backbone(NAME, weights=str(weights), freeze="none", image_size=(224, 224))


def published_state(num_classes: int = 1000) -> dict[str, Tensor]:
    state: dict[str, Tensor] = torchvision.models.get_model(
        NAME, weights=None, num_classes=num_classes
    ).state_dict()
    return {name: torch.rand_like(v) if v.is_floating_point() else v for name, v in state.items()}


def save(path: Path, content: Any) -> Path:
    torch.save(content, path)
    return path


def assert_holds(network: nn.Module, state: dict[str, Tensor]) -> None:
    loaded = network.state_dict()
    assert loaded
    assert all(torch.equal(loaded[name], state[name]) for name in loaded)


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: Any) -> None:
        """Log nothing."""


@pytest.fixture
def weights_server(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder and the URL of the HTTP server of its files."""
    folder = tmp_path / "served"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield folder, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The checkpoint folder of an empty torch hub."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path / "torch" / "hub" / "checkpoints"


@pytest.fixture
def publish(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return a function that changes the URL of torchvision's published weights."""
    return partial(monkeypatch.setattr, ShuffleNet_V2_X0_5_Weights.DEFAULT.value, "url")


def save_with_hash(folder: Path, state: dict[str, Tensor]) -> str:
    """Save a state dict under a name that ends with its hash, as torchvision does."""
    path = save(folder / "unnamed.pth", state)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
    return path.rename(folder / f"shufflenet-{digest}.pth").name


def test_default_downloads_the_published_weights_once(
    weights_server: tuple[Path, str], cache: Path, publish: Callable[[str], None]
) -> None:
    folder, url = weights_server
    state = published_state()
    name = save_with_hash(folder, state)
    publish(f"{url}/{name}")
    assert_holds(backbone("DEFAULT").network, state)
    (folder / name).unlink()
    assert_holds(backbone("DEFAULT").network, state)
    assert [path.name for path in cache.iterdir()] == [name]


def test_a_download_with_the_wrong_hash_is_refused_and_deleted(
    weights_server: tuple[Path, str], cache: Path, publish: Callable[[str], None]
) -> None:
    folder, url = weights_server
    (folder / save_with_hash(folder, published_state())).rename(folder / "shufflenet-00000000.pth")
    publish(f"{url}/shufflenet-00000000.pth")
    with pytest.raises(UserError, match=r"shufflenet-00000000\.pth .*invalid hash value"):
        backbone("DEFAULT")
    assert not list(cache.iterdir())


def test_without_a_connection_the_error_names_the_url_the_folder_and_the_remedy(
    cache: Path, publish: Callable[[str], None]
) -> None:
    publish("http://127.0.0.1:9/shufflenet-f707e7126e.pth")
    with pytest.raises(UserError) as caught:
        backbone("DEFAULT")
    message = str(caught.value)
    assert "\n" not in message
    assert "http://127.0.0.1:9/shufflenet-f707e7126e.pth" in message
    assert f"put that file into {cache}, or choose --model.weights none" in message


def test_a_404_of_the_server_is_an_error(
    weights_server: tuple[Path, str], cache: Path, publish: Callable[[str], None]
) -> None:
    publish(f"{weights_server[1]}/gone-f707e7126e.pth")
    with pytest.raises(UserError, match=r"can't get .*/gone-f707e7126e.pth \(File not found\)"):
        backbone("DEFAULT")


def test_a_file_copied_into_the_cache_folder_is_used_and_checked(
    cache: Path, publish: Callable[[str], None]
) -> None:
    publish("http://127.0.0.1:9/shufflenet-f707e7126e.pth")
    cache.mkdir(parents=True)
    state = published_state()
    save(cache / "shufflenet-f707e7126e.pth", state)
    assert_holds(backbone("DEFAULT").network, state)
    (cache / "shufflenet-f707e7126e.pth").write_text("<html>")
    with pytest.raises(UserError, match=r"shufflenet-f707e7126e\.pth is not a state dict"):
        backbone("DEFAULT")


@pytest.mark.parametrize("num_classes", [1000, 7])
def test_a_state_dict_with_any_head_is_loaded(tmp_path: Path, num_classes: int) -> None:
    state = published_state(num_classes)
    assert_holds(backbone(save(tmp_path / "mine.pth", state)).network, state)


def test_a_state_dict_without_a_head_or_batch_counts_is_loaded(tmp_path: Path) -> None:
    left_out = ("fc.", "num_batches_tracked")
    state = {
        name: value
        for name, value in published_state().items()
        if not name.startswith(left_out) and not name.endswith(left_out)
    }
    loaded = backbone(save(tmp_path / "mine.pth", state)).network.state_dict()
    assert all(torch.equal(loaded[name], value) for name, value in state.items())


def test_a_mismatched_state_dict_is_refused_with_its_keys(tmp_path: Path) -> None:
    state = published_state()
    state["conv1.0.weight"] = torch.zeros(24, 1, 3, 3)
    state["extra"] = state.pop("conv5.0.weight")
    for name in [name for name in state if name.startswith("stage4")]:
        del state[name]
    path = save(tmp_path / "mine.pth", state)
    with pytest.raises(UserError) as caught:
        backbone(path)
    assert str(caught.value) == (
        f"{path} does not fit the network: "
        # 4 units of 3 convolutions and 3 BatchNorms of 4 tensors, 2 and 2 more in the first, and conv5
        "71 missing (stage4.0.branch1.0.weight, stage4.0.branch1.1.weight, stage4.0.branch1.1.bias, and 68 more); "
        "1 unexpected (extra); "
        "1 of another shape (conv1.0.weight (24, 1, 3, 3) for (24, 3, 3, 3))"
    )


class Payload:
    """Creates a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


def test_a_file_with_pickled_code_is_refused_and_not_executed(tmp_path: Path) -> None:
    path = save(tmp_path / "mine.pth", {"conv1.0.weight": Payload(tmp_path / "was_run")})
    with pytest.raises(UserError, match="holds Python objects, which are refused"):
        backbone(path)
    assert not (tmp_path / "was_run").exists()


@pytest.mark.parametrize("content", [b"", b"no weights, only words", b"\x00" * 100])
def test_a_file_that_is_not_a_checkpoint_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mine.pth"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"mine\.pth is not a state dict"):
        backbone(path)


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "mine.pth", published_state())
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(UserError, match=r"mine\.pth is not a state dict: it is truncated"):
        backbone(path)


@pytest.mark.parametrize("content", [{}, [1, 2], {"epoch": 3}, torch.zeros(3)])
def test_a_file_with_other_content_is_refused(tmp_path: Path, content: Any) -> None:
    with pytest.raises(UserError, match="holds more than names and tensors"):
        backbone(save(tmp_path / "mine.pth", content))


def test_a_checkpoint_of_the_bare_network_is_loaded_without_its_head(
    tmp_path: Path,
) -> None:
    state = published_state(7)
    path = save(tmp_path / "mine.pth", {"state_dict": state, "epoch": 3})
    assert_holds(backbone(path).network, state)


def test_a_missing_file_and_a_folder_have_different_errors(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no weights at .*gone\.pth: choose DEFAULT, none or"):
        backbone(tmp_path / "gone.pth")
    with pytest.raises(UserError, match=r"can't read weights .*: Is a directory"):
        backbone(tmp_path)


def test_skip_pretrained_loads_nothing(
    tmp_path: Path, cache: Path, publish: Callable[[str], None]
) -> None:
    publish("http://127.0.0.1:9/shufflenet-f707e7126e.pth")
    with skip_pretrained():
        backbone("DEFAULT")
        backbone(tmp_path / "gone.pth")
    with pytest.raises(UserError, match="no weights at"):
        backbone(tmp_path / "gone.pth")


def test_the_backbone_of_a_checkpoint_is_loaded(tmp_path: Path) -> None:
    model = nn.ModuleDict({"eye": backbone("none"), "head": nn.Linear(3, 2)})
    path = save(tmp_path / "x.ckpt", {"epoch": 3, "state_dict": model.state_dict()})
    assert_holds(backbone(path).network, model["eye"].network.state_dict())


def test_a_checkpoint_with_none_or_two_matching_backbones_is_refused(tmp_path: Path) -> None:
    unrelated = save(tmp_path / "x.ckpt", {"state_dict": nn.Linear(3, 2).state_dict()})
    with pytest.raises(
        UserError, match=r"contains no such network: choose one with the same backbone"
    ):
        backbone(unrelated)
    eyes = nn.ModuleList([backbone("none"), backbone("none")])
    two_backbones = save(tmp_path / "two.ckpt", {"state_dict": eyes.state_dict()})
    with pytest.raises(UserError, match="contains 2 such networks"):
        backbone(two_backbones)


@pytest.fixture
def frames() -> Tensor:
    """(B, T, C, H, W) with memory layout (B, T, H, W, C), as from the loader."""
    stored = torch.randint(0, 256, (2, 4, 6, 5, 3), dtype=torch.uint8)
    return stored.permute(0, 1, 4, 2, 3)


@pytest.mark.parametrize("statistics", [IMAGENET, KINETICS])
def test_normalization_equals_torchvision(statistics: PixelStatistics, frames: Tensor) -> None:
    expected = normalize(convert_image_dtype(frames), *map(list, statistics))
    torch.testing.assert_close(Normalize(statistics)(frames), expected)


def test_the_statistics_equal_those_of_the_published_weights() -> None:
    for statistics, weights in [(IMAGENET, ResNet18_Weights), (KINETICS, R3D_18_Weights)]:
        published = weights.DEFAULT.transforms()
        assert (list(statistics.mean), list(statistics.std)) == (published.mean, published.std)


def test_float_pixels_equal_uint8_ones(frames: Tensor) -> None:
    layer = Normalize(IMAGENET)
    assert torch.equal(layer(frames.float()), layer(frames))


def test_frames_keep_their_memory_layout(frames: Tensor) -> None:
    pictures = Normalize(IMAGENET)(frames).flatten(0, 1)
    assert pictures.is_contiguous(memory_format=torch.channels_last)


def test_normalization_adds_nothing_to_a_checkpoint() -> None:
    assert not Normalize(IMAGENET).state_dict()


def test_normalization_stays_float32_under_autocast(frames: Tensor) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        assert Normalize(IMAGENET)(frames).dtype == torch.float32
