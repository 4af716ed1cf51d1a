"""The coordinator: folds the journal of its partitions and carries out what is decided."""
