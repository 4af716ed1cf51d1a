"""What would happen: many runs of a template by the real core, in simulated time, without effects.

Theory of operation:

* `experience` says what earlier runs showed, `priors` what is assumed where they showed nothing;
  `models` makes one model of each step from both, and keeps which figure came from where.
* `drawing` draws what becomes of each attempt, from a seed. The same seed gives the same forecast.
* `assumed` makes the program of the template one that needs no outputs: what an expression would
  take from an output is drawn, everything else is evaluated.
* `running` plays one run: `shared.workflow.decide` on messages of drawn agents, people and timers.
* Where the order in which steps end does not change what runs (`shape`), `timeline` finds the times
  of all runs at once, and the core plays one run of each kind. Elsewhere it plays every run.
* `forecasting` puts it together; `outlook` says what a rollback could undo at each point.

Nothing here reads or writes anything outside: what it knows comes in, what it finds goes out.
"""
