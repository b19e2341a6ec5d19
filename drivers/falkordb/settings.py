"""Where a FalkorDB shard is and how much of it one gateway may use."""

import ssl
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

DEFAULT_PORT = 6379


@dataclass(frozen=True, slots=True)
class FalkorDBSettings:
    url: str
    """redis://host:port, rediss://host:port (TLS) or unix:///path/of/socket. Never holds credentials."""
    user: str = ""
    """Empty: the server's default user."""
    password: str = field(default="", repr=False)
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
    query_timeout_s_max: float = 30.0
    """The engine stops a query after this, or after the caller's deadline if that is sooner."""
    concurrent_queries_max: int = 100
    """One query runs per connection: the lower of this and pool_size_max holds."""
    graphs_at_once_max: int = 8
    """Graphs that one call asks at the same time."""

    def __post_init__(self) -> None:
        self.address()
        assert min(self.pool_size_max, self.concurrent_queries_max, self.graphs_at_once_max) > 0, self

    def address(self) -> "Address":
        """Raises ValueError when the url has another form."""
        parts = urlsplit(self.url)
        if "@" in parts.netloc:
            raise ValueError("the url of a FalkorDB shard holds credentials; give user and password apart")
        match parts.scheme:
            case "unix":
                return Address(path=unquote(parts.path))
            case "redis" | "rediss" if parts.hostname:
                return Address(
                    host=parts.hostname, port=parts.port or DEFAULT_PORT, tls=parts.scheme == "rediss"
                )
            case _:
                raise ValueError(
                    f"{self.url!r} is no address of a FalkorDB shard; use redis://, rediss:// or unix://"
                )

    def tls_context(self) -> ssl.SSLContext | None:
        """None when the url is not rediss://. Reads the certificate files."""
        if not self.address().tls:
            return None
        context = ssl.create_default_context(cafile=self.tls_ca_file or None)
        if self.tls_cert_file:
            context.load_cert_chain(self.tls_cert_file, self.tls_key_file or None)
        if not self.tls_verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


@dataclass(frozen=True, slots=True)
class Address:
    """Either a path of a Unix socket or host and port."""

    host: str = ""
    port: int = 0
    path: str = ""
    tls: bool = False
