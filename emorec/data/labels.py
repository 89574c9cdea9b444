"""The emotion classes and their order, stated once.

Source: Livingstone & Russo 2018, PLOS ONE 13(5):e0196391, Table 1; the order is that of the RAVDESS file names.
"""

EMOTIONS = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")
"""The eight classes of spoken RAVDESS; a class's label is its position here."""

SONG_EMOTIONS = ("neutral", "calm", "happy", "sad", "angry", "fearful")
"""The six classes that were also sung."""
