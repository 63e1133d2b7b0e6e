"""A CT that a user drops in: checked, embedded, forgotten after a day."""
