#!/bin/sh
# scripts/build.sh AGENT: build an agent's image; the same as `agent-session build AGENT`.
exec "$(dirname -- "$0")/../agent-session" build "$@"
