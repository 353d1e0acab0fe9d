"""D-Wave's cloud: connections by Ocean's configuration, and errors that keep its secrets."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

from qhal.errors import InputError, OracleError, QhalError, TransientError

T = TypeVar("T")

_CONFIGURE = (
    "Set up Ocean's configuration (dwave config create, or dwave auth login) and test it with: "
    "dwave ping"
)
_SECRETS = ("token", "refresh_token", "client_cert", "client_cert_key")
# Classes of dwave-cloud-client and requests, by name: they need not be installed.
_TRANSIENT = {
    "CanceledFutureError",
    "ConnectionError",
    "ConnectTimeout",
    "InternalServerError",
    "PollingTimeout",
    "ReadTimeout",
    "RequestTimeout",
    "ResourceLimitsExceededError",
    "SolverOfflineError",
    "Timeout",
    "TimeoutError",
}
_MISCONFIGURED = {
    "ConfigFileReadError",
    "ConfigFileParseError",
    "ConfigFileError",
    "SolverAuthenticationError",
    "ResourceAuthenticationError",
    "ResourceAccessForbiddenError",
    "SolverNotFoundError",
}


def connected(name: str, connect: Callable[[], T], profile: str | None) -> T:
    """What `connect` gives; its failures as one sentence that tells what to do."""
    try:
        return connect()
    except ImportError as error:
        raise InputError(
            f"{name!r} needs D-Wave's Ocean SDK ({error}): pip install 'qhal-dwave[qpu]'"
        ) from None
    except ValueError as error:
        raise InputError(
            f"{name!r} cannot be set up: {redacted(str(error), profile)}. {_CONFIGURE}"
        ) from None
    except Exception as error:  # noqa: BLE001 (whatever a client raises must not show a token)
        raise translated(name, error, profile) from None


def translated(name: str, error: Exception, profile: str | None) -> QhalError:
    """A vendor's error as one of ours, without secrets; raise it ``from None``."""
    if isinstance(error, QhalError):
        return error
    kinds = {kind.__name__ for kind in type(error).__mro__}
    text = redacted(f"{type(error).__name__}: {error}", profile)
    if kinds & _MISCONFIGURED:
        return InputError(f"{name!r} was refused: {text}. {_CONFIGURE}")
    if kinds & _TRANSIENT:
        return TransientError(
            f"{name!r} cannot be reached: {text}. Try again, or let the composite retry do so."
        )
    return OracleError(f"oracle {name!r} failed: {text}.")


def redacted(text: str, profile: str | None) -> str:
    """`text` without any secret of Ocean's configuration."""
    for secret in _secrets(profile):
        text = text.replace(secret, "***")
    return text


def _secrets(profile: str | None) -> list[str]:
    found = [
        value for key, value in os.environ.items() if key.startswith("DWAVE_") and "TOKEN" in key
    ]
    try:
        from dwave.cloud.config import load_config, load_config_from_files

        named = os.environ.get("DWAVE_CONFIG_FILE")
        files = load_config_from_files([named] if named else None)
        sections: list[Any] = [files.defaults(), *(files[name] for name in files.sections())]
        for section in [*sections, load_config(profile=profile)]:
            found += [str(section[key]) for key in _SECRETS if section.get(key)]
    except Exception:  # noqa: BLE001 (no configuration, no secrets)
        pass
    return sorted((secret for secret in found if len(secret) > 3), key=len, reverse=True)
