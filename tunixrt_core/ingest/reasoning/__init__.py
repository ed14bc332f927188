"""Free text divided into reasoning steps and a final answer."""
