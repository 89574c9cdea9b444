"""Local web page: upload a video, see what a trained network predicts."""
