"""Tests of static validation: rules, reports, patches."""
