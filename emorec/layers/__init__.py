"""What networks are built of: plain `nn.Module`s and functions without Lightning."""
