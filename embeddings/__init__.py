"""A cohort of CTs to a DuckDB file of vectors, and from vectors to findings."""
