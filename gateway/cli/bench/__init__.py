"""`graphgate bench`: what this machine does."""
