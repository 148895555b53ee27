"""`sitewright bundle keygen|sign`: what holds keys."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from renderer.cli.spec import Argument, Command, Options
from renderer.cli.usage import misused
from renderer.cli.verbs.bundle.arguments import BUNDLE
from renderer.model.outcome import Outcome

if TYPE_CHECKING:
    from renderer.adapters.certificate_files import Certificates
    from renderer.model.bundles.signing import SignatureForm
    from renderer.ports import Signer


def _keygen(options: Options) -> Outcome:
    from renderer.adapters.signing import make_key_pair
    from renderer.cli import wiring
    from renderer.model.bundles.trust import Algorithm

    path = options.text("key")
    passphrase = wiring.passphrase_for(path)() if options.flag("encrypt") else None
    return make_key_pair(Path(path), path, Algorithm(options.text("algorithm")), passphrase)


def _sign(options: Options) -> Outcome:
    from renderer.adapters.layout import open_layout
    from renderer.adapters.layout_writer import FileLayoutWriter
    from renderer.commands.bundle.sign import sign

    _one_key(options)
    certificates = _certificates(options)
    signer = _signer(options, certificates)
    if certificates is not None:
        certificates.require_key(signer.public_key)
    path = options.text("bundle")
    return sign(
        open_layout(Path(path), path),
        signer,
        FileLayoutWriter(Path.cwd()),
        path,
        forms=_forms(options.text("form")),
        certificates=certificates.content if certificates is not None else (),
        images=options.flag("images"),
    )


def _one_key(options: Options) -> None:
    """Refuse options that contradict each other, or that say too little. Raises UsageError."""
    if options.given("key") == options.given("signer"):
        raise misused("a bundle is signed with `--key FILE` or with `--signer COMMAND`", "--key keys/vendor.key")
    if options.given("key") and options.given("public-key"):
        raise misused("`--public-key` belongs to `--signer`: a private key knows its own", "--key keys/vendor.key")
    if options.given("signer") and not (options.given("public-key") or options.given("certificate")):
        raise misused(
            "`--signer` needs the public key: nothing is stored before it has been checked",
            "--public-key keys/vendor.pub",
        )
    if options.given("chain") and not options.given("certificate"):
        raise misused("`--chain` belongs to `--certificate`", "--certificate keys/vendor.crt --chain keys/ca.crt")


def _certificates(options: Options) -> Certificates | None:
    if not options.given("certificate"):
        return None
    from renderer.adapters.certificate_files import Certificates

    return Certificates(options.text("certificate"), options.optional("chain"))


def _signer(options: Options, certificates: Certificates | None) -> Signer:
    if options.given("key"):
        from renderer.adapters.signing import KeyFileSigner
        from renderer.cli import wiring

        key = options.text("key")
        return KeyFileSigner(Path(key), key, wiring.passphrase_for(key))
    from renderer.adapters.certificate_files import read_public_key
    from renderer.adapters.external_signer import ExternalSigner

    named = options.optional("public-key")
    public = certificates.public_key if named is None and certificates is not None else read_public_key(named or "")
    return ExternalSigner(options.text("signer"), public)


def _forms(text: str) -> tuple[SignatureForm, ...]:
    from renderer.model.bundles.signing import SignatureForm

    forms = {"tag": (SignatureForm.COSIGN_TAG,), "bundle": (SignatureForm.SIGSTORE_BUNDLE,)}
    return forms.get(text, tuple(SignatureForm))


KEYGEN: Final = Command(
    name="keygen",
    summary="Make a key pair for signing bundles: KEY, and beside it the public key with the ending .pub.",
    description=(
        "Nothing that exists is replaced. With --encrypt the passphrase comes from "
        "SITEWRIGHT_KEY_PASSPHRASE, or you are asked for it."
    ),
    arguments=(
        Argument(names=("key",), help="where to write the private key, such as keys/vendor.key"),
        Argument(
            names=("--algorithm",),
            help="the kind of key (default: ecdsa-p256-sha256)",
            choices=("ecdsa-p256-sha256", "ecdsa-p384-sha384", "ed25519", "sm2-sm3"),
            default="ecdsa-p256-sha256",
        ),
        Argument(names=("--encrypt",), help="encrypt the private key with a passphrase", takes="none"),
    ),
    examples=("sitewright bundle keygen keys/vendor.key", "sitewright bundle keygen keys/office.key --encrypt"),
    handler=_keygen,
)

SIGN: Final = Command(
    name="sign",
    summary="Add a signature over the manifest of a bundle or of a delta.",
    description=(
        "The key is a PEM file (ECDSA P-256 or P-384, Ed25519, RSA, SM2) or cosign's own; an encrypted one is opened "
        "with the passphrase in SITEWRIGHT_KEY_PASSPHRASE, or you are asked for it. A key that lies in a device is "
        "used by --signer COMMAND, which reads what is to be signed and writes the signature. Signing again with the "
        "same key changes nothing. Signatures over images are plain ones under cosign's tag, whatever --form says, by "
        "keys whose signatures runtimes can check: ECDSA P-256, Ed25519, RSA."
    ),
    arguments=(
        BUNDLE,
        Argument(names=("--key",), help="the private key", metavar="FILE"),
        Argument(
            names=("--signer",),
            help="a command that signs: its input is signed, its output is the signature; no shell runs it",
            metavar="COMMAND",
            completes="nothing",
        ),
        Argument(names=("--public-key",), help="the public key of --signer", metavar="FILE"),
        Argument(
            names=("--certificate",), help="the certificate of the key, stored with the signature", metavar="FILE"
        ),
        Argument(names=("--chain",), help="the certificates that lead from it to the root", metavar="FILE"),
        Argument(
            names=("--images",),
            help="sign every image that the bundle carries, too, for Podman and CRI-O (mirrors --runtime policy)",
            takes="none",
        ),
        Argument(
            names=("--form",),
            help="how it is stored: under cosign's tag, which every tool reads; as a Sigstore bundle; or both",
            choices=("tag", "bundle", "both"),
            default="tag",
            completes="nothing",
        ),
    ),
    examples=(
        "sitewright bundle sign build/bundle.tar --key keys/vendor.key",
        "sitewright bundle sign build/bundle.tar --key keys/vendor.key --images",
        "sitewright bundle sign build/bundle.tar --key vendor.key --certificate vendor.crt --chain ca.crt",
        "sitewright bundle sign build/bundle.tar --signer ./sign-with-hsm --public-key keys/vendor.pub --form both",
    ),
    handler=_sign,
)
