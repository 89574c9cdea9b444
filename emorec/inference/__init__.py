"""Inference: a video becomes windows, each window a prediction, and all of them a timeline."""
