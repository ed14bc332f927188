"""Processes: identity, pools of workers that are killed when they hang, streams."""
