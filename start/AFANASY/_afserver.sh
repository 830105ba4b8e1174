#!/usr/bin/env bash
# Name=Server...
source "$(dirname "${BASH_SOURCE[0]}")/../../setup.sh"
exec "${AFSERVER_ROOT}/bin/afserver" "$@"
