#!/bin/sh
# Runs every test of the workspace, the ones against a real RabbitMQ and the doctests included.
#
# The tests start RabbitMQ nodes of their own, on free ports and with files of their own. They need the server to be installed:
# this script does that on Debian and Ubuntu. BUS_TEST_AMQP_URL=amqp://user:password@host:port tests against a broker of yours
# instead, but for the tests that kill one.
#
# Arguments go to `cargo test`: tests/run.sh -p bus-tests --test conformance
set -eu
cd "$(dirname "$0")/.."

server=/usr/lib/rabbitmq/bin/rabbitmq-server

install_rabbitmq() {
    sudo=
    if [ "$(id -u)" != 0 ]; then
        sudo -n true 2>/dev/null || return 1
        sudo="sudo -n"
    fi
    command -v apt-get >/dev/null || return 1
    echo "Installing rabbitmq-server."
    $sudo apt-get update -qq &&
        $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends rabbitmq-server >/dev/null
}

if [ -z "${BUS_TEST_AMQP_URL:-}" ] && [ ! -x "$server" ]; then
    if ! install_rabbitmq || [ ! -x "$server" ]; then
        cat >&2 <<'TEXT'
RabbitMQ is not installed, and this script cannot install it here. Do one of these:

    as root on Debian or Ubuntu:   apt-get install rabbitmq-server
    anywhere with docker:          docker run -d -p 5672:5672 rabbitmq:4
                                   BUS_TEST_AMQP_URL=amqp://localhost:5672 tests/run.sh
    without RabbitMQ:              cargo test --workspace --all-features
TEXT
        exit 1
    fi
fi

# The dashboard is looked at in a browser where there is one.
if [ ! -x /usr/bin/chromedriver ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing chromium."
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends chromium chromium-driver >/dev/null 2>&1 ||
        echo "There is no chromium to install: the tests in a browser pass without having run."
fi

export BUS_TEST_REQUIRE_RABBITMQ=1
# How long random faults are thrown at a worker.
export BUS_SOAK_SECONDS="${BUS_SOAK_SECONDS:-60}"
if [ $# = 0 ]; then
    set -- --workspace
fi
set -- cargo test --all-features --no-fail-fast "$@"
if [ -z "${BUS_TEST_AMQP_URL:-}" ]; then
    # One node for all tests that do not kill theirs.
    cargo build --quiet -p bus-tests --all-features --bin with_broker
    set -- "${CARGO_TARGET_DIR:-target}/debug/with_broker" "$@"
fi
exec "$@"
