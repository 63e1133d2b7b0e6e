"""What one browser session keeps: the open cohort, selections, widgets, the user."""
