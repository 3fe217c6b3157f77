"""Content credentials: signed, read back, and seen through when anything was changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

pytest.importorskip("c2pa")

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from vestiary.errors import OptionError
from vestiary.images import encode_picture, open_picture
from vestiary.trust.credentials import check_identity, sign, verify

NOW = datetime.now(UTC)


def named(name: str) -> x509.Name:
    pairs = ((NameOID.ORGANIZATION_NAME, "A shop"), (NameOID.COMMON_NAME, name))
    return x509.Name([x509.NameAttribute(*pair) for pair in pairs])


def certificate(subject: str, public: object, issuer: str, by: object, *, is_ca: bool, days: int = 30) -> bytes:
    """A PEM certificate that began 60 days ago and ends in `days`."""
    usage = dict.fromkeys(("content_commitment", "key_encipherment", "data_encipherment", "key_agreement"), False)
    usage |= {"encipher_only": False, "decipher_only": False, "digital_signature": True}
    builder = (
        x509.CertificateBuilder()
        .subject_name(named(subject))
        .issuer_name(named(issuer))
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=60))
        .not_valid_after(NOW + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(key_cert_sign=is_ca, crl_sign=is_ca, **usage), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(by.public_key()), critical=False)
    )
    if not is_ca:
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
    return builder.sign(by, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def pem(key: object) -> bytes:
    form = serialization.PrivateFormat.TraditionalOpenSSL
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


def identity(days: int = 30) -> tuple[bytes, bytes]:
    """A key and its chain under an authority of its own."""
    root, leaf = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    above = certificate("authority", root.public_key(), "authority", root, is_ca=True)
    return pem(leaf), certificate("fitting room", leaf.public_key(), "authority", root, is_ca=False, days=days) + above


@pytest.fixture(scope="module")
def shop() -> tuple[bytes, bytes]:
    return identity()


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return np.random.default_rng(0).integers(60, 200, (96, 128, 3), np.uint8)


@pytest.mark.parametrize("format", ["jpeg", "png", "webp", "avif"])
def test_signed_file_says_who_and_how_and_shows_the_same_picture(
    photo: np.ndarray, shop: tuple[bytes, bytes], format: str
) -> None:
    data, mime = encode_picture(photo, format), f"image/{format}"
    provenance = {"engine": "embedded", "options": {"seed": 3}}
    signed = sign(data, mime, provenance, *shop)
    assert np.array_equal(open_picture(signed).image, open_picture(data).image)
    report = verify(signed, mime)
    assert report.state == "valid", report
    assert report.signer == "A shop"
    assert report.made_by.startswith("Vestiary ")
    assert report.provenance == provenance
    assert verify(data, mime).state == "none"


def test_one_changed_pixel_is_noticed(photo: np.ndarray, shop: tuple[bytes, bytes]) -> None:
    signed = bytearray(sign(encode_picture(photo, "jpeg"), "image/jpeg", {}, *shop))
    signed[-200] ^= 1
    report = verify(bytes(signed), "image/jpeg")
    assert report.state == "invalid"
    assert any("mismatch" in problem for problem in report.problems)


def test_keys_and_certificates_that_cannot_sign_are_told_apart(photo: np.ndarray, shop: tuple[bytes, bytes]) -> None:
    key, chain = shop
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    for given, words in (
        ((identity()[0], chain), "does not belong"),
        ((b"no key", chain), "key cannot be read"),
        ((key, b"no certificate"), "not PEM"),
        ((pem(other), chain), "not for ES256"),
        (identity(days=-1), "expired on"),
    ):
        with pytest.raises(OptionError, match=words):
            sign(encode_picture(photo, "png"), "image/png", {}, *given)
    with pytest.raises(OptionError, match="image/jxl cannot carry"):
        sign(b"", "image/jxl", {}, *shop)
    check_identity(*shop)
