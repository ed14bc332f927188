"""Memory of a train step, estimated or counted by the compiler."""
