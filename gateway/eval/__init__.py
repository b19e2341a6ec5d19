"""`graphgate eval`: is what a search finds good, and the same in every layout?

The same rows are written to one layout of shards after the other; each is asked the same questions.
"""
