"""The learning service: keeps the record and folds it into models."""
