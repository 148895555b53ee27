"""`sitewright bundle keygen|sign`: what holds keys."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from renderer.cli.spec import Argument, Command, Options
from renderer.cli.verbs.bundle.arguments import BUNDLE
from renderer.model.outcome import Outcome


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
    from renderer.adapters.signing import KeyFileSigner
    from renderer.cli import wiring
    from renderer.commands.bundle import sign

    path, key = options.text("bundle"), options.text("key")
    signer = KeyFileSigner(Path(key), key, wiring.passphrase_for(key))
    return sign(open_layout(Path(path), path), signer, FileLayoutWriter(Path.cwd()), path)


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
    summary="Add a signature over the manifest of a bundle.",
    description=(
        "The key is a PEM file: ECDSA P-256 or P-384, Ed25519, RSA. An encrypted key is opened with the "
        "passphrase in SITEWRIGHT_KEY_PASSPHRASE, or you are asked for it."
    ),
    arguments=(
        BUNDLE,
        Argument(names=("--key",), help="the private key", metavar="FILE", required=True),
    ),
    examples=("sitewright bundle sign build/bundle.tar --key keys/vendor.key",),
    handler=_sign,
)
