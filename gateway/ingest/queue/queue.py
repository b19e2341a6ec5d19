"""The durable queue of episodes, in Redis.

Keys, all under <prefix>:ingest: , where prefix is the fleet's:

    op:<group>/<op_id>     hash {hash, uuid, payload, state, accepted, updated, attempts, details,
                           listed}: one episode; payload goes once it is applied or no longer listed, the rest
                           after status_kept_s
    uuid:<group>/<uuid>    string: op_id of the last episode that was accepted under that uuid
    waiting:<group>        stream {op, bytes}: the group's episodes in the order of acceptance, until each has
                           ended, with the bytes of their payloads
    group:<group>          hash {turn, token, unit, tries, pauses, cap, bytes}: the group's one turn:
                           its entry in ready:*, or "later"; token of the worker that has it; members of the
                           unit that is worked on; how often that was begun since its last pause, how often it
                           has paused, and the most episodes of the next unit; and the bytes that wait
    ready:<partition>      stream {group}, consumer group "workers": groups whose turn it is, one entry each
    later:<partition>      sorted set: groups that pause, by when their pause ends (ms, Redis's clock)
    depth, bytes           strings: episodes that wait in all, and their bytes of payload
    tokens                 string: the last token
    failures, failures:<group>  sorted sets of <time>-<place>/<group>/<op_id>: failed episodes, oldest
                               first; place: of the entry in waiting
    failures_bytes, failures_sizes  string, hash by listed name: bytes of payload of the listed failures
    failures_dropped       string: failures that were unlisted because there were too many, or too large ones
    stream:<stream_id>     string: highest offset of a client's stream that has had its ack
    changed                pub/sub channel, a wake-up only: <group>/<op_id>

A group has at most one turn, so that its episodes are worked on in order, and takes its next turn behind all
groups that wait, so that ten thousand episodes of one delay nobody. The turn of a dead worker is claimed from
the stream's pending list after lease_s; whoever takes it gets a new token, and without the present token no
result is recorded. The members of a unit are stored before it is begun: a unit that is taken up again is the
same one, so that its write has the same op id and happens once. Whoever clears a group withdraws what no unit
has, and seizes a unit that was given back: the group pauses meanwhile, and its token is the seizer's.

Scripts make some keys from the prefix: a Redis Cluster must hold them in one slot, give the prefix a hash tag
there, e.g. "{graphgate}".
"""

from gateway.ingest.queue.acceptance import Acceptances
from gateway.ingest.queue.lookups import Lookups
from gateway.ingest.queue.outcomes import Outcomes
from gateway.ingest.queue.turns import Turns
from gateway.ingest.queue.withdrawal import Withdrawals


class EpisodeQueue(Acceptances, Lookups, Turns, Outcomes, Withdrawals):
    """Safe for concurrent use. Every call ends by its deadline or call_timeout_s; raises QueueUnavailable."""
