"""Trace -> text that a model is trained on, and back. The only place that knows a chat format.

A reasoning style says how steps and answer become one completion; a chat format says which control tokens stand
around prompt and completion. Both are chosen in the manifest, so that training and generation always agree.
"""
