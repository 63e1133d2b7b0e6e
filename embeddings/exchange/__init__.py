"""Cohort files to and from the tables of other programs."""
