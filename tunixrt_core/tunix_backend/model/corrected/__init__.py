"""Tunix's models of Gemma 4 and Qwen 3 MoE with the faults of 0.1.7 fixed."""
