"""A Neo4j Community server as a child process, from jars that a cache directory holds."""

import asyncio
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import psutil
from neo4j import AsyncGraphDatabase
from neo4j.exceptions import AuthError, DriverError, Neo4jError

from gateway.embedded.class_archive import class_path, reading_flags, writing_flags
from gateway.embedded.errors import EngineNotInstalledError, EngineStartError
from gateway.embedded.ports import HOST
from gateway.embedded.process import EngineProcess

NEO4J_VERSION = "5.26.12"
"""The version whose jars are looked for; the same as in tests/neo4j/pom.xml."""
JAVA_MAJORS = (17, 21)
"""Java versions that run it."""
USER = "neo4j"
"""The one user of the Community edition."""

_START_TIMEOUT_S = 90.0
_ADMIN_TIMEOUT_S = 60.0
_JAVA_TIMEOUT_S = 20.0
_REMEDY = f"run `make neo4j` with Java {' or '.join(map(str, JAVA_MAJORS))} and Maven installed"

# The same as Neo4j's own launcher opens to its libraries.
_OPENED_PACKAGES = ("java.nio", "java.io", "sun.nio.ch", "java.util.concurrent")


def find_neo4j_lib(cache: Path | None = None) -> Path | None:
    """The directory of Neo4j's jars in the cache, None unless it was fetched to the end.

    Unless it is given, the cache is $GRAPHGATE_CACHE, else graphgate in $XDG_CACHE_HOME, else
    ~/.cache/graphgate: the rule of tests/bootstrap/fetch_neo4j.sh, which fills it.
    """
    if cache is None:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        cache = Path(os.environ.get("GRAPHGATE_CACHE") or Path(base) / "graphgate")
    lib = cache / f"neo4j-{NEO4J_VERSION}" / "lib"
    return lib if (lib / ".complete").is_file() else None


