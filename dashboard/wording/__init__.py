"""Sentences that people read: verdicts, disclosures, tables as text."""
