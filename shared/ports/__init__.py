"""Protocols through which services reach the journal, tasks, events, stores, clock and ids."""
