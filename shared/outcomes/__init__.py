"""What became of runs, and what may be expected of the next one.

Models over the runs of the record, each a pure fold:

* `success`: how likely a template, a step, an agent, a value of a parameter is to succeed. What has
  few runs of its own leans on its category, its command and all others (`leaning`).
* `durations`: how long they take, as quantiles of a known error (`sketch`).
* `failures`: what error messages have in common (`drain`), where they occur, and what was done
  before a run passed again (`resolving`).
* `tuning`: what timeouts, retries, batches and choices of agents would gain, and the experiments
  that prove or revert them (`experiments`).

Nothing here reads a clock: what is old is told by the times of runs.
"""
