#!/bin/sh
# Finds Chromium for the tests of pages; installs Debian's where apt is at hand and allowed, else says that they are skipped.
set -eu

for name in chromium chromium-browser google-chrome; do
  if command -v "$name" >/dev/null; then exit 0; fi
done
sudo=; [ "$(id -u)" = 0 ] || sudo="sudo -n"
if command -v apt-get >/dev/null && $sudo true 2>/dev/null; then
  echo "test: Chromium (headless, through apt)" >&2
  $sudo apt-get -qq update >/dev/null 2>&1 || true
  if $sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends chromium >/dev/null 2>&1; then
    exit 0
  fi
fi
echo "test: no Chromium here: the tests that look at pages in a browser are skipped" >&2
