"""Counts of what was run: tables over hours, days and months that are merged and read from; pure.

Read `rows` (what a table is), `periods` (time), `counting` (what an item adds), `fold` (all of it
over the record), `reading` (what a question needs), `rates`, `speeds` and `saving` (what is made of
counts).
"""
