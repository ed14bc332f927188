"""Evaluation: an eval set through a generator, each answer scored; models compared row by row on what they answered."""
