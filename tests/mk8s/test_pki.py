"""mk8s.pki: certificates that strangers accept: cryptography's own verifier, and openssl's."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from cryptography.x509.verification import Criticality, ExtensionPolicy, PolicyBuilder, Store

from mk8s.needs import Authority, Certificate, KeyPair, Pair
from mk8s.pki import BACKDATED, Chance, expiry_of, fault_of, make_authority, make_key_pair, make_leaf

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
CA_NEED = Authority("ca", "kubernetes-ca")
CA = make_authority(CA_NEED, NOW, Chance())
OTHER_CA = make_authority(CA_NEED, NOW, Chance())

# every row of the list of certificates that a cluster made by hand needs
ROWS = [
    Certificate("admin", "ca", "admin", "system:masters", client=True),
    Certificate(
        "kubelet/n1",
        "ca",
        "system:node:n1",
        "system:nodes",
        server=True,
        client=True,
        dns=("n1", "n1.example"),
        ips=("10.0.0.1", "127.0.0.1"),
    ),
    Certificate(
        "controller-manager",
        "ca",
        "system:kube-controller-manager",
        "system:kube-controller-manager",
        client=True,
        server=True,
        dns=("localhost",),
        ips=("127.0.0.1",),
    ),
    Certificate("scheduler", "ca", "system:kube-scheduler", "system:kube-scheduler", client=True),
    Certificate("kube-proxy", "ca", "system:kube-proxy", "system:node-proxier", client=True),
    Certificate(
        "apiserver/n1",
        "ca",
        "kubernetes",
        server=True,
        dns=(
            "kubernetes",
            "kubernetes.default",
            "kubernetes.default.svc",
            "kubernetes.default.svc.cluster.local",
        ),
        ips=("127.0.0.1", "10.32.0.1", "10.0.0.1", "fd00::1"),
    ),
    Certificate("apiserver-kubelet-client", "ca", "kube-apiserver-kubelet-client", client=True),
    Certificate(
        "etcd/n1",
        "ca",
        "n1",
        server=True,
        client=True,
        dns=("n1", "localhost"),
        ips=("10.0.0.1", "127.0.0.1"),
    ),
    Certificate("apiserver-etcd-client", "ca", "kube-apiserver-etcd-client", client=True),
    Certificate("front-proxy-client", "ca", "front-proxy-client", client=True),
]
rows = pytest.mark.parametrize("need", ROWS, ids=[row.name for row in ROWS])


def leaf(need: Certificate, authority: Pair = CA, now: datetime = NOW) -> Pair:
    return make_leaf(need, authority, now, Chance())


def parsed(pair: Pair) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pair.public)


def trusting() -> PolicyBuilder:
    return PolicyBuilder().store(Store([parsed(CA)])).time(NOW)


def trusting_clients() -> PolicyBuilder:
    """Clients need no alternative names: Kubernetes and etcd read their subject."""
    end = ExtensionPolicy.webpki_defaults_ee().may_be_present(
        x509.SubjectAlternativeName, Criticality.AGNOSTIC, None
    )
    return trusting().extension_policies(ca_policy=ExtensionPolicy.webpki_defaults_ca(), ee_policy=end)


def openssl(tmp_path: Path, pair: Pair, *options: str) -> subprocess.CompletedProcess[str]:
    (tmp_path / "ca.crt").write_bytes(CA.public)
    (tmp_path / "it.crt").write_bytes(pair.public)
    moment = str(int(NOW.timestamp()))
    return subprocess.run(
        ["openssl", "verify", "-x509_strict", "-attime", moment, *options, "-CAfile", "ca.crt", "it.crt"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )


class TestLeaf:
    """What an authority signs."""

    @rows
    def test_each_certificate_of_the_hard_way_says_what_was_asked(self, need: Certificate) -> None:
        """Subject, names, addresses and purposes; no more and no less."""
        certificate = parsed(leaf(need))
        subject = [(part.rfc4514_attribute_name, part.value) for part in certificate.subject]
        names = [e.value for e in certificate.extensions if isinstance(e.value, x509.SubjectAlternativeName)]
        purposes = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value

        assert subject == [
            *([("O", need.organization)] if need.organization else []),
            ("CN", need.common_name),
        ]
        assert [n for san in names for n in san.get_values_for_type(x509.DNSName)] == list(need.dns)
        assert [str(n) for san in names for n in san.get_values_for_type(x509.IPAddress)] == list(need.ips)
        assert {purpose._name for purpose in purposes} == {
            word for word, asked in (("serverAuth", need.server), ("clientAuth", need.client)) if asked
        }

    @rows
    def test_each_is_accepted_by_cryptographys_verifier(self, need: Certificate) -> None:
        """As a server for each of its names, as a client for whoever trusts the authority."""
        certificate = parsed(leaf(need))
        if need.client:
            assert trusting_clients().build_client_verifier().verify(certificate, []).chain[1] == parsed(CA)
        if need.server:
            san = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            for name in san:
                assert isinstance(name, x509.DNSName | x509.IPAddress)
                assert len(trusting().build_server_verifier(name).verify(certificate, [])) == 2

    @rows
    def test_each_is_accepted_by_openssl(self, need: Certificate, tmp_path: Path) -> None:
        """Strictly, and for its purposes."""
        pair = leaf(need)
        for wanted, purpose in ((need.server, "sslserver"), (need.client, "sslclient")):
            said = openssl(tmp_path, pair, "-purpose", purpose)
            assert (said.returncode == 0) == wanted, said.stderr

    def test_its_extensions_are_those_that_kubernetes_and_browsers_ask_for(self) -> None:
        """No authority, for signatures and key encipherment, tied to its issuer by key identifiers."""
        extensions = parsed(leaf(ROWS[0])).extensions
        constraints = extensions.get_extension_for_class(x509.BasicConstraints)
        usage = extensions.get_extension_for_class(x509.KeyUsage)
        issuer = parsed(CA).extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        signed_by = extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value

        assert (constraints.critical, constraints.value.ca) == (True, False)
        assert usage.critical
        assert (usage.value.digital_signature, usage.value.key_encipherment) == (True, True)
        assert (usage.value.key_cert_sign, usage.value.crl_sign) == (False, False)
        assert signed_by.key_identifier == issuer.digest

    def test_it_is_valid_from_a_little_before_now(self) -> None:
        """The nodes' clocks differ."""
        certificate = parsed(leaf(ROWS[0]))
        assert certificate.not_valid_before_utc == NOW - BACKDATED
        assert certificate.not_valid_after_utc == NOW + timedelta(days=365)

    def test_it_does_not_outlive_its_authority(self) -> None:
        """What nobody trusts any more need not be valid."""
        authority = make_authority(replace(CA_NEED, days=10), NOW, Chance())
        certificate = parsed(leaf(ROWS[0], authority, NOW + timedelta(days=3)))
        assert certificate.not_valid_after_utc == NOW + timedelta(days=10)

    def test_it_is_not_valid_before_its_authority(self) -> None:
        """Even where somebody's clock was put back in between."""
        certificate = parsed(leaf(ROWS[0], CA, NOW - timedelta(days=1)))
        assert certificate.not_valid_before_utc == NOW - BACKDATED

    def test_an_authority_that_has_expired_signs_nothing(self) -> None:
        """The words name it."""
        with pytest.raises(ValueError, match="its authority 'ca' has expired"):
            leaf(ROWS[0], CA, NOW + timedelta(days=4000))

    def test_a_time_zone_of_the_operators_changes_nothing(self) -> None:
        """Certificates are in UTC."""
        abroad = NOW.astimezone(datetime.strptime("+0530", "%z").tzinfo)
        assert expiry_of(leaf(ROWS[0], now=abroad).public) == NOW + timedelta(days=365)

    @pytest.mark.parametrize(
        "need",
        [
            Certificate("x", "ca", ""),
            Certificate("x", "ca", "n" * 65),
            Certificate("x", "ca", "x", dns=("bücher.example",)),
            Certificate("x", "ca", "x", ips=("10.0.0",)),
        ],
    )
    def test_what_no_certificate_can_hold_is_refused(self, need: Certificate) -> None:
        """An empty or too long common name, a name that is not in ASCII, half an address."""
        with pytest.raises(ValueError):
            leaf(need)

    def test_serial_numbers_are_positive_and_all_different(self) -> None:
        """At most 20 octets: RFC 5280, 4.1.2.2."""
        serials = {parsed(leaf(ROWS[0])).serial_number for _ in range(20)}
        assert len(serials) == 20
        assert all(0 < serial < 1 << 159 for serial in serials)

    def test_the_same_chance_gives_the_same_names_and_times(self) -> None:
        """Nothing but chance and time differs between two runs; both come in through arguments."""
        key = ec.derive_private_key(7, ec.SECP256R1())
        fixed = Chance(ec_key=lambda: key, serial=lambda: 5)
        one, two = (parsed(make_leaf(ROWS[1], CA, NOW, fixed)) for _ in range(2))
        assert one.tbs_certificate_bytes == two.tbs_certificate_bytes


