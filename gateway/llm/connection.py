"""HTTP to the providers: one pool for all of them, answers of bounded size, failures as this package's."""

import asyncio
from dataclasses import dataclass

import aiohttp
import orjson

from drivers.deadline import Deadline
from gateway.llm.errors import (
    ModelAccessDenied,
    ModelAnswerInvalid,
    ModelError,
    ModelRateLimited,
    ModelRefused,
    ModelTimeout,
    ModelUnavailable,
)
from gateway.provider.openai_api import (
    CONNECT_TIMEOUT_S,
    OUT_OF_CREDIT,
    SAYS_WHAT_IS_WRONG,
    is_passing,
    retry_after_s,
    shown,
)

CONNECTIONS_MAX = 100
CONNECTIONS_PER_HOST_MAX = 30
DNS_KEPT_S = 300
IDLE_CONNECTION_S = 60.0
ERROR_BYTES_MAX = 64 * 1024
_NO_ACCESS = (401, 402, 403, 404)


@dataclass(frozen=True, slots=True)
class Asked:
    """Who is asked what, for errors."""

    task: str
    model: str
    api_key: str

    def __repr__(self) -> str:
        return f"Asked(task={self.task!r}, model={self.model!r})"


class Connections:
    """Opened by start() on the loop that uses it. gzip is asked for and unpacked."""

    def __init__(self, *, answer_bytes_max: int) -> None:
        """`answer_bytes_max`: of one unpacked answer; a longer one is not read to its end."""
        self._answer_bytes_max = answer_bytes_max
        self._session: aiohttp.ClientSession | None = None

    def start(self) -> None:
        """Idempotent."""
        if self._session is None:
            connector = aiohttp.TCPConnector(
                limit=CONNECTIONS_MAX,
                limit_per_host=CONNECTIONS_PER_HOST_MAX,
                ttl_dns_cache=DNS_KEPT_S,
                keepalive_timeout=IDLE_CONNECTION_S,
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                headers={"Accept-Encoding": "gzip", "Content-Type": "application/json"},
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S),
            )

    async def post(self, url: str, body: bytes, asked: Asked, deadline: Deadline) -> bytes:
        """The body of a 200. Raises ModelError; never retries."""
        session = self._session
        if session is None or session.closed:
            raise ModelUnavailable(asked.task, asked.model, "the gateway is closing")
        try:
            async with (
                asyncio.timeout(deadline.remaining_s()),
                session.post(
                    url,
                    data=body,
                    headers={"Authorization": f"Bearer {asked.api_key}"},
                    allow_redirects=False,
                ) as response,
            ):
                if response.status == 200:
                    return await self._content(response, asked)
                raise await _failure(response, asked)
        except TimeoutError:
            raise ModelTimeout(asked.task, asked.model) from None
        except (aiohttp.ClientError, OSError) as error:
            raise ModelUnavailable(asked.task, asked.model, _kind(error)) from None

    async def close(self) -> None:
        """Requests that still run get ModelUnavailable. Idempotent."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _content(self, response: aiohttp.ClientResponse, asked: Asked) -> bytes:
        content = await _read(response, self._answer_bytes_max)
        if content is None:
            # The rest is not read, so that the connection cannot be used again.
            response.close()
            limit = f"over {self._answer_bytes_max} bytes"
            raise ModelAnswerInvalid(asked.task, asked.model, limit)
        return content


async def _read(response: aiohttp.ClientResponse, bytes_max: int) -> bytes | None:
    """None: it is longer."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_any():
        size += len(chunk)
        if size > bytes_max:
            return None
        chunks.append(chunk)
    return b"".join(chunks)


async def _failure(response: aiohttp.ClientResponse, asked: Asked) -> ModelError:
    status = response.status
    content = await _read(response, ERROR_BYTES_MAX)
    if content is None:
        response.close()
    code, message = _told(content or b"")
    wait_s = retry_after_s(response.headers)
    if code == OUT_OF_CREDIT:
        return ModelAccessDenied(asked.task, asked.model, f"status {status}, {code}")
    if status == 429:
        return ModelRateLimited(asked.task, asked.model, "the provider", retry_after_s=wait_s)
    if is_passing(status):
        return ModelUnavailable(asked.task, asked.model, f"status {status}", retry_after_s=wait_s)
    said = shown(message, asked.api_key) if status in SAYS_WHAT_IS_WRONG else ""
    why = ", ".join(filter(None, (f"status {status}", shown(code, asked.api_key), said)))
    kind = ModelAccessDenied if status in _NO_ACCESS else ModelRefused
    return kind(asked.task, asked.model, why)


def _told(content: bytes) -> tuple[str, str]:
    """Code and message of OpenAI's error body; empty where it is none."""
    try:
        error = orjson.loads(content)["error"]
        return str(error.get("code") or ""), str(error.get("message") or "")
    except (KeyError, TypeError, ValueError, AttributeError):
        return "", ""


def _kind(error: Exception) -> str:
    """Without the address, which aiohttp's texts hold."""
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "its host name is not known"
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientSSLError):
        return "TLS failed"
    if isinstance(error, aiohttp.ClientPayloadError | aiohttp.ServerDisconnectedError):
        return "the connection broke off"
    return "the connection failed"
