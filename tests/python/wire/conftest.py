# SPDX-License-Identifier: Apache-2.0
"""What tests of the wire are given."""

import subprocess
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CA, and what it signed for a server and for a client; another CA, which nobody knows, with a client."""
    folder = tmp_path_factory.mktemp("certificates")

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    for ca, names in (("ca", ("server", "client")), ("other-ca", ("stranger",))):
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={ca}",
                "-keyout", f"{ca}.key", "-out", f"{ca}.pem")  # fmt: skip
        for name in names:
            openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", f"{name}.key",
                    "-out", f"{name}.csr", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1")  # fmt: skip
            openssl("x509", "-req", "-in", f"{name}.csr", "-CA", f"{ca}.pem", "-CAkey", f"{ca}.key", "-days", "2",
                    "-CAcreateserial", "-copy_extensions", "copy", "-out", f"{name}.pem")  # fmt: skip
    return folder
