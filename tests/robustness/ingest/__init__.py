"""The crash test of ingestion: episodes are added while workers, gateways, shards and Redis are killed.

episodes     what is added, a pure function of the seed
adders       clients that add them, one by one, in bulk and over streams, until each is accepted
observation  what became of them: rows and operation records of the shards, statuses, failures, the queue
judge        pure: what was accepted and what is there at the end -> which promise was broken
run          puts all together, on the cluster, the faults and the clock of tests.robustness
report       figures, the page that a person reads, the journal
"""
