#!/usr/bin/env bash
# Debian 13's skopeo and cosign, unpacked below a directory (default: build/tools/debian13) and run from there.
#
# Debian 12 has no cosign, and its skopeo was built without Sigstore ("Debian-local change: sigstore disabled"). apt
# fetches the packages from the mirror that this machine uses anyway and checks Debian's signature; nothing is
# installed. They bring their own C library, so that they run on an older one.
set -euo pipefail
target=$(realpath -m "${1:-$(dirname "$0")/../../build/tools/debian13}")
[ -x "$target/bin/cosign" ] && exit
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/debs" "$work/root" "$work/bin"
mirror=$(apt-get indextargets --format '$(REPO_URI)' | grep -m1 '/debian/$')
keys=/usr/share/keyrings/debian-archive-keyring.gpg
echo "deb [signed-by=$keys] $mirror trixie main" >"$work/sources.list"
apt=(-q -o Dir::Etc::sourcelist="$work/sources.list" -o Dir::Etc::sourceparts=/dev/null
  -o Dir::State::lists="$work/lists" -o Dir::Cache="$work/cache" -o APT::Sandbox::User=root -o Acquire::Languages=none)
apt-get "${apt[@]}" update >/dev/null
(cd "$work/debs" && apt-get "${apt[@]}" download \
  skopeo cosign libc6 libgpgme11t64 libsqlite3-0 libassuan9 libgpg-error0 >/dev/null)
for package in "$work"/debs/*.deb; do dpkg-deb -x "$package" "$work/root"; done
loader=$(cd "$work/root" && find usr/lib -name 'ld-linux-*.so.*' -type f | head -1)
for program in skopeo cosign; do
  cat >"$work/bin/$program" <<SCRIPT
#!/bin/sh
exec "$target/root/$loader" --argv0 $program --library-path "$target/root/$(dirname "$loader")" \\
  "$target/root/usr/bin/$program" "\$@"
SCRIPT
  chmod +x "$work/bin/$program"
done
mkdir -p "$target"
rm -rf "$target/root" "$target/bin"
mv "$work/root" "$work/bin" "$target"
