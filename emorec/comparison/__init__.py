"""Runs side by side: from run folders to a table and a report that can be believed."""
