#!/bin/sh
# Every test of the project, from nothing: system packages, PostgreSQL, Python environments, one debug build; then Swift's
# tests and the integration tests against the debug binary. The last line of output is "N passed, N failed"; the exit status
# is 0 only when nothing failed. Results for machines: .test/swift-tests*.xml and .test/pytest*.xml.
set -u
cd "$(dirname "$0")/.." || exit 1

support=Tests/support
mkdir -p .test
rm -rf .test/swift-tests*.xml .test/pytest*.xml .test/notes

"$support/system-packages.sh" || exit 1
"$support/python-venv.sh" .test/venv Tests/integration/requirements.txt || exit 1
# The server that Chappe must get along with, and that the tests of federation therefore run beside it.
"$support/python-venv.sh" .test/synapse-venv Tests/integration/requirements-synapse.txt || exit 1
# The bridge that application services are tested with.
"$support/python-venv.sh" .test/heisenbridge-venv Tests/integration/requirements-heisenbridge.txt || exit 1
# An identity server, whose libraries are of another age.
"$support/python-venv.sh" .test/sydent-venv Tests/integration/requirements-sydent.txt || exit 1

# The one build: it makes the executable too.
swift build --build-tests -Xswiftc -warnings-as-errors || { echo "0 passed, 1 failed"; exit 1; }

export CHAPPE_BINARY="$PWD/.build/debug/chappe"
"$support/postgres-cluster.sh" run swift test --skip-build -Xswiftc -warnings-as-errors \
    --disable-xctest --enable-swift-testing --xunit-output .test/swift-tests.xml
swift_status=$?
# Two at a time: most of what these tests do is wait for servers. What they called is then compared with what is written of it.
"$support/postgres-cluster.sh" run .test/venv/bin/python -m pytest -c Tests/integration/pytest.ini -n 2 --dist loadfile \
    --notes .test/notes --junitxml .test/pytest.xml --ignore Tests/integration/test_operations.py Tests/tidy Tests/integration
pytest_status=$?
.test/venv/bin/python -m pytest -c Tests/integration/pytest.ini \
    --notes .test/notes --junitxml .test/pytest-operations.xml Tests/integration/test_operations.py || pytest_status=$?

exec .test/venv/bin/python "$support/sum_results.py" "$swift_status" "$pytest_status"
