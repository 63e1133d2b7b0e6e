"""Self-distillation of flexict-nano (first slices, then volumes with the inflated kernel), then alignment with text."""