def java_major() -> int | None:
    """Major version of the `java` on the PATH, None if there is none that says it. Takes about 0.1 s."""
    java = shutil.which("java")
    if java is None:
        return None
    try:
        answer = subprocess.run(  # noqa: S603 - the path comes from the PATH, as a shell would take it
            [java, "-version"], capture_output=True, text=True, timeout=_JAVA_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(r'version "(\d+)', answer.stderr)
    return int(match[1]) if match else None


def missing_for_neo4j(lib_dir: Path | None) -> str | None:
    """What is not there of what Neo4j needs, as half a sentence; None if all is. Takes about 0.1 s."""
    major = java_major()
    if major not in JAVA_MAJORS:
        return f"Java is {'missing' if major is None else f'version {major}'}"
    if lib_dir is None or not lib_dir.is_dir():
        return f"the jars of Neo4j {NEO4J_VERSION} are missing"
    return None


class Neo4jProcess(EngineProcess):
    """One Neo4j shard. Its log of transactions is capped at about 130 MB per database."""

    engine: ClassVar[str] = "Neo4j"
    probe_interval_s: ClassVar[float] = 0.05

    def __init__(
        self,
        directory: Path,
        lib_dir: Path | None,
        *,
        bolt_port: int | None = None,
        heap_mb: int = 512,
        page_cache_mb: int = 64,
        password: str | None = None,
        short_lived: bool = False,
        archives_classes_to: Path | None = None,
        start_timeout_s: float = _START_TIMEOUT_S,
    ) -> None:
        """`lib_dir`: the jars, as from `find_neo4j_lib`.

        `password` None: no authentication. Otherwise that of the user neo4j, set at the first start in the
        directory (at least 8 characters); it cannot be changed here later.

        `short_lived` compiles at the lowest level only: quicker for the first minute and 40 % less processor
        time, while long exact scans stay 2.5 times slower. For tests, not for benchmarks.

        `archives_classes_to`: a file that stop() leaves, see class_archive; None: none.
        """
        super().__init__(directory, port=bolt_port, start_timeout_s=start_timeout_s)
        self._lib_dir = lib_dir
        self._heap_mb = heap_mb
        self._page_cache_mb = page_cache_mb
        self._password = password
        self._short_lived = short_lived
        self._archives_classes_to = archives_classes_to

    @property
    def url(self) -> str:
        """`bolt://127.0.0.1:PORT`."""
        return f"bolt://{HOST}:{self.port}"

    @property
    def auth(self) -> tuple[str, str] | None:
        """User and password for the driver, None without authentication."""
        return None if self._password is None else (USER, self._password)

    async def _prepare(self) -> None:
        missing = await asyncio.to_thread(missing_for_neo4j, self._lib_dir)
        if missing is not None:
            raise EngineNotInstalledError(self.engine, missing, _REMEDY)

    async def _command(self, port: int) -> Sequence[str]:
        config_dir = self._directory / "conf"
        config_dir.mkdir(exist_ok=True)
        lines = "\n".join(self._config_lines(port)) + "\n"
        (config_dir / "neo4j.conf").write_text(lines, encoding="ascii")
        if self._password is not None and not (self._directory / "data" / "databases").exists():
            await self._set_initial_password(self._password, config_dir)
        return (
            *self._java(self._heap_mb),
            *self._class_flags(),
            *(f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in _OPENED_PACKAGES),
            "-Dio.netty.tryReflectionSetAccessible=true",
            "-Dlog4j2.disable.jmx=true",
            "-XX:+ExitOnOutOfMemoryError",
            "org.neo4j.server.CommunityEntryPoint",
            f"--home-dir={self._directory}",
            f"--config-dir={config_dir}",
            "--console-mode",
        )

    def _java(self, heap_mb: int) -> list[str]:
        java = shutil.which("java") or "java"
        flags = ["-XX:+UseSerialGC", f"-Xms{min(128, heap_mb)}m", f"-Xmx{heap_mb}m"]
        if self._short_lived:
            flags.append("-XX:TieredStopAtLevel=1")
        assert self._lib_dir is not None, "_prepare() has looked"
        return [java, *flags, "-cp", class_path(self._lib_dir)]

    def _class_flags(self) -> list[str]:
        assert self._lib_dir is not None, "_prepare() has looked"
        if self._archives_classes_to is not None:
            return writing_flags(self._archives_classes_to)
        return reading_flags(self._lib_dir)

    def _config_lines(self, port: int) -> list[str]:
        return [
            f"server.bolt.listen_address={HOST}:{port}",
            f"server.bolt.advertised_address={HOST}:{port}",
            "server.http.enabled=false",
            "server.https.enabled=false",
            f"dbms.security.auth_enabled={'false' if self._password is None else 'true'}",
            "dbms.usage_report.enabled=false",
            f"server.memory.pagecache.size={self._page_cache_mb}m",
            "db.transaction.timeout=60s",
            # The default of 2 s ends transactions that much too late.
            "db.transaction.monitor.check.interval=200ms",
            "db.lock.acquisition.timeout=10s",
            # Retention counts whole files, by default of 256 MB each and allocated in advance.
            "db.tx_log.rotation.retention_policy=100M size",
            "db.tx_log.rotation.size=32M",
            "db.tx_log.preallocate=false",
            # Idle waits of the network layer, after the databases are closed: 10 s of every stop.
            "internal.dbms.bolt.netty_server_shutdown_quiet_period=0",
        ]

    async def _set_initial_password(self, password: str, config_dir: Path) -> None:
        secret = config_dir / "initial-password"
        secret.touch(mode=0o600)
        escaped = password.replace("\\", "\\\\").replace('"', '\\"')
        try:
            # A file and not an argument: every user of the machine can read the arguments of a process.
            secret.write_text(f'"{escaped}"', encoding="utf-8")
            await self._run_admin("dbms", "set-initial-password", f"@{secret}", config_dir=config_dir)
        finally:
            secret.unlink()

    async def _run_admin(self, *arguments: str, config_dir: Path) -> None:
        process = await asyncio.create_subprocess_exec(
            *self._java(128),
            "-Dfile.encoding=UTF-8",
            "org.neo4j.server.startup.Neo4jAdminCommand",
            *arguments,
            env={**os.environ, "NEO4J_HOME": str(self._directory), "NEO4J_CONF": str(config_dir)},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            async with asyncio.timeout(_ADMIN_TIMEOUT_S):
                output, _ = await process.communicate()
        except BaseException:
            self._send_sigkill(process)
            await process.wait()
            raise
        if process.returncode != 0:
            raise EngineStartError(
                f"Neo4j's admin command {arguments[1]} ended with code {process.returncode}",
                self._directory,
                output.decode(errors="replace").strip(),
            )

    async def _answers(self, pid: int, port: int) -> bool:
        if not _listens(pid, port):
            return False
        driver = AsyncGraphDatabase.driver(
            f"bolt://{HOST}:{port}", auth=self.auth, connection_timeout=1.0, telemetry_disabled=True
        )
        try:
            await driver.verify_connectivity()
        except AuthError as error:
            raise EngineStartError(
                "Neo4j refused the password; it is the one of the first start in this directory that counts",
                self._directory,
                self._log_tail(),
            ) from error
        except (DriverError, Neo4jError, OSError):
            return False
        finally:
            await driver.close()
        return True


def _listens(pid: int, port: int) -> bool:
    try:
        connections = psutil.Process(pid).net_connections("tcp")
    except psutil.Error:
        return False
    return any(c.status == psutil.CONN_LISTEN and c.laddr and c.laddr.port == port for c in connections)
