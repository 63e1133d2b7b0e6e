"""Volume -> model input, and where that input lies in the patient."""
