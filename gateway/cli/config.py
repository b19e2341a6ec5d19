"""`graphgate config`: the settings in force and where each came from."""

import json

from gateway.cli.columns import aligned
from gateway.cli.options import AsJson, Sets, SettingsFile, load


def config(settings_file: SettingsFile = None, sets: Sets = None, as_json: AsJson = False) -> None:
    """Print the effective settings, secrets hidden, with the source of each value.

    Sources, lowest first: default, profile, settings file, environment (GRAPHGATE_GRPC__PORT is grpc.port),
    command line. Ends with code 2 and a list of what is wrong if the gateway could not start with them.
    """
    loaded = load(settings_file, sets, {}, as_json=as_json)
    from gateway.settings.effective import effective  # noqa: PLC0415
    from gateway.settings.environment import variable_of  # noqa: PLC0415

    rows = effective(loaded.settings, loaded.sources)
    if as_json:
        entries = [
            {
                "setting": row.name,
                "value": row.value,
                "source": row.source,
                "environment": variable_of(row.path),
            }
            for row in rows
        ]
        print(json.dumps({"settings": entries}, indent=2))
    else:
        print(aligned([("SETTING", "VALUE", "SOURCE"), *((row.name, row.shown, row.source) for row in rows)]))
