"""TPU chips and slices, and bounds on the speed of compiled steps."""
