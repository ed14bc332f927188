"""Tunix's models with the faults of 0.1.7 fixed: Gemma 4, Qwen 3 MoE, RoPE."""
