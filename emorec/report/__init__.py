"""Reports on finished runs: comparisons (terminal, HTML, Markdown, LaTeX, CSV) and model cards."""
