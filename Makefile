# The commands of the project. `make run` tries Chappe, `make test` proves it; neither needs anything prepared but Swift 6.3.

# As it is deployed: nothing of Swift is needed where it runs, and less of it is in memory.
RELEASE = -c release --static-swift-stdlib
STRICT = -Xswiftc -warnings-as-errors
SWIFT_SOURCES = $(wildcard Sources Federation Schema Tests Package.swift)

.PHONY: help run build test format check bench fuzz sim soak operations clean packages

help:
	@echo "make run      build a release, set up a demonstration in ./demo and serve it on 127.0.0.1:8008"
	@echo "make build    release build: .build/release/chappe"
	@echo "make test     every test, with all they need"
	@echo "make format   format the Swift sources"
	@echo "make check    formatting, warnings, layering, tidiness; no test is run"
	@echo "make bench    the same load on Chappe and on Synapse [SERVERS=chappe] [SCENARIOS=send-1,start-up] [SCALE=0.1]"
	@echo "make fuzz     hostile input under the address sanitizer [TARGET=json|event|request] [SECONDS=60]"
	@echo "make sim      federation simulated from a seed: SEED=7 or SEEDS=1..100 [SERVERS=4] [STEPS=200] [TRACE=1]; else the seeds of make test"
	@echo "make soak     encrypted devices come, go, change keys and talk while the server is killed [SEED=7] [STEPS=1000]"
	@echo "make operations  write OPERATIONS.md from the integration tests [TESTS=Tests/integration/test_sync.py]"
	@echo "make clean    remove all that the other commands made, except ./demo"

packages:
	@Tests/support/system-packages.sh

run: build
	@Deploy/demo.sh

build: packages
	swift build $(RELEASE) --product chappe

test:
	@Tests/run-tests.sh

format:
	swift format --in-place --parallel --recursive $(SWIFT_SOURCES)

check: packages
	@Tests/support/python-venv.sh .test/venv Tests/integration/requirements.txt
	swift format lint --strict --parallel --recursive $(SWIFT_SOURCES)
	swift build --build-tests $(STRICT) --explicit-target-dependency-import-check error
	.test/venv/bin/python -m pytest -c Tests/integration/pytest.ini -q Tests/tidy

bench: build
	swift build $(RELEASE) --product chappe-load
	@Tests/support/python-venv.sh .bench/venv Tests/bench/requirements.txt
	.bench/venv/bin/python Tests/bench/bench.py $(if $(SERVERS),--servers $(SERVERS)) \
		$(if $(SCENARIOS),--scenarios $(SCENARIOS)) $(if $(SCALE),--scale $(SCALE))

fuzz: packages
	@for target in $(or $(TARGET),json event request); do Tests/fuzz/run.sh $$target $(or $(SECONDS),60) || exit 1; done

sim: packages
	swift build $(STRICT) --product chappe-sim
	@.build/debug/chappe-sim $(if $(or $(SEEDS),$(SEED)),--seed $(or $(SEEDS),$(SEED)),--fixtures Tests/simulation/seeds.txt) \
		$(if $(SERVERS),--servers $(SERVERS)) $(if $(STEPS),--steps $(STEPS)) $(if $(TRACE),--trace)

soak: packages
	@Tests/support/python-venv.sh .test/venv Tests/integration/requirements.txt
	swift build $(STRICT) --product chappe
	@Tests/support/postgres-cluster.sh run .test/venv/bin/python -m pytest -c Tests/integration/pytest.ini -s \
		Tests/integration/test_encryption_soak.py --steps $(or $(STEPS),1000) --seed $(or $(SEED),$(shell od -An -N3 -tu4 /dev/urandom))

operations: packages
	@Tests/support/python-venv.sh .test/venv Tests/integration/requirements.txt
	swift build $(STRICT) --product chappe
	@Tests/support/postgres-cluster.sh run .test/venv/bin/python -m pytest -c Tests/integration/pytest.ini --write-operations \
		$(or $(TESTS),Tests/integration) $(if $(TESTS),Tests/integration/test_operations.py)

clean:
	rm -rf .build .test .bench .fuzz
