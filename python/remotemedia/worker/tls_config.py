# SPDX-License-Identifier: Apache-2.0
"""What one side of a connection shows the other, and whom it trusts."""

from dataclasses import dataclass

from remotemedia import _core
from remotemedia.core import arguments as check
from remotemedia.core import errors


@dataclass(frozen=True, kw_only=True)
class TlsConfig:
    """Files in PEM.

    Attributes:
        certificate: A worker's, or a client's where the worker asks for one.
        key: Of the certificate.
        ca: Whom it trusts. A worker that has one serves only clients with a certificate of it; a client that has none
            trusts whom its machine trusts.

    Raises:
        TypeError: A path is no str.
        ValueError: A certificate without a key, or a key without a certificate.
    """

    certificate: str | None = None
    key: str | None = None
    ca: str | None = None

    def __post_init__(self) -> None:
        for name in ("certificate", "key", "ca"):
            path = getattr(self, name)
            if path is not None and not check.text(name, path):
                raise errors.InvalidArgument(f"{name} must not be empty")
        if (self.certificate is None) != (self.key is None):
            raise errors.InvalidArgument("certificate and key go together")

    def _made(self) -> _core.TlsFiles:
        return _core.TlsFiles(self.certificate or "", self.key or "", self.ca or "")
