"""A trained network and all that it takes to explain what it says of clips."""

from difflib import get_close_matches
from pathlib import Path

import torch
from matplotlib.figure import Figure

from emorec import checkpoint
from emorec.data.clip import Clip, label_name
from emorec.errors import UserError
from emorec.explain.explanation import Explanation, explain
from emorec.explain.figure import explanation_figure
from emorec.explain.given import Chain, on
from emorec.explain.heat import Asked
from emorec.inference.torch_runtime import load_network


class Work:
    """Explains clips.

    Args:
        path: The checkpoint.
        about: The class or number to explain; that which is said when `None`.
        method: How maps are found.
        device: Such as "cuda" or "cpu"; a GPU where there is one when not given.

    Raises:
        UserError: When the checkpoint can't be used, or there is no such class or device.
    """

    def __init__(self, path: Path, about: str | None, method: Asked, device: str | None) -> None:
        self.said = checkpoint.read(path)
        network, self.facts = load_network(path)
        names = self.facts.names
        if about is not None and about not in names:
            near = get_close_matches(about, names, n=1)
            hint = f"did you mean {near[0]}?" if near else f"choose one of {', '.join(names)}"
            raise UserError(f"--class is {about}, which {path} does not know: {hint}")
        self.about = about
        self.method: Asked = method
        try:
            self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
            self.network = network.to(self.device).requires_grad_(False)
        except (RuntimeError, AssertionError) as error:
            raise UserError(
                f"--device is {device}: {str(error).splitlines()[0]}; choose cpu or cuda"
            ) from None
        self._chain = Chain(self.said, self.facts)

    def __call__(self, clip: Clip) -> Explanation:
        """Why the network says what it says of a clip.

        Raises:
            ClipError: When the clip can't be decoded, or has no sound and the network sees nothing.
            UserError: When Grad-CAM is asked for and can't be had.
        """
        given = on(self.device, self._chain(clip))
        return explain(self.network, self.facts, given, about=self.about, method=self.method)

    def truth(self, clip: Clip) -> str | None:
        """What is true of a clip, as text; `None` where nobody knows."""
        if clip.label == -1:
            return None
        return label_name(clip.label, self.facts.names)

    def picture(self, clip: Clip, explanation: Explanation) -> Figure:
        """What was found out, to look at."""
        called = f"{clip.path.name}{clip.fragment}"
        return explanation_figure(explanation, clip=called, truth=self.truth(clip))
