"""`sitewright bundle …`: what a platform engineer and a security officer type."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from renderer.cli.spec import Argument, Command, Options
from renderer.model.outcome import Outcome

_BUNDLE: Final = Argument(names=("bundle",), help="an OCI layout: a directory or a tar file")


def _build(options: Options) -> Outcome:
    from renderer.adapters.layout_writer import FileLayoutWriter
    from renderer.adapters.package_data import schema
    from renderer.cli import wiring
    from renderer.commands.bundle import build

    source = options.text("source")
    files = wiring.files_around(source)
    with wiring.told_from_here(files) as told:
        writer, described = FileLayoutWriter(Path.cwd()), schema("bundle-source.v1")
        path, output = files.relative(source), options.text("output")
        return told(build(files, path, output, writer, schema=described, created=wiring.epoch()))


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


def _verify(options: Options) -> Outcome:
    from renderer.adapters.layout import open_layout
    from renderer.cli import wiring
    from renderer.commands.bundle import verify

    path = options.text("bundle")
    return verify(open_layout(Path(path), path), wiring.policy(options.text("trust")), now=wiring.now())


def _inspect(options: Options) -> Outcome:
    from renderer.adapters.layout import open_layout
    from renderer.cli import wiring
    from renderer.commands.bundle import inspect

    path, trust = options.text("bundle"), options.optional("trust")
    policy = wiring.policy(trust) if trust else None
    return inspect(open_layout(Path(path), path), policy, now=wiring.now(), images=options.flag("images"))


BUNDLE: Final = Command(
    name="bundle",
    summary="Build, sign, verify and inspect bundles; make keys.",
    commands=(
        Command(
            name="build",
            summary="Build a bundle from a source file: charts, templates, manifests, KubeSphere packages, images.",
            description="The same source and files give the same bytes. The bundle is an OCI image layout.",
            arguments=(
                Argument(names=("source",), help="the source file, such as bundle.yaml"),
                Argument(names=("--output", "-o"), help="a directory, or a file that ends in .tar", required=True),
            ),
            examples=("sitewright bundle build bundle.yaml -o build/bundle.tar",),
            handler=_build,
        ),
        Command(
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
                    choices=("ecdsa-p256-sha256", "ecdsa-p384-sha384", "ed25519"),
                    default="ecdsa-p256-sha256",
                ),
                Argument(names=("--encrypt",), help="encrypt the private key with a passphrase", takes="none"),
            ),
            examples=("sitewright bundle keygen keys/vendor.key", "sitewright bundle keygen keys/office.key --encrypt"),
            handler=_keygen,
        ),
        Command(
            name="sign",
            summary="Add a signature over the manifest of a bundle.",
            description=(
                "The key is a PEM file: ECDSA P-256 or P-384, Ed25519, RSA. An encrypted key is opened with the "
                "passphrase in SITEWRIGHT_KEY_PASSPHRASE, or you are asked for it."
            ),
            arguments=(
                _BUNDLE,
                Argument(names=("--key",), help="the private key", metavar="FILE", required=True),
            ),
            examples=("sitewright bundle sign build/bundle.tar --key keys/vendor.key",),
            handler=_sign,
        ),
        Command(
            name="verify",
            summary="Verify signatures, every blob and the whole content of a bundle. Ends with 3 when it is refused.",
            arguments=(
                _BUNDLE,
                Argument(names=("--trust",), help="the trust policy", metavar="FILE", default="trust.yaml"),
            ),
            examples=("sitewright bundle verify build/bundle.tar --trust trust.yaml",),
            handler=_verify,
        ),
        Command(
            name="inspect",
            summary="Show what a bundle holds: extensions, components, images.",
            arguments=(
                _BUNDLE,
                Argument(names=("--trust",), help="show it only when this trust policy accepts it", metavar="FILE"),
                Argument(names=("--images",), help="list every image with its digest", takes="none"),
            ),
            examples=("sitewright bundle inspect build/bundle.tar --images",),
            handler=_inspect,
        ),
    ),
    examples=("sitewright bundle build bundle.yaml -o build/bundle", "sitewright bundle verify build/bundle"),
)
