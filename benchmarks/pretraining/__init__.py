"""What each stage of pretraining adds on tasks that it was not trained for."""
