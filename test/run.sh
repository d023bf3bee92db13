#!/usr/bin/env bash
# Runs parts of the tests, in the order given; the Makefile says which.
set -euo pipefail
cd "$(dirname "$0")/.."
fuzztime=${FUZZTIME:-3s}
exploretime=${EXPLORETIME:-30s}

# A run says the same of the same commit: property tests begin with this seed.
# Looking for what nobody thought of is what "explore" is for.
export RAPID_SEED=${RAPID_SEED:-1}

# packages lists our packages; those below test/ with a go.mod of their own are no part of this module.
packages() { go list ./...; }

format() {
	local files
	files=$(git ls-files -co --exclude-standard '*.go' | xargs gofmt -l)
	[ -z "$files" ] || { echo "gofmt would change:"; echo "$files"; return 1; }
}

vet() { go vet ./...; }

# lint keeps its cache here: what it remembers of another checkout may be gone.
lint() { GOLANGCI_LINT_CACHE="$PWD/.cache/lint" .cache/golangci-lint run ./...; }

# unit leaves out what needs a Docker Engine or a cluster: that takes minutes.
unit() {
	packages | grep -v -e /backends/docker -e /internal/dockertest -e /test/e2e | xargs go test -short -json | go run ./test/report
}

race() { CGO_ENABLED=1 go test -race -count=1 -timeout 25m -json ./... | go run ./test/report; }

# fuzz runs each fuzz test for a short time; its corpus ran with the other tests already.
fuzz() {
	local package name
	for package in $(packages); do
		for name in $(go test -list '^Fuzz' "$package" | grep '^Fuzz' || true); do
			echo "fuzz $package $name ($fuzztime)"
			go test -run '^$' -fuzz "^$name\$" -fuzztime "$fuzztime" "$package" >.cache/fuzz.log 2>&1 || cut_off || { cat .cache/fuzz.log; return 1; }
		done
	done
}

# cut_off tells whether a fuzz test only ended in the middle of an input when its
# time was over, which go test takes for a failure (golang.org/issue/75804). A
# finding writes the input that failed.
cut_off() {
	grep -q '^ *context deadline exceeded$' .cache/fuzz.log && ! grep -q 'Failing input' .cache/fuzz.log
}

# explore runs the property tests of each package again and again for a time, with
# seeds that nobody chose and ten times the checks. What it finds it tells with the
# seed that shows it, and keeps in testdata/rapid, where every later run tries it first.
explore() {
	local package tests end runs binary=$PWD/.cache/explore.test log=$PWD/.cache/explore.log
	for package in $(property_tests | xargs -n 1 dirname | sort -u); do
		tests=$(property_tests | grep "^$package/[^/]*$" | xargs sed -n 's/^func \(Test[A-Z][A-Za-z0-9]*\)(.*/\1/p' | paste -sd '|')
		go test -c -o "$binary" "$package"
		runs=0 end=$((SECONDS + $(in_seconds "$exploretime")))
		while [ "$runs" = 0 ] || [ "$SECONDS" -lt "$end" ]; do
			(cd "$package" && RAPID_SEED=0 RAPID_CHECKS=1000 "$binary" -test.run "^($tests)\$" >"$log" 2>&1) || { cat "$log"; return 1; }
			runs=$((runs + 1))
		done
		echo "explore $package: $runs times 1000 checks of each property"
	done
	rm -f "$binary"
}

# property_tests lists the files with property tests.
property_tests() { grep -rl --include='*_test.go' --exclude-dir='.?*' '"pgregory.net/rapid"' .; }

# in_seconds reads a duration such as 30s or 1m30s.
in_seconds() { echo $(($(sed 's/m/*60+/; s/s/+/' <<<"$1")0)); }

# image builds the container image and runs it, as little as shows that it works.
image() {
	local tag=berth:test-$$
	DOCKER_BUILDKIT=0 docker build --quiet --tag "$tag" . 2>.cache/image.log || { cat .cache/image.log; return 1; }
	docker run --rm --read-only --cap-drop ALL --network none "$tag" version
	docker rmi "$tag" >/dev/null
}

demo() { bin/berth demo --once; }

# start_cluster makes a cluster ready for the parts after it, and has it stopped
# at the end unless it ran before. Where none can be had, the tests that need one
# say so; in CI that is a failure.
start_cluster() {
	if [ -z "${BERTH_TEST_KUBECONFIG:-}" ] && [ ! -d /var/lib/berth-cluster ]; then
		trap 'test/setup.sh cluster-down' EXIT
	fi
	test/setup.sh cluster && return
	[ "${CI:-}" != true ] || return 1
	echo "there is no cluster: the tests that need one are skipped"
}

kubeconfig=${BERTH_TEST_KUBECONFIG:-.cache/cluster/kubeconfig}

cluster_demo() {
	if [ ! -f "$kubeconfig" ]; then
		echo "skipped: there is no cluster"
		[ "${CI:-}" != true ]
		return
	fi
	KUBECONFIG=$kubeconfig bin/berth demo --once --backend kubernetes
}

# cluster shows that the cluster of "make cluster" runs pods as the tests need it.
cluster() {
	if [ ! -f "$kubeconfig" ]; then
		echo "skipped: there is no cluster"
		[ "${CI:-}" != true ]
		return
	fi
	(cd test/cluster && CGO_ENABLED=0 GOFLAGS=-mod=readonly go test -count=1 ./...)
}

# build_gitea makes Gitea ready for the parts after it. Where it cannot be had, the
# tests that need it say so; in CI that is a failure.
build_gitea() {
	test/setup.sh gitea && return
	[ "${CI:-}" != true ] || return 1
	echo "there is no Gitea: the tests that need it are skipped"
}

# forge shows that Gitea starts, stops and goes away as "make forge" and the tests need it.
forge() { (cd test/forge && CGO_ENABLED=0 GOFLAGS=-mod=readonly go test -count=1 ./...); }

bench() { go test -run '^$' -bench . -benchmem -count 1 -timeout 20m ./...; }

mkdir -p .cache
for part in "$@"; do
	echo "== $part"
	"$part"
done
