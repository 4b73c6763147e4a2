"""One page from result files: ``reading`` finds them, ``panels`` sorts, ``drawing`` draws, ``words`` tells, ``page`` writes.

Nothing here knows the suites: names and units of the measurements decide how they are shown, so that a new suite needs no code.
"""
