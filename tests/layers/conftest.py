"""Networks are small and cores are few."""

import torch

torch.set_num_threads(1)
