"""Shards on Neo4j Community 5.26: one statement is one atomic write, one database holds all groups."""

from drivers.neo4j.driver import Neo4jDriver
from drivers.neo4j.settings import Neo4jSettings

__all__ = ["Neo4jDriver", "Neo4jSettings"]
