"""The sound of a clip: decoding, resampling to one rate and length, augmentation."""
