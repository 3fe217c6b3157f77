"""Content credentials: who made a picture and how, signed into the file as C2PA 2 says (c2pa.org), by the C2PA library.

A signature holds until a single pixel changes; the watermark is what survives re-encoding.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import vestiary
from vestiary.errors import ImageError, MissingExtraError, OptionError

if TYPE_CHECKING:
    from cryptography import x509

SIGNABLE = ("image/jpeg", "image/png", "image/webp", "image/avif")
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
PROVENANCE = "org.vestiary.provenance"


@dataclass(frozen=True)
class Report:
    """What the content credentials of a file say.

    Attributes:
        state: "none", "invalid" (changed after signing, or badly signed), "valid" (whole, but signed by somebody whom
            no trust list here names) or "trusted".
        signer: the organisation or name in the certificate.
        signed_at: when, as the signature says; empty without a time stamp.
        made_by: the program.
        provenance: as it was given to `sign`.
        problems: codes of the C2PA standard, such as "assertion.dataHash.mismatch".
    """

    state: str
    signer: str = ""
    signed_at: str = ""
    made_by: str = ""
    provenance: Mapping[str, Any] | None = None
    problems: tuple[str, ...] = ()


def sign(data: bytes, mime: str, provenance: Mapping[str, Any], key_pem: bytes, certificate_pem: bytes) -> bytes:
    """The file with signed content credentials in it: a composite made with trained networks.

    Args:
        data: the picture's file.
        mime: one of `SIGNABLE`.
        provenance: JSON-ready; signed as the assertion "org.vestiary.provenance".
        key_pem: private key, ES256 (P-256), not encrypted.
        certificate_pem: its certificate and the chain above it, leaf first. The leaf must be for digital signatures and
            e-mail protection or document signing, and not be signed by itself.

    Raises:
        OptionError: a format that cannot be signed; key or certificate unreadable, of another kind, expired, or not
            belonging together.
        MissingExtraError: the extra `safety` is not installed.
    """
    library = _library()
    if mime not in SIGNABLE:
        hint = f"Ask for one of: {', '.join(SIGNABLE)}."
        raise OptionError(f"{mime} cannot carry content credentials.", hint=hint)
    check_identity(key_pem, certificate_pem)
    info = library.C2paSignerInfo(library.C2paSigningAlg.ES256, certificate_pem, _as_pkcs8(key_pem), None)
    signed = io.BytesIO()
    try:
        with library.Signer.from_info(info) as signer, library.Builder(_manifest(provenance)) as builder:
            builder.sign(signer, mime, io.BytesIO(data), signed)
    except library.C2paError as problem:
        hint = "Its leaf needs digitalSignature, emailProtection or document signing, and an issuer other than itself."
        raise OptionError(f"the picture cannot be signed with this certificate: {problem}.", hint=hint) from None
    return signed.getvalue()


def check_identity(key_pem: bytes, certificate_pem: bytes) -> None:
    """Find out whether a key and a certificate can sign together today; a service asks when it starts.

    Raises:
        OptionError: unreadable, of another kind, expired, or not belonging together.
        MissingExtraError: the extra `safety` is not installed.
    """
    _library()
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

    key = _private_key(key_pem)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise OptionError(
            "the signing key is not for ES256.", hint="Make one: openssl ecparam -name prime256v1 -genkey"
        )
    try:
        chain = x509.load_pem_x509_certificates(certificate_pem)
    except ValueError:
        raise OptionError("the signing certificate is not PEM.", hint="Give the chain as PEM, leaf first.") from None
    if chain[0].public_key() != key.public_key():
        hint = "Give the certificate that was issued for this key, first in the file."
        raise OptionError("the signing key does not belong to the certificate.", hint=hint)
    for certificate in chain:
        _check_dates(certificate)


def verify(data: bytes, mime: str) -> Report:
    """What the content credentials in a file say, and whether they still hold. Asks no network.

    Args:
        data: the picture's file.
        mime: its media type.

    Raises:
        ImageError: the file is damaged.
        MissingExtraError: the extra `safety` is not installed.
    """
    library = _library()
    try:
        with library.Reader(mime, io.BytesIO(data)) as reader:
            found = json.loads(reader.json())
    except library.C2paError as problem:
        if "ManifestNotFound" in str(problem) or "no JUMBF data" in str(problem):
            return Report("none")
        raise ImageError(f"the content credentials cannot be read: {problem}.", hint="") from None
    return _report(found)


def _report(found: Mapping[str, Any]) -> Report:
    manifest = found["manifests"][found["active_manifest"]]
    signature = manifest.get("signature_info", {})
    generators = manifest.get("claim_generator_info", [{}])
    problems = tuple(status["code"] for status in found.get("validation_status", []))
    stated = [item["data"] for item in manifest.get("assertions", []) if item["label"] == PROVENANCE]
    return Report(
        state=str(found.get("validation_state", "invalid")).lower(),
        signer=signature.get("issuer") or signature.get("common_name") or "",
        signed_at=signature.get("time", ""),
        made_by=" ".join(str(generators[0].get(word, "")) for word in ("name", "version")).strip(),
        provenance=stated[0] if stated else None,
        problems=problems,
    )


def _manifest(provenance: Mapping[str, Any]) -> dict[str, Any]:
    agent = {"name": "Vestiary", "version": vestiary.__version__}
    created = {"action": "c2pa.created", "digitalSourceType": SOURCE_TYPE, "softwareAgent": agent}
    edited = {"action": "c2pa.edited", "description": "garments put on by Vestiary", "softwareAgent": agent}
    actions = {"label": "c2pa.actions.v2", "data": {"actions": [created, edited]}}
    stated = {"label": PROVENANCE, "data": dict(provenance)}
    return {"claim_generator_info": [agent], "title": "Virtual fitting", "assertions": [actions, stated]}


def _library() -> Any:
    try:
        import c2pa
    except ImportError:
        hint = 'Type: pip install "vestiary[safety]"'
        raise MissingExtraError("content credentials need c2pa-python.", hint=hint) from None
    return c2pa


def _private_key(key_pem: bytes) -> Any:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        return load_pem_private_key(key_pem, password=None)
    except (TypeError, ValueError):
        hint = "Give an unencrypted PEM key (ES256)."
        raise OptionError("the signing key cannot be read.", hint=hint) from None


def _as_pkcs8(key_pem: bytes) -> bytes:
    """The key in the one form that the C2PA library reads."""
    from cryptography.hazmat.primitives import serialization as form

    plain = form.NoEncryption()
    return bytes(_private_key(key_pem).private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, plain))


def _check_dates(certificate: x509.Certificate) -> None:
    now = datetime.now(UTC)
    name = certificate.subject.rfc4514_string()
    if now > certificate.not_valid_after_utc:
        until = certificate.not_valid_after_utc.date()
        raise OptionError(f"the certificate of {name} expired on {until}.", hint="Renew it.")
    if now < certificate.not_valid_before_utc:
        since = certificate.not_valid_before_utc.date()
        raise OptionError(f"the certificate of {name} is valid only from {since}.", hint="Check the clock.")
