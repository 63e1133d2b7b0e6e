"""Names of encoders -> weights that are loaded safely."""
