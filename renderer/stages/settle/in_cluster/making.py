"""The script that makes the values of a unit: POSIX sh, `openssl` 1.1.1 or later, `kubectl`.

A unit is made at once: its home Secret is created first and in one request, so that there is either nothing of it or
all of it. The other Secrets are copied from there, and made again when somebody has deleted one. What is there is never
changed: Secrets that are older than the home Secret (made by hand, or by another mode) are taken over.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from renderer.model.fields import Json
from renderer.model.generated.groups import CertificateWish
from renderer.stages.settle.in_cluster.quoting import quoted_json
from renderer.stages.settle.in_cluster.units import Target, Unit

_PREAMBLE: Final = r"""set -eu
umask 077
export LC_ALL=C
cd "$HOME"

fail() { printf '%s\n' "$*" >&2; exit 1; }

# begin UNIT: what follows is made together
begin() { unit=$1 signed_anew=' ' found=''; rm -rf files; mkdir files; }

# take NAMESPACE NAME KEY=FILE...: into files what the Secret has of it; false when there is no such Secret
take() {
  namespace=$1 name=$2; shift 2
  kubectl get secret "$name" -n "$namespace" --ignore-not-found -o \
    'go-template={{"found -\n"}}{{range $key, $text := .data}}{{$key}} {{$text}}{{"\n"}}{{end}}' > secret ||
    fail "cannot read the Secret $namespace/$name"
  [ -s secret ] || return 1
  found="$found $namespace/$name"
  for pair; do
    while read -r key text; do
      [ "$key" = "${pair%%[=~]*}" ] && [ ! -s "files/${pair#*[=~]}" ] || continue
      printf '%s' "$text" | openssl base64 -d -A > "files/${pair#*[=~]}"
    done < secret
  done
}

# whole NAMESPACE NAME FILE...: stop unless all of them were there
whole() {
  namespace=$1 name=$2; shift 2
  for file; do
    [ -s "files/$file" ] || fail "the Secret $namespace/$name is there without $file: delete it to have it made anew"
  done
}

# given FILE BASE64: what the chart itself puts into a Secret
given() { printf '%s' "$2" | openssl base64 -d -A > "files/$1"; }

# certificate STEM SIGNER DAYS KEY-OPTION CONFIG GENPKEY-OPTIONS...
certificate() {
  stem=$1 signer=$2 days=$3 form=$4; printf '%s\n' "$5" > config; shift 5
  if [ -s "files/$stem.crt" ]; then
    case $signed_anew in *" $signer "*) torn ;; esac
    return 0
  fi
  [ -s "files/$stem.key" ] || openssl genpkey "$@" 2>> log | openssl pkey $form -out "files/$stem.key"
  signed_anew="$signed_anew$stem "
  if [ "$signer" = "$stem" ]; then
    openssl req -x509 -new -key "files/$stem.key" -config config -extensions wanted -days "$days" \
      -out "files/$stem.crt" || fail "openssl made no certificate $stem for $unit"
  else
    [ -s "files/$signer.key" ] || torn
    openssl req -new -key "files/$stem.key" -config config -out request &&
      openssl x509 -req -in request -CA "files/$signer.crt" -CAkey "files/$signer.key" -days "$days" \
        -set_serial "0x$(openssl rand -hex 16)" -extfile config -extensions wanted -out "files/$stem.crt" 2>> log ||
      fail "openssl made no certificate $stem for $unit"
  fi
}

torn() { fail "of $unit only a part is there ($found ), and nothing can be made that fits it: delete what is there"; }

# random FILE LENGTH ALPHABET: letters as tr(1) takes them
random() {
  [ ! -s "files/$1" ] || return 0
  text=''
  while [ "${#text}" -lt "$2" ]; do text="$text$(openssl rand -base64 60 | tr -dc "$3")"; done
  printf "%.$2s" "$text" > "files/$1"
}

random_bytes() { [ -s "files/$1" ] || openssl rand -base64 "$2" | tr -d '\n' > "files/$1"; }

random_uuid() {
  [ -s "files/$1" ] || openssl rand -hex 15 | tr -d '\n' |
    sed 's/\(.\{8\}\)\(.\{4\}\)\(.\{3\}\)\(.\{3\}\)\(.\{12\}\)/\1-\2-4\3-8\4-\5/' > "files/$1"
}

