"""What takes long: analyses and jobs in processes of their own, their progress and results."""
