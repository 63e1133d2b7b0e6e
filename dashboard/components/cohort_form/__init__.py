"""From an uploaded CSV to a running job."""
