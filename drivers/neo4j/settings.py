"""Where a Neo4j shard is and how much of it one gateway may use."""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

DEFAULT_PORT = 7687


@dataclass(frozen=True, slots=True)
class Neo4jSettings:
    url: str
    """bolt://host:port or bolt+s://host:port (TLS). Never holds credentials. One server: no routing."""
    user: str = ""
    """Empty: the server asks for no credentials."""
    password: str = field(default="", repr=False)
    database: str = "neo4j"
    """Named in every session: it spares the driver a look-up of the user's home database."""
    tls_ca_file: str = ""
    """PEM of the authorities to trust; empty: the system's."""
    tls_cert_file: str = ""
    """PEM of the client's certificate, for servers that ask for one."""
    tls_key_file: str = ""
    tls_verify: bool = True
    pool_size_max: int = 50
    acquire_timeout_s: float = 60.0
    connect_timeout_s: float = 30.0
    connection_lifetime_s: float = 3600.0
    idle_check_s: float = 30.0
    """A connection that was idle for longer is asked for a sign of life before it is used."""
    query_timeout_s_max: float = 30.0
    """The engine stops a query after this, or after the caller's deadline if that is sooner."""
    concurrent_queries_max: int = 100
    """One query runs per connection: the lower of this and pool_size_max holds."""
    write_lane: bool = True
    """Small writes of many groups share commits."""
    fetch_size: int = 1_000
    """Records that the server sends before it waits to be asked for more."""

    def __post_init__(self) -> None:
        self.address()
        assert min(self.pool_size_max, self.concurrent_queries_max, self.fetch_size) > 0, self

    def address(self) -> "Address":
        """Raises ValueError when the url has another form."""
        parts = urlsplit(self.url)
        if "@" in parts.netloc:
            raise ValueError("the url of a Neo4j shard holds credentials; give user and password apart")
        if parts.scheme not in ("bolt", "bolt+s") or not parts.hostname:
            raise ValueError(f"{self.url!r} is no address of a Neo4j shard; use bolt:// or bolt+s://")
        return Address(parts.hostname, parts.port or DEFAULT_PORT, tls=parts.scheme == "bolt+s")


@dataclass(frozen=True, slots=True)
class Address:
    host: str
    port: int
    tls: bool

    @property
    def plain_url(self) -> str:
        """For the driver, which takes its TLS options only beside a scheme that names none."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"bolt://{host}:{self.port}"
