"""Schedules, as callers make and see them."""
