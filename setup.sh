#!/usr/bin/env bash
# Source this file to have the commands of this checkout in PATH: source setup.sh && afserver

AFSERVER_ROOT="$(cd "$(dirname "${BASH_SOURCE[0]:-$0}")" && pwd)"
export AFSERVER_ROOT

case ":${PATH}:" in
	*":${AFSERVER_ROOT}/bin:"*) ;;
	*) export PATH="${AFSERVER_ROOT}/bin:${PATH}" ;;
esac

# The virtual environment of the checkout, if there is one, has the packages that the commands need:
if [ -z "${VIRTUAL_ENV:-}" ] && [ -f "${AFSERVER_ROOT}/.venv/bin/activate" ]; then
	source "${AFSERVER_ROOT}/.venv/bin/activate"
	export PATH="${AFSERVER_ROOT}/bin:${PATH}"
fi
