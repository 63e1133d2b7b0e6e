"""Self-distillation that makes flexict-nano: slices first, then the kernel inflated to volumes."""
