"""The crash test: a fleet under load whose parts are killed, paused and rolled back, and what became of it.

    traffic    clients that write, overwrite, patch, delete, read and retry; what they saw is the history
    feeds      readers of change feeds, whose view at the end is compared with the history
    moves      groups that move about, with kills aimed at the phases of their moves
    faults     what happens to which part when, a pure function of the seed, and who does it
    model      pure: a history and the state at the end -> what must not have happened and did
    report     availability, figures, the page that a person reads

They know each other only through the records of `model` and `timeline`, but for the movers, who ask
`faults` to kill. `scenario` says what a run consists of, `cluster` is the fleet that it runs on,
`observation` reads the state at the end, `run` puts all together, `command` is `graphgate crash`,
`graphgate chaos` and `graphgate crash-ingest`, whose own parts are in `ingest`. A new kind of traffic adds an
action to `traffic.mix`, a new kind of fault one to `faults.plan`, a new promise one to `model.findings`.
"""
