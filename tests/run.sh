#!/bin/sh
# Everything that must pass before a change is merged.
#
# Tests that need RabbitMQ use the one that BUS_TEST_AMQP_URL names, else start a node of their own, else are left out;
# with BUS_TEST_REQUIRE_RABBITMQ=1 they fail instead.
set -eu
cd "$(dirname "$0")/.."

step() {
    printf '\n== %s\n' "$*"
    "$@"
}

step cargo fmt --all --check
step cargo clippy --workspace --all-targets --all-features -- -D warnings
for features in "" cli rabbitmq testing; do
    step cargo clippy -p bus-runtime --no-default-features --features "$features" -- -D warnings
done
step cargo test --workspace --all-features
step env RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --all-features
