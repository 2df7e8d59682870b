"""Whom TLS connections of our own trust, by each adapter: what is said wins, then the system, then certifi."""

import asyncio
import ssl
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import certifi
import httpcore2
import pytest

from hookline import AsyncPipeline, Pipeline, TransportError
from hookline._http.certificates import Certificates, tls_context
from hookline.testing import Authority, FaultServer, json_answer, message

ADAPTERS = [("sync", "httpcore2"), ("async", "httpcore2"), ("async", "aiohttp")]
NO_RETRIES: dict[str, Any] = {"plugins": {"enable": ["history"]}}


@pytest.fixture(scope="module")
def ours() -> Iterator[Authority]:
    with Authority() as made:
        yield made


@pytest.fixture(scope="module")
def others() -> Iterator[Authority]:
    with Authority() as made:
        yield made


@pytest.fixture(scope="module")
def server(ours: Authority) -> Iterator[FaultServer]:
    with FaultServer(json_answer(message("Hello!")), tls=ours.valid()) as running:
        yield running


@pytest.fixture(autouse=True)
def nothing_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)


@pytest.fixture(params=ADAPTERS, ids="-".join)
def answer(request: pytest.FixtureRequest, server: FaultServer) -> Any:
    colour, library = request.param

    def ask(**options: Any) -> str:
        options = {
            "base_url": f"https://localhost:{server.port}",
            "api_key": "k",
            "http": library,
            "config": NO_RETRIES,
            **options,
        }
        if colour == "sync":
            with Pipeline(**options) as line:
                return line.send("Hi").text

        async def main() -> str:
            async with AsyncPipeline(**options) as line:
                return (await line.send("Hi")).text

        return asyncio.run(main())

    return ask


def refused(answer: Any, **options: Any) -> None:
    with pytest.raises(TransportError) as caught:
        answer(**options)
    assert (caught.value.phase, caught.value.retryable) == ("tls", False)


def the_system_has(monkeypatch: pytest.MonkeyPatch, cafile: str | None) -> None:
    paths = SimpleNamespace(openssl_cafile=cafile or "/nowhere", openssl_capath="/nowhere")
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: paths)
    monkeypatch.setattr(httpcore2._ssl, "CA_FILE_CANDIDATES", [])


def test_the_systems_authorities_are_trusted(
    monkeypatch: pytest.MonkeyPatch, answer: Any, ours: Authority, others: Authority
) -> None:
    the_system_has(monkeypatch, others.ca_bundle)
    refused(answer)
    the_system_has(monkeypatch, ours.ca_bundle)
    assert answer() == "Hello!"


def test_those_of_certifi_where_the_system_has_none(
    monkeypatch: pytest.MonkeyPatch, answer: Any, ours: Authority, others: Authority
) -> None:
    monkeypatch.setattr(certifi, "where", lambda: ours.ca_bundle)
    the_system_has(monkeypatch, None)
    assert answer() == "Hello!"
    the_system_has(monkeypatch, others.ca_bundle)
    refused(answer)


def test_ca_bundle_is_above_all(
    monkeypatch: pytest.MonkeyPatch, answer: Any, ours: Authority, others: Authority
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", others.ca_bundle)
    the_system_has(monkeypatch, others.ca_bundle)
    assert answer(ca_bundle=ours.ca_bundle) == "Hello!"
    the_system_has(monkeypatch, ours.ca_bundle)
    monkeypatch.setenv("SSL_CERT_FILE", ours.ca_bundle)
    refused(answer, ca_bundle=others.ca_bundle)


def test_the_environment_is_above_the_system(
    monkeypatch: pytest.MonkeyPatch, answer: Any, ours: Authority, others: Authority
) -> None:
    the_system_has(monkeypatch, others.ca_bundle)
    monkeypatch.setenv("SSL_CERT_FILE", ours.ca_bundle)
    assert answer() == "Hello!"
    the_system_has(monkeypatch, ours.ca_bundle)
    monkeypatch.setenv("SSL_CERT_FILE", others.ca_bundle)
    refused(answer)


def test_a_directory_of_the_system_counts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ours: Authority
) -> None:
    """OpenSSL reads it only when it meets a certificate, so that nothing seems to be loaded."""
    monkeypatch.setattr(certifi, "where", lambda: ours.ca_bundle)
    (tmp_path / "0a1b2c3d.0").write_text("an authority")
    paths = SimpleNamespace(openssl_cafile="/nowhere", openssl_capath=str(tmp_path))
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: paths)
    assert tls_context().get_ca_certs() == []
    (tmp_path / "0a1b2c3d.0").rename(tmp_path / "README")
    monkeypatch.setattr(httpcore2._ssl, "CA_FILE_CANDIDATES", [])
    assert len(tls_context().get_ca_certs()) == 1


def test_a_context_that_is_not_needed_trusts_nobody(ours: Authority) -> None:
    certificates = Certificates(ours.ca_bundle)
    context = certificates.context(needed=False)
    assert context.get_ca_certs() == []
    assert certificates.context() is certificates.context(), "loaded once"
    for each in (context, certificates.context(), tls_context()):
        assert each.verify_mode is ssl.CERT_REQUIRED
        assert each.check_hostname
