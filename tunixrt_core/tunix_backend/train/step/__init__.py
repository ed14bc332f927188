"""The train step: loss, optimizer and compilation."""
