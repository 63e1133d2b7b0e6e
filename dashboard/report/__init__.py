"""The report of a cohort: every analysis once, and figure, panels, tables, numbers and methods text of it."""
