#!/usr/bin/env bash
# Debian 13's skopeo, Podman and cosign, unpacked below a directory (default: build/tools/debian13) and run from there.
#
# Debian 12 has no cosign, and its skopeo and Podman were built without Sigstore ("Debian-local change: sigstore
# disabled"). apt fetches the packages from the mirror that this machine uses anyway and checks Debian's signature;
# nothing is installed. They bring their own C library, so that they run on an older one. Podman starts itself again by
# its own path, so it runs as root in a mount namespace with the unpacked packages as its root. What it insists on
# finding, and a pull does not run, are conmon, netavark and a runtime.
set -euo pipefail
target=$(realpath -m "${1:-$(dirname "$0")/../../build/tools/debian13}")
[ -x "$target/bin/podman" ] && exit
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
  skopeo cosign podman conmon netavark libc6 libgpgme11t64 libsqlite3-0 libassuan9 libgpg-error0 libsubid5 libseccomp2 libglib2.0-0t64 \
  libsystemd0 libcap2 libselinux1 libsemanage2 libsepol2 libbsd0 libmd0 libbz2-1.0 libpcre2-8-0 libaudit1 libcap-ng0 libacl1 \
  libattr1 libcrypt1 libpam0g libgcc-s1 >/dev/null)
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
for name in lib lib64; do ln -s "usr/$name" "$work/root/$name"; done
mkdir -p "$work"/root/{dev,etc/containers,proc,run,sys,tmp,var/tmp}
printf '[engine.runtimes]\nrunc = ["/usr/bin/conmon"]\n' >"$work/root/etc/containers/containers.conf"
cat >"$work/bin/podman" <<SCRIPT
#!/bin/sh
exec unshare --mount sh -c 'mount --bind "\$0" "\$0" && cd "\$0" && for place in dev proc sys tmp; do
  mount --rbind "/\$place" "\$place" || exit; done; exec chroot . /usr/bin/podman "\$@"' "$target/root" "\$@"
SCRIPT
chmod +x "$work/bin/podman"
mkdir -p "$target"
rm -rf "$target/root" "$target/bin"
mv "$work/root" "$work/bin" "$target"
