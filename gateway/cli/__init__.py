"""The `graphgate` command: one file per command, heavy imports inside them so that --help is quick."""
