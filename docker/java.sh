#!/bin/sh
# Finds Java 17 or newer; installs Debian's where apt is at hand and allowed. With --home prints its JAVA_HOME.
set -eu

version() { "$1" -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p' | head -n 1; }

good() { [ -x "$1" ] && [ "$(version "$1")" -ge 17 ] 2>/dev/null; }

find_java() {
  for java in "${JAVA_HOME:-/nonexistent}/bin/java" "$(command -v java || true)" /usr/lib/jvm/*/bin/java; do
    if good "$java"; then readlink -f "$java"; return 0; fi
  done
  return 1
}

if ! java=$(find_java); then
  sudo=; [ "$(id -u)" = 0 ] || sudo="sudo -n"
  if command -v apt-get >/dev/null && $sudo true 2>/dev/null; then
    echo "setup: Java (openjdk headless, through apt)" >&2
    $sudo apt-get -qq update >&2
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y openjdk-17-jre-headless >/dev/null 2>&1 ||
      $sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y openjdk-21-jre-headless >/dev/null 2>&1 || true
  fi
  java=$(find_java) || {
    echo "error: Spark needs Java 17 or 21: install a JRE (such as openjdk-21-jre-headless) or set JAVA_HOME" >&2
    exit 2
  }
fi
[ "${1:-}" != --home ] || dirname "$(dirname "$java")"
