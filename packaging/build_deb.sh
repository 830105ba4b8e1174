#!/usr/bin/env bash
# Builds the Debian package of afserver for the machine that it runs on.
# Usage: packaging/build_deb.sh [FOLDER]      The package is put into FOLDER, else into dist/. Its path is printed.
# Needs python3 with venv, dpkg-deb, and a package index for pip. VERSION overrides the version.
set -euo pipefail

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
OUT="$(mkdir -p "${1:-$ROOT/dist}" && cd "${1:-$ROOT/dist}" && pwd)"
PYTHON="${PYTHON:-/usr/bin/python3}"
WORK="$(mktemp -d "${TMPDIR:-/tmp}/afserver-deb.XXXXXX")"
trap 'rm -rf "$WORK"' EXIT

VERSION="${VERSION:-$(sed -n 's/^__version__ = "\(.*\)"/\1/p' "$ROOT/afanasy_py/__init__.py")}"
ARCH="$(dpkg --print-architecture)"
PY="$("$PYTHON" -c 'import sys; print("%d.%d" % sys.version_info[:2])')"
NEXT="${PY%.*}.$((${PY#*.} + 1))"
TREE="$WORK/tree"
HOME_DIR=/opt/afserver
chmod 755 "$WORK" && mkdir -p "$TREE"

# The server with its Python packages, in a virtual environment that is moved to its place.
"$PYTHON" -m venv "$TREE$HOME_DIR"
mkdir "$WORK/source"
tar -C "$ROOT" --exclude=./.git --exclude=./build --exclude=./dist --exclude=./tests --exclude='./.*' --exclude='*.egg-info' \
	-cf - . | tar -C "$WORK/source" -xf -
"$TREE$HOME_DIR/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile "$WORK/source" >&2
"$TREE$HOME_DIR/bin/python" -m pip --disable-pip-version-check uninstall --quiet --yes pip setuptools >&2
grep -rlIF "$TREE" "$TREE$HOME_DIR/bin" "$TREE$HOME_DIR/pyvenv.cfg" | xargs -r sed -i "s|$TREE||g"
rm -rf "$TREE$HOME_DIR"/bin/[Aa]ctivate* "$TREE$HOME_DIR"/include "$TREE$HOME_DIR"/lib/python*/site-packages/{gevent,greenlet}/tests
find "$TREE" -name direct_url.json -delete
find "$TREE" -name __pycache__ -prune -exec rm -rf {} +

mkdir -p "$TREE/usr/bin" "$TREE/lib/systemd/system" "$TREE/etc/default" "$TREE/etc/afserver" "$TREE/usr/share/doc/afserver" "$TREE/DEBIAN"
for command in afserver afcmd afrender-py afserver-install; do
	ln -s "$HOME_DIR/bin/$command" "$TREE/usr/bin/$command"
done
install -m 644 "$ROOT/packaging/afserver.service" "$TREE/lib/systemd/system/"
install -m 644 "$ROOT/packaging/afserver.default" "$TREE/etc/default/afserver"
install -m 644 "$ROOT/packaging/config.json" "$TREE/etc/afserver/config.json"
install -m 644 "$ROOT"/docs/*.md "$ROOT/CHANGELOG.md" "$TREE/usr/share/doc/afserver/"
install -m 644 "$ROOT/packaging/copyright" "$TREE/usr/share/doc/afserver/copyright"
cp -r "$ROOT/docs/monitoring" "$TREE/usr/share/doc/afserver/"

# What dpkg has to know.
sed -e "s/@VERSION@/$VERSION/" -e "s/@ARCH@/$ARCH/" -e "s/@PY@/$PY/" -e "s/@NEXT@/$NEXT/" \
	-e "s/@SIZE@/$(du -sk --exclude=DEBIAN "$TREE" | cut -f1)/" "$ROOT/packaging/debian/control" >"$TREE/DEBIAN/control"
printf '%s\n' /etc/default/afserver /etc/afserver/config.json >"$TREE/DEBIAN/conffiles"
for script in preinst postinst prerm postrm; do
	[ ! -e "$ROOT/packaging/debian/$script" ] || install -m 755 "$ROOT/packaging/debian/$script" "$TREE/DEBIAN/$script"
done
find "$TREE" -path "$TREE/DEBIAN" -prune -o -type d -exec chmod 755 {} +
chmod -R u+rwX,go+rX,go-w "$TREE"
(cd "$TREE" && find . -path ./DEBIAN -prune -o -type f -print0 | sort -z | xargs -0 md5sum | sed 's| \./| |') >"$TREE/DEBIAN/md5sums"
chmod 644 "$TREE/DEBIAN/md5sums" "$TREE/DEBIAN/conffiles" "$TREE/DEBIAN/control"

PACKAGE="$OUT/afserver_${VERSION}_${ARCH}.deb"
dpkg-deb --root-owner-group -Zxz -z1 --build "$TREE" "$PACKAGE" >&2
printf '%s\n' "$PACKAGE"
