"""The CSV contract: a table of cases, checked row by row."""
