"""Short answers: whether two of them mean the same (`comparison`), and where one stands in a text (`finding`)."""
