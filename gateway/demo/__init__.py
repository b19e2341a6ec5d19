"""The demo: a finite tour of the gateway on real data that the repository ships."""
