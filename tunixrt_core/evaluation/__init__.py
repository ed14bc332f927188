"""Evaluation: an eval set through a generator, scored and compared by row."""
