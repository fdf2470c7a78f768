#!/usr/bin/env bash
# Calls a running system with what its OpenAPI document allows and with what it forbids, and fails when an answer is a 5xx
# or not in the document.
#
#   scripts/schemathesis.sh BASE [ARGUMENT...]
#
# BASE is a listener (http://127.0.0.1:8080); arguments go to `schemathesis run`. FERREX_ACCESS_TOKEN and
# FERREX_SESSION_TOKEN, when set, are sent where the document asks for them. `make schemathesis` starts a system, signs
# people up and calls this with their tokens; what it calls is left in an unknown state, so never aim it at real data.
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
[ "$#" -gt 0 ] || { sed -n '2,9s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 64; }
base="$1"
shift

tools="${FERREX_TOOLS:-$HOME/.cache/ferrex/tools}"
[ -x "$tools/schemathesis/bin/schemathesis" ] || "$here/tools.sh" schemathesis

# Without a token the settings that name one are left out: an empty token would be an odd one, not none.
settings="$(mktemp --suffix=.toml)"
trap 'rm -f "$settings"' EXIT
cat "$here/schemathesis/schemathesis.toml" >"$settings"
for scheme in bearer:FERREX_ACCESS_TOKEN session_token:FERREX_SESSION_TOKEN; do
  variable="${scheme#*:}"
  if [ -n "${!variable:-}" ]; then
    printf '\n[auth.openapi.%s]\nbearer = "${%s}"\n' "${scheme%%:*}" "$variable" >>"$settings"
  fi
done

"$tools/schemathesis/bin/schemathesis" --config-file "$settings" run "$base/openapi.json" --no-color "$@"
