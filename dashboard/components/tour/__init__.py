"""The tour of the demonstration cohort."""
