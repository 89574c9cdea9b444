"""Limit torch to few threads: the networks are small."""

import torch

torch.set_num_threads(1)
