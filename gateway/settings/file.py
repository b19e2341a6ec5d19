"""Settings from a TOML file, whose tables are the sections: [grpc] port = 50051, [[shards]] id = "a"."""

import tomllib
from pathlib import Path

from gateway.settings.layer import Layer
from gateway.settings.problem import Problem, SettingsInvalid

FILE_BYTES_MAX = 4 * 1024 * 1024


def file_layer(path: Path) -> Layer:
    """Raises SettingsInvalid when the file cannot be read or is no TOML."""
    source = f"file {path}"
    try:
        with path.expanduser().open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
        if len(content) > FILE_BYTES_MAX:
            raise SettingsInvalid(
                [Problem(source, f"is larger than {FILE_BYTES_MAX} bytes; give a settings file")]
            )
        tables = tomllib.loads(content.decode())
    except OSError as error:
        raise SettingsInvalid(
            [Problem(source, f"cannot be read ({error.strerror}); give the path of a TOML file")]
        ) from None
    except UnicodeDecodeError:
        raise SettingsInvalid([Problem(source, "is no UTF-8 text; give a TOML file")]) from None
    except tomllib.TOMLDecodeError as error:
        # The decoder's text names a place and a character, never a value.
        raise SettingsInvalid([Problem(source, f"is no TOML: {error}; correct it there")]) from None
    layer = Layer()
    layer.put((), tables, source)
    return layer
