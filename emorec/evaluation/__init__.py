"""Evaluation of predictions: tasks, scores, confidence intervals, comparisons of pairs, figures, reports."""