# create NAMESPACE NAME HEAD KEY=FILE... (KEY~FILE: where there is such a file)
create() {
  namespace=$1 name=$2; printf '%s\ndata:\n' "$3" > secret; shift 3
  for pair; do
    file=${pair#*[=~]}
    if [ ! -f "files/$file" ]; then
      case $pair in *'~'*) continue ;; *) torn ;; esac
    fi
    printf '  "%s": "%s"\n' "${pair%%[=~]*}" "$(openssl base64 -A -in "files/$file")" >> secret
  done
  kubectl create -f secret > /dev/null || fail "cannot create the Secret $namespace/$name"
  printf 'made the Secret %s/%s\n' "$namespace" "$name"
}
"""
_ALPHABETS: Final = {
    "digits": "0-9",
    "hex": "0-9a-f",
    "lower": "a-z0-9",
    "upper": "A-Z0-9",
    "alphanumeric": "A-Za-z0-9",
    # letters and digits do wherever more is allowed
    "special": "A-Za-z0-9",
}
_CURVES: Final = {"256": "P-256", "384": "P-384", "521": "P-521"}
_USAGES: Final = {
    "signing": "digitalSignature",
    "digital signature": "digitalSignature",
    "content commitment": "nonRepudiation",
    "key encipherment": "keyEncipherment",
    "data encipherment": "dataEncipherment",
    "key agreement": "keyAgreement",
    "cert sign": "keyCertSign",
    "crl sign": "cRLSign",
    "encipher only": "encipherOnly",
    "decipher only": "decipherOnly",
}
_EXTENDED: Final = {
    "any": "anyExtendedKeyUsage",
    "server auth": "serverAuth",
    "client auth": "clientAuth",
    "code signing": "codeSigning",
    "email protection": "emailProtection",
    "s/mime": "emailProtection",
    "timestamping": "timeStamping",
    "ocsp signing": "OCSPSigning",
}


def making_script(units: Iterable[Unit]) -> str:
    """The whole script. Everything that a chart says stands in quotes."""
    return _PREAMBLE + "".join(f"\n{line}" for unit in units for line in _unit(unit)) + "\n"


def _unit(unit: Unit) -> Iterator[str]:
    home = unit.home
    others = [target for target in unit.targets if target.id != home.id]
    yield _call("begin", str(unit.targets[0].id))
    yield f"if {_take(home)}; then"
    yield f"  {_call('whole', home.namespace, home.name, *sorted({*home.files.values()} - home.spare))}"
    yield "else"
    for target in others:
        yield f"  {_take(target)} || :"
    for stem, wish in unit.certificates.items():
        yield f"  {_certificate(unit, stem, wish)}"
    for file, form in unit.texts.items():
        yield f"  {_random(file, form)}"
    yield from (f"  {line}" for line in _create(home))
    yield "fi"
    for target in others:
        yield f"if ! {_take(target)}; then"
        yield from (f"  {line}" for line in _create(target))
        yield "fi"


def _take(target: Target) -> str:
    return _call("take", target.namespace, target.name, *_pairs(target.files, target.spare))


def _create(target: Target) -> Iterator[str]:
    """The fixed texts into files of their own, then the Secret. JSON is YAML, and so is a line of it."""
    given = {key: f"given-{number}" for number, key in enumerate(target.fixed)}
    for key, file in given.items():
        yield _call("given", file, target.fixed[key])
    metadata: Json = {"name": target.name, "namespace": target.namespace, **target.metadata}
    head: dict[str, Json] = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": target.type}
    lines = "\n".join(f"{key}: {quoted_json(value)}" for key, value in head.items())
    yield _call("create", target.namespace, target.name, lines, *_pairs({**target.files, **given}, target.spare))


def _pairs(files: Mapping[str, str], spare: frozenset[str]) -> Iterator[str]:
    return (f"{key}{'~' if file in spare else '='}{file}" for key, file in sorted(files.items()))


def _certificate(unit: Unit, stem: str, wish: CertificateWish) -> str:
    kind, _, bits = wish.algorithm.partition("-")
    made = {
        "rsa": ("-algorithm", "RSA", "-pkeyopt", f"rsa_keygen_bits:{bits}"),
        "ecdsa": ("-algorithm", "EC", "-pkeyopt", f"ec_paramgen_curve:{_CURVES.get(bits, '')}"),
        "ed25519": ("-algorithm", "ED25519"),
    }[kind]
    form = "-traditional" if unit.keys.get(stem) in {"rsa-private-key", "ec-private-key"} else ""
    return _call("certificate", stem, unit.signers[stem], str(max(wish.days, 1)), form, _config(wish), *made)


def _config(wish: CertificateWish) -> str:
    """A configuration for `openssl req` and `openssl x509` (config(5), x509v3_config(5))."""
    hosts = [
        *(f"DNS.{number} = {name}" for number, name in enumerate(wish.host_names)),
        *(f"IP.{number} = {name}" for number, name in enumerate(wish.ip_addresses)),
    ]
    names = [f"{number}.O = {name}" for number, name in enumerate(wish.organizations)]
    common = wish.common_name or ("" if names else (*wish.host_names, *wish.ip_addresses)[0])
    lines = ["[req]", "prompt = no", "distinguished_name = names", "[names]", *names]
    lines += [f"CN = {common}"] if common else []
    lines += ["[wanted]", f"basicConstraints = critical, CA:{'TRUE' if wish.is_ca else 'FALSE'}"]
    lines += ["subjectKeyIdentifier = hash", "authorityKeyIdentifier = keyid"]
    for name, wanted, known in (
        ("keyUsage = critical, ", wish.key_usages, _USAGES),
        ("extendedKeyUsage = ", wish.extended_usages, _EXTENDED),
    ):
        usages = dict.fromkeys(known[usage] for usage in wanted if usage in known)
        lines += [name + ", ".join(usages)] if usages else []
    return "\n".join([*lines, *(["subjectAltName = @hosts", "[hosts]", *hosts] if hosts else [])])


def _random(file: str, form: str) -> str:
    alphabet, _, length = form.partition("-")
    if form == "uuid":
        return _call("random_uuid", file)
    if alphabet == "base64":
        return _call("random_bytes", file, length)
    return _call("random", file, length, _ALPHABETS[alphabet])


def _call(*words: str) -> str:
    return shlex.join(words)
