#!/bin/sh
# Installs edgewood as a service, or upgrades it. The executable is taken from a folder or a web address that holds it
# beside SHA256SUMS (as `npm run build:executable` leaves them in dist/), and nothing is run that its checksum doesn't cover.
#
#   sh install.sh --from ./dist
#   sh install.sh --from https://example.org/edgewood/0.1.0 --sums-sha256 <digest of SHA256SUMS, told to you on another way>
#
# Without --sums-sha256 the checksums guard against a broken download, not against whoever controls the address.
set -eu

from=
sums_digest=
start=
while [ $# -gt 0 ]; do
	case "$1" in
	--from) from=${2:?--from: a folder or an address expected}; shift 2 ;;
	--sums-sha256) sums_digest=${2:?--sums-sha256: 64 hexadecimal digits expected}; shift 2 ;;
	--no-start) start=--no-start; shift ;;
	*) echo "install.sh: unknown option $1 (--from, --sums-sha256, --no-start)" >&2; exit 2 ;;
	esac
done
[ -n "$from" ] || { echo "install.sh: --from: where is the executable? A folder, or an https address" >&2; exit 2; }

case "$(uname -s)-$(uname -m)" in
Linux-x86_64) name=edgewood-linux-x64 ;;
Linux-aarch64) name=edgewood-linux-arm64 ;;
*) echo "install.sh: there is no executable for $(uname -s) on $(uname -m)" >&2; exit 2 ;;
esac

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fetch() {
	case "$from" in
	https://*) curl --proto '=https' --fail --silent --show-error --location --max-filesize 500000000 --output "$work/$1" "$from/$1" ;;
	*://*) echo "install.sh: $from: only https addresses and folders" >&2; return 1 ;;
	*) cp "$from/$1" "$work/$1" ;;
	esac
}
fetch SHA256SUMS || exit 3
if [ -n "$sums_digest" ] && ! echo "$sums_digest  $work/SHA256SUMS" | sha256sum --check --status; then
	echo "install.sh: SHA256SUMS is not the file whose digest you were told: nothing was installed" >&2
	exit 4
fi
grep "  $name\$" "$work/SHA256SUMS" >"$work/expected" || { echo "install.sh: SHA256SUMS does not name $name" >&2; exit 4; }
fetch "$name" || exit 3
if ! (cd "$work" && sha256sum --check --status expected); then
	echo "install.sh: $name is not what SHA256SUMS says: nothing was installed" >&2
	exit 4
fi
chmod 755 "$work/$name"
if ! said=$("$work/$name" --version 2>&1); then
	echo "install.sh: $name does not run here: $said" >&2
	case "$said" in *libatomic*) echo "install.sh: as root: apt install libatomic1 (Debian, Ubuntu), dnf install libatomic (Fedora, RHEL)" >&2 ;; esac
	exit 2
fi
echo "$said"
"$work/$name" service install $start
