"""Rendering: from a trace to training text and back.

A reasoning style says how steps and answer become one completion; a chat format says which control tokens surround
prompt and completion. Both are chosen in the manifest, so that training and generation always agree.
"""
