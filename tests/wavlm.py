"""A tiny random WavLM, as transformers saves a speech model."""

from pathlib import Path

import pytest
import torch


def write_wavlm(folder: Path) -> Path:
    """Save a random WavLM with 4 layers of 16 features, and return its folder; skip where transformers is missing."""
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.WavLMConfig(
        hidden_size=16,
        num_hidden_layers=4,
        num_attention_heads=2,
        intermediate_size=24,
        conv_dim=(8,) * 7,
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=2,
        num_buckets=20,
        max_bucket_distance=40,
    )
    transformers.WavLMModel(config).save_pretrained(folder)
    transformers.Wav2Vec2FeatureExtractor(do_normalize=True).save_pretrained(folder)
    return folder
