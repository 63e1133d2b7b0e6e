"""What people see of a cohort's embeddings."""
