"""Files of models: downloads, weights checked by their headers, checkpoints."""
