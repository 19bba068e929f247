"""Keys and certificates: made from a request, and read back. Pure but for the keys and serials it is handed.

What is made is what Kubernetes from v1.20 on and etcd read: certificates in PEM, keys in PEM as PKCS8,
without a password. ECDSA on P-256 everywhere, so that a hundred pairs take a moment; RSA with 2048 bits
for the keys that sign service-account tokens, as kubeadm does.

Laws:

1. Time comes in as `now`, chance as `Chance`. No file is read or written here.
2. A certificate is valid from a little before `now`: the nodes' clocks differ. It is never valid
   longer than the authority that signed it.
3. No text of an error holds a key.

Begin reading at `make_leaf`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import TypeAlias, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from mk8s.needs import Authority, Certificate, KeyPair, Pair

__all__ = ["BACKDATED", "Chance", "expiry_of", "fault_of", "make_authority", "make_key_pair", "make_leaf"]

BACKDATED = timedelta(minutes=10)
RSA_BITS = 2048
RSA_EXPONENT = 65537

Extension = TypeVar("Extension", bound=x509.ExtensionType)
Key: TypeAlias = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
"""What can sign a certificate here, or a token."""


def new_ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def new_rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=RSA_EXPONENT, key_size=RSA_BITS)


@dataclass(frozen=True, slots=True)
class Chance:
    """Where keys and serial numbers come from: the system's randomness, or what a test brings."""

    ec_key: Callable[[], ec.EllipticCurvePrivateKey] = new_ec_key
    rsa_key: Callable[[], rsa.RSAPrivateKey] = new_rsa_key
    serial: Callable[[], int] = x509.random_serial_number  # 159 bits, positive: RFC 5280, 4.1.2.2


def make_authority(need: Authority, now: datetime, chance: Chance) -> Pair:
    """A self-signed authority. Raises ValueError for a name that no certificate can hold."""
    key = chance.ec_key()
    name = _name(need.common_name)
    start, end = _validity(now, need.days)
    builder = (
        _builder(name, name, key, chance.serial(), start, end)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
    )
    return _pair(builder.sign(key, hashes.SHA256()), key)


def make_leaf(need: Certificate, authority: Pair, now: datetime, chance: Chance) -> Pair:
    """A certificate signed by `authority`.

    Raises ValueError for names that no certificate can hold, and when the authority has expired.
    """
    issuer, issuer_key = x509.load_pem_x509_certificate(authority.public), _private_key(authority.private)
    start, end = _validity(now, need.days)
    start, end = max(start, issuer.not_valid_before_utc), min(end, issuer.not_valid_after_utc)
    if end <= start:
        raise ValueError(f"its authority {need.authority!r} has expired")
    key = chance.ec_key()
    subject = _name(need.common_name, need.organization)
    issuer_id = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    builder = (
        _builder(subject, issuer.subject, key, chance.serial(), start, end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer_id), critical=False
        )
    )
    if purposes := _purposes(need):
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
    if names := _alternative_names(need):
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return _pair(builder.sign(issuer_key, hashes.SHA256()), key)


def make_key_pair(chance: Chance) -> Pair:
    """A bare RSA pair."""
    key = chance.rsa_key()
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return Pair(public, _private_pem(key))


def expiry_of(certificate: bytes) -> datetime:
    """When a PEM certificate ceases to be valid. Raises ValueError for what is none."""
    return x509.load_pem_x509_certificate(certificate).not_valid_after_utc


def fault_of(need: Authority | Certificate | KeyPair, pair: Pair, authority: Pair | None) -> str:
    """Why this pair is not what the need asks for; empty when it is. Looks at everything but the times.

    `authority` is the one that a `Certificate` names; others have none.
    """
    try:
        key = _private_key(pair.private)
    except (ValueError, TypeError):
        return "its private key cannot be read"
    try:
        if isinstance(need, KeyPair):
            public = load_pem_public_key(pair.public)
            return "" if public == key.public_key() else "its two halves do not belong together"
        certificate = x509.load_pem_x509_certificate(pair.public)
        if certificate.public_key() != key.public_key():
            return "its key belongs to another certificate"
        if isinstance(need, Authority):
            return _fault_of_authority(need, certificate)
        return _fault_of_leaf(need, certificate, authority)
    except ValueError:
        return "its public half cannot be read"


def _fault_of_authority(need: Authority, certificate: x509.Certificate) -> str:
    if certificate.subject != _name(need.common_name):
        return f"it is for {_shown(certificate.subject)}, not for {_shown(_name(need.common_name))}"
    constraints = _extension(certificate, x509.BasicConstraints)
    if constraints is None or not constraints.ca:
        return "it is no certificate authority"
    return _fault_of_signature(certificate, certificate)


def _fault_of_leaf(need: Certificate, certificate: x509.Certificate, authority: Pair | None) -> str:
    wanted = _name(need.common_name, need.organization)
    if certificate.subject != wanted:
        return f"it is for {_shown(certificate.subject)}, not for {_shown(wanted)}"
    names = _extension(certificate, x509.SubjectAlternativeName)
    if set(names or ()) != set(_alternative_names(need)):
        return "it holds other names and addresses"
    purposes = _extension(certificate, x509.ExtendedKeyUsage)
    if set(purposes or ()) != set(_purposes(need)):
        return "it is for other purposes"
    if authority is None:
        return ""
    return _fault_of_signature(certificate, x509.load_pem_x509_certificate(authority.public))


def _fault_of_signature(certificate: x509.Certificate, issuer: x509.Certificate) -> str:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return f"it is not signed by {_shown(issuer.subject)}"
    return ""


def _extension(certificate: x509.Certificate, kind: type[Extension]) -> Extension | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _builder(  # the six things that a certificate cannot be without
    subject: x509.Name, issuer: x509.Name, key: Key, serial: int, start: datetime, end: datetime
) -> x509.CertificateBuilder:
    public = key.public_key()
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(serial)
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _validity(now: datetime, days: int) -> tuple[datetime, datetime]:
    moment = now.astimezone(UTC).replace(microsecond=0)
    return moment - BACKDATED, moment + timedelta(days=days)


def _name(common_name: str, organization: str = "") -> x509.Name:
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization)] if organization else []
    return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _shown(name: x509.Name) -> str:
    return name.rfc4514_string()


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    """An authority signs certificates and revocation lists; all others authenticate and agree on keys."""
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_encipherment=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _purposes(need: Certificate) -> list[x509.ObjectIdentifier]:
    asked = [(need.server, ExtendedKeyUsageOID.SERVER_AUTH), (need.client, ExtendedKeyUsageOID.CLIENT_AUTH)]
    return [purpose for wanted, purpose in asked if wanted]


def _alternative_names(need: Certificate) -> list[x509.GeneralName]:
    names = [x509.DNSName(name) for name in dict.fromkeys(need.dns)]
    addresses = dict.fromkeys(ip_address(text) for text in need.ips)
    return [*names, *(x509.IPAddress(address) for address in addresses)]


def _private_key(pem: bytes) -> Key:
    """Raises ValueError for a key of a kind that is not made here."""
    key = load_pem_private_key(pem, password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise ValueError("neither an EC nor an RSA key")  # noqa: TRY004 - content, not a mistake of ours
    return key


def _pair(certificate: x509.Certificate, key: Key) -> Pair:
    return Pair(certificate.public_bytes(Encoding.PEM), _private_pem(key))


def _private_pem(key: Key) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
