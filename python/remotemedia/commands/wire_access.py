# SPDX-License-Identifier: Apache-2.0
"""What the commands that serve and those that call say alike of TLS and tokens."""

from __future__ import annotations

import argparse
from pathlib import Path

from remotemedia.core.errors import InvalidArgument
from remotemedia.worker.tls_config import TlsConfig

NAMES = ("tls_certificate", "tls_key", "tls_ca", "token_file")
"""Of the arguments."""


def add_to(parser: argparse.ArgumentParser, title: str, *, ca_help: str) -> None:
    """What can be typed."""
    group = parser.add_argument_group(title)
    group.add_argument("--tls-certificate", metavar="FILE", help="the certificate to show, in PEM")
    group.add_argument("--tls-key", metavar="FILE", help="its key")
    group.add_argument("--tls-ca", metavar="FILE", help=f"an authority: {ca_help}")
    group.add_argument("--token-file", metavar="FILE", help="its first line is the token that each call brings")


def tls_of(arguments: argparse.Namespace) -> TlsConfig | None:
    """The files that were named, if any.

    Raises:
        InvalidArgument: A certificate without a key, or a key without a certificate.
    """
    certificate, key, ca = arguments.tls_certificate, arguments.tls_key, arguments.tls_ca
    if certificate is None and key is None and ca is None:
        return None
    return TlsConfig(certificate=certificate, key=key, ca=ca)


def token_of(arguments: argparse.Namespace) -> str | None:
    """The token in the file that was named, if any.

    Raises:
        InvalidArgument: The file cannot be read, or has no first line.
    """
    if arguments.token_file is None:
        return None
    try:
        token = Path(arguments.token_file).read_text().partition("\n")[0].rstrip("\r")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidArgument(f"--token-file: '{arguments.token_file}' cannot be read: {error}") from error
    if not token:
        raise InvalidArgument(f"--token-file: the first line of '{arguments.token_file}' is empty")
    return token
