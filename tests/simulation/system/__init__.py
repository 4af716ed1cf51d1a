"""The whole system, simulated: production coordinators and runners over servers that misbehave."""
