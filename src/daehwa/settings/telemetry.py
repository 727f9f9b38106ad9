"""Whether OpenTelemetry is asked for, by its own standard variables. Its library reads the rest of them itself."""

import os
from collections.abc import Mapping

import msgspec

from daehwa.settings.values import SettingsError

_ENDPOINT, _PROTOCOL = "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_PROTOCOL"
_HTTP = "http/protobuf"


class TelemetrySettings(msgspec.Struct, frozen=True, kw_only=True):
    """What is sent by OTLP."""

    traces: bool = False
    metrics: bool = False

    @property
    def is_on(self) -> bool:
        """Whether anything is sent."""
        return self.traces or self.metrics


def load_telemetry(environment: Mapping[str, str] | None = None) -> TelemetrySettings:
    """Read what the standard variables ask for. Raise `SettingsError`."""
    env = os.environ if environment is None else environment
    if env.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return TelemetrySettings()
    return TelemetrySettings(traces=_is_asked_for(env, "TRACES"), metrics=_is_asked_for(env, "METRICS"))


def _is_asked_for(env: Mapping[str, str], signal: str) -> bool:
    """Whether a signal's exporter is named, or an address to send it to."""
    variable = f"OTEL_{signal}_EXPORTER"
    exporter = env.get(variable, "").strip().lower()
    if exporter not in {"", "otlp", "none"}:
        raise SettingsError(f'{variable} is "{exporter}", which daehwa cannot do. Set it to otlp or none, or unset it.')
    own = f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT"
    if exporter == "none" or not (exporter or env.get(_ENDPOINT) or env.get(own)):
        return False
    for name in (f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL", _PROTOCOL):
        protocol = env.get(name, "").strip().lower()
        if protocol not in {"", _HTTP}:
            raise SettingsError(
                f'{name} is "{protocol}", and daehwa speaks {_HTTP} alone. Set it to that, or unset it.'
            )
    return True
