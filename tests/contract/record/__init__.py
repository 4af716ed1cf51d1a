"""One contract for the record, on its way and at rest."""
