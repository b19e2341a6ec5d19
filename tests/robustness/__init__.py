"""The crash test: a fleet under load whose parts are killed, paused and rolled back, and what became of it.

    traffic    clients that write, overwrite, patch, delete, read and retry; what they saw is the history
    faults     what happens to which part when, a pure function of the seed, and who does it
    model      pure: a history and the state at the end -> what must not have happened and did
    report     availability, figures, the page that a person reads

The four know each other only through the records of `model.history` and `timeline`. `cluster` is the fleet
that they run on, `observation` reads the state at the end, `crash_run` puts all together, `command` is
`graphgate crash`. A new kind of traffic adds an action to `traffic.mix`, a new kind of fault one to
`faults.plan`, a new promise one to `model.judge`.
"""
