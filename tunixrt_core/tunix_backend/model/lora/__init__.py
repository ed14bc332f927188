"""LoRA and QLoRA: matched modules, their application, and quantised weights."""
