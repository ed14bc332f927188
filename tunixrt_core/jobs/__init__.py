"""Background work: the accelerator's queue and everything that runs in it."""
