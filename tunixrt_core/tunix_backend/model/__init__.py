"""Models: config, weights, LoRA, downloads and checkpoints."""
