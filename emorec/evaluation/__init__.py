"""What a finished run says: predictions, metrics, figures, the report."""
