"""The cohort file: every statement of SQL is in this folder."""
