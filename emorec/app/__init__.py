"""Local web page: upload a video, see what a trained network predicts."""

import os
import sys
from typing import Any

# before Gradio, or albumentations for a checkpoint's network, imports the Hub's library: no reports, no version check
os.environ.update(
    GRADIO_ANALYTICS_ENABLED="False", HF_HUB_DISABLE_TELEMETRY="1", HF_HUB_OFFLINE="1"
)
constants: Any = sys.modules.get("huggingface_hub.constants")
if constants:  # a network was fetched: from here on nothing else is
    constants.HF_HUB_OFFLINE = True