class TestAuthority:
    """What signs."""

    def test_it_may_sign_certificates_and_nothing_else(self) -> None:
        """Critical, as RFC 5280 asks; self-signed."""
        certificate = parsed(CA)
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage)
        assert (constraints.critical, constraints.value.ca) == (True, True)
        assert (usage.critical, usage.value.key_cert_sign, usage.value.crl_sign) == (True, True, True)
        assert not usage.value.digital_signature
        assert certificate.issuer == certificate.subject
        certificate.verify_directly_issued_by(certificate)

    def test_it_lasts_as_long_as_was_asked(self) -> None:
        """Ten years, where nothing else is said."""
        assert expiry_of(CA.public) == NOW + timedelta(days=3650)

    def test_no_certificate_of_another_authority_is_accepted(self, tmp_path: Path) -> None:
        """Not even of one with the same name."""
        assert openssl(tmp_path, leaf(ROWS[0], OTHER_CA)).returncode != 0


class TestKeys:
    """In forms that Kubernetes v1.20 reads."""

    def test_keys_of_certificates_are_of_p256(self) -> None:
        """PKCS8 in PEM, without a password."""
        pair = leaf(ROWS[0])
        key = load_pem_private_key(pair.private, password=None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        assert key.curve.name == "secp256r1"
        assert pair.private.startswith(b"-----BEGIN PRIVATE KEY-----\n")

    def test_the_pair_that_signs_tokens_is_rsa(self) -> None:
        """2048 bits; its public half is a bare public key."""
        pair = make_key_pair(Chance())
        key = load_pem_private_key(pair.private, password=None)
        assert isinstance(key, rsa.RSAPrivateKey)
        assert key.key_size == 2048
        assert load_pem_public_key(pair.public) == key.public_key()
        assert pair.public.startswith(b"-----BEGIN PUBLIC KEY-----\n")

    def test_a_pair_never_shows_its_key(self) -> None:
        """In a traceback, for example."""
        assert "PRIVATE" not in repr(CA)


class TestFaults:
    """Is this pair what was needed?"""

    @rows
    def test_what_was_made_is_what_was_needed(self, need: Certificate) -> None:
        """For each of them, and for the authority and the bare pair."""
        assert fault_of(need, leaf(need), CA) == ""
        assert fault_of(CA_NEED, CA, None) == ""

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"common_name": "eve"}, "it is for CN=system:node:n1,O=system:nodes, not for CN=eve"),
            ({"organization": ""}, "not for CN=system:node:n1"),
            ({"dns": ("n1",)}, "other names and addresses"),
            ({"ips": ("10.0.0.1", "127.0.0.1", "10.0.0.2")}, "other names and addresses"),
            ({"server": False}, "other purposes"),
        ],
    )
    def test_each_difference_is_told(self, change: dict[str, str], words: str) -> None:
        """In a word that helps to find it."""
        assert words in fault_of(replace(ROWS[1], **change), leaf(ROWS[1]), CA)  # type: ignore[arg-type]

    def test_the_order_of_names_and_how_long_it_lasts_make_no_difference(self) -> None:
        """The cluster works all the same."""
        need = replace(ROWS[1], dns=("n1.example", "n1"), days=9)
        assert fault_of(need, leaf(ROWS[1]), CA) == ""

    def test_another_authority_of_the_same_name_is_noticed(self) -> None:
        """By the signature."""
        assert fault_of(ROWS[0], leaf(ROWS[0], OTHER_CA), CA) == "it is not signed by CN=kubernetes-ca"

    def test_halves_of_two_pairs_are_noticed(self) -> None:
        """Of certificates and of bare pairs."""
        mixed = Pair(leaf(ROWS[0]).public, leaf(ROWS[0]).private)
        bare = Pair(make_key_pair(Chance()).public, make_key_pair(Chance()).private)
        assert fault_of(ROWS[0], mixed, CA) == "its key belongs to another certificate"
        assert fault_of(KeyPair("sa"), bare, None) == "its two halves do not belong together"

    @pytest.mark.parametrize(
        "content", [b"", b"x", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
    )
    def test_what_cannot_be_read_is_told_without_its_content(self, content: bytes) -> None:
        """Either half."""
        assert fault_of(ROWS[0], Pair(content, CA.private), CA) == "its public half cannot be read"
        assert fault_of(ROWS[0], Pair(CA.public, content), CA) == "its private key cannot be read"

    def test_a_leaf_is_no_authority(self) -> None:
        """Whatever its name."""
        posing = leaf(Certificate("ca", "ca", "kubernetes-ca"))
        assert fault_of(CA_NEED, posing, None) == "it is no certificate authority"
